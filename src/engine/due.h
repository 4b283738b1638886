/* What must happen later is a row here, in the same commit as its reason: sorted by time, so that
 * what is due is found at the front, and nothing is forgotten by a crash. */
#ifndef SMSD_ENGINE_DUE_H
#define SMSD_ENGINE_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/command.h"

struct engine;
struct txn;

enum due_kind {
#define DUE(name, number, command) DUE_##name = (number),
#include "engine/due.def"
#undef DUE
};

/* In handlers. `due_ms` is Unix time. */
void due_put(struct engine *engine, int64_t due_ms, enum due_kind kind, uint64_t number);
void due_delete(struct engine *engine, int64_t due_ms, enum due_kind kind, uint64_t number);

bool due_is_there(struct txn *txn, int64_t due_ms, enum due_kind kind, uint64_t number);

/* The first row at or behind `from`, due at `last_ms` or before. False if there is none.
 *
 * Rows that were deleted lie in memory until a checkpoint, and a walk passes over each: after a
 * million that were due at once, one from the very front would take a tenth of a second. So who
 * takes rows remembers where there can be any: pipeline/due_floor.h. */
struct due {
    int64_t due_ms;
    enum due_kind kind;
    uint64_t number;
};
bool due_first(struct txn *txn, const struct due *from, int64_t last_ms, struct due *due);
/* Of a row of TABLE_DUE. False: it is none. Any thread. */
bool due_read_key(const void *key, size_t key_size, struct due *due);
/* The command that a row asks for. */
void due_command(const struct due *due, struct command *command);

#endif
