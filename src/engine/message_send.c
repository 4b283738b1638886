/* An attempt: given to a gateway, and what came of it. `sending` is recorded before anything goes
 * over the wire; so a crash leaves either a message that was certainly not sent, or one whose
 * outcome is unknown and known to be (SMS-11). What comes late, twice or for an older attempt finds
 * the message elsewhere and changes nothing. */
#include <assert.h>

#include "engine/blocklist.h"
#include "engine/campaign.h"
#include "engine/catalog.h"
#include "engine/handler.h"
#include "engine/message.h"
#include "engine/outbox.h"
#include "engine/quiet_hours.h"
#include "engine/receipt.h"
#include "engine/route.h"
#include "engine/verification.h"

#define NO_DETAIL ((struct text){NULL, 0})

static const int64_t backoffs_ms[] = {
#define MESSAGE_KIND(name, number, text, expiry_ms, backoff_ms) [number] = (backoff_ms),
#include "engine/message_kind.def"
#undef MESSAGE_KIND
};

/* Marketing that the recipient's quiet hours have overtaken in the outbox waits there for their end
 * (SMS-18): it moves to that place in its lane, so whoever takes from the lane does not meet it
 * again before. What would expire until then has no use any more. True: it was for now. */
static bool hold_back(struct engine *engine, struct message_row *row,
                      const struct message_text_row *text)
{
    int64_t now_ms = engine->command->now_ms, end_ms;

    if (row->kind != MESSAGE_KIND_MARKETING)
        return false;
    end_ms = quiet_hours_of_number(engine->txn, row->country, text->to, now_ms);
    if (end_ms == now_ms)
        return false;
    if (end_ms >= text->expire_at_ms) {
        message_end(engine, row, MESSAGE_FAILED, MESSAGE_ERROR_QUIET_HOURS, NO_DETAIL);
        return true;
    }
    outbox_delete(engine, row);
    outbox_put(engine, row, end_ms);
    message_note(engine, row, MESSAGE_ERROR_NONE, TEXT("waits for the end of quiet hours"));
    message_store(engine, row);
    if (row->origin == MESSAGE_FROM_CAMPAIGN)
        campaign_hold_back(engine, text->origin, row->number);
    return true;
}

enum outcome engine_message_sending(struct engine *engine,
                                    const struct message_sending_command *command,
                                    struct result *answer)
{
    struct message_change_result *change = &answer->of.message_change;
    struct message_row *row = &change->row;
    struct message_text_row text;

    if (!message_find(engine->txn, command->message, row))
        return OUTCOME_MESSAGE_NOT_FOUND;
    if (row->status != MESSAGE_QUEUED || row->product != command->product)
        return OUTCOME_CONFLICT;
    message_text_row_find(engine->txn, row->number, &text);
    change->should_query = false;
    change->is_changed = true;
    change->is_given = false;
    if (engine->command->now_ms >= text.expire_at_ms) {
        message_end(engine, row, MESSAGE_FAILED, MESSAGE_ERROR_EXPIRED, NO_DETAIL);
        return OUTCOME_OK;
    }
    if (blocklist_stops(engine->txn, text.to, (enum message_kind)row->kind)) {
        message_end(engine, row, MESSAGE_FAILED, MESSAGE_ERROR_BLOCKED, NO_DETAIL);
        return OUTCOME_OK;
    }
    if (hold_back(engine, row, &text))
        return OUTCOME_OK;
    if (row->origin == MESSAGE_FROM_VERIFICATION && verification_is_over(engine, &text)) {
        message_end(engine, row, MESSAGE_FAILED, MESSAGE_ERROR_EXPIRED, NO_DETAIL);
        return OUTCOME_OK;
    }
    outbox_delete(engine, row);
    message_set_due(engine, row, 0);
    sending_put(engine, row->number);
    row->attempts++;
    message_move(engine, row, MESSAGE_SENDING, MESSAGE_ERROR_NONE, NO_DETAIL);
    message_store(engine, row);
    change->is_given = true;
    return OUTCOME_OK;
}

/* --- what came of it -----------------------------------------------------------------------------
 */

static void accept(struct engine *engine, struct message_row *row,
                   const struct message_result_command *command)
{
    sending_delete(engine, row->number);
    row->failures = row->throttles = 0;
    row->parts_delivered = 0;
    message_move(engine, row, MESSAGE_SENT, MESSAGE_ERROR_NONE, NO_DETAIL);
    message_set_due(engine, row, engine->command->now_ms + MESSAGE_RECEIPT_WAIT_MS);
    message_tell(engine, row);
    message_store(engine, row);
    for (size_t i = 0; i < command->provider_id_count && i < row->parts; i++) {
        struct text id = command->provider_ids[i];
        bool is_whole = command->provider_id_count == 1;
        if (id.size > 0 && id.size <= PROVIDER_ID_MAX)
            provider_id_put(engine, row, id, is_whole ? PROVIDER_ID_WHOLE : (uint8_t)i);
    }
    /* After all are there: what a receipt does may end the message. */
    for (size_t i = 0; i < command->provider_id_count && i < row->parts; i++) {
        struct text id = command->provider_ids[i];
        if (id.size > 0 && id.size <= PROVIDER_ID_MAX)
            receipt_take_early(engine, row->product, id);
    }
}

/* The product has had its attempts. What it has not taken goes back into its quota if another one
 * takes over. */
static void end_try(struct engine *engine, struct message_row *row, enum message_error error,
                    struct text detail)
{
    int64_t at_ms = engine->command->now_ms;
    struct message_row before = *row;
    struct message_text_row text;

    message_text_row_find(engine->txn, row->number, &text);
    row->failures = 0;
    row->tries++;
    if (row->tries >= text.tries_max) {
        message_end(engine, row, MESSAGE_FAILED, error, detail);
        return;
    }
    if (message_take_next_route(engine, row))
        message_return_quota(engine, &before);
    else
        at_ms += MESSAGE_TRY_AGAIN_MS;
    message_queue(engine, row, at_ms, error, detail);
}

static void try_again(struct engine *engine, struct message_row *row, enum message_error error,
                      struct text detail)
{
    int64_t wait_ms = backoffs_ms[row->kind];

    row->throttles = 0;
    row->failures++;
    if (row->failures >= MESSAGE_ATTEMPTS_PER_TRY) {
        end_try(engine, row, error, detail);
        return;
    }
    if (row->failures > 1)
        wait_ms *= 6;
    message_queue(engine, row, engine->command->now_ms + wait_ms, error, detail);
}

static void throttle(struct engine *engine, struct message_row *row, struct text detail)
{
    unsigned doubled =
        row->throttles < MESSAGE_THROTTLES_DOUBLED ? row->throttles : MESSAGE_THROTTLES_DOUBLED;

    row->throttles = (uint8_t)(doubled + 1);
    message_queue(engine, row, engine->command->now_ms + ((int64_t)MESSAGE_THROTTLE_MS << doubled),
                  MESSAGE_ERROR_THROTTLED, detail);
}

/* True: it is to be queried, and nothing is changed. A code that comes twice, or late, confuses
 * more than none: its user asks for another. */
static bool settle_unknown(struct engine *engine, struct message_row *row, bool can_query,
                           struct text detail)
{
    int64_t on_unknown = ON_UNKNOWN_DROP;
    struct catalog_thing product;

    if (row->kind != MESSAGE_KIND_VERIFICATION &&
        catalog_find_number(engine->txn, CATALOG_PRODUCT, row->product, &product))
        on_unknown = catalog_int(&product, PRODUCT_ON_UNKNOWN);
    if (on_unknown == ON_UNKNOWN_QUERY && can_query)
        return true;
    if (on_unknown == ON_UNKNOWN_RESEND)
        try_again(engine, row, MESSAGE_ERROR_UNKNOWN_OUTCOME, detail);
    else
        message_end(engine, row, MESSAGE_FAILED, MESSAGE_ERROR_UNKNOWN_OUTCOME, detail);
    return false;
}

/* The row is read into the answer. False: it is not about the attempt that is under way. */
static bool begin_change(struct engine *engine, uint64_t message, uint32_t attempt,
                         struct result *answer)
{
    struct message_change_result *change = &answer->of.message_change;

    if (!message_find(engine->txn, message, &change->row)) {
        answer->outcome = OUTCOME_MESSAGE_NOT_FOUND;
        return false;
    }
    answer->outcome = OUTCOME_OK;
    change->is_given = change->should_query = false;
    change->is_changed =
        change->row.status == MESSAGE_SENDING && (attempt == 0 || attempt == change->row.attempts);
    return change->is_changed;
}

enum outcome engine_message_result(struct engine *engine,
                                   const struct message_result_command *command,
                                   struct result *answer)
{
    struct message_change_result *change = &answer->of.message_change;
    struct message_row *row = &change->row;

    assert(command->attempt != 0);
    if (!begin_change(engine, command->message, command->attempt, answer))
        return answer->outcome;
    switch (command->answer) {
    case MESSAGE_ACCEPTED:
        accept(engine, row, command);
        break;
    case MESSAGE_REFUSED:
        message_end(engine, row, MESSAGE_REJECTED, MESSAGE_ERROR_REFUSED, command->detail);
        break;
    case MESSAGE_RETRY:
        try_again(engine, row, MESSAGE_ERROR_UNREACHABLE, command->detail);
        break;
    case MESSAGE_THROTTLED:
        throttle(engine, row, command->detail);
        break;
    case MESSAGE_UNKNOWN:
        change->should_query = settle_unknown(engine, row, command->can_query, command->detail);
        break;
    }
    /* An early receipt may have changed it further. */
    message_find(engine->txn, command->message, row);
    return OUTCOME_OK;
}

enum outcome engine_message_recover(struct engine *engine,
                                    const struct message_recover_command *command,
                                    struct result *answer)
{
    struct message_change_result *change = &answer->of.message_change;

    if (!begin_change(engine, command->message, command->attempt, answer))
        return answer->outcome;
    change->should_query = settle_unknown(engine, &change->row, command->can_query, NO_DETAIL);
    change->is_changed = !change->should_query;
    return OUTCOME_OK;
}
