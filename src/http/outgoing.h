/* What waits to leave one connection: replies as bytes, in order, and how long each is held. Exists
 * only while something waits; the memory is lent by a pool, hot from the last connection that used
 * it. */
#ifndef SMSD_HTTP_OUTGOING_H
#define SMSD_HTTP_OUTGOING_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Replies next to each other that leave together. */
struct http_held {
    size_t end;       /* behind their last byte */
    uint64_t hold;    /* rising from one to the next */
    uint64_t read_ns; /* when their requests had been read */
    uint32_t count;   /* replies */
};

struct http_outgoing {
    struct buffer bytes;
    size_t sent; /* of them, at the front */
    struct http_held *held;
    uint32_t held_first, held_count, held_capacity; /* those before held_first have left */
    struct http_outgoing *next;                     /* in the pool */
};

struct http_outgoing_pool {
    struct http_outgoing *spare;
    uint32_t count;
};

struct http_outgoing *http_outgoing_take(struct http_outgoing_pool *pool);
void http_outgoing_give(struct http_outgoing_pool *pool, struct http_outgoing *outgoing);
void http_outgoing_pool_release(struct http_outgoing_pool *pool);

/* The bytes behind what was there before are `count` replies held by `hold`; they leave no earlier
 * than what is in front of them. */
void http_outgoing_hold(struct http_outgoing *outgoing, uint64_t hold, uint64_t read_ns,
                        uint32_t count);
/* Up to where bytes may leave once `released` has been reached. */
size_t http_outgoing_end(const struct http_outgoing *outgoing, uint64_t released);
/* So many bytes more have left, at `now_ns`: observes how long their requests took. */
void http_outgoing_left(struct http_outgoing *outgoing, size_t count, uint64_t now_ns);

static inline size_t http_outgoing_size(const struct http_outgoing *outgoing)
{
    return outgoing->bytes.size - outgoing->sent;
}

#endif
