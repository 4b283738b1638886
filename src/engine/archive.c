/* Records of history, and the commands by which rows go. A record is the rows themselves, one
 * behind the other with their sizes, so that whatever reads rows of a version reads records of it:
 *
 *     1 byte version | 1 byte events | 2 bytes ids | row | text row and texts | events | ids
 *
 * each row preceded by two bytes of its size; an id by attempt (2), part (1) besides. */
#include "engine/archive.h"

#include <assert.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/id.h"
#include "engine/audit.h"
#include "engine/handler.h"

enum {
    RECORD_VERSION = 1,
    DAY_ROW_VERSION = 1,
    HEAD_SIZE = 4,
    ID_HEAD_SIZE = MESSAGE_ID_KEY_SIZE - 8, /* attempt and part, as in its key */
};

/* --- making a record -----------------------------------------------------------------------------
 */

bool archive_may_take(const struct message_row *row, int64_t before_ms)
{
    return row->finished_ms != 0 && row->finished_ms < before_ms &&
           !(message_status_is_back((enum message_status)row->status) && row->charged != 0);
}

static void append_row(struct buffer *to, const void *value, size_t size)
{
    uint16_t stored = (uint16_t)size;

    assert(size <= UINT16_MAX);
    buffer_append(to, &stored, sizeof stored);
    buffer_append(to, value, size);
}

static uint8_t append_events(struct txn *txn, const char key[8], struct buffer *to)
{
    struct txn_walk *walk = txn_walk(txn, TABLE_MESSAGE_EVENT, WALK_UP, key, 8);
    uint8_t count = 0;

    txn_walk_within(walk, 8);
    while (txn_walk_next(walk)) {
        append_row(to, walk->value, walk->value_size);
        count++;
    }
    txn_walk_end(walk);
    return count;
}

static uint16_t append_ids(struct txn *txn, const char key[8], struct buffer *to)
{
    struct txn_walk *walk = txn_walk(txn, TABLE_MESSAGE_IDS, WALK_UP, key, 8);
    uint16_t count = 0;

    txn_walk_within(walk, 8);
    while (txn_walk_next(walk)) {
        buffer_append(to, (const char *)walk->key + 8, ID_HEAD_SIZE);
        append_row(to, walk->value, walk->value_size);
        count++;
    }
    txn_walk_end(walk);
    return count;
}

/* The row's value as it lies in the table. */
static const void *row_value(struct txn *txn, enum table table, const char key[8], size_t *size)
{
    const void *value = txn_get(txn, table, key, 8, size);

    assert(value != NULL);
    return value;
}

static uint32_t row_crc_of(struct txn *txn, const char key[8])
{
    size_t size;
    const void *value = row_value(txn, TABLE_MESSAGE, key, &size);

    return crc32c(0, value, size);
}

bool archive_encode(struct txn *txn, uint64_t number, int64_t before_ms, struct buffer *to,
                    struct archived_message *archived)
{
    size_t begin = to->size, size;
    struct message_text_row text;
    struct message_row row;
    const void *value;
    uint16_t id_count;
    char key[8];

    if (!message_find(txn, number, &row) || !archive_may_take(&row, before_ms))
        return false;
    message_text_row_find(txn, number, &text);
    bytes_put_u64_be(key, number);
    buffer_append(to, "\0\0\0\0", HEAD_SIZE);
    value = row_value(txn, TABLE_MESSAGE, key, &size);
    append_row(to, value, size);
    value = row_value(txn, TABLE_MESSAGE_TEXT, key, &size);
    append_row(to, value, size);
    to->data[begin] = RECORD_VERSION;
    uint8_t event_count = row.event_count > 0 ? append_events(txn, key, to) : 0;
    id_count = row.sent_ms != 0 ? append_ids(txn, key, to) : 0;
    to->data[begin + 1] = (char)event_count;
    memcpy(to->data + begin + 2, &id_count, sizeof id_count);
    *archived = (struct archived_message){number, text.to, row.company, row_crc_of(txn, key),
                                          crc32c(0, to->data + begin, to->size - begin)};
    return true;
}

/* --- reading one ---------------------------------------------------------------------------------
 */

struct reader {
    const char *at, *end;
};

static bool take(struct reader *reader, size_t size, const char **value)
{
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    *value = reader->at;
    reader->at += size;
    return true;
}

static bool take_row(struct reader *reader, const char **value, size_t *size)
{
    const char *stored;
    uint16_t bytes;

    if (!take(reader, sizeof bytes, &stored))
        return false;
    memcpy(&bytes, stored, sizeof bytes);
    *size = bytes;
    return take(reader, bytes, value);
}

static bool take_events(struct reader *reader, struct archive_record *record)
{
    for (size_t i = 0; i < record->event_count; i++) {
        const char *value;
        size_t size;
        if (!take_row(reader, &value, &size) ||
            !message_event_read(value, size, &record->events[i]))
            return false;
    }
    return true;
}

static bool take_id(struct reader *reader, struct message_id *id)
{
    char key[MESSAGE_ID_KEY_SIZE] = {0};
    const char *head, *value;
    size_t size;

    if (!take(reader, ID_HEAD_SIZE, &head) || !take_row(reader, &value, &size))
        return false;
    memcpy(key + 8, head, ID_HEAD_SIZE);
    return message_id_read(key, sizeof key, value, size, id);
}

static bool take_ids(struct reader *reader, uint16_t count, struct archive_record *record)
{
    struct message_id id;

    for (record->id_count = 0; count > 0; count--) {
        if (!take_id(reader, &id))
            return false;
        if (record->id_count < ARCHIVE_IDS_MAX)
            record->ids[record->id_count++] = id;
    }
    return reader->at == reader->end;
}

static bool begin(struct reader *reader, const void *value, size_t size, const char **head)
{
    *reader = (struct reader){value, (const char *)value + size};
    return take(reader, HEAD_SIZE, head) && **head == RECORD_VERSION;
}

bool archive_decode_row(const void *value, size_t size, struct message_row *row)
{
    const char *head, *stored;
    struct reader reader;
    size_t stored_size;

    return begin(&reader, value, size, &head) && take_row(&reader, &stored, &stored_size) &&
           message_row_read(stored, stored_size, row);
}

bool archive_decode(const void *value, size_t size, struct archive_record *record)
{
    const char *head, *stored;
    struct reader reader;
    size_t stored_size;
    uint16_t id_count;

    if (!begin(&reader, value, size, &head) || !take_row(&reader, &stored, &stored_size) ||
        !message_row_read(stored, stored_size, &record->row) ||
        !take_row(&reader, &stored, &stored_size) ||
        !message_text_read(stored, stored_size, &record->text))
        return false;
    record->event_count = (uint8_t)head[1];
    memcpy(&id_count, head + 2, sizeof id_count);
    return record->event_count <= MESSAGE_EVENTS_MAX && take_events(&reader, record) &&
           take_ids(&reader, id_count, record);
}

size_t archive_history(const struct archive_record *record,
                       struct message_event events[MESSAGE_HISTORY_MAX])
{
    return message_history_of(&record->row, record->text.row.send_at_ms, record->events,
                              record->event_count, events);
}

/* --- days ----------------------------------------------------------------------------------------
 */

bool history_day_read(const void *key, size_t key_size, const void *value, size_t size,
                      uint32_t *day, struct history_day_row *row)
{
    uint32_t stored;

    if (key_size != HISTORY_DAY_KEY_SIZE || size != sizeof *row)
        return false;
    memcpy(&stored, key, sizeof stored);
    *day = __builtin_bswap32(stored);
    memcpy(row, value, sizeof *row);
    return row->version == DAY_ROW_VERSION;
}

bool history_day_find(struct txn *txn, uint32_t day, struct history_day_row *row)
{
    char key[HISTORY_DAY_KEY_SIZE];
    const void *value;
    bool is_whole;
    size_t size;

    bytes_put_u32_be(key, day);
    value = txn_get(txn, TABLE_HISTORY_DAY, key, sizeof key, &size);
    if (value == NULL)
        return false;
    is_whole = history_day_read(key, sizeof key, value, size, &day, row);
    assert(is_whole);
    return true;
}

static void history_day_add(struct engine *engine, uint32_t day, const struct history_day_row *more)
{
    struct history_day_row row = {.version = DAY_ROW_VERSION};
    char key[HISTORY_DAY_KEY_SIZE];

    history_day_find(engine->txn, day, &row);
    row.messages += more->messages;
    row.charged += more->charged;
    row.records += more->records;
    if (more->before > row.before)
        row.before = more->before;
    bytes_put_u32_be(key, day);
    txn_put(engine->txn, TABLE_HISTORY_DAY, key, sizeof key, &row, sizeof row);
}

/* --- commands ------------------------------------------------------------------------------------
 */

static void delete_numbered(struct engine *engine, enum table table, uint64_t number)
{
    char key[8];
    bool was_there;

    bytes_put_u64_be(key, number);
    was_there = txn_delete(engine->txn, table, key, sizeof key);
    assert(was_there);
}

static void delete_listed(struct engine *engine, enum table table, uint64_t by, uint64_t number)
{
    char key[MESSAGE_LIST_KEY_SIZE];
    bool was_there;

    message_list_key(key, by, number);
    was_there = txn_delete(engine->txn, table, key, sizeof key);
    assert(was_there);
}

static void delete_events(struct engine *engine, const struct message_row *row)
{
    char key[MESSAGE_EVENT_KEY_SIZE];

    bytes_put_u64_be(key, row->number);
    for (int i = 0; i < row->event_count; i++) {
        key[8] = (char)i;
        txn_delete(engine->txn, TABLE_MESSAGE_EVENT, key, sizeof key);
    }
}

static void delete_message(struct engine *engine, const struct message_row *row, uint64_t to)
{
    char key[MESSAGE_FINISHED_KEY_SIZE];
    bool was_there;

    message_finished_key(key, row);
    was_there = txn_delete(engine->txn, TABLE_MESSAGE_FINISHED, key, sizeof key);
    assert(was_there);
    delete_listed(engine, TABLE_MESSAGE_TO, to, row->number);
    delete_listed(engine, TABLE_MESSAGE_COMPANY, row->company, row->number);
    delete_events(engine, row);
    if (row->sent_ms != 0)
        provider_ids_delete(engine, row->number);
    delete_numbered(engine, TABLE_MESSAGE_TEXT, row->number);
    delete_numbered(engine, TABLE_MESSAGE, row->number);
}

/* Is it as its record says? */
static bool is_unchanged(struct engine *engine, const struct archived_message *message,
                         struct message_row *row)
{
    char key[8];

    if (!message_find(engine->txn, message->number, row))
        return false;
    bytes_put_u64_be(key, message->number);
    return row_crc_of(engine->txn, key) == message->row_crc;
}

enum outcome engine_messages_archived(struct engine *engine,
                                      const struct messages_archived_command *command,
                                      struct result *answer)
{
    struct history_day_row more = {.version = DAY_ROW_VERSION};
    uint32_t day = 0;

    answer->of.messages_archived.archived = 0;
    for (size_t i = 0; i < command->count; i++) {
        const struct archived_message *message = &command->messages[i];
        struct message_row row;
        if (!is_unchanged(engine, message, &row))
            continue;
        if (more.messages > 0 && day != id_day(message->number)) {
            history_day_add(engine, day, &more);
            more = (struct history_day_row){.version = DAY_ROW_VERSION};
        }
        day = id_day(message->number);
        more.messages++;
        more.charged += audit_charge_weight(row.number, row.charged);
        more.records += audit_record_weight(row.number, message->record_crc);
        delete_message(engine, &row, message->to);
        answer->of.messages_archived.archived++;
    }
    if (more.messages > 0)
        history_day_add(engine, day, &more);
    return OUTCOME_OK;
}

enum outcome engine_history_drop(struct engine *engine, const struct history_drop_command *command,
                                 struct result *answer)
{
    struct history_day_row row = {.version = DAY_ROW_VERSION};
    char key[HISTORY_DAY_KEY_SIZE];

    (void)answer;
    if (command->day == HISTORY_DAYS_DROPPED)
        return OUTCOME_INVALID;
    if (history_day_find(engine->txn, command->day, &row)) {
        bytes_put_u32_be(key, command->day);
        txn_delete(engine->txn, TABLE_HISTORY_DAY, key, sizeof key);
    }
    row.before = command->day + 1;
    history_day_add(engine, HISTORY_DAYS_DROPPED, &row);
    return OUTCOME_OK;
}
