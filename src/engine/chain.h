/* The hash chain over all entries (BILL-13). Its value is 32 bytes; each entry takes it one step
 * further:
 *
 *     value' = SHA-256 compression, with value as the chaining state, of the entry's bytes
 *              (number, row without its `chain`, reference), padded with zeros to whole blocks of
 * 64
 *
 * which is the Merkle–Damgård construction itself, run over the sequence of entries: one or two
 * compressions an entry, a fifth of what a whole SHA-256 over (value, entry) costs. An entry's
 * bytes say their own length (reference_size), so no two sequences of entries have the same blocks,
 * and a collision would be one of SHA-256.
 *
 * Each entry keeps the first 8 bytes of the value at it, so that verify can name the first one that
 * is wrong; the value at the last is in TABLE_META, and so in each batch and checkpoint, and is
 * shown by the audit: who notes it down can prove later that nothing before it was changed. */
#ifndef SMSD_ENGINE_CHAIN_H
#define SMSD_ENGINE_CHAIN_H

#include <stdint.h>

#include "base/sha256.h"
#include "engine/row.h"

struct chain {
    uint32_t state[8];
};

void chain_init(struct chain *chain);
/* Takes one step; returns what the entry's `chain` is to be. `row->chain` is not looked at. */
uint64_t chain_step(struct chain *chain, uint64_t number, const struct entry_row *row,
                    const char *reference);

#endif
