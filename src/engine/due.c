/* Keys are time, kind, number, big-endian; there is nothing else to know. */
#include "engine/due.h"

#include <assert.h>

#include "base/bytes.h"
#include "engine/handler.h"

enum { DUE_KEY_SIZE = 17 };

static void key_write(char key[DUE_KEY_SIZE], int64_t due_ms, enum due_kind kind, uint64_t number)
{
    bytes_put_u64_be(key, (uint64_t)due_ms);
    key[8] = (char)kind;
    bytes_put_u64_be(key + 9, number);
}

static void note(struct engine_effect *effect, int64_t due_ms)
{
    for (uint32_t i = 0; i < effect->due_count; i++) {
        if (effect->due_ms[i] == due_ms)
            return;
    }
    if (effect->due_count < EFFECT_DUES_MAX)
        effect->due_ms[effect->due_count++] = due_ms;
    else
        effect->has_more_due = true;
    if (due_ms < effect->due_first_ms)
        effect->due_first_ms = due_ms;
}

void due_put(struct engine *engine, int64_t due_ms, enum due_kind kind, uint64_t number)
{
    char key[DUE_KEY_SIZE];

    assert(due_ms > 0);
    key_write(key, due_ms, kind, number);
    txn_put(engine->txn, TABLE_DUE, key, sizeof key, "", 0);
    note(engine->effect, due_ms);
}

void due_delete(struct engine *engine, int64_t due_ms, enum due_kind kind, uint64_t number)
{
    char key[DUE_KEY_SIZE];
    bool was_there;

    key_write(key, due_ms, kind, number);
    was_there = txn_delete(engine->txn, TABLE_DUE, key, sizeof key);
    assert(was_there);
}

bool due_is_there(struct txn *txn, int64_t due_ms, enum due_kind kind, uint64_t number)
{
    char key[DUE_KEY_SIZE];
    size_t size;

    key_write(key, due_ms, kind, number);
    return txn_get(txn, TABLE_DUE, key, sizeof key, &size) != NULL;
}

bool due_read_key(const void *key, size_t key_size, struct due *due)
{
    const char *bytes = key;

    if (key_size != DUE_KEY_SIZE)
        return false;
    due->due_ms = (int64_t)bytes_get_u64_be(bytes);
    due->kind = (enum due_kind)bytes[8];
    due->number = bytes_get_u64_be(bytes + 9);
    return true;
}

bool due_first(struct txn *txn, const struct due *from, int64_t last_ms, struct due *due)
{
    char first[DUE_KEY_SIZE], last[DUE_KEY_SIZE];
    struct txn_walk *walk;
    bool is_there;

    key_write(first, from->due_ms, from->kind, from->number);
    memset(last, 0xff, sizeof last);
    bytes_put_u64_be(last, (uint64_t)last_ms);
    walk = txn_walk(txn, TABLE_DUE, WALK_UP, first, sizeof first);
    txn_walk_until(walk, last, sizeof last);
    is_there = txn_walk_next(walk) && due_read_key(walk->key, walk->key_size, due);
    txn_walk_end(walk);
    return is_there;
}

void due_command(const struct due *due, struct command *command)
{
    static const enum command_type types[] = {
#define DUE(name, number, command) [DUE_##name] = COMMAND_##command,
#include "engine/due.def"
#undef DUE
    };

    assert((size_t)due->kind < sizeof types / sizeof *types);
    *command = (struct command){.type = types[due->kind]};
    command->of.charge_drain.number = due->number;
    command->of.charge_drain.due_ms = due->due_ms;
}
