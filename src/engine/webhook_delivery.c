/* What becomes of a webhook. A pending one is either ready, in the outbox of its endpoint, or waits
 * for its next attempt; results come from outside as commands, times from the due index. Each
 * function here leaves it with exactly one row in TABLE_DUE. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/due.h"
#include "engine/engine.h"
#include "engine/handler.h"
#include "engine/webhook_row.h"

enum { OUTBOX_KEY_SIZE = 16, LATE_ATTEMPT_MS = 60 * 60 * 1000 };

/* --- outbox --------------------------------------------------------------------------------------
 */

static void outbox_key(char key[OUTBOX_KEY_SIZE], uint64_t endpoint, uint64_t place)
{
    bytes_put_u64_be(key, endpoint);
    bytes_put_u64_be(key + 8, place);
}

void webhook_outbox_delete(struct engine *engine, struct webhook *webhook)
{
    char key[OUTBOX_KEY_SIZE];
    bool was_there;

    if (webhook->row.place == 0)
        return;
    outbox_key(key, webhook->row.endpoint, webhook->row.place);
    was_there = txn_delete(engine->txn, TABLE_WEBHOOK_OUTBOX, key, sizeof key);
    assert(was_there);
    webhook->row.place = 0;
}

/* Places grow: who sends remembers the last one and never looks at those before it again. */
void webhook_make_ready(struct engine *engine, struct webhook *webhook, uint64_t number)
{
    uint64_t place = engine_next_number(engine), endpoint = webhook->row.endpoint;
    char key[OUTBOX_KEY_SIZE], value[8];

    assert(webhook->row.status == WEBHOOK_PENDING && webhook->row.place == 0);
    outbox_key(key, endpoint, place);
    bytes_put_u64_be(value, number);
    txn_put(engine->txn, TABLE_WEBHOOK_OUTBOX, key, sizeof key, value, sizeof value);
    webhook->row.place = place;
    webhook->row.due_ms = webhook->row.expires_ms;
    due_put(engine, webhook->row.due_ms, DUE_WEBHOOK, number);
    engine->effect->webhook_endpoint =
        engine->effect->webhook_endpoint == 0 || engine->effect->webhook_endpoint == endpoint
            ? endpoint
            : WEBHOOK_ENDPOINTS_MANY;
}

/* `is_alone`: of this endpoint alone, not through what was deleted at those behind it. */
static bool outbox_at(struct txn *txn, uint64_t endpoint, uint64_t place, bool is_alone,
                      uint64_t *found, struct webhook_ready *ready)
{
    char from[OUTBOX_KEY_SIZE];
    struct txn_walk *walk;
    bool is_there;

    outbox_key(from, endpoint, place);
    walk = txn_walk(txn, TABLE_WEBHOOK_OUTBOX, WALK_UP, from, sizeof from);
    if (is_alone)
        txn_walk_within(walk, 8);
    is_there = txn_walk_next(walk);
    if (is_there) {
        *found = bytes_get_u64_be(walk->key);
        ready->place = bytes_get_u64_be((const char *)walk->key + 8);
        ready->webhook = bytes_get_u64_be(walk->value);
    }
    txn_walk_end(walk);
    return is_there;
}

bool webhook_outbox_first(struct txn *txn, uint64_t endpoint, uint64_t after,
                          struct webhook_ready *ready)
{
    uint64_t found;

    return outbox_at(txn, endpoint, after + 1, true, &found, ready);
}

uint64_t webhook_outbox_endpoint(struct txn *txn, uint64_t after)
{
    struct webhook_ready ready;
    uint64_t found;

    return outbox_at(txn, after + 1, 0, false, &found, &ready) ? found : 0;
}

/* --- results -------------------------------------------------------------------------------------
 */

void webhook_finish(struct engine *engine, struct webhook *webhook, uint64_t number,
                    enum webhook_status status, enum webhook_error error)
{
    int64_t now_ms = engine->command->now_ms;

    webhook_outbox_delete(engine, webhook);
    if (webhook->row.endpoint != 0)
        webhook_endpoint_count(engine, webhook->row.endpoint, 0, -1);
    webhook->row.status = (uint8_t)status;
    webhook->row.error = (uint8_t)error;
    webhook->row.finished_ms = now_ms;
    webhook->row.due_ms =
        now_ms + (status == WEBHOOK_DELIVERED ? WEBHOOK_DELIVERED_KEPT_MS : WEBHOOK_FAILED_KEPT_MS);
    due_put(engine, webhook->row.due_ms, DUE_WEBHOOK, number);
}

static void note_attempt(struct engine *engine, struct webhook *webhook,
                         const struct webhook_result_command *command)
{
    struct webhook_attempt *attempt = &webhook->attempts[webhook->row.attempt_count];

    assert(webhook->row.attempt_count < WEBHOOK_ATTEMPTS_MAX);
    *attempt = (struct webhook_attempt){.at_ms = engine->command->now_ms,
                                        .status = command->status,
                                        .error = (uint8_t)command->error,
                                        .took_ms = command->took_ms};
    webhook->row.attempt_count++;
    webhook_endpoint_note(engine, webhook->row.endpoint, attempt);
}

/* Waits for its next attempt, or has failed if it has none left within its days. */
static void try_again(struct engine *engine, struct webhook *webhook,
                      const struct webhook_result_command *command)
{
    unsigned attempts = webhook->row.attempt_count;
    int64_t due_ms = 0;

    if (attempts < WEBHOOK_ATTEMPTS_MAX)
        due_ms = engine->command->now_ms +
                 webhook_delay_ms(command->webhook, attempts, command->retry_after_ms);
    if (due_ms == 0 || due_ms > webhook->row.expires_ms) {
        webhook_finish(engine, webhook, command->webhook, WEBHOOK_FAILED, command->error);
        return;
    }
    webhook_outbox_delete(engine, webhook);
    webhook->row.error = (uint8_t)command->error;
    webhook->row.due_ms = due_ms;
    due_put(engine, due_ms, DUE_WEBHOOK, command->webhook);
}

enum outcome engine_webhook_result(struct engine *engine,
                                   const struct webhook_result_command *command,
                                   struct result *answer)
{
    struct webhook webhook;

    answer->of.webhook = (struct webhook_result){.number = command->webhook};
    if (!webhook_find(engine->txn, command->webhook, &webhook))
        return OUTCOME_OK; /* expired, and deleted, while it was under way */
    answer->of.webhook.status = webhook.row.status;
    if (webhook.row.place != command->place || command->place == 0)
        return OUTCOME_OK;
    due_delete(engine, webhook.row.due_ms, DUE_WEBHOOK, command->webhook);
    if (command->error != WEBHOOK_ERROR_ENDPOINT_DISABLED)
        note_attempt(engine, &webhook, command);
    if (command->error == WEBHOOK_ERROR_GONE)
        webhook_endpoint_disable(engine, webhook.row.endpoint, WEBHOOK_ENDPOINT_GONE);
    if (command->error == WEBHOOK_ERROR_NONE)
        webhook_finish(engine, &webhook, command->webhook, WEBHOOK_DELIVERED, WEBHOOK_ERROR_NONE);
    else if (command->error == WEBHOOK_ERROR_GONE ||
             command->error == WEBHOOK_ERROR_ENDPOINT_DISABLED)
        webhook_finish(engine, &webhook, command->webhook, WEBHOOK_FAILED, command->error);
    else
        try_again(engine, &webhook, command);
    answer->of.webhook.status = webhook.row.status;
    webhook_store(engine, command->webhook, &webhook);
    return OUTCOME_OK;
}

/* --- times ---------------------------------------------------------------------------------------
 */

static void delete_webhook(struct engine *engine, const struct webhook *webhook, uint64_t number)
{
    char key[8];

    if (webhook->row.endpoint != 0)
        webhook_endpoint_count(engine, webhook->row.endpoint, -1, 0);
    bytes_put_u64_be(key, number);
    txn_delete(engine->txn, TABLE_WEBHOOK, key, sizeof key);
}

/* The time for its next attempt has come. If smsd was down until its days were over it gets this
 * one all the same. */
static void attempt_again(struct engine *engine, struct webhook *webhook, uint64_t number)
{
    int64_t late_ms = engine->command->now_ms + LATE_ATTEMPT_MS;

    if (!webhook_endpoint_is_enabled(engine->txn, webhook->row.endpoint)) {
        webhook_finish(engine, webhook, number, WEBHOOK_FAILED, WEBHOOK_ERROR_ENDPOINT_DISABLED);
        return;
    }
    if (webhook->row.expires_ms < late_ms)
        webhook->row.expires_ms = late_ms;
    webhook_make_ready(engine, webhook, number);
}

enum outcome engine_webhook_due(struct engine *engine, const struct due_command *command,
                                struct result *answer)
{
    struct webhook webhook;
    bool is_there = webhook_find(engine->txn, command->number, &webhook);

    (void)answer;
    assert(is_there && webhook.row.due_ms == command->due_ms);
    due_delete(engine, command->due_ms, DUE_WEBHOOK, command->number);
    if (webhook.row.status != WEBHOOK_PENDING) {
        delete_webhook(engine, &webhook, command->number);
        return OUTCOME_OK;
    }
    if (webhook.row.place != 0)
        webhook_finish(engine, &webhook, command->number, WEBHOOK_FAILED, WEBHOOK_ERROR_EXPIRED);
    else
        attempt_again(engine, &webhook, command->number);
    webhook_store(engine, command->number, &webhook);
    return OUTCOME_OK;
}
