/* /v1/webhooks: what clients are told of, newest first, what came of it, and the replay (SMS-20).
 */
#include "api/webhooks.h"

#include "api/page.h"
#include "base/id.h"
#include "engine/webhook.h"
#include "gateway/webhook_payload.h"

enum { WEBHOOKS_EXAMINED_MAX = 10000 };

static const char *const status_texts[] = {
#define WEBHOOK_STATUS(name, number, text) [number] = text,
#include "engine/webhook_status.def"
#undef WEBHOOK_STATUS
};

static const char *const type_texts[] = {
#define WEBHOOK_TYPE(name, number, text) [number] = text,
#include "engine/webhook_type.def"
#undef WEBHOOK_TYPE
};

static const char *const error_texts[] = {
#define WEBHOOK_ERROR(name, number, text, prose) [number] = text,
#include "engine/webhook_error.def"
#undef WEBHOOK_ERROR
};

#define COUNT_OF(texts) ((int)(sizeof(texts) / sizeof *(texts)))

const char *webhook_error_text(int error)
{
    return error_texts[error];
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void write_webhook(struct json_writer *w, uint64_t number, const struct webhook *webhook)
{
    const struct webhook_row *row = &webhook->row;
    const struct webhook_attempt *last =
        row->attempt_count > 0 ? &webhook->attempts[row->attempt_count - 1] : NULL;
    bool is_waiting = row->status == WEBHOOK_PENDING && row->place == 0;

    json_id(w, "id", "whk_", number);
    json_string(w, "type", webhook_type_text(webhook));
    json_string(w, "status", status_texts[row->status]);
    json_string(w, "error", webhook_error_text(row->error));
    json_text(w, "url", webhook->url.data, webhook->url.size);
    json_id_or_null(w, "endpoint", "whe_", row->endpoint);
    json_int(w, "attempts", row->attempt_count);
    json_int_or_null(w, "last_status", last == NULL ? 0 : last->status);
    json_time_or_null(w, "next_attempt_at", is_waiting ? row->due_ms : 0);
    json_id_or_null(w, "replay_of", "whk_", row->replay_of);
    json_time(w, "created_at", id_time_ms(number));
    json_time_or_null(w, "finished_at", row->finished_ms);
    json_time(w, "timestamp", row->at_ms);
    webhook_write_data(w, webhook);
}

static void write_history(struct json_writer *w, const struct webhook *webhook)
{
    json_array_begin(w, "history");
    for (int i = 0; i < webhook->row.attempt_count; i++) {
        const struct webhook_attempt *attempt = &webhook->attempts[i];
        json_object_begin(w, NULL);
        json_time(w, "at", attempt->at_ms);
        json_int_or_null(w, "status", attempt->status);
        json_string(w, "error", webhook_error_text(attempt->error));
        json_int(w, "took_ms", attempt->took_ms);
        json_object_end(w);
    }
    json_array_end(w);
}

/* --- one -----------------------------------------------------------------------------------------
 */

/* As it was made, whatever has become of it. */
static void forget_attempts(struct webhook *webhook)
{
    webhook->row.status = WEBHOOK_PENDING;
    webhook->row.error = WEBHOOK_ERROR_NONE;
    webhook->row.attempt_count = 0;
    webhook->row.due_ms = webhook->row.finished_ms = 0;
}

static void answer_webhook(struct call *call, uint64_t number, bool is_first_answer)
{
    struct webhook webhook;
    struct json_writer w;
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is_found = webhook_find(txn, number, &webhook);

    call_read_end(call, txn);
    if (!is_found) {
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
        return;
    }
    if (is_first_answer)
        forget_attempts(&webhook);
    w = call_answer(call);
    json_object_begin(&w, NULL);
    write_webhook(&w, number, &webhook);
    write_history(&w, &webhook);
    json_object_end(&w);
}

void api_webhook_get(struct call *call)
{
    uint64_t number;

    if (call_path_number(call, "whk_", OUTCOME_NOT_FOUND, &number))
        answer_webhook(call, number, false);
}

void api_webhook_replay(struct call *call)
{
    struct command command = {.type = COMMAND_WEBHOOK_REPLAY};
    struct result result;

    if (!call_path_number(call, "whk_", OUTCOME_NOT_FOUND, &command.of.webhook_replay.webhook) ||
        !call_bind_nothing(call))
        return;
    if (call_run(call, &command, &result))
        answer_webhook(call, result.of.webhook.number, true);
}

/* --- list ----------------------------------------------------------------------------------------
 */

struct webhook_query {
    struct page page;
    struct json_text status, type, endpoint;
};

static const struct json_field list_parameters[] = {
    {.name = "status",
     .kind = JSON_TEXT,
     .offset = offsetof(struct webhook_query, status),
     .min = 1,
     .max = 32},
    {.name = "type",
     .kind = JSON_TEXT,
     .offset = offsetof(struct webhook_query, type),
     .min = 1,
     .max = 64},
    {.name = "endpoint",
     .kind = JSON_TEXT,
     .offset = offsetof(struct webhook_query, endpoint),
     .min = 1,
     .max = ID_TEXT_MAX},
    PAGE_FIELDS(struct webhook_query, page),
};

struct webhook_list {
    int status, type; /* 0: any */
    bool has_endpoint;
    uint64_t endpoint;
    struct json_writer writer;
};

static int text_number(const char *const *texts, int count, struct json_text text)
{
    for (int i = 0; i < count; i++) {
        if (texts[i] != NULL && strcmp(texts[i], text.data) == 0)
            return i;
    }
    return 0;
}

/* False: replied. */
static bool list_init(struct call *call, const struct webhook_query *query,
                      struct webhook_list *list)
{
    *list = (struct webhook_list){.has_endpoint = query->endpoint.data != NULL};
    if (query->status.data != NULL)
        list->status = text_number(status_texts, COUNT_OF(status_texts), query->status);
    if (query->type.data != NULL)
        list->type = text_number(type_texts, COUNT_OF(type_texts), query->type);
    if (query->status.data != NULL && list->status == 0)
        call_refuse_field(call, "/status", "is not a status of webhooks");
    else if (query->type.data != NULL && list->type == 0)
        call_refuse_field(call, "/type", "is not a type of webhooks");
    else if (list->has_endpoint &&
             !id_parse(query->endpoint.data, query->endpoint.size, "whe_", &list->endpoint))
        call_refuse_field(call, "/endpoint", "is not an endpoint's id");
    else
        return true;
    return false;
}

static bool take_webhook(void *context, struct txn *txn, uint64_t number, const struct txn_walk *at)
{
    struct webhook_list *list = context;
    struct webhook webhook;

    webhook_read(txn, number, at->value, at->value_size, &webhook);
    if ((list->status != 0 && list->status != webhook.row.status) ||
        (list->type != 0 && list->type != webhook.row.type) ||
        (list->has_endpoint && list->endpoint != webhook.row.endpoint))
        return false;
    json_object_begin(&list->writer, NULL);
    write_webhook(&list->writer, number, &webhook);
    json_object_end(&list->writer);
    return true;
}

void api_webhook_list(struct call *call)
{
    struct webhook_query query = {.page = PAGE_DEFAULT};
    struct webhook_list list;
    struct page_walk walk = {.table = TABLE_WEBHOOK,
                             .direction = WALK_DOWN,
                             .after = UINT64_MAX,
                             .examined_max = WEBHOOKS_EXAMINED_MAX,
                             .take = take_webhook,
                             .context = &list};

    if (!call_bind_query(call, list_parameters, FIELD_COUNT(list_parameters), &query) ||
        !call_page_after(call, &query.page, &walk.after) || !list_init(call, &query, &list))
        return;
    walk.limit = query.page.limit;
    list.writer = call_begin_list(call);
    call_end_list(&list.writer, call_walk_page(call, &walk));
}
