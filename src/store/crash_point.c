/* Dies at the point that SMSD_CRASH_POINT=name:count names, on the count-th passage, without a
 * chance to tidy up. Any thread may pass. */
#include "store/crash_point.h"

#ifdef SMSD_CRASH_POINTS

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/log.h"

static const char *const names[] = {
#define CRASH_POINT(name, where) name,
#include "store/crash_point.def"
#undef CRASH_POINT
};

static const char *declared(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
            return names[i];
    return NULL;
}

void crash_point(const char *name)
{
    static atomic_long passages;
    const char *text =
        getenv("SMSD_CRASH_POINT"); /* each time: a test sets it in a child it forks */
    const char *point = declared(name, strlen(name));
    assert(point != NULL);
    if (text == NULL)
        return;
    const char *colon = strchr(text, ':');
    const char *chosen = declared(text, colon != NULL ? (size_t)(colon - text) : strlen(text));
    if (chosen == NULL)
        log_fatal("SMSD_CRASH_POINT names no crash point", text, 0);
    long count = colon != NULL ? strtol(colon + 1, NULL, 10) : 1;
    if (point == chosen && atomic_fetch_add(&passages, 1) + 1 == count)
        raise(SIGKILL);
}

#else

/* A translation unit may not be empty. */
extern int crash_points_are_off;

#endif
