/* Exceptions (PKT-15): what could not be applied, for an operator to see, to retry or to close. An
 * exception is open until what it is about was applied after all (resolved) or is given up (closed:
 * by an operator, or because it has become void). What is retried is its subject's affair. */
#ifndef SMSD_ENGINE_EXCEPTION_H
#define SMSD_ENGINE_EXCEPTION_H

#include <stdbool.h>

#include "engine/outcome.h"
#include "engine/row.h"

struct engine;
struct txn;

bool exception_find(struct txn *txn, uint64_t number, struct exception_row *row);

/* --- in handlers ---------------------------------------------------------------------------------
 */

/* Notes a try that failed: `number` 0 makes a new one. Returns the number. */
uint64_t exception_note(struct engine *engine, uint64_t number, enum exception_type type,
                        uint64_t subject, uint64_t account, int64_t amount, enum outcome outcome);
/* Ends it as EXCEPTION_RESOLVED or _CLOSED; 0 and one that has ended are let be. */
void exception_end(struct engine *engine, uint64_t number, enum exception_status status);

#endif
