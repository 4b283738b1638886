/* A connection of the client's: made for a call, then idle, then another call's, until somebody
 * closes it. What is hard about it is who may be told when: on_done may send, cancel and free
 * whatever it likes, so it is called last, after the connection has found its next state and those
 * who wait have gone on; and nothing here that may be called from outside calls it. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "base/metric.h"
#include "http/client_struct.h"
#include "net/connector.h"
#include "net/stream.h"
#include "net/tls.h"

static void set_timer(struct http_client_connection *connection, uint64_t ms)
{
    struct http_client *client = connection->client;
    http_deadline_set(&client->wheel, &connection->timer.deadline,
                      ms == 0 ? 0 : uv_now(client->loop) + ms);
}

static void count(struct http_client_connection *connection, int change)
{
    connection->host->connection_count += (uint32_t)change;
    connection->client->connection_count += (uint32_t)change;
    metric_set(METRIC_HTTP_CLIENT_CONNECTIONS, connection->client->connection_count);
}

void http_client_connection_close(struct http_client_connection *connection)
{
    if (connection->call != NULL)
        connection->call->connection = NULL;
    if (connection->connector != NULL)
        connector_cancel(connection->connector);
    if (connection->stream != NULL)
        stream_close(connection->stream);
    http_deadline_remove(&connection->client->wheel, &connection->timer.deadline);
    http_ring_take(&connection->link);
    http_ring_take(&connection->idle);
    http_ring_take(&connection->host_idle);
    count(connection, -1);
    free(connection);
}

/* It is of no more use: its call is sent again or ends. */
static void lose(struct http_client_connection *connection, enum http_client_error error,
                 const char *detail)
{
    struct http_client_host *host = connection->host;
    struct http_client_call *call = connection->call;
    bool may_retry = error == HTTP_CLIENT_CLOSED && connection->is_used && call != NULL &&
                     !call->response->has_begun &&
                     (connection->written == 0 || call->is_idempotent);
    http_client_connection_close(connection);
    if (may_retry)
        http_client_retry(call);
    http_client_go_on(host);
    if (call != NULL && !may_retry)
        http_client_call_end(call, error, detail);
}

static void watch(struct http_client_connection *connection)
{
    bool is_writing = connection->call != NULL && !connection->is_write_broken &&
                      connection->written < connection->call->request.size;
    stream_watch(connection->stream, STREAM_READABLE | (is_writing ? STREAM_WRITABLE : 0));
}

/* Fails in silence: then there may still be an answer, and reading says so if there is not. */
static void write_request(struct http_client_connection *connection)
{
    struct http_client_call *call = connection->call;
    while (connection->written < call->request.size && !connection->is_write_broken) {
        ssize_t size = stream_write(connection->stream, call->request.data + connection->written,
                                    call->request.size - connection->written);
        if (size > 0) {
            connection->written += (size_t)size;
            call->was_sent = true;
        }
        if (size == STREAM_AGAIN)
            return;
        connection->is_write_broken = size < 0;
    }
}

static void become_idle(struct http_client_connection *connection)
{
    struct http_client *client = connection->client;
    connection->call = NULL;
    connection->is_used = true;
    http_ring_put(client->idle.previous, &connection->idle);
    http_ring_put(&connection->host->idle, &connection->host_idle);
    set_timer(connection, client->options.idle_timeout_ms);
    watch(connection);
}

static void finish(struct http_client_connection *connection)
{
    struct http_client_host *host = connection->host;
    struct http_client_call *call = connection->call;
    call->connection = NULL;
    if (call->response->may_keep && connection->written == call->request.size)
        become_idle(connection);
    else
        http_client_connection_close(connection);
    http_client_go_on(host);
    http_client_call_end(call, HTTP_CLIENT_OK, "");
}

static void read_answer(struct http_client_connection *connection)
{
    struct http_response *response = connection->call->response;
    char *buffer = connection->client->read_buffer;
    ssize_t size = stream_read(connection->stream, buffer, HTTP_CLIENT_READ_BYTES);
    enum http_response_result result = HTTP_RESPONSE_MORE;
    if (size == STREAM_AGAIN)
        return;
    if (size > 0)
        result = http_response_read(response, buffer, (size_t)size);
    else if (size == 0)
        result = http_response_end(response);
    if (result == HTTP_RESPONSE_WHOLE)
        finish(connection);
    else if (result == HTTP_RESPONSE_MALFORMED)
        lose(connection, HTTP_CLIENT_MALFORMED, "the answer is not HTTP/1.1");
    else if (result == HTTP_RESPONSE_TOO_LARGE)
        lose(connection, HTTP_CLIENT_TOO_LARGE, "the answer is too large");
    else if (size <= 0)
        lose(connection, HTTP_CLIENT_CLOSED,
             response->has_begun ? "closed in the middle of the answer"
                                 : "closed without an answer");
}

/* Nothing is to be read from an idle one but its end. */
static bool is_alive(struct http_client_connection *connection)
{
    char byte;
    return stream_read(connection->stream, &byte, 1) == STREAM_AGAIN;
}

static void on_failed(struct http_client_connection *connection)
{
    const char *why = connection->host->is_https ? tls_stream_why(connection->stream) : NULL;
    if (why != NULL)
        lose(connection, HTTP_CLIENT_TLS, why);
    else
        lose(connection, HTTP_CLIENT_CLOSED, "the connection broke");
}

static void on_ready(void *owner, int events)
{
    struct http_client_connection *connection = owner;
    if (connection->call == NULL) {
        if (events & STREAM_FAILED || !is_alive(connection))
            lose(connection, HTTP_CLIENT_CLOSED, "");
        return;
    }
    if (events & STREAM_FAILED) {
        on_failed(connection);
        return;
    }
    if (!connection->is_open) {
        connection->is_open = true;
        set_timer(connection, 0);
    }
    if (events & STREAM_WRITABLE)
        write_request(connection);
    watch(connection);
    if (events & STREAM_READABLE)
        read_answer(connection);
}

static void on_connected(void *owner, struct stream *stream)
{
    struct http_client_connection *connection = owner;
    struct http_client *client = connection->client;
    connection->connector = NULL;
    if (connection->host->is_https)
        stream = tls_stream_new(client->tls, client->loop, stream, connection->host->name);
    connection->stream = stream;
    stream->on_ready = on_ready;
    stream->owner = connection;
    watch(connection);
}

static enum http_client_error error_of(int error)
{
    switch (error) {
    case ERR_RESOLVE:
        return HTTP_CLIENT_RESOLVE;
    case ERR_FORBIDDEN:
        return HTTP_CLIENT_FORBIDDEN_ADDRESS;
    case ERR_TIMEOUT:
        return HTTP_CLIENT_TIMEOUT;
    default:
        return HTTP_CLIENT_CONNECT;
    }
}

static void on_connect_failed(void *owner, int error, const char *why)
{
    struct http_client_connection *connection = owner;
    connection->connector = NULL;
    lose(connection, error_of(error), why);
}

static void on_due(struct http_client_timer *timer)
{
    struct http_client_connection *connection =
        http_ring_owner(timer, struct http_client_connection, timer);
    lose(connection, HTTP_CLIENT_TIMEOUT, "connecting took too long");
}

static void take_call(struct http_client_connection *connection, struct http_client_call *call)
{
    const struct http_client_options *options = &connection->client->options;
    http_ring_take(&call->waiting);
    connection->client->waiting_count--;
    connection->call = call;
    call->connection = connection;
    connection->written = 0;
    if (call->response == NULL) {
        call->response = malloc(sizeof *call->response);
        if (call->response == NULL)
            log_fatal("response allocation", NULL, ENOMEM);
        http_response_init(call->response, call->is_to_head, options->response_head_bytes_max,
                           options->response_bytes_max);
    }
}

void http_client_connection_open(struct http_client_call *call)
{
    struct http_client_host *host = call->host;
    struct http_client *client = call->client;
    struct http_client_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        log_fatal("connection allocation", NULL, ENOMEM);
    connection->client = client;
    connection->host = host;
    connection->timer.on_due = on_due;
    http_ring_put(&client->connections, &connection->link);
    count(connection, 1);
    take_call(connection, call);
    set_timer(connection, client->options.connect_timeout_ms);
    struct connector_options options = {
        .host = host->name,
        .port = host->port,
        .address_timeout_ms = client->options.connect_timeout_ms / 2,
        .is_public_only = !host->is_private_allowed,
        .on_connected = on_connected,
        .on_failed = on_connect_failed,
        .owner = connection,
    };
    connection->connector = connector_new(client->loop, &options);
}

bool http_client_connection_reuse(struct http_client_call *call)
{
    struct http_client_host *host = call->host;
    for (struct http_ring *link = host->idle.next, *next; link != &host->idle; link = next) {
        struct http_client_connection *connection =
            http_ring_owner(link, struct http_client_connection, host_idle);
        next = link->next;
        if (!is_alive(connection)) {
            http_client_connection_close(connection);
            continue;
        }
        http_ring_take(&connection->idle);
        http_ring_take(&connection->host_idle);
        set_timer(connection, 0);
        take_call(connection, call);
        write_request(connection);
        watch(connection);
        return true;
    }
    return false;
}
