/* Dies at the point that SMSD_CRASH_POINT=name:count names, on the count-th passage, without a
 * chance to tidy up. Any thread may pass. */
#include "store/crash_point.h"

#ifdef SMSD_CRASH_POINTS

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

static const char *const names[] = {
#define CRASH_POINT(name, where) name,
#include "store/crash_point.def"
#undef CRASH_POINT
};

static struct {
    pthread_once_t once;
    const char *name; /* NULL: none is chosen */
    atomic_long passages_left;
} chosen = {.once = PTHREAD_ONCE_INIT};

static const char *declared(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
            return names[i];
    return NULL;
}

static void choose(void)
{
    const char *text = getenv("SMSD_CRASH_POINT");
    if (text == NULL)
        return;
    const char *colon = strchr(text, ':');
    chosen.name = declared(text, colon != NULL ? (size_t)(colon - text) : strlen(text));
    if (chosen.name == NULL)
        log_fatal("SMSD_CRASH_POINT names no crash point", text, 0);
    chosen.passages_left = colon != NULL ? strtol(colon + 1, NULL, 10) : 1;
}

void crash_point(const char *name)
{
    pthread_once(&chosen.once, choose);
    const char *point = declared(name, strlen(name));
    assert(point != NULL);
    if (point == chosen.name && atomic_fetch_sub(&chosen.passages_left, 1) == 1)
        raise(SIGKILL);
}

#else

/* A translation unit may not be empty. */
extern int crash_points_are_off;

#endif
