/* Alive, ready, metrics, and the test clock. */
#include <assert.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/deferred.h"
#include "base/metric.h"
#include "gateway/gateway.h"
#include "jobs/jobs.h"

void api_health(struct call *call)
{
    struct json_writer w = call_answer(call);

    json_object_begin(&w, NULL);
    json_string(&w, "status", "ok");
    json_object_end(&w);
}

void api_readiness(struct call *call)
{
    enum outcome outcome = pipeline_admits(call->api->pipeline);

    if (outcome == OUTCOME_OK)
        api_health(call);
    else
        call_refuse(call, outcome, NULL);
}

void api_metrics(struct call *call)
{
    call->reply->status = 200;
    call->reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_render(call->reply->body);
    gateways_render(call->api->gateways, call->reply->body);
}

struct advance_body {
    int64_t seconds;
};

static const struct json_field advance_fields[] = {
    {.name = "seconds",
     .kind = JSON_INT,
     .offset = offsetof(struct advance_body, seconds),
     .is_required = true,
     .min = 0,
     .max = INT64_C(10) * 365 * 86400},
};

struct advance {
    struct api *api;
    struct deferred deferred;
};

static void on_sent(void *context)
{
    struct advance *advance = context;
    struct buffer body;
    struct json_writer w;

    buffer_init(&body);
    w = json_writer(&body);
    json_object_begin(&w, NULL);
    json_time(&w, "now", pipeline_now_ms(advance->api->pipeline));
    json_object_end(&w);
    deferred_answer(&advance->deferred, &body);
    buffer_release(&body);
    free(advance);
}

/* What the jobs have put into the outbox goes, too. */
static void on_due_done(void *context)
{
    struct advance *advance = context;

    gateways_run_due(advance->api->gateways, on_sent, advance);
}

/* Everything due by the new time runs before the answer. */
void api_test_clock_advance(struct call *call)
{
    struct advance_body body;
    struct advance *advance;
    uint64_t given;

    if (!call->api->options.is_test_clock) {
        call_refuse(call, OUTCOME_NOT_FOUND, "smsd was not started with --test-clock");
        return;
    }
    if (!call_bind(call, advance_fields, FIELD_COUNT(advance_fields), &body, &given))
        return;
    advance = calloc(1, sizeof *advance);
    assert(advance != NULL);
    advance->api = call->api;
    call->reply->hold = pipeline_advance_clock(call->api->pipeline, body.seconds * 1000);
    call->reply->headers->size = 0; /* X-Test-Clock tells the new time */
    call_common_headers(call->api, call->request, call->reply->headers);
    call_defer(call, &advance->deferred);
    jobs_run_due(call->api->jobs, on_due_done, advance);
}
