/* From bytes to requests. What was read lies in the buffer all connections share, and requests
 * that are whole are handled from there, without being copied. What is left over, the beginning of
 * a request or requests that may not be handled yet, moves into the connection's own storage, which
 * exists only as long as there is something in it: an idle connection has none.
 *
 * Bodies that are handed on while they arrive would be taken out between http_framing_run and
 * http_framing_keep; nothing else would have to know. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "http/connection.h"

void http_input_drop(struct http_connection *connection)
{
    if (connection->input == NULL)
        return;
    connection->shared->input_bytes -= connection->input->counted;
    buffer_release(&connection->input->bytes);
    free(connection->input);
    connection->input = NULL;
    connection->is_input_pending = false;
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

/* What is left goes to the front of the connection's own storage. */
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
    buffer_append(&input->bytes, bytes, size);
    connection->input = input;
    http_framing_init(&shared->framing, shared->options.header_bytes_max);
}

/* Memory is bounded for all together, whatever each may send: many clients with half a body each,
 * that would be few if they were whole. Those who are served from the read buffer are not
 * concerned. */
static void count_kept(struct http_connection *connection)
{
    struct http_shared *shared = connection->shared;
    struct http_input *input = connection->input;
    shared->input_bytes += input->bytes.capacity - input->counted;
    input->counted = input->bytes.capacity;
    if (shared->input_bytes <= shared->options.input_bytes_max)
        return;
    metric_add(METRIC_HTTP_SHED, 1);
    http_exchange_refuse(connection, http_framing_request(&input->framing, input->bytes.data),
                         HTTP_REFUSAL_OVERLOAD);
    http_input_drop(connection);
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
    count_kept(connection);
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
    buffer_append(&input->bytes, bytes, size);
    run(connection, &input->framing, input->bytes.data, input->bytes.size);
}

void http_input_resume(struct http_connection *connection)
{
    struct http_input *input = connection->input;
    connection->shared->read_ns = clock_monotonic_ns();
    connection->is_input_pending = false;
    run(connection, &input->framing, input->bytes.data, input->bytes.size);
}
