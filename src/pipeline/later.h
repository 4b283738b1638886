/* Inside the room: work that goes on in a later turn of the loop, after what came in meanwhile;
 * some of it only once there is room in memory. */
#ifndef SMSD_PIPELINE_LATER_H
#define SMSD_PIPELINE_LATER_H

#include <stdbool.h>
#include <uv.h>

struct continuation;

struct later {
    uv_idle_t idle;             /* while `first` is not NULL; the caller closes it */
    struct continuation *first; /* in the order they were put */
    struct continuation *last;
    struct continuation *roomless; /* those that wait for room */
};

void later_init(struct later *later, uv_loop_t *loop);
/* What still waits will not go on. */
void later_release(struct later *later);
void later_put(struct later *later, void (*next)(void *context), void *context);
void later_put_roomless(struct later *later, void (*next)(void *context), void *context);
/* There is room: what waits for it goes on in the next turn. */
void later_make_room(struct later *later);

#endif
