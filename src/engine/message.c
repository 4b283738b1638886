/* Rows of messages. What changes is one small row, rewritten three or four times in a life; texts
 * and all that never changes are another, written once. Of the moments a message passes the last of
 * each kind lies in its row, so that an ordinary life leaves no event at all: only what was not
 * ordinary does (message_life.c). */
#include "engine/message.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/due.h"
#include "engine/handler.h"
#include "engine/outbox.h"
#include "engine/report.h"
#include "engine/verification.h"

enum end { OPEN, FINAL, BACK };
enum told { QUIET, TOLD };

static const struct {
    const char *text;
    enum end end;
    enum told told;
} statuses[] = {
#define MESSAGE_STATUS(name, number, text, end, told) [number] = {text, end, told},
#include "engine/message_status.def"
#undef MESSAGE_STATUS
};

static const char *const kinds[] = {
#define MESSAGE_KIND(name, number, text, expiry_ms, backoff_ms) [number] = text,
#include "engine/message_kind.def"
#undef MESSAGE_KIND
};

static const char *const errors[] = {
#define MESSAGE_ERROR(name, number, code, prose) [number] = code,
#include "engine/message_error.def"
#undef MESSAGE_ERROR
};

enum { STATUSES = sizeof statuses / sizeof *statuses, KINDS = sizeof kinds / sizeof *kinds };

const char *message_status_text(enum message_status status)
{
    return statuses[status].text;
}

const char *message_kind_text(enum message_kind kind)
{
    return kinds[kind];
}

const char *message_error_text(enum message_error error)
{
    return errors[error];
}

enum message_status message_status_parse(struct text text)
{
    for (size_t i = 1; i < STATUSES; i++) {
        if (text_equals(text, (struct text){statuses[i].text, strlen(statuses[i].text)}))
            return (enum message_status)i;
    }
    return 0;
}

enum message_kind message_kind_parse(struct text text)
{
    for (size_t i = 1; i < KINDS; i++) {
        if (text_equals(text, (struct text){kinds[i], strlen(kinds[i])}))
            return (enum message_kind)i;
    }
    return 0;
}

bool message_status_is_final(enum message_status status)
{
    return statuses[status].end != OPEN;
}

bool message_status_is_back(enum message_status status)
{
    return statuses[status].end == BACK;
}

bool message_status_is_told(enum message_status status)
{
    return statuses[status].told == TOLD;
}

/* --- rows ----------------------------------------------------------------------------------------
 */

static const void *get(struct txn *txn, enum table table, uint64_t number, size_t *size)
{
    char key[8];

    bytes_put_u64_be(key, number);
    return txn_get(txn, table, key, sizeof key, size);
}

static size_t row_size(const struct message_row *row)
{
    return offsetof(struct message_row, tried) + row->tried_count * sizeof *row->tried;
}

bool message_row_read(const void *value, size_t size, struct message_row *row)
{
    if (size < offsetof(struct message_row, tried) || size > sizeof *row)
        return false;
    memcpy(row, value, size);
    return row->version == MESSAGE_ROW_VERSION && row->tried_count <= MESSAGE_TRIED_MAX &&
           size == row_size(row);
}

bool message_find(struct txn *txn, uint64_t number, struct message_row *row)
{
    size_t size;
    const void *value = get(txn, TABLE_MESSAGE, number, &size);
    bool is_whole;

    if (value == NULL)
        return false;
    is_whole = message_row_read(value, size, row);
    assert(is_whole && row->number == number);
    return true;
}

void message_store(struct engine *engine, struct message_row *row)
{
    char key[8];

    assert(row->tried_count <= MESSAGE_TRIED_MAX);
    report_count(engine, row);
    bytes_put_u64_be(key, row->number);
    txn_put(engine->txn, TABLE_MESSAGE, key, sizeof key, row, row_size(row));
}

void message_text_row_find(struct txn *txn, uint64_t number, struct message_text_row *row)
{
    size_t size;
    const void *value = get(txn, TABLE_MESSAGE_TEXT, number, &size);

    assert(value != NULL && size >= sizeof *row);
    memcpy(row, value, sizeof *row);
    assert(row->version == MESSAGE_TEXT_ROW_VERSION);
}

static const char *take_text(const char *from, size_t size, struct text *text)
{
    *text = (struct text){from, size};
    return from + size;
}

static size_t texts_size(const struct message_text_row *row)
{
    return (size_t)row->content_size + row->callback_size + row->signature_size +
           row->reference_size + row->template_size;
}

bool message_text_read(const void *value, size_t size, struct message_text *text)
{
    const char *at = text->bytes;

    if (size < sizeof text->row || size - sizeof text->row > sizeof text->bytes)
        return false;
    memcpy(&text->row, value, sizeof text->row);
    if (text->row.version != MESSAGE_TEXT_ROW_VERSION ||
        texts_size(&text->row) != size - sizeof text->row)
        return false;
    memcpy(text->bytes, (const char *)value + sizeof text->row, size - sizeof text->row);
    at = take_text(at, text->row.content_size, &text->content);
    at = take_text(at, text->row.callback_size, &text->callback_url);
    at = take_text(at, text->row.signature_size, &text->signature);
    at = take_text(at, text->row.reference_size, &text->client_reference);
    take_text(at, text->row.template_size, &text->template_id);
    return true;
}

bool message_text_find(struct txn *txn, uint64_t number, struct message_text *text)
{
    size_t size;
    const char *value = get(txn, TABLE_MESSAGE_TEXT, number, &size);
    bool is_whole;

    if (value == NULL)
        return false;
    is_whole = message_text_read(value, size, text);
    assert(is_whole);
    return true;
}

bool message_text_to_send(struct txn *txn, uint64_t number, struct message_row *row,
                          struct message_text *text)
{
    if (!message_find(txn, number, row) || !message_text_find(txn, number, text))
        return false;
    if (row->origin == MESSAGE_FROM_VERIFICATION)
        verification_fill(txn, text);
    return true;
}

static char *put_text(char *to, struct text text)
{
    if (text.size > 0)
        memcpy(to, text.data, text.size);
    return to + text.size;
}

void message_text_store(struct engine *engine, uint64_t number, const struct message_text *text)
{
    char value[sizeof text->row + sizeof text->bytes], key[8], *to = value;
    struct message_text_row row = text->row;

    row.version = MESSAGE_TEXT_ROW_VERSION;
    row.content_size = (uint16_t)text->content.size;
    row.callback_size = (uint16_t)text->callback_url.size;
    row.signature_size = (uint8_t)text->signature.size;
    row.reference_size = (uint8_t)text->client_reference.size;
    row.template_size = (uint8_t)text->template_id.size;
    memcpy(to, &row, sizeof row);
    to = put_text(to + sizeof row, text->content);
    to = put_text(to, text->callback_url);
    to = put_text(to, text->signature);
    to = put_text(to, text->client_reference);
    to = put_text(to, text->template_id);
    bytes_put_u64_be(key, number);
    txn_put(engine->txn, TABLE_MESSAGE_TEXT, key, sizeof key, value, (size_t)(to - value));
}

void message_list_key(char key[MESSAGE_LIST_KEY_SIZE], uint64_t by, uint64_t message)
{
    bytes_put_u64_be(key, by);
    bytes_put_u64_be(key + 8, message);
}

static bool is_in_outbox(struct txn *txn, const struct message_row *row)
{
    return outbox_is_there(txn, row->product, (enum message_kind)row->kind,
                           &(struct outbox_item){row->outbox_ms, row->number});
}

bool message_is_forgotten(struct txn *txn, uint64_t number)
{
    struct message_row row;

    if (!message_find(txn, number, &row))
        return false;
    return (row.due_ms != 0 && !due_is_there(txn, row.due_ms, DUE_MESSAGE, number)) ||
           (row.outbox_ms != 0 && !is_in_outbox(txn, &row));
}
