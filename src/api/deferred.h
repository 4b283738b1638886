/* An answer that comes after its handler has returned: what of the reply was there by then, and
 * what it must wait for. Zero: nothing was deferred. Answered once, by one of the functions below;
 * what is given up before is released. Loop thread only. */
#ifndef SMSD_API_DEFERRED_H
#define SMSD_API_DEFERRED_H

#include <stdint.h>

#include "base/buffer.h"
#include "engine/outcome.h"

struct call;
struct http_deferred;

struct deferred {
    struct http_deferred *reply; /* NULL: none yet */
    struct buffer headers;
    uint64_t hold;
};

/* Takes the call's reply over, with its headers and its hold. */
void call_defer(struct call *call, struct deferred *deferred);
/* The answer leaves no earlier than that batch. */
void deferred_hold(struct deferred *deferred, uint64_t hold);

/* 200 and JSON. The body stays the caller's. */
void deferred_answer(struct deferred *deferred, const struct buffer *body);
void deferred_answer_status(struct deferred *deferred, int status, const char *content_type,
                            const struct buffer *body);
/* With a problem. `detail` NULL: the outcome's title says it. */
void deferred_refuse(struct deferred *deferred, enum outcome outcome, const char *detail);
void deferred_release(struct deferred *deferred);

#endif
