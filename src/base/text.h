/* A run of bytes that somebody else owns: not ended by a NUL, valid as long as what it points into.
 */
#ifndef SMSD_BASE_TEXT_H
#define SMSD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    const char *data; /* NULL: not there */
    size_t size;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

static inline bool text_equals(struct text a, struct text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
