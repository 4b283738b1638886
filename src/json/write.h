/* Exact writing of JSON: members in the order they are written, integers in full, strings escaped
 * as RFC 8259 asks and no more, times as RFC 3339, ids as base/id.h spells them. Commas are the
 * writer's affair.
 *
 *     struct json_writer w = json_writer(buffer);
 *     json_object_begin(&w, NULL);
 *     json_int(&w, "amount", 100);
 *     json_object_end(&w);                          -> {"amount":100}
 *
 * `name` is the member's name (a plain ASCII literal that needs no escaping) inside an object and
 * NULL inside an array or at the top. */
#ifndef SMSD_JSON_WRITE_H
#define SMSD_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct json_writer {
    struct buffer *to;
    bool needs_comma;
};

static inline struct json_writer json_writer(struct buffer *to)
{
    return (struct json_writer){to, false};
}

void json_object_begin(struct json_writer *writer, const char *name);
void json_object_end(struct json_writer *writer);
void json_array_begin(struct json_writer *writer, const char *name);
void json_array_end(struct json_writer *writer);
/* `text` must be UTF-8; NULL writes null, as a struct json_text that was not given has it. */
void json_text(struct json_writer *writer, const char *name, const char *text, size_t size);
/* The same of a text that ends with a NUL. */
void json_string(struct json_writer *writer, const char *name, const char *text);
void json_int(struct json_writer *writer, const char *name, int64_t value);
/* What JSON_DECIMAL read, digit for digit and without trailing zeros: 31230400 with 6 decimals
 * is 31.2304. */
void json_decimal(struct json_writer *writer, const char *name, int64_t value, int decimals);
void json_bool(struct json_writer *writer, const char *name, bool value);
void json_null(struct json_writer *writer, const char *name);
void json_time(struct json_writer *writer, const char *name, int64_t unix_ms);
void json_id(struct json_writer *writer, const char *name, const char *prefix, uint64_t number);
/* As text, two lower-case hexadecimal digits a byte; NULL writes null. */
void json_hex(struct json_writer *writer, const char *name, const void *bytes, size_t size);
/* Of what may not be there, where 0, or a size of 0, says so: then null. */
void json_text_or_null(struct json_writer *writer, const char *name, const char *text, size_t size);
void json_int_or_null(struct json_writer *writer, const char *name, int64_t value);
void json_time_or_null(struct json_writer *writer, const char *name, int64_t unix_ms);
void json_id_or_null(struct json_writer *writer, const char *name, const char *prefix,
                     uint64_t number);
/* A member's name that is no literal: escaped; what is written next is its value, with a NULL name.
 */
void json_member(struct json_writer *writer, const char *name, size_t size);
/* Bytes that are JSON already. */
void json_raw(struct json_writer *writer, const char *name, const char *json, size_t size);

#endif
