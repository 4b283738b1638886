/* Outgoing bytes. Holds only rise along the queue (a smaller one behind a larger waits with it), so
 * what may leave is always a piece at the front, and one write takes it. */
#include "http/outgoing.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metric.h"

enum {
    SPARE_MAX = 256,             /* lent again rather than allocated again */
    SPARE_BYTES_MAX = 16 * 1024, /* larger ones are given back to the system */
    SENT_BYTES_MIN = 64 * 1024,  /* not worth moving the rest to the front for less */
};

static void outgoing_free(struct http_outgoing *outgoing)
{
    buffer_release(&outgoing->bytes);
    free(outgoing->held);
    free(outgoing);
}

struct http_outgoing *http_outgoing_take(struct http_outgoing_pool *pool)
{
    struct http_outgoing *outgoing = pool->spare;
    if (outgoing != NULL) {
        pool->spare = outgoing->next;
        pool->count--;
        return outgoing;
    }
    outgoing = calloc(1, sizeof *outgoing);
    if (outgoing == NULL)
        log_fatal("reply allocation", NULL, ENOMEM);
    return outgoing;
}

void http_outgoing_give(struct http_outgoing_pool *pool, struct http_outgoing *outgoing)
{
    if (pool->count == SPARE_MAX || outgoing->bytes.capacity > SPARE_BYTES_MAX) {
        outgoing_free(outgoing);
        return;
    }
    outgoing->bytes.size = 0;
    outgoing->sent = 0;
    outgoing->held_first = outgoing->held_count = 0;
    outgoing->next = pool->spare;
    pool->spare = outgoing;
    pool->count++;
}

void http_outgoing_pool_release(struct http_outgoing_pool *pool)
{
    while (pool->spare != NULL) {
        struct http_outgoing *outgoing = pool->spare;
        pool->spare = outgoing->next;
        outgoing_free(outgoing);
    }
    pool->count = 0;
}

static void grow_held(struct http_outgoing *outgoing)
{
    uint32_t capacity = outgoing->held_capacity == 0 ? 4 : outgoing->held_capacity * 2;
    struct http_held *held = realloc(outgoing->held, capacity * sizeof *held);
    if (held == NULL)
        log_fatal("reply allocation", NULL, ENOMEM);
    outgoing->held = held;
    outgoing->held_capacity = capacity;
}

/* Makes room at the end: forgets what has left if that is much, or else grows. */
static void make_room(struct http_outgoing *outgoing)
{
    if (outgoing->held_first <= outgoing->held_capacity / 2) {
        grow_held(outgoing);
        return;
    }
    outgoing->held_count -= outgoing->held_first;
    memmove(outgoing->held, outgoing->held + outgoing->held_first,
            outgoing->held_count * sizeof *outgoing->held);
    outgoing->held_first = 0;
}

void http_outgoing_hold(struct http_outgoing *outgoing, uint64_t hold, uint64_t read_ns,
                        uint32_t count)
{
    if (outgoing->held_count > outgoing->held_first) {
        struct http_held *last = &outgoing->held[outgoing->held_count - 1];
        if (hold < last->hold)
            hold = last->hold;
        if (hold == last->hold && (read_ns == last->read_ns || count == 0)) {
            last->end = outgoing->bytes.size;
            last->count += count;
            return;
        }
    }
    if (outgoing->held_count == outgoing->held_capacity)
        make_room(outgoing);
    outgoing->held[outgoing->held_count++] =
        (struct http_held){outgoing->bytes.size, hold, read_ns, count};
}

size_t http_outgoing_end(const struct http_outgoing *outgoing, uint64_t released)
{
    size_t end = outgoing->sent;
    for (uint32_t i = outgoing->held_first; i < outgoing->held_count; i++) {
        if (outgoing->held[i].hold > released)
            break;
        end = outgoing->held[i].end;
    }
    return end;
}

/* A client that reads slowly and never quite catches up must not make the bytes grow for ever. */
static void drop_sent(struct http_outgoing *outgoing)
{
    buffer_consume(&outgoing->bytes, outgoing->sent);
    for (uint32_t i = outgoing->held_first; i < outgoing->held_count; i++)
        outgoing->held[i].end -= outgoing->sent;
    outgoing->sent = 0;
}

void http_outgoing_left(struct http_outgoing *outgoing, size_t count, uint64_t now_ns)
{
    outgoing->sent += count;
    assert(outgoing->sent <= outgoing->bytes.size);
    while (outgoing->held_first < outgoing->held_count) {
        const struct http_held *held = &outgoing->held[outgoing->held_first];
        if (held->end > outgoing->sent)
            break;
        for (uint32_t i = 0; i < held->count; i++)
            metric_observe(METRIC_HTTP_DURATION, now_ns - held->read_ns);
        outgoing->held_first++;
    }
    if (outgoing->sent >= SENT_BYTES_MIN && outgoing->sent >= outgoing->bytes.size / 2)
        drop_sent(outgoing);
}
