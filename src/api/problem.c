/* Problems (RFC 9457), and what every answer carries in its headers. A refusal under an idempotency
 * key is a command, too: the engine keeps it, so that it is replayed like any other answer. */
#include "api/call.h"
#include "base/time_text.h"
#include "engine/engine.h"

enum { REQUEST_ID_MAX = 128 };

static bool is_visible(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] < 0x21 || data[i] > 0x7e)
            return false;
    }
    return true;
}

void call_common_headers(struct api *api, const struct http_request *request,
                         struct buffer *headers)
{
    static const char digits[] = "0123456789abcdef";

    buffer_append_literal(headers, "X-Request-Id: ");
    if (request != NULL && request->request_id.data != NULL && request->request_id.size > 0 &&
        request->request_id.size <= REQUEST_ID_MAX &&
        is_visible(request->request_id.data, request->request_id.size)) {
        buffer_append(headers, request->request_id.data, request->request_id.size);
    } else {
        uint64_t count = ++api->request_count;
        uint64_t number = hash64(&api->request_id_secret, &count, sizeof count);
        char text[16];
        for (int i = 0; i < 16; i++)
            text[i] = digits[(number >> (4 * i)) & 15];
        buffer_append(headers, text, sizeof text);
    }
    buffer_append_literal(headers, "\r\n");
    if (api->options.is_test_clock) {
        char now[TIME_TEXT_SIZE];
        time_format(now, pipeline_now_ms(api->pipeline));
        buffer_append_literal(headers, "X-Test-Clock: ");
        buffer_append(headers, now, sizeof now);
        buffer_append_literal(headers, "\r\n");
    }
}

static void write_problem(struct buffer *body, const struct outcome_info *info, const char *detail,
                          const struct json_errors *errors)
{
    struct json_writer w = json_writer(body);

    json_object_begin(&w, NULL);
    json_string(&w, "type", "about:blank");
    json_string(&w, "title", info->title);
    json_int(&w, "status", info->status);
    json_string(&w, "code", info->code);
    json_string(&w, "detail", detail != NULL ? detail : info->title);
    if (errors != NULL) {
        json_array_begin(&w, "errors");
        for (size_t i = 0; i < errors->count; i++) {
            json_object_begin(&w, NULL);
            json_string(&w, "pointer", errors->items[i].pointer);
            json_string(&w, "detail", errors->items[i].detail);
            json_object_end(&w);
        }
        json_array_end(&w);
    }
    json_object_end(&w);
}

void call_problem_headers(struct buffer *headers, enum outcome outcome, int retry_after_s)
{
    int status = outcome_infos[outcome].status;

    if (outcome == OUTCOME_UNAUTHENTICATED)
        buffer_append_literal(headers, "WWW-Authenticate: Bearer\r\n");
    if (status == 429 || status == 503)
        buffer_append_format(headers, "Retry-After: %d\r\n", retry_after_s > 0 ? retry_after_s : 1);
}

static void answer_problem(struct call *call, enum outcome outcome, const char *detail,
                           const struct json_errors *errors)
{
    const struct outcome_info *info = &outcome_infos[outcome];

    call->reply->status = info->status;
    call->reply->content_type = PROBLEM_TYPE;
    call_problem_headers(call->reply->headers, outcome, call->retry_after_s);
    write_problem(call->reply->body, info, detail, errors);
}

int call_write_problem(struct buffer *body, enum outcome outcome, const char *detail)
{
    write_problem(body, &outcome_infos[outcome], detail, NULL);
    return outcome_infos[outcome].status;
}

void call_write_problem_errors(struct buffer *body, enum outcome outcome, const char *detail,
                               const struct json_errors *errors)
{
    write_problem(body, &outcome_infos[outcome], detail, errors);
}

/* What the call's key is kept with. False: it has none, or it is free. */
static bool find_key(struct call *call, struct idempotency_row *row)
{
    struct pipeline *pipeline = call->api->pipeline;
    struct txn *txn;
    bool is_found;

    if (!call->has_idempotency_key)
        return false;
    txn = pipeline_read_begin(pipeline);
    is_found = idempotency_find(txn, &call->idempotency_key, pipeline_now_ms(pipeline), row);
    call_read_end(call, txn);
    return is_found;
}

/* Another request under a key that was used is refused for that, and not for what else is wrong
 * with it. True: replied. */
static bool refuse_reused_key(struct call *call, const struct idempotency_row *row)
{
    if (row->fingerprint == call->fingerprint)
        return false;
    answer_problem(call, OUTCOME_IDEMPOTENCY_KEY_REUSED, NULL, NULL);
    return true;
}

/* A refusal that the engine never saw is kept under its key all the same; but not in the place of a
 * success, of which only the command that had it can tell. False: replied. */
static bool keep_refusal(struct call *call, enum outcome outcome)
{
    struct command command = {.type = COMMAND_REFUSAL, .of.refusal.outcome = outcome};
    struct idempotency_row row;
    struct result result;
    bool is_used;

    if (call->is_trial)
        return true;
    is_used = find_key(call, &row);
    if (is_used && refuse_reused_key(call, &row))
        return false;
    if (!call->has_idempotency_key || !outcome_is_kept(outcome) ||
        (is_used && row.outcome == OUTCOME_OK))
        return true;
    command.has_key = true;
    command.key = call->idempotency_key;
    command.fingerprint = call->fingerprint;
    call->reply->hold = pipeline_run(call->api->pipeline, &command, &result);
    if (result.outcome != outcome) { /* the key is taken, or nothing is admitted */
        answer_problem(call, result.outcome, NULL, NULL);
        return false;
    }
    if (result.is_replayed)
        buffer_append_literal(call->reply->headers, "Idempotent-Replayed: true\r\n");
    return true;
}

void call_refuse(struct call *call, enum outcome outcome, const char *detail)
{
    if (keep_refusal(call, outcome))
        answer_problem(call, outcome, detail, NULL);
}

void call_refuse_faults(struct call *call, enum outcome outcome, const struct json_errors *errors)
{
    if (keep_refusal(call, outcome))
        answer_problem(call, outcome, NULL, errors);
}

void call_refuse_errors(struct call *call, const struct json_errors *errors)
{
    call_refuse_faults(call, errors->has_unknown_field ? OUTCOME_UNKNOWN_FIELD : OUTCOME_INVALID,
                       errors);
}

void call_refuse_field(struct call *call, const char *pointer, const char *detail)
{
    struct json_errors errors;

    json_errors_init(&errors);
    json_errors_add(call->arena, &errors, pointer, detail);
    call_refuse_errors(call, &errors);
}

bool call_try(struct call *call, struct command *command, struct result *result)
{
    command->has_key = call->has_idempotency_key;
    command->key = call->idempotency_key;
    command->fingerprint = call->fingerprint;
    call->reply->hold = pipeline_run(call->api->pipeline, command, result);
    if (result->is_replayed)
        buffer_append_literal(call->reply->headers, "Idempotent-Replayed: true\r\n");
    return result->outcome == OUTCOME_OK;
}

void call_answer_refusal(struct call *call, enum outcome outcome, const struct json_errors *errors)
{
    answer_problem(call, outcome, NULL, errors);
}

bool call_run(struct call *call, struct command *command, struct result *result)
{
    if (call_try(call, command, result))
        return true;
    call_answer_refusal(call, result->outcome, NULL);
    return false;
}

void api_on_refusal(void *context, const struct http_request *request, const char *code,
                    const char *detail, struct http_reply *reply)
{
    struct api *api = context;
    struct outcome_info info = {reply->status, code, detail};

    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (outcome_infos[i].code != NULL && strcmp(outcome_infos[i].code, code) == 0)
            info.title = outcome_infos[i].title;
    }
    call_common_headers(api, request, reply->headers);
    reply->content_type = PROBLEM_TYPE;
    write_problem(reply->body, &info, detail, NULL);
}
