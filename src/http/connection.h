/* One client's connection: reads, has requests cut out and handled, queues and sends the replies.
 * Private to the room; knows nothing of listening. All of a server's connections share one struct
 * http_shared.
 *
 * connection.c: turns, sending, what to wait for, the end. input.c: bytes to requests. exchange.c:
 * requests to the handler, replies from it. */
#ifndef SMSD_HTTP_CONNECTION_H
#define SMSD_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "http/chain.h"
#include "http/deadline.h"
#include "http/framing.h"
#include "http/outgoing.h"
#include "http/reply.h"
#include "http/server.h"

struct stream;

enum {
    HTTP_READ_BYTES = 256 * 1024, /* taken from one client in one go */
    HTTP_LINGER_MS = 2000,        /* after the last reply, for the client to close */
    HTTP_LINGER_BYTES = 8 * 1024 * 1024,
};

struct http_shared {
    uv_loop_t *loop;
    struct http_server_options options;
    struct http_handler handler;

    char *read_buffer;           /* what is read lands here; whole requests are handled in place */
    struct http_framing framing; /* of requests in the read buffer; fresh between turns */
    struct buffer headers, body; /* the handler's scratch */
    struct http_date date;
    struct http_wheel wheel;
    struct http_outgoing_pool pool;
    uv_timer_t resume_timer; /* for connections that may go on with what they have read */

    struct http_link *connections;
    struct http_link *waiting; /* have replies that are held */
    struct http_link *resuming;
    uint32_t count;      /* of connections, without those only told to come back later */
    uint32_t busy_count; /* those */
    uint64_t released;
    uint64_t input_bytes; /* storage of all inputs; at most options.input_bytes_max */
    uint64_t read_ns;     /* when this turn's bytes had been read */
    bool is_stopping;

    void (*on_connection_gone)(void *owner);
    void *owner;
};

enum http_phase {
    HTTP_SERVING,
    HTTP_ENDING,    /* no more requests; it closes when the last reply has left */
    HTTP_LINGERING, /* our end is closed; what still comes is dropped until the client closes its
                       own */
};

/* A request that is not whole, or requests not yet to be handled. */
struct http_input {
    struct http_framing framing;
    struct buffer bytes;
    uint64_t began_ms; /* when the request's first bytes came */
    uint64_t grew_ms;  /* when the last did */
    bool is_refused;   /* there was no room for it, and the refusal's turn has not come: no bytes */
};

struct http_connection {
    struct http_shared *shared;
    struct stream *stream;
    struct http_link link;     /* in shared->connections */
    struct http_link waiting;  /* in shared->waiting */
    struct http_link resuming; /* in shared->resuming */
    struct http_deadline deadline;
    struct http_input *input;       /* NULL: between requests */
    struct http_outgoing *outgoing; /* NULL: nothing waits to leave */
    struct http_deferred *deferred; /* the reply that is awaited */
    void *data;                     /* the handler's */
    void *request_data;             /* the handler's, of a request that is not whole */
    size_t blocked_bytes;           /* that the client has to take by write_until_ms */
    uint64_t write_until_ms;
    uint64_t linger_until_ms;
    uint32_t lingered_bytes;
    enum http_phase phase;
    uint64_t open_until_ms; /* the stream's handshake has until then; 0: it was over when last
                               looked at */
    bool is_in_turn;
    bool is_closed;        /* freed when its turn ends */
    bool is_turned_away;   /* counts in busy_count */
    bool is_blocked;       /* the client does not read; told when it does */
    bool is_end_of_input;  /* the client has closed its end */
    bool is_input_pending; /* `input` is more than the beginning of a request */
    bool is_reading_stopped;
    bool is_paused; /* by the handler, which takes the body as it comes */
};

struct http_deferred {
    struct http_connection *connection; /* NULL: gone */
    struct http_manner manner;
    uint64_t read_ns;
};

/* Makes the parts above from options and handler on. */
void http_shared_init(struct http_shared *shared, uv_loop_t *loop,
                      const struct http_server_options *options,
                      const struct http_handler *handler);
/* Without connections and with its two timers closed. */
void http_shared_release(struct http_shared *shared);

/* Takes the stream over and serves it. */
void http_connection_open(struct http_shared *shared, struct stream *stream);
/* Takes the stream over, sends `reply` and closes it behind, without reading a request. */
void http_connection_turn_away(struct http_shared *shared, struct stream *stream, const char *reply,
                               size_t size);
/* Sends what shared->released lets go. */
void http_connections_release(struct http_shared *shared);
/* shared->is_stopping has been set: those that have nothing to do begin to close. */
void http_connections_wind_up(struct http_shared *shared);
/* Closes all at once. */
void http_connections_cut(struct http_shared *shared);

/* Everything that happens to a connection happens between these two. False: it is in a turn
 * already, whose end will see to what this one would. */
bool http_turn_begin(struct http_connection *connection);
/* Sends, settles what to wait for, and frees the connection if it was closed. */
void http_turn_end(struct http_connection *connection);

/* Where its next reply goes. */
static inline struct http_outgoing *http_connection_outgoing(struct http_connection *connection)
{
    if (connection->outgoing == NULL)
        connection->outgoing = http_outgoing_take(&connection->shared->pool);
    return connection->outgoing;
}

/* May its next request be handled? */
bool http_connection_may_go_on(const struct http_connection *connection);

/* input.c: bytes that were read behind those in `input`; those in `input` once more. */
void http_input_read(struct http_connection *connection, char *bytes, size_t size);
void http_input_resume(struct http_connection *connection);
void http_input_drop(struct http_connection *connection);

/* exchange.c: a head is whole (`size` bytes of its request are there); a request is; one is refused
 * (`request` may be NULL). */
void http_exchange_head(struct http_connection *connection, struct http_framing *framing,
                        size_t size);
void http_exchange_request(struct http_connection *connection, struct http_head *head,
                           bool is_last);
void http_exchange_refuse(struct http_connection *connection, const struct http_request *request,
                          enum http_refusal refusal);
/* Body bytes for the handler: how many it took. It may have refused instead. */
size_t http_exchange_body(struct http_connection *connection, struct http_framing *framing,
                          const char *bytes);
/* The request in hand will not become whole. */
void http_exchange_abandon(struct http_connection *connection);

#endif
