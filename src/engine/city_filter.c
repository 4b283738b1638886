/* The sums behind a filter's size, and its look-ups. What is hard: a hash has 64 bits, and twelve
 * places in a block take 108. They come from two words, each a bijection of the hash; the upper
 * bits of a product depend on all bits below, so the places do not go with the choice of the block,
 * which the hash's own upper half makes. */
#include "engine/city_filter.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/pages.h"

enum {
    BLOCK_BITS = CITY_FILTER_BLOCK_BYTES * 8,
    PLACE_BITS = 9, /* of 512 */
    PLACE_SHIFT = 64 - 6 * PLACE_BITS,
    PLACES_PER_WORD = 6,
    HASHES_MIN = 3,
    GROWTH = 2,
};
static_assert(CITY_FILTER_HASHES_MAX == 2 * PLACES_PER_WORD, "two words of places");

/* --- how often it is wrong -----------------------------------------------------------------------
 */

/* The chance that `hashes` places chosen at random are all set in a block into which `throws`
 * places were thrown: E[X^h] of the share X that is set, by its mean and, to the second order, its
 * variance (of the number of occupied cells). */
static double block_rate(double throws, double hashes)
{
    const double cells = BLOCK_BITS;
    double one = exp(throws * log1p(-1 / cells)), two = exp(throws * log1p(-2 / cells));
    double mean = 1 - one;
    double variance = (cells - 1) / cells * two + one / cells - one * one;
    double rate;

    if (mean <= 0)
        return 0;
    rate = pow(mean, hashes) * (1 + hashes * (hashes - 1) / 2 * variance / (mean * mean));
    return rate < 1 ? rate : 1;
}

double city_filter_rate(double keys, double blocks, uint32_t hashes)
{
    double load = keys / blocks, spread = 12 * sqrt(load) + 12, sum = 0;

    if (load <= 0)
        return 0;
    uint64_t first = load - spread < 1 ? 1 : (uint64_t)(load - spread);
    uint64_t last = (uint64_t)(load + spread);
    for (uint64_t in_block = first; in_block <= last; in_block++) {
        double count = (double)in_block;
        int sign; /* which lgamma() keeps in a variable of the process; threads build filters */
        double chance = exp(count * log(load) - load - lgamma_r(count + 1, &sign));
        sum += chance * block_rate(count * hashes, hashes);
    }
    return sum < 1 ? sum : 1;
}

/* The best number of hashes for so many bits a key, and what comes of it. */
static double best_rate(double bits_per_key, uint32_t *hashes)
{
    double best = 2;

    for (uint32_t count = HASHES_MIN; count <= CITY_FILTER_HASHES_MAX; count++) {
        double rate = city_filter_rate(BLOCK_BITS / bits_per_key, 1, count);
        if (rate < best) {
            best = rate;
            *hashes = count;
        }
    }
    return best;
}

/* The fewest bits a key that keep the rate, to a hundredth of a bit. */
static double plan(double rate, uint32_t *hashes)
{
    double low = 1, high = CITY_FILTER_BITS_PER_KEY_MAX;

    while (high - low > 0.01) {
        double middle = (low + high) / 2;
        if (best_rate(middle, hashes) <= rate)
            high = middle;
        else
            low = middle;
    }
    best_rate(high, hashes);
    return high;
}

/* Most cities want the same rate, and a plan is dear. */
static double plan_kept(double rate, uint32_t *hashes)
{
    static _Thread_local struct {
        double rate, bits_per_key;
        uint32_t hashes;
    } kept;

    if (kept.rate != rate) {
        kept.bits_per_key = plan(rate, &kept.hashes);
        kept.rate = rate;
    }
    *hashes = kept.hashes;
    return kept.bits_per_key;
}

/* --- parts ---------------------------------------------------------------------------------------
 */

static uint64_t blocks_for(uint64_t capacity, double bits_per_key)
{
    return (uint64_t)ceil((double)capacity * bits_per_key / BLOCK_BITS);
}

uint64_t city_filter_bytes(uint64_t capacity, double rate)
{
    uint32_t hashes;

    return blocks_for(capacity, plan_kept(rate, &hashes)) * CITY_FILTER_BLOCK_BYTES;
}

static void add_part(struct city_filter *filter, uint64_t capacity, double rate)
{
    struct city_filter_part *part = &filter->parts[filter->part_count++];
    uint32_t hashes = 0;
    double bits_per_key = plan_kept(rate, &hashes);

    *part = (struct city_filter_part){
        .blocks = blocks_for(capacity, bits_per_key),
        .capacity = capacity,
        .hashes = hashes,
    };
    part->words = pages_new(part->blocks * CITY_FILTER_BLOCK_BYTES);
}

void city_filter_init(struct city_filter *filter, const struct hash_key *key, uint64_t capacity,
                      double rate)
{
    assert(capacity >= 1 && capacity <= CITY_FILTER_CAPACITY_MAX);
    assert(rate >= CITY_FILTER_RATE_MIN && rate <= CITY_FILTER_RATE_MAX);
    *filter = (struct city_filter){.key = *key, .rate = rate};
    add_part(filter, capacity, rate);
}

void city_filter_release(struct city_filter *filter)
{
    for (uint32_t i = 0; i < filter->part_count; i++) {
        struct city_filter_part *part = &filter->parts[i];
        pages_free(part->words, part->blocks * CITY_FILTER_BLOCK_BYTES);
    }
    *filter = (struct city_filter){0};
}

/* The last part takes whatever comes: it is 2^15 times what was asked for. */
static struct city_filter_part *part_with_room(struct city_filter *filter)
{
    struct city_filter_part *last = &filter->parts[filter->part_count - 1];

    if (last->keys < last->capacity || filter->part_count == CITY_FILTER_PARTS_MAX)
        return last;
    add_part(filter, last->capacity * GROWTH, ldexp(filter->rate, -(int)filter->part_count));
    return &filter->parts[filter->part_count - 1];
}

/* --- look-ups ------------------------------------------------------------------------------------
 */

static inline uint64_t *block_of(const struct city_filter_part *part, uint64_t hash)
{
    return part->words + ((hash >> 32) * part->blocks >> 32) * CITY_FILTER_BLOCK_WORDS;
}

static inline uint64_t first_places(uint64_t hash)
{
    return hash * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint64_t second_places(uint64_t first)
{
    return (first ^ first >> 32) * UINT64_C(0xd6e8feb86659fd93);
}

/* Nearly all are there, so all are looked at before anything is decided. */
static inline bool has_places(const uint64_t *block, uint64_t places, uint32_t count)
{
    uint64_t all = 1;

    places >>= PLACE_SHIFT;
#pragma GCC unroll 6
    for (uint32_t i = 0; i < count; i++, places >>= PLACE_BITS)
        all &= block[places / 64 % CITY_FILTER_BLOCK_WORDS] >> places % 64;
    return all != 0;
}

static bool part_may_have(const struct city_filter_part *part, uint64_t hash)
{
    const uint64_t *block = block_of(part, hash);
    uint64_t places = first_places(hash);

    if (part->hashes < PLACES_PER_WORD)
        return has_places(block, places, part->hashes);
    if (!has_places(block, places, PLACES_PER_WORD))
        return false;
    places = second_places(places);
    if (part->hashes == 2 * PLACES_PER_WORD) /* as in most cities: a loop without a count */
        return has_places(block, places, PLACES_PER_WORD);
    return has_places(block, places, part->hashes - PLACES_PER_WORD);
}

bool city_filter_may_have(const struct city_filter *filter, uint64_t hash)
{
    for (uint32_t i = 0; i < filter->part_count; i++) {
        if (part_may_have(&filter->parts[i], hash))
            return true;
    }
    return false;
}

void city_filter_prefetch(const struct city_filter *filter, uint64_t hash)
{
    for (uint32_t i = 0; i < filter->part_count; i++)
        __builtin_prefetch(block_of(&filter->parts[i], hash));
}

void city_filter_add(struct city_filter *filter, uint64_t hash)
{
    struct city_filter_part *part = part_with_room(filter);
    uint64_t *block = block_of(part, hash), places = first_places(hash);

    for (uint32_t i = 0; i < part->hashes; i++) {
        if (i == PLACES_PER_WORD)
            places = second_places(places);
        uint32_t place = (uint32_t)(places >> (PLACE_SHIFT + PLACE_BITS * (i % PLACES_PER_WORD))) &
                         (BLOCK_BITS - 1);
        uint64_t bit = UINT64_C(1) << (place % 64);
        part->bits_set += (block[place / 64] & bit) == 0;
        block[place / 64] |= bit;
    }
    part->keys++;
}

void city_filter_figures(const struct city_filter *filter, struct city_filter_figures *figures)
{
    uint64_t bits = 0, bits_set = 0, capacity = 0;
    double right = 1;

    *figures = (struct city_filter_figures){.hashes = filter->parts[0].hashes};
    for (uint32_t i = 0; i < filter->part_count; i++) {
        const struct city_filter_part *part = &filter->parts[i];
        figures->bytes += part->blocks * CITY_FILTER_BLOCK_BYTES;
        figures->keys += part->keys;
        bits += part->blocks * BLOCK_BITS;
        bits_set += part->bits_set;
        capacity += part->capacity;
        right *= 1 - city_filter_rate((double)part->keys, (double)part->blocks, part->hashes);
    }
    figures->bits_per_key = (double)bits / (double)capacity;
    figures->fill = (double)bits_set / (double)bits;
    figures->misjudgement_estimate = 1 - right;
}
