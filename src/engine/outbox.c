/* Keys are product, lane, time, number, big-endian; a lane is a range of them. */
#include "engine/outbox.h"

#include <assert.h>

#include "base/bytes.h"
#include "engine/handler.h"

enum { OUTBOX_KEY_SIZE = 25, LANE_SIZE = 9 };

static void key_write(char key[OUTBOX_KEY_SIZE], uint64_t product, enum message_kind lane,
                      const struct outbox_item *item)
{
    bytes_put_u64_be(key, product);
    key[8] = (char)lane;
    bytes_put_u64_be(key + 9, (uint64_t)item->due_ms);
    bytes_put_u64_be(key + 17, item->message);
}

bool outbox_read_key(const void *key, size_t key_size, uint64_t *product, enum message_kind *lane,
                     struct outbox_item *item)
{
    const char *bytes = key;

    if (key_size != OUTBOX_KEY_SIZE)
        return false;
    *product = bytes_get_u64_be(bytes);
    *lane = (enum message_kind)bytes[8];
    item->due_ms = (int64_t)bytes_get_u64_be(bytes + 9);
    item->message = bytes_get_u64_be(bytes + 17);
    return true;
}

bool outbox_first(struct txn *txn, uint64_t product, enum message_kind lane,
                  const struct outbox_item *from, struct outbox_item *item)
{
    char first[OUTBOX_KEY_SIZE];
    struct txn_walk *walk;
    bool is_there;

    key_write(first, product, lane, from);
    walk = txn_walk(txn, TABLE_OUTBOX, WALK_UP, first, sizeof first);
    txn_walk_within(walk, LANE_SIZE); /* not through what has left the lanes behind it */
    is_there =
        txn_walk_next(walk) && outbox_read_key(walk->key, walk->key_size, &product, &lane, item);
    txn_walk_end(walk);
    return is_there;
}

bool outbox_is_there(struct txn *txn, uint64_t product, enum message_kind lane,
                     const struct outbox_item *item)
{
    char key[OUTBOX_KEY_SIZE];
    size_t size;

    key_write(key, product, lane, item);
    return txn_get(txn, TABLE_OUTBOX, key, sizeof key, &size) != NULL;
}

static void wake(struct engine_effect *effect, uint64_t product, enum message_kind lane,
                 int64_t due_ms)
{
    for (uint32_t i = 0; i < effect->wake_count; i++) {
        struct outbox_wake *wake = &effect->wakes[i];
        if (wake->product == 0)
            return;
        if (wake->product == product && wake->lane == lane) {
            wake->due_ms = due_ms < wake->due_ms ? due_ms : wake->due_ms;
            return;
        }
    }
    if (effect->wake_count == OUTBOX_WAKES_MAX)
        effect->wake_count = product = 0;
    effect->wakes[effect->wake_count++] = (struct outbox_wake){product, lane, due_ms};
}

void outbox_put(struct engine *engine, struct message_row *row, int64_t due_ms)
{
    char key[OUTBOX_KEY_SIZE];

    assert(row->outbox_ms == 0 && due_ms > 0 && row->product != 0);
    row->outbox_ms = due_ms;
    key_write(key, row->product, (enum message_kind)row->kind,
              &(struct outbox_item){due_ms, row->number});
    txn_put(engine->txn, TABLE_OUTBOX, key, sizeof key, "", 0);
    wake(engine->effect, row->product, (enum message_kind)row->kind, due_ms);
}

void outbox_delete(struct engine *engine, struct message_row *row)
{
    char key[OUTBOX_KEY_SIZE];
    bool was_there;

    key_write(key, row->product, (enum message_kind)row->kind,
              &(struct outbox_item){row->outbox_ms, row->number});
    was_there = txn_delete(engine->txn, TABLE_OUTBOX, key, sizeof key);
    assert(was_there);
    row->outbox_ms = 0;
}

/* --- with a gateway ------------------------------------------------------------------------------
 */

bool sending_next(struct txn *txn, uint64_t after, uint64_t *message)
{
    char first[8];
    struct txn_walk *walk;
    bool is_there;

    if (after == UINT64_MAX)
        return false;
    bytes_put_u64_be(first, after + 1);
    walk = txn_walk(txn, TABLE_MESSAGE_SENDING, WALK_UP, first, sizeof first);
    is_there = txn_walk_next(walk);
    if (is_there)
        *message = bytes_get_u64_be(walk->key);
    txn_walk_end(walk);
    return is_there;
}

void sending_put(struct engine *engine, uint64_t message)
{
    char key[8];

    bytes_put_u64_be(key, message);
    txn_put(engine->txn, TABLE_MESSAGE_SENDING, key, sizeof key, "", 0);
}

void sending_delete(struct engine *engine, uint64_t message)
{
    char key[8];
    bool was_there;

    bytes_put_u64_be(key, message);
    was_there = txn_delete(engine->txn, TABLE_MESSAGE_SENDING, key, sizeof key);
    assert(was_there);
}
