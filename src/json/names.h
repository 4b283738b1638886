/* An object's names, of which none may be given twice. For this room only. */
#ifndef SMSD_JSON_NAMES_H
#define SMSD_JSON_NAMES_H

#include "json/value.h"

/* Each new name is compared with those before it while an object has no more than these. */
enum { JSON_NAMES_COMPARED = 16 };

static inline bool json_names_same(const struct json_value *a, const struct json_value *b)
{
    return a->name_size == b->name_size && a->name[0] == b->name[0] &&
           strcmp(a->name, b->name) == 0;
}

/* Whether a member from `first` to the last has the name of `member`, which is not among them. */
static inline bool json_names_has(const struct json_value *first, const struct json_value *member)
{
    for (; first != NULL; first = first->next) {
        if (json_names_same(first, member))
            return true;
    }
    return false;
}

/* For an object of more members, when it is whole: one whose name stood there before, or NULL. */
const struct json_value *json_names_twice(const struct json_value *object);

#endif
