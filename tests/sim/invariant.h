/* What must hold of the rows whatever was asked for: told from the rows alone, without the model,
 * which may be wrong where the engine is. After each command for what it changed, with sums and
 * counts carried along; now and then anew for all there is. What is wrong ends the process. */
#ifndef SMSD_TESTS_SIM_INVARIANT_H
#define SMSD_TESTS_SIM_INVARIANT_H

#include <stdint.h>

#include "world.h"

enum { INVARIANT_CURRENCIES = 4 };

/* Carried from command to command. All zero at first. */
struct invariant_sums {
    struct {
        char currency[4];
        int64_t money;     /* of all accounts (BILL-12) */
        int64_t packets;   /* of @packets */
        int64_t contained; /* in packets */
    } of[INVARIANT_CURRENCIES];
    /* Packets by what their rows say, and the rows that must be as many. */
    int64_t packets, sent_rows, group_rows, grouped;
    int64_t waiting, unfinished_rows, due_rows;
    int64_t taken, grab_rows, place_rows;
};

/* The last command's changes. */
void invariant_step(struct invariant_sums *sums, struct world *world);
void invariant_all(const struct invariant_sums *sums, struct world *world);

#endif
