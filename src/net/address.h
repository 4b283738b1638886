/* Addresses as operators write them: "127.0.0.1:8080", "[::1]:8080", "unix:/run/smsd/smsd.sock".
 * Numbers only: a name could resolve to something else at the next start. */
#ifndef SMSD_NET_ADDRESS_H
#define SMSD_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct buffer;

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un unix_path;
    };
    socklen_t size;
};

/* False, with a sentence in `why`, if the text is not an address. */
bool address_parse(struct address *address, const char *text, struct buffer *why);
/* The text that parses to it. */
void address_append(struct buffer *to, const struct address *address);

#endif
