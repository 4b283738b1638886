/* Submit (SMS-4, SMS-8): checked, routed, charged and queued in one commit. The plan finds
 * everything that is wrong first; what is then written is the message's two rows, its places in the
 * lists, one row of the due index and, unless it is for later, of the outbox, and the entry that
 * pays for it. */
#include <assert.h>

#include "engine/handler.h"
#include "engine/ledger.h"
#include "engine/message.h"
#include "engine/message_plan.h"
#include "engine/outbox.h"
#include "engine/route.h"

/* A product whose quota has not enough left for all parts makes way for another. */
static enum outcome settle(struct engine *engine, struct message_plan *plan)
{
    uint64_t tried[MESSAGE_TRIED_MAX];
    size_t count = 0;

    for (;;) {
        enum outcome outcome;
        message_plan_finish(plan, engine->txn, engine, tried, count);
        outcome = message_plan_outcome(plan);
        if (outcome != OUTCOME_OK)
            return outcome;
        outcome = quota_take(engine, plan->route.product, plan->parts.count);
        if (outcome == OUTCOME_OK || count == MESSAGE_TRIED_MAX)
            return outcome;
        tried[count++] = plan->route.product;
    }
}

/* Answers with the account's number. */
static enum outcome charge(struct engine *engine, const struct message_plan *plan, uint64_t number,
                           uint64_t *account_number)
{
    struct account account;
    enum outcome outcome;

    *account_number = 0;
    if (plan->amount == 0)
        return OUTCOME_OK;
    if (!account_find(engine->txn, plan->account, &account))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    outcome = ledger_may_pay(&account, plan->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    *account_number = account.row.number;
    return ledger_move(engine, &(struct movement){.type = ENTRY_MESSAGE,
                                                  .account = &account,
                                                  .counter = SYSTEM_REVENUE,
                                                  .amount = -plan->amount,
                                                  .entry = number,
                                                  .source_type = SOURCE_MESSAGE,
                                                  .source = number,
                                                  .count = plan->parts.count});
}

static void store_text(struct engine *engine, const struct message_plan *plan,
                       const struct message_made *made, uint64_t account)
{
    const struct message_submit_command *command = plan->command;
    struct message_text text;

    text.row = (struct message_text_row){.tries_max = command->tries_max,
                                         .origin = made->origin_number,
                                         .template = plan->template,
                                         .account = account,
                                         .to = plan->to,
                                         .price = plan->price,
                                         .send_at_ms = plan->send_at_ms,
                                         .expire_at_ms = plan->expire_at_ms};
    text.content = plan->content;
    text.callback_url = command->callback_url;
    text.signature = plan->signature;
    text.client_reference = command->client_reference;
    text.template_id = command->template;
    message_text_store(engine, made->number, &text);
}

static void list(struct engine *engine, const struct message_plan *plan, uint64_t number)
{
    char key[MESSAGE_LIST_KEY_SIZE];

    message_list_key(key, plan->to, number);
    txn_put(engine->txn, TABLE_MESSAGE_TO, key, sizeof key, "", 0);
    message_list_key(key, plan->company, number);
    txn_put(engine->txn, TABLE_MESSAGE_COMPANY, key, sizeof key, "", 0);
}

static void begin(struct engine *engine, const struct message_plan *plan,
                  const struct message_made *made, struct message_row *row)
{
    const struct message_submit_command *command = plan->command;

    *row = (struct message_row){.version = MESSAGE_ROW_VERSION,
                                .status = MESSAGE_QUEUED,
                                .kind = (uint8_t)plan->kind,
                                .encoding = (uint8_t)plan->parts.encoding,
                                .parts = (uint8_t)plan->parts.count,
                                .number = made->number,
                                .product = plan->route.product,
                                .charged = plan->amount,
                                .company = plan->company,
                                .country = {plan->country[0], plan->country[1]},
                                .origin = (uint8_t)made->origin};
    row->flags = (uint8_t)((command->is_test ? MESSAGE_IS_TEST : 0) |
                           (plan->route.failover_on_undelivered ? MESSAGE_HAS_FAILOVER : 0) |
                           (command->callback_url.size > 0 ? MESSAGE_HAS_CALLBACK : 0));
    message_note_quota(engine, row);
    if (plan->send_at_ms != 0) {
        row->status = MESSAGE_SCHEDULED;
        message_set_due(engine, row, plan->send_at_ms);
    } else {
        message_set_due(engine, row, plan->expire_at_ms);
        outbox_put(engine, row, engine->command->now_ms);
    }
    engine->effect->messages_new++;
    message_store(engine, row);
}

enum outcome message_submit(struct engine *engine, const struct message_made *made,
                            struct message_submit_result *result)
{
    struct message_plan plan;
    struct message_row row;
    enum outcome outcome;
    uint64_t account;

    assert(made->submit->tries_max > 0);
    message_plan_begin(&plan, engine->txn, made->submit, engine->command->now_ms);
    *result = (struct message_submit_result){.send_at_ms = 0};
    if (made->is_by_day && plan.send_at_ms != 0 && message_plan_outcome(&plan) == OUTCOME_OK) {
        result->send_at_ms = plan.send_at_ms;
        return OUTCOME_QUIET_HOURS;
    }
    outcome = settle(engine, &plan);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = charge(engine, &plan, made->number, &account);
    if (outcome != OUTCOME_OK)
        return outcome;
    store_text(engine, &plan, made, account);
    list(engine, &plan, made->number);
    begin(engine, &plan, made, &row);
    *result = (struct message_submit_result){.status = row.status,
                                             .kind = row.kind,
                                             .encoding = row.encoding,
                                             .parts = row.parts,
                                             .country = {plan.country[0], plan.country[1]},
                                             .to = plan.to,
                                             .product = row.product,
                                             .price = plan.price,
                                             .send_at_ms = plan.send_at_ms,
                                             .expire_at_ms = plan.expire_at_ms};
    return OUTCOME_OK;
}

enum outcome engine_message_submit(struct engine *engine,
                                   const struct message_submit_command *command,
                                   struct result *answer)
{
    struct message_made made = {
        .submit = command, .number = engine->command->number, .origin = MESSAGE_FROM_CLIENT};

    return message_submit(engine, &made, &answer->of.message_submit);
}
