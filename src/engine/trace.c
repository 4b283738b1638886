/* What was decided of a mobile, for people who ask why (CITY-10), and what a group of cities has
 * sent it. Both are kept by mobile and go when they are old: nothing depends on a trace, and a
 * group asks no longer than its window. */
#include <assert.h>
#include <string.h>

#include "engine/city.h"
#include "engine/handler.h"

enum { TRACE_ROW_VERSION = 1, GROUP_WELCOME_ROW_VERSION = 1, MOBILE_SIZE = 8 };
enum { GROUP_KEY_SIZE_MAX = PACKET_GROUP_MAX + MOBILE_SIZE };

/* --- traces --------------------------------------------------------------------------------------
 */

static void read_trace(const void *value, size_t size, struct trace_row *row)
{
    assert(size <= sizeof *row);
    memcpy(row, value, size);
    assert(row->version == TRACE_ROW_VERSION && row->count <= TRACE_ITEMS_MAX);
}

bool trace_find(struct txn *txn, uint64_t mobile, struct trace_row *row)
{
    char key[MOBILE_SIZE];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, mobile);
    value = txn_get(txn, TABLE_TRACE, key, sizeof key, &size);
    if (value == NULL)
        return false;
    read_trace(value, size, row);
    return true;
}

static void store_trace(struct engine *engine, uint64_t mobile, const struct trace_row *row)
{
    char key[MOBILE_SIZE];

    bytes_put_u64_be(key, mobile);
    txn_put(engine->txn, TABLE_TRACE, key, sizeof key, row,
            offsetof(struct trace_row, items) + row->count * sizeof row->items[0]);
}

void trace_add(struct engine *engine, uint64_t mobile, const struct trace_item *item)
{
    struct trace_row row = {.version = TRACE_ROW_VERSION};

    trace_find(engine->txn, mobile, &row);
    if (row.count < TRACE_ITEMS_MAX)
        row.count++;
    memmove(&row.items[1], &row.items[0], (row.count - 1U) * sizeof row.items[0]);
    row.items[0] = *item;
    while (row.items[row.count - 1].decided_ms + TRACE_AGE_MAX_MS < item->decided_ms)
        row.count--;
    store_trace(engine, mobile, &row);
}

void trace_finish(struct engine *engine, uint64_t mobile, uint64_t message,
                  enum message_status status)
{
    struct trace_row row;

    if (!trace_find(engine->txn, mobile, &row))
        return;
    for (uint32_t i = 0; i < row.count; i++) {
        if (row.items[i].message != message)
            continue;
        row.items[i].status = (uint8_t)status;
        store_trace(engine, mobile, &row);
        return;
    }
}

/* --- groups --------------------------------------------------------------------------------------
 */

static size_t write_group_key(char key[GROUP_KEY_SIZE_MAX], struct text group, uint64_t mobile)
{
    assert(group.size > 0 && group.size <= PACKET_GROUP_MAX);
    memcpy(key, group.data, group.size);
    bytes_put_u64_be(key + group.size, mobile);
    return group.size + MOBILE_SIZE;
}

static void read_group(const void *value, size_t size, struct group_welcome_row *row)
{
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == GROUP_WELCOME_ROW_VERSION);
}

bool group_welcome_find(struct txn *txn, struct text group, uint64_t mobile,
                        struct group_welcome_row *row)
{
    char key[GROUP_KEY_SIZE_MAX];
    size_t size;
    const void *value =
        txn_get(txn, TABLE_GROUP_WELCOME, key, write_group_key(key, group, mobile), &size);

    if (value != NULL)
        read_group(value, size, row);
    return value != NULL;
}

void group_welcome_store(struct engine *engine, struct text group, uint64_t mobile,
                         const struct group_welcome_row *row)
{
    struct group_welcome_row stored = *row;
    char key[GROUP_KEY_SIZE_MAX];

    stored.version = GROUP_WELCOME_ROW_VERSION;
    txn_put(engine->txn, TABLE_GROUP_WELCOME, key, write_group_key(key, group, mobile), &stored,
            sizeof stored);
}

/* --- expiry --------------------------------------------------------------------------------------
 */

static bool is_expired(enum table table, const void *value, size_t size, int64_t now_ms)
{
    struct group_welcome_row group;
    struct trace_row trace;

    if (table == TABLE_TRACE) {
        read_trace(value, size, &trace);
        return trace.items[0].decided_ms + TRACE_AGE_MAX_MS < now_ms;
    }
    /* A signal may be a day late. */
    read_group(value, size, &group);
    return ((int64_t)group.sent_s * 1000) + (group.window_days + 1) * DAY_MS < now_ms;
}

bool welcome_row_is_expired(enum table table, const void *key, size_t key_size, const void *value,
                            size_t value_size, int64_t now_ms, struct welcome_key *expired)
{
    const char *mobile = (const char *)key + key_size - MOBILE_SIZE;

    assert(table == TABLE_TRACE || table == TABLE_GROUP_WELCOME);
    assert(key_size >= MOBILE_SIZE);
    *expired = (struct welcome_key){{key, key_size - MOBILE_SIZE}, bytes_get_u64_be(mobile)};
    return is_expired(table, value, value_size, now_ms);
}

enum outcome engine_welcome_expire(struct engine *engine,
                                   const struct welcome_expire_command *command,
                                   struct result *answer)
{
    (void)answer;
    for (size_t i = 0; i < command->count; i++) {
        const struct welcome_key *asked = &command->keys[i];
        enum table table = asked->group.size == 0 ? TABLE_TRACE : TABLE_GROUP_WELCOME;
        char key[GROUP_KEY_SIZE_MAX];
        size_t key_size = MOBILE_SIZE, size;
        if (table == TABLE_TRACE)
            bytes_put_u64_be(key, asked->mobile);
        else
            key_size = write_group_key(key, asked->group, asked->mobile);
        const void *value = txn_get(engine->txn, table, key, key_size, &size);
        if (value != NULL && is_expired(table, value, size, engine->command->now_ms))
            txn_delete(engine->txn, table, key, key_size);
    }
    return OUTCOME_OK;
}
