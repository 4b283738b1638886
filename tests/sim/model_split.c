/* Words, drawing, shuffling, in this order and with the names of smsd-api(7). */
#include "model_split.h"

#include <stdio.h>
#include <string.h>

struct words {
    const uint8_t *seed;
    uint64_t block;
    uint8_t digest[SHA256_SIZE];
    int at;
};

static uint64_t next_word(struct words *words)
{
    uint64_t word = 0;

    if (words->at == SHA256_SIZE) {
        uint8_t input[SPLIT_SEED_SIZE + 8];
        memcpy(input, words->seed, SPLIT_SEED_SIZE);
        for (int i = 0; i < 8; i++)
            input[SPLIT_SEED_SIZE + i] = (uint8_t)(words->block >> (56 - 8 * i));
        sha256(input, sizeof input, words->digest);
        words->block++;
        words->at = 0;
    }
    for (int i = 0; i < 8; i++)
        word = word << 8 | words->digest[words->at++];
    return word;
}

/* The next word that is less than 2^64 - (2^64 mod n), modulo n. */
static uint64_t below(struct words *words, uint64_t n)
{
    uint64_t over = (0 - n) % n; /* 2^64 mod n */
    uint64_t word;

    do
        word = next_word(words);
    while (word > UINT64_MAX - over);
    return word % n;
}

static int64_t gaussian(struct words *words, int64_t left, int64_t count)
{
    int64_t sum = 0, numerator, share;

    for (int i = 0; i < 3; i++) {
        for (uint64_t word = next_word(words); word != 0; word >>= 16)
            sum += (int64_t)(word % 65536);
    }
    numerator = 2 * left * (196608 + sum - 393210) + 196608 * count;
    share = numerator < 0 ? 1 : numerator / (393216 * count);
    if (share < 1)
        return 1;
    return share > 2 * left / count - 1 ? 2 * left / count - 1 : share;
}

static int64_t draw_share(struct words *words, enum split_rule rule, int64_t left, int64_t count)
{
    switch (rule) {
    case SPLIT_DOUBLE_MEAN:
        return 1 + (int64_t)below(words, (uint64_t)(2 * left / count - 1));
    case SPLIT_GAUSSIAN:
        return gaussian(words, left, count);
    default:
        return left / count + (left % count != 0);
    }
}

void model_split(enum split_rule rule, int64_t amount, uint32_t count,
                 const uint8_t seed[SPLIT_SEED_SIZE], uint32_t *shares)
{
    struct words words = {.seed = seed, .at = SHA256_SIZE};
    int64_t left = amount;

    for (uint32_t still = count; still >= 2; still--) {
        int64_t share = draw_share(&words, rule, left, still);
        shares[count - still] = (uint32_t)share;
        left -= share;
    }
    shares[count - 1] = (uint32_t)left;
    for (uint32_t at = count - 1; at > 0; at--) {
        uint64_t other = below(&words, at + UINT64_C(1));
        uint32_t share = shares[at];
        shares[at] = shares[other];
        shares[other] = share;
    }
}

void model_commitment(enum split_rule rule, int64_t amount, uint32_t count,
                      const uint8_t seed[SPLIT_SEED_SIZE], uint8_t commitment[SHA256_SIZE])
{
    static const char *const names[] = {[SPLIT_EQUAL] = "equal",
                                        [SPLIT_DOUBLE_MEAN] = "double_mean",
                                        [SPLIT_GAUSSIAN] = "gaussian"};
    char text[200];
    int size = snprintf(text, sizeof text, "smsd-packet-1 %s %lld %u ", names[rule],
                        (long long)amount, count);

    for (int i = 0; i < SPLIT_SEED_SIZE; i++)
        size += snprintf(text + size, sizeof text - (size_t)size, "%02x", seed[i]);
    sha256(text, (size_t)size, commitment);
}
