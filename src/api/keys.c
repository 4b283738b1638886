/* /v1/keys: API keys (OPS-2). The secret is made here, shown once and kept only as its SHA-256, so
 * a replay shows the key without it. A key that changes makes every connection look its own up
 * again. */
#include <string.h>

#include "api/api_key_secret.h"
#include "api/page.h"
#include "base/bytes.h"
#include "base/id.h"

static const struct {
    const char *text;
    uint32_t scope;
} scopes[] = {
#define SCOPE(name, bit, text) {text, SCOPE_##name},
#include "engine/scope.def"
#undef SCOPE
};

enum { SCOPE_COUNT = sizeof scopes / sizeof *scopes };

struct key_body {
    struct json_text name;
    struct json_texts scopes;
    struct json_text company;
};

static const struct json_field key_fields[] = {
    {.name = "name",
     .kind = JSON_TEXT,
     .offset = offsetof(struct key_body, name),
     .is_required = true,
     .min = 1,
     .max = API_KEY_NAME_MAX},
    {.name = "scopes",
     .kind = JSON_TEXTS,
     .offset = offsetof(struct key_body, scopes),
     .is_required = true,
     .min = 1,
     .max = SCOPE_COUNT,
     .text_bytes_max = 16},
    {.name = "company",
     .kind = JSON_TEXT,
     .offset = offsetof(struct key_body, company),
     .is_nullable = true,
     .min = 1,
     .max = COMPANY_ID_MAX},
};

static uint32_t scope_parse(struct json_text text)
{
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        if (strcmp(scopes[i].text, text.data) == 0)
            return scopes[i].scope;
    }
    return 0;
}

static void write_key(struct json_writer *w, const struct api_key *key)
{
    json_id(w, "id", "key_", key->row.number);
    json_text(w, "name", key->name, key->row.name_size);
    json_array_begin(w, "scopes");
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        if (key->row.scopes & scopes[i].scope)
            json_string(w, NULL, scopes[i].text);
    }
    json_array_end(w);
    json_text_or_null(w, "company", key->company, key->row.company_size);
    json_string(w, "status", key->row.status == API_KEY_ENABLED ? "enabled" : "disabled");
    json_time(w, "created_at", id_time_ms(key->row.number));
}

static bool read_key(struct call *call, uint64_t number, struct api_key *key)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is_found = api_key_find_number(txn, number, key);

    call_read_end(call, txn);
    return is_found;
}

/* A replayed answer cannot show the secret again: it was not kept. */
void api_key_create(struct call *call)
{
    struct key_body body = {.name = {NULL, 0}};
    struct command command = {.type = COMMAND_API_KEY_CREATE};
    struct api_key_create_command *create = &command.of.api_key_create;
    char secret[API_KEY_SECRET_SIZE];
    struct api_key key;
    struct result result;
    struct json_writer w;
    uint64_t given;

    if (!call_bind(call, key_fields, FIELD_COUNT(key_fields), &body, &given))
        return;
    for (size_t i = 0; i < body.scopes.count; i++) {
        uint32_t scope = scope_parse(body.scopes.items[i]);
        if (scope == 0) {
            call_refuse_field(call, "/scopes", "has a scope that does not exist");
            return;
        }
        create->scopes |= scope;
    }
    create->name = text_of(body.name);
    create->company = text_of(body.company);
    api_key_secret_make(secret, create->digest);
    if (!call_run(call, &command, &result) || !read_key(call, result.number, &key))
        return;
    call->api->keys_version++;
    w = call_answer(call);
    json_object_begin(&w, NULL);
    write_key(&w, &key);
    if (result.is_replayed)
        json_null(&w, "secret");
    else
        json_text(&w, "secret", secret, sizeof secret);
    json_object_end(&w);
}

void api_key_get(struct call *call)
{
    struct api_key key;
    uint64_t number;

    if (id_parse(call->params[0].data, call->params[0].size, "key_", &number) &&
        read_key(call, number, &key)) {
        struct json_writer w = call_answer(call);
        json_object_begin(&w, NULL);
        write_key(&w, &key);
        json_object_end(&w);
    } else {
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
    }
}

void api_key_update(struct call *call)
{
    struct command command = {.type = COMMAND_API_KEY_UPDATE};
    struct api_key_update_command *update = &command.of.api_key_update;
    struct result result;
    bool is_enabled;

    if (!call_path_number(call, "key_", OUTCOME_NOT_FOUND, &update->number) ||
        !call_bind_enabled(call, &is_enabled))
        return;
    update->status = is_enabled ? API_KEY_ENABLED : API_KEY_DISABLED;
    if (!call_run(call, &command, &result))
        return;
    call->api->keys_version++;
    api_key_get(call);
}

static bool take_key(void *context, struct txn *txn, uint64_t number, const struct txn_walk *at)
{
    struct json_writer *w = context;
    struct api_key key;

    (void)at;
    if (!api_key_find_number(txn, number, &key))
        return false;
    json_object_begin(w, NULL);
    write_key(w, &key);
    json_object_end(w);
    return true;
}

void api_key_list(struct call *call)
{
    call_list_numbered(call, TABLE_API_KEY_NUMBER, take_key);
}
