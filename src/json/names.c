/* Names and their duplicates. Most objects have a handful of names: each new one is compared with
 * those before it. What is hard is the hostile object with hundreds: beyond a few, names are only
 * kept, and sorted once when the object closes. Their number is bounded by the check
 * (JSON_MEMBERS_MAX). */
#include "json/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { COMPARED_AT_ONCE = 16 };

void json_names_init(struct json_names *names, struct arena *arena)
{
    names->arena = arena;
    names->items = names->at_hand;
    names->count = 0;
    names->capacity = JSON_NAMES_AT_HAND;
}

static void grow(struct json_names *names)
{
    size_t bytes = names->capacity * sizeof *names->items;
    struct json_name *items = arena_alloc(names->arena, 2 * bytes);
    memcpy(items, names->items, bytes);
    names->items = items;
    names->capacity *= 2;
}

static bool is_same(const struct json_name *a, const struct json_name *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

bool json_names_add(struct json_names *names, size_t first, const struct json_name *name)
{
    if (names->count - first < COMPARED_AT_ONCE) {
        for (size_t i = first; i < names->count; i++) {
            if (is_same(&names->items[i], name))
                return false;
        }
    }
    if (names->count == names->capacity)
        grow(names);
    names->items[names->count++] = *name;
    return true;
}

/* By size, bytes, then place: of two that are the same the later one comes second. */
static int compare(const void *left, const void *right)
{
    const struct json_name *a = left, *b = right;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    int order = memcmp(a->data, b->data, a->size);
    if (order != 0)
        return order;
    return a->at < b->at ? -1 : 1;
}

const struct json_name *json_names_close(struct json_names *names, size_t first)
{
    size_t count = names->count - first;
    struct json_name *own = names->items + first;
    names->count = first;
    if (count <= COMPARED_AT_ONCE)
        return NULL;
    qsort(own, count, sizeof *own, compare);
    for (size_t i = 1; i < count; i++) {
        if (is_same(&own[i - 1], &own[i]))
            return &own[i];
    }
    return NULL;
}
