/* Charges, settled at once or queued and settled in sums (BILL-1, BILL-2, BILL-4). */
#ifndef SMSD_ENGINE_CHARGE_H
#define SMSD_ENGINE_CHARGE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/command.h"

struct engine;
struct txn;

/* A charge in hand, of either mode. */
struct charge {
    uint64_t number;
    uint64_t account; /* the account's number */
    int64_t amount;
    int64_t refunded;
    uint64_t entry;  /* 0: still queued */
    int64_t balance; /* after its entry; of no meaning while queued */
    uint8_t reference_size;
    char reference[REFERENCE_MAX];
};

bool charge_find(struct txn *txn, uint64_t number, struct charge *charge);

/* In handlers, when an account is no longer frozen: its queue goes on. */
void charge_queue_resume(struct engine *engine, uint64_t account);

#endif
