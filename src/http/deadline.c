/* The wheel. Ticks count on for ever; a tick's slot is its number modulo the slots. What is due
 * beyond one turn waits in the furthest slot and is put on from there, as is what was set later
 * meanwhile. */
#include "http/deadline.h"

#include <assert.h>
#include <stddef.h>

/* The first tick at which the time has come. */
static uint64_t tick_of(uint64_t due_ms)
{
    return (due_ms + HTTP_TICK_MS - 1) / HTTP_TICK_MS;
}

static void put(struct http_wheel *wheel, struct http_deadline *deadline)
{
    uint64_t tick = tick_of(deadline->due_ms);
    if (tick <= wheel->passed)
        tick = wheel->passed + 1;
    if (tick > wheel->passed + HTTP_WHEEL_SLOTS)
        tick = wheel->passed + HTTP_WHEEL_SLOTS;
    size_t slot = tick % HTTP_WHEEL_SLOTS;
    deadline->tick = tick;
    http_link_put(&wheel->slots[slot], &deadline->link);
    wheel->filled[slot / 64] |= UINT64_C(1) << slot % 64;
    wheel->count++;
}

static void take(struct http_wheel *wheel, struct http_deadline *deadline)
{
    size_t slot = deadline->tick % HTTP_WHEEL_SLOTS;
    http_link_take(&deadline->link);
    if (wheel->slots[slot] == NULL)
        wheel->filled[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    wheel->count--;
}

/* The next tick whose slot holds anything. The wheel is not empty. */
static uint64_t next_filled(const struct http_wheel *wheel)
{
    uint64_t tick = wheel->passed + 1;
    for (;;) {
        size_t slot = tick % HTTP_WHEEL_SLOTS;
        uint64_t bits = wheel->filled[slot / 64] >> slot % 64;
        if (bits != 0)
            return tick + (uint64_t)__builtin_ctzll(bits);
        tick += 64 - slot % 64;
        assert(tick <= wheel->passed + HTTP_WHEEL_SLOTS + 64);
    }
}

static void on_timer(uv_timer_t *timer);

static void arm(struct http_wheel *wheel, uint64_t tick)
{
    uint64_t now = uv_now(wheel->timer.loop);
    uint64_t due = tick * HTTP_TICK_MS;
    wheel->armed = tick;
    uv_timer_start(&wheel->timer, on_timer, due > now ? due - now : 0, 0);
}

static void pass_slot(struct http_wheel *wheel, uint64_t tick, uint64_t now)
{
    /* What is put on again may land in this very slot, a turn ahead. */
    struct http_link *list;
    http_link_move(&list, &wheel->slots[tick % HTTP_WHEEL_SLOTS]);
    wheel->passed = tick;
    while (list != NULL) {
        struct http_deadline *deadline = http_link_owner(list, struct http_deadline, link);
        take(wheel, deadline);
        if (deadline->due_ms > now)
            put(wheel, deadline);
        else if (deadline->due_ms != 0)
            wheel->on_due(deadline);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct http_wheel *wheel = (struct http_wheel *)timer;
    uint64_t now = uv_now(timer->loop);
    wheel->armed = 0;
    while (wheel->count != 0) {
        uint64_t tick = next_filled(wheel);
        if (tick * HTTP_TICK_MS > now) {
            arm(wheel, tick);
            return;
        }
        pass_slot(wheel, tick, now);
    }
}

void http_wheel_init(struct http_wheel *wheel, uv_loop_t *loop,
                     void (*on_due)(struct http_deadline *deadline))
{
    static_assert(offsetof(struct http_wheel, timer) == 0, "the timer is cast to its wheel");
    *wheel = (struct http_wheel){.on_due = on_due};
    int error = uv_timer_init(loop, &wheel->timer);
    assert(error == 0);
}

void http_deadline_set(struct http_wheel *wheel, struct http_deadline *deadline, uint64_t due_ms)
{
    deadline->due_ms = due_ms;
    if (due_ms == 0)
        return;
    if (http_link_is_on(&deadline->link)) {
        if (deadline->tick <= tick_of(due_ms))
            return;
        take(wheel, deadline);
    }
    if (wheel->count == 0)
        wheel->passed = uv_now(wheel->timer.loop) / HTTP_TICK_MS;
    put(wheel, deadline);
    if (wheel->armed == 0 || deadline->tick < wheel->armed)
        arm(wheel, deadline->tick);
}

void http_deadline_remove(struct http_wheel *wheel, struct http_deadline *deadline)
{
    deadline->due_ms = 0;
    if (!http_link_is_on(&deadline->link))
        return;
    take(wheel, deadline);
    if (wheel->count == 0) {
        uv_timer_stop(&wheel->timer);
        wheel->armed = 0;
    }
}
