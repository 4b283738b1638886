/* Top-ups, payouts and charges: an amount and an account, and what came of it. */
#include <string.h>

#include "api/billing.h"
#include "base/id.h"

struct money_body {
    struct json_text account;
    int64_t amount;
    struct json_text reference;
    struct json_text mode;
};

#define AMOUNT_FIELD                                                                               \
    {                                                                                              \
        .name = "amount", .kind = JSON_INT, .offset = offsetof(struct money_body, amount),         \
        .is_required = true, .min = 1, .max = AMOUNT_MAX                                           \
    }
#define REFERENCE_FIELD                                                                            \
    {                                                                                              \
        .name = "reference", .kind = JSON_TEXT, .offset = offsetof(struct money_body, reference),  \
        .is_nullable = true, .min = 1, .max = REFERENCE_MAX                                        \
    }

static const struct json_field movement_fields[] = {AMOUNT_FIELD, REFERENCE_FIELD};

static bool is_mode(const char *data, size_t size)
{
    return text_equals((struct text){data, size}, TEXT("now"));
}

static const struct json_field charge_fields[] = {
    {.name = "account",
     .kind = JSON_TEXT,
     .offset = offsetof(struct money_body, account),
     .is_required = true,
     .min = 1,
     .max = ACCOUNT_ID_MAX,
     .check = account_id_is_valid,
     .rule = ACCOUNT_ID_RULE},
    AMOUNT_FIELD,
    REFERENCE_FIELD,
    {.name = "mode",
     .kind = JSON_TEXT,
     .offset = offsetof(struct money_body, mode),
     .min = 1,
     .max = 16,
     .check = is_mode,
     .rule = "must be now"},
};

/* A top-up or payout: the account is in the path, the answer is the entry. */
static void move(struct call *call, enum command_type type, enum entry_type entry_type, int sign)
{
    struct money_body body = {.amount = 0};
    struct command command = {.type = type};
    struct money_command *money = &command.of.topup;
    struct result result;
    struct json_writer w;
    uint64_t given;

    if (!call_bind(call, movement_fields, FIELD_COUNT(movement_fields), &body, &given))
        return;
    if (!account_id_is_valid(call->params[0].data, call->params[0].size)) {
        call_refuse(call, OUTCOME_INVALID, "the account " ACCOUNT_ID_RULE);
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

static void write_charge(struct json_writer *w, uint64_t number, struct text account,
                         int64_t amount, struct text reference, int64_t balance)
{
    json_id(w, "id", "chg_", number);
    json_text(w, "account", account.data, account.size);
    json_int(w, "amount", amount);
    write_reference(w, reference);
    json_string(w, "status", "settled");
    json_int(w, "balance", balance);
    json_id(w, "entry", "ent_", number);
    json_time(w, "created_at", id_time_ms(number));
}

void api_charge_create(struct call *call)
{
    struct money_body body = {.amount = 0};
    struct command command = {.type = COMMAND_CHARGE};
    struct money_command *charge = &command.of.charge;
    struct result result;
    struct json_writer w;
    uint64_t given;

    if (!call_bind(call, charge_fields, FIELD_COUNT(charge_fields), &body, &given))
        return;
    *charge = (struct money_command){text_of(body.account), body.amount, text_of(body.reference)};
    if (!call_run(call, &command, &result))
        return;
    w = call_answer(call);
    json_object_begin(&w, NULL);
    write_charge(&w, result.number, charge->account, charge->amount, charge->reference,
                 result.of.entry.balance);
    json_object_end(&w);
}

void api_charge_get(struct call *call)
{
    struct account account;
    struct entry entry;
    uint64_t number;
    struct txn *txn;
    struct json_writer w;
    bool is_found;

    txn = pipeline_read_begin(call->api->pipeline);
    is_found = id_parse(call->params[0].data, call->params[0].size, "chg_", &number) &&
               entry_find(txn, number, &entry) && entry.row.type == ENTRY_CHARGE &&
               account_find_number(txn, entry.row.account, &account);
    call->reply->hold = pipeline_read_end(call->api->pipeline, txn);
    if (!is_found) {
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
        return;
    }
    w = call_answer(call);
    json_object_begin(&w, NULL);
    write_charge(&w, number, (struct text){account.id, account.id_size}, -entry.row.amount,
                 (struct text){entry.reference, entry.row.reference_size}, entry.row.balance);
    json_int(&w, "refunded", 0);
    json_object_end(&w);
}
