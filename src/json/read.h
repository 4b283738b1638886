/* Strict reading of JSON (RFC 8259) into C structs whose fields are declared as data.
 *
 * Refused as malformed: bytes behind the value, invalid UTF-8, lone surrogates, \u0000, control
 * characters, leading zeros, nesting deeper than JSON_DEPTH_MAX, an object with the same name twice
 * or with more than JSON_MEMBERS_MAX members, texts of 4 GiB. Refused as
 * invalid, all at once and each with its JSON pointer (RFC 6901): unknown fields, missing fields,
 * wrong types, numbers with fraction or exponent, values out of range. Names compare exactly.
 *
 * One text is one value: for NDJSON call json_parse for each line, for a batch json_parse the array
 * and json_bind each item (json_array_first, json_next) with errors and a target of its own. */
#ifndef SMSD_JSON_READ_H
#define SMSD_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct json_value;

enum {
    JSON_DEPTH_MAX = 16,
    JSON_ERRORS_MAX = 32,    /* kept; further ones are counted only */
    JSON_FIELDS_MAX = 64,    /* in one declaration */
    JSON_MEMBERS_MAX = 1024, /* in one object */
};

/* The most that json_parse takes from the arena for a text of this size; for the arena's own bound.
 */
#define JSON_ARENA_BYTES_MAX(size) ((size)*24 + ((size_t)2 << 20))

/* A text's bytes in UTF-8: may hold anything but NUL; a NUL follows it. `data` NULL: the field was
 * absent or null. */
struct json_text {
    const char *data;
    size_t size;
};

struct json_texts {
    const struct json_text *items;
    size_t count;
};

enum json_kind {
    JSON_TEXT,    /* struct json_text; min and max bound its bytes */
    JSON_INT,     /* int64_t; min and max bound it; exact, plain digits only */
    JSON_BOOL,    /* bool */
    JSON_TEXTS,   /* struct json_texts; min and max bound the count; each text has 1 to
                     `text_bytes_max` bytes */
    JSON_ANY,     /* const struct json_value *, not null: read further by the caller */
    JSON_DECIMAL, /* int64_t in units of 10^-decimals, which min and max bound too: 31.2304 with 6
                     decimals is 31230400; may have fraction and exponent; exact, rounded to the
                     nearest, halves away from zero */
};

/* One row a field. `min` and `max` both 0 are no bounds, and so is a `text_bytes_max` of 0.
 * `check`, if given, sees every text that passed the bounds; false is an error whose detail is
 * `rule` ("must be 1 to 64 letters, digits or any of _.:@-"). `rule` also replaces the generated
 * detail for bounds and types when given. null is a wrong type unless the field is nullable. */
struct json_field {
    const char *name;
    enum json_kind kind;
    size_t offset; /* offsetof in the struct that is filled */
    bool is_required;
    bool is_nullable; /* null counts as given: its bit in `given` is set, the field keeps its
                         default */
    int64_t min, max;
    size_t text_bytes_max;
    bool (*check)(const char *data, size_t size);
    const char *rule;
    int decimals; /* of a JSON_DECIMAL, 0 to 15 */
};

#define FIELD_COUNT(fields) (sizeof(fields) / sizeof *(fields))

/* What is wrong with a body. `pointer` and `detail` live in the arena given to json_parse. */
struct json_error {
    const char *pointer;
    const char *detail;
};
struct json_errors {
    struct json_error items[JSON_ERRORS_MAX];
    size_t count; /* in items */
    size_t count_all;
    bool has_unknown_field; /* one of them is a field nobody declared */
};

static inline void json_errors_init(struct json_errors *errors)
{
    errors->count = 0;
    errors->count_all = 0;
    errors->has_unknown_field = false;
}

/* NULL if the text is malformed; `*why` then says what and at which byte, counted from 0
 * ("unexpected character at byte 17"). The text itself is not needed afterwards and needs no NUL.
 * Everything lives in the arena. */
const struct json_value *json_parse(struct arena *arena, const char *text, size_t size,
                                    const char **why);

/* Fills `target` from an object. Fields that are absent keep what `target` holds, so defaults go in
 * first.
 * `*given` gets bit i set for each field i that was present. `pointer` prefixes the errors'
 * pointers ("" at the top). False if anything was added to `errors`. */
bool json_bind(struct arena *arena, const struct json_value *value, const struct json_field *fields,
               size_t field_count, void *target, uint64_t *given, const char *pointer,
               struct json_errors *errors);
/* Both texts are copied. */
void json_errors_add(struct arena *arena, struct json_errors *errors, const char *pointer,
                     const char *detail);
/* `pointer` with one more step: "/areas" and "a/b" give "/areas/a~1b", "/areas" and 3 give
 * "/areas/3". */
const char *json_pointer_name(struct arena *arena, const char *pointer, const char *name);
const char *json_pointer_index(struct arena *arena, const char *pointer, size_t index);

/* For bodies that are arrays (batches) and for JSON_ANY. Items are visited in order:
 * json_array_first, then json_next until NULL; and the members of an object whose names nobody
 * declared likewise. */
bool json_is_array(const struct json_value *value);
bool json_is_object(const struct json_value *value);
bool json_is_null(const struct json_value *value);
size_t json_array_size(const struct json_value *value);
const struct json_value *
json_array_first(const struct json_value *value); /* NULL if it is no array */
const struct json_value *
json_object_first(const struct json_value *value); /* NULL if it is no object */
const struct json_value *json_next(const struct json_value *item);
struct json_text json_name(const struct json_value *member);
/* False, and nothing is set, if the value is of another type; numbers as JSON_INT takes them. */
bool json_get_text(const struct json_value *value, struct json_text *text);
bool json_get_int(const struct json_value *value, int64_t *number);
bool json_get_bool(const struct json_value *value, bool *is_true);

#endif
