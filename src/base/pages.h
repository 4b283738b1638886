/* Large pieces of memory, zero at first: filters and tables that a look-up hits at random. What is
 * large comes from the system page by page as it is first touched, in huge pages where it gives
 * them, so that a look-up does not also miss the translation buffer. Out of memory stops the
 * process. */
#ifndef SMSD_BASE_PAGES_H
#define SMSD_BASE_PAGES_H

#include <stddef.h>

/* Zeros, aligned to 64 bytes. `size` must be given again to free it. NULL may be freed. */
void *pages_new(size_t size);
void pages_free(void *pages, size_t size);

#endif
