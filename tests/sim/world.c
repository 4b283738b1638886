/* Running commands as the pipeline does: stamped, each in a transaction, with the last number given
 * out kept beside. */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "store/store_struct.h"

/* The first start is some time after numbers begin. */
static const int64_t begin_ms = ID_EPOCH_MS + INT64_C(100) * 24 * 60 * 60 * 1000;

void world_open(struct world *world)
{
    struct store_options options = {.overlay_bytes_max = 1 << 20};
    struct buffer why;
    int error;

    *world = (struct world){.now_ms = begin_ms};
    buffer_init(&why);
    error = store_open(&world->store, &options, &why);
    assert(error == 0);
    buffer_release(&why);
}

static void changes_release(struct changes *changes)
{
    free(changes->items);
    buffer_release(&changes->values);
}

void world_close(struct world *world)
{
    store_close(world->store, false);
    changes_release(&world->changes);
    changes_release(&world->group_changes);
}

void world_begin(struct world *world)
{
    assert(world->txn == NULL);
    world->txn = store_begin(world->store);
}

void world_note(struct txn *txn, uint64_t number_last, uint32_t step)
{
    engine_state_store_number(txn, number_last);
    txn_put(txn, TABLE_META, WORLD_STEP_NAME, strlen(WORLD_STEP_NAME), &step, sizeof step);
}

void world_commit(struct world *world, uint32_t step)
{
    world_note(world->txn, world->number_last, step);
    store_commit(world->txn);
    world->txn = NULL;
}

void world_abort(struct world *world)
{
    store_abort(world->txn);
    world->txn = NULL;
}

/* What a part of the command has put that was then taken back was never there. */
static void forget_taken_back(struct txn *txn, struct changes *changes)
{
    size_t kept = 0, size;

    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->items[i];
        if (change->was_there ||
            txn_get(txn, change->table, change->key, change->key_size, &size) != NULL)
            changes->items[kept++] = *change;
    }
    changes->count = kept;
}

void world_run(struct world *world, struct command *command, struct result *result,
               struct engine_effect *effect)
{
    world->changes.count = 0;
    world->changes.values.size = 0;
    memset(result, 0, sizeof *result);
    command->number = id_next(world->number_last, world->now_ms);
    command->now_ms = world->now_ms;
    engine_apply(world->txn, command, result, effect);
    world->number_last = effect->number_last;
    forget_taken_back(world->txn, &world->changes);
}

const struct change *world_try(struct world *world, struct command *command, struct result *result)
{
    size_t savepoint = txn_savepoint(world->txn);
    uint64_t number_last = world->number_last;
    struct engine_effect effect;

    world_run(world, command, result, &effect);
    txn_rollback(world->txn, savepoint);
    world->number_last = number_last;
    return changes_find_trace(world->txn, &world->changes, (enum table)0);
}

static bool is_as_before(struct txn *txn, const struct changes *changes,
                         const struct change *change)
{
    size_t size;
    const void *value = txn_get(txn, change->table, change->key, change->key_size, &size);

    if (value == NULL || !change->was_there)
        return (value != NULL) == change->was_there;
    return size == change->value_size &&
           (size == 0 || memcmp(value, changes->values.data + change->value_at, size) == 0);
}

const struct change *changes_find_trace(struct txn *txn, const struct changes *changes,
                                        enum table but)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->items[i];
        if (change->table != but && !is_as_before(txn, changes, change))
            return change;
    }
    return NULL;
}

void world_rows(struct world *world,
                void (*on_row)(void *context, enum table table, const void *key, size_t key_size,
                               const void *value, size_t value_size),
                void *context)
{
    const struct overlay *rows = world->store->live;

    assert(world->store->submitted == 0 && world->store->frozen == NULL);
    /* Never submitted, the open batch has them all. */
    for (row_ref next = world->store->open.first; next != 0;) {
        const struct row *row = overlay_row(rows, next);
        if (!row->is_deleted)
            on_row(context, (enum table)row->table, row_key(row), row->key_size,
                   overlay_value(rows, row), row->value_size);
        next = row->next_changed;
    }
}

void row_name(struct buffer *to, enum table table, const void *key, size_t key_size)
{
    const unsigned char *bytes = key;
    bool is_text = table == TABLE_ACCOUNT || table == TABLE_META;

    buffer_append_format(to, "%s ", table_infos[table].name);
    for (size_t i = 0; i < key_size; i++)
        buffer_append_format(to, is_text ? "%c" : "%02x", bytes[i]);
}
