/* What ends a message's waiting: its time, its expiry, the end of waiting for receipts, the
 * client's cancel, the sweep. */
#include <assert.h>

#include "engine/due.h"
#include "engine/handler.h"
#include "engine/message.h"
#include "engine/outbox.h"
#include "engine/route.h"

#define NO_DETAIL ((struct text){NULL, 0})

static bool is_enabled(struct engine *engine, uint64_t product)
{
    struct product_row row;

    return product_find(engine->txn, product, &row) && (row.flags & PRODUCT_IS_ENABLED);
}

/* The product that was chosen at its acceptance may be gone by now. */
static void begin_scheduled(struct engine *engine, struct message_row *row)
{
    struct message_row before = *row;

    if (!is_enabled(engine, row->product)) {
        if (!message_take_next_route(engine, row)) {
            message_end(engine, row, MESSAGE_FAILED, MESSAGE_ERROR_NO_ROUTE, NO_DETAIL);
            return;
        }
        message_return_quota(engine, &before);
    }
    message_queue(engine, row, engine->command->now_ms, MESSAGE_ERROR_NONE, NO_DETAIL);
}

enum outcome engine_message_due(struct engine *engine, const struct due_command *command,
                                struct result *answer)
{
    struct message_row row;
    bool is_there = message_find(engine->txn, command->number, &row);

    (void)answer;
    assert(is_there && row.due_ms == command->due_ms);
    switch ((enum message_status)row.status) {
    case MESSAGE_SCHEDULED:
        begin_scheduled(engine, &row);
        break;
    case MESSAGE_QUEUED:
        message_end(engine, &row, MESSAGE_FAILED, MESSAGE_ERROR_EXPIRED, NO_DETAIL);
        break;
    case MESSAGE_SENT: /* no receipt came: it stays as it is */
        message_set_due(engine, &row, 0);
        message_finish(engine, &row, engine->command->now_ms);
        message_store(engine, &row);
        break;
    default:
        assert(!"a message that waits for nothing is due");
    }
    return OUTCOME_OK;
}

enum outcome engine_message_cancel(struct engine *engine, const struct message_command *command,
                                   struct result *answer)
{
    struct message_row row;

    (void)answer;
    if (!message_find(engine->txn, command->message, &row))
        return command->is_history ? OUTCOME_NOT_CANCELABLE : OUTCOME_MESSAGE_NOT_FOUND;
    if (row.status != MESSAGE_SCHEDULED && row.status != MESSAGE_QUEUED)
        return OUTCOME_NOT_CANCELABLE;
    message_end(engine, &row, MESSAGE_CANCELED, MESSAGE_ERROR_NONE, NO_DETAIL);
    return OUTCOME_OK;
}

enum outcome engine_message_replay(struct engine *engine, const struct message_command *command,
                                   struct result *answer)
{
    struct message_row row;

    (void)answer;
    if (!message_find(engine->txn, command->message, &row))
        return command->is_history ? OUTCOME_MESSAGE_ARCHIVED : OUTCOME_MESSAGE_NOT_FOUND;
    if (!(row.flags & MESSAGE_HAS_CALLBACK))
        return OUTCOME_NO_CALLBACK;
    if (!message_status_is_told((enum message_status)row.status))
        return OUTCOME_CONFLICT;
    message_tell(engine, &row);
    return OUTCOME_OK;
}

/* --- the sweep -----------------------------------------------------------------------------------
 */

/* Rows that the message says are there, and are not. */
static bool put_back(struct engine *engine, struct message_row *row)
{
    int64_t due_ms = row->due_ms, outbox_ms = row->outbox_ms;
    bool is_lost = false;

    if (due_ms != 0 && !due_is_there(engine->txn, due_ms, DUE_MESSAGE, row->number)) {
        row->due_ms = 0;
        message_set_due(engine, row, due_ms);
        is_lost = true;
    }
    if (outbox_ms != 0 && !outbox_is_there(engine->txn, row->product, (enum message_kind)row->kind,
                                           &(struct outbox_item){outbox_ms, row->number})) {
        row->outbox_ms = 0;
        outbox_put(engine, row, outbox_ms);
        is_lost = true;
    }
    return is_lost;
}

/* Waiting for a product that does not move is a try that has failed. */
static bool go_another_way(struct engine *engine, struct message_row *row)
{
    struct message_row next = *row;
    struct message_text_row text;

    message_text_row_find(engine->txn, row->number, &text);
    if (row->tries + 1 >= text.tries_max || engine->command->now_ms >= text.expire_at_ms ||
        !message_take_next_route(engine, &next))
        return false;
    message_return_quota(engine, row);
    outbox_delete(engine, row);
    *row = next;
    row->outbox_ms = 0;
    row->tries++;
    outbox_put(engine, row, engine->command->now_ms);
    message_note(engine, row, MESSAGE_ERROR_UNREACHABLE, TEXT("by another route"));
    return true;
}

enum outcome engine_message_sweep(struct engine *engine,
                                  const struct message_sweep_command *command,
                                  struct result *answer)
{
    struct message_change_result *change = &answer->of.message_change;
    struct message_row *row = &change->row;

    if (!message_find(engine->txn, command->message, row))
        return OUTCOME_MESSAGE_NOT_FOUND;
    change->is_given = change->should_query = false;
    change->is_changed = put_back(engine, row);
    if (command->is_standing && row->status == MESSAGE_QUEUED)
        change->is_changed = go_another_way(engine, row) || change->is_changed;
    if (change->is_changed)
        message_store(engine, row);
    return OUTCOME_OK;
}
