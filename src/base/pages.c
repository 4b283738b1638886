/* Two ways: mmap from 4 MiB on, the heap below. The heap's own large pieces are mappings too, but
 * not in huge pages, and it gives none that are aligned and zero without touching them. */
#include "base/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"

#define MAPPED_BYTES_MIN ((size_t)4 << 20)

enum { LINE_BYTES = 64 };

static void *map(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (pages == MAP_FAILED)
        log_fatal("out of memory", NULL, errno);
    madvise(pages, size, MADV_HUGEPAGE); /* only faster */
    return pages;
}

void *pages_new(size_t size)
{
    void *pages;

    if (size >= MAPPED_BYTES_MIN)
        return map(size);
    size = (size + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    pages = aligned_alloc(LINE_BYTES, size);
    if (pages == NULL)
        log_fatal("out of memory", NULL, ENOMEM);
    return memset(pages, 0, size);
}

void pages_free(void *pages, size_t size)
{
    if (pages == NULL)
        return;
    if (size >= MAPPED_BYTES_MIN)
        munmap(pages, size);
    else
        free(pages);
}
