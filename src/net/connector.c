/* Connecting. The host's addresses are copied out of the resolver's answer, so that what is checked
 * by the guard, connected to and, should it fail, followed by the next, is one array in one place:
 * there is no second look-up that could answer otherwise.
 *
 * What is hard about it is the end: a timer and a look-up are given back by libuv in later turns,
 * so a connector that is done or canceled lives on, silent, until it holds neither. */
#include "net/connector.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"
#include "net/address.h"
#include "net/address_guard.h"
#include "net/socket.h"
#include "net/stream.h"

struct connector {
    uv_getaddrinfo_t lookup;
    uv_timer_t timer;
    struct connector_options options;
    char host[CONNECTOR_HOST_MAX + 1];
    struct address addresses[CONNECTOR_ADDRESSES_MAX];
    int address_count, tried;
    struct stream *stream; /* of the address that is being tried */
    int fd;                /* its socket */
    int error;             /* of the last one that failed */
    const char *why;
    bool is_looking_up, is_done, is_timer_closed;
};

static void try_next(struct connector *connector);

static void free_if_over(struct connector *connector)
{
    if (connector->is_timer_closed && !connector->is_looking_up)
        free(connector);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct connector *connector = handle->data;
    connector->is_timer_closed = true;
    free_if_over(connector);
}

static void let_go(struct connector *connector)
{
    assert(!connector->is_done);
    connector->is_done = true;
    uv_close((uv_handle_t *)&connector->timer, on_timer_closed);
}

static void drop_stream(struct connector *connector)
{
    if (connector->stream != NULL)
        stream_close(connector->stream);
    connector->stream = NULL;
}

static void fail(struct connector *connector)
{
    const struct connector_options options = connector->options;
    int error = connector->error;
    const char *why = connector->why;
    let_go(connector);
    options.on_failed(options.owner, error, why);
}

static void note(struct connector *connector, int error, const char *why)
{
    connector->error = error;
    connector->why = why;
}

static void on_try_failed(struct connector *connector, int error, const char *why)
{
    uv_timer_stop(&connector->timer);
    drop_stream(connector);
    note(connector, error, why);
    try_next(connector);
}

static void on_timeout(uv_timer_t *timer)
{
    on_try_failed(timer->data, ERR_TIMEOUT, "no answer to connecting");
}

/* The socket has connected or failed to. */
static void on_ready(void *owner, int events)
{
    struct connector *connector = owner;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(connector->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0 && events & STREAM_FAILED)
        error = EIO;
    if (error != 0) {
        on_try_failed(connector, ERR_CONNECT, uv_strerror(uv_translate_sys_error(error)));
        return;
    }
    const struct connector_options options = connector->options;
    struct stream *stream = connector->stream;
    connector->stream = NULL;
    stream_watch(stream, 0);
    let_go(connector);
    options.on_connected(options.owner, stream);
}

/* Begins to connect: 0 or an errno value. */
static int begin(struct connector *connector, const struct address *address)
{
    static const int on = 1;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, &address->any, address->size) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        return error;
    }
    connector->stream = socket_stream_new(connector->timer.loop, fd);
    if (connector->stream == NULL)
        return ENOMEM;
    connector->fd = fd;
    connector->stream->on_ready = on_ready;
    connector->stream->owner = connector;
    stream_watch(connector->stream, STREAM_WRITABLE);
    uv_timer_start(&connector->timer, on_timeout, connector->options.address_timeout_ms, 0);
    return 0;
}

static void try_next(struct connector *connector)
{
    while (connector->tried < connector->address_count) {
        const struct address *address = &connector->addresses[connector->tried++];
        if (connector->options.is_public_only && !address_is_public(&address->any)) {
            if (connector->error == ERR_RESOLVE) /* what else went wrong tells more */
                note(connector, ERR_FORBIDDEN, "the host's address is not public");
            continue;
        }
        int error = begin(connector, address);
        if (error == 0)
            return;
        note(connector, ERR_CONNECT, uv_strerror(uv_translate_sys_error(error)));
    }
    fail(connector);
}

static void copy_addresses(struct connector *connector, const struct addrinfo *answer)
{
    for (; answer != NULL && connector->address_count < CONNECTOR_ADDRESSES_MAX;
         answer = answer->ai_next) {
        struct address *address = &connector->addresses[connector->address_count];
        if (answer->ai_addrlen > sizeof address->v6)
            continue;
        memcpy(&address->any, answer->ai_addr, answer->ai_addrlen);
        address->size = answer->ai_addrlen;
        connector->address_count++;
    }
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *answer)
{
    struct connector *connector = lookup->data;
    connector->is_looking_up = false;
    if (connector->is_done) {
        free_if_over(connector);
    } else {
        note(connector, ERR_RESOLVE, status == 0 ? "no address" : uv_strerror(status));
        copy_addresses(connector, answer);
        try_next(connector);
    }
    uv_freeaddrinfo(answer);
}

static void on_begin(uv_timer_t *timer)
{
    try_next(timer->data);
}

/* An address needs no look-up, and no thread that a name server may keep busy. */
static bool take_literal(struct connector *connector)
{
    struct address *address = &connector->addresses[0];
    if (inet_pton(AF_INET, connector->host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(connector->options.port);
        address->size = sizeof address->v4;
    } else if (inet_pton(AF_INET6, connector->host, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(connector->options.port);
        address->size = sizeof address->v6;
    } else {
        return false;
    }
    connector->address_count = 1;
    return true;
}

static void look_up(struct connector *connector)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[6];
    snprintf(port, sizeof port, "%u", (unsigned)connector->options.port);
    connector->lookup.data = connector;
    int error = uv_getaddrinfo(connector->timer.loop, &connector->lookup, on_looked_up,
                               connector->host, port, &hints);
    connector->is_looking_up = error == 0;
    if (error != 0) {
        note(connector, ERR_RESOLVE, uv_strerror(error));
        uv_timer_start(&connector->timer, on_begin, 0, 0);
    }
}

struct connector *connector_new(struct uv_loop_s *loop, const struct connector_options *options)
{
    struct connector *connector = calloc(1, sizeof *connector);
    if (connector == NULL)
        log_fatal("connector allocation", NULL, ENOMEM);
    assert(strlen(options->host) <= CONNECTOR_HOST_MAX);
    connector->options = *options;
    memcpy(connector->host, options->host, strlen(options->host) + 1);
    connector->options.host = connector->host;
    connector->error = ERR_RESOLVE;
    int error = uv_timer_init(loop, &connector->timer);
    assert(error == 0);
    connector->timer.data = connector;
    if (take_literal(connector))
        uv_timer_start(&connector->timer, on_begin, 0, 0);
    else
        look_up(connector);
    return connector;
}

void connector_cancel(struct connector *connector)
{
    drop_stream(connector);
    if (connector->is_looking_up)
        (void)uv_cancel((uv_req_t *)&connector->lookup);
    let_go(connector);
}
