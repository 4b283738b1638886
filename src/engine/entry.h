/* Entries: the lines of an account's history, numbered over all accounts, chained per account from
 * its row back, and every 64th of an account marked by time, so that a moment is found without
 * walking from the end. */
#ifndef SMSD_ENGINE_ENTRY_H
#define SMSD_ENGINE_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/command.h"

struct account;
struct engine;
struct txn;

/* An entry in hand. `reference` lies in it. */
struct entry {
    uint64_t number;
    struct entry_row row;
    char reference[REFERENCE_MAX];
};

bool entry_find(struct txn *txn, uint64_t number, struct entry *entry);
/* The account's last entry with a number below `end`, found in a bounded number of steps. False:
 * none. */
bool entry_find_before(struct txn *txn, const struct account *account, uint64_t end,
                       struct entry *entry);

/* Appends to the account's history; `row` needs everything but version, previous and chain. Changes
 * the account's row in hand, which the caller stores. */
void entry_append(struct engine *engine, struct account *account, uint64_t number,
                  struct entry_row *row, struct text reference);

/* The hash chain's value after the last entry: engine/chain.h. */
enum { ENTRY_CHAIN_SIZE = 32 };
void entry_chain_head(struct txn *txn, uint8_t head[ENTRY_CHAIN_SIZE]);

#endif
