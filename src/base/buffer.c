/* The buffer's growth and its numbers. Storage doubles, so that appending byte by byte stays
 * linear. Digits are made two at a time: replies are full of amounts. */
#include "base/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/digits.h"
#include "base/log.h"

enum { CAPACITY_MIN = 256 };

void buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){0};
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer);
}

void buffer_grow(struct buffer *buffer, size_t more)
{
    if (more > SIZE_MAX / 4 - buffer->size)
        log_fatal("buffer allocation", NULL, ENOMEM);
    size_t needed = buffer->size + more;
    size_t capacity = buffer->capacity < CAPACITY_MIN ? CAPACITY_MIN : buffer->capacity * 2;
    if (capacity < needed)
        capacity = needed;
    char *data = realloc(buffer->data, capacity);
    if (data == NULL)
        log_fatal("buffer allocation", NULL, ENOMEM);
    buffer->data = data;
    buffer->capacity = capacity;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    assert(count <= buffer->size);
    buffer->size -= count;
    if (buffer->size != 0 && count != 0)
        memmove(buffer->data, buffer->data + count, buffer->size);
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    for (size_t room = 128;;) {
        char *to = buffer_reserve(buffer, room);
        va_list arguments;
        va_start(arguments, format);
        int size = vsnprintf(to, room, format, arguments);
        va_end(arguments);
        assert(size >= 0);
        if ((size_t)size < room) {
            buffer->size += (size_t)size;
            return;
        }
        room = (size_t)size + 1;
    }
}

void buffer_append_uint(struct buffer *buffer, uint64_t value)
{
    buffer->size += digits_put_uint(buffer_reserve(buffer, DIGITS_MAX), value);
}

void buffer_append_int(struct buffer *buffer, int64_t value)
{
    buffer->size += digits_put_int(buffer_reserve(buffer, DIGITS_MAX), value);
}
