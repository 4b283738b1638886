/* From an op's plain numbers to a command, by what the model has at that moment. */
#include <string.h>

#include "engine/charge.h"
#include "episode.h"

int64_t op_amount(const struct op *op, int64_t all)
{
    int64_t amount = 1 + op->number % 200;

    if (all < 0)
        all = 0;
    switch ((enum amount_kind)op->amount_kind) {
    case AMOUNT_ALL:
    case AMOUNT_FULL:
        amount = all;
        break;
    case AMOUNT_ALL_AND_ONE:
        amount = all + 1;
        break;
    case AMOUNT_HALF:
        amount = all / 2;
        break;
    case AMOUNT_LARGE:
        amount = 1 + (int64_t)op->number * (AMOUNT_MAX / 1000 / UINT32_MAX);
        break;
    case AMOUNT_HUGEST:
        amount = AMOUNT_MAX;
        break;
    default:
        break;
    }
    if (amount > AMOUNT_MAX)
        return AMOUNT_MAX;
    return amount < 1 ? 1 : amount;
}

struct text op_account_id(uint8_t account)
{
    static const char ids[] = "u0u1u2u3u4u5u6u7u8u9";

    return (struct text){ids + 2 * account, 2};
}

static struct text reference_of(const struct op *op)
{
    static const char longest[REFERENCE_MAX + 1] =
        "order-0123456789abcdef0123456789abcdef0123456789abcdef-0123456789"
        "order-0123456789abcdef0123456789abcdef0123456789abcdef-01234567";

    switch (op->reference) {
    case 0:
        return (struct text){longest, REFERENCE_MAX};
    case 1:
        return (struct text){longest, 64};
    case 2:
    case 3:
        return (struct text){longest, 1 + op->number % 12};
    default:
        return (struct text){NULL, 0};
    }
}

static struct money_command money_of(const struct episode *episode, const struct op *op)
{
    return (struct money_command){
        op_account_id(op->account),
        op_amount(op, model_available(&episode->model->accounts[op->account])), reference_of(op)};
}

/* What is there says nothing about what may come. */
static struct money_command topup_of(const struct episode *episode, const struct op *op)
{
    struct money_command money = money_of(episode, op);

    if (op->amount_kind == AMOUNT_FULL)
        money.amount = op_amount(op, AMOUNT_MAX - episode->model->accounts[op->account].balance);
    else if (op->amount_kind == AMOUNT_ALL || op->amount_kind == AMOUNT_HALF)
        money.amount = 1 + op->pick % 5000;
    return money;
}

static void open_command(const struct op *op, struct command *command)
{
    struct account_create_command *create = &command->of.account_create;

    create->id = op_account_id(op->other);
    memcpy(create->currency,
           model_currencies[op->number % 4 == 0 ? op->pick % MODEL_CURRENCIES : 0], 3);
    create->credit_limit = op->number % 3 == 0 ? op_amount(op, 1000) : 0;
    create->has_low_balance = op->pick % 2 == 0;
    create->low_balance = (int64_t)(op->pick % 400) - 100;
}

static void set_command(const struct op *op, struct command *command)
{
    struct account_update_command *update = &command->of.account_update;
    uint32_t which = op->pick;

    update->id = op_account_id(op->account);
    if (which % 64 == 63)
        update->id = TEXT("@world");
    update->has_status = which & 1;
    update->status = op->number % 4 == 0 ? ACCOUNT_FROZEN : ACCOUNT_ACTIVE;
    update->has_credit_limit = (which & 6) == 0;
    update->credit_limit = op->number % 5 == 0 ? 0 : op_amount(op, 1000);
    update->has_low_balance = (which & 24) == 0;
    update->is_low_balance_cleared = op->number % 7 == 0;
    update->low_balance = (int64_t)(op->number % 1000) - 300;
    update->has_packets_blocked = (which & 32) != 0;
    update->packets_blocked = op->number % 8 == 1;
}

uint64_t op_number_of_another(const struct episode *episode, const struct op *op)
{
    const struct model *model = episode->model;

    switch (op->number % 4) {
    case 0:
        return op->pick;
    case 1: /* an entry: a top-up's, a drain's, one side of a transfer */
        return model->entries == 0 ? 1 : model->entry[op->pick % model->entries].number;
    case 2:
        return model->holds == 0 ? 1 : model->hold[op->pick % model->holds].number;
    default:
        return model->charges == 0 ? 1 : model->charge[op->pick % model->charges].number + 1;
    }
}

/* The newest are picked more often: they are the ones still open. */
static uint32_t pick_of(const struct op *op, uint32_t count)
{
    uint32_t back = op->pick % count;

    if (op->pick & 0x80000000)
        back = op->pick % (count < 8 ? count : 8);
    return count - 1 - back;
}

static bool refund_command(const struct episode *episode, const struct op *op,
                           struct command *command)
{
    struct refund_command *refund = &command->of.refund;
    const struct model_charge *charge;

    if (op->pick % 32 == 31) {
        refund->charge = op_number_of_another(episode, op);
        return true;
    }
    if (episode->model->charges == 0)
        return false;
    charge = &episode->model->charge[pick_of(op, episode->model->charges)];
    refund->charge = charge->number;
    refund->has_amount = op->amount_kind != AMOUNT_LEFT_OUT;
    refund->amount = op_amount(op, charge->amount - charge->refunded);
    return true;
}

static bool hold_of(const struct episode *episode, const struct op *op, uint64_t *number,
                    int64_t *amount)
{
    const struct model_hold *hold;

    *amount = 1;
    *number = op_number_of_another(episode, op);
    if (op->pick % 32 == 31 && model_find_hold(episode->model, *number) == NULL)
        return true;
    if (episode->model->holds == 0)
        return false;
    hold = &episode->model->hold[pick_of(op, episode->model->holds)];
    *number = hold->number;
    *amount = hold->amount;
    return true;
}

static bool repeat_command(struct episode *episode, const struct op *op, struct command *command)
{
    if (episode->model->keys == 0)
        return false;
    *command = episode->keyed[pick_of(op, episode->model->keys)];
    if (op->number % 4 == 0)
        command->fingerprint++; /* another body */
    return true;
}

static void sweep_command(struct episode *episode, const struct op *op, struct command *command)
{
    struct idempotency_expire_command *sweep = &command->of.idempotency_expire;
    uint32_t keys = episode->model->keys;

    sweep->count = keys < SWEEP_KEYS_MAX ? keys : SWEEP_KEYS_MAX;
    sweep->keys = episode->sweep_keys;
    for (size_t i = 0; i < sweep->count; i++)
        episode->sweep_keys[i] = episode->keyed[(op->pick + i) % keys].key;
}

/* A key of its own. Groups that were aborted give theirs back. */
static void take_key(struct episode *episode, struct command *command)
{
    uint32_t index = episode->model->keys++;

    episode->model->key[index] = (struct model_key){false};
    command->has_key = true;
    command->key = (struct hash128){index, 0x9e3779b97f4a7c15};
    command->fingerprint = 1 + 1000 * (uint64_t)episode->at;
    episode->keyed[index] = *command;
}

/* Ops that are commands of the same name. */
#define SAME(name) [OP_##name] = COMMAND_##name

static enum command_type type_of(const struct op *op)
{
    static const enum command_type types[OP_COUNT] = {[OP_OPEN] = COMMAND_ACCOUNT_CREATE,
                                                      [OP_SET] = COMMAND_ACCOUNT_UPDATE,
                                                      SAME(TOPUP),
                                                      SAME(PAYOUT),
                                                      SAME(CHARGE),
                                                      [OP_QUEUE] = COMMAND_CHARGE_QUEUE,
                                                      SAME(REFUND),
                                                      SAME(TRANSFER),
                                                      [OP_HOLD] = COMMAND_HOLD_CREATE,
                                                      [OP_CAPTURE] = COMMAND_HOLD_CAPTURE,
                                                      [OP_RELEASE] = COMMAND_HOLD_RELEASE,
                                                      SAME(PACKET_SEND),
                                                      SAME(PACKET_GRAB),
                                                      SAME(PACKET_OPEN),
                                                      SAME(PACKET_SWEEP),
                                                      SAME(EXCEPTION_RETRY),
                                                      SAME(EXCEPTION_CLOSE),
                                                      SAME(CATALOG_PUT),
                                                      SAME(CATALOG_STATUS),
                                                      SAME(QUOTA_CHANGE),
                                                      SAME(MESSAGE_SUBMIT),
                                                      SAME(MESSAGE_SENDING),
                                                      SAME(MESSAGE_RESULT),
                                                      SAME(MESSAGE_RECOVER),
                                                      SAME(MESSAGE_CANCEL),
                                                      SAME(MESSAGE_REPLAY),
                                                      SAME(MESSAGE_SWEEP),
                                                      SAME(RECEIPT),
                                                      SAME(BLOCKLIST_PUT),
                                                      SAME(BLOCKLIST_DELETE),
                                                      SAME(CITY_PUT),
                                                      SAME(SIGNALS),
                                                      SAME(VISIT_EXPIRE),
                                                      SAME(WELCOME_EXPIRE),
                                                      SAME(VERIFICATION_CREATE),
                                                      SAME(VERIFICATION_CHECK),
                                                      SAME(CAMPAIGN_CREATE),
                                                      [OP_CAMPAIGN_UPLOAD] =
                                                          COMMAND_CAMPAIGN_RECIPIENTS,
                                                      SAME(CAMPAIGN_CONFIRM),
                                                      SAME(CAMPAIGN_PAUSE),
                                                      SAME(CAMPAIGN_RESUME),
                                                      SAME(CAMPAIGN_CANCEL),
                                                      SAME(RECEIVED),
                                                      SAME(REFUSAL),
                                                      SAME(BATCH),
                                                      [OP_SWEEP] = COMMAND_IDEMPOTENCY_EXPIRE,
                                                      [OP_CLOCK] = COMMAND_CLOCK_ADVANCE};

    return types[op->type];
}

/* May a client give it an Idempotency-Key? Of the others some are smsd's own; some point to what
 * is gone when they are repeated. */
static bool may_have_key(const struct op *op)
{
    switch ((enum op_type)op->type) {
    case OP_SET:
    case OP_SWEEP:
    case OP_CLOCK:
    case OP_PACKET_SWEEP:
    case OP_CATALOG_PUT:
    case OP_MESSAGE_SENDING:
    case OP_MESSAGE_RESULT:
    case OP_MESSAGE_RECOVER:
    case OP_MESSAGE_SWEEP:
    case OP_RECEIPT:
    case OP_VISIT_EXPIRE:
    case OP_WELCOME_EXPIRE:
    case OP_CAMPAIGN_UPLOAD:
    case OP_RECEIVED:
        return false;
    default:
        return true;
    }
}

static bool is_of_cities(const struct op *op)
{
    return op->type == OP_CITY_PUT || op->type == OP_SIGNALS || op->type == OP_VISIT_EXPIRE ||
           op->type == OP_WELCOME_EXPIRE;
}

static bool fill(struct episode *episode, const struct op *op, struct command *command)
{
    static const enum outcome refusals[] = {OUTCOME_NOT_FOUND, OUTCOME_INVALID, OUTCOME_CONFLICT,
                                            OUTCOME_UNKNOWN_FIELD};
    struct money_command money = money_of(episode, op);
    uint8_t other = (uint8_t)((op->account + 1 + op->other) % PLAN_ACCOUNTS_MAX);

    switch ((enum op_type)op->type) {
    case OP_OPEN:
        open_command(op, command);
        return true;
    case OP_SET:
        set_command(op, command);
        return true;
    case OP_TOPUP:
        command->of.topup = topup_of(episode, op);
        return true;
    case OP_PAYOUT:
    case OP_CHARGE:
        command->of.charge = money;
        return true;
    case OP_QUEUE:
        command->of.charge_queue = (struct charge_queue_command){
            money.account, money.amount, money.reference, episode->plan->drain_interval_ms,
            episode->plan->drain_max};
        return true;
    case OP_REFUND:
        return refund_command(episode, op, command);
    case OP_TRANSFER:
        command->of.transfer = (struct transfer_command){
            money.account, op_account_id(other == op->account ? (uint8_t)(other ^ 1) : other),
            money.amount, money.reference};
        return true;
    case OP_HOLD:
        command->of.hold_create = (struct hold_create_command){
            money.account, money.amount,
            op->pick % 2 == 0 ? 1 + op->pick % 2000 : 1 + op->pick % (3 * 24 * 60 * 60 * 1000)};
        return true;
    case OP_CAPTURE:
        command->of.hold_capture.has_amount = op->amount_kind != AMOUNT_LEFT_OUT;
        if (!hold_of(episode, op, &command->of.hold_capture.hold, &money.amount))
            return false;
        command->of.hold_capture.amount = op_amount(op, money.amount);
        return true;
    case OP_RELEASE:
        return hold_of(episode, op, &command->of.hold_release.hold, &money.amount);
    case OP_REFUSAL:
        command->of.refusal.outcome = refusals[op->pick % 4];
        return true;
    case OP_SWEEP:
        sweep_command(episode, op, command);
        return true;
    case OP_CLOCK:
        command->of.clock_advance.offset_ms = op->pick;
        return true;
    case OP_PACKET_SEND:
    case OP_PACKET_GRAB:
    case OP_PACKET_OPEN:
    case OP_PACKET_SWEEP:
    case OP_EXCEPTION_RETRY:
    case OP_EXCEPTION_CLOSE:
        return op_packet_command(episode, op, command);
    case OP_BATCH:
        return true;
    default:
        return is_of_cities(op) ? op_city_command(episode, op, command)
                                : op_message_command(episode, op, command);
    }
}

bool op_command(struct episode *episode, const struct op *op, struct command *command)
{
    if (op->type == OP_REPEAT)
        return repeat_command(episode, op, command);
    *command = (struct command){.type = type_of(op)};
    if (!fill(episode, op, command))
        return false;
    if (op->type == OP_REFUSAL || op->type == OP_BATCH || (op->has_key && may_have_key(op)))
        take_key(episode, command);
    return true;
}
