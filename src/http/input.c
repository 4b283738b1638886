/* From bytes to requests. What was read lies in the buffer all connections share, and requests
 * that are whole are handled from there, without being copied. What is left over, the beginning of
 * a request or requests that may not be handled yet, moves into the connection's own storage, which
 * exists only as long as there is something in it: an idle connection has none.
 *
 * Bodies that the handler takes while they arrive leave between http_framing_run and
 * http_framing_keep; nothing else knows.
 *
 * All inputs together hold at most input_bytes_max. Room is asked for before it is used; a request
 * for which there is none is refused, in its turn. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/connection.h"

void http_input_drop(struct http_connection *connection)
{
    if (connection->input == NULL)
        return;
    connection->shared->input_bytes -= connection->input->bytes.capacity;
    buffer_release(&connection->input->bytes);
    free(connection->input);
    connection->input = NULL;
    connection->is_input_pending = false;
}

/* Is there room for `size` bytes more in a buffer, which grows as buffers do? Makes it. */
static bool reserve(struct http_shared *shared, struct buffer *bytes, size_t size)
{
    size_t before = bytes->capacity, after = before;
    if (before - bytes->size < size)
        after = 2 * before > bytes->size + size ? 2 * before : bytes->size + size;
    if (shared->input_bytes + (after - before) > shared->options.input_bytes_max)
        return false;
    buffer_reserve(bytes, size);
    shared->input_bytes += bytes->capacity - before;
    return true;
}

/* Does what the framing came to, with `size` bytes of the request and what is behind it, and
 * returns how many of them are done with. */
static size_t on_framed(struct http_connection *connection, struct http_framing *framing,
                        enum http_framing_result result, const char *bytes, size_t size)
{
    framing->head.request.connection_data = &connection->data;
    if (result == HTTP_FRAMING_HEAD) {
        http_exchange_head(connection, framing, size);
        return 0;
    }
    if (result == HTTP_FRAMING_REFUSED) {
        http_exchange_refuse(connection, http_framing_request(framing, bytes), framing->refusal);
        return 0;
    }
    assert(result == HTTP_FRAMING_REQUEST);
    size_t end = framing->end;
    http_exchange_request(connection, &framing->head, end == size);
    http_framing_init(framing, connection->shared->options.header_bytes_max);
    return end;
}

/* What is left goes to the front of the connection's own storage. Without room for it, that the
 * request is to be refused is all that is kept. */
static void keep(struct http_connection *connection, struct http_framing *framing, char *bytes,
                 size_t size)
{
    struct http_shared *shared = connection->shared;
    struct http_input *input = connection->input;
    size = http_framing_keep(framing, bytes, size);
    if (input != NULL) {
        memmove(input->bytes.data, bytes, size);
        input->bytes.size = size;
        return;
    }
    input = calloc(1, sizeof *input);
    if (input == NULL)
        log_fatal("input allocation", NULL, ENOMEM);
    input->framing = *framing;
    input->is_refused = !reserve(shared, &input->bytes, size);
    if (!input->is_refused)
        buffer_append(&input->bytes, bytes, size);
    connection->input = input;
    http_framing_init(&shared->framing, shared->options.header_bytes_max);
}

/* The handler's share of a body that is not whole. Says how many bytes are left. */
static size_t hand_on(struct http_connection *connection, struct http_framing *framing, char *bytes,
                      size_t size)
{
    size_t taken = http_exchange_body(connection, framing, bytes);
    return taken == 0 ? size : http_framing_take(framing, bytes, size, taken);
}

/* Its turn has come: nothing that is in front of it is unanswered. */
static void refuse_for_room(struct http_connection *connection)
{
    struct http_input *input = connection->input;
    const struct http_request *request = NULL;
    if (!input->is_refused)
        request = http_framing_request(&input->framing, input->bytes.data);
    http_exchange_refuse(connection, request, HTTP_REFUSAL_NO_ROOM);
    http_input_drop(connection);
}

static void on_no_room(struct http_connection *connection)
{
    if (http_connection_may_go_on(connection))
        refuse_for_room(connection);
    else
        connection->is_input_pending = true; /* resumed when it may go on */
}

static void note_times(struct http_connection *connection, bool is_new_request)
{
    uint64_t now = uv_now(connection->shared->loop);
    connection->input->grew_ms = now;
    if (is_new_request)
        connection->input->began_ms = now;
}

/* Goes through bytes that begin with a request, the framing's. */
static void run(struct http_connection *connection, struct http_framing *framing, char *bytes,
                size_t size)
{
    size_t at = 0;
    bool is_shared = framing == &connection->shared->framing;
    bool is_new_request = connection->input == NULL;
    bool is_pending = true;
    while (at < size && http_connection_may_go_on(connection)) {
        enum http_framing_result result = http_framing_run(framing, bytes + at, size - at);
        if (result == HTTP_FRAMING_MORE) {
            size = at + hand_on(connection, framing, bytes + at, size - at);
            is_pending = false;
            break;
        }
        size_t done = on_framed(connection, framing, result, bytes + at, size - at);
        at += done;
        is_new_request |= done != 0;
    }
    bool is_over = connection->phase != HTTP_SERVING || connection->is_closed;
    if (is_over && is_shared)
        http_framing_init(framing, connection->shared->options.header_bytes_max);
    if (is_over || at == size) {
        http_input_drop(connection);
        return;
    }
    keep(connection, framing, bytes + at, size - at);
    connection->is_input_pending = is_pending;
    note_times(connection, is_new_request);
    if (connection->input->is_refused)
        on_no_room(connection);
}

void http_input_read(struct http_connection *connection, char *bytes, size_t size)
{
    struct http_shared *shared = connection->shared;
    struct http_input *input = connection->input;
    shared->read_ns = clock_monotonic_ns();
    if (input == NULL) {
        run(connection, &shared->framing, bytes, size);
        return;
    }
    if (!reserve(shared, &input->bytes, size)) {
        refuse_for_room(connection);
        return;
    }
    buffer_append(&input->bytes, bytes, size);
    run(connection, &input->framing, input->bytes.data, input->bytes.size);
}

void http_input_resume(struct http_connection *connection)
{
    struct http_input *input = connection->input;
    connection->shared->read_ns = clock_monotonic_ns();
    connection->is_input_pending = false;
    if (input->is_refused)
        refuse_for_room(connection);
    else
        run(connection, &input->framing, input->bytes.data, input->bytes.size);
}
