/* What the client consists of. Private to the room.
 *
 * client.c: the door; calls in line, and who gets which connection. client_host.c: hosts by name.
 * client_call.c: a request made into bytes, and its end. client_connection.c: one connection, from
 * its first address to its last answer. response.c: bytes to an answer.
 *
 *     client ─ hosts ─ connections, one call each, or idle
 *            │       └ calls that wait
 *            └ line: hosts whose calls wait for room among connections_max */
#ifndef SMSD_HTTP_CLIENT_STRUCT_H
#define SMSD_HTTP_CLIENT_STRUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "http/client.h"
#include "http/deadline.h"
#include "http/response.h"
#include "http/ring.h"
#include "http/url.h"

struct connector;
struct stream;
struct tls;

enum {
    HTTP_CLIENT_BUCKETS = 256,
    HTTP_CLIENT_READ_BYTES = 64 * 1024,
};

/* A deadline and whom to tell. */
struct http_client_timer {
    struct http_deadline deadline;
    void (*on_due)(struct http_client_timer *timer);
};

struct http_client {
    uv_loop_t *loop;
    struct http_client_options options;
    struct tls *tls; /* NULL: there is no CA bundle */
    struct http_wheel wheel;
    uv_timer_t later;         /* for calls that failed before they began */
    struct http_ring failing; /* those */
    struct http_ring calls;   /* all of them */
    struct http_ring connections;
    struct http_ring idle; /* connections without a call, the longest idle first */
    struct http_ring line;
    struct http_ring buckets[HTTP_CLIENT_BUCKETS]; /* of hosts */
    struct hash_key hash_key;
    char *read_buffer;
    uint32_t connection_count, waiting_count;
    int open_handles;
    bool is_closing; /* nobody goes on */
};

/* Who a connection leads to. There as long as it has a connection or a call that waits. */
struct http_client_host {
    struct http_client *client;
    struct http_ring bucket; /* in its bucket */
    struct http_ring line;   /* in client->line */
    struct http_ring idle;   /* its connections without a call, the last used first */
    struct http_ring waiting;
    uint32_t connection_count;
    bool is_https, is_private_allowed;
    uint16_t port;
    char name[HTTP_HOST_MAX + 1]; /* in lower case */
};

struct http_client_call {
    struct http_client *client;
    struct http_ring link;                     /* in client->calls */
    struct http_ring waiting;                  /* in host->waiting, or client->failing */
    struct http_client_host *host;             /* NULL: it is over */
    struct http_client_connection *connection; /* NULL: it waits */
    struct http_client_timer timer;            /* of the whole call */
    struct buffer request;                     /* head and body */
    struct http_response *response;            /* NULL: it waits */
    void (*on_done)(void *context, const struct http_client_response *response);
    void *context;
    enum http_client_error error; /* of one that is in client->failing */
    const char *detail;
    bool is_to_head, is_idempotent, is_fresh, is_retry, was_sent;
};

struct http_client_connection {
    struct http_client *client;
    struct http_client_host *host;
    struct http_ring link; /* in client->connections */
    struct http_ring idle, host_idle;
    struct http_client_call *call;  /* NULL: idle */
    struct connector *connector;    /* NULL: connected */
    struct stream *stream;          /* NULL: not yet */
    struct http_client_timer timer; /* of connecting, or of being idle */
    size_t written;                 /* of the call's request */
    bool is_open;                   /* the handshake, if there is one, is over */
    bool is_used;                   /* it has answered before */
    bool is_write_broken;           /* there may still be an answer to read */
};

/* client_host.c: finds it or makes it. */
struct http_client_host *http_client_host_get(struct http_client *client,
                                              const struct http_url *url, bool is_private_allowed);
/* Frees it if it has nothing left. */
void http_client_host_settle(struct http_client_host *host);

/* client_call.c: OK, or INVALID with a detail. */
enum http_client_error http_client_call_write(struct http_client_call *call,
                                              const struct http_client_request *request,
                                              const struct http_url *url, const char **detail);
/* Tells and frees it. It is on no connection and in no line any more. Nothing of the client may be
 * touched behind it by who did not expect on_done to change everything. */
void http_client_call_end(struct http_client_call *call, enum http_client_error error,
                          const char *detail);
void http_client_call_free(struct http_client_call *call);

/* client.c: a connection of the host has become idle or gone: who waits may go on. The host is
 * freed if nothing of it is left. */
void http_client_go_on(struct http_client_host *host);
/* Puts a call in line once more, at its head. */
void http_client_retry(struct http_client_call *call);

/* client_connection.c: a new one, for the call. */
void http_client_connection_open(struct http_client_call *call);
/* Gives the call an idle one of its host that is alive; false: there is none. */
bool http_client_connection_reuse(struct http_client_call *call);
/* The call's connection goes; the call is left without one. Calls nobody. */
void http_client_connection_close(struct http_client_connection *connection);

#endif
