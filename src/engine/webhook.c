/* What is kept of a webhook, and how it is read again. Texts are copied into the row, so that
 * nothing that changes later changes what a client is told. */
#include "engine/webhook.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/id.h"
#include "base/utf8.h"
#include "engine/catalog.h"
#include "engine/handler.h"
#include "engine/ledger.h"
#include "engine/webhook_row.h"

enum { WEBHOOK_ROW_VERSION_1 = 1, WEBHOOK_ROW_VERSION = 2 };

/* --- reading -------------------------------------------------------------------------------------
 */

/* Version 1 knew only one type, and that account's id by its number. */
static void read_version_1(struct txn *txn, uint64_t number, const void *value, size_t size,
                           struct webhook *webhook)
{
    struct webhook_row_1 old;
    struct account account;

    assert(size == sizeof old);
    memcpy(&old, value, sizeof old);
    webhook->row = (struct webhook_row){.version = WEBHOOK_ROW_VERSION,
                                        .type = old.type,
                                        .status = WEBHOOK_NO_URL,
                                        .subject = old.subject,
                                        .values = {old.values[0], old.values[1]},
                                        .at_ms = id_time_ms(number),
                                        .finished_ms = id_time_ms(number)};
    if (account_find_number(txn, old.subject, &account)) {
        memcpy(webhook->bytes, account.id, account.id_size);
        webhook->texts[0] = (struct text){webhook->bytes, account.id_size};
    }
}

void webhook_read(struct txn *txn, uint64_t number, const void *value, size_t size,
                  struct webhook *webhook)
{
    const char *from = value, *end = from + size;
    char *to = webhook->bytes;

    webhook->url = webhook->content = (struct text){NULL, 0};
    for (int i = 0; i < WEBHOOK_TEXTS; i++)
        webhook->texts[i] = (struct text){NULL, 0};
    if (*from == WEBHOOK_ROW_VERSION_1) {
        read_version_1(txn, number, value, size, webhook);
        return;
    }
    assert(*from == WEBHOOK_ROW_VERSION && size >= sizeof webhook->row);
    memcpy(&webhook->row, from, sizeof webhook->row);
    from += sizeof webhook->row;
    assert(webhook->row.attempt_count <= WEBHOOK_ATTEMPTS_MAX);
    memcpy(webhook->attempts, from, webhook->row.attempt_count * sizeof *webhook->attempts);
    from += webhook->row.attempt_count * sizeof *webhook->attempts;
    assert((size_t)(end - from) <= sizeof webhook->bytes);
    memcpy(to, from, (size_t)(end - from));
    if (webhook->row.url_size > 0)
        webhook->url = (struct text){to, webhook->row.url_size};
    to += webhook->row.url_size;
    for (int i = 0; i < WEBHOOK_TEXTS; i++) {
        if (webhook->row.text_given & 1 << i)
            webhook->texts[i] = (struct text){to, webhook->row.text_sizes[i]};
        to += webhook->row.text_sizes[i];
    }
    webhook->content = (struct text){to, webhook->row.content_size};
    to += webhook->row.content_size;
    assert(to - webhook->bytes == end - from);
}

bool webhook_find(struct txn *txn, uint64_t number, struct webhook *webhook)
{
    char key[8];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_WEBHOOK, key, sizeof key, &size);
    if (value == NULL)
        return false;
    webhook_read(txn, number, value, size, webhook);
    return true;
}

/* --- writing -------------------------------------------------------------------------------------
 */

void webhook_store(struct engine *engine, uint64_t number, const struct webhook *webhook)
{
    char value[sizeof(struct webhook_row) + sizeof webhook->attempts + sizeof webhook->bytes];
    char key[8], *to = value;
    size_t attempts_size = webhook->row.attempt_count * sizeof *webhook->attempts;

    memcpy(to, &webhook->row, sizeof webhook->row);
    to += sizeof webhook->row;
    memcpy(to, webhook->attempts, attempts_size);
    to += attempts_size;
    if (webhook->url.size > 0)
        memcpy(to, webhook->url.data, webhook->url.size);
    to += webhook->url.size;
    for (int i = 0; i < WEBHOOK_TEXTS; i++) {
        if (webhook->texts[i].size > 0)
            memcpy(to, webhook->texts[i].data, webhook->texts[i].size);
        to += webhook->texts[i].size;
    }
    if (webhook->content.size > 0)
        memcpy(to, webhook->content.data, webhook->content.size);
    to += webhook->content.size;
    bytes_put_u64_be(key, number);
    txn_put(engine->txn, TABLE_WEBHOOK, key, sizeof key, value, (size_t)(to - value));
}

static struct text copy(char **to, struct text text)
{
    struct text copied = {*to, text.size};

    if (text.data == NULL)
        return text;
    if (text.size > 0)
        memcpy(*to, text.data, text.size);
    *to += text.size;
    return copied;
}

/* What an event tells, with nothing yet of what becomes of it. Its texts may lie in rows, which are
 * good only until one is changed, so they are copied first of all. */
static void fill(struct engine *engine, const struct webhook_event *event, struct webhook *webhook)
{
    struct text url =
        event->url.size > 0 ? event->url : setting_text(engine->txn, SETTING_WEBHOOK_URL);
    char *to = webhook->bytes;

    webhook->row =
        (struct webhook_row){.version = WEBHOOK_ROW_VERSION,
                             .type = (uint8_t)event->type,
                             .subject = event->subject,
                             .at_ms = event->at_ms != 0 ? event->at_ms : engine->command->now_ms};
    memcpy(webhook->row.values, event->values, sizeof event->values);
    webhook->url = (struct text){NULL, 0};
    if (url.size > 0 && url.size <= WEBHOOK_URL_MAX)
        webhook->url = copy(&to, url);
    webhook->row.url_size = (uint16_t)webhook->url.size;
    for (int i = 0; i < WEBHOOK_TEXTS; i++) {
        webhook->texts[i] = copy(&to, utf8_cut(event->texts[i], WEBHOOK_TEXT_MAX));
        webhook->row.text_sizes[i] = (uint8_t)webhook->texts[i].size;
        if (event->texts[i].data != NULL)
            webhook->row.text_given |= (uint8_t)(1 << i);
    }
    webhook->content = copy(&to, event->content);
    webhook->row.content_size = (uint16_t)webhook->content.size;
}

static uint64_t put(struct engine *engine, const struct webhook_event *event, uint64_t replay_of)
{
    uint64_t number = engine_next_number(engine);
    struct webhook webhook;

    fill(engine, event, &webhook);
    webhook.row.replay_of = replay_of;
    if (webhook.url.size == 0) {
        webhook_finish(engine, &webhook, number, WEBHOOK_NO_URL, WEBHOOK_ERROR_NONE);
    } else {
        webhook.row.endpoint = webhook_endpoint_open(engine, webhook.url);
        webhook.row.expires_ms = engine->command->now_ms + WEBHOOK_AGE_MAX_MS;
        webhook_endpoint_count(engine, webhook.row.endpoint, 1, 1);
        webhook.row.status = WEBHOOK_PENDING;
        if (webhook_endpoint_is_enabled(engine->txn, webhook.row.endpoint))
            webhook_make_ready(engine, &webhook, number);
        else
            webhook_finish(engine, &webhook, number, WEBHOOK_FAILED,
                           WEBHOOK_ERROR_ENDPOINT_DISABLED);
    }
    webhook_store(engine, number, &webhook);
    return number;
}

uint64_t webhook_put(struct engine *engine, const struct webhook_event *event)
{
    assert(event->url.size <= WEBHOOK_URL_MAX && event->content.size <= WEBHOOK_CONTENT_MAX);
    return put(engine, event, 0);
}

/* A new webhook with an id of its own, so that a receiver that remembers ids takes it for new; what
 * it says, and when that happened, is as it was. */
enum outcome engine_webhook_replay(struct engine *engine,
                                   const struct webhook_replay_command *command,
                                   struct result *answer)
{
    struct webhook_event event;
    struct webhook webhook;
    uint64_t number;

    if (!webhook_find(engine->txn, command->webhook, &webhook))
        return OUTCOME_NOT_FOUND;
    event = (struct webhook_event){.type = (enum webhook_type)webhook.row.type,
                                   .subject = webhook.row.subject,
                                   .at_ms = webhook.row.at_ms,
                                   .content = webhook.content,
                                   .url = webhook.url};
    memcpy(event.values, webhook.row.values, sizeof event.values);
    memcpy(event.texts, webhook.texts, sizeof event.texts);
    number = put(engine, &event, command->webhook);
    webhook_find(engine->txn, number, &webhook);
    if (webhook.row.status == WEBHOOK_NO_URL)
        return OUTCOME_WEBHOOK_HAS_NO_URL;
    if (webhook.row.status == WEBHOOK_FAILED)
        return OUTCOME_WEBHOOK_ENDPOINT_DISABLED;
    answer->of.webhook = (struct webhook_result){.number = number, .status = webhook.row.status};
    return OUTCOME_OK;
}
