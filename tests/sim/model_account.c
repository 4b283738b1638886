/* The rules of accounts: what an account is, what it may pay, and how its balance and history
 * change, whoever it is that moves the money. */
#include <assert.h>
#include <string.h>

#include "model_rules.h"

/* A webhook that has nowhere to go is kept this long. */
#define WEBHOOK_KEPT_MS (INT64_C(30) * 24 * 60 * 60 * 1000)

/* --- money ---------------------------------------------------------------------------------------
 */

bool model_is_in_range(int64_t balance)
{
    return balance >= -AMOUNT_MAX && balance <= AMOUNT_MAX;
}

/* BILL-14: told when the balance goes below the threshold, and not again before it was back. */
static void tell_if_low(struct model *model, int index, int64_t now_ms)
{
    struct model_account *account = &model->accounts[index];
    bool is_low = account->has_low_balance && account->balance < account->low_balance;

    if (is_low && !account->is_low) {
        model->webhook[model->webhooks++] =
            (struct model_webhook){.account = (int8_t)index,
                                   .balance = account->balance,
                                   .low_balance = account->low_balance,
                                   .due_ms = now_ms + WEBHOOK_KEPT_MS};
        model->dues++;
    }
    account->is_low = is_low;
}

uint32_t model_append(struct model *model, int index, struct model_entry entry, int64_t now_ms)
{
    struct model_account *account = &model->accounts[index];

    account->balance += entry.amount;
    account->updated_ms = now_ms;
    entry.account = (int8_t)index;
    entry.balance = account->balance;
    entry.previous = account->entry_last;
    entry.place = ++account->entries;
    model->entry[model->entries++] = entry;
    account->entry_last = model->entries;
    model->marks += entry.place % MODEL_MARK_EVERY == 0;
    tell_if_low(model, index, now_ms);
    return model->entries;
}

bool model_move(struct model *model, int index, enum model_system system, struct model_entry entry,
                int64_t now_ms, uint32_t *made)
{
    const struct model_account *account = &model->accounts[index];
    bool *is_there = &model->systems[system][account->currency].is_there;
    int64_t *other = &model->systems[system][account->currency].balance, after;

    if (!model_is_in_range(account->balance + entry.amount) ||
        __builtin_sub_overflow(*other, entry.amount, &after))
        return false;
    *other = after;
    model->systems_there += !*is_there;
    *is_there = true;
    entry.counter = (int8_t)(-1 - (int)system);
    *made = model_append(model, index, entry, now_ms);
    return true;
}

enum outcome model_may_pay(const struct model_account *account, int64_t amount)
{
    if (!account->is_there)
        return OUTCOME_ACCOUNT_NOT_FOUND;
    if (account->is_frozen)
        return OUTCOME_ACCOUNT_FROZEN;
    return model_available(account) < amount ? OUTCOME_INSUFFICIENT_FUNDS : OUTCOME_OK;
}

void model_open_account(struct model *model, int index, uint8_t currency, uint64_t number,
                        int64_t now_ms)
{
    model->accounts[index] = (struct model_account){
        .is_there = true, .currency = currency, .number = number, .updated_ms = now_ms};
    model->accounts_there++;
}

/* --- accounts ------------------------------------------------------------------------------------
 */

enum outcome rule_create(struct model *model, const struct command *command,
                         struct expected *expected)
{
    const struct account_create_command *asked = &command->of.account_create;
    int index = expected->account = model_account_of(asked->id);
    struct model_account *account = &model->accounts[index];
    uint8_t currency = 0;

    if (account->is_there)
        return OUTCOME_ACCOUNT_EXISTS;
    while (memcmp(model_currencies[currency], asked->currency, 3) != 0)
        currency++;
    model_open_account(model, index, currency, command->number, command->now_ms);
    account->credit_limit = asked->credit_limit;
    account->has_low_balance = asked->has_low_balance;
    account->low_balance = asked->has_low_balance ? asked->low_balance : 0;
    account->is_low = account->has_low_balance && account->balance < account->low_balance;
    return OUTCOME_OK;
}

static void wake_queue(struct model *model, struct model_account *account, int64_t now_ms)
{
    if (account->queued == 0 || !account->queue_is_stuck)
        return;
    account->queue_is_stuck = false;
    account->queue_due_ms = now_ms;
    model->dues++;
}

enum outcome rule_update(struct model *model, const struct command *command,
                         struct expected *expected)
{
    const struct account_update_command *asked = &command->of.account_update;
    int index = expected->account = model_account_of(asked->id);
    struct model_account *account = &model->accounts[index < 0 ? 0 : index];

    if (index < 0)
        return OUTCOME_CONFLICT; /* a system account */
    if (!account->is_there)
        return OUTCOME_ACCOUNT_NOT_FOUND;
    if (asked->has_status)
        account->is_frozen = asked->status == ACCOUNT_FROZEN;
    if (asked->has_credit_limit) {
        account->credit_limit = asked->credit_limit;
        account->available_floor = model_available(account) < 0 ? model_available(account) : 0;
    }
    if (asked->has_low_balance) {
        account->has_low_balance = !asked->is_low_balance_cleared;
        account->low_balance = account->has_low_balance ? asked->low_balance : 0;
        account->is_low = account->has_low_balance && account->balance < account->low_balance;
    }
    if (asked->has_packets_blocked)
        account->packets_blocked = asked->packets_blocked;
    if (!account->is_frozen)
        wake_queue(model, account, command->now_ms);
    account->updated_ms = command->now_ms;
    return OUTCOME_OK;
}
