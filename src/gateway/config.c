/* What every type of gateway has, and which members belong to which type. */
#include "gateway/config.h"

#include <stddef.h>

#include "base/arena.h"
#include "gateway/http_config.h"
#include "gateway/settings.h"
#include "json/read.h"

const char *const gateway_config_secrets[] = {"secrets", "password", "token",
                                              "secret",  "key",      NULL};

enum {
    WINDOW_DEFAULT = 16,
    WINDOW_SANDBOX = 20000, /* in this process an answer costs nothing but memory */
    WINDOW_MAX = 100000,
    TIMEOUT_MS_DEFAULT = 30000,
};

struct settings_body {
    struct json_text type;
    int64_t window, timeout_ms;
    const struct json_value *circuit;
    struct http_members http;
};

#define SETTINGS_ANY(member, name_)                                                                \
    {                                                                                              \
        .name = (name_), .kind = JSON_ANY, .offset = offsetof(struct settings_body, member)        \
    }

static const struct json_field settings_fields[] = {
    {.name = "type",
     .kind = JSON_TEXT,
     .offset = offsetof(struct settings_body, type),
     .is_required = true},
    {.name = "window",
     .kind = JSON_INT,
     .offset = offsetof(struct settings_body, window),
     .min = 1,
     .max = WINDOW_MAX},
    {.name = "timeout_ms",
     .kind = JSON_INT,
     .offset = offsetof(struct settings_body, timeout_ms),
     .min = 10,
     .max = 600000},
    SETTINGS_ANY(circuit, "circuit"),
    SETTINGS_ANY(http.variables, "variables"),
    SETTINGS_ANY(http.secrets, "secrets"),
    SETTINGS_ANY(http.send, "send"),
    SETTINGS_ANY(http.answer, "answer"),
    SETTINGS_ANY(http.query, "query"),
    SETTINGS_ANY(http.callback, "callback"),
};

struct circuit_body {
    int64_t failures, percent, of, open_ms;
};

#define CIRCUIT_INT(member, most)                                                                  \
    {                                                                                              \
        .name = #member, .kind = JSON_INT, .offset = offsetof(struct circuit_body, member),        \
        .min = 1, .max = (most)                                                                    \
    }

static const struct json_field circuit_fields[] = {
    CIRCUIT_INT(failures, 1000000), CIRCUIT_INT(percent, 100), CIRCUIT_INT(of, 1000000),
    CIRCUIT_INT(open_ms, 3600000)};

static void read_circuit(struct arena *arena, const struct json_value *value, const char *pointer,
                         struct json_errors *errors, struct circuit_options *options)
{
    struct circuit_body body = {.failures = 5, .percent = 50, .of = 20, .open_ms = 30000};
    uint64_t given;

    if (value != NULL)
        json_bind(arena, value, circuit_fields, FIELD_COUNT(circuit_fields), &body, &given,
                  json_pointer_name(arena, pointer, "circuit"), errors);
    *options = (struct circuit_options){.failures = (uint32_t)body.failures,
                                        .percent = (uint32_t)body.percent,
                                        .of = (uint32_t)body.of,
                                        .open_ms = body.open_ms};
}

static void read_http(struct arena *arena, const struct settings_body *body, const char *pointer,
                      struct json_errors *errors, struct gateway_settings *settings)
{
    if (body->http.send == NULL)
        json_errors_add(arena, errors, json_pointer_name(arena, pointer, "send"), "is required");
    else
        settings->http = http_config_read(arena, &body->http, pointer, errors);
}

static void refuse_http(struct arena *arena, const struct settings_body *body, const char *pointer,
                        struct json_errors *errors)
{
    const struct http_members *http = &body->http;

    if (http->variables != NULL || http->secrets != NULL || http->send != NULL ||
        http->answer != NULL || http->query != NULL || http->callback != NULL)
        json_errors_add(arena, errors, pointer,
                        "variables, secrets, send, answer, query and callback are for type http");
}

bool gateway_settings_read(struct arena *arena, const struct json_value *value, const char *pointer,
                           struct json_errors *errors, struct gateway_settings *settings)
{
    static const char *const types[] = {"sandbox", "http"};
    struct settings_body body = {.timeout_ms = TIMEOUT_MS_DEFAULT};
    size_t before = errors->count_all;
    uint64_t given;
    int type;

    *settings = (struct gateway_settings){0};
    if (!json_bind(arena, value, settings_fields, FIELD_COUNT(settings_fields), &body, &given,
                   pointer, errors))
        return false;
    type = CONFIG_CHOOSE(body.type, types, "type");
    settings->type = type < 0 ? GATEWAY_SANDBOX : (enum gateway_type)type;
    if (body.window == 0)
        body.window = type == GATEWAY_SANDBOX ? WINDOW_SANDBOX : WINDOW_DEFAULT;
    settings->window = (uint32_t)body.window;
    settings->timeout_ms = (uint32_t)body.timeout_ms;
    read_circuit(arena, body.circuit, pointer, errors, &settings->circuit);
    if (type == GATEWAY_HTTP)
        read_http(arena, &body, pointer, errors, settings);
    else if (type == GATEWAY_SANDBOX)
        refuse_http(arena, &body, pointer, errors);
    return errors->count_all == before;
}

void gateway_check_config(struct arena *arena, const struct json_value *config,
                          struct json_errors *errors)
{
    struct gateway_settings settings;

    (void)gateway_settings_read(arena, config, "/gateway", errors, &settings);
}
