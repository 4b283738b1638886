/* POST and GET /v1/callbacks/{product}: what providers tell (SMS-12, SMS-18). Open, since providers
 * have no keys of ours: each product's configuration says how its provider proves itself; the
 * sandbox, which has none, wants a key after all. The answer leaves
 * when what was told is durable; a provider that gets none, or a 503, comes again. */
#include <assert.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/deferred.h"
#include "gateway/gateway.h"

static struct text span_text(struct http_span span)
{
    return (struct text){span.data, span.size};
}

static struct text header(const void *source, struct text name)
{
    return span_text(http_request_header(source, name.data, name.size));
}

static struct text method_text(enum http_method method)
{
    return method == HTTP_METHOD_POST ? TEXT("POST") : TEXT("GET");
}

static void answer(struct call *call, const struct callback_reply *said)
{
    call->reply->status = said->status;
    call->reply->content_type = said->content_type;
    buffer_append(call->reply->body, said->body.data, said->body.size);
    call->reply->hold = said->hold;
}

static void finish(struct call *call, enum callback_outcome outcome,
                   const struct callback_reply *said)
{
    switch (outcome) {
    case CALLBACK_OK:
        answer(call, said);
        return;
    case CALLBACK_UNKNOWN_CALLER:
    case CALLBACK_NOT_FOUND:
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
        return;
    case CALLBACK_FORBIDDEN:
        call_refuse(call, OUTCOME_CALLBACK_FORBIDDEN, NULL);
        return;
    case CALLBACK_INVALID:
        call_refuse(call, OUTCOME_INVALID, "There is no receipt in it, and no message");
        return;
    case CALLBACK_BUSY:
        call_refuse(call, OUTCOME_OVERLOADED, NULL);
        return;
    case CALLBACK_LATER:
        assert(!"a callback is put off once");
    }
}

/* --- answers that come later ---------------------------------------------------------------------
 */

struct late_call {
    struct api *api;
    const struct route *route;
    struct deferred deferred;
};

static void on_answer(void *context, enum callback_outcome outcome,
                      const struct callback_reply *said)
{
    struct late_call *late = context;
    struct buffer body;
    struct http_reply reply = {.headers = &late->deferred.headers, .body = &body};
    struct call call = {.api = late->api, .reply = &reply, .route = late->route};

    buffer_init(&body);
    finish(&call, outcome, said);
    deferred_hold(&late->deferred, reply.hold);
    deferred_answer_status(&late->deferred, reply.status, reply.content_type, &body);
    buffer_release(&body);
    free(late);
}

static void put_off(struct call *call, struct late_messages *messages)
{
    struct late_call *late = malloc(sizeof *late);

    assert(late != NULL);
    *late = (struct late_call){.api = call->api, .route = call->route};
    call_defer(call, &late->deferred);
    gateways_callback_go_on(messages, on_answer, late);
}

void api_callback(struct call *call)
{
    const struct http_request *request = call->request;
    char peer[HTTP_PEER_MAX];
    size_t peer_size = http_request_peer(request, peer);
    struct callback_request callback = {
        .method = method_text(request->method),
        .query = span_text(request->query),
        .content_type = span_text(request->content_type),
        .authorization = span_text(request->authorization),
        .body =
            request->method == HTTP_METHOD_POST ? span_text(request->body) : (struct text){NULL, 0},
        .peer = {peer_size == 0 ? NULL : peer, peer_size},
        .header = header,
        .source = request,
    };
    struct callback_reply said = {0};

    enum callback_outcome outcome =
        gateways_callback(call->api->gateways, call->params[0], &callback, &said);

    if (outcome == CALLBACK_UNKNOWN_CALLER) {
        if (!call_authenticate_for(call, SCOPE_MESSAGES))
            return;
        callback.is_known = true;
        outcome = gateways_callback(call->api->gateways, call->params[0], &callback, &said);
    }
    if (outcome == CALLBACK_LATER)
        put_off(call, said.later);
    else
        finish(call, outcome, &said);
}
