/* A connection, from its first byte to its last. What it does happens in turns: something is ready,
 * due or answered; bytes are read and run through; then, once, at the end of the turn, what may
 * leave is written and it is settled what to wait for next. So all replies to one read leave in one
 * write.
 *
 * What is hard about it is who may end it when. A handler may release or answer inside of a turn,
 * writing may fail inside of a release: nothing is freed before its turn ends, and a turn inside of
 * a turn is none. */
#include "http/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "net/stream.h"

static void on_ready(void *owner, int events);

/* Life. */

static struct http_connection *connection_new(struct http_shared *shared, struct stream *stream)
{
    struct http_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        log_fatal("connection allocation", NULL, ENOMEM);
    connection->shared = shared;
    connection->stream = stream;
    if (stream->is_opening)
        connection->open_until_ms = uv_now(shared->loop) + shared->options.header_timeout_ms;
    http_link_put(&shared->connections, &connection->link);
    stream->on_ready = on_ready;
    stream->owner = connection;
    return connection;
}

static void set_gauge(const struct http_shared *shared)
{
    metric_set(METRIC_HTTP_CONNECTIONS, (int64_t)shared->count + shared->busy_count);
}

/* Inside of a turn. Nothing is sent or read any more. */
static void connection_close(struct http_connection *connection)
{
    if (connection->is_closed)
        return;
    connection->is_closed = true;
    stream_close(connection->stream);
    http_link_take(&connection->waiting);
    http_link_take(&connection->resuming);
    http_deadline_remove(&connection->shared->wheel, &connection->deadline);
}

/* At the end of the turn it was closed in: the handler may have been at work on it until now. */
static void connection_free(struct http_connection *connection)
{
    struct http_shared *shared = connection->shared;
    if (connection->deferred != NULL)
        connection->deferred->connection = NULL;
    http_exchange_abandon(connection);
    if (connection->data != NULL)
        shared->handler.on_connection_end(shared->handler.context, connection->data);
    http_link_take(&connection->link);
    if (connection->is_turned_away)
        shared->busy_count--;
    else
        shared->count--;
    set_gauge(shared);
    http_input_drop(connection);
    if (connection->outgoing != NULL)
        http_outgoing_give(&shared->pool, connection->outgoing);
    free(connection);
    shared->on_connection_gone(shared->owner);
}

/* Sending. */

static size_t waiting_bytes(const struct http_connection *connection)
{
    return connection->outgoing == NULL ? 0 : http_outgoing_size(connection->outgoing);
}

/* `size` bytes could not be sent. The client has write_timeout_ms to take them; some progress does
 * not win it time, else a few bytes a minute would hold memory for ever. */
static void on_blocked(struct http_connection *connection, size_t size)
{
    const struct http_shared *shared = connection->shared;
    connection->is_blocked = true;
    if (connection->blocked_bytes != 0)
        return;
    connection->blocked_bytes = size;
    connection->write_until_ms = uv_now(shared->loop) + shared->options.write_timeout_ms;
}

static void on_sent(struct http_connection *connection, size_t size)
{
    http_outgoing_left(connection->outgoing, size, clock_monotonic_ns());
    connection->blocked_bytes -=
        connection->blocked_bytes < size ? connection->blocked_bytes : size;
}

/* Writes once what may leave. */
static void flush(struct http_connection *connection)
{
    struct http_shared *shared = connection->shared;
    struct http_outgoing *outgoing = connection->outgoing;
    if (connection->is_closed || outgoing == NULL || connection->is_blocked)
        return;
    size_t end = http_outgoing_end(outgoing, shared->released);
    size_t size = end - outgoing->sent;
    if (size != 0) {
        ssize_t sent =
            stream_write(connection->stream, outgoing->bytes.data + outgoing->sent, size);
        if (sent == STREAM_BROKEN) {
            connection_close(connection);
            return;
        }
        if (sent > 0)
            on_sent(connection, (size_t)sent);
        if (sent < (ssize_t)size)
            on_blocked(connection, size - (size_t)(sent > 0 ? sent : 0));
    }
    if (http_outgoing_size(outgoing) == 0) {
        http_outgoing_give(&shared->pool, outgoing);
        connection->outgoing = NULL;
        http_link_take(&connection->waiting);
    } else if (!connection->is_blocked && !http_link_is_on(&connection->waiting)) {
        http_link_put(&shared->waiting, &connection->waiting);
    }
}

/* Reading. */

bool http_connection_may_go_on(const struct http_connection *connection)
{
    return connection->phase == HTTP_SERVING && connection->deferred == NULL &&
           !connection->is_closed && !connection->is_paused &&
           waiting_bytes(connection) <= connection->shared->options.reply_bytes_max;
}

static void on_lingering_read(struct http_connection *connection, ssize_t size)
{
    if (size == STREAM_AGAIN)
        return;
    if (size <= 0 || connection->lingered_bytes + (size_t)size > HTTP_LINGER_BYTES)
        connection_close(connection);
    else
        connection->lingered_bytes += (uint32_t)size;
}

static void on_readable(struct http_connection *connection)
{
    struct http_shared *shared = connection->shared;
    bool is_lingering = connection->phase == HTTP_LINGERING;
    if (!is_lingering && (!http_connection_may_go_on(connection) || connection->is_input_pending)) {
        connection->is_reading_stopped = true;
        return;
    }
    ssize_t size = stream_read(connection->stream, shared->read_buffer, HTTP_READ_BYTES);
    if (is_lingering)
        on_lingering_read(connection, size);
    else if (size > 0)
        http_input_read(connection, shared->read_buffer, (size_t)size);
    else if (size == 0)
        connection->is_end_of_input = true;
    else if (size != STREAM_AGAIN)
        connection_close(connection);
}

/* Turns. */

static void begin_lingering(struct http_connection *connection)
{
    stream_end(connection->stream);
    connection->phase = HTTP_LINGERING;
    connection->linger_until_ms = uv_now(connection->shared->loop) + HTTP_LINGER_MS;
}

/* Is there nothing left that could become a request, or be answered? */
static bool is_done(const struct http_connection *connection)
{
    if (connection->deferred != NULL || connection->is_input_pending)
        return false;
    return connection->is_end_of_input ||
           (connection->shared->is_stopping && connection->input == NULL);
}

static void settle_phase(struct http_connection *connection)
{
    if (connection->phase == HTTP_SERVING && is_done(connection))
        connection->phase = HTTP_ENDING;
    if (connection->phase != HTTP_ENDING)
        return;
    http_input_drop(connection);
    http_exchange_abandon(connection);
    if (connection->outgoing != NULL)
        return;
    if (connection->is_end_of_input)
        connection_close(connection);
    else
        begin_lingering(connection);
}

static uint64_t input_due_ms(const struct http_connection *connection)
{
    const struct http_server_options *options = &connection->shared->options;
    const struct http_input *input = connection->input;
    return input->framing.place == HTTP_IN_HEAD ? input->began_ms + options->header_timeout_ms
                                                : input->grew_ms + options->body_timeout_ms;
}

/* When patience with the client ends; 0: it is not the client that is waited for. */
static uint64_t due_ms(const struct http_connection *connection)
{
    if (connection->open_until_ms != 0)
        return connection->open_until_ms;
    if (connection->phase == HTTP_LINGERING)
        return connection->linger_until_ms;
    if (connection->is_blocked)
        return connection->write_until_ms;
    if (connection->phase == HTTP_ENDING || !http_connection_may_go_on(connection) ||
        connection->is_input_pending)
        return 0;
    if (connection->input != NULL)
        return input_due_ms(connection);
    if (connection->outgoing != NULL)
        return 0;
    return uv_now(connection->shared->loop) + connection->shared->options.idle_timeout_ms;
}

static void on_resume(uv_timer_t *timer);

static void settle_input(struct http_connection *connection)
{
    struct http_shared *shared = connection->shared;
    if (!http_connection_may_go_on(connection))
        return;
    if (connection->is_input_pending) {
        if (http_link_is_on(&connection->resuming))
            return;
        http_link_put(&shared->resuming, &connection->resuming);
        uv_timer_start(&shared->resume_timer, on_resume, 0, 0);
    } else if (connection->is_reading_stopped) {
        connection->is_reading_stopped = false;
        if (connection->input != NULL)
            connection->input->began_ms = connection->input->grew_ms = uv_now(shared->loop);
    }
}

static void settle_watch(struct http_connection *connection)
{
    bool is_reading = connection->phase == HTTP_LINGERING ||
                      (!connection->is_end_of_input && !connection->is_reading_stopped);
    stream_watch(connection->stream, (is_reading ? STREAM_READABLE : 0) |
                                         (connection->is_blocked ? STREAM_WRITABLE : 0));
}

bool http_turn_begin(struct http_connection *connection)
{
    if (connection->is_in_turn)
        return false;
    connection->is_in_turn = true;
    return true;
}

void http_turn_end(struct http_connection *connection)
{
    flush(connection);
    if (!connection->is_closed) {
        settle_input(connection);
        settle_phase(connection);
    }
    if (!connection->is_closed) {
        http_deadline_set(&connection->shared->wheel, &connection->deadline, due_ms(connection));
        settle_watch(connection);
    }
    connection->is_in_turn = false;
    if (connection->is_closed)
        connection_free(connection);
}

static void on_ready(void *owner, int events)
{
    struct http_connection *connection = owner;
    bool is_begun = http_turn_begin(connection);
    assert(is_begun);
    connection->open_until_ms = 0; /* a stream that is opening says nothing but that it failed */
    if (events & STREAM_FAILED)
        connection_close(connection);
    if (events & STREAM_WRITABLE)
        connection->is_blocked = false;
    if (events & STREAM_READABLE && !connection->is_closed)
        on_readable(connection);
    http_turn_end(connection);
}

static void on_due(struct http_deadline *deadline)
{
    struct http_connection *connection =
        http_link_owner(deadline, struct http_connection, deadline);
    bool is_begun = http_turn_begin(connection);
    assert(is_begun);
    if (connection->open_until_ms != 0 && !connection->stream->is_opening) {
        connection->open_until_ms = 0; /* the handshake was done in time, and nothing came since */
    } else if (connection->phase == HTTP_SERVING && !connection->is_blocked &&
               connection->input != NULL) {
        struct http_input *input = connection->input;
        connection->shared->read_ns = clock_monotonic_ns();
        http_exchange_refuse(connection, http_framing_request(&input->framing, input->bytes.data),
                             HTTP_REFUSAL_TIMEOUT);
    } else {
        connection_close(connection);
    }
    http_turn_end(connection);
}

/* In a turn of the loop of its own: whoever released or answered is not called back from inside. */
static void on_resume(uv_timer_t *timer)
{
    struct http_shared *shared = timer->data;
    struct http_link *list;
    http_link_move(&list, &shared->resuming);
    while (list != NULL) {
        struct http_connection *connection =
            http_link_owner(list, struct http_connection, resuming);
        http_link_take(list);
        bool is_begun = http_turn_begin(connection);
        assert(is_begun);
        http_input_resume(connection);
        http_turn_end(connection);
    }
}

/* From outside. */

void http_connection_open(struct http_shared *shared, struct stream *stream)
{
    struct http_connection *connection = connection_new(shared, stream);
    shared->count++;
    set_gauge(shared);
    http_turn_begin(connection);
    http_turn_end(connection);
}

void http_connection_turn_away(struct http_shared *shared, struct stream *stream, const char *reply,
                               size_t size)
{
    struct http_connection *connection = connection_new(shared, stream);
    connection->is_turned_away = true;
    shared->busy_count++;
    set_gauge(shared);
    http_turn_begin(connection);
    buffer_append(&http_connection_outgoing(connection)->bytes, reply, size);
    http_outgoing_hold(connection->outgoing, 0, 0, 0);
    connection->phase = HTTP_ENDING;
    http_turn_end(connection);
}

void http_connections_release(struct http_shared *shared)
{
    struct http_link *list;
    http_link_move(&list, &shared->waiting);
    while (list != NULL) {
        struct http_connection *connection = http_link_owner(list, struct http_connection, waiting);
        http_link_take(list);
        if (http_turn_begin(connection))
            http_turn_end(connection);
        else
            flush(connection);
    }
}

/* Each in a turn that may end any of them. */
static void for_all(struct http_shared *shared, void (*do_one)(struct http_connection *connection))
{
    struct http_link *list;
    http_link_move(&list, &shared->connections);
    while (list != NULL) {
        struct http_connection *connection = http_link_owner(list, struct http_connection, link);
        http_link_take(&connection->link);
        http_link_put(&shared->connections, &connection->link);
        if (!http_turn_begin(connection))
            continue;
        do_one(connection);
        http_turn_end(connection);
    }
}

static void wind_up(struct http_connection *connection)
{
    /* What a client has sent already is answered. */
    if (connection->phase == HTTP_SERVING && !connection->is_end_of_input)
        on_readable(connection);
    /* An idle client has nothing to read to the end: no lingering. */
    if (connection->phase == HTTP_SERVING && !connection->is_closed && is_done(connection) &&
        connection->outgoing == NULL)
        connection_close(connection);
}

void http_connections_wind_up(struct http_shared *shared)
{
    for_all(shared, wind_up);
}

void http_connections_cut(struct http_shared *shared)
{
    for_all(shared, connection_close);
}

void http_shared_init(struct http_shared *shared, uv_loop_t *loop,
                      const struct http_server_options *options, const struct http_handler *handler)
{
    *shared = (struct http_shared){.loop = loop, .options = *options, .handler = *handler};
    shared->read_buffer = malloc(HTTP_READ_BYTES);
    if (shared->read_buffer == NULL)
        log_fatal("read buffer allocation", NULL, ENOMEM);
    http_framing_init(&shared->framing, options->header_bytes_max);
    http_wheel_init(&shared->wheel, loop, on_due);
    int error = uv_timer_init(loop, &shared->resume_timer);
    assert(error == 0);
    shared->resume_timer.data = shared;
}

void http_shared_release(struct http_shared *shared)
{
    assert(shared->connections == NULL && shared->input_bytes == 0);
    free(shared->read_buffer);
    buffer_release(&shared->headers);
    buffer_release(&shared->body);
    http_outgoing_pool_release(&shared->pool);
}
