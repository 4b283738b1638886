/* The names of the objects that are open while a text is checked, so that none is given twice: a
 * stack, of which each object sees its own top part. For this room only. */
#ifndef SMSD_JSON_NAMES_H
#define SMSD_JSON_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct json_name {
    const char *data; /* decoded */
    size_t size;
    const char *at; /* where it stands in the text */
};

enum { JSON_NAMES_AT_HAND = 32 };

struct json_names {
    struct arena *arena;
    struct json_name *items;
    size_t count;
    size_t capacity;
    struct json_name at_hand[JSON_NAMES_AT_HAND];
};

void json_names_init(struct json_names *names, struct arena *arena);
/* Adds a name to the object whose first name is `items[first]`. False if it is plainly there
 * already: only a few names are compared at once, the rest wait for json_names_close. */
bool json_names_add(struct json_names *names, size_t first, const struct json_name *name);
/* Takes the object's names away. Returns one that was there twice, or NULL. */
const struct json_name *json_names_close(struct json_names *names, size_t first);

#endif
