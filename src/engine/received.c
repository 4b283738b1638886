/* One row a message, and two in the index: by sender, and by the provider's id, which finds what is
 * told twice. */
#include "engine/received.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "engine/blocklist.h"
#include "engine/due.h"
#include "engine/handler.h"
#include "engine/message.h"
#include "engine/stop_word.h"
#include "engine/webhook.h"

enum {
    RECEIVED_ROW_VERSION = 1,
    INDEX_FROM = 1,
    INDEX_ID = 2,
    ID_KEY_MAX = 9 + PROVIDER_ID_MAX,
};

static const char *const actions[] = {
#define RECEIVED_ACTION(name, number, text) [number] = text,
#include "engine/received_action.def"
#undef RECEIVED_ACTION
};

const char *received_action_text(enum received_action action)
{
    return actions[action];
}

/* --- rows ----------------------------------------------------------------------------------------
 */

void received_from_key(char key[RECEIVED_FROM_KEY_SIZE], uint64_t from, uint64_t number)
{
    key[0] = INDEX_FROM;
    bytes_put_u64_be(key + 1, from);
    bytes_put_u64_be(key + 9, number);
}

static size_t id_key(char key[ID_KEY_MAX], uint64_t product, struct text id)
{
    key[0] = INDEX_ID;
    bytes_put_u64_be(key + 1, product);
    memcpy(key + 9, id.data, id.size);
    return 9 + id.size;
}

bool received_find(struct txn *txn, uint64_t number, struct received *received)
{
    char key[8], *at = received->bytes;
    const char *value;
    size_t size;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_RECEIVED, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size >= sizeof received->row && size <= sizeof received->row + sizeof received->bytes);
    memcpy(&received->row, value, sizeof received->row);
    assert(received->row.version == RECEIVED_ROW_VERSION);
    memcpy(received->bytes, value + sizeof received->row, size - sizeof received->row);
    received->provider_id = (struct text){at, received->row.id_size};
    at += received->row.id_size;
    received->to = (struct text){at, received->row.to_size};
    at += received->row.to_size;
    received->content = (struct text){at, received->row.content_size};
    assert(at + received->row.content_size - received->bytes ==
           (ptrdiff_t)(size - sizeof received->row));
    return true;
}

static char *put_text(char *to, struct text text)
{
    if (text.size > 0)
        memcpy(to, text.data, text.size);
    return to + text.size;
}

static void store(struct engine *engine, const struct received_row *row,
                  const struct received_command *command)
{
    char value[sizeof *row + sizeof((struct received *)NULL)->bytes], key[ID_KEY_MAX], *to = value;
    char number[8];

    memcpy(to, row, sizeof *row);
    to = put_text(to + sizeof *row, command->provider_id);
    to = put_text(to, command->to);
    to = put_text(to, command->content);
    bytes_put_u64_be(number, row->number);
    txn_put(engine->txn, TABLE_RECEIVED, number, sizeof number, value, (size_t)(to - value));
    received_from_key(key, row->from, row->number);
    txn_put(engine->txn, TABLE_RECEIVED_INDEX, key, RECEIVED_FROM_KEY_SIZE, "", 0);
    if (command->provider_id.size > 0)
        txn_put(engine->txn, TABLE_RECEIVED_INDEX, key,
                id_key(key, command->product, command->provider_id), number, sizeof number);
    due_put(engine, row->due_ms, DUE_RECEIVED_FORGET, row->number);
}

/* The number under which a provider's id is known; 0: it is not. */
static uint64_t find_id(struct txn *txn, uint64_t product, struct text id)
{
    char key[ID_KEY_MAX];
    const char *value;
    size_t size;

    if (id.size == 0)
        return 0;
    value = txn_get(txn, TABLE_RECEIVED_INDEX, key, id_key(key, product, id), &size);
    return value == NULL ? 0 : bytes_get_u64_be(value);
}

static bool is_known(struct engine *engine, const struct received_command *command,
                     struct received *received)
{
    uint64_t number = find_id(engine->txn, command->product, command->provider_id);

    return number != 0 && received_find(engine->txn, number, received) &&
           received->row.from == command->from && text_equals(received->content, command->content);
}

/* --- what it is about ----------------------------------------------------------------------------
 */

bool received_answers(const struct message_row *message, uint64_t product)
{
    return message->product == product && message->sent_ms != 0;
}

bool received_find_answered(struct txn *txn, uint64_t product, uint64_t from,
                            struct message_row *message)
{
    char key[MESSAGE_LIST_KEY_SIZE];
    struct txn_walk *walk;
    bool is_found = false;

    message_list_key(key, from, UINT64_MAX);
    walk = txn_walk(txn, TABLE_MESSAGE_TO, WALK_DOWN, key, sizeof key);
    txn_walk_within(walk, 8);
    for (int i = 0; i < RECEIVED_LOOKED_AT_MAX && !is_found && txn_walk_next(walk); i++)
        is_found = message_find(txn, bytes_get_u64_be((const char *)walk->key + 8), message) &&
                   received_answers(message, product);
    txn_walk_end(walk);
    return is_found;
}

/* So whose company he writes to: as far as one can know. */
static void take_answered(struct engine *engine, const struct received_command *command,
                          struct received_row *row)
{
    struct message_row message;
    bool is_found = received_find_answered(engine->txn, row->product, row->from, &message);

    row->message = is_found ? message.number : command->message;
    row->company = is_found ? message.company : command->company;
}

static void act(struct engine *engine, const struct received_row *row, struct text content)
{
    struct result unused;
    struct blocked blocked;
    bool is_listed = blocklist_find(engine->txn, row->from, &blocked);

    if (row->action == RECEIVED_STOP && !is_listed)
        engine_blocklist_put(
            engine,
            &(struct blocklist_put_command){.mobile = row->from,
                                            .reason = BLOCKLIST_OPTED_OUT,
                                            .note = utf8_cut(content, BLOCKLIST_NOTE_MAX)},
            &unused);
    if (row->action == RECEIVED_START && is_listed && blocked.row.changed_by == 0 &&
        blocked.row.reason == BLOCKLIST_OPTED_OUT)
        engine_blocklist_delete(engine, &(struct blocklist_delete_command){row->from}, &unused);
}

static struct text id_of(struct txn *txn, enum catalog_kind kind, uint64_t number)
{
    struct catalog_thing thing;

    return number != 0 && catalog_find_number(txn, kind, number, &thing) ? thing.id
                                                                         : (struct text){NULL, 0};
}

static void tell(struct engine *engine, const struct received_row *row,
                 const struct received_command *command)
{
    const char *action = actions[row->action];
    struct text to = command->to;

    if (to.size == 0)
        to.data = NULL;
    webhook_put(engine,
                &(struct webhook_event){.type = WEBHOOK_MESSAGE_RECEIVED,
                                        .subject = row->number,
                                        .values = {(int64_t)row->from, (int64_t)row->message},
                                        .texts = {id_of(engine->txn, CATALOG_PRODUCT, row->product),
                                                  id_of(engine->txn, CATALOG_COMPANY, row->company),
                                                  to,
                                                  {action, action == NULL ? 0 : strlen(action)}},
                                        .content = command->content});
}

/* --- commands ------------------------------------------------------------------------------------
 */

enum outcome engine_received(struct engine *engine, const struct received_command *command,
                             struct result *answer)
{
    struct received_result *result = &answer->of.received;
    struct received received;
    struct received_row row = {.version = RECEIVED_ROW_VERSION,
                               .number = engine->command->number,
                               .product = command->product,
                               .from = command->from,
                               .id_size = (uint8_t)command->provider_id.size,
                               .to_size = (uint8_t)command->to.size,
                               .content_size = (uint16_t)command->content.size,
                               .due_ms = engine->command->now_ms + RECEIVED_KEPT_MS};

    assert(command->provider_id.size <= PROVIDER_ID_MAX && command->to.size <= RECEIVED_TO_MAX &&
           command->content.size <= RECEIVED_CONTENT_MAX);
    if (is_known(engine, command, &received)) {
        *result =
            (struct received_result){.number = received.row.number, .action = received.row.action};
        return OUTCOME_OK;
    }
    row.action = (uint8_t)stop_word_action(engine->txn, command->content);
    take_answered(engine, command, &row);
    store(engine, &row, command);
    act(engine, &row, command->content);
    tell(engine, &row, command);
    *result = (struct received_result){.number = row.number, .is_new = 1, .action = row.action};
    return OUTCOME_OK;
}

enum outcome engine_received_forget(struct engine *engine, const struct due_command *command,
                                    struct result *answer)
{
    struct received received;
    bool is_there = received_find(engine->txn, command->number, &received);
    char key[ID_KEY_MAX], number[8];

    (void)answer;
    assert(is_there && received.row.due_ms == command->due_ms);
    bytes_put_u64_be(number, command->number);
    /* A later one may have had the same id, and has taken it over. */
    if (find_id(engine->txn, received.row.product, received.provider_id) == command->number)
        txn_delete(engine->txn, TABLE_RECEIVED_INDEX, key,
                   id_key(key, received.row.product, received.provider_id));
    received_from_key(key, received.row.from, command->number);
    txn_delete(engine->txn, TABLE_RECEIVED_INDEX, key, RECEIVED_FROM_KEY_SIZE);
    txn_delete(engine->txn, TABLE_RECEIVED, number, sizeof number);
    due_delete(engine, command->due_ms, DUE_RECEIVED_FORGET, command->number);
    return OUTCOME_OK;
}
