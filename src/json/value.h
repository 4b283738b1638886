/* What a json_value is: one node of the tree, 32 bytes, and how the room looks into it. Texts and
 * names lie in json_parse's copy of the text, decoded in place and ended by a NUL. For this room
 * only. */
#ifndef SMSD_JSON_VALUE_H
#define SMSD_JSON_VALUE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "json/read.h"

enum json_type {
    JSON_TYPE_NULL,
    JSON_TYPE_FALSE,
    JSON_TYPE_TRUE,
    JSON_TYPE_INTEGER,   /* plain digits that fit int64_t */
    JSON_TYPE_TOO_LARGE, /* plain digits that do not */
    JSON_TYPE_FRACTION,  /* a number with fraction or exponent, or -0 */
    JSON_TYPE_TEXT,
    JSON_TYPE_ARRAY,
    JSON_TYPE_OBJECT,
};

/* A name of so many bytes or more: how many, strlen says. */
enum { JSON_NAME_LONG = UINT16_MAX };

struct json_value {
    struct json_value *next; /* the item or member behind this one */
    union {
        int64_t integer;
        const char *text;         /* of a text; of a fraction what was written, without a NUL */
        struct json_value *first; /* of an array or object; NULL if it is empty */
    } of;
    const char *name; /* of a member; NULL otherwise */
    uint32_t size;    /* a text's bytes, an array's items, an object's members */
    uint16_t name_size;
    uint8_t type;
};
static_assert(sizeof(struct json_value) == 32, "JSON_ARENA_BYTES_MAX counts on it");

static inline bool json_is_number(const struct json_value *value)
{
    return value->type == JSON_TYPE_INTEGER || value->type == JSON_TYPE_TOO_LARGE ||
           value->type == JSON_TYPE_FRACTION;
}

#endif
