/* What the power-cut test writes: batch n changes rows in a way that follows from n alone, so that
 * what a store must hold after the last batch it has is known, to the byte. */
#ifndef SMSD_TESTS_WORKLOAD_H
#define SMSD_TESTS_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* Options with small segments, small LMDB transactions. `directory` must last. */
struct store_options workload_options(const char *directory);
/* The changes of batch n, as one or more transactions. */
void workload_write(struct store *store, uint64_t batch);
/* True if the store holds what it must after `batches`; says on stderr what is wrong. */
bool workload_check(struct store *store, uint64_t batches);

#endif
