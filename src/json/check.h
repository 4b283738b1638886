/* The strict half of reading: one pass over the text that decides whether it is JSON as smsd takes
 * it, before cJSON, which is lax, builds a tree of it. It keeps what cJSON loses: the exact value
 * of every integer. For this room only. */
#ifndef SMSD_JSON_CHECK_H
#define SMSD_JSON_CHECK_H

#include <stddef.h>
#include <stdint.h>

struct arena;

enum json_number_kind {
    JSON_NUMBER_INTEGER,   /* plain digits that fit int64_t */
    JSON_NUMBER_TOO_LARGE, /* plain digits that do not */
    JSON_NUMBER_FRACTION,  /* fraction, exponent or -0 */
};

struct json_number {
    int64_t value; /* of an INTEGER; 0 otherwise */
    enum json_number_kind kind;
};

/* The numbers of a text in the order in which they stand there: blocks in a chain, the first of
 * them wherever the caller has it. */
enum { JSON_NUMBERS_IN_BLOCK = 60 };
struct json_numbers {
    struct json_numbers *next;
    int count;
    struct json_number items[JSON_NUMBERS_IN_BLOCK];
};

/* NULL if the text is well-formed; otherwise what is wrong, and `*at` is the byte where, counted
 * from 0. */
const char *json_check(struct arena *arena, const char *text, size_t size,
                       struct json_numbers *numbers, size_t *at);

#endif
