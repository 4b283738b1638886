/* What callers may ask of a value. */
#include "json/value.h"

bool json_is_array(const struct json_value *value)
{
    return value->type == JSON_TYPE_ARRAY;
}

bool json_is_object(const struct json_value *value)
{
    return value->type == JSON_TYPE_OBJECT;
}

bool json_is_null(const struct json_value *value)
{
    return value->type == JSON_TYPE_NULL;
}

size_t json_array_size(const struct json_value *value)
{
    return json_is_array(value) ? value->size : 0;
}

const struct json_value *json_array_first(const struct json_value *value)
{
    return json_is_array(value) ? value->of.first : NULL;
}

const struct json_value *json_object_first(const struct json_value *value)
{
    return json_is_object(value) ? value->of.first : NULL;
}

const struct json_value *json_next(const struct json_value *item)
{
    return item->next;
}

struct json_text json_name(const struct json_value *member)
{
    size_t size = member->name_size;
    if (size == JSON_NAME_LONG)
        size = strlen(member->name);
    return (struct json_text){member->name, size};
}

bool json_get_text(const struct json_value *value, struct json_text *text)
{
    if (value->type != JSON_TYPE_TEXT)
        return false;
    text->data = value->of.text;
    text->size = value->size;
    return true;
}

bool json_get_int(const struct json_value *value, int64_t *number)
{
    if (value->type != JSON_TYPE_INTEGER)
        return false;
    *number = value->of.integer;
    return true;
}

bool json_get_bool(const struct json_value *value, bool *is_true)
{
    if (value->type != JSON_TYPE_TRUE && value->type != JSON_TYPE_FALSE)
        return false;
    *is_true = value->type == JSON_TYPE_TRUE;
    return true;
}
