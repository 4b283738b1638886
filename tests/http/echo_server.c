/* A server for the tests of src/http/: its handler says what it was asked, and does on request what
 * a handler may do.
 *
 *     echo_server [NAME=VALUE]… ADDRESS…
 *
 * NAME is an option of the server, body_bytes_max or grace_ms. Says "listening ADDRESS" for each
 * address, serves until SIGTERM, then stops gracefully and exits 0.
 *
 *     /held/N       a reply held by N         /release/N      releases up to N
 *     /later/NAME   deferred                  /answer/NAME/N  answers it, held by N
 *     /at-once      deferred and answered     /big/N          N bytes
 *     /close        closes behind the reply   /status/N       without a body
 *     /count        requests on this connection, by connection_data
 *     /ended        connections with data that have ended
 *     /memory       bytes the allocator has handed out
 *     /metrics      as Prometheus would see them
 *     /small        takes 10 bytes of body
 *     /taken        takes its body as it comes: says how much came so, how much at the end, their
 * sum /no-room      has no room for a body that does not come at once /abandoned    requests of
 * /taken that never became whole
 *
 * SIGPIPE is left as it is: writing to a client that has gone must not raise it. */
#include <assert.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/metric.h"
#include "http/server.h"

enum { LATER_MAX = 64, NAME_MAX_BYTES = 32, SMALL_BYTES = 10 };

static struct http_server *server;
static uv_signal_t terminate;
static size_t body_bytes_max = 1 << 20;
static uint32_t grace_ms = 2000;
static uint32_t input_bytes_max = 256 << 20;
static uint64_t ended, abandoned;

struct taken {
    uint64_t size, sum;
};

static struct later {
    char name[NAME_MAX_BYTES];
    struct http_deferred *deferred;
} laters[LATER_MAX];

static struct http_server_options options = {
    .connections_max = 20000,
    .header_bytes_max = 16384,
    .header_timeout_ms = 10000,
    .body_timeout_ms = 10000,
    .idle_timeout_ms = 60000,
    .write_timeout_ms = 10000,
    .reply_bytes_max = 1024 * 1024,
};

/* What follows `prefix` in the path, or NULL. */
static const char *path_behind(const struct http_request *request, const char *prefix, char *to)
{
    size_t size = strlen(prefix);
    if (request->path.size < size || memcmp(request->path.data, prefix, size) != 0)
        return NULL;
    size_t rest = request->path.size - size;
    assert(rest < NAME_MAX_BYTES);
    memcpy(to, request->path.data + size, rest);
    to[rest] = '\0';
    return to;
}

static void append_span(struct buffer *to, const char *name, struct http_span span)
{
    if (span.data == NULL)
        return;
    buffer_append_text(to, name);
    buffer_append_literal(to, "=");
    buffer_append(to, span.data, span.size);
    buffer_append_literal(to, "\n");
}

static void echo(const struct http_request *request, struct http_reply *reply)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                          "PATCH", "DELETE", "OPTIONS", "OTHER"};
    reply->content_type = "text/plain";
    buffer_append_format(reply->body, "method=%s\n", methods[request->method]);
    append_span(reply->body, "path", request->path);
    append_span(reply->body, "query", request->query);
    append_span(reply->body, "authorization", request->authorization);
    append_span(reply->body, "content_type", request->content_type);
    append_span(reply->body, "idempotency_key", request->idempotency_key);
    append_span(reply->body, "request_id", request->request_id);
    append_span(reply->body, "accept", request->accept);
    if (request->header_count_idempotency_key > 1)
        buffer_append_format(reply->body, "keys=%d\n", request->header_count_idempotency_key);
    append_span(reply->body, "body", request->body);
}

static void defer(struct http_reply *reply, const char *name)
{
    for (int i = 0; i < LATER_MAX; i++) {
        if (laters[i].deferred != NULL)
            continue;
        snprintf(laters[i].name, sizeof laters[i].name, "%s", name);
        laters[i].deferred = http_defer(reply);
        return;
    }
    abort();
}

static void answer_later(const char *name_and_hold)
{
    const char *slash = strrchr(name_and_hold, '/');
    for (int i = 0; i < LATER_MAX; i++) {
        struct later *later = &laters[i];
        if (later->deferred == NULL ||
            strncmp(later->name, name_and_hold, (size_t)(slash - name_and_hold)) != 0)
            continue;
        struct http_deferred *deferred = later->deferred;
        struct buffer body;
        buffer_init(&body);
        buffer_append_format(&body, "later %s", later->name);
        later->deferred = NULL;
        http_answer(deferred, 200, "text/plain", NULL, &body, strtoull(slash + 1, NULL, 10));
        buffer_release(&body);
        return;
    }
}

static void answer_at_once(struct http_reply *reply)
{
    struct http_deferred *deferred = http_defer(reply);
    buffer_append_literal(reply->headers, "X-At-Once: yes\r\n");
    buffer_append_literal(reply->body, "at once");
    http_answer(deferred, 200, "text/plain", reply->headers, reply->body, 0);
}

static void count_request(const struct http_request *request, struct http_reply *reply)
{
    uint64_t *count = *request->connection_data;
    if (count == NULL)
        *request->connection_data = count = calloc(1, sizeof *count);
    buffer_append_uint(reply->body, ++*count);
}

static void append_big(struct buffer *to, size_t size)
{
    memset(buffer_reserve(to, size), 'x', size);
    to->size += size;
}

/* Depends on each byte and its place. */
static void take(struct taken *taken, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        taken->sum = taken->sum * 31 + (unsigned char)data[i];
    taken->size += size;
}

static void say_taken(const struct http_request *request, struct http_reply *reply)
{
    struct taken none = {0, 0}, *taken = *request->request_data;
    struct taken all = taken == NULL ? none : *taken;
    uint64_t early = all.size;
    take(&all, request->body.data, request->body.size);
    buffer_append_format(reply->body, "%llu %llu %llu", (unsigned long long)early,
                         (unsigned long long)request->body.size, (unsigned long long)all.sum);
    free(taken);
}

static size_t on_body(void *context, const struct http_request *request, const char *data,
                      size_t size)
{
    char behind[NAME_MAX_BYTES];
    assert(context == &server && size != 0);
    if (path_behind(request, "/no-room", behind) != NULL)
        return HTTP_BODY_NO_ROOM;
    if (path_behind(request, "/taken", behind) == NULL)
        return 0;
    if (*request->request_data == NULL)
        *request->request_data = calloc(1, sizeof(struct taken));
    take(*request->request_data, data, size);
    return size;
}

static void on_request_abandoned(void *context, void *request_data)
{
    assert(context == &server && request_data != NULL);
    abandoned++;
    free(request_data);
}

/* False: not one of those. */
static bool do_as_told(const struct http_request *request, struct http_reply *reply)
{
    char behind[NAME_MAX_BYTES];
    if (path_behind(request, "/held/", behind) != NULL) {
        reply->hold = strtoull(behind, NULL, 10);
        buffer_append_format(reply->body, "held %s", behind);
    } else if (path_behind(request, "/release/", behind) != NULL) {
        http_server_release(server, strtoull(behind, NULL, 10));
    } else if (path_behind(request, "/later/", behind) != NULL) {
        defer(reply, behind);
    } else if (path_behind(request, "/answer/", behind) != NULL) {
        answer_later(behind);
    } else if (path_behind(request, "/at-once", behind) != NULL) {
        answer_at_once(reply);
    } else if (path_behind(request, "/big/", behind) != NULL) {
        append_big(reply->body, strtoull(behind, NULL, 10));
    } else if (path_behind(request, "/close", behind) != NULL) {
        reply->is_close = true;
    } else if (path_behind(request, "/status/", behind) != NULL) {
        reply->status = (int)strtol(behind, NULL, 10);
        reply->content_type = NULL;
    } else if (path_behind(request, "/count", behind) != NULL) {
        count_request(request, reply);
    } else if (path_behind(request, "/ended", behind) != NULL) {
        buffer_append_uint(reply->body, ended);
    } else if (path_behind(request, "/taken", behind) != NULL) {
        say_taken(request, reply);
    } else if (path_behind(request, "/abandoned", behind) != NULL) {
        buffer_append_uint(reply->body, abandoned);
    } else if (path_behind(request, "/memory", behind) != NULL) {
        struct mallinfo2 info = mallinfo2();
        buffer_append_uint(reply->body, info.uordblks + info.hblkhd);
    } else if (path_behind(request, "/metrics", behind) != NULL) {
        metrics_render(reply->body);
    } else {
        return false;
    }
    return true;
}

static size_t on_headers(void *context, const struct http_request *request)
{
    char behind[NAME_MAX_BYTES];
    assert(context == &server && request->body.data == NULL);
    return path_behind(request, "/small", behind) != NULL ? SMALL_BYTES : body_bytes_max;
}

static void on_request(void *context, const struct http_request *request, struct http_reply *reply)
{
    assert(context == &server && reply->headers->size == 0 && reply->body->size == 0);
    reply->status = 200;
    reply->content_type = "text/plain";
    if (!do_as_told(request, reply))
        echo(request, reply);
}

static void on_refusal(void *context, const struct http_request *request, const char *code,
                       const char *detail, struct http_reply *reply)
{
    assert(context == &server && reply->status >= 400);
    reply->content_type = "application/problem+json";
    buffer_append_format(reply->body, "{\"code\":\"%s\",\"detail\":\"%s\",\"path\":\"%.*s\"}", code,
                         detail, request == NULL ? 0 : (int)request->path.size,
                         request == NULL ? "" : request->path.data);
}

static void on_connection_end(void *context, void *connection_data)
{
    assert(context == &server && connection_data != NULL);
    ended++;
    free(connection_data);
}

static void on_stopped(void *context)
{
    assert(context == &server);
    http_server_free(server);
    server = NULL;
    uv_close((uv_handle_t *)&terminate, NULL);
}

static void on_terminate(uv_signal_t *handle, int number)
{
    (void)number;
    uv_signal_stop(handle);
    http_server_stop(server, grace_ms, on_stopped, &server);
}

static void set_option(const char *name, uint32_t value)
{
    const struct {
        const char *name;
        uint32_t *at;
    } known[] = {
        {"connections_max", &options.connections_max},
        {"header_bytes_max", &options.header_bytes_max},
        {"header_timeout_ms", &options.header_timeout_ms},
        {"body_timeout_ms", &options.body_timeout_ms},
        {"idle_timeout_ms", &options.idle_timeout_ms},
        {"write_timeout_ms", &options.write_timeout_ms},
        {"reply_bytes_max", &options.reply_bytes_max},
        {"input_bytes_max", &input_bytes_max},
        {"grace_ms", &grace_ms},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strncmp(name, known[i].name, strlen(known[i].name)) == 0) {
            *known[i].at = value;
            return;
        }
    }
    body_bytes_max = value;
}

static void listen_on(const char *address)
{
    struct buffer bound, why;
    buffer_init(&bound);
    buffer_init(&why);
    int error = http_server_listen(server, address, &bound, &why);
    if (error == 0)
        printf("listening %.*s\n", (int)bound.size, bound.data);
    else
        printf("failed %d %.*s\n", error, (int)why.size, why.data);
    fflush(stdout);
    buffer_release(&bound);
    buffer_release(&why);
}

int main(int argc, char **argv)
{
    static const struct http_handler handler = {
        .on_headers = on_headers,
        .on_body = on_body,
        .on_request_abandoned = on_request_abandoned,
        .on_request = on_request,
        .on_refusal = on_refusal,
        .on_connection_end = on_connection_end,
        .context = &server,
    };
    uv_loop_t loop;
    int first_address = 1;
    for (; first_address < argc && strchr(argv[first_address], '=') != NULL; first_address++)
        set_option(argv[first_address],
                   (uint32_t)strtoul(strchr(argv[first_address], '=') + 1, NULL, 10));
    options.input_bytes_max = input_bytes_max;
    uv_loop_init(&loop);
    int error = http_server_new(&server, &loop, &options, &handler);
    assert(error == 0);
    uv_signal_init(&loop, &terminate);
    uv_signal_start(&terminate, on_terminate, SIGTERM);
    for (int i = first_address; i < argc; i++)
        listen_on(argv[i]);
    uv_run(&loop, UV_RUN_DEFAULT);
    error = uv_loop_close(&loop);
    assert(error == 0);
    return 0;
}
