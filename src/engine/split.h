/* Splits: a packet's amount as shares, made at send (PKT-3, PKT-4). Everything follows from a seed
 * of 32 random bytes and three parameters, in whole numbers, so that anyone who is told the seed
 * computes the same shares anywhere (PKT-12); smsd-api(7) specifies it for third parties, and
 * tests/e2e/split.py is a second implementation. What is written there is fixed: a change of the
 * algorithm is another rule, with another text in the commitment. */
#ifndef SMSD_ENGINE_SPLIT_H
#define SMSD_ENGINE_SPLIT_H

#include <stdint.h>

#include "base/sha256.h"

enum { SPLIT_SEED_SIZE = 32, SPLIT_SHARES_MAX = 100000 };

/* A share has 32 bits, and so has what is split. */
#define SPLIT_AMOUNT_MAX INT64_C(4294967295)

enum split_rule {
#define SPLIT(name, number, text) SPLIT_##name = (number),
#include "engine/split.def"
#undef SPLIT
};

struct split {
    enum split_rule rule;
    int64_t amount; /* count to SPLIT_AMOUNT_MAX */
    uint32_t count; /* 1 to SPLIT_SHARES_MAX */
};

/* Fills `shares`, split->count of them: each at least 1, all together the amount, in the order in
 * which they are handed out. */
void split_shares(const struct split *split, const uint8_t seed[SPLIT_SEED_SIZE], uint32_t *shares);

/* What is published at send, and binds seed and parameters. */
void split_commitment(const struct split *split, const uint8_t seed[SPLIT_SEED_SIZE],
                      uint8_t commitment[SHA256_SIZE]);

/* The rule's text; static. */
const char *split_rule_text(enum split_rule rule);

#endif
