/* From tree to struct: each member is looked for in the declared fields and taken as its kind says.
 * All errors are gathered before an answer is given. What is hard: the common body must be cheap,
 * so a member is first looked for behind the field before it, where the declaration most likely has
 * it, and nothing is allocated unless something is wrong. */
#include <assert.h>

#include "base/arena.h"
#include "base/digits.h"
#include "json/number.h"
#include "json/value.h"

struct binding {
    struct arena *arena;
    struct json_errors *errors;
    const char *pointer;
};

const char *json_pointer_name(struct arena *arena, const char *pointer, const char *name)
{
    size_t pointer_size = strlen(pointer);
    char *result = arena_alloc(arena, pointer_size + 2 * strlen(name) + 2);
    memcpy(result, pointer, pointer_size);
    char *to = result + pointer_size;
    *to++ = '/';
    for (; *name != 0; name++) {
        if (*name == '~' || *name == '/') {
            *to++ = '~';
            *to++ = *name == '~' ? '0' : '1';
        } else {
            *to++ = *name;
        }
    }
    *to = 0;
    return result;
}

const char *json_pointer_index(struct arena *arena, const char *pointer, size_t index)
{
    char name[DIGITS_MAX + 1];
    name[digits_put_uint(name, index)] = 0;
    return json_pointer_name(arena, pointer, name);
}

/* Counts an error; true if it is one of those that are kept, and so worth a pointer and a detail.
 */
static bool count_error(struct json_errors *errors)
{
    errors->count_all++;
    return errors->count < JSON_ERRORS_MAX;
}

static void keep_error(struct json_errors *errors, const char *pointer, const char *detail)
{
    errors->items[errors->count++] = (struct json_error){pointer, detail};
}

void json_errors_add(struct arena *arena, struct json_errors *errors, const char *pointer,
                     const char *detail)
{
    if (count_error(errors))
        keep_error(errors, arena_copy(arena, pointer, strlen(pointer)),
                   arena_copy(arena, detail, strlen(detail)));
}

static void refuse_name(const struct binding *b, const char *name, const char *detail)
{
    if (count_error(b->errors))
        keep_error(b->errors, json_pointer_name(b->arena, b->pointer, name), detail);
}

static const char *rule_or(const struct json_field *field, const char *detail)
{
    return field->rule != NULL ? field->rule : detail;
}

static bool has_bounds(const struct json_field *field)
{
    return field->min != 0 || field->max != 0;
}

static bool is_within(const struct json_field *field, int64_t value)
{
    return !has_bounds(field) || (value >= field->min && value <= field->max);
}

/* "must be 1 to 64 bytes", "must be -90 to 90" */
static const char *describe_bounds(const struct binding *b, int64_t min, int64_t max, int decimals,
                                   const char *unit)
{
    size_t unit_size = strlen(unit);
    if (b->errors->count == JSON_ERRORS_MAX)
        return "";
    char *text =
        arena_alloc(b->arena, sizeof "must be  to " + (size_t)2 * DIGITS_DECIMAL_MAX + unit_size);
    char *to = text;
    memcpy(to, "must be ", 8);
    to += 8;
    to += digits_put_decimal(to, min, decimals);
    if (max != min) {
        memcpy(to, " to ", 4);
        to += 4;
        to += digits_put_decimal(to, max, decimals);
    }
    memcpy(to, unit, unit_size + 1);
    return text;
}

static const char *out_of_bounds(const struct binding *b, const struct json_field *field,
                                 const char *unit)
{
    if (field->rule != NULL)
        return field->rule;
    if (!has_bounds(field))
        return describe_bounds(b, INT64_MIN, INT64_MAX, field->decimals, unit);
    return describe_bounds(b, field->min, field->max, field->decimals, unit);
}

/* The take functions set `*to` and return NULL, or return what is wrong. */

static const char *judge_text(const struct json_field *field, const struct json_text *text)
{
    if (field->check != NULL && !field->check(text->data, text->size))
        return rule_or(field, "is not valid");
    return NULL;
}

static const char *take_text(const struct binding *b, const struct json_field *field,
                             const struct json_value *value, void *to)
{
    struct json_text text;
    if (!json_get_text(value, &text))
        return rule_or(field, "must be a text");
    if (!is_within(field, (int64_t)text.size))
        return out_of_bounds(b, field, " bytes");
    const char *detail = judge_text(field, &text);
    if (detail == NULL)
        memcpy(to, &text, sizeof text);
    return detail;
}

static const char *take_item(const struct binding *b, const struct json_field *field,
                             const struct json_value *item, struct json_text *text)
{
    if (!json_get_text(item, text))
        return rule_or(field, "must be a text");
    if (text->size == 0 && field->text_bytes_max == 0)
        return rule_or(field, "must not be empty");
    if (text->size == 0 || (field->text_bytes_max != 0 && text->size > field->text_bytes_max))
        return field->rule != NULL
                   ? field->rule
                   : describe_bounds(b, 1, (int64_t)field->text_bytes_max, 0, " bytes");
    return judge_text(field, text);
}

static void refuse_item(const struct binding *b, const struct json_field *field, size_t index,
                        const char *detail)
{
    if (!count_error(b->errors))
        return;
    const char *pointer = json_pointer_name(b->arena, b->pointer, field->name);
    keep_error(b->errors, json_pointer_index(b->arena, pointer, index), detail);
}

/* Wrong items are added to the errors here, each with its own pointer. */
static const char *take_texts(const struct binding *b, const struct json_field *field,
                              const struct json_value *value, void *to)
{
    if (!json_is_array(value))
        return rule_or(field, "must be an array of texts");
    size_t count = json_array_size(value), index = 0;
    if (!is_within(field, (int64_t)count))
        return out_of_bounds(b, field, " items");
    struct json_text *items = arena_alloc(b->arena, count * sizeof *items);
    const struct json_value *item = json_array_first(value);
    for (; item != NULL; item = json_next(item), index++) {
        const char *detail = take_item(b, field, item, &items[index]);
        if (detail != NULL)
            refuse_item(b, field, index, detail);
    }
    memcpy(to, &(struct json_texts){items, count}, sizeof(struct json_texts));
    return NULL;
}

static const char *take_int(const struct binding *b, const struct json_field *field,
                            const struct json_value *value, void *to)
{
    int64_t number;
    if (!json_is_number(value))
        return rule_or(field, "must be a whole number");
    if (value->type == JSON_TYPE_FRACTION)
        return "must be a whole number without fraction or exponent";
    if (!json_get_int(value, &number) || !is_within(field, number))
        return out_of_bounds(b, field, "");
    memcpy(to, &number, sizeof number);
    return NULL;
}

static const char *take_decimal(const struct binding *b, const struct json_field *field,
                                const struct json_value *value, void *to)
{
    int64_t number;
    if (!json_is_number(value))
        return rule_or(field, "must be a number");
    if (!json_number_scale(value, field->decimals, &number) || !is_within(field, number))
        return out_of_bounds(b, field, "");
    memcpy(to, &number, sizeof number);
    return NULL;
}

static const char *take_bool(const struct json_field *field, const struct json_value *value,
                             void *to)
{
    bool is_true;
    if (!json_get_bool(value, &is_true))
        return rule_or(field, "must be true or false");
    memcpy(to, &is_true, sizeof is_true);
    return NULL;
}

static const char *take_any(const struct json_field *field, const struct json_value *value,
                            void *to)
{
    if (json_is_null(value))
        return rule_or(field, "must not be null");
    memcpy(to, (const void *)&value, sizeof(const void *));
    return NULL;
}

static const char *take(const struct binding *b, const struct json_field *field,
                        const struct json_value *value, void *to)
{
    switch (field->kind) {
    case JSON_TEXT:
        return take_text(b, field, value, to);
    case JSON_INT:
        return take_int(b, field, value, to);
    case JSON_BOOL:
        return take_bool(field, value, to);
    case JSON_TEXTS:
        return take_texts(b, field, value, to);
    case JSON_ANY:
        return take_any(field, value, to);
    case JSON_DECIMAL:
        return take_decimal(b, field, value, to);
    }
    assert(!"a kind that nobody declared");
    return NULL;
}

/* The field of that name, looked for from `hint` on and around; `count` if there is none. */
static size_t find_field(const struct json_field *fields, size_t count, size_t hint,
                         const char *name)
{
    for (size_t left = count; left > 0; left--, hint++) {
        if (hint >= count)
            hint = 0;
        if (fields[hint].name[0] == name[0] && strcmp(fields[hint].name, name) == 0)
            return hint;
    }
    return count;
}

static void require_fields(const struct binding *b, const struct json_field *fields, size_t count,
                           uint64_t given)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].is_required && (given >> i & 1) == 0)
            refuse_name(b, fields[i].name, "is required");
    }
}

/* Returns the bits of the fields that were present. */
static uint64_t take_members(const struct binding *b, const struct json_value *object,
                             const struct json_field *fields, size_t count, char *target)
{
    uint64_t given = 0;
    size_t hint = 0;
    const struct json_value *member = json_object_first(object);
    for (; member != NULL; member = json_next(member)) {
        const char *name = member->name;
        size_t i = find_field(fields, count, hint, name);
        if (i == count) {
            b->errors->has_unknown_field = true;
            refuse_name(b, name, "unknown field");
            continue;
        }
        hint = i + 1;
        given |= UINT64_C(1) << i;
        if (fields[i].is_nullable && json_is_null(member))
            continue;
        const char *detail = take(b, &fields[i], member, target + fields[i].offset);
        if (detail != NULL)
            refuse_name(b, name, detail);
    }
    return given;
}

bool json_bind(struct arena *arena, const struct json_value *value, const struct json_field *fields,
               size_t field_count, void *target, uint64_t *given, const char *pointer,
               struct json_errors *errors)
{
    const struct binding b = {arena, errors, pointer};
    size_t errors_before = errors->count_all;
    assert(field_count <= JSON_FIELDS_MAX);
    *given = 0;
    if (!json_is_object(value)) {
        json_errors_add(arena, errors, pointer, "must be an object");
        return false;
    }
    *given = take_members(&b, value, fields, field_count, target);
    require_fields(&b, fields, field_count, *given);
    return errors->count_all == errors_before;
}
