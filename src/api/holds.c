/* /v1/holds (BILL-8). */
#include <string.h>

#include "api/billing.h"
#include "base/id.h"
#include "engine/hold.h"

enum { EXPIRES_IN_DEFAULT_S = 7 * 86400, EXPIRES_IN_MAX_S = 366 * 86400 };

struct hold_body {
    struct json_text account;
    int64_t amount;
    int64_t expires_in;
};

static const struct json_field hold_fields[] = {
    ACCOUNT_FIELD(struct hold_body, account),
    AMOUNT_FIELD(struct hold_body, true),
    {.name = "expires_in",
     .kind = JSON_INT,
     .offset = offsetof(struct hold_body, expires_in),
     .min = 1,
     .max = EXPIRES_IN_MAX_S},
};

static void write_hold(struct call *call, const struct hold_row *hold)
{
    static const char *const statuses[] = {[HOLD_OPEN] = "open",
                                           [HOLD_CAPTURED] = "captured",
                                           [HOLD_RELEASED] = "released",
                                           [HOLD_EXPIRED] = "expired"};
    struct account account;
    struct json_writer w;

    if (!call_account(call, hold->account, &account))
        return;
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_id(&w, "id", "hld_", hold->number);
    json_text(&w, "account", account.id, account.id_size);
    json_int(&w, "amount", hold->amount);
    json_int(&w, "captured", hold->captured);
    json_string(&w, "status", statuses[hold->status]);
    json_id_or_null(&w, "entry", "ent_", hold->entry);
    json_time(&w, "created_at", id_time_ms(hold->number));
    json_time(&w, "expires_at", hold->expires_ms);
    json_time_or_null(&w, "closed_at", hold->closed_ms);
    json_object_end(&w);
}

void api_hold_create(struct call *call)
{
    struct hold_body body = {.expires_in = EXPIRES_IN_DEFAULT_S};
    struct command command = {.type = COMMAND_HOLD_CREATE};
    struct result result;
    uint64_t given;

    if (!call_bind(call, hold_fields, FIELD_COUNT(hold_fields), &body, &given))
        return;
    command.of.hold_create = (struct hold_create_command){.account = text_of(body.account),
                                                          .amount = body.amount,
                                                          .expires_in_ms = body.expires_in * 1000};
    if (call_run(call, &command, &result))
        write_hold(call, &result.of.hold.row);
}

void api_hold_get(struct call *call)
{
    struct hold_row hold;
    struct txn *txn;
    uint64_t number;
    bool is_found;

    if (!call_path_number(call, "hld_", OUTCOME_NOT_FOUND, &number))
        return;
    txn = pipeline_read_begin(call->api->pipeline);
    is_found = hold_find(txn, number, &hold);
    call_read_end(call, txn);
    if (is_found)
        write_hold(call, &hold);
    else
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
}

struct capture_body {
    int64_t amount;
};

static const struct json_field capture_fields[] = {AMOUNT_FIELD(struct capture_body, false)};

void api_hold_capture(struct call *call)
{
    struct capture_body body = {.amount = 0};
    struct command command = {.type = COMMAND_HOLD_CAPTURE};
    struct result result;
    uint64_t given = 0;

    if (!call_path_number(call, "hld_", OUTCOME_NOT_FOUND, &command.of.hold_capture.hold))
        return;
    if (call->json != NULL &&
        !call_bind(call, capture_fields, FIELD_COUNT(capture_fields), &body, &given))
        return;
    command.of.hold_capture.has_amount = given != 0;
    command.of.hold_capture.amount = body.amount;
    if (call_run(call, &command, &result))
        write_hold(call, &result.of.hold.row);
}

void api_hold_release(struct call *call)
{
    struct command command = {.type = COMMAND_HOLD_RELEASE};
    struct result result;

    if (!call_path_number(call, "hld_", OUTCOME_NOT_FOUND, &command.of.hold_release.hold) ||
        !call_bind_nothing(call))
        return;
    if (call_run(call, &command, &result))
        write_hold(call, &result.of.hold.row);
}
