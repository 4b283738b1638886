/* Reading the configuration of an HTTP provider. Everything that can be wrong is found here, when
 * the product is put, so that nothing of it can fail while messages are sent. */
#include "gateway/http_config.h"

#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "json/read.h"

int config_choose(struct arena *arena, struct json_text text, const char *const *words, int count,
                  const char *pointer, const char *name, struct json_errors *errors)
{
    struct buffer detail;

    for (int i = 0; i < count; i++) {
        if (strlen(words[i]) == text.size && memcmp(words[i], text.data, text.size) == 0)
            return i;
    }
    buffer_init(&detail);
    buffer_append_text(&detail, "must be");
    for (int i = 0; i < count; i++)
        buffer_append_format(&detail, "%s %s",
                             i == 0           ? ""
                             : i == count - 1 ? " or"
                                              : ",",
                             words[i]);
    buffer_append(&detail, "", 1);
    json_errors_add(arena, errors, json_pointer_name(arena, pointer, name), detail.data);
    buffer_release(&detail);
    return -1;
}

struct text config_copy(struct arena *arena, struct json_text text)
{
    if (text.data == NULL)
        return (struct text){NULL, 0};
    return (struct text){arena_copy(arena, text.data, text.size), text.size};
}

const struct stencil *config_stencil(struct arena *arena, struct json_text text,
                                     const struct stencil_names *names, const char *pointer,
                                     const char *name, struct json_errors *errors)
{
    if (text.data == NULL)
        return NULL;
    return stencil_read(arena, (struct text){text.data, text.size}, names,
                        json_pointer_name(arena, pointer, name), errors);
}

struct place config_place(struct arena *arena, const struct json_value *value, const char *pointer,
                          const char *name, struct json_errors *errors)
{
    if (value == NULL)
        return (struct place){.kind = PLACE_NONE};
    return place_read(arena, value, json_pointer_name(arena, pointer, name), errors);
}

const struct condition *config_condition(struct arena *arena, const struct json_value *value,
                                         const char *pointer, const char *name,
                                         struct json_errors *errors)
{
    struct condition *condition;

    if (value == NULL)
        return NULL;
    condition = arena_alloc(arena, sizeof *condition);
    condition_read(arena, value, json_pointer_name(arena, pointer, name), errors, condition);
    return condition;
}

struct http_items config_items(struct arena *arena, struct json_text text, const char *pointer,
                               struct json_errors *errors)
{
    if (text.size > 0 && text.data[0] != '/')
        json_errors_add(arena, errors, json_pointer_name(arena, pointer, "items"),
                        "must be a JSON pointer: empty, or beginning with /");
    return (struct http_items){text.data != NULL, config_copy(arena, text)};
}

/* --- variables and secrets -----------------------------------------------------------------------
 */

enum { VARIABLES_MAX = 64, VARIABLE_BYTES_MAX = 8192 };

static bool is_variable_name(struct json_text name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9' && i > 0) || c == '_'))
            return false;
    }
    return name.size > 0 && name.size <= 64;
}

/* An object of texts. */
static void read_variables(struct arena *arena, const struct json_value *value, const char *pointer,
                           struct json_errors *errors, struct stencil_variable *variables,
                           size_t *count)
{
    if (value == NULL)
        return;
    if (!json_is_object(value)) {
        json_errors_add(arena, errors, pointer, "must be an object of texts");
        return;
    }
    for (const struct json_value *item = json_object_first(value); item != NULL;
         item = json_next(item)) {
        struct json_text name = json_name(item), text;
        const char *at = json_pointer_name(arena, pointer, name.data);
        if (!is_variable_name(name))
            json_errors_add(arena, errors, at, "a name is 1 to 64 of a-z, 0-9 and _");
        else if (*count == VARIABLES_MAX)
            json_errors_add(arena, errors, at, "there may be 64 variables and secrets");
        else if (!json_get_text(item, &text) || text.size > VARIABLE_BYTES_MAX)
            json_errors_add(arena, errors, at, "must be a text of at most 8192 bytes");
        else
            variables[(*count)++] =
                (struct stencil_variable){config_copy(arena, name), config_copy(arena, text)};
    }
}

/* --- answers -------------------------------------------------------------------------------------
 */

struct answer_body {
    const struct json_value *rules, *id, *error, *reference;
    struct json_text items;
    bool id_is_ours;
};

static const struct json_field answer_fields[] = {
    CONFIG_ANY(struct answer_body, rules, false),
    CONFIG_ANY(struct answer_body, id, false),
    CONFIG_ANY(struct answer_body, error, false),
    CONFIG_ANY(struct answer_body, reference, false),
    {.name = "items", .kind = JSON_TEXT, .offset = offsetof(struct answer_body, items), .max = 256},
    {.name = "id_is_ours", .kind = JSON_BOOL, .offset = offsetof(struct answer_body, id_is_ours)},
};

struct rule_body {
    const struct json_value *when;
    struct json_text result;
};

static const struct json_field rule_fields[] = {
    {.name = "when",
     .kind = JSON_ANY,
     .offset = offsetof(struct rule_body, when),
     .is_required = true},
    {.name = "result",
     .kind = JSON_TEXT,
     .offset = offsetof(struct rule_body, result),
     .is_required = true},
};

static void read_rule(struct arena *arena, const struct json_value *value, const char *pointer,
                      struct json_errors *errors, struct http_rule *rule)
{
    static const char *const results[] = {"accepted", "refused", "retry", "throttled", "unknown"};
    static const enum message_answer results_of[] = {
        MESSAGE_ACCEPTED, MESSAGE_REFUSED, MESSAGE_RETRY, MESSAGE_THROTTLED, MESSAGE_UNKNOWN};
    struct rule_body body = {0};
    uint64_t given;

    if (!json_bind(arena, value, rule_fields, FIELD_COUNT(rule_fields), &body, &given, pointer,
                   errors))
        return;
    condition_read(arena, body.when, json_pointer_name(arena, pointer, "when"), errors,
                   &rule->when);
    int result = CONFIG_CHOOSE(body.result, results, "result");
    rule->result = result < 0 ? MESSAGE_UNKNOWN : results_of[result];
}

static void read_rules(struct arena *arena, const struct json_value *value, const char *pointer,
                       struct json_errors *errors, struct http_answer *answer)
{
    if (!json_is_array(value) || json_array_size(value) > HTTP_RULES_MAX) {
        json_errors_add(arena, errors, pointer, "must be an array of at most 64 rules");
        return;
    }
    answer->rules = arena_alloc(arena, json_array_size(value) * sizeof *answer->rules);
    for (const struct json_value *item = json_array_first(value); item != NULL;
         item = json_next(item)) {
        memset(&answer->rules[answer->rule_count], 0, sizeof *answer->rules);
        read_rule(arena, item, json_pointer_index(arena, pointer, answer->rule_count), errors,
                  &answer->rules[answer->rule_count]);
        answer->rule_count++;
    }
}

static void read_answer(struct arena *arena, const struct json_value *value, const char *pointer,
                        struct json_errors *errors, struct http_answer *answer)
{
    struct answer_body body = {0};
    uint64_t given;

    if (!json_bind(arena, value, answer_fields, FIELD_COUNT(answer_fields), &body, &given, pointer,
                   errors))
        return;
    if (body.rules != NULL)
        read_rules(arena, body.rules, json_pointer_name(arena, pointer, "rules"), errors, answer);
    answer->id = config_place(arena, body.id, pointer, "id", errors);
    answer->is_id_ours = body.id_is_ours;
    if (body.id_is_ours && body.id != NULL)
        json_errors_add(arena, errors, json_pointer_name(arena, pointer, "id"),
                        "does not go with id_is_ours");
    answer->error = config_place(arena, body.error, pointer, "error", errors);
    answer->reference = config_place(arena, body.reference, pointer, "reference", errors);
    answer->items = config_items(arena, body.items, pointer, errors);
}

/* --- the whole -----------------------------------------------------------------------------------
 */

struct query_body {
    const struct json_value *request, *receipts, *absent;
    int64_t after_s, every_s, until_s;
};

static const struct json_field query_fields[] = {
    {.name = "request",
     .kind = JSON_ANY,
     .offset = offsetof(struct query_body, request),
     .is_required = true},
    {.name = "receipts",
     .kind = JSON_ANY,
     .offset = offsetof(struct query_body, receipts),
     .is_required = true},
    {.name = "absent", .kind = JSON_ANY, .offset = offsetof(struct query_body, absent)},
    {.name = "after_s",
     .kind = JSON_INT,
     .offset = offsetof(struct query_body, after_s),
     .min = 1,
     .max = 86400},
    {.name = "every_s",
     .kind = JSON_INT,
     .offset = offsetof(struct query_body, every_s),
     .min = 1,
     .max = 86400},
    {.name = "until_s",
     .kind = JSON_INT,
     .offset = offsetof(struct query_body, until_s),
     .min = 1,
     .max = 7 * 86400},
};

static const struct http_query *read_query(struct arena *arena, const struct json_value *value,
                                           const struct stencil_names *names, const char *pointer,
                                           struct json_errors *errors)
{
    struct http_query *query = arena_alloc(arena, sizeof *query);
    struct stencil_names asked = *names;
    struct query_body body = {.after_s = 60, .every_s = 300, .until_s = 3 * 86400};
    uint64_t given;

    memset(query, 0, sizeof *query);
    if (!json_bind(arena, value, query_fields, FIELD_COUNT(query_fields), &body, &given, pointer,
                   errors))
        return NULL;
    asked.contexts = STENCIL_QUERY;
    http_ask_read(arena, body.request, &asked, json_pointer_name(arena, pointer, "request"), errors,
                  &query->ask);
    query->asks_by_our_id = http_ask_has(&query->ask, VALUE_MESSAGE);
    query->asks_by_provider_id = http_ask_has(&query->ask, VALUE_PROVIDER_ID);
    if (!query->asks_by_our_id && !query->asks_by_provider_id)
        json_errors_add(arena, errors, json_pointer_name(arena, pointer, "request"),
                        "must name {id} or {provider_id}");
    http_receipts_read(arena, body.receipts, json_pointer_name(arena, pointer, "receipts"), errors,
                       &query->receipts);
    query->absent = config_condition(arena, body.absent, pointer, "absent", errors);
    query->after_ms = body.after_s * 1000;
    query->every_ms = body.every_s * 1000;
    query->until_ms = body.until_s * 1000;
    return query;
}

const struct http_config *http_config_read(struct arena *arena, const struct http_members *body,
                                           const char *pointer, struct json_errors *errors)
{
    struct http_config *config = arena_alloc(arena, sizeof *config);
    struct stencil_variable *variables = arena_alloc(arena, VARIABLES_MAX * sizeof *variables);
    struct stencil_names names = {.contexts = STENCIL_SEND, .variables = variables};
    size_t before = errors->count_all;

    memset(config, 0, sizeof *config);
    read_variables(arena, body->variables, json_pointer_name(arena, pointer, "variables"), errors,
                   variables, &names.variable_count);
    read_variables(arena, body->secrets, json_pointer_name(arena, pointer, "secrets"), errors,
                   variables, &names.variable_count);
    http_ask_read(arena, body->send, &names, json_pointer_name(arena, pointer, "send"), errors,
                  &config->send);
    if (body->answer != NULL)
        read_answer(arena, body->answer, json_pointer_name(arena, pointer, "answer"), errors,
                    &config->answer);
    if (body->query != NULL)
        config->query = read_query(arena, body->query, &names,
                                   json_pointer_name(arena, pointer, "query"), errors);
    if (body->callback != NULL)
        config->callback = http_callback_read(
            arena, body->callback, &names, json_pointer_name(arena, pointer, "callback"), errors);
    return errors->count_all == before ? config : NULL;
}
