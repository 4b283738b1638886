/* What a json_value is: cJSON's node, with its number fields used our way. Where the number is
 * plain digits, `valueint` is its enum json_number_kind and the bytes of `valuedouble` are its
 * int64_t; otherwise `valuedouble` stays cJSON's. For this room only. */
#ifndef SMSD_JSON_VALUE_H
#define SMSD_JSON_VALUE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <string.h>

#include "json/check.h"

struct json_value {
    cJSON node;
};

static inline const struct json_value *json_from_node(const cJSON *node)
{
    return (const struct json_value *)node;
}

static inline bool json_has_type(const struct json_value *value, int type)
{
    return (value->node.type & 0xff) == type;
}

static inline void json_set_number(cJSON *node, const struct json_number *number)
{
    node->valueint = (int)number->kind;
    if (number->kind != JSON_NUMBER_FRACTION)
        memcpy(&node->valuedouble, &number->value, sizeof number->value);
}

static inline int64_t json_number_value(const struct json_value *value)
{
    int64_t number;
    memcpy(&number, &value->node.valuedouble, sizeof number);
    return number;
}

#endif
