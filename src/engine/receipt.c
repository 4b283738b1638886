/* Receipts: by the provider's id to the part of a message, and what it does to the message. One
 * that comes twice, or too late to change anything, changes nothing; one that contradicts what is
 * final is an event. */
#include "engine/receipt.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "engine/due.h"
#include "engine/handler.h"
#include "engine/message.h"
#include "engine/route.h"

enum {
    PROVIDER_ID_ROW_VERSION = 1,
    MESSAGE_ID_ROW_VERSION = 1,
    RECEIPT_ROW_VERSION = 1,
    ID_KEY_MAX = 8 + PROVIDER_ID_MAX,
    HEX_DIGITS_MAX = 16, /* of what is taken for a number: 64 bits */
    DECIMAL_DIGITS_MAX = 19,
    FORMS_MAX = 3,
};

/* --- ids -----------------------------------------------------------------------------------------
 */

size_t provider_id_form(struct text id, char to[PROVIDER_ID_MAX])
{
    size_t size = 0, at = 0;

    assert(id.size > 0 && id.size <= PROVIDER_ID_MAX);
    while (at + 1 < id.size && id.data[at] == '0')
        at++;
    for (; at < id.size; at++) {
        char c = id.data[at];
        to[size++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return size;
}

/* False: not a number of that base, or too large. */
static bool number_of(struct text form, unsigned base, uint64_t *number)
{
    if (form.size > (base == 16 ? HEX_DIGITS_MAX : DECIMAL_DIGITS_MAX))
        return false;
    *number = 0;
    for (size_t i = 0; i < form.size; i++) {
        char c = form.data[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit >= base)
            return false;
        *number = *number * base + digit; /* 19 decimal digits fit */
    }
    return true;
}

size_t provider_id_in_other_radix(struct text form, bool to_decimal, char to[PROVIDER_ID_MAX])
{
    uint64_t number;

    if (!number_of(form, to_decimal ? 16 : 10, &number))
        return 0;
    return (size_t)snprintf(to, PROVIDER_ID_MAX, to_decimal ? "%llu" : "%llx",
                            (unsigned long long)number);
}

/* A key of TABLE_PROVIDER_ID and TABLE_RECEIPT. */
struct id_key {
    char bytes[ID_KEY_MAX];
    size_t size;
};

/* Under which an id may lie: in its own form, and where it is a number in the other radix. */
static size_t keys_of(uint64_t product, struct text id, struct id_key keys[FORMS_MAX])
{
    struct text form;
    size_t count = 1;

    bytes_put_u64_be(keys[0].bytes, product);
    keys[0].size = 8 + provider_id_form(id, keys[0].bytes + 8);
    form = (struct text){keys[0].bytes + 8, keys[0].size - 8};
    for (int to_decimal = 0; to_decimal < 2; to_decimal++) {
        struct id_key *key = &keys[count];
        size_t size = provider_id_in_other_radix(form, to_decimal, key->bytes + 8);
        if (size == 0)
            continue;
        bytes_put_u64_be(key->bytes, product);
        key->size = 8 + size;
        count++;
    }
    return count;
}

static void message_id_key(char key[MESSAGE_ID_KEY_SIZE], uint64_t message, uint16_t attempt,
                           uint8_t part)
{
    bytes_put_u64_be(key, message);
    key[8] = (char)(attempt >> 8);
    key[9] = (char)attempt;
    key[10] = (char)part;
}

/* From the message to what providers call it. */
static void note_id(struct engine *engine, const struct message_row *row, struct text id,
                    uint8_t part)
{
    struct message_id_row value = {.version = MESSAGE_ID_ROW_VERSION, .product = row->product};
    char key[MESSAGE_ID_KEY_SIZE], bytes[sizeof value + PROVIDER_ID_MAX];

    message_id_key(key, row->number, row->attempts, part);
    memcpy(bytes, &value, sizeof value);
    memcpy(bytes + sizeof value, id.data, id.size);
    txn_put(engine->txn, TABLE_MESSAGE_IDS, key, sizeof key, bytes, sizeof value + id.size);
}

void provider_id_put(struct engine *engine, const struct message_row *row, struct text id,
                     uint8_t part)
{
    struct provider_id_row value = {.version = PROVIDER_ID_ROW_VERSION,
                                    .part = part,
                                    .attempt = row->attempts,
                                    .message = row->number};
    struct id_key keys[FORMS_MAX];
    char bytes[sizeof value + PROVIDER_ID_MAX];

    keys_of(row->product, id, keys);
    memcpy(bytes, &value, sizeof value);
    memcpy(bytes + sizeof value, id.data, id.size);
    txn_put(engine->txn, TABLE_PROVIDER_ID, keys[0].bytes, keys[0].size, bytes,
            sizeof value + id.size);
    note_id(engine, row, id, part);
}

bool message_id_read(const void *key, size_t key_size, const void *value, size_t size,
                     struct message_id *id)
{
    const uint8_t *bytes = key;
    struct message_id_row row;

    if (key_size != MESSAGE_ID_KEY_SIZE || size < sizeof row || size > sizeof row + PROVIDER_ID_MAX)
        return false;
    memcpy(&row, value, sizeof row);
    *id = (struct message_id){.product = row.product,
                              .attempt = (uint16_t)(bytes[8] << 8 | bytes[9]),
                              .part = bytes[10],
                              .id = {(const char *)value + sizeof row, size - sizeof row}};
    return row.version == MESSAGE_ID_ROW_VERSION;
}

static bool find_id(struct txn *txn, const struct id_key *key, struct provider_id_row *row)
{
    size_t size;
    const void *value = txn_get(txn, TABLE_PROVIDER_ID, key->bytes, key->size, &size);

    if (value == NULL)
        return false;
    assert(size >= sizeof *row);
    memcpy(row, value, sizeof *row);
    assert(row->version == PROVIDER_ID_ROW_VERSION);
    return true;
}

/* It may have been given to another message since. */
static void forget_id(struct engine *engine, uint64_t message, const struct message_id *id)
{
    struct provider_id_row row;
    struct id_key keys[FORMS_MAX];

    keys_of(id->product, id->id, keys);
    if (find_id(engine->txn, &keys[0], &row) && row.message == message)
        txn_delete(engine->txn, TABLE_PROVIDER_ID, keys[0].bytes, keys[0].size);
}

void provider_ids_delete(struct engine *engine, uint64_t message)
{
    char key[MESSAGE_ID_KEY_SIZE] = {0}, spelt[PROVIDER_ID_MAX];
    struct txn_walk *walk;

    bytes_put_u64_be(key, message);
    walk = txn_walk(engine->txn, TABLE_MESSAGE_IDS, WALK_UP, key, sizeof key);
    txn_walk_within(walk, 8);
    while (txn_walk_next(walk)) {
        struct message_id id;
        bool is_whole =
            message_id_read(walk->key, walk->key_size, walk->value, walk->value_size, &id);
        assert(is_whole);
        memcpy(key, walk->key, sizeof key);
        memcpy(spelt, id.id.data, id.id.size);
        id.id.data = spelt;
        forget_id(engine, message, &id);
        txn_delete(engine->txn, TABLE_MESSAGE_IDS, key, sizeof key);
    }
    txn_walk_end(walk);
}

static uint16_t bits_of(const struct message_row *row, const struct provider_id_row *id)
{
    return id->part == PROVIDER_ID_WHOLE ? (uint16_t)((1U << row->parts) - 1)
                                         : (uint16_t)(1U << id->part);
}

/* Is this receipt one that the message still waits for? */
static bool is_waited_for(const struct message_row *row, const struct provider_id_row *id)
{
    return row->status == MESSAGE_SENT && row->attempts == id->attempt &&
           (row->parts_delivered & bits_of(row, id)) != bits_of(row, id);
}

/* False: nobody is known by it. */
static bool find_message(struct txn *txn, const struct id_key *keys, size_t count,
                         struct provider_id_row *id, struct message_row *row)
{
    for (size_t i = 0; i < count; i++) {
        if (find_id(txn, &keys[i], id) && message_find(txn, id->message, row) &&
            (i == 0 || is_waited_for(row, id)))
            return true;
    }
    return false;
}

/* --- what a receipt does -------------------------------------------------------------------------
 */

struct receipt {
    enum receipt_status status;
    struct text detail;
    int64_t at_ms;
};

static enum message_error error_of(enum receipt_status status)
{
    switch (status) {
    case RECEIPT_EXPIRED:
        return MESSAGE_ERROR_EXPIRED_AT_PROVIDER;
    case RECEIPT_REJECTED:
        return MESSAGE_ERROR_REJECTED_AT_PROVIDER;
    default:
        return MESSAGE_ERROR_UNDELIVERED;
    }
}

/* The provider's own time, where it can be true. */
static int64_t moment_of(struct engine *engine, const struct message_row *row, int64_t at_ms)
{
    int64_t now_ms = engine->command->now_ms;

    return at_ms < row->sent_ms || at_ms > now_ms ? now_ms : at_ms;
}

static void deliver(struct engine *engine, struct message_row *row,
                    const struct provider_id_row *id, const struct receipt *receipt)
{
    row->parts_delivered |= bits_of(row, id);
    if (row->parts_delivered == (1U << row->parts) - 1) {
        message_set_due(engine, row, 0);
        message_move(engine, row, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE, (struct text){NULL, 0});
        message_finish(engine, row, moment_of(engine, row, receipt->at_ms));
        message_tell(engine, row);
    }
    message_store(engine, row);
}

/* SMS-13. The quota of the product that has carried it is used up; the next one's is taken. */
static bool fail_over(struct engine *engine, struct message_row *row)
{
    enum message_error error = (enum message_error)row->error;
    struct message_text_row text;

    message_text_row_find(engine->txn, row->number, &text);
    if (!(row->flags & MESSAGE_HAS_FAILOVER) || row->tries + 1 >= text.tries_max ||
        engine->command->now_ms >= text.expire_at_ms || !message_take_next_route(engine, row))
        return false;
    row->tries++;
    message_queue(engine, row, engine->command->now_ms, error, TEXT("by another route"));
    return true;
}

static void undeliver(struct engine *engine, struct message_row *row, const struct receipt *receipt)
{
    message_set_due(engine, row, 0);
    message_move(engine, row, MESSAGE_UNDELIVERED, error_of(receipt->status), receipt->detail);
    if (fail_over(engine, row))
        return;
    message_finish(engine, row, moment_of(engine, row, receipt->at_ms));
    message_tell(engine, row);
    message_store(engine, row);
}

static void apply(struct engine *engine, struct message_row *row, const struct provider_id_row *id,
                  const struct receipt *receipt)
{
    bool is_delivered = receipt->status == RECEIPT_DELIVERED;

    if (is_waited_for(row, id)) {
        if (is_delivered)
            deliver(engine, row, id, receipt);
        else
            undeliver(engine, row, receipt);
    } else if (is_delivered ? row->status == MESSAGE_UNDELIVERED || id->attempt != row->attempts
                            : row->status == MESSAGE_DELIVERED) {
        message_note(engine, row, is_delivered ? MESSAGE_ERROR_NONE : error_of(receipt->status),
                     is_delivered ? TEXT("a late receipt: delivered")
                                  : TEXT("a late receipt: not delivered"));
        message_store(engine, row);
    }
}

/* --- before the message is known -----------------------------------------------------------------
 */

struct early {
    struct receipt_row row;
    char detail[MESSAGE_DETAIL_MAX];
};

static bool find_early(struct txn *txn, const struct id_key *key, struct early *early)
{
    size_t size;
    const void *value = txn_get(txn, TABLE_RECEIPT, key->bytes, key->size, &size);

    if (value == NULL)
        return false;
    assert(size >= sizeof early->row && size <= sizeof *early);
    memcpy(early, value, size);
    assert(early->row.version == RECEIPT_ROW_VERSION &&
           size == sizeof early->row + early->row.detail_size);
    return true;
}

static void forget(struct engine *engine, const struct id_key *key, const struct receipt_row *row)
{
    char number[8];

    bytes_put_u64_be(number, row->number);
    txn_delete(engine->txn, TABLE_RECEIPT_NUMBER, number, sizeof number);
    txn_delete(engine->txn, TABLE_RECEIPT, key->bytes, key->size);
    due_delete(engine, row->due_ms, DUE_RECEIPT_FORGET, row->number);
}

/* Of several for one id the last counts: what is on its way is delivered later. */
static void keep(struct engine *engine, const struct id_key *key, const struct receipt *receipt)
{
    struct text detail = utf8_cut(receipt->detail, MESSAGE_DETAIL_MAX);
    struct early early;
    char number[8];

    if (!find_early(engine->txn, key, &early)) {
        early.row = (struct receipt_row){.version = RECEIPT_ROW_VERSION,
                                         .number = engine->command->number,
                                         .due_ms = engine->command->now_ms + RECEIPT_AGE_MAX_MS};
        bytes_put_u64_be(number, early.row.number);
        txn_put(engine->txn, TABLE_RECEIPT_NUMBER, number, sizeof number, key->bytes, key->size);
        due_put(engine, early.row.due_ms, DUE_RECEIPT_FORGET, early.row.number);
    }
    early.row.status = (uint8_t)receipt->status;
    early.row.at_ms = receipt->at_ms;
    early.row.detail_size = (uint8_t)detail.size;
    if (detail.size > 0)
        memcpy(early.detail, detail.data, detail.size);
    txn_put(engine->txn, TABLE_RECEIPT, key->bytes, key->size, &early,
            sizeof early.row + early.row.detail_size);
}

void receipt_take_early(struct engine *engine, uint64_t product, struct text id)
{
    struct id_key keys[FORMS_MAX];
    size_t count = keys_of(product, id, keys);
    struct provider_id_row found;
    struct message_row row;
    struct early early;

    for (size_t i = 0; i < count; i++) {
        if (!find_early(engine->txn, &keys[i], &early))
            continue;
        forget(engine, &keys[i], &early.row);
        if (find_message(engine->txn, keys, 1, &found, &row))
            apply(engine, &row, &found,
                  &(struct receipt){.status = (enum receipt_status)early.row.status,
                                    .detail = {early.detail, early.row.detail_size},
                                    .at_ms = early.row.at_ms});
        return;
    }
}

/* --- commands ------------------------------------------------------------------------------------
 */

enum outcome engine_receipt(struct engine *engine, const struct receipt_command *command,
                            struct result *answer)
{
    struct receipt receipt = {command->status, command->detail, command->at_ms};
    struct id_key keys[FORMS_MAX];
    struct provider_id_row id;
    struct message_row row;
    size_t count;

    (void)answer;
    if (command->provider_id.size == 0 || command->provider_id.size > PROVIDER_ID_MAX)
        return OUTCOME_INVALID;
    if (command->status == RECEIPT_ACCEPTED)
        return OUTCOME_OK;
    count = keys_of(command->product, command->provider_id, keys);
    if (find_message(engine->txn, keys, count, &id, &row))
        apply(engine, &row, &id, &receipt);
    else
        keep(engine, &keys[0], &receipt);
    return OUTCOME_OK;
}

enum outcome engine_receipt_forget(struct engine *engine, const struct due_command *command,
                                   struct result *answer)
{
    char number[8];
    struct id_key key;
    struct early early;
    const void *value;
    bool is_there;

    (void)answer;
    bytes_put_u64_be(number, command->number);
    value = txn_get(engine->txn, TABLE_RECEIPT_NUMBER, number, sizeof number, &key.size);
    assert(value != NULL && key.size <= sizeof key.bytes);
    memcpy(key.bytes, value, key.size);
    is_there = find_early(engine->txn, &key, &early);
    assert(is_there && early.row.due_ms == command->due_ms);
    forget(engine, &key, &early.row);
    engine->effect->is_receipt_forgotten = true;
    return OUTCOME_OK;
}
