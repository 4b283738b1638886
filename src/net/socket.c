/* A stream over a connected socket. libuv only says when the socket is ready (uv_poll); reading and
 * writing are recv and send themselves: one system call each, no request objects or queues in
 * between, and MSG_NOSIGNAL on every write. What is hard about it is the end: libuv lets go of a
 * handle a turn of the loop later, so the stream outlives stream_close until then, silent. */
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "net/stream.h"

static_assert((int)STREAM_READABLE == (int)UV_READABLE && (int)STREAM_WRITABLE == (int)UV_WRITABLE,
              "events pass through unchanged");

struct socket_stream {
    struct stream stream; /* first: a stream is cast to it */
    uv_poll_t poll;
    int fd;
    int watched;
};

static ssize_t result_of(ssize_t count)
{
    if (count >= 0)
        return count;
    return errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : STREAM_BROKEN;
}

static ssize_t socket_read(struct stream *stream, void *to, size_t size)
{
    assert(size != 0);
    return result_of(recv(((struct socket_stream *)stream)->fd, to, size, 0));
}

static ssize_t socket_write(struct stream *stream, const void *from, size_t size)
{
    assert(size != 0);
    return result_of(send(((struct socket_stream *)stream)->fd, from, size, MSG_NOSIGNAL));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct socket_stream *socket_stream = poll->data;
    if (status < 0) {
        socket_stream->watched = 0; /* libuv has stopped watching */
        events = STREAM_FAILED;
    }
    socket_stream->stream.on_ready(socket_stream->stream.owner, events);
}

static void socket_watch(struct stream *stream, int events)
{
    struct socket_stream *socket_stream = (struct socket_stream *)stream;
    if (socket_stream->watched == events)
        return;
    socket_stream->watched = events;
    int error = events == 0 ? uv_poll_stop(&socket_stream->poll)
                            : uv_poll_start(&socket_stream->poll, events, on_poll);
    assert(error == 0);
}

static void socket_end(struct stream *stream)
{
    /* Fails only if the peer is gone, which the next read says as well. */
    (void)shutdown(((struct socket_stream *)stream)->fd, SHUT_WR);
}

static size_t socket_peer(struct stream *stream, char *to, size_t size)
{
    struct sockaddr_storage address;
    socklen_t address_size = sizeof address;
    char host[NI_MAXHOST];
    size_t length;

    if (getpeername(((struct socket_stream *)stream)->fd, (struct sockaddr *)&address,
                    &address_size) != 0 ||
        (address.ss_family != AF_INET && address.ss_family != AF_INET6) ||
        getnameinfo((struct sockaddr *)&address, address_size, host, sizeof host, NULL, 0,
                    NI_NUMERICHOST) != 0)
        return 0;
    length = strlen(host);
    if (length > size)
        return 0;
    memcpy(to, host, length);
    return length;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void socket_close(struct stream *stream)
{
    struct socket_stream *socket_stream = (struct socket_stream *)stream;
    uv_close((uv_handle_t *)&socket_stream->poll, on_closed);
    close(socket_stream->fd);
}

static const struct stream_ops socket_ops = {
    .read = socket_read,
    .write = socket_write,
    .watch = socket_watch,
    .end = socket_end,
    .close = socket_close,
    .peer = socket_peer,
};

struct stream *socket_stream_new(struct uv_loop_s *loop, int fd)
{
    struct socket_stream *socket_stream = calloc(1, sizeof *socket_stream);
    if (socket_stream == NULL)
        log_fatal("stream allocation", NULL, ENOMEM);
    if (uv_poll_init(loop, &socket_stream->poll, fd) != 0) {
        free(socket_stream);
        close(fd);
        return NULL;
    }
    socket_stream->stream.ops = &socket_ops;
    socket_stream->poll.data = socket_stream;
    socket_stream->fd = fd;
    return &socket_stream->stream;
}
