/* The writer. Each member is one reservation in the buffer and then plain stores: no printf, no
 * second look at the room. What is hard: texts, which are copied in runs between the bytes that
 * need an escape. */
#include "json/write.h"

#include "base/digits.h"
#include "base/id.h"
#include "base/time_text.h"
#include "json/plain.h"

/* Comma, quotes and colon around a name; \u0000. */
enum { NAME_EXTRA = 4, ESCAPE_MAX = 6 };

/* Room for the name and `size` bytes of value; returns where the value goes. finish() ends it. */
static inline char *begin(struct json_writer *w, const char *name, size_t size)
{
    size_t name_size = name == NULL ? 0 : strlen(name);
    char *to = buffer_reserve(w->to, name_size + NAME_EXTRA + size);
    if (w->needs_comma)
        *to++ = ',';
    w->needs_comma = true;
    if (name != NULL) {
        *to++ = '"';
        memcpy(to, name, name_size);
        to += name_size;
        *to++ = '"';
        *to++ = ':';
    }
    return to;
}

static inline void finish(struct json_writer *w, const char *end)
{
    w->to->size = (size_t)(end - w->to->data);
}

static inline void put(struct json_writer *w, const char *name, const char *value, size_t size)
{
    char *to = begin(w, name, size);
    memcpy(to, value, size);
    finish(w, to + size);
}

static inline void open_container(struct json_writer *w, const char *name, const char *bracket)
{
    put(w, name, bracket, 1);
    w->needs_comma = false;
}

static inline void close_container(struct json_writer *w, const char *bracket)
{
    buffer_append(w->to, bracket, 1);
    w->needs_comma = true;
}

void json_object_begin(struct json_writer *writer, const char *name)
{
    open_container(writer, name, "{");
}

void json_object_end(struct json_writer *writer)
{
    close_container(writer, "}");
}

void json_array_begin(struct json_writer *writer, const char *name)
{
    open_container(writer, name, "[");
}

void json_array_end(struct json_writer *writer)
{
    close_container(writer, "]");
}

/* How many bytes from `text` may be copied as they are. */
static inline size_t count_plain(const char *text, size_t size)
{
    uint64_t marks;
    size_t i = 0;
    for (; size - i >= 8; i += 8) {
        marks = json_marks(json_load(text + i));
        if (marks != 0)
            return i + json_first_mark(marks);
    }
    marks = json_marks(json_load_short(text + i, size - i));
    return marks != 0 ? i + json_first_mark(marks) : size;
}

static char *put_escape(char *to, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    *to++ = '\\';
    if (letters[c] != 0) {
        *to++ = letters[c];
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = hex[c >> 4];
    to[4] = hex[c & 15];
    return to + 5;
}

static void append_escaped(struct buffer *buffer, const char *text, size_t size)
{
    while (size > 0) {
        size_t plain = count_plain(text, size);
        char *to = buffer_reserve(buffer, plain + ESCAPE_MAX);
        memcpy(to, text, plain);
        to += plain;
        text += plain;
        size -= plain;
        if (size > 0) {
            to = put_escape(to, (unsigned char)*text++);
            size--;
        }
        buffer->size = (size_t)(to - buffer->data);
    }
}

void json_text(struct json_writer *writer, const char *name, const char *text, size_t size)
{
    if (text == NULL) {
        json_null(writer, name);
        return;
    }
    size_t plain = count_plain(text, size);
    char *to = begin(writer, name, plain + 2);
    *to++ = '"';
    memcpy(to, text, plain);
    to += plain;
    if (plain == size) {
        *to++ = '"';
        finish(writer, to);
        return;
    }
    finish(writer, to);
    append_escaped(writer->to, text + plain, size - plain);
    buffer_append(writer->to, "\"", 1);
}

void json_member(struct json_writer *writer, const char *name, size_t size)
{
    json_text(writer, NULL, name, size);
    buffer_append(writer->to, ":", 1);
    writer->needs_comma = false;
}

void json_string(struct json_writer *writer, const char *name, const char *text)
{
    if (text == NULL)
        json_null(writer, name);
    else
        json_text(writer, name, text, strlen(text));
}

void json_int(struct json_writer *writer, const char *name, int64_t value)
{
    char *to = begin(writer, name, DIGITS_MAX);
    finish(writer, to + digits_put_int(to, value));
}

void json_decimal(struct json_writer *writer, const char *name, int64_t value, int decimals)
{
    char *to = begin(writer, name, DIGITS_DECIMAL_MAX);
    finish(writer, to + digits_put_decimal(to, value, decimals));
}

void json_bool(struct json_writer *writer, const char *name, bool value)
{
    if (value)
        put(writer, name, "true", 4);
    else
        put(writer, name, "false", 5);
}

void json_null(struct json_writer *writer, const char *name)
{
    put(writer, name, "null", 4);
}

void json_time(struct json_writer *writer, const char *name, int64_t unix_ms)
{
    char *to = begin(writer, name, TIME_TEXT_SIZE + 2);
    *to++ = '"';
    time_format(to, unix_ms);
    to[TIME_TEXT_SIZE] = '"';
    finish(writer, to + TIME_TEXT_SIZE + 1);
}

void json_id(struct json_writer *writer, const char *name, const char *prefix, uint64_t number)
{
    char *to = begin(writer, name, ID_TEXT_MAX + 2);
    *to++ = '"';
    to += id_format(to, prefix, number);
    *to++ = '"';
    finish(writer, to);
}

void json_hex(struct json_writer *writer, const char *name, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;

    if (bytes == NULL) {
        json_null(writer, name);
        return;
    }
    char *to = begin(writer, name, 2 * size + 2);
    *to++ = '"';
    for (size_t i = 0; i < size; i++) {
        *to++ = digits[from[i] >> 4];
        *to++ = digits[from[i] & 15];
    }
    *to++ = '"';
    finish(writer, to);
}

void json_text_or_null(struct json_writer *writer, const char *name, const char *text, size_t size)
{
    json_text(writer, name, size == 0 ? NULL : text, size);
}

void json_int_or_null(struct json_writer *writer, const char *name, int64_t value)
{
    if (value == 0)
        json_null(writer, name);
    else
        json_int(writer, name, value);
}

void json_time_or_null(struct json_writer *writer, const char *name, int64_t unix_ms)
{
    if (unix_ms == 0)
        json_null(writer, name);
    else
        json_time(writer, name, unix_ms);
}

void json_id_or_null(struct json_writer *writer, const char *name, const char *prefix,
                     uint64_t number)
{
    if (number == 0)
        json_null(writer, name);
    else
        json_id(writer, name, prefix, number);
}

void json_raw(struct json_writer *writer, const char *name, const char *json, size_t size)
{
    put(writer, name, json, size);
}
