/* Top-ups, payouts and transfers. */
#include <string.h>

#include "api/billing.h"
#include "base/id.h"

struct movement_body {
    int64_t amount;
    struct json_text reference;
};

static const struct json_field movement_fields[] = {
    AMOUNT_FIELD(struct movement_body, true),
    REFERENCE_FIELD(struct movement_body),
};

/* The account is in the path, the answer is the entry. */
static void move(struct call *call, enum command_type type, enum entry_type entry_type, int sign)
{
    struct movement_body body = {.amount = 0};
    struct command command = {.type = type};
    struct money_command *money = &command.of.topup;
    struct result result;
    struct json_writer w;
    uint64_t given;

    if (!call_bind(call, movement_fields, FIELD_COUNT(movement_fields), &body, &given))
        return;
    if (!account_id_is_valid(call->params[0].data, call->params[0].size)) {
        call_refuse(call, OUTCOME_INVALID, "the account's id " ID_RULE);
        return;
    }
    *money = (struct money_command){call->params[0], body.amount, text_of(body.reference)};
    if (!call_run(call, &command, &result))
        return;
    w = call_answer(call);
    write_entry(&w, &(struct entry_view){.number = result.number,
                                         .account = money->account,
                                         .type = entry_type,
                                         .amount = sign * money->amount,
                                         .balance = result.of.entry.balance,
                                         .count = 1,
                                         .reference = money->reference});
}

void api_topup_create(struct call *call)
{
    move(call, COMMAND_TOPUP, ENTRY_TOPUP, 1);
}

void api_payout_create(struct call *call)
{
    move(call, COMMAND_PAYOUT, ENTRY_PAYOUT, -1);
}

struct transfer_body {
    struct json_text from, to;
    int64_t amount;
    struct json_text reference;
};

static const struct json_field transfer_fields[] = {
    ACCOUNT_FIELD(struct transfer_body, from),
    ACCOUNT_FIELD(struct transfer_body, to),
    AMOUNT_FIELD(struct transfer_body, true),
    REFERENCE_FIELD(struct transfer_body),
};

void api_transfer_create(struct call *call)
{
    struct transfer_body body;
    struct command command = {.type = COMMAND_TRANSFER};
    struct transfer_command *transfer = &command.of.transfer;
    struct result result;
    struct json_writer w;
    uint64_t given;

    body = (struct transfer_body){.amount = 0};
    if (!call_bind(call, transfer_fields, FIELD_COUNT(transfer_fields), &body, &given))
        return;
    *transfer = (struct transfer_command){text_of(body.from), text_of(body.to), body.amount,
                                          text_of(body.reference)};
    if (text_equals(transfer->from, transfer->to)) {
        call_refuse_field(call, "/to", "must be another account than from");
        return;
    }
    if (!call_run(call, &command, &result))
        return;
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_id(&w, "id", "trf_", result.number);
    json_text(&w, "from", transfer->from.data, transfer->from.size);
    json_text(&w, "to", transfer->to.data, transfer->to.size);
    json_int(&w, "amount", transfer->amount);
    json_int(&w, "from_balance", result.of.transfer.from_balance);
    json_int(&w, "to_balance", result.of.transfer.to_balance);
    json_object_end(&w);
}
