/* From text to tree in one pass over a copy of it: grammar, depth, names and values at once. Only
 * the copy and one node a value are taken from the arena. Nesting is by recursion, which
 * JSON_DEPTH_MAX bounds. What is hard: texts end with a NUL where their closing quote was, so
 * nothing that was read may be looked at again; an offset is all that an error needs of it. */
#include "base/arena.h"
#include "base/digits.h"
#include "json/names.h"
#include "json/reading.h"

static char *read_object(struct json_reading *r, char *at, struct json_value *object);
static char *read_array(struct json_reading *r, char *at, struct json_value *array);

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Most often there is none. */
static inline char *skip_space(char *at)
{
    if (__builtin_expect((unsigned char)*at <= ' ', 0)) {
        while (is_space(*at))
            at++;
    }
    return at;
}

static char *read_word(struct json_reading *r, char *at, const char *word, enum json_type type,
                       struct json_value *value)
{
    for (; *word != 0; word++, at++) {
        if (*at != *word)
            return json_refuse_here(r, at);
    }
    value->type = (uint8_t)type;
    return at;
}

static char *read_container(struct json_reading *r, char *at, struct json_value *value)
{
    if (r->depth == JSON_DEPTH_MAX)
        return json_refuse(r, at, "nested too deeply");
    r->depth++;
    at = *at == '{' ? read_object(r, at + 1, value) : read_array(r, at + 1, value);
    r->depth--;
    return at;
}

static char *read_other(struct json_reading *r, char *at, struct json_value *value)
{
    switch (*at) {
    case '{':
    case '[':
        return read_container(r, at, value);
    case 't':
        return read_word(r, at, "true", JSON_TYPE_TRUE, value);
    case 'f':
        return read_word(r, at, "false", JSON_TYPE_FALSE, value);
    case 'n':
        return read_word(r, at, "null", JSON_TYPE_NULL, value);
    default:
        return json_refuse_here(r, at);
    }
}

static inline char *read_value(struct json_reading *r, char *at, struct json_value *value)
{
    if (*at == '"') {
        value->type = JSON_TYPE_TEXT;
        value->of.text = at + 1;
        return json_read_text(r, at + 1, &value->size);
    }
    if (*at == '-' || (*at >= '0' && *at <= '9'))
        return json_read_number(r, at, value);
    return read_other(r, at, value);
}

/* A member's name and the colon, to the first byte of its value. */
static inline char *read_name(struct json_reading *r, char *at, const struct json_value *object,
                              struct json_value *member)
{
    uint32_t size;
    const char *quote = at;
    member->name = at + 1;
    at = json_read_text(r, at + 1, &size);
    if (at == NULL)
        return NULL;
    member->name_size = size < JSON_NAME_LONG ? (uint16_t)size : JSON_NAME_LONG;
    if (object->size < JSON_NAMES_COMPARED && json_names_has(object->of.first, member))
        return json_refuse(r, quote, "name given twice");
    at = skip_space(at);
    if (*at != ':')
        return json_refuse_here(r, at);
    return skip_space(at + 1);
}

static char *close_object(struct json_reading *r, char *at, const struct json_value *object)
{
    if (*at != '}')
        return json_refuse_here(r, at);
    if (object->size > JSON_NAMES_COMPARED) {
        const struct json_value *twice = json_names_twice(object);
        if (twice != NULL)
            return json_refuse(r, twice->name - 1, "name given twice");
    }
    return at + 1;
}

static char *read_object(struct json_reading *r, char *at, struct json_value *object)
{
    struct json_value **last = &object->of.first;
    object->type = JSON_TYPE_OBJECT;
    object->size = 0;
    *last = NULL;
    at = skip_space(at);
    if (*at == '}')
        return at + 1;
    for (;;) {
        if (*at != '"')
            return json_refuse_here(r, at);
        if (object->size == JSON_MEMBERS_MAX)
            return json_refuse(r, at, "too many members");
        struct json_value *member = arena_alloc(r->arena, sizeof *member);
        at = read_name(r, at, object, member);
        if (at == NULL)
            return NULL;
        member->next = NULL;
        *last = member;
        last = &member->next;
        object->size++;
        at = read_value(r, at, member);
        if (at == NULL)
            return NULL;
        at = skip_space(at);
        if (*at != ',')
            return close_object(r, at, object);
        at = skip_space(at + 1);
    }
}

static char *read_array(struct json_reading *r, char *at, struct json_value *array)
{
    struct json_value **last = &array->of.first;
    array->type = JSON_TYPE_ARRAY;
    array->size = 0;
    *last = NULL;
    at = skip_space(at);
    if (*at == ']')
        return at + 1;
    for (;;) {
        struct json_value *item = arena_alloc(r->arena, sizeof *item);
        item->next = NULL;
        item->name = NULL;
        item->name_size = 0;
        *last = item;
        last = &item->next;
        array->size++;
        at = read_value(r, at, item);
        if (at == NULL)
            return NULL;
        at = skip_space(at);
        if (*at == ']')
            return at + 1;
        if (*at != ',')
            return json_refuse_here(r, at);
        at = skip_space(at + 1);
    }
}

/* The value with the space around it, and nothing else. */
static void read_whole(struct json_reading *r, char *at, struct json_value *root)
{
    root->next = NULL;
    root->name = NULL;
    root->name_size = 0;
    at = read_value(r, skip_space(at), root);
    if (at == NULL)
        return;
    at = skip_space(at);
    if (at != r->end)
        json_refuse(r, at, "unexpected bytes behind the value");
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
    if (size > UINT32_MAX) {
        *why = explain(arena, "too large", UINT32_MAX);
        return NULL;
    }
    struct json_value *root = arena_alloc(arena, sizeof *root);
    char *copy = arena_alloc(arena, size + JSON_READING_MARGIN);
    struct json_reading r = {.arena = arena, .end = copy + size};
    if (size != 0)
        memcpy(copy, text, size);
    memset(copy + size, 0, JSON_READING_MARGIN);
    read_whole(&r, copy, root);
    if (r.wrong == NULL)
        return root;
    *why = explain(arena, r.wrong, (size_t)(r.wrong_at - copy));
    return NULL;
}
