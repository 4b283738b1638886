/* The engine over a store, with its writes watched: the link puts watch.c between the engine and
 * txn_put and txn_delete (--wrap). So each command's changes are known row by row, with what was
 * there before, and "leaves no trace" is a comparison of just those rows. */
#ifndef SMSD_TESTS_SIM_WORLD_H
#define SMSD_TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "engine/engine.h"
#include "store/store.h"
#include "store/txn.h"

/* Of the data directory: what codes are computed by. */
#define WORLD_SECRET ((struct hash_key){1, 2})

/* A row as it was before it was changed first. */
struct change {
    enum table table;
    uint8_t key_size;
    bool was_there;
    uint16_t value_size;
    uint8_t key[KEY_BYTES_MAX];
    size_t value_at; /* in changes.values */
};

struct changes {
    struct change *items;
    size_t count, capacity;
    struct buffer values;
};

struct world {
    struct store *store;
    struct txn *txn; /* open, or NULL */
    uint64_t number_last;
    int64_t now_ms;
    struct changes changes;       /* of the last command */
    struct changes group_changes; /* of all since world_begin_group */
    bool is_in_group;
};

/* In memory. */
void world_open(struct world *world);
void world_close(struct world *world);

void world_begin(struct world *world);
/* Notes `step` in a row of its own, and what number was given out last. */
void world_commit(struct world *world, uint32_t step);
void world_abort(struct world *world);
/* What goes with each commit beside the command's own rows. */
void world_note(struct txn *txn, uint64_t number_last, uint32_t step);
#define WORLD_STEP_NAME "sim_step"

/* Stamps the command and runs it in the open transaction. */
void world_run(struct world *world, struct command *command, struct result *result,
               struct engine_effect *effect);
/* The same and takes it back. The first row that is then not as it was, or NULL. */
const struct change *world_try(struct world *world, struct command *command, struct result *result);

/* Are these rows as they were before, but those of one table (0: none)? The first that is not, or
 * NULL. */
const struct change *changes_find_trace(struct txn *txn, const struct changes *changes,
                                        enum table but);

/* Every row there is, in no order. For stores in memory that were never submitted. */
void world_rows(struct world *world,
                void (*on_row)(void *context, enum table table, const void *key, size_t key_size,
                               const void *value, size_t value_size),
                void *context);

/* watch.c: the changes of this world's transaction are noted from now on; NULL: nobody's. */
void watch(struct world *world);
/* "entry 07xk…" for messages. */
void row_name(struct buffer *to, enum table table, const void *key, size_t key_size);

#endif
