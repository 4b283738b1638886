/* /v1/blocklist/{mobile} (SMS-18): numbers that get nothing, or no marketing. It is one list for
 * all companies, so an API key of a company may look and add, but only others take away. */
#include <string.h>

#include "api/messages.h"
#include "engine/blocklist.h"
#include "engine/mobile.h"

struct blocklist_body {
    struct json_text reason, note;
};

static bool is_reason(const char *data, size_t size)
{
    return blocklist_reason_parse((struct text){data, size}) != 0;
}

static const struct json_field blocklist_fields[] = {
    {.name = "reason",
     .kind = JSON_TEXT,
     .offset = offsetof(struct blocklist_body, reason),
     .min = 1,
     .max = 16,
     .check = is_reason,
     .rule = "must be blocked or opted_out"},
    {.name = "note",
     .kind = JSON_TEXT,
     .offset = offsetof(struct blocklist_body, note),
     .is_nullable = true,
     .min = 1,
     .max = BLOCKLIST_NOTE_MAX},
};

static bool mobile_of_path(struct call *call, uint64_t *mobile)
{
    if (mobile_of_parameter(call->params[0], mobile))
        return true;
    call_refuse(call, OUTCOME_INVALID_NUMBER, "The path's last part " MOBILE_RULE);
    return false;
}

static void answer_blocked(struct call *call, uint64_t mobile)
{
    struct blocked blocked;
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is_found = blocklist_find(txn, mobile, &blocked);
    char text[MOBILE_TEXT_MAX];
    struct json_writer w;

    call_read_end(call, txn);
    if (!is_found) {
        call_refuse(call, OUTCOME_NOT_FOUND, "The number is not on the blocklist");
        return;
    }
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_text(&w, "mobile", text, mobile_put(text, mobile));
    json_string(&w, "reason", blocklist_reason_text((enum blocklist_reason)blocked.row.reason));
    json_text_or_null(&w, "note", blocked.note, blocked.row.note_size);
    json_id_or_null(&w, "changed_by", "key_", blocked.row.changed_by);
    json_time(&w, "changed_at", blocked.row.changed_ms);
    json_object_end(&w);
}

void api_blocklist_get(struct call *call)
{
    uint64_t mobile;

    if (mobile_of_path(call, &mobile))
        answer_blocked(call, mobile);
}

void api_blocklist_put(struct call *call)
{
    struct command command = {.type = COMMAND_BLOCKLIST_PUT};
    struct blocklist_put_command *put = &command.of.blocklist_put;
    struct blocklist_body body = {.reason = {NULL, 0}};
    struct result result;
    uint64_t given;

    if (!mobile_of_path(call, &put->mobile) ||
        (call->json != NULL &&
         !call_bind(call, blocklist_fields, FIELD_COUNT(blocklist_fields), &body, &given)))
        return;
    put->reason =
        body.reason.data == NULL ? BLOCKLIST_BLOCKED : blocklist_reason_parse(text_of(body.reason));
    put->note = text_of(body.note);
    put->changed_by = call->key->row.number;
    if (call_run(call, &command, &result))
        answer_blocked(call, put->mobile);
}

void api_blocklist_delete(struct call *call)
{
    struct command command = {.type = COMMAND_BLOCKLIST_DELETE};
    struct result result;

    if (!mobile_of_path(call, &command.of.blocklist_delete.mobile))
        return;
    if (call->key->row.company_size > 0) {
        call_refuse(call, OUTCOME_FORBIDDEN, "The API key is of one company, the blocklist of all");
        return;
    }
    if (call_run(call, &command, &result))
        call->reply->status = call->route->success;
}
