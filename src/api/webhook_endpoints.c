/* /v1/webhooks/endpoints and /v1/webhooks/secret: where webhooks go, and what they are signed with.
 */
#include "api/page.h"
#include "api/webhooks.h"
#include "base/base64.h"
#include "base/entropy.h"
#include "base/id.h"
#include "engine/webhook.h"

#define SECRET_PREFIX "whsec_"

enum { SECRET_TEXT_SIZE = sizeof SECRET_PREFIX - 1 + BASE64_SIZE(WEBHOOK_SECRET_SIZE) };

static const char *const reason_texts[] = {
    [WEBHOOK_ENDPOINT_GONE] = "gone", [WEBHOOK_ENDPOINT_BY_OPERATOR] = "operator"};

static void write_endpoint(struct json_writer *w, const struct webhook_endpoint *endpoint)
{
    const struct webhook_endpoint_row *row = &endpoint->row;
    bool is_enabled = row->status == WEBHOOK_ENDPOINT_ENABLED;

    json_object_begin(w, NULL);
    json_id(w, "id", "whe_", endpoint->number);
    json_text(w, "url", endpoint->url.data, endpoint->url.size);
    json_string(w, "status", is_enabled ? "enabled" : "disabled");
    json_string(w, "disabled_by", is_enabled ? NULL : reason_texts[row->reason]);
    json_int(w, "kept", (int64_t)row->kept);
    json_int(w, "pending", (int64_t)row->pending);
    json_int(w, "failures", (int64_t)row->failures);
    json_int_or_null(w, "last_status", row->last_status);
    json_string(w, "last_error", webhook_error_text(row->last_error));
    json_time_or_null(w, "last_attempt_at", row->last_attempt_ms);
    json_time_or_null(w, "last_delivery_at", row->last_delivery_ms);
    json_time(w, "created_at", id_time_ms(endpoint->number));
    json_object_end(w);
}

static void answer_endpoint(struct call *call, uint64_t number)
{
    struct webhook_endpoint endpoint;
    struct json_writer w;
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is_found = webhook_endpoint_find(txn, number, &endpoint);

    call_read_end(call, txn);
    if (!is_found) {
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
        return;
    }
    w = call_answer(call);
    write_endpoint(&w, &endpoint);
}

void api_webhook_endpoint_get(struct call *call)
{
    uint64_t number;

    if (call_path_number(call, "whe_", OUTCOME_NOT_FOUND, &number))
        answer_endpoint(call, number);
}

void api_webhook_endpoint_update(struct call *call)
{
    struct command command = {.type = COMMAND_WEBHOOK_ENDPOINT_STATUS};
    struct webhook_endpoint_status_command *change = &command.of.webhook_endpoint_status;
    struct result result;
    bool is_enabled;

    if (!call_path_number(call, "whe_", OUTCOME_NOT_FOUND, &change->endpoint) ||
        !call_bind_enabled(call, &is_enabled))
        return;
    change->status = is_enabled ? WEBHOOK_ENDPOINT_ENABLED : WEBHOOK_ENDPOINT_DISABLED;
    if (call_run(call, &command, &result))
        answer_endpoint(call, change->endpoint);
}

static bool take_endpoint(void *context, struct txn *txn, uint64_t number,
                          const struct txn_walk *at)
{
    struct json_writer *w = context;
    struct webhook_endpoint endpoint;

    (void)at;
    if (!webhook_endpoint_find(txn, number, &endpoint))
        return false;
    write_endpoint(w, &endpoint);
    return true;
}

void api_webhook_endpoint_list(struct call *call)
{
    call_list_numbered(call, TABLE_WEBHOOK_ENDPOINT, take_endpoint);
}

/* A replayed answer cannot show the secret again: it is not kept for that. */
void api_webhook_secret_create(struct call *call)
{
    struct command command = {.type = COMMAND_WEBHOOK_SECRET};
    char text[SECRET_TEXT_SIZE];
    struct result result;
    struct json_writer w;

    if (!call_bind_nothing(call))
        return;
    entropy_fill(command.of.webhook_secret.secret, WEBHOOK_SECRET_SIZE);
    memcpy(text, SECRET_PREFIX, sizeof SECRET_PREFIX - 1);
    base64_format(text + sizeof SECRET_PREFIX - 1, command.of.webhook_secret.secret,
                  WEBHOOK_SECRET_SIZE);
    if (!call_run(call, &command, &result))
        return;
    w = call_answer(call);
    json_object_begin(&w, NULL);
    if (result.is_replayed)
        json_null(&w, "secret");
    else
        json_text(&w, "secret", text, sizeof text);
    json_time_or_null(&w, "previous_valid_until", result.of.webhook_secret.previous_until_ms);
    json_object_end(&w);
}
