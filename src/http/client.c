/* The client: calls in line, and who gets which connection. A call waits at its host, first come
 * first served; a host whose calls lack nothing but room among all connections waits in the
 * client's line. An idle connection of another host makes room, the longest idle first. */
#include "http/client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/entropy.h"
#include "base/log.h"
#include "http/client_struct.h"
#include "net/tls.h"

/* Is there room for one more connection, or can it be made? */
static bool make_room(struct http_client *client)
{
    if (client->connection_count < client->options.connections_max)
        return true;
    if (http_ring_is_empty(&client->idle))
        return false;
    struct http_client_connection *oldest =
        http_ring_owner(client->idle.next, struct http_client_connection, idle);
    struct http_client_host *host = oldest->host;
    http_client_connection_close(oldest);
    http_client_host_settle(host);
    return true;
}

/* A connection for the host's first call that waits. False: it waits on. */
static bool serve_first(struct http_client_host *host)
{
    struct http_client *client = host->client;
    struct http_client_call *call =
        http_ring_owner(host->waiting.next, struct http_client_call, waiting);
    bool is_new_needed = call->is_fresh || call->is_retry;
    if (!is_new_needed && http_client_connection_reuse(call))
        return true;
    if (host->connection_count >= client->options.connections_per_host_max) {
        if (http_ring_is_empty(&host->idle))
            return false;
        http_client_connection_close(
            http_ring_owner(host->idle.previous, struct http_client_connection, host_idle));
    }
    if (!make_room(client)) {
        if (!http_ring_is_in(&host->line))
            http_ring_put(client->line.previous, &host->line);
        return false;
    }
    http_client_connection_open(call);
    return true;
}

static void serve(struct http_client_host *host)
{
    while (!host->client->is_closing && !http_ring_is_empty(&host->waiting) && serve_first(host))
        ;
    http_client_host_settle(host);
}

static void serve_line(struct http_client *client)
{
    while (!client->is_closing && !http_ring_is_empty(&client->line) &&
           (client->connection_count < client->options.connections_max ||
            !http_ring_is_empty(&client->idle))) {
        struct http_client_host *host =
            http_ring_owner(client->line.next, struct http_client_host, line);
        http_ring_take(&host->line);
        serve(host);
    }
}

void http_client_go_on(struct http_client_host *host)
{
    struct http_client *client = host->client;
    serve(host);
    serve_line(client);
}

static void wait_in_line(struct http_client_call *call, struct http_ring *behind)
{
    http_ring_put(behind, &call->waiting);
    call->client->waiting_count++;
}

static void leave_line(struct http_client_call *call)
{
    http_ring_take(&call->waiting);
    call->client->waiting_count--;
}

void http_client_retry(struct http_client_call *call)
{
    call->is_retry = true;
    wait_in_line(call, &call->host->waiting);
}

static void on_later(uv_timer_t *timer)
{
    struct http_client *client = timer->data;
    while (!http_ring_is_empty(&client->failing)) {
        struct http_client_call *call =
            http_ring_owner(client->failing.next, struct http_client_call, waiting);
        http_ring_take(&call->waiting);
        http_client_call_end(call, call->error, call->detail);
    }
}

/* Fails, later: not inside of http_client_send. */
static void fail_later(struct http_client_call *call, enum http_client_error error,
                       const char *detail)
{
    struct http_client *client = call->client;
    call->host = NULL;
    call->error = error;
    call->detail = detail;
    http_ring_put(client->failing.previous, &call->waiting);
    if (!uv_is_active((uv_handle_t *)&client->later))
        uv_timer_start(&client->later, on_later, 0, 0);
}

/* Takes the call off whatever it is on. */
static void detach(struct http_client_call *call)
{
    struct http_client_host *host = call->host;
    if (call->connection != NULL)
        http_client_connection_close(call->connection);
    else if (host != NULL)
        leave_line(call);
    else
        http_ring_take(&call->waiting);
    call->host = NULL;
    if (host != NULL)
        http_client_go_on(host);
}

static void on_call_due(struct http_client_timer *timer)
{
    struct http_client_call *call = http_ring_owner(timer, struct http_client_call, timer);
    const char *detail = call->connection == NULL ? "no connection was free in time"
                         : call->was_sent         ? "no whole answer in time"
                                                  : "no connection in time";
    if (call->host == NULL)
        return; /* it fails already */
    detach(call);
    http_client_call_end(call, HTTP_CLIENT_TIMEOUT, detail);
}

static struct http_client_call *call_new(struct http_client *client,
                                         const struct http_client_request *request)
{
    struct http_client_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        log_fatal("call allocation", NULL, ENOMEM);
    call->client = client;
    call->on_done = request->on_done;
    call->context = request->context;
    call->is_fresh = request->is_fresh;
    call->timer.on_due = on_call_due;
    buffer_init(&call->request);
    http_ring_put(&client->calls, &call->link);
    return call;
}

struct http_client_call *http_client_send(struct http_client *client,
                                          const struct http_client_request *request)
{
    struct http_client_call *call = call_new(client, request);
    struct http_url url;
    const char *detail = "not a URL that can be called";
    enum http_client_error error = HTTP_CLIENT_INVALID;
    if (http_url_parse(&url, request->url))
        error = http_client_call_write(call, request, &url, &detail);
    if (error == HTTP_CLIENT_OK && url.is_https && client->tls == NULL) {
        error = HTTP_CLIENT_TLS;
        detail = "there is no CA file to verify with";
    }
    if (error != HTTP_CLIENT_OK) {
        fail_later(call, error, detail);
        return call;
    }
    uint32_t timeout_ms =
        request->timeout_ms != 0 ? request->timeout_ms : client->options.timeout_ms;
    http_deadline_set(&client->wheel, &call->timer.deadline, uv_now(client->loop) + timeout_ms);
    call->host = http_client_host_get(client, &url, request->allow_private);
    wait_in_line(call, call->host->waiting.previous);
    serve(call->host);
    if (call->connection == NULL && client->waiting_count > client->options.waiting_max) {
        struct http_client_host *host = call->host;
        leave_line(call);
        fail_later(call, HTTP_CLIENT_OVERLOADED, "too many calls wait");
        http_client_host_settle(host);
    }
    return call;
}

void http_client_cancel(struct http_client_call *call)
{
    detach(call);
    http_client_call_free(call);
}

static void on_due(struct http_deadline *deadline)
{
    struct http_client_timer *timer = http_ring_owner(deadline, struct http_client_timer, deadline);
    timer->on_due(timer);
}

static void set_default(uint32_t *option, uint32_t value)
{
    if (*option == 0)
        *option = value;
}

static void set_defaults(struct http_client_options *options)
{
    set_default(&options->connections_max, 256);
    set_default(&options->connections_per_host_max, 16);
    set_default(&options->waiting_max, 16384);
    set_default(&options->connect_timeout_ms, 10000);
    set_default(&options->timeout_ms, 30000);
    set_default(&options->idle_timeout_ms, 15000);
    set_default(&options->response_head_bytes_max, 65536);
    set_default(&options->response_bytes_max, 1024 * 1024);
    if (options->ca_file == NULL)
        options->ca_file = "/etc/ssl/certs/ca-certificates.crt";
}

static void open_tls(struct http_client *client)
{
    struct buffer why;
    buffer_init(&why);
    if (tls_client_new(&client->tls, client->options.ca_file, "http/1.1", &why) != 0) {
        buffer_append(&why, "", 1);
        log_event(LOG_WARNING, "ca_file_unusable", LOG_TEXT("reason", why.data));
    }
    client->options.ca_file = NULL; /* the caller's */
    buffer_release(&why);
}

struct http_client *http_client_new(struct uv_loop_s *loop,
                                    const struct http_client_options *options)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        log_fatal("client allocation", NULL, ENOMEM);
    client->loop = loop;
    client->options = *options;
    set_defaults(&client->options);
    open_tls(client);
    client->read_buffer = malloc(HTTP_CLIENT_READ_BYTES);
    if (client->read_buffer == NULL)
        log_fatal("client allocation", NULL, ENOMEM);
    entropy_fill(&client->hash_key, sizeof client->hash_key);
    http_ring_init(&client->failing);
    http_ring_init(&client->calls);
    http_ring_init(&client->connections);
    http_ring_init(&client->idle);
    http_ring_init(&client->line);
    for (size_t i = 0; i < HTTP_CLIENT_BUCKETS; i++)
        http_ring_init(&client->buckets[i]);
    http_wheel_init(&client->wheel, loop, on_due);
    int error = uv_timer_init(loop, &client->later);
    assert(error == 0);
    client->later.data = client->wheel.timer.data = client;
    client->open_handles = 2;
    return client;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_client *client = handle->data;
    if (--client->open_handles != 0)
        return;
    if (client->tls != NULL)
        tls_release(client->tls);
    free(client->read_buffer);
    free(client);
}

void http_client_free(struct http_client *client)
{
    client->is_closing = true;
    while (!http_ring_is_empty(&client->calls))
        http_client_cancel(http_ring_owner(client->calls.next, struct http_client_call, link));
    while (!http_ring_is_empty(&client->connections)) {
        struct http_client_connection *connection =
            http_ring_owner(client->connections.next, struct http_client_connection, link);
        struct http_client_host *host = connection->host;
        http_client_connection_close(connection);
        http_client_host_settle(host);
    }
    uv_close((uv_handle_t *)&client->later, on_handle_closed);
    uv_close((uv_handle_t *)&client->wheel.timer, on_handle_closed);
}
