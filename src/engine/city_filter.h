/* A city's filter (CITY-2): who was seen there, perhaps. A blocked Bloom filter (Putze, Sanders,
 * Singler 2007): the bits of a mobile lie in one block of 64 bytes, one cache line a look-up.
 * "No" is certain, "yes" is wrong as often as the city's misjudgement rate allows.
 *
 * Blocks fill unevenly, some more than the classic formula thinks of, so the rate is computed for
 * what it is: the mean over blocks whose load is Poisson distributed. At 1e-4 that is 22.0 bits a
 * key and 12 hashes, where the formula without blocks asks for 19.2.
 *
 * It grows: the key that would be one too many goes into a further part of twice the room, made for
 * half the rate (as far as 40 bits a key can keep it), so that all parts together are not wrong
 * more than twice as often as was asked. A look-up then costs a line for each part; the next
 * rebuild makes one of them again.
 *
 * Keys are never taken out: for that it is rebuilt. Adding one that is there counts it twice. */
#ifndef SMSD_ENGINE_CITY_FILTER_H
#define SMSD_ENGINE_CITY_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

enum {
    CITY_FILTER_PARTS_MAX = 16,
    CITY_FILTER_BLOCK_BYTES = 64,
    CITY_FILTER_BLOCK_WORDS = CITY_FILTER_BLOCK_BYTES / 8,
    CITY_FILTER_HASHES_MAX = 12,
    CITY_FILTER_BITS_PER_KEY_MAX = 40,
};
#define CITY_FILTER_CAPACITY_MAX UINT64_C(1000000000)
/* Of misjudgement rates: what 40 bits a key can keep, also for the second and third part. */
#define CITY_FILTER_RATE_MIN 1e-5
#define CITY_FILTER_RATE_MAX 0.1

struct city_filter_part {
    uint64_t *words;
    uint64_t blocks;
    uint64_t capacity;
    uint64_t keys;     /* added */
    uint64_t bits_set; /* of blocks * 512 */
    uint32_t hashes;
};

struct city_filter {
    struct hash_key key;
    double rate; /* asked for */
    uint32_t part_count;
    struct city_filter_part parts[CITY_FILTER_PARTS_MAX];
};

/* How often a filter of so many blocks is wrong that holds so many keys. */
double city_filter_rate(double keys, double blocks, uint32_t hashes);

/* Of memory that a filter for so many takes. */
uint64_t city_filter_bytes(uint64_t capacity, double rate);

/* `key`: secret, the city's own. */
void city_filter_init(struct city_filter *filter, const struct hash_key *key, uint64_t capacity,
                      double rate);
void city_filter_release(struct city_filter *filter);

/* What stands for a mobile in the other calls: 64 bits, different for different mobiles, and who
 * does not know the key does not know which go together. Not SipHash, which would be two thirds of
 * a look-up: a collision costs no more than a look at the exact table. */
static inline uint64_t city_filter_hash(const struct city_filter *filter, uint64_t mobile)
{
    uint64_t hash = (mobile ^ filter->key.k0) * UINT64_C(0xbf58476d1ce4e5b9);

    hash = ((hash ^ hash >> 32) + filter->key.k1) * UINT64_C(0x94d049bb133111eb);
    hash = (hash ^ hash >> 29) * UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 32;
}

/* Fetches the lines that a look-up will need, and does not wait: for groups of look-ups, first all
 * of these, then the look-ups. */
void city_filter_prefetch(const struct city_filter *filter, uint64_t hash);
/* False: certainly not there. */
bool city_filter_may_have(const struct city_filter *filter, uint64_t hash);
void city_filter_add(struct city_filter *filter, uint64_t hash);

/* What operators see. */
struct city_filter_figures {
    uint64_t bytes, keys;
    double bits_per_key; /* by capacity */
    uint32_t hashes;
    double fill;                  /* share of bits that are set */
    double misjudgement_estimate; /* of all parts, as full as they are */
};
void city_filter_figures(const struct city_filter *filter, struct city_filter_figures *figures);

#endif
