/* The model as a whole: its lists, what is due in it, its keys, and which rule a command is for. */
#include "model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/outcome.h"
#include "model_rules.h"

const char model_currencies[MODEL_CURRENCIES][4] = {"CNY", "USD", "EUR"};

enum { DRAIN = 1, HOLD_EXPIRY = 2, PACKET_EXPIRY = 3, WEBHOOK = 8 };

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
    memcpy(to->packet, from->packet, from->packets * sizeof *from->packet);
    memcpy(to->exception, from->exception, from->exceptions * sizeof *from->exception);
    memcpy(to->message, from->message, from->messages * sizeof *from->message);
    memcpy(to->received, from->received, from->received_count * sizeof *from->received);
    memcpy(to->other_due, from->other_due, from->other_dues * sizeof *from->other_due);
    memcpy(to->webhook, from->webhook, from->webhooks * sizeof *from->webhook);
    memcpy(to->verification, from->verification, from->verifications * sizeof *from->verification);
    memcpy(to->wrong_check, from->wrong_check, from->wrong_checks * sizeof *from->wrong_check);
    memcpy(to->pumping, from->pumping, from->pumpings * sizeof *from->pumping);
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

/* These lists are in the order of their numbers. */
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

struct model_packet *model_find_packet(struct model *model, uint64_t number)
{
    uint32_t low = 0, high = model->packets;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (model->packet[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < model->packets && model->packet[low].number == number ? &model->packet[low] : NULL;
}

struct model_exception *model_find_exception(struct model *model, uint64_t number)
{
    for (uint32_t i = 0; i < model->exceptions; i++) {
        if (model->exception[i].number == number && number != 0)
            return &model->exception[i];
    }
    return NULL;
}

static bool is_before(const struct model_due *a, const struct model_due *b)
{
    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    return a->kind != b->kind ? a->kind < b->kind : a->number < b->number;
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
            *due = (struct model_due){open->expires_ms, HOLD_EXPIRY, open->number};
    }
    for (uint32_t i = 0; i < model->packets; i++) {
        const struct model_packet *packet = &model->packet[i];
        if (packet->due_ms != 0 && packet->due_ms < due->due_ms)
            *due = (struct model_due){packet->due_ms, PACKET_EXPIRY, packet->number};
    }
    for (uint32_t i = 0; i < model->webhooks; i++) {
        const struct model_webhook *kept = &model->webhook[i];
        struct model_due deletion = {kept->due_ms, WEBHOOK, kept->number};
        if (kept->due_ms != 0 && is_before(&deletion, due))
            *due = deletion;
    }
    for (uint32_t i = 0; i < model->other_dues; i++) {
        if (is_before(&model->other_due[i], due))
            *due = model->other_due[i];
    }
    return due->due_ms != INT64_MAX;
}

struct model_webhook *model_find_webhook(struct model *model, uint64_t number)
{
    for (uint32_t i = 0; i < model->webhooks; i++) {
        if (model->webhook[i].number == number)
            return &model->webhook[i];
    }
    return NULL;
}

/* Nobody has said where it should go, and its days are over. */
static enum outcome delete_webhook(struct model *model, const struct command *command)
{
    model_find_webhook(model, command->of.webhook_due.number)->due_ms = 0;
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
    int status = outcome_infos[result->outcome].status;
    /* API.md: a success, or a 4xx other than 422 and 429. */
    bool is_kept = status == 0 || (status >= 400 && status < 500 && status != 422 && status != 429);

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
        return rule_create(model, command, expected);
    case COMMAND_ACCOUNT_UPDATE:
        return rule_update(model, command, expected);
    case COMMAND_TOPUP:
        return rule_topup(model, command, expected);
    case COMMAND_PAYOUT:
        return rule_take(model, command, MODEL_WORLD, ENTRY_PAYOUT, expected);
    case COMMAND_CHARGE:
        return rule_take(model, command, MODEL_REVENUE, ENTRY_CHARGE, expected);
    case COMMAND_CHARGE_QUEUE:
        return rule_queue(model, command, expected);
    case COMMAND_CHARGE_DRAIN:
        return rule_drain(model, command, expected);
    case COMMAND_REFUND:
        return rule_refund(model, command, expected);
    case COMMAND_TRANSFER:
        return rule_transfer(model, command, expected);
    case COMMAND_HOLD_CREATE:
        return rule_hold(model, command, expected);
    case COMMAND_HOLD_CAPTURE:
        return rule_capture(model, command, expected);
    case COMMAND_HOLD_RELEASE:
        return rule_let_go(model, command, HOLD_RELEASED, expected);
    case COMMAND_HOLD_EXPIRE:
        return rule_let_go(model, command, HOLD_EXPIRED, expected);
    case COMMAND_PACKET_SEND:
        return rule_packet_send(model, command, expected);
    case COMMAND_PACKET_GRAB:
        return rule_packet_grab(model, command, expected);
    case COMMAND_PACKET_OPEN:
        return rule_packet_open(model, command, expected);
    case COMMAND_PACKET_EXPIRE:
        return rule_packet_expire(model, command, expected);
    case COMMAND_EXCEPTION_RETRY:
        return rule_exception_retry(model, command, expected);
    case COMMAND_EXCEPTION_CLOSE:
        return rule_exception_close(model, command, expected);
    case COMMAND_WEBHOOK_DUE:
        return delete_webhook(model, command);
    case COMMAND_IDEMPOTENCY_EXPIRE:
        return sweep(model, command);
    case COMMAND_CLOCK_ADVANCE:
        model->clock_offset_ms = command->of.clock_advance.offset_ms;
        return OUTCOME_OK;
    default: /* BATCH: nothing but its key; PACKET_SWEEP: nothing at all;
                VISIT_EXPIRE, WELCOME_EXPIRE: learn_visits */
        return OUTCOME_OK;
    }
}

void model_run(struct model *model, const struct command *command, struct expected *expected)
{
    const struct model_key *key = command->has_key ? &model->key[command->key.low] : NULL;

    *expected = (struct expected){.account = -1, .other = -1, .packet = -1, .exception = -1};
    if (key != NULL && key->is_kept && !is_expired(key, command->now_ms)) {
        expected->is_replayed = key->fingerprint == command->fingerprint;
        expected->outcome =
            expected->is_replayed ? key->result.outcome : OUTCOME_IDEMPOTENCY_KEY_REUSED;
        return;
    }
    expected->is_open = model_is_open(model, command);
    if (expected->is_open)
        return;
    expected->outcome = run(model, command, expected);
    if (expected->outcome != OUTCOME_OK)
        expected->account = expected->other = expected->packet = expected->exception = -1;
}
