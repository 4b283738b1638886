/* Strict reading of JSON (RFC 8259) into C structs whose fields are declared as data.
 *
 * Refused as malformed: bytes behind the value, invalid UTF-8, lone surrogates, \u0000, control
 * characters, leading zeros, nesting deeper than JSON_DEPTH_MAX, an object with the same key twice.
 * Refused as invalid, all at once and each with its JSON pointer (RFC 6901): unknown fields,
 * missing fields, wrong types, numbers with fraction or exponent, values out of range. Names
 * compare exactly. */
#ifndef SMSD_JSON_READ_H
#define SMSD_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct json_value;

enum {
    JSON_DEPTH_MAX = 16,
    JSON_ERRORS_MAX = 32, /* kept; further ones are counted only */
    JSON_FIELDS_MAX = 64, /* in one declaration */
};

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
    JSON_TEXT,  /* struct json_text; min and max bound its bytes */
    JSON_INT,   /* int64_t; min and max bound it */
    JSON_BOOL,  /* bool */
    JSON_TEXTS, /* struct json_texts; min and max bound the count; each text has 1 to
                   `text_bytes_max` bytes */
    JSON_ANY,   /* const struct json_value *: read further by the caller */
};

/* One row a field. `check`, if given, sees every text that passed the bounds; false is an error
 * whose detail is `rule` ("must be 1 to 64 letters, digits or any of _.:@-"). `rule` also replaces
 * the generated detail for bounds and types when given. */
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
};

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

/* NULL if the text is malformed; `*why` then says what and at which byte ("unexpected character at
 * byte 17"). Everything lives in the arena. Loop thread only. */
const struct json_value *json_parse(struct arena *arena, const char *text, size_t size,
                                    const char **why);

/* Fills `target` from an object. Fields that are absent keep what `target` holds, so defaults go in
 * first.
 * `*given` gets bit i set for each field i that was present. `pointer` prefixes the errors'
 * pointers ("" at the top). False if anything was added to `errors`. */
bool json_bind(struct arena *arena, const struct json_value *value, const struct json_field *fields,
               size_t field_count, void *target, uint64_t *given, const char *pointer,
               struct json_errors *errors);
void json_errors_add(struct arena *arena, struct json_errors *errors, const char *pointer,
                     const char *detail);

/* For bodies that are arrays (batches) and for JSON_ANY. */
bool json_is_array(const struct json_value *value);
bool json_is_object(const struct json_value *value);
size_t json_array_size(const struct json_value *value);
/* Items are visited in order: json_array_first, then json_next until NULL. */
const struct json_value *json_array_first(const struct json_value *value);
const struct json_value *json_next(const struct json_value *item);

#endif
