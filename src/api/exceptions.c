/* /v1/exceptions (PKT-15): what could not be applied, newest first, and what an operator does about
 * it. A retry answers with the exception as it is afterwards: `resolved`, or still `open` with one
 * attempt more. */
#include <string.h>

#include "api/billing.h"
#include "api/page.h"
#include "base/id.h"
#include "engine/exception.h"

static const char *const type_texts[] = {
#define EXCEPTION_TYPE(name, number, text) [number] = text,
#include "engine/exception_type.def"
#undef EXCEPTION_TYPE
};

static const char *const status_texts[] = {
    [EXCEPTION_OPEN] = "open", [EXCEPTION_RESOLVED] = "resolved", [EXCEPTION_CLOSED] = "closed"};

static void write_exception(struct json_writer *w, const struct exception_row *row,
                            const struct account *account)
{
    json_object_begin(w, NULL);
    json_id(w, "id", "exc_", row->number);
    json_string(w, "type", type_texts[row->type]);
    json_string(w, "status", status_texts[row->status]);
    json_id(w, "subject", row->type == EXCEPTION_MESSAGE_REFUND ? "msg_" : "pkt_", row->subject);
    json_text(w, "account", account->id, account->id_size);
    json_int(w, "amount", row->amount);
    json_string(w, "code", outcome_infos[row->outcome].code);
    json_int(w, "attempts", row->attempts);
    json_time(w, "created_at", id_time_ms(row->number));
    json_time(w, "tried_at", row->tried_ms);
    json_time_or_null(w, "closed_at", row->closed_ms);
    json_object_end(w);
}

static void answer_exception(struct call *call, const struct exception_row *row)
{
    struct account account;
    struct json_writer w;

    if (!call_account(call, row->account, &account))
        return;
    w = call_answer(call);
    write_exception(&w, row, &account);
}

void api_exception_get(struct call *call)
{
    struct exception_row row;
    struct txn *txn;
    uint64_t number;
    bool is_found;

    if (!call_path_number(call, "exc_", OUTCOME_NOT_FOUND, &number))
        return;
    txn = pipeline_read_begin(call->api->pipeline);
    is_found = exception_find(txn, number, &row);
    call_read_end(call, txn);
    if (is_found)
        answer_exception(call, &row);
    else
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
}

static void change(struct call *call, enum command_type type)
{
    struct command command = {.type = type};
    struct result result;

    if (!call_path_number(call, "exc_", OUTCOME_NOT_FOUND, &command.of.exception_retry.exception) ||
        !call_bind_nothing(call))
        return;
    if (call_run(call, &command, &result))
        answer_exception(call, &result.of.exception.row);
}

void api_exception_retry(struct call *call)
{
    change(call, COMMAND_EXCEPTION_RETRY);
}

void api_exception_close(struct call *call)
{
    change(call, COMMAND_EXCEPTION_CLOSE);
}

static bool take_exception(void *context, struct txn *txn, uint64_t number,
                           const struct txn_walk *at)
{
    struct json_writer *w = context;
    struct exception_row row;
    struct account account;

    (void)number;
    memcpy(&row, at->value, sizeof row);
    if (!account_find_number(txn, row.account, &account))
        return false;
    write_exception(w, &row, &account);
    return true;
}

void api_exception_list(struct call *call)
{
    call_list_numbered(call, TABLE_EXCEPTION, take_exception);
}
