/* What a provider said, be it the answer to a request or a callback, and where in it something
 * stands. The configuration names places; looking at one never fails, it finds something or not. */
#ifndef SMSD_GATEWAY_HEARD_H
#define SMSD_GATEWAY_HEARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct arena;
struct json_errors;
struct json_value;

enum { HEARD_PARAMETERS_MAX = 128, CONDITION_TEXTS_MAX = 32, CONDITION_STATUSES_MAX = 16 };

/* A parameter of a query or a form, decoded. */
struct parameter {
    struct text name, value;
};

struct heard {
    int status; /* of an answer; 0: a callback */
    struct text body;
    const struct json_value *json; /* the body as JSON, or one item of it; NULL: it is none */
    const struct parameter *parameters;
    size_t parameter_count;
    struct text (*header)(const void *source, struct text name);
    const void *source;
};

/* Decodes "a=1&b=2" behind what `parameters` holds; returns how many there are then, at most
 * HEARD_PARAMETERS_MAX: what is beyond is left out. */
size_t heard_parameters(struct arena *arena, struct text encoded, struct parameter *parameters,
                        size_t count);

enum place_kind {
    PLACE_NONE,
    PLACE_JSON,    /* a JSON pointer, in which * stands for every item */
    PLACE_FIELD,   /* a parameter of query or form */
    PLACE_HEADER,  /* a header */
    PLACE_BETWEEN, /* in the body, after one text and until another */
};

struct place {
    enum place_kind kind;
    struct text name;  /* pointer, field or header; what it stands after */
    struct text until; /* of BETWEEN; empty: white space or the end */
};

/* {"json": "/a/b"}, {"field": "a"}, {"header": "A"} or {"after": "…", "until": "…"}. */
struct place place_read(struct arena *arena, const struct json_value *value, const char *pointer,
                        struct json_errors *errors);
/* Numbers and booleans as JSON writes them. data NULL: nothing stands there. In the arena, or in
 * what was heard. */
struct text place_find(struct arena *arena, const struct place *place, const struct heard *heard);
/* All that stand there, at most `max`; returns how many. */
size_t place_find_all(struct arena *arena, const struct place *place, const struct heard *heard,
                      struct text *texts, size_t max);
/* The value that a pointer without * leads to; NULL: none. "" is the value itself. */
const struct json_value *heard_json_at(const struct json_value *value, struct text pointer);
/* The first item of the array there, behind which json_next goes; NULL: there is none. */
const struct json_value *heard_items(const struct heard *heard, struct text pointer);

/* Holds if all that it names does. */
struct condition {
    int statuses[CONDITION_STATUSES_MAX]; /* 200, or 2 for all of 2xx */
    size_t status_count;                  /* 0: any */
    struct place place;
    struct text texts[CONDITION_TEXTS_MAX]; /* what may stand there; none: anything */
    size_t text_count;
};

/* {"status": [200, "5xx"], "json": "/code", "is": ["OK"]}: `status` may be one or several, a place
 * as above, and what it must be. */
void condition_read(struct arena *arena, const struct json_value *value, const char *pointer,
                    struct json_errors *errors, struct condition *condition);
bool condition_holds(struct arena *arena, const struct condition *condition,
                     const struct heard *heard);

#endif
