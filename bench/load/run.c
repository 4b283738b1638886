/* The event loop. Closed loop: each connection keeps `depth` requests in flight, a reply makes room
 * for the next. Open loop: requests are due at fixed times; one that finds no connection free waits
 * and is measured from when it was due, so a server that stalls cannot hide it by holding up its
 * own load (coordinated omission).
 *
 * The clock is read once for each chunk received: all replies in it get that time, and so do the
 * requests that they make room for. Requests are sent from one buffer with `depth` copies of the
 * request in it: only the spots of those sent are written again. */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "request.h"
#include "template.h"

enum { EVENTS_MAX = 512, CHUNK_BYTES = 256 * 1024, STALL_SECONDS = 60 };
#define SECOND_NS UINT64_C(1000000000)

enum phase { PHASE_WARM_UP, PHASE_MEASURE, PHASE_DRAIN, PHASE_OVER };

struct run {
    const struct load_options *options;
    struct result *result;
    struct template request;
    struct values values;
    char *copies; /* the request, `depth` times */
    char *chunk;
    int epoll;
    struct connection *connections;

    enum phase phase;
    uint64_t phase_end_ns; /* UINT64_MAX: ends by requests */
    uint64_t measured_from_ns;
    struct rusage usage_before;
    uint64_t issued, answered;
    uint64_t last_reply_ns;

    /* Open loop only. */
    double interval_ns; /* 0: closed loop */
    uint64_t began_ns;
    uint64_t
        due_count; /* requests sent so far; the next is due at began_ns + due_count * interval_ns */
    uint32_t *idle; /* a ring of the connections that can take a request, longest idle first */
    uint32_t idle_first, idle_count;
};

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "load: FAILED: %s: %s\n", what, why);
    exit(2);
}

static bool is_open_loop(const struct run *run)
{
    return run->interval_ns > 0;
}

static uint64_t next_due_ns(const struct run *run)
{
    return run->began_ns + (uint64_t)((double)run->due_count * run->interval_ns);
}

/* Only the first is shown whole. */
static void note_unexpected(struct run *run, const struct connection *connection)
{
    const struct reply_parser *parser = &connection->parser;
    if (run->result->unexpected++ == 0)
        fprintf(stderr, "load: UNEXPECTED reply %d: %.*s\n", parser->status,
                (int)parser->sample_size, parser->sample);
}

static void on_reply(struct run *run, struct connection *connection, uint64_t now)
{
    const struct reply_parser *parser = &connection->parser;
    struct result *result = run->result;

    if (connection->in_flight == 0)
        fail("a connection", "a reply that nothing was asked for");
    uint64_t sent_ns = connection_answered(connection);
    run->answered++;
    result->statuses[parser->status]++;
    if (!run->options->is_expected[parser->status] || (parser->text != NULL && !parser->has_text))
        note_unexpected(run, connection);
    if (run->phase == PHASE_MEASURE)
        result->replies++;
    if (is_open_loop(run) ? run->phase >= PHASE_MEASURE && sent_ns >= run->measured_from_ns
                          : run->phase == PHASE_MEASURE)
        histogram_add(&result->histogram, now - sent_ns);
}

static void watch(struct run *run, struct connection *connection, int operation)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (connection->unsent != NULL)
        event.events |= EPOLLOUT;
    if (epoll_ctl(run->epoll, operation, connection->fd, &event) != 0)
        fail("epoll_ctl", strerror(errno));
}

static void issue(struct run *run, struct connection *connection, uint32_t count, uint64_t sent_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        template_fill(&run->request, run->copies + i * run->request.size, &run->values);
        connection_note(connection, sent_ns);
    }
    run->issued += count;
    if (!connection_send(connection, run->copies, count * run->request.size))
        fail("a connection broke while sending", strerror(errno));
    if (connection->unsent != NULL)
        watch(run, connection, EPOLL_CTL_MOD);
}

static void list_idle(struct run *run, struct connection *connection)
{
    uint32_t count = run->options->connections;
    uint32_t at = run->idle_first + run->idle_count++;
    run->idle[at < count ? at : at - count] = (uint32_t)(connection - run->connections);
    connection->is_idle_listed = true;
}

static struct connection *next_idle(struct run *run)
{
    struct connection *connection = &run->connections[run->idle[run->idle_first]];
    run->idle_first = run->idle_first + 1 == run->options->connections ? 0 : run->idle_first + 1;
    run->idle_count--;
    connection->is_idle_listed = false;
    return connection;
}

/* The connection has room for requests: fills it, or lists it for those that fall due. */
static void offer(struct run *run, struct connection *connection, uint64_t now)
{
    uint32_t room = connection->depth - connection->in_flight;

    if (run->phase >= PHASE_DRAIN || connection->unsent != NULL || room == 0)
        return;
    if (is_open_loop(run)) {
        if (!connection->is_idle_listed)
            list_idle(run, connection);
        return;
    }
    if (run->options->is_burst && connection->in_flight > 0)
        return;
    if (run->options->requests > 0 && run->options->requests - run->issued < room)
        room = (uint32_t)(run->options->requests - run->issued);
    if (room > 0)
        issue(run, connection, room, now);
}

static void issue_due(struct run *run, uint64_t now)
{
    while (run->idle_count > 0 && run->phase < PHASE_DRAIN) {
        uint64_t due_ns = next_due_ns(run);
        if (due_ns > now || (run->options->requests > 0 && run->issued == run->options->requests))
            return;
        struct connection *connection = next_idle(run);
        run->due_count++;
        issue(run, connection, 1, due_ns);
        offer(run, connection, now);
    }
}

static void begin_measuring(struct run *run, uint64_t now)
{
    run->phase = PHASE_MEASURE;
    run->measured_from_ns = now;
    run->phase_end_ns = run->options->requests > 0
                            ? UINT64_MAX
                            : now + (uint64_t)(run->options->seconds * (double)SECOND_NS);
    getrusage(RUSAGE_SELF, &run->usage_before);
}

/* Requests that were due and could not be sent have waited at least until now: left out, they would
 * make a stalled server look good. */
static void count_unsent(struct run *run, uint64_t now)
{
    for (uint64_t due_ns; (due_ns = next_due_ns(run)) < now; run->due_count++) {
        if (due_ns < run->measured_from_ns)
            continue;
        run->result->unsent++;
        histogram_add(&run->result->histogram, now - due_ns);
    }
}

static double seconds_between(struct timeval from, struct timeval to)
{
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_usec - from.tv_usec) / 1e6;
}

static void end_measuring(struct run *run, uint64_t now)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    run->result->user_seconds = seconds_between(run->usage_before.ru_utime, usage.ru_utime);
    run->result->system_seconds = seconds_between(run->usage_before.ru_stime, usage.ru_stime);
    run->result->seconds = (double)(now - run->measured_from_ns) / (double)SECOND_NS;
    run->phase = PHASE_DRAIN;
    run->phase_end_ns = UINT64_MAX;
    if (is_open_loop(run) && run->options->requests == 0)
        count_unsent(run, now);
}

static void advance(struct run *run, uint64_t now)
{
    if (run->phase == PHASE_WARM_UP && now >= run->phase_end_ns)
        begin_measuring(run, now);
    bool is_all_answered = run->options->requests > 0 && run->answered == run->options->requests;
    if (run->phase == PHASE_MEASURE && (now >= run->phase_end_ns || is_all_answered))
        end_measuring(run, now);
    if (run->phase == PHASE_DRAIN && run->answered == run->issued)
        run->phase = PHASE_OVER;
    else if (now > run->last_reply_ns + STALL_SECONDS * SECOND_NS && run->answered < run->issued)
        fail("the server", "no reply for a minute");
}

static void on_readable(struct run *run, struct connection *connection)
{
    ssize_t size = recv(connection->fd, run->chunk, CHUNK_BYTES, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0)
        fail("a connection broke", size == 0 ? "the server closed it" : strerror(errno));

    uint64_t now = now_ns();
    const char *at = run->chunk, *end = run->chunk + size;
    enum reply_result got;
    while ((got = reply_next(&connection->parser, &at, end)) == REPLY_COMPLETE)
        on_reply(run, connection, now);
    if (got == REPLY_MALFORMED)
        fail("a reply that cannot be read", connection->parser.why);
    run->last_reply_ns = now;
    if (run->phase == PHASE_MEASURE)
        run->result->bytes_received += (uint64_t)size;
    advance(run, now);
    offer(run, connection, now);
}

static void on_writable(struct run *run, struct connection *connection)
{
    if (!connection_flush(connection))
        fail("a connection broke while sending", strerror(errno));
    if (connection->unsent == NULL) {
        watch(run, connection, EPOLL_CTL_MOD);
        offer(run, connection, now_ns());
    }
}

static uint64_t wait_ns(const struct run *run, uint64_t now)
{
    uint64_t until = now + SECOND_NS;
    if (run->phase_end_ns < until)
        until = run->phase_end_ns;
    if (is_open_loop(run) && run->phase < PHASE_DRAIN && run->idle_count > 0 &&
        next_due_ns(run) < until)
        until = next_due_ns(run);
    return until > now ? until - now : 0;
}

static void turn(struct run *run)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t wait = run->options->is_spinning ? 0 : wait_ns(run, now_ns());
    struct timespec timeout = {(time_t)(wait / SECOND_NS), (long)(wait % SECOND_NS)};
    int count = epoll_pwait2(run->epoll, events, EVENTS_MAX, &timeout, NULL);

    if (count < 0 && errno != EINTR)
        fail("epoll_pwait2", strerror(errno));
    for (int i = 0; i < count && run->phase != PHASE_OVER; i++) {
        struct connection *connection = events[i].data.ptr;
        if (events[i].events & EPOLLOUT)
            on_writable(run, connection);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            on_readable(run, connection);
    }
    uint64_t now = now_ns();
    advance(run, now);
    if (is_open_loop(run))
        issue_due(run, now);
}

static void *allocated(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL)
        fail("memory", "there is not enough");
    return memory;
}

/* More connections than the usual soft limit of open files must be possible. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void prepare_values(struct values *values, const struct load_options *options)
{
    *values = (struct values){
        .random = options->random,
        .accounts = options->accounts,
        .fresh_next = options->accounts,
        .fresh_threshold = ((uint64_t)options->fresh_percent << 32) / 100,
        .next = options->first,
        .id_uses = options->id_uses,
        .is_id_around = options->is_id_around,
    };
    if (options->ids_path != NULL)
        request_read_ids(values, options->ids_path);
    if (getentropy(&values->unique_tag, sizeof values->unique_tag) != 0)
        fail("getentropy", strerror(errno));
}

static void prepare(struct run *run)
{
    const struct load_options *options = run->options;

    raise_file_limit();
    prepare_values(&run->values, options);
    template_init(&run->request);
    request_lay_out(&run->request, options);
    run->result->request_bytes = run->request.size;
    run->interval_ns = options->rate > 0 ? (double)SECOND_NS / options->rate : 0;
    run->copies = allocated(options->depth * run->request.size);
    for (unsigned i = 0; i < options->depth; i++)
        memcpy(run->copies + i * run->request.size, run->request.bytes, run->request.size);
    run->chunk = allocated(CHUNK_BYTES);
    run->idle = allocated(options->connections * sizeof *run->idle);
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll < 0)
        fail("epoll_create1", strerror(errno));
    run->connections = allocated(options->connections * sizeof *run->connections);
    for (unsigned i = 0; i < options->connections; i++) {
        struct connection *connection = &run->connections[i];
        connection_open(connection, options->target, options->depth);
        reply_init(&connection->parser, options->command != NULL ? REPLY_RESP : REPLY_HTTP,
                   options->expected_text);
        watch(run, connection, EPOLL_CTL_ADD);
    }
}

static void begin(struct run *run)
{
    run->began_ns = now_ns();
    run->last_reply_ns = run->began_ns;
    run->phase = PHASE_WARM_UP;
    run->phase_end_ns = run->began_ns;
    if (run->options->requests == 0)
        run->phase_end_ns += (uint64_t)(run->options->warm_up_seconds * (double)SECOND_NS);
    advance(run, run->began_ns);
    for (unsigned i = 0; i < run->options->connections; i++)
        offer(run, &run->connections[i], now_ns());
}

static void finish(struct run *run)
{
    run->result->replies_all = run->answered;
    for (unsigned i = 0; i < run->options->connections; i++)
        connection_close(&run->connections[i]);
    close(run->epoll);
    free(run->connections);
    free(run->idle);
    free(run->chunk);
    free(run->copies);
    template_release(&run->request);
}

void run_load(const struct load_options *options, struct result *result)
{
    struct run run = {.options = options, .result = result};

    memset(result, 0, sizeof *result);
    prepare(&run);
    begin(&run);
    while (run.phase != PHASE_OVER)
        turn(&run);
    finish(&run);
}
