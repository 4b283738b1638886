/* getrandom(2), whole or not at all. */
#include "base/entropy.h"

#include <errno.h>
#include <sys/random.h>

#include "base/log.h"

void entropy_fill(void *to, size_t size)
{
    char *next = to;

    while (size > 0) {
        ssize_t got = getrandom(next, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            log_fatal("getrandom", NULL, errno);
        next += got;
        size -= (size_t)got;
    }
}
