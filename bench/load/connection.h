/* A connection: its socket, when each request in flight was sent (or due), what the kernel has not
 * taken yet, and how far its current reply is read. */
#ifndef BENCH_LOAD_CONNECTION_H
#define BENCH_LOAD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reply.h"

struct connection {
    int fd;
    uint32_t depth;
    uint32_t in_flight;
    uint32_t oldest;     /* place in sent_ns of the request that is answered next */
    bool is_idle_listed; /* open loop: it is in the list of those that can take a request */
    uint64_t *sent_ns;   /* a ring of `depth` */
    char *unsent;        /* NULL unless the kernel took only a part */
    size_t unsent_size, unsent_at;
    struct reply_parser parser;
};

/* Connects, waiting until it is done; then the socket does not block. Exits with status 2 if it
 * cannot. */
void connection_open(struct connection *connection, const char *target, uint32_t depth);
void connection_close(struct connection *connection);
/* Notes that a request was sent, or due, at that time. There must be room. */
void connection_note(struct connection *connection, uint64_t sent_ns);
/* Takes the oldest request in flight away; returns its time. */
uint64_t connection_answered(struct connection *connection);
/* Sends; what the kernel does not take is kept, and nothing may be sent before it is flushed. False
 * if the connection is broken. */
bool connection_send(struct connection *connection, const char *data, size_t size);
bool connection_flush(struct connection *connection);

#endif
