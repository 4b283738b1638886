/* The short way for lines that come by the million: an object of plain members, straight into the
 * declared fields, without a copy and without a tree. Plain is what is mostly sent: no escapes,
 * nothing beyond ASCII, no nesting, no null, numbers without exponents. Everything else, and
 * everything that is wrong, is left to json_parse and json_bind, which say what. */
#ifndef SMSD_JSON_FLAT_H
#define SMSD_JSON_FLAT_H

#include "json/read.h"

enum { JSON_FLAT_FIELDS_MAX = 16, JSON_FLAT_NAME_MAX = 7 };

/* A declaration, prepared once for all lines. */
struct json_flat {
    const struct json_field *fields;
    size_t field_count;
    uint64_t required; /* bit i: field i is */
    struct {
        uint64_t word, mask; /* the name and its closing quote, as eight bytes are loaded */
        size_t size;         /* of both */
    } names[JSON_FLAT_FIELDS_MAX];
};

/* `fields` must stay: JSON_FLAT_FIELDS_MAX at the most, with names of at most JSON_FLAT_NAME_MAX
 * bytes. */
void json_flat_init(struct json_flat *flat, const struct json_field *fields, size_t field_count);

/* True: json_parse and json_bind would have accepted the text with the same fields in `target` and
 * `given`; texts lie in `text` itself and no NUL follows them. False: ask those two; fields of
 * `target` may have been set, so put the defaults in again. Fields are JSON_TEXT, JSON_INT and
 * JSON_DECIMAL; one of another kind that is given is left to those two. */
bool json_flat_read(const struct json_flat *flat, const char *text, size_t size, void *target,
                    uint64_t *given);

#endif
