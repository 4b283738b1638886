/* A text while json_parse reads it: a copy of it in the arena, which the values are read from in
 * one pass and which their texts go on living in. A NUL and more stand behind its end, so the
 * readers need not ask for the end at every byte: no NUL is ever part of JSON.
 *
 * Each reader gets the place of its first byte and returns the place behind its last one, or NULL
 * after json_refuse. For this room only. */
#ifndef SMSD_JSON_READING_H
#define SMSD_JSON_READING_H

#include "json/plain.h"
#include "json/value.h"

enum { JSON_READING_MARGIN = 16 }; /* bytes behind the end, all NUL, that may be looked at */

struct json_reading {
    struct arena *arena;
    const char *end;
    int depth;
    const char *wrong; /* what is, and where */
    const char *wrong_at;
};

static inline char *json_refuse(struct json_reading *r, const char *at, const char *what)
{
    r->wrong = what;
    r->wrong_at = at;
    return NULL;
}

static inline char *json_refuse_here(struct json_reading *r, const char *at)
{
    return json_refuse(r, at, at == r->end ? "unexpected end" : "unexpected character");
}

/* The rest of a text whose bytes from `begin` to `at` are plain and where `at` is something else:
 * decodes it in place and puts a NUL behind it. `*size` is that of the whole. */
char *json_read_text_rest(struct json_reading *r, char *begin, char *at, uint32_t *size);
/* At a digit or a minus. */
char *json_read_number(struct json_reading *r, char *at, struct json_value *value);

/* A text from behind its opening quote to behind its closing one, which becomes a NUL. */
static inline char *json_read_text(struct json_reading *r, char *begin, uint32_t *size)
{
    char *at = json_skip_plain(begin);
    if (__builtin_expect(*at != '"', 0))
        return json_read_text_rest(r, begin, at, size);
    *at = 0;
    *size = (uint32_t)(at - begin);
    return at + 1;
}

#endif
