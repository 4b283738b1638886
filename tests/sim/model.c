/* The rules. Where the contract leaves the order of refusals open, it is: there at all, open,
 * active, covered, in range. */
#include "model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char model_currencies[MODEL_CURRENCIES][4] = {"CNY", "USD", "EUR"};

enum { DRAIN = 1, EXPIRY = 2, WEBHOOK = 8 };

#define WEBHOOK_KEPT_MS (INT64_C(30) * 24 * 60 * 60 * 1000)

void model_init(struct model *model, uint32_t drain_max)
{
    memset(model, 0, offsetof(struct model, entry));
    model->drain_max = drain_max;
    for (int i = 0; i < MODEL_SYSTEMS; i++)
        model->systems[i][0].is_there = true;
    model->systems_there = MODEL_SYSTEMS;
}

void model_copy(struct model *to, const struct model *from)
{
    memcpy(to, from, offsetof(struct model, entry));
    memcpy(to->entry, from->entry, from->entries * sizeof *from->entry);
    memcpy(to->charge, from->charge, from->charges * sizeof *from->charge);
    memcpy(to->group, from->group, from->groups * sizeof *from->group);
    memcpy(to->hold, from->hold, from->holds * sizeof *from->hold);
    memcpy(to->webhook, from->webhook, from->webhooks * sizeof *from->webhook);
    memcpy(to->key, from->key, from->keys * sizeof *from->key);
}

int64_t model_available(const struct model_account *account)
{
    return account->balance + account->credit_limit - account->held - account->pending;
}

int model_account_of(struct text id)
{
    int index = id.size == 2 && id.data[0] == 'u' ? id.data[1] - '0' : -1;

    return index >= 0 && index < PLAN_ACCOUNTS_MAX ? index : -1;
}

int model_find_account(const struct model *model, uint64_t number)
{
    for (int i = 0; i < PLAN_ACCOUNTS_MAX; i++) {
        if (model->accounts[i].is_there && model->accounts[i].number == number)
            return i;
    }
    return -1;
}

/* Both lists are in the order of their numbers. */
struct model_charge *model_find_charge(struct model *model, uint64_t number)
{
    uint32_t low = 0, high = model->charges;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (model->charge[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < model->charges && model->charge[low].number == number ? &model->charge[low] : NULL;
}

struct model_hold *model_find_hold(struct model *model, uint64_t number)
{
    uint32_t low = 0, high = model->holds;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (model->hold[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < model->holds && model->hold[low].number == number ? &model->hold[low] : NULL;
}

/* --- money ---------------------------------------------------------------------------------------
 */

static bool is_in_range(int64_t balance)
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
        model->webhooks_kept++;
        model->dues++;
    }
    account->is_low = is_low;
}

/* One line of an account's history. `entry` has all but what follows from the account. */
static uint32_t append(struct model *model, int index, struct model_entry entry, int64_t now_ms)
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

/* Between a user and a system account: false if either would leave its range. */
static bool move(struct model *model, int index, enum model_system system, struct model_entry entry,
                 int64_t now_ms, uint32_t *made)
{
    const struct model_account *account = &model->accounts[index];
    bool *is_there = &model->systems[system][account->currency].is_there;
    int64_t *other = &model->systems[system][account->currency].balance, after;

    if (!is_in_range(account->balance + entry.amount) ||
        __builtin_sub_overflow(*other, entry.amount, &after))
        return false;
    *other = after;
    model->systems_there += !*is_there;
    *is_there = true;
    entry.counter = (int8_t)(-1 - (int)system);
    *made = append(model, index, entry, now_ms);
    return true;
}

/* May an account that is asked to pay? */
static enum outcome may_pay(const struct model_account *account, int64_t amount)
{
    if (!account->is_there)
        return OUTCOME_ACCOUNT_NOT_FOUND;
    if (account->is_frozen)
        return OUTCOME_ACCOUNT_FROZEN;
    return model_available(account) < amount ? OUTCOME_INSUFFICIENT_FUNDS : OUTCOME_OK;
}

static void open_account(struct model *model, int index, uint8_t currency, uint64_t number,
                         int64_t now_ms)
{
    model->accounts[index] = (struct model_account){
        .is_there = true, .currency = currency, .number = number, .updated_ms = now_ms};
    model->accounts_there++;
}

static enum outcome take(struct model *model, const struct command *command,
                         enum model_system system, enum entry_type type, struct expected *expected)
{
    const struct money_command *money = &command->of.charge;
    int index = expected->account = model_account_of(money->account);
    enum outcome outcome = may_pay(&model->accounts[index], money->amount);
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
    if (!move(model, index, system, entry, command->now_ms, &made))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    if (is_charge)
        model->charge[model->charges++] = (struct model_charge){.number = command->number,
                                                                .account = (int8_t)index,
                                                                .amount = money->amount,
                                                                .entry = made,
                                                                .reference = money->reference};
    return OUTCOME_OK;
}

static enum outcome topup(struct model *model, const struct command *command,
                          struct expected *expected)
{
    const struct money_command *money = &command->of.topup;
    int index = expected->account = model_account_of(money->account);
    struct model_entry entry = {
        .type = ENTRY_TOPUP, .count = 1, .amount = money->amount, .reference = money->reference};
    bool is_new = !model->accounts[index].is_there;
    uint32_t made;

    if (is_new)
        open_account(model, index, 0, command->number, command->now_ms);
    if (move(model, index, MODEL_WORLD, entry, command->now_ms, &made))
        return OUTCOME_OK;
    if (is_new) {
        model->accounts[index].is_there = false;
        model->accounts_there--;
    }
    return OUTCOME_AMOUNT_OUT_OF_RANGE;
}

static enum outcome transfer(struct model *model, const struct command *command,
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
    outcome = may_pay(payer, asked->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!is_in_range(payer->balance - asked->amount) ||
        !is_in_range((payee->is_there ? payee->balance : 0) + asked->amount))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    if (!payee->is_there)
        open_account(model, to, payer->currency, command->number, command->now_ms);
    entry.amount = -asked->amount;
    entry.counter = (int8_t)to;
    append(model, from, entry, command->now_ms);
    entry.amount = asked->amount;
    entry.counter = (int8_t)from;
    append(model, to, entry, command->now_ms);
    return OUTCOME_OK;
}

static enum outcome refund(struct model *model, const struct command *command,
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
        !move(model, charge->account, MODEL_REVENUE, entry, command->now_ms, &made))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    model->charges_refunded += charge->refunded == 0;
    charge->refunded += entry.amount;
    return OUTCOME_OK;
}

/* --- accounts ------------------------------------------------------------------------------------
 */

static enum outcome create(struct model *model, const struct command *command,
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
    open_account(model, index, currency, command->number, command->now_ms);
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

static enum outcome update(struct model *model, const struct command *command,
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

static enum outcome queue(struct model *model, const struct command *command,
                          struct expected *expected)
{
    const struct charge_queue_command *asked = &command->of.charge_queue;
    int index = expected->account = model_account_of(asked->account);
    struct model_account *account = &model->accounts[index];
    enum outcome outcome = may_pay(account, asked->amount);
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

static enum outcome drain(struct model *model, const struct command *command,
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
    if (account->is_frozen || !move(model, index, MODEL_REVENUE, entry, command->now_ms, &made)) {
        account->queue_is_stuck = true;
        model->dues--;
        return OUTCOME_OK;
    }
    settle(model, index, entry.count, -entry.amount, command->now_ms, made);
    return OUTCOME_OK;
}

/* --- holds ---------------------------------------------------------------------------------------
 */

static enum outcome hold(struct model *model, const struct command *command,
                         struct expected *expected)
{
    const struct hold_create_command *asked = &command->of.hold_create;
    int index = expected->account = model_account_of(asked->account);
    struct model_account *account = &model->accounts[index];
    enum outcome outcome = may_pay(account, asked->amount);

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

static enum outcome capture(struct model *model, const struct command *command,
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
        !move(model, found->account, MODEL_REVENUE, entry, command->now_ms, &found->entry))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    close_hold(model, found, HOLD_CAPTURED, command->now_ms);
    found->captured = amount;
    return OUTCOME_OK;
}

static enum outcome let_go(struct model *model, const struct command *command,
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

bool model_due_first(const struct model *model, struct model_due *due)
{
    *due = (struct model_due){.due_ms = INT64_MAX};
    for (int i = 0; i < PLAN_ACCOUNTS_MAX; i++) {
        const struct model_account *account = &model->accounts[i];
        if (account->queued == 0 || account->queue_is_stuck)
            continue;
        if (account->queue_due_ms < due->due_ms ||
            (account->queue_due_ms == due->due_ms && account->number < due->number))
            *due = (struct model_due){account->queue_due_ms, DRAIN, account->number};
    }
    for (uint32_t i = 0; i < model->holds; i++) {
        const struct model_hold *open = &model->hold[i];
        if (open->status == HOLD_OPEN && open->expires_ms < due->due_ms)
            *due = (struct model_due){open->expires_ms, EXPIRY, open->number};
    }
    for (uint32_t i = 0; i < model->webhooks; i++) {
        const struct model_webhook *kept = &model->webhook[i];
        if (kept->due_ms != 0 && kept->due_ms < due->due_ms)
            *due = (struct model_due){kept->due_ms, WEBHOOK, kept->number};
    }
    return due->due_ms != INT64_MAX;
}

/* Nobody has said where it should go, and its days are over. */
static enum outcome delete_webhook(struct model *model, const struct command *command)
{
    uint32_t i = 0;

    while (model->webhook[i].number != command->of.webhook_due.number)
        i++;
    model->webhook[i].due_ms = 0;
    model->webhooks_kept--;
    model->dues--;
    return OUTCOME_OK;
}

/* --- keys ----------------------------------------------------------------------------------------
 */

static bool is_expired(const struct model_key *key, int64_t now_ms)
{
    return now_ms - key->at_ms >= INT64_C(24) * 60 * 60 * 1000;
}

static enum outcome sweep(struct model *model, const struct command *command)
{
    const struct idempotency_expire_command *asked = &command->of.idempotency_expire;

    for (size_t i = 0; i < asked->count; i++) {
        struct model_key *key = &model->key[asked->keys[i].low];
        if (key->is_kept && is_expired(key, command->now_ms)) {
            key->is_kept = false;
            model->keys_kept--;
        }
    }
    return OUTCOME_OK;
}

void model_keep(struct model *model, const struct command *command, const struct result *result)
{
    struct model_key *key = &model->key[command->key.low];
    bool is_kept = result->outcome == OUTCOME_OK;

    switch (result->outcome) { /* API.md: a 4xx other than 422 and 429 */
    case OUTCOME_INSUFFICIENT_FUNDS:
    case OUTCOME_NOT_FOUND:
    case OUTCOME_ACCOUNT_NOT_FOUND:
    case OUTCOME_ACCOUNT_EXISTS:
    case OUTCOME_ACCOUNT_FROZEN:
    case OUTCOME_CURRENCY_MISMATCH:
    case OUTCOME_CONFLICT:
    case OUTCOME_ALREADY_REFUNDED:
    case OUTCOME_HOLD_CLOSED:
        is_kept = true;
        break;
    default:
        break;
    }
    if (!command->has_key || !is_kept || result->is_replayed)
        return;
    model->keys_kept += !key->is_kept;
    *key = (struct model_key){true, command->fingerprint, command->now_ms, *result};
}

/* --- dispatch ------------------------------------------------------------------------------------
 */

static enum outcome run(struct model *model, const struct command *command,
                        struct expected *expected)
{
    switch (command->type) {
    case COMMAND_REFUSAL:
        return command->of.refusal.outcome;
    case COMMAND_ACCOUNT_CREATE:
        return create(model, command, expected);
    case COMMAND_ACCOUNT_UPDATE:
        return update(model, command, expected);
    case COMMAND_TOPUP:
        return topup(model, command, expected);
    case COMMAND_PAYOUT:
        return take(model, command, MODEL_WORLD, ENTRY_PAYOUT, expected);
    case COMMAND_CHARGE:
        return take(model, command, MODEL_REVENUE, ENTRY_CHARGE, expected);
    case COMMAND_CHARGE_QUEUE:
        return queue(model, command, expected);
    case COMMAND_CHARGE_DRAIN:
        return drain(model, command, expected);
    case COMMAND_REFUND:
        return refund(model, command, expected);
    case COMMAND_TRANSFER:
        return transfer(model, command, expected);
    case COMMAND_HOLD_CREATE:
        return hold(model, command, expected);
    case COMMAND_HOLD_CAPTURE:
        return capture(model, command, expected);
    case COMMAND_HOLD_RELEASE:
        return let_go(model, command, HOLD_RELEASED, expected);
    case COMMAND_HOLD_EXPIRE:
        return let_go(model, command, HOLD_EXPIRED, expected);
    case COMMAND_WEBHOOK_DUE:
        return delete_webhook(model, command);
    case COMMAND_IDEMPOTENCY_EXPIRE:
        return sweep(model, command);
    case COMMAND_CLOCK_ADVANCE:
        model->clock_offset_ms = command->of.clock_advance.offset_ms;
        return OUTCOME_OK;
    default: /* BATCH: nothing but its key */
        return OUTCOME_OK;
    }
}

void model_run(struct model *model, const struct command *command, struct expected *expected)
{
    const struct model_key *key = command->has_key ? &model->key[command->key.low] : NULL;

    *expected = (struct expected){.account = -1, .other = -1};
    if (key != NULL && key->is_kept && !is_expired(key, command->now_ms)) {
        expected->is_replayed = key->fingerprint == command->fingerprint;
        expected->outcome =
            expected->is_replayed ? key->result.outcome : OUTCOME_IDEMPOTENCY_KEY_REUSED;
        return;
    }
    expected->outcome = run(model, command, expected);
    if (expected->outcome != OUTCOME_OK)
        expected->account = expected->other = -1;
}
