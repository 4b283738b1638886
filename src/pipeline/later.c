/* An idle handle runs what waits once a turn: each waiting one once, what continues again waits for
 * the next turn. Not a timer: one set to "at once" by its own callback runs again before the loop
 * looks at anything else (libuv 1.44). */
#include "pipeline/later.h"

#include <assert.h>
#include <stdlib.h>

struct continuation {
    void (*next)(void *context);
    void *context;
    struct continuation *behind;
};

void later_init(struct later *later, uv_loop_t *loop)
{
    later->first = later->last = later->roomless = NULL;
    uv_idle_init(loop, &later->idle);
    uv_unref((uv_handle_t *)&later->idle);
    later->idle.data = later;
}

static void free_all(struct continuation *first)
{
    struct continuation *behind;

    for (; first != NULL; first = behind) {
        behind = first->behind;
        free(first);
    }
}

void later_release(struct later *later)
{
    free_all(later->first);
    free_all(later->roomless);
}

static void on_idle(uv_idle_t *idle)
{
    struct later *later = idle->data;
    struct continuation *one = later->first, *behind;

    uv_idle_stop(idle);
    later->first = later->last = NULL;
    for (; one != NULL; one = behind) {
        behind = one->behind;
        one->next(one->context);
        free(one);
    }
}

static struct continuation *make(void (*next)(void *context), void *context)
{
    struct continuation *one = malloc(sizeof *one);

    assert(one != NULL);
    *one = (struct continuation){next, context, NULL};
    return one;
}

static void append(struct later *later, struct continuation *one)
{
    one->behind = NULL;
    if (later->first == NULL)
        later->first = one;
    else
        later->last->behind = one;
    later->last = one;
    uv_idle_start(&later->idle, on_idle);
}

void later_put(struct later *later, void (*next)(void *context), void *context)
{
    append(later, make(next, context));
}

void later_put_roomless(struct later *later, void (*next)(void *context), void *context)
{
    struct continuation *one = make(next, context);

    one->behind = later->roomless;
    later->roomless = one;
}

void later_make_room(struct later *later)
{
    struct continuation *one = later->roomless, *behind;

    later->roomless = NULL;
    for (; one != NULL; one = behind) {
        behind = one->behind;
        append(later, one);
    }
}
