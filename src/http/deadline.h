/* Deadlines of many connections with one timer: a wheel of slots, each HTTP_TICK_MS wide. Moving a
 * deadline later, which every request does, is one store: the connection stays in its slot and is
 * put further on when that comes up. The timer runs only while there is something in the wheel and
 * only to the next slot that holds anything. A deadline is told late, by up to a tick, never early.
 */
#ifndef SMSD_HTTP_DEADLINE_H
#define SMSD_HTTP_DEADLINE_H

#include <stdint.h>
#include <uv.h>

#include "http/chain.h"

enum {
    HTTP_TICK_MS = 100,
    HTTP_WHEEL_SLOTS = 1024, /* a multiple of 64 */
};

/* Zeroed, it is not in the wheel. */
struct http_deadline {
    struct http_link link; /* in its slot */
    uint64_t due_ms;       /* on the loop's clock; 0: none */
    uint64_t tick;         /* whose slot it is in */
};

struct http_wheel {
    uv_timer_t timer; /* its `data` is the owner's */
    struct http_link *slots[HTTP_WHEEL_SLOTS];
    uint64_t filled[HTTP_WHEEL_SLOTS / 64]; /* a bit a slot */
    uint64_t passed;                        /* the last tick whose slot was emptied */
    uint64_t armed;                         /* the tick the timer is set to; 0: it is not */
    uint32_t count;
    void (*on_due)(struct http_deadline *deadline);
};

void http_wheel_init(struct http_wheel *wheel, uv_loop_t *loop,
                     void (*on_due)(struct http_deadline *deadline));
/* Replaces what was set before. `due_ms` 0: no deadline for now. When it has come, on_due is called
 * once. */
void http_deadline_set(struct http_wheel *wheel, struct http_deadline *deadline, uint64_t due_ms);
/* Takes it out for good. */
void http_deadline_remove(struct http_wheel *wheel, struct http_deadline *deadline);

#endif
