/* The split of a packet a second time, after smsd-api(7), "Fairness of packets", not after the
 * engine: what a third party would write. */
#ifndef SMSD_TESTS_SIM_MODEL_SPLIT_H
#define SMSD_TESTS_SIM_MODEL_SPLIT_H

#include <stdint.h>

#include "engine/split.h"

enum { MODEL_SHARES_MAX = 2048 };

/* Fills `shares` with `count` numbers, in the order in which they are handed out. */
void model_split(enum split_rule rule, int64_t amount, uint32_t count,
                 const uint8_t seed[SPLIT_SEED_SIZE], uint32_t *shares);
void model_commitment(enum split_rule rule, int64_t amount, uint32_t count,
                      const uint8_t seed[SPLIT_SEED_SIZE], uint8_t commitment[SHA256_SIZE]);

#endif
