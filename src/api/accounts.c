/* /v1/accounts: making, changing and showing accounts, one, many at once, or as a list. An account
 * is written by write_account wherever one is answered; what of it is available is the engine's sum
 * (engine/ledger.h), not computed here. */
#include <string.h>

#include "api/billing.h"
#include "api/page.h"
#include "base/bytes.h"
#include "base/id.h"

enum { LOOKUP_MAX = 1000 };

static bool is_currency(const char *data, size_t size)
{
    return size == CURRENCY_SIZE && data[0] >= 'A' && data[0] <= 'Z' && data[1] >= 'A' &&
           data[1] <= 'Z' && data[2] >= 'A' && data[2] <= 'Z';
}

void write_account(struct json_writer *writer, const char *name, struct text id,
                   const struct account_row *row)
{
    bool is_system = (row->flags & ACCOUNT_IS_SYSTEM) != 0;

    json_object_begin(writer, name);
    json_text(writer, "id", id.data, id.size);
    json_text(writer, "currency", row->currency, CURRENCY_SIZE);
    json_int(writer, "balance", row->balance);
    json_int(writer, "held", row->held);
    json_int(writer, "pending", row->pending);
    json_int(writer, "available", account_available(row));
    json_int(writer, "credit_limit", row->credit_limit);
    if (row->flags & ACCOUNT_HAS_LOW_BALANCE)
        json_int(writer, "low_balance", row->low_balance);
    else
        json_null(writer, "low_balance");
    json_string(writer, "status", row->status == ACCOUNT_FROZEN ? "frozen" : "active");
    json_bool(writer, "packets_blocked", (row->flags & ACCOUNT_PACKETS_BLOCKED) != 0);
    /* A system account's number is no time. */
    json_time(writer, "created_at", is_system ? row->updated_ms : id_time_ms(row->number));
    json_time(writer, "updated_at", row->updated_ms);
    json_object_end(writer);
}

struct account_body {
    struct json_text id, currency;
    int64_t credit_limit, low_balance;
};

static const struct json_field account_fields[] = {
    ACCOUNT_FIELD(struct account_body, id),
    {.name = "currency",
     .kind = JSON_TEXT,
     .offset = offsetof(struct account_body, currency),
     .min = CURRENCY_SIZE,
     .max = CURRENCY_SIZE,
     .check = is_currency,
     .rule = "must be three capital letters of ISO 4217"},
    {.name = "credit_limit",
     .kind = JSON_INT,
     .offset = offsetof(struct account_body, credit_limit),
     .max = AMOUNT_MAX},
    {.name = "low_balance",
     .kind = JSON_INT,
     .offset = offsetof(struct account_body, low_balance),
     .is_nullable = true,
     .min = -AMOUNT_MAX,
     .max = AMOUNT_MAX},
};

void api_account_create(struct call *call)
{
    struct account_body body = {.currency = {CURRENCY_DEFAULT, CURRENCY_SIZE},
                                .low_balance = INT64_MIN};
    struct command command = {.type = COMMAND_ACCOUNT_CREATE};
    struct account_create_command *create = &command.of.account_create;
    struct result result;
    uint64_t given;

    if (!call_bind(call, account_fields, FIELD_COUNT(account_fields), &body, &given))
        return;
    create->id = text_of(body.id);
    memcpy(create->currency, body.currency.data, CURRENCY_SIZE);
    create->credit_limit = body.credit_limit;
    create->has_low_balance = body.low_balance != INT64_MIN;
    create->low_balance = body.low_balance;
    if (call_run(call, &command, &result)) {
        struct json_writer w = call_answer(call);
        write_account(&w, NULL, create->id, &result.of.account.row);
    }
}

struct account_change {
    struct json_text status;
    int64_t credit_limit, low_balance;
    bool packets_blocked;
};

static bool is_status(const char *data, size_t size)
{
    struct text status = {data, size};
    return text_equals(status, TEXT("active")) || text_equals(status, TEXT("frozen"));
}

enum { CHANGE_STATUS, CHANGE_CREDIT_LIMIT, CHANGE_LOW_BALANCE, CHANGE_PACKETS_BLOCKED };

static const struct json_field change_fields[] = {
    [CHANGE_STATUS] = {.name = "status",
                       .kind = JSON_TEXT,
                       .offset = offsetof(struct account_change, status),
                       .min = 1,
                       .max = 16,
                       .check = is_status,
                       .rule = "must be active or frozen"},
    [CHANGE_CREDIT_LIMIT] = {.name = "credit_limit",
                             .kind = JSON_INT,
                             .offset = offsetof(struct account_change, credit_limit),
                             .max = AMOUNT_MAX},
    [CHANGE_LOW_BALANCE] = {.name = "low_balance",
                            .kind = JSON_INT,
                            .offset = offsetof(struct account_change, low_balance),
                            .is_nullable = true,
                            .min = -AMOUNT_MAX,
                            .max = AMOUNT_MAX},
    [CHANGE_PACKETS_BLOCKED] = {.name = "packets_blocked",
                                .kind = JSON_BOOL,
                                .offset = offsetof(struct account_change, packets_blocked)},
};

void api_account_update(struct call *call)
{
    struct account_change body = {.low_balance = INT64_MIN};
    struct command command = {.type = COMMAND_ACCOUNT_UPDATE};
    struct account_update_command *update = &command.of.account_update;
    struct result result;
    uint64_t given;

    if (!call_bind(call, change_fields, FIELD_COUNT(change_fields), &body, &given))
        return;
    update->id = call->params[0];
    update->has_status = given >> CHANGE_STATUS & 1;
    update->status = update->has_status && text_equals(text_of(body.status), TEXT("frozen"))
                         ? ACCOUNT_FROZEN
                         : ACCOUNT_ACTIVE;
    update->has_credit_limit = given >> CHANGE_CREDIT_LIMIT & 1;
    update->credit_limit = body.credit_limit;
    update->has_low_balance = given >> CHANGE_LOW_BALANCE & 1;
    update->is_low_balance_cleared = body.low_balance == INT64_MIN;
    update->low_balance = body.low_balance;
    update->has_packets_blocked = given >> CHANGE_PACKETS_BLOCKED & 1;
    update->packets_blocked = body.packets_blocked;
    if (call_run(call, &command, &result)) {
        struct json_writer w = call_answer(call);
        write_account(&w, NULL, update->id, &result.of.account.row);
    }
}

void api_account_get(struct call *call)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct account account;
    bool is_found = account_find(txn, call->params[0], &account);

    call_read_end(call, txn);
    if (is_found) {
        struct json_writer w = call_answer(call);
        write_account(&w, NULL, call->params[0], &account.row);
    } else {
        call_refuse(call, OUTCOME_ACCOUNT_NOT_FOUND, NULL);
    }
}

bool call_account(struct call *call, uint64_t number, struct account *account)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is_found = account_find_number(txn, number, account);

    call_read_end(call, txn);
    if (!is_found)
        call_refuse(call, OUTCOME_INTERNAL, "an account is missing");
    return is_found;
}

static bool take_account(void *context, struct txn *txn, uint64_t number, const struct txn_walk *at)
{
    struct json_writer *w = context;
    struct account account;

    (void)number;
    if (!account_find(txn, (struct text){at->value, at->value_size}, &account))
        return false;
    write_account(w, NULL, (struct text){account.id, account.id_size}, &account.row);
    return true;
}

void api_account_list(struct call *call)
{
    call_list_numbered(call, TABLE_ACCOUNT_NUMBER, take_account);
}

struct lookup_body {
    struct json_texts accounts;
};

static const struct json_field lookup_fields[] = {
    {.name = "accounts",
     .kind = JSON_TEXTS,
     .offset = offsetof(struct lookup_body, accounts),
     .is_required = true,
     .max = LOOKUP_MAX,
     .text_bytes_max = ACCOUNT_ID_MAX},
};

/* Those that exist, in the order asked for. */
void api_account_lookup(struct call *call)
{
    struct lookup_body body;
    struct json_writer w;
    struct txn *txn;
    uint64_t given;

    if (!call_bind(call, lookup_fields, FIELD_COUNT(lookup_fields), &body, &given))
        return;
    w = call_begin_list(call);
    txn = pipeline_read_begin(call->api->pipeline);
    for (size_t i = 0; i < body.accounts.count; i++) {
        struct text id = text_of(body.accounts.items[i]);
        struct account account;
        if (account_find(txn, id, &account))
            write_account(&w, NULL, id, &account.row);
    }
    call_read_end(call, txn);
    call_end_list(&w, 0);
}
