/* A growing run of bytes: what a reply, a journal batch or a log line is written into. Appending
 * never fails (out of memory stops the process); who feeds one from outside bounds it first. */
#ifndef SMSD_BASE_BUFFER_H
#define SMSD_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
    char *data;
    size_t size;
    size_t capacity;
};

void buffer_init(struct buffer *buffer);
/* Frees the storage; the buffer is empty and usable again. */
void buffer_release(struct buffer *buffer);
/* The slow half of buffer_reserve. */
void buffer_grow(struct buffer *buffer, size_t more);

/* Makes room for `more` bytes behind `size` and returns where they go; `size` does not move. */
static inline char *buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->capacity - buffer->size < more)
        buffer_grow(buffer, more);
    return buffer->data + buffer->size;
}

/* Takes the first `count` bytes away and moves the rest to the front. */
void buffer_consume(struct buffer *buffer, size_t count);
static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0)
        return;
    memcpy(buffer_reserve(buffer, size), data, size);
    buffer->size += size;
}

void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Decimal digits, exact over the whole range. */
void buffer_append_int(struct buffer *buffer, int64_t value);
void buffer_append_uint(struct buffer *buffer, uint64_t value);

/* A literal whose length the compiler knows. */
#define buffer_append_literal(buffer, literal)                                                     \
    buffer_append((buffer), (literal), sizeof(literal) - 1)

#endif
