/* Answers that come later. */
#include "api/deferred.h"

#include <assert.h>

#include "api/call.h"

void call_defer(struct call *call, struct deferred *deferred)
{
    const struct buffer *headers = call->reply->headers;

    assert(deferred->reply == NULL);
    buffer_append(&deferred->headers, headers->data, headers->size);
    deferred_hold(deferred, call->reply->hold);
    deferred->reply = http_defer(call->reply);
}

void deferred_hold(struct deferred *deferred, uint64_t hold)
{
    if (hold > deferred->hold)
        deferred->hold = hold;
}

void deferred_answer_status(struct deferred *deferred, int status, const char *content_type,
                            const struct buffer *body)
{
    assert(deferred->reply != NULL);
    http_answer(deferred->reply, status, content_type, &deferred->headers, body, deferred->hold);
    deferred->reply = NULL;
    deferred_release(deferred);
}

void deferred_answer(struct deferred *deferred, const struct buffer *body)
{
    deferred_answer_status(deferred, 200, "application/json", body);
}

void deferred_refuse(struct deferred *deferred, enum outcome outcome, const char *detail)
{
    struct buffer body;
    int status;

    buffer_init(&body);
    status = call_write_problem(&body, outcome, detail);
    call_problem_headers(&deferred->headers, outcome, 0);
    deferred_answer_status(deferred, status, PROBLEM_TYPE, &body);
    buffer_release(&body);
}

void deferred_release(struct deferred *deferred)
{
    buffer_release(&deferred->headers);
}
