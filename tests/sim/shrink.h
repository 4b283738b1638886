/* Making a failing plan small. */
#ifndef SMSD_TESTS_SIM_SHRINK_H
#define SMSD_TESTS_SIM_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

#include "op.h"

/* Leaves ops out of the plan as long as it still fails without them. `kept` has the index of each
 * op in the plan as it was. */
void shrink(struct plan *plan, uint32_t kept[OPS_MAX], bool (*fails)(const struct plan *plan));

#endif
