/* Names given twice in a large object. Comparing each with each would let a hostile client buy a
 * million comparisons with one object, so they are sorted once when the object closes. Their number
 * is bounded (JSON_MEMBERS_MAX). */
#include "json/names.h"

#include <stdlib.h>

/* By size, bytes, then place: of two that are the same the later one comes second. */
static int compare(const void *left, const void *right)
{
    const struct json_value *a = *(const struct json_value *const *)left;
    const struct json_value *b = *(const struct json_value *const *)right;
    if (a->name_size != b->name_size)
        return a->name_size < b->name_size ? -1 : 1;
    int order = strcmp(a->name, b->name);
    if (order != 0)
        return order;
    return a->name < b->name ? -1 : 1;
}

const struct json_value *json_names_twice(const struct json_value *object)
{
    const struct json_value *members[JSON_MEMBERS_MAX];
    size_t count = 0;
    for (const struct json_value *at = object->of.first; at != NULL; at = at->next)
        members[count++] = at;
    qsort(members, count, sizeof members / JSON_MEMBERS_MAX, compare);
    for (size_t i = 1; i < count; i++) {
        if (json_names_same(members[i - 1], members[i]))
            return members[i];
    }
    return NULL;
}
