/* The rules of billing: top-ups, charges now and queued, refunds, transfers, holds. Where the
 * contract leaves the order of refusals open, it is: there at all, open, active, covered, in range.
 */
#include <assert.h>

#include "model_rules.h"

enum outcome rule_take(struct model *model, const struct command *command, enum model_system system,
                       enum entry_type type, struct expected *expected)
{
    const struct money_command *money = &command->of.charge;
    int index = expected->account = model_account_of(money->account);
    enum outcome outcome = model_may_pay(&model->accounts[index], money->amount);
    bool is_charge = type == ENTRY_CHARGE;
    struct model_entry entry = {.type = type,
                                .count = 1,
                                .amount = -money->amount,
                                .source_type = is_charge ? SOURCE_CHARGE : SOURCE_NONE,
                                .source = is_charge ? command->number : 0,
                                .reference = money->reference};
    uint32_t made;

    if (outcome != OUTCOME_OK)
        return outcome;
    if (!model_move(model, index, system, entry, command->now_ms, &made))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    if (is_charge)
        model->charge[model->charges++] = (struct model_charge){.number = command->number,
                                                                .account = (int8_t)index,
                                                                .amount = money->amount,
                                                                .entry = made,
                                                                .reference = money->reference};
    return OUTCOME_OK;
}

enum outcome rule_topup(struct model *model, const struct command *command,
                        struct expected *expected)
{
    const struct money_command *money = &command->of.topup;
    int index = expected->account = model_account_of(money->account);
    struct model_entry entry = {
        .type = ENTRY_TOPUP, .count = 1, .amount = money->amount, .reference = money->reference};
    bool is_new = !model->accounts[index].is_there;
    uint32_t made;

    if (is_new)
        model_open_account(model, index, 0, command->number, command->now_ms);
    if (model_move(model, index, MODEL_WORLD, entry, command->now_ms, &made))
        return OUTCOME_OK;
    if (is_new) {
        model->accounts[index].is_there = false;
        model->accounts_there--;
    }
    return OUTCOME_AMOUNT_OUT_OF_RANGE;
}

enum outcome rule_transfer(struct model *model, const struct command *command,
                           struct expected *expected)
{
    const struct transfer_command *asked = &command->of.transfer;
    int from = expected->account = model_account_of(asked->from);
    int to = expected->other = model_account_of(asked->to);
    struct model_account *payer = &model->accounts[from], *payee = &model->accounts[to];
    struct model_entry entry = {.type = ENTRY_TRANSFER,
                                .count = 1,
                                .source_type = SOURCE_TRANSFER,
                                .source = command->number,
                                .reference = asked->reference};
    enum outcome outcome;

    if (payer->is_there && payee->is_there && payer->currency != payee->currency)
        return OUTCOME_CURRENCY_MISMATCH;
    outcome = model_may_pay(payer, asked->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!model_is_in_range(payer->balance - asked->amount) ||
        !model_is_in_range((payee->is_there ? payee->balance : 0) + asked->amount))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    if (!payee->is_there)
        model_open_account(model, to, payer->currency, command->number, command->now_ms);
    entry.amount = -asked->amount;
    entry.counter = (int8_t)to;
    model_append(model, from, entry, command->now_ms);
    entry.amount = asked->amount;
    entry.counter = (int8_t)from;
    model_append(model, to, entry, command->now_ms);
    return OUTCOME_OK;
}

enum outcome rule_refund(struct model *model, const struct command *command,
                         struct expected *expected)
{
    const struct refund_command *asked = &command->of.refund;
    struct model_charge *charge = model_find_charge(model, asked->charge);
    struct model_entry entry = {
        .type = ENTRY_REFUND, .count = 1, .source_type = SOURCE_CHARGE, .source = asked->charge};
    uint32_t made;
    int64_t left;

    if (charge == NULL)
        return OUTCOME_NOT_FOUND;
    if (charge->entry == 0)
        return OUTCOME_CONFLICT;
    left = charge->amount - charge->refunded;
    entry.amount = expected->amount = asked->has_amount ? asked->amount : left;
    if (left == 0)
        return OUTCOME_ALREADY_REFUNDED;
    expected->account = charge->account;
    if (entry.amount > left ||
        !model_move(model, charge->account, MODEL_REVENUE, entry, command->now_ms, &made))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    model->charges_refunded += charge->refunded == 0;
    charge->refunded += entry.amount;
    return OUTCOME_OK;
}

/* --- queued charges ------------------------------------------------------------------------------
 */

static void join_group(struct model *model, struct model_charge *charge, uint32_t last)
{
    struct model_group *group = last == 0 ? NULL : &model->group[last - 1];

    if (group == NULL || group->count == model->drain_max) {
        model->group[model->groups++] =
            (struct model_group){.number = charge->number, .account = charge->account};
        if (group != NULL)
            group->next = model->groups;
        last = model->groups;
        group = &model->group[last - 1];
    }
    group->count++;
    group->amount += charge->amount;
    group->last = charge->number;
    charge->group = last;
}

enum outcome rule_queue(struct model *model, const struct command *command,
                        struct expected *expected)
{
    const struct charge_queue_command *asked = &command->of.charge_queue;
    int index = expected->account = model_account_of(asked->account);
    struct model_account *account = &model->accounts[index];
    enum outcome outcome = model_may_pay(account, asked->amount);
    struct model_charge *charge = &model->charge[model->charges];

    if (outcome != OUTCOME_OK)
        return outcome;
    *charge = (struct model_charge){.number = command->number,
                                    .account = (int8_t)index,
                                    .is_queued = true,
                                    .amount = asked->amount,
                                    .reference = asked->reference};
    join_group(model, charge,
               account->queued == 0 ? 0 : model->charge[account->queue_last - 1].group);
    model->charges_queued++;
    model->charges++;
    if (account->queued++ == 0) {
        account->queue_first = model->charges;
        account->queue_is_stuck = false;
        account->queue_due_ms = command->now_ms + asked->interval_ms;
        model->queues++;
        model->dues++;
    } else {
        model->charge[account->queue_last - 1].behind = model->charges;
    }
    account->queue_last = model->charges;
    account->pending += asked->amount;
    account->updated_ms = command->now_ms;
    return OUTCOME_OK;
}

/* BILL-4: as many as there are, up to the most of one drain, from the front, as one entry. */
static void settle(struct model *model, int index, uint32_t count, int64_t sum, int64_t now_ms,
                   uint32_t entry)
{
    struct model_account *account = &model->accounts[index];

    model->group[model->charge[account->queue_first - 1].group - 1].entry = entry;
    for (uint32_t i = 0; i < count; i++) {
        struct model_charge *charge = &model->charge[account->queue_first - 1];
        charge->entry = entry;
        account->queue_first = charge->behind;
    }
    account->queued -= count;
    account->pending -= sum;
    account->queue_due_ms = now_ms; /* if more wait: at once */
    model->dues -= account->queued == 0;
    model->queues -= account->queued == 0;
}

enum outcome rule_drain(struct model *model, const struct command *command,
                        struct expected *expected)
{
    int index = expected->account = model_find_account(model, command->of.charge_drain.number);
    struct model_account *account = &model->accounts[index];
    const struct model_charge *charge = &model->charge[account->queue_first - 1];
    struct model_entry entry = {
        .type = ENTRY_CHARGE, .source_type = SOURCE_CHARGE, .source = charge->number};
    uint32_t made;

    assert(account->queued > 0 && !account->queue_is_stuck);
    while (entry.count < model->drain_max && entry.count < account->queued) {
        entry.amount -= charge->amount;
        entry.count++;
        if (charge->behind != 0)
            charge = &model->charge[charge->behind - 1];
    }
    if (account->is_frozen ||
        !model_move(model, index, MODEL_REVENUE, entry, command->now_ms, &made)) {
        account->queue_is_stuck = true;
        model->dues--;
        return OUTCOME_OK;
    }
    settle(model, index, entry.count, -entry.amount, command->now_ms, made);
    return OUTCOME_OK;
}

/* --- holds ---------------------------------------------------------------------------------------
 */

enum outcome rule_hold(struct model *model, const struct command *command,
                       struct expected *expected)
{
    const struct hold_create_command *asked = &command->of.hold_create;
    int index = expected->account = model_account_of(asked->account);
    struct model_account *account = &model->accounts[index];
    enum outcome outcome = model_may_pay(account, asked->amount);

    if (outcome != OUTCOME_OK)
        return outcome;
    model->hold[model->holds++] =
        (struct model_hold){.number = command->number,
                            .account = (int8_t)index,
                            .status = HOLD_OPEN,
                            .amount = asked->amount,
                            .expires_ms = command->now_ms + asked->expires_in_ms};
    model->dues++;
    account->held += asked->amount;
    account->updated_ms = command->now_ms;
    return OUTCOME_OK;
}

static void close_hold(struct model *model, struct model_hold *closed, enum hold_status status,
                       int64_t now_ms)
{
    model->dues--;
    model->accounts[closed->account].held -= closed->amount;
    model->accounts[closed->account].updated_ms = now_ms;
    closed->status = status;
    closed->closed_ms = now_ms;
}

enum outcome rule_capture(struct model *model, const struct command *command,
                          struct expected *expected)
{
    const struct hold_capture_command *asked = &command->of.hold_capture;
    struct model_hold *found = model_find_hold(model, asked->hold);
    struct model_entry entry = {
        .type = ENTRY_CHARGE, .count = 1, .source_type = SOURCE_HOLD, .source = asked->hold};
    int64_t amount;

    if (found == NULL)
        return OUTCOME_NOT_FOUND;
    if (found->status != HOLD_OPEN)
        return OUTCOME_HOLD_CLOSED;
    expected->account = found->account;
    if (model->accounts[found->account].is_frozen)
        return OUTCOME_ACCOUNT_FROZEN;
    amount = asked->has_amount ? asked->amount : found->amount;
    entry.amount = -amount;
    if (amount > found->amount ||
        !model_move(model, found->account, MODEL_REVENUE, entry, command->now_ms, &found->entry))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    close_hold(model, found, HOLD_CAPTURED, command->now_ms);
    found->captured = amount;
    return OUTCOME_OK;
}

enum outcome rule_let_go(struct model *model, const struct command *command,
                         enum hold_status status, struct expected *expected)
{
    uint64_t number =
        status == HOLD_EXPIRED ? command->of.hold_expire.number : command->of.hold_release.hold;
    struct model_hold *found = model_find_hold(model, number);

    if (found == NULL)
        return OUTCOME_NOT_FOUND;
    if (found->status != HOLD_OPEN)
        return OUTCOME_HOLD_CLOSED;
    expected->account = found->account;
    close_hold(model, found, status, command->now_ms);
    return OUTCOME_OK;
}
