/* Exchanges: a request goes to the handler, a reply comes back and is queued, at once or, if it was
 * deferred, when it is answered. What is hard about it: a deferred reply may outlive its
 * connection, and a handler may answer before it has returned. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/metric.h"
#include "http/connection.h"
#include "net/stream.h"

/* What on_request is given: the reply and, around it, what http_defer needs. */
struct exchange {
    struct http_reply reply; /* first: http_defer gets its address */
    struct http_connection *connection;
    struct http_manner manner;
    bool may_defer;
};

static void count_reply(int status)
{
    metric_add(METRIC_HTTP_REQUESTS, 1);
    if (status >= 500)
        metric_add(METRIC_HTTP_ERRORS_5XX, 1);
    else if (status >= 400)
        metric_add(METRIC_HTTP_ERRORS_4XX, 1);
}

static void append_reply(struct http_connection *connection, struct http_manner manner,
                         const struct http_reply *reply, uint64_t read_ns)
{
    struct http_shared *shared = connection->shared;
    struct http_outgoing *outgoing = http_connection_outgoing(connection);
    const char *date_line = http_date_line(&shared->date, uv_now(shared->loop));
    http_reply_append(&outgoing->bytes, date_line, manner, reply->status, reply->content_type,
                      reply->headers, reply->body);
    http_outgoing_hold(outgoing, reply->hold, read_ns, 1);
    count_reply(reply->status);
    if (manner.is_close)
        connection->phase = HTTP_ENDING;
}

static void append_continue(struct http_connection *connection)
{
    struct http_outgoing *outgoing = http_connection_outgoing(connection);
    buffer_append_literal(&outgoing->bytes, "HTTP/1.1 100 Continue\r\n\r\n");
    http_outgoing_hold(outgoing, 0, 0, 0);
}

static struct exchange exchange_begin(struct http_connection *connection, struct http_manner manner)
{
    struct http_shared *shared = connection->shared;
    shared->headers.size = 0;
    shared->body.size = 0;
    return (struct exchange){
        .reply = {.headers = &shared->headers, .body = &shared->body},
        .connection = connection,
        .manner = manner,
    };
}

/* `request` may be NULL. */
void http_exchange_refuse(struct http_connection *connection, const struct http_request *request,
                          enum http_refusal refusal)
{
    struct http_shared *shared = connection->shared;
    const struct http_refusal_row *row = http_refusal_row(refusal);
    struct http_manner manner = {
        .is_head = request != NULL && request->method == HTTP_METHOD_HEAD,
        .is_close = true,
    };
    struct exchange exchange = exchange_begin(connection, manner);
    exchange.reply.status = row->status;
    buffer_append_text(&shared->headers, row->header);
    shared->handler.on_refusal(shared->handler.context, request, row->code, row->detail,
                               &exchange.reply);
    append_reply(connection, manner, &exchange.reply, shared->read_ns);
    if (refusal == HTTP_REFUSAL_NO_ROOM)
        metric_add(METRIC_HTTP_SHED, 1);
    http_exchange_abandon(connection);
}

void http_exchange_abandon(struct http_connection *connection)
{
    const struct http_handler *handler = &connection->shared->handler;
    void *data = connection->request_data;
    connection->request_data = NULL;
    if (data != NULL)
        handler->on_request_abandoned(handler->context, data);
}

size_t http_exchange_body(struct http_connection *connection, struct http_framing *framing,
                          const char *bytes)
{
    const struct http_handler *handler = &connection->shared->handler;
    struct http_span body = http_framing_body(framing, bytes);
    if (handler->on_body == NULL || body.size == 0)
        return 0;
    (void)http_framing_request(framing, bytes); /* the head may have moved */
    struct http_request *request = &framing->head.request;
    request->connection_data = &connection->data;
    request->request_data = &connection->request_data;
    size_t taken = handler->on_body(handler->context, request, body.data, body.size);
    if (taken == HTTP_BODY_NO_ROOM) {
        http_exchange_refuse(connection, request, HTTP_REFUSAL_NO_ROOM);
        return 0;
    }
    assert(taken == 0 || taken == body.size);
    return taken;
}

static struct http_connection *connection_of(void **request_data)
{
    char *member = (char *)request_data;

    return (struct http_connection *)(member - offsetof(struct http_connection, request_data));
}

void http_body_pause(const struct http_request *request)
{
    connection_of(request->request_data)->is_paused = true;
}

void http_body_resume(void **request_data)
{
    struct http_connection *connection = connection_of(request_data);
    bool is_begun = http_turn_begin(connection);

    connection->is_paused = false;
    if (is_begun)
        http_turn_end(connection);
}

/* `size` bytes of the request have come. */
void http_exchange_head(struct http_connection *connection, struct http_framing *framing,
                        size_t size)
{
    const struct http_handler *handler = &connection->shared->handler;
    const struct http_head *head = &framing->head;
    size_t body_max = handler->on_headers(handler->context, &head->request);
    if (head->expectation == HTTP_EXPECTS_OTHER)
        http_exchange_refuse(connection, &head->request, HTTP_REFUSAL_EXPECTATION);
    else if (http_framing_accept(framing, body_max) == HTTP_FRAMING_REFUSED)
        http_exchange_refuse(connection, &head->request, framing->refusal);
    else if (head->expectation == HTTP_EXPECTS_CONTINUE && http_framing_awaits_body(framing, size))
        append_continue(connection);
}

/* `is_last`: nothing that has been read is behind it. */
void http_exchange_request(struct http_connection *connection, struct http_head *head, bool is_last)
{
    struct http_shared *shared = connection->shared;
    struct http_manner manner = {
        .is_head = head->request.method == HTTP_METHOD_HEAD,
        .is_http_1_0 = head->is_http_1_0,
        .is_close = head->is_close || (shared->is_stopping && is_last),
    };
    struct exchange exchange = exchange_begin(connection, manner);
    exchange.may_defer = true;
    head->request.request_data = &connection->request_data;
    shared->handler.on_request(shared->handler.context, &head->request, &exchange.reply);
    connection->request_data = NULL;
    if (exchange.reply.is_deferred)
        return;
    manner.is_close |= exchange.reply.is_close;
    append_reply(connection, manner, &exchange.reply, shared->read_ns);
}

struct http_deferred *http_defer(struct http_reply *reply)
{
    struct exchange *exchange = (struct exchange *)reply;
    assert(exchange->may_defer && !reply->is_deferred);
    struct http_deferred *deferred = malloc(sizeof *deferred);
    if (deferred == NULL)
        log_fatal("reply allocation", NULL, ENOMEM);
    deferred->connection = exchange->connection;
    deferred->manner = exchange->manner;
    deferred->read_ns = exchange->connection->shared->read_ns;
    exchange->connection->deferred = deferred;
    reply->is_deferred = true;
    return deferred;
}

void http_answer(struct http_deferred *deferred, int status, const char *content_type,
                 const struct buffer *headers, const struct buffer *body, uint64_t hold)
{
    struct http_connection *connection = deferred->connection;
    if (connection != NULL) {
        struct buffer headers_view = {0}, body_view = {0};
        if (headers != NULL)
            headers_view = *headers;
        if (body != NULL)
            body_view = *body;
        struct http_reply reply = {
            .status = status,
            .content_type = content_type,
            .headers = &headers_view,
            .body = &body_view,
            .hold = hold,
        };
        bool is_begun = http_turn_begin(connection);
        connection->deferred = NULL;
        append_reply(connection, deferred->manner, &reply, deferred->read_ns);
        if (is_begun)
            http_turn_end(connection);
    }
    free(deferred);
}

size_t http_request_peer(const struct http_request *request, char to[HTTP_PEER_MAX])
{
    char *data = (char *)request->connection_data;
    struct http_connection *connection =
        (struct http_connection *)(data - offsetof(struct http_connection, data));

    return stream_peer(connection->stream, to, HTTP_PEER_MAX);
}
