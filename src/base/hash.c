/* SipHash-2-4 with 64 and 128 bits of result, after the paper (Aumasson and Bernstein, 2012) and,
 * for 128 bits, its authors' reference code. The one-shot form keeps its state in registers and
 * reads words where they lie; the incremental one carries up to seven bytes from piece to piece. */
#include "base/hash.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words are read as they lie, which is right on little-endian machines only"
#endif

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void round_once(struct state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void absorb(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    round_once(s);
    round_once(s);
    s->v0 ^= word;
}

static inline void finish_rounds(struct state *s)
{
    round_once(s);
    round_once(s);
    round_once(s);
    round_once(s);
}

static inline struct state begin(const struct hash_key *key, bool is_128)
{
    return (struct state){
        .v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d) ^ (is_128 ? 0xee : 0),
        .v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = key->k1 ^ UINT64_C(0x7465646279746573),
    };
}

static inline uint64_t result64(struct state *s)
{
    s->v2 ^= 0xff;
    finish_rounds(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline struct hash128 result128(struct state *s)
{
    struct hash128 result;
    s->v2 ^= 0xee;
    finish_rounds(s);
    result.low = s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
    s->v1 ^= 0xdd;
    finish_rounds(s);
    result.high = s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
    return result;
}

/* The last 0 to 7 bytes as a word, without reading past them. */
static inline uint64_t read_tail(const unsigned char *from, size_t size)
{
    uint32_t low, high;
    if (size >= 4) { /* two words that overlap */
        memcpy(&low, from, 4);
        memcpy(&high, from + size - 4, 4);
        return low | (uint64_t)high << (8 * (size - 4));
    }
    if (size == 0)
        return 0;
    return from[0] | (uint64_t)from[size >> 1] << (8 * (size >> 1)) |
           (uint64_t)from[size - 1] << (8 * (size - 1));
}

static inline void absorb_all(struct state *s, const void *data, size_t size)
{
    const unsigned char *at = data;
    for (const unsigned char *end = at + (size & ~(size_t)7); at != end; at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        absorb(s, word);
    }
    absorb(s, read_tail(at, size & 7) | (uint64_t)size << 56);
}

uint64_t hash64(const struct hash_key *key, const void *data, size_t size)
{
    struct state s = begin(key, false);
    absorb_all(&s, data, size);
    return result64(&s);
}

struct hash128 hash128(const struct hash_key *key, const void *data, size_t size)
{
    struct state s = begin(key, true);
    absorb_all(&s, data, size);
    return result128(&s);
}

static inline struct state load(const struct hash *hash)
{
    return (struct state){hash->v0, hash->v1, hash->v2, hash->v3};
}

static inline void keep(struct hash *hash, const struct state *s)
{
    hash->v0 = s->v0;
    hash->v1 = s->v1;
    hash->v2 = s->v2;
    hash->v3 = s->v3;
}

void hash_init(struct hash *hash, const struct hash_key *key, bool is_128)
{
    struct state s = begin(key, is_128);
    *hash = (struct hash){.is_128 = is_128};
    keep(hash, &s);
}

void hash_update(struct hash *hash, const void *data, size_t size)
{
    const unsigned char *at = data;
    size_t carried = hash->size & 7;
    hash->size += size;
    if (carried + size < 8) {
        hash->tail |= read_tail(at, size) << (8 * carried);
        return;
    }
    struct state s = load(hash);
    if (carried != 0) {
        size_t missing = 8 - carried;
        absorb(&s, hash->tail | read_tail(at, missing) << (8 * carried));
        at += missing;
        size -= missing;
    }
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        absorb(&s, word);
    }
    hash->tail = read_tail(at, size);
    keep(hash, &s);
}

uint64_t hash_finish64(struct hash *hash)
{
    struct state s = load(hash);
    absorb(&s, hash->tail | hash->size << 56);
    return result64(&s);
}

struct hash128 hash_finish128(struct hash *hash)
{
    struct state s = load(hash);
    absorb(&s, hash->tail | hash->size << 56);
    return result128(&s);
}
