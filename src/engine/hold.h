/* Holds (BILL-8): money set apart, to be taken or let go. */
#ifndef SMSD_ENGINE_HOLD_H
#define SMSD_ENGINE_HOLD_H

#include <stdbool.h>

#include "engine/row.h"

struct txn;

bool hold_find(struct txn *txn, uint64_t number, struct hold_row *row);

#endif
