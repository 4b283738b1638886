/* Bytes from a hostile client, over a stream without a socket, through everything the server does
 * with them, and each body through the JSON parser. Besides what the sanitizers see: the same
 * bytes, cut elsewhere, come to the same requests, refusals and replies.
 *
 * The first four bytes choose the cuts. Paths choose what the handler does: one that ends in "h" is
 * held, in "d" deferred, in "c" closed behind; the body of one that begins with "/s" is taken as it
 * comes. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <sanitizer/asan_interface.h>

#include "../http/memory_stream.h"
#include "base/arena.h"
#include "http/connection.h"
#include "json/read.h"

enum { SEED_BYTES = 4, BODY_MAX = 600, SMALL_BODY_MAX = 20, TURNS_MAX = 100000 };

/* What one way of cutting the bytes came to. */
struct outcome {
    struct buffer log;     /* requests and refusals as the handler saw them */
    struct buffer replies; /* as the client saw them, without any 100 Continue */
};

static uv_loop_t loop;
static struct http_shared shared;
static struct arena arena;
static struct outcome *current;
static struct http_deferred *deferred;
static uint64_t last_hold;
static int taken_count; /* of requests whose body is being taken */

static void log_span(char mark, struct http_span span)
{
    buffer_append(&current->log, &mark, 1);
    if (span.data == NULL)
        return;
    buffer_append_uint(&current->log, span.size);
    buffer_append(&current->log, ":", 1);
    buffer_append(&current->log, span.data, span.size);
}

static void log_request(const struct http_request *request)
{
    buffer_append_literal(&current->log, "\nrequest ");
    buffer_append_int(&current->log, request->method);
    log_span('p', request->path);
    log_span('q', request->query);
    log_span('a', request->authorization);
    log_span('t', request->content_type);
    log_span('i', request->idempotency_key);
    log_span('r', request->request_id);
    log_span('c', request->accept);
    buffer_append_int(&current->log, request->header_count_idempotency_key);
}

/* The whole body, be it taken, gathered or both. */
static void log_body(const struct http_request *request)
{
    struct buffer *taken = *request->request_data;
    struct buffer whole = {0};
    if (taken != NULL)
        buffer_append(&whole, taken->data, taken->size);
    buffer_append(&whole, request->body.data, request->body.size);
    log_span('b', (struct http_span){whole.size == 0 ? "" : whole.data, whole.size});
    buffer_release(&whole);
}

static size_t on_headers(void *context, const struct http_request *request)
{
    (void)context;
    return request->path.size == 2 ? SMALL_BODY_MAX : BODY_MAX;
}

static void free_taken(struct buffer *taken)
{
    if (taken == NULL)
        return;
    buffer_release(taken);
    free(taken);
    taken_count--;
}

/* Every third time it would rather wait. */
static size_t on_body(void *context, const struct http_request *request, const char *data,
                      size_t size)
{
    static unsigned calls;
    (void)context;
    struct buffer *taken = *request->request_data;
    if (request->path.size < 2 || request->path.data[1] != 's' || ++calls % 3 == 0)
        return 0;
    if (taken == NULL) {
        *request->request_data = taken = calloc(1, sizeof *taken);
        taken_count++;
    }
    buffer_append(taken, data, size);
    return size;
}

static void on_request_abandoned(void *context, void *request_data)
{
    (void)context;
    free_taken(request_data);
}

static void parse_body(struct http_span body)
{
    const char *why;
    arena_reset(&arena);
    buffer_append_literal(&current->log, " json ");
    buffer_append_int(&current->log, json_parse(&arena, body.data, body.size, &why) != NULL);
}

static void on_request(void *context, const struct http_request *request, struct http_reply *reply)
{
    (void)context;
    char last = request->path.data[request->path.size - 1];
    log_request(request);
    log_body(request);
    if (*request->request_data == NULL && request->path.data[1] != 's')
        parse_body(request->body);
    free_taken(*request->request_data);
    reply->status = 200;
    reply->content_type = "text/plain";
    if (last == 'h')
        reply->hold = ++last_hold;
    if (last == 'c')
        reply->is_close = true;
    if (last == 'd')
        deferred = http_defer(reply);
}

static void on_refusal(void *context, const struct http_request *request, const char *code,
                       const char *detail, struct http_reply *reply)
{
    (void)context;
    buffer_append_literal(&current->log, "\nrefusal ");
    buffer_append_text(&current->log, code);
    buffer_append_text(&current->log, detail);
    if (request != NULL)
        log_request(request);
    reply->content_type = "text/plain";
    buffer_append_text(reply->body, code);
}

static void on_connection_end(void *context, void *connection_data)
{
    (void)context;
    (void)connection_data;
}

static void on_connection_gone(void *owner)
{
    (void)owner;
}

/* What lies in the read buffer behind what was read is out of bounds. */
static ssize_t read_and_poison(struct stream *stream, void *to, size_t size)
{
    ASAN_UNPOISON_MEMORY_REGION(to, size);
    ssize_t count = memory_read(stream, to, size);
    if (count > 0)
        ASAN_POISON_MEMORY_REGION((char *)to + count, size - (size_t)count);
    return count;
}

static void set_up(void)
{
    static const struct http_server_options options = {
        .connections_max = 1,
        .header_bytes_max = 400,
        .header_timeout_ms = 1000000,
        .body_timeout_ms = 1000000,
        .idle_timeout_ms = 1000000,
        .write_timeout_ms = 1000000,
        .reply_bytes_max = 500,
        .input_bytes_max = 1 << 20,
    };
    static const struct http_handler handler = {
        .on_headers = on_headers,
        .on_body = on_body,
        .on_request_abandoned = on_request_abandoned,
        .on_request = on_request,
        .on_refusal = on_refusal,
        .on_connection_end = on_connection_end,
    };
    uv_loop_init(&loop);
    http_shared_init(&shared, &loop, &options, &handler);
    shared.on_connection_gone = on_connection_gone;
    arena_init(&arena, 1 << 20);
    http_date_line(&shared.date, 0);
    shared.date.fresh_until_ms = UINT64_MAX; /* so that replies compare */
}

/* Lets everything go that waits for something else than the client. */
static void let_go(struct memory_stream *memory)
{
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        if (deferred != NULL) {
            struct http_deferred *answered = deferred;
            deferred = NULL;
            http_answer(answered, 200, "text/plain", NULL, NULL, 0);
        } else if (shared.waiting != NULL) {
            shared.released = last_hold;
            http_connections_release(&shared);
        } else if (shared.resuming != NULL) {
            uv_run(&loop, UV_RUN_NOWAIT);
        } else {
            return;
        }
        memory_stream_run(memory);
    }
    abort(); /* it never ends */
}

static void keep_replies(struct outcome *outcome, const struct buffer *output)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (output->size == 0)
        return;
    const char *at = output->data, *end = at + output->size, *found;
    while ((found = memmem(at, (size_t)(end - at), go_on, sizeof go_on - 1)) != NULL) {
        buffer_append(&outcome->replies, at, (size_t)(found - at));
        at = found + sizeof go_on - 1;
    }
    buffer_append(&outcome->replies, at, (size_t)(end - at));
}

/* `seed` 0: not cut at all. */
static void run(struct outcome *outcome, const char *data, size_t size, uint32_t seed)
{
    static struct stream_ops ops;
    struct memory_stream memory;
    ops = memory_ops;
    ops.read = read_and_poison;
    memory_stream_init(&memory);
    memory.stream.ops = &ops;
    current = outcome;
    shared.released = last_hold = 0;
    http_connection_open(&shared, &memory.stream);
    while (size != 0 && !memory.is_closed) {
        size_t piece = size;
        if (seed != 0) {
            seed = seed * 1664525 + 1013904223;
            piece = 1 + (seed >> 8) % (seed >> 28 < 4 ? 3 : 200);
            piece = piece < size ? piece : size;
        }
        memory_stream_give(&memory, data, piece);
        let_go(&memory);
        data += piece;
        size -= piece;
    }
    memory.is_end_of_input = true;
    if (!memory.is_closed)
        memory_stream_run(&memory);
    let_go(&memory);
    if (!memory.is_closed || shared.connections != NULL)
        abort(); /* a client that has gone ends its connection */
    if (taken_count != 0 || shared.input_bytes != 0)
        abort(); /* and with it what there was of a request */
    keep_replies(outcome, &memory.output);
    memory_stream_release(&memory);
}

static void compare(const char *what, const struct buffer *a, const struct buffer *b)
{
    if (a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0))
        return;
    fprintf(stderr, "%s differ\n---- whole\n%.*s\n---- cut\n%.*s\n", what, (int)a->size, a->data,
            (int)b->size, b->data);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole = {0}, cut = {0};
    uint32_t seed;
    if (size < SEED_BYTES)
        return 0;
    if (shared.loop == NULL)
        set_up();
    memcpy(&seed, data, SEED_BYTES);
    run(&whole, (const char *)data + SEED_BYTES, size - SEED_BYTES, 0);
    run(&cut, (const char *)data + SEED_BYTES, size - SEED_BYTES, seed | 1);
    compare("requests", &whole.log, &cut.log);
    compare("replies", &whole.replies, &cut.replies);
    buffer_release(&whole.log);
    buffer_release(&whole.replies);
    buffer_release(&cut.log);
    buffer_release(&cut.replies);
    return 0;
}
