/* Sockets. Sending straight from the caller's buffer is the rule; a copy is made only of what the
 * kernel refuses, which happens with large batches. */
#include "connection.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static _Noreturn void cannot(const char *what, const char *target)
{
    fprintf(stderr, "load: FAILED: cannot %s %s: %s\n", what, target, strerror(errno));
    exit(2);
}

static int open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    return -1;
}

static int open_tcp(const char *target)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(target, ':');
    char host[INET_ADDRSTRLEN] = "";

    errno = EINVAL;
    if (colon == NULL || (size_t)(colon - target) >= sizeof host)
        return -1;
    memcpy(host, target, (size_t)(colon - target));
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || port == 0 || port > 65535)
        return -1;
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

void connection_open(struct connection *connection, const char *target, uint32_t depth)
{
    bool is_unix = strncmp(target, "unix:", 5) == 0;

    connection->fd = is_unix ? open_unix(target + 5) : open_tcp(target);
    if (connection->fd < 0 || fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0)
        cannot("connect to", target);
    connection->depth = depth;
    connection->sent_ns = calloc(depth, sizeof *connection->sent_ns);
    if (connection->sent_ns == NULL)
        abort();
}

void connection_close(struct connection *connection)
{
    close(connection->fd);
    free(connection->sent_ns);
    free(connection->unsent);
}

void connection_note(struct connection *connection, uint64_t sent_ns)
{
    assert(connection->in_flight < connection->depth);
    uint32_t at = connection->oldest + connection->in_flight;
    connection->sent_ns[at < connection->depth ? at : at - connection->depth] = sent_ns;
    connection->in_flight++;
}

uint64_t connection_answered(struct connection *connection)
{
    uint64_t sent_ns = connection->sent_ns[connection->oldest];
    connection->oldest = connection->oldest + 1 == connection->depth ? 0 : connection->oldest + 1;
    connection->in_flight--;
    return sent_ns;
}

/* Bytes the kernel took, 0 if it takes none now, -1 if the connection is broken. */
static ssize_t give(const struct connection *connection, const char *data, size_t size)
{
    for (;;) {
        ssize_t taken = send(connection->fd, data, size, MSG_NOSIGNAL);
        if (taken >= 0)
            return taken;
        if (errno == EAGAIN)
            return 0;
        if (errno != EINTR)
            return -1;
    }
}

bool connection_send(struct connection *connection, const char *data, size_t size)
{
    assert(connection->unsent == NULL);
    ssize_t taken = give(connection, data, size);
    if (taken < 0 || (size_t)taken == size)
        return taken >= 0;
    connection->unsent_size = size - (size_t)taken;
    connection->unsent_at = 0;
    connection->unsent = malloc(connection->unsent_size);
    if (connection->unsent == NULL)
        abort();
    memcpy(connection->unsent, data + taken, connection->unsent_size);
    return true;
}

bool connection_flush(struct connection *connection)
{
    if (connection->unsent == NULL)
        return true;
    ssize_t taken = give(connection, connection->unsent + connection->unsent_at,
                         connection->unsent_size - connection->unsent_at);
    if (taken < 0)
        return false;
    connection->unsent_at += (size_t)taken;
    if (connection->unsent_at == connection->unsent_size) {
        free(connection->unsent);
        connection->unsent = NULL;
    }
    return true;
}
