/* Texts to socket addresses and back. */
#include "net/address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "base/buffer.h"

enum { HOST_MAX = INET6_ADDRSTRLEN };

static bool parse_unix(struct address *address, const char *path, struct buffer *why)
{
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof address->unix_path.sun_path) {
        buffer_append_format(why, "a Unix socket's path has 1 to %zu bytes",
                             sizeof address->unix_path.sun_path - 1);
        return false;
    }
    address->unix_path.sun_family = AF_UNIX;
    memcpy(address->unix_path.sun_path, path, size + 1);
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    return true;
}

static bool parse_port(const char *text, in_port_t *port)
{
    unsigned value = 0;
    size_t size = strlen(text);
    if (size == 0 || size > 5)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
    }
    *port = htons((in_port_t)value);
    return value <= 65535;
}

static bool parse_internet(struct address *address, const char *text)
{
    const char *colon = strrchr(text, ':');
    bool is_v6 = text[0] == '[';
    if (colon == NULL || (is_v6 && (colon - text < 2 || colon[-1] != ']')))
        return false;
    size_t host_size = (size_t)(colon - text) - (is_v6 ? 2 : 0);
    char host[HOST_MAX];
    if (host_size >= sizeof host)
        return false;
    memcpy(host, text + is_v6, host_size);
    host[host_size] = '\0';

    if (is_v6) {
        address->v6.sin6_family = AF_INET6;
        address->size = sizeof address->v6;
        return inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1 &&
               parse_port(colon + 1, &address->v6.sin6_port);
    }
    address->v4.sin_family = AF_INET;
    address->size = sizeof address->v4;
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1 &&
           parse_port(colon + 1, &address->v4.sin_port);
}

bool address_parse(struct address *address, const char *text, struct buffer *why)
{
    memset(address, 0, sizeof *address);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(address, text + 5, why);
    if (parse_internet(address, text))
        return true;
    buffer_append_literal(why, "an address is written 127.0.0.1:8080, [::1]:8080 or unix:/path; to "
                               "listen on all, say 0.0.0.0 or [::]");
    return false;
}

void address_append(struct buffer *to, const struct address *address)
{
    char host[HOST_MAX];
    if (address->any.sa_family == AF_UNIX) {
        buffer_append_literal(to, "unix:");
        buffer_append_text(to, address->unix_path.sun_path);
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        buffer_append_format(to, "[%s]:%d", host, ntohs(address->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        buffer_append_format(to, "%s:%d", host, ntohs(address->v4.sin_port));
    }
}
