/* The server: listens, admits connections up to the limit, stops. Who is beyond the limit is told
 * to come back with bytes made beforehand, and gets a moment to read them as long as not too many
 * do. */
#include "http/server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/metric.h"
#include "http/connection.h"
#include "http/status.h"
#include "net/listener.h"
#include "net/stream.h"
#include "net/tls.h"

enum {
    LISTENERS_MAX = 16,
    BUSY_MAX = 128, /* turned away and still reading why; beyond it they are just closed */
};

struct http_server {
    struct http_shared shared;
    struct tls *tls; /* NULL: everything is plain */
    struct listener *listeners[LISTENERS_MAX];
    int listener_count;
    uv_timer_t stop_timer; /* the end of the grace, or of the last connection */
    int open_timers;
    bool is_stopped;
    void (*on_stopped)(void *context);
    void *context;
};

#define BUSY_BODY                                                                                  \
    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"                  \
    "\"code\":\"overloaded\",\"detail\":\"too many connections\"}"

static const char busy_reply[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "Content-Type: application/problem+json\r\n"
                                 "Content-Length: 117\r\n"
                                 "Retry-After: 1\r\n"
                                 "Connection: close\r\n"
                                 "\r\n" BUSY_BODY;
static_assert(sizeof BUSY_BODY - 1 == 117, "as Content-Length says");

static void on_stop_timer(uv_timer_t *timer);

static void on_connection_gone(void *owner)
{
    struct http_server *server = owner;
    const struct http_shared *shared = &server->shared;
    if (shared->is_stopping && !server->is_stopped && shared->count + shared->busy_count == 0)
        uv_timer_start(&server->stop_timer, on_stop_timer, 0, 0);
}

static void on_refused(void *owner)
{
    (void)owner;
    metric_add(METRIC_HTTP_SHED, 1);
}

static void on_stream(void *owner, struct stream *stream)
{
    struct http_server *server = owner;
    struct http_shared *shared = &server->shared;
    if (shared->count < shared->options.connections_max) {
        http_connection_open(shared, stream);
        return;
    }
    on_refused(owner);
    if (shared->busy_count < BUSY_MAX) {
        http_connection_turn_away(shared, stream, busy_reply, sizeof busy_reply - 1);
        return;
    }
    (void)stream_write(stream, busy_reply, sizeof busy_reply - 1);
    stream_close(stream);
}

static void on_tls_stream(void *owner, struct stream *stream)
{
    struct http_server *server = owner;
    if (server->shared.count < server->shared.options.connections_max ||
        server->shared.busy_count < BUSY_MAX)
        on_stream(owner, tls_stream_new(server->tls, server->shared.loop, stream, NULL));
    else
        stream_close(stream); /* telling why would take a handshake */
}

static bool are_valid(const struct http_server_options *options)
{
    return options->connections_max != 0 && options->input_bytes_max != 0 &&
           options->header_bytes_max != 0 && options->header_timeout_ms != 0 &&
           options->body_timeout_ms != 0 && options->idle_timeout_ms != 0 &&
           options->write_timeout_ms != 0 && options->reply_bytes_max != 0;
}

int http_server_new(struct http_server **server, struct uv_loop_s *loop,
                    const struct http_server_options *options, const struct http_handler *handler)
{
    assert(handler->on_headers != NULL && handler->on_request != NULL &&
           handler->on_refusal != NULL && handler->on_connection_end != NULL);
    assert(handler->on_body == NULL || handler->on_request_abandoned != NULL);
    if (!are_valid(options))
        return ERR_INVALID;
    struct http_server *made = calloc(1, sizeof *made);
    if (made == NULL)
        log_fatal("server allocation", NULL, ENOMEM);
    http_shared_init(&made->shared, loop, options, handler);
    made->shared.on_connection_gone = on_connection_gone;
    made->shared.owner = made;
    int error = uv_timer_init(loop, &made->stop_timer);
    assert(error == 0);
    made->stop_timer.data = made;
    *server = made;
    return 0;
}

void http_server_set_tls(struct http_server *server, struct tls *tls)
{
    if (server->tls != NULL)
        tls_release(server->tls);
    server->tls = tls;
}

void http_server_set_options(struct http_server *server, const struct http_server_options *options)
{
    assert(are_valid(options));
    server->shared.options = *options;
    http_framing_init(&server->shared.framing, options->header_bytes_max);
}

int http_server_listen(struct http_server *server, const char *address, struct buffer *bound,
                       struct buffer *why)
{
    bool is_tls = server->tls != NULL && strncmp(address, "unix:", 5) != 0;
    struct listener_options options = {
        .address = address,
        .refusal = busy_reply,
        .refusal_size = is_tls ? 0 : sizeof busy_reply - 1,
        .on_stream = is_tls ? on_tls_stream : on_stream,
        .on_refused = on_refused,
        .owner = server,
    };
    if (server->listener_count == LISTENERS_MAX) {
        buffer_append_format(why, "no more than %d addresses", LISTENERS_MAX);
        return ERR_INVALID;
    }
    int error = listener_new(&server->listeners[server->listener_count], server->shared.loop,
                             &options, bound, why);
    if (error == 0)
        server->listener_count++;
    return error;
}

void http_server_release(struct http_server *server, uint64_t released)
{
    if (released > server->shared.released)
        server->shared.released = released;
    http_connections_release(&server->shared);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct http_server *server = handle->data;
    if (--server->open_timers == 0)
        server->on_stopped(server->context);
}

static void close_timer(struct http_server *server, uv_timer_t *timer)
{
    timer->data = server;
    server->open_timers++;
    uv_close((uv_handle_t *)timer, on_timer_closed);
}

static void on_stop_timer(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    server->is_stopped = true;
    http_connections_cut(&server->shared);
    close_timer(server, &server->stop_timer);
    close_timer(server, &server->shared.wheel.timer);
    close_timer(server, &server->shared.resume_timer);
}

void http_server_stop(struct http_server *server, uint32_t grace_ms,
                      void (*on_stopped)(void *context), void *context)
{
    struct http_shared *shared = &server->shared;
    assert(!shared->is_stopping);
    server->on_stopped = on_stopped;
    server->context = context;
    shared->is_stopping = true;
    for (int i = 0; i < server->listener_count; i++)
        listener_free(server->listeners[i]);
    server->listener_count = 0;
    uv_timer_start(&server->stop_timer, on_stop_timer, grace_ms, 0);
    http_connections_wind_up(shared);
    if (shared->count + shared->busy_count == 0)
        uv_timer_start(&server->stop_timer, on_stop_timer, 0, 0);
}

void http_server_free(struct http_server *server)
{
    assert(server->is_stopped && server->open_timers == 0);
    http_shared_release(&server->shared);
    if (server->tls != NULL)
        tls_release(server->tls);
    free(server);
}
