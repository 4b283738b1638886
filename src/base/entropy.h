/* Randomness from the kernel, for secrets and hash keys: getrandom(2). Cannot fail: without it the
 * process stops. */
#ifndef SMSD_BASE_ENTROPY_H
#define SMSD_BASE_ENTROPY_H

#include <stddef.h>

void entropy_fill(void *to, size_t size);

#endif
