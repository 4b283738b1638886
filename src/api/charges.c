/* /v1/charges: now and queued, their refunds; what an item of a batch is, too. */
#include <string.h>

#include "api/batch.h"
#include "api/billing.h"
#include "base/id.h"
#include "engine/charge.h"

struct charge_body {
    struct json_text account;
    int64_t amount;
    struct json_text reference;
    struct json_text mode;
    struct json_text idempotency_key; /* of an item of a batch */
};

static bool is_mode(const char *data, size_t size)
{
    struct text mode = {data, size};
    return text_equals(mode, TEXT("now")) || text_equals(mode, TEXT("queued"));
}

/* The last row is for items of batches only. */
static const struct json_field charge_fields[] = {
    ACCOUNT_FIELD(struct charge_body, account),
    AMOUNT_FIELD(struct charge_body, true),
    REFERENCE_FIELD(struct charge_body),
    {.name = "mode",
     .kind = JSON_TEXT,
     .offset = offsetof(struct charge_body, mode),
     .min = 1,
     .max = 16,
     .check = is_mode,
     .rule = "must be now or queued"},
    {.name = "idempotency_key",
     .kind = JSON_TEXT,
     .offset = offsetof(struct charge_body, idempotency_key),
     .min = 1,
     .max = IDEMPOTENCY_KEY_MAX,
     .check = idempotency_key_is_valid,
     .rule = "must be 1 to 64 printable characters"},
};

static void fill(struct call *call, const struct charge_body *body, struct command *command)
{
    if (body->mode.data != NULL && text_equals(text_of(body->mode), TEXT("queued"))) {
        *command = (struct command){.type = COMMAND_CHARGE_QUEUE};
        command->of.charge_queue = (struct charge_queue_command){
            .account = text_of(body->account),
            .amount = body->amount,
            .reference = text_of(body->reference),
            .interval_ms = call->api->options.charges_drain_interval_ms,
            .count_max = call->api->options.charges_drain_max};
    } else {
        *command = (struct command){.type = COMMAND_CHARGE};
        command->of.charge =
            (struct money_command){text_of(body->account), body->amount, text_of(body->reference)};
    }
}

static enum outcome bind_item(struct call *call, const struct json_value *json,
                              struct command *command, struct text *idempotency_key,
                              struct json_errors *errors)
{
    struct charge_body body = {.amount = 0};
    uint64_t given;

    if (!json_bind(call->arena, json, charge_fields, FIELD_COUNT(charge_fields), &body, &given, "",
                   errors))
        return OUTCOME_INVALID;
    fill(call, &body, command);
    *idempotency_key = text_of(body.idempotency_key);
    return OUTCOME_OK;
}

static void write_charge(struct json_writer *w, const struct charge *charge, struct text account)
{
    json_id(w, "id", "chg_", charge->number);
    json_text(w, "account", account.data, account.size);
    json_int(w, "amount", charge->amount);
    json_text_or_null(w, "reference", charge->reference, charge->reference_size);
    json_string(w, "status", charge->entry == 0 ? "queued" : "settled");
    json_int(w, "balance", charge->balance);
    json_id_or_null(w, "entry", "ent_", charge->entry);
    json_time(w, "created_at", id_time_ms(charge->number));
}

static void keep_item(struct arena *texts, struct command *command)
{
    if (command->type == COMMAND_CHARGE) {
        struct money_command *charge = &command->of.charge;
        charge->account = batch_keep_text(texts, charge->account);
        charge->reference = batch_keep_text(texts, charge->reference);
    } else {
        struct charge_queue_command *charge = &command->of.charge_queue;
        charge->account = batch_keep_text(texts, charge->account);
        charge->reference = batch_keep_text(texts, charge->reference);
    }
}

static size_t text_bytes(const struct command *command)
{
    const struct money_command *now = &command->of.charge;
    const struct charge_queue_command *queued = &command->of.charge_queue;

    return command->type == COMMAND_CHARGE
               ? batch_text_bytes(now->account) + batch_text_bytes(now->reference)
               : batch_text_bytes(queued->account) + batch_text_bytes(queued->reference);
}

static int status_of(const struct command *command)
{
    return command->type == COMMAND_CHARGE_QUEUE ? 202 : 201;
}

static void write_item(const struct api *api, struct json_writer *w, const char *name,
                       const struct command *command, const struct result *result)
{
    bool is_queued = command->type == COMMAND_CHARGE_QUEUE;
    const struct money_command *now = &command->of.charge;
    const struct charge_queue_command *queued = &command->of.charge_queue;
    struct text reference = is_queued ? queued->reference : now->reference;
    struct charge charge = {.number = result->number,
                            .amount = is_queued ? queued->amount : now->amount,
                            .entry = is_queued ? 0 : result->number,
                            .balance = result->of.entry.balance,
                            .reference_size = (uint8_t)reference.size};

    (void)api;
    if (reference.size > 0)
        memcpy(charge.reference, reference.data, reference.size);
    json_object_begin(w, name);
    write_charge(w, &charge, is_queued ? queued->account : now->account);
    json_object_end(w);
}

const struct batch_kind charge_batch_kind = {
    .bind = bind_item,
    .keep = keep_item,
    .text_bytes = text_bytes,
    .status = status_of,
    .write = write_item,
};

void api_charge_batch(struct call *call)
{
    batch_answer(call);
}

void api_charge_create(struct call *call)
{
    struct charge_body body = {.amount = 0};
    struct command command;
    struct result result;
    uint64_t given;

    if (!call_bind(call, charge_fields, FIELD_COUNT(charge_fields) - 1, &body, &given))
        return;
    fill(call, &body, &command);
    if (call_run(call, &command, &result)) {
        struct json_writer w = call_answer(call);
        call->reply->status = status_of(&command);
        write_item(call->api, &w, NULL, &command, &result);
    }
}

void api_charge_get(struct call *call)
{
    struct account account;
    struct charge charge;
    uint64_t number;
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is_found = id_parse(call->params[0].data, call->params[0].size, "chg_", &number) &&
                    charge_find(txn, number, &charge) &&
                    account_find_number(txn, charge.account, &account);

    call_read_end(call, txn);
    if (is_found) {
        struct json_writer w = call_answer(call);
        if (charge.entry == 0)
            charge.balance = account.row.balance;
        json_object_begin(&w, NULL);
        write_charge(&w, &charge, (struct text){account.id, account.id_size});
        json_int(&w, "refunded", charge.refunded);
        json_object_end(&w);
    } else {
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
    }
}

struct refund_body {
    int64_t amount;
};

static const struct json_field refund_fields[] = {AMOUNT_FIELD(struct refund_body, false)};

void api_refund_create(struct call *call)
{
    struct refund_body body = {.amount = 0};
    struct command command = {.type = COMMAND_REFUND};
    struct refund_command *refund = &command.of.refund;
    struct account account;
    struct result result;
    uint64_t given = 0;

    if (!call_path_number(call, "chg_", OUTCOME_NOT_FOUND, &refund->charge))
        return;
    if (call->json != NULL &&
        !call_bind(call, refund_fields, FIELD_COUNT(refund_fields), &body, &given))
        return;
    refund->has_amount = given != 0;
    refund->amount = body.amount;
    if (call_run(call, &command, &result) &&
        call_account(call, result.of.refund.account, &account)) {
        struct json_writer w = call_answer(call);
        write_entry(&w, &(struct entry_view){.number = result.number,
                                             .account = {account.id, account.id_size},
                                             .type = ENTRY_REFUND,
                                             .amount = result.of.refund.amount,
                                             .balance = result.of.refund.balance,
                                             .count = 1,
                                             .source_type = SOURCE_CHARGE,
                                             .source = refund->charge});
    }
}
