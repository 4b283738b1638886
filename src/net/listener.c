/* Listening sockets. Accepting is accept4 until there is nobody left, so that a burst costs one
 * wake-up. What is hard about it: a full table of descriptors leaves the connection in the backlog
 * and the socket readable for ever. The listener keeps one descriptor in reserve to take, tell and
 * close one of those who wait, then looks away for a while. */
#include "net/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "net/address.h"
#include "net/socket.h"

enum {
    ACCEPT_MAX = 64, /* in one go: those who are connected get their turn in between */
    SOCKET_MODE = 0660,
};

struct listener {
    uv_poll_t poll;
    uv_timer_t pause;
    struct listener_options options;
    struct address address;
    int fd;
    int spare_fd;
    int open_handles;
    bool is_short; /* of descriptors or memory: said once, until an accept succeeds */
};

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void set_option(int fd, int level, int name)
{
    int on = 1;
    int error = setsockopt(fd, level, name, &on, sizeof on);
    assert(error == 0);
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    if (listener->spare_fd < 0)
        listener->spare_fd = open_spare();
    int error = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    assert(error == 0);
}

static void pause_accepting(struct listener *listener)
{
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->pause, on_pause_over, LISTENER_PAUSE_MS, 0);
}

/* Takes one with the reserve's place, tells it, and has the reserve again. */
static void refuse_one(struct listener *listener)
{
    if (listener->spare_fd < 0)
        return;
    close(listener->spare_fd);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        char drained[4096];
        (void)!send(fd, listener->options.refusal, listener->options.refusal_size, MSG_NOSIGNAL);
        /* Closing with bytes unread would reset the connection, refusal and all. */
        (void)!recv(fd, drained, sizeof drained, 0);
        close(fd);
        listener->options.on_refused(listener->options.owner);
    }
    listener->spare_fd = open_spare();
}

static void on_accept_failed(struct listener *listener, int error)
{
    if (error == EAGAIN || error == EINTR || error == ECONNABORTED)
        return;
    if (!listener->is_short)
        log_event(LOG_WARNING, "accept_failed", LOG_TEXT("error", strerror(error)));
    listener->is_short = true;
    if (error == EMFILE || error == ENFILE)
        refuse_one(listener);
    pause_accepting(listener);
}

static void on_accepted(struct listener *listener, int fd)
{
    static const int on = 1;
    listener->is_short = false;
    if (listener->address.any.sa_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct stream *stream = socket_stream_new(listener->poll.loop, fd);
    if (stream != NULL)
        listener->options.on_stream(listener->options.owner, stream);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)events;
    if (status < 0) {
        pause_accepting(listener);
        return;
    }
    for (int i = 0; i < ACCEPT_MAX && listener->fd >= 0; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            on_accept_failed(listener, errno);
            return;
        }
        on_accepted(listener, fd);
    }
}

/* A file is in the way: does somebody listen behind it? If not it is stale and goes. */
static int remove_stale(const struct address *address)
{
    struct stat status;
    if (lstat(address->unix_path.sun_path, &status) != 0)
        return 0;
    if (!S_ISSOCK(status.st_mode))
        return EEXIST;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    bool is_stale = connect(fd, &address->any, address->size) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!is_stale)
        return EADDRINUSE;
    return unlink(address->unix_path.sun_path) == 0 || errno == ENOENT ? 0 : errno;
}

static int bind_unix(int fd, const struct address *address)
{
    int error = remove_stale(address);
    if (error != 0)
        return error;
    /* Before bind, so that there is no moment in which others may connect; after it, because the
     * umask has had its say. */
    (void)fchmod(fd, SOCKET_MODE);
    if (bind(fd, &address->any, address->size) != 0)
        return errno;
    return chmod(address->unix_path.sun_path, SOCKET_MODE) == 0 ? 0 : errno;
}

static int bind_internet(int fd, struct address *address)
{
    set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    if (address->any.sa_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY); /* so that 0.0.0.0 can be had beside it */
    if (bind(fd, &address->any, address->size) != 0)
        return errno;
    return getsockname(fd, &address->any, &address->size) == 0 ? 0 : errno;
}

/* A socket that listens on the address, or the negative errno value. */
static int open_socket(struct address *address)
{
    bool is_unix = address->any.sa_family == AF_UNIX;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = is_unix ? bind_unix(fd, address) : bind_internet(fd, address);
    if (error == 0 && listen(fd, LISTENER_BACKLOG) != 0)
        error = errno;
    if (error == 0)
        return fd;
    close(fd);
    return -error;
}

static int explain(int error, struct buffer *why)
{
    buffer_append_text(why, strerror(error));
    switch (error) {
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case EEXIST:
    case ENOENT:
    case ENOTDIR:
    case EAFNOSUPPORT:
        return ERR_ADDRESS;
    case EACCES:
    case EPERM:
        return ERR_PERMISSION;
    default:
        return ERR_IO;
    }
}

static void start(struct listener *listener, struct uv_loop_s *loop)
{
    int error = uv_timer_init(loop, &listener->pause);
    assert(error == 0);
    listener->pause.data = listener;
    error = uv_poll_init(loop, &listener->poll, listener->fd);
    assert(error == 0); /* a socket that listens can be watched */
    listener->poll.data = listener;
    listener->open_handles = 2;
    listener->spare_fd = open_spare();
    error = uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
    assert(error == 0);
}

int listener_new(struct listener **listener, struct uv_loop_s *loop,
                 const struct listener_options *options, struct buffer *bound, struct buffer *why)
{
    struct address address;
    if (!address_parse(&address, options->address, why))
        return ERR_INVALID;
    int fd = open_socket(&address);
    if (fd < 0)
        return explain(-fd, why);
    struct listener *made = calloc(1, sizeof *made);
    if (made == NULL)
        log_fatal("listener allocation", NULL, ENOMEM);
    made->options = *options;
    made->options.address = NULL;
    made->address = address;
    made->fd = fd;
    start(made, loop);
    address_append(bound, &address);
    *listener = made;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    if (--listener->open_handles == 0)
        free(listener);
}

void listener_free(struct listener *listener)
{
    uv_close((uv_handle_t *)&listener->poll, on_handle_closed);
    uv_close((uv_handle_t *)&listener->pause, on_handle_closed);
    close(listener->fd);
    listener->fd = -1; /* seen by the accept loop, should it be running */
    if (listener->spare_fd >= 0)
        close(listener->spare_fd);
    if (listener->address.any.sa_family == AF_UNIX)
        unlink(listener->address.unix_path.sun_path);
}
