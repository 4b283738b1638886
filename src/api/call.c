/* The steps of a call: binding what came, in body and query, and answering. Each step that fails
 * has replied; what it took lies in the request's arena and goes with it. */
#include "api/call.h"

#include <assert.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/time_text.h"
#include "engine/catalog.h"
#include "engine/ledger.h"

bool call_bind(struct call *call, const struct json_field *fields, size_t count, void *target,
               uint64_t *given)
{
    struct json_errors errors;

    json_errors_init(&errors);
    if (call->json == NULL) {
        call_refuse(call, OUTCOME_MALFORMED_JSON, "A JSON object is expected as the body");
        return false;
    }
    if (json_bind(call->arena, call->json, fields, count, target, given, "", &errors))
        return true;
    call_refuse_errors(call, &errors);
    return false;
}

bool call_bind_nothing(struct call *call)
{
    uint64_t given;

    return call->json == NULL || call_bind(call, NULL, 0, NULL, &given);
}

bool call_path_number(struct call *call, const char *prefix, enum outcome not_found,
                      uint64_t *number)
{
    if (id_parse(call->params[0].data, call->params[0].size, prefix, number))
        return true;
    call_refuse(call, not_found, NULL);
    return false;
}

/* One parameter of a query: +, %XX decoded. False: an escape that is not one. */
static bool decode(struct arena *arena, const char *data, size_t size, struct json_text *text)
{
    char *to = arena_alloc(arena, size + 1);
    size_t count = 0;

    for (size_t i = 0; i < size; i++) {
        if (data[i] == '%') {
            char digits[3] = {0}, *end;
            if (size - i < 3)
                return false;
            memcpy(digits, data + i + 1, 2);
            to[count] = (char)strtol(digits, &end, 16);
            if (end != digits + 2 || digits[0] == '+' || digits[0] == '-' || to[count] == '\0')
                return false;
            count++;
            i += 2;
        } else {
            to[count++] = data[i] == '+' ? ' ' : data[i];
        }
    }
    to[count] = '\0';
    *text = (struct json_text){to, count};
    return true;
}

static bool set_int(const struct json_field *field, struct json_text value, void *target)
{
    char *end;
    long long number = strtoll(value.data, &end, 10);

    if (value.size == 0 || value.size > 18 || *end != '\0' || value.data[0] == '+' ||
        value.data[0] == ' ' || number < field->min || number > field->max)
        return false;
    memcpy((char *)target + field->offset, &(int64_t){number}, sizeof(int64_t));
    return true;
}

static bool set_text(const struct json_field *field, struct json_text value, void *target)
{
    if ((int64_t)value.size < field->min || (int64_t)value.size > field->max ||
        (field->check != NULL && !field->check(value.data, value.size)))
        return false;
    memcpy((char *)target + field->offset, &value, sizeof value);
    return true;
}

static void bind_parameter(struct call *call, const struct json_field *fields, size_t count,
                           struct json_text name, struct json_text value, void *target,
                           struct json_errors *errors)
{
    for (size_t i = 0; i < count; i++) {
        const struct json_field *field = &fields[i];
        bool is_set;
        if (strcmp(field->name, name.data) != 0)
            continue;
        is_set = field->kind == JSON_INT ? set_int(field, value, target)
                                         : set_text(field, value, target);
        if (!is_set)
            json_errors_add(call->arena, errors, json_pointer_name(call->arena, "", name.data),
                            field->rule != NULL ? field->rule : "is out of range");
        return;
    }
    json_errors_add(call->arena, errors, json_pointer_name(call->arena, "", name.data),
                    "unknown parameter");
    errors->has_unknown_field = true;
}

bool is_id(const char *data, size_t size)
{
    return account_id_is_valid(data, size);
}

bool is_time(const char *data, size_t size)
{
    int64_t time_ms;

    return time_parse(data, size, &time_ms);
}

int64_t time_of(struct json_text text)
{
    int64_t time_ms = 0;

    if (text.data != NULL)
        time_parse(text.data, text.size, &time_ms);
    return time_ms;
}

bool call_bind_query(struct call *call, const struct json_field *fields, size_t count, void *target)
{
    struct json_errors errors;
    const char *next = call->request->query.data;
    const char *end = next == NULL ? NULL : next + call->request->query.size;

    json_errors_init(&errors);
    while (next != NULL && next < end) {
        const char *stop = memchr(next, '&', (size_t)(end - next));
        const char *equals;
        struct json_text name, value;
        if (stop == NULL)
            stop = end;
        equals = memchr(next, '=', (size_t)(stop - next));
        if (equals == NULL)
            equals = stop;
        if (stop > next) {
            if (!decode(call->arena, next, (size_t)(equals - next), &name) ||
                !decode(call->arena, equals < stop ? equals + 1 : stop,
                        equals < stop ? (size_t)(stop - equals - 1) : 0, &value))
                json_errors_add(call->arena, &errors, "", "the query has a malformed escape");
            else
                bind_parameter(call, fields, count, name, value, target, &errors);
        }
        next = stop + 1;
    }
    if (errors.count == 0)
        return true;
    call_refuse_errors(call, &errors);
    return false;
}

struct text call_company(const struct call *call)
{
    if (call->key->row.company_size == 0)
        return (struct text){NULL, 0};
    return (struct text){call->key->company, call->key->row.company_size};
}

bool call_may_use_company(const struct call *call, struct text company)
{
    struct text own = call_company(call);

    return own.data == NULL || text_equals(own, company);
}

bool call_may_act_for(struct call *call, struct text company)
{
    if (call_may_use_company(call, company))
        return true;
    call_refuse(call, OUTCOME_FORBIDDEN, OTHERS_KEY);
    return false;
}

bool call_take_company(struct call *call, struct json_text *company)
{
    struct text own = call_company(call);

    if (company->data != NULL)
        return call_may_act_for(call, text_of(*company));
    *company = (struct json_text){own.data, own.size};
    return true;
}

bool call_may_see_company(const struct call *call, struct txn *txn, uint64_t company)
{
    struct catalog_thing thing;

    return call_company(call).data == NULL ||
           (catalog_find_number(txn, CATALOG_COMPANY, company, &thing) &&
            call_may_use_company(call, thing.id));
}

struct json_writer call_answer_status(struct call *call, int status)
{
    call->reply->status = status;
    call->reply->content_type = "application/json";
    return json_writer(call->reply->body);
}

struct json_writer call_answer(struct call *call)
{
    return call_answer_status(call, call->route->success);
}

void call_read_end(struct call *call, struct txn *txn)
{
    uint64_t hold = pipeline_read_end(call->api->pipeline, txn);

    if (hold > call->reply->hold)
        call->reply->hold = hold;
}

struct enabled_body {
    struct json_text status;
};

static bool is_enabled_or_disabled(const char *data, size_t size)
{
    struct text status = {data, size};
    return text_equals(status, TEXT("enabled")) || text_equals(status, TEXT("disabled"));
}

static const struct json_field enabled_fields[] = {
    {.name = "status",
     .kind = JSON_TEXT,
     .offset = offsetof(struct enabled_body, status),
     .is_required = true,
     .min = 1,
     .max = 16,
     .check = is_enabled_or_disabled,
     .rule = "must be enabled or disabled"},
};

bool call_bind_enabled(struct call *call, bool *is_enabled)
{
    struct enabled_body body;
    uint64_t given;

    if (!call_bind(call, enabled_fields, FIELD_COUNT(enabled_fields), &body, &given))
        return false;
    *is_enabled = text_equals(text_of(body.status), TEXT("enabled"));
    return true;
}
