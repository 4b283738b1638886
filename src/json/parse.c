/* From text to tree: the strict check, then cJSON, then the exact integers into the tree. cJSON's
 * memory comes from the arena of the call through its hooks, which are global to the process: that
 * is why only the loop thread may parse. What is hard: cJSON must never see what it reads
 * differently than we do, so everything it is lax about, or limited in, was refused before. */
#include <cjson/cJSON.h>

#include "base/arena.h"
#include "base/digits.h"
#include "json/check.h"
#include "json/read.h"
#include "json/value.h"

static struct arena *current_arena;

static void *take(size_t size)
{
    return arena_alloc(current_arena, size);
}

static void give_back(void *memory)
{
    (void)memory; /* goes with the arena */
}

static cJSON *build(struct arena *arena, const char *text, size_t size)
{
    static bool has_hooks;
    if (!has_hooks) {
        cJSON_InitHooks(&(cJSON_Hooks){take, give_back});
        has_hooks = true;
    }
    current_arena = arena;
    return cJSON_ParseWithLength(text, size);
}

/* Where in the chain of numbers the walk has come. */
struct reading {
    const struct json_numbers *block;
    int next;
};

static const struct json_number *next_number(struct reading *reading)
{
    if (reading->next == reading->block->count) {
        reading->block = reading->block->next;
        reading->next = 0;
    }
    return &reading->block->items[reading->next++];
}

/* The tree in the order of the text; as deep as JSON_DEPTH_MAX. */
static void put_numbers(cJSON *node, struct reading *reading)
{
    for (; node != NULL; node = node->next) {
        if (node->child != NULL)
            put_numbers(node->child, reading);
        else if (node->type == cJSON_Number)
            json_set_number(node, next_number(reading));
    }
}

/* "unexpected character at byte 17" */
static const char *explain(struct arena *arena, const char *what, size_t at)
{
    static const char between[] = " at byte ";
    size_t what_size = strlen(what), size = what_size + sizeof between - 1;
    char *text = arena_alloc(arena, size + DIGITS_MAX + 1);
    memcpy(text, what, what_size);
    memcpy(text + what_size, between, sizeof between - 1);
    size += digits_put_uint(text + size, at);
    text[size] = 0;
    return text;
}

const struct json_value *json_parse(struct arena *arena, const char *text, size_t size,
                                    const char **why)
{
    struct json_numbers numbers;
    size_t at;
    const char *wrong = json_check(arena, text, size, &numbers, &at);
    if (wrong != NULL) {
        *why = explain(arena, wrong, at);
        return NULL;
    }
    cJSON *root = build(arena, text, size);
    if (root == NULL) {
        *why = "not understood";
        return NULL;
    }
    if (numbers.count != 0)
        put_numbers(root, &(struct reading){&numbers, 0});
    return json_from_node(root);
}

bool json_is_array(const struct json_value *value)
{
    return json_has_type(value, cJSON_Array);
}

bool json_is_object(const struct json_value *value)
{
    return json_has_type(value, cJSON_Object);
}

size_t json_array_size(const struct json_value *value)
{
    size_t count = 0;
    if (!json_is_array(value))
        return 0;
    for (const cJSON *item = value->node.child; item != NULL; item = item->next)
        count++;
    return count;
}

const struct json_value *json_array_first(const struct json_value *value)
{
    return json_is_array(value) ? json_from_node(value->node.child) : NULL;
}

const struct json_value *json_object_first(const struct json_value *value)
{
    return json_is_object(value) ? json_from_node(value->node.child) : NULL;
}

const struct json_value *json_next(const struct json_value *item)
{
    return json_from_node(item->node.next);
}

struct json_text json_name(const struct json_value *member)
{
    const char *name = member->node.string;
    return (struct json_text){name, name == NULL ? 0 : strlen(name)};
}

bool json_is_null(const struct json_value *value)
{
    return json_has_type(value, cJSON_NULL);
}

bool json_get_text(const struct json_value *value, struct json_text *text)
{
    if (!json_has_type(value, cJSON_String))
        return false;
    text->data = value->node.valuestring;
    text->size = strlen(text->data);
    return true;
}

bool json_get_int(const struct json_value *value, int64_t *number)
{
    if (!json_has_type(value, cJSON_Number) || value->node.valueint != JSON_NUMBER_INTEGER)
        return false;
    *number = json_number_value(value);
    return true;
}

bool json_get_bool(const struct json_value *value, bool *is_true)
{
    if (!json_has_type(value, cJSON_True) && !json_has_type(value, cJSON_False))
        return false;
    *is_true = json_has_type(value, cJSON_True);
    return true;
}
