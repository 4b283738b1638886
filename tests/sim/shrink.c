/* Delta debugging (Zeller and Hildebrandt, 2002), the simple half of it: ever smaller pieces are
 * left out, from the end to the front, until no single op can be. */
#include "shrink.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECONDS_MAX = 60 };

static void leave_out(struct plan *plan, uint32_t kept[OPS_MAX], uint32_t from, uint32_t count)
{
    uint32_t behind = plan->count - from - count;

    memmove(plan->ops + from, plan->ops + from + count, behind * sizeof *plan->ops);
    memmove(kept + from, kept + from + count, behind * sizeof *kept);
    plan->count -= count;
}

static bool try_pieces(struct plan *plan, uint32_t kept[OPS_MAX], uint32_t size,
                       bool (*fails)(const struct plan *plan), time_t end)
{
    static struct plan candidate;
    static uint32_t candidate_kept[OPS_MAX];
    bool is_smaller = false;

    for (uint32_t from = plan->count; from > 0 && time(NULL) < end;) {
        uint32_t count = size < from ? size : from;
        from -= count;
        candidate = *plan;
        memcpy(candidate_kept, kept, sizeof candidate_kept);
        leave_out(&candidate, candidate_kept, from, count);
        if (!fails(&candidate))
            continue;
        *plan = candidate;
        memcpy(kept, candidate_kept, sizeof candidate_kept);
        is_smaller = true;
    }
    return is_smaller;
}

void shrink(struct plan *plan, uint32_t kept[OPS_MAX], bool (*fails)(const struct plan *plan))
{
    time_t end = time(NULL) + SECONDS_MAX;
    uint32_t size = plan->count / 2;

    for (uint32_t i = 0; i < plan->count; i++)
        kept[i] = i;
    for (; size > 1; size /= 2)
        try_pieces(plan, kept, size, fails, end);
    while (try_pieces(plan, kept, 1, fails, end))
        continue;
}
