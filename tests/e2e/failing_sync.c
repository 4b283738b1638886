/* Preloaded into smsd by test_faults.py: the SMSD_FAIL_SYNC-th fdatasync or fsync after a file
 * named by SMSD_FAIL_SYNC_ARMED has appeared fails with EIO, as a failing disk's would, and every
 * one behind it. While a file named by SMSD_HOLD_SYNC is there every one waits. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_long calls;

static int is_failing(void)
{
    const char *count = getenv("SMSD_FAIL_SYNC");
    const char *armed = getenv("SMSD_FAIL_SYNC_ARMED");

    if (count == NULL || armed == NULL || access(armed, F_OK) != 0)
        return 0;
    return atomic_fetch_add(&calls, 1) + 1 >= strtol(count, NULL, 10);
}

static int sync_or_fail(const char *name, int fd)
{
    int (*real)(int fd);
    const char *held = getenv("SMSD_HOLD_SYNC");

    while (held != NULL && access(held, F_OK) == 0)
        usleep(1000);
    if (is_failing()) {
        errno = EIO;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, name);
    return real(fd);
}

int fdatasync(int fd)
{
    return sync_or_fail("fdatasync", fd);
}

int fsync(int fd)
{
    return sync_or_fail("fsync", fd);
}
