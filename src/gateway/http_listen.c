/* Reading what a provider's receipts look like, and how its callbacks prove that they are its own.
 */
#include <string.h>

#include "base/arena.h"
#include "gateway/address_range.h"
#include "gateway/http_config.h"
#include "json/read.h"

/* --- receipts ------------------------------------------------------------------------------------
 */

struct receipts_body {
    const struct json_value *id, *status, *error, *statuses;
    struct json_text items, otherwise;
};

static const struct json_field receipts_fields[] = {
    CONFIG_ANY(struct receipts_body, id, false),
    CONFIG_ANY(struct receipts_body, status, true),
    CONFIG_ANY(struct receipts_body, error, false),
    CONFIG_ANY(struct receipts_body, statuses, true),
    {.name = "items",
     .kind = JSON_TEXT,
     .offset = offsetof(struct receipts_body, items),
     .max = 256},
    {.name = "otherwise", .kind = JSON_TEXT, .offset = offsetof(struct receipts_body, otherwise)},
};

static enum receipt_status read_kind(struct arena *arena, struct json_text text,
                                     const char *pointer, const char *name,
                                     struct json_errors *errors)
{
    static const char *const kinds[] = {"accepted", "delivered", "undelivered", "expired",
                                        "rejected"};
    static const enum receipt_status kinds_of[] = {RECEIPT_ACCEPTED, RECEIPT_DELIVERED,
                                                   RECEIPT_UNDELIVERED, RECEIPT_EXPIRED,
                                                   RECEIPT_REJECTED};
    int kind = CONFIG_CHOOSE(text, kinds, name);

    return kind < 0 ? RECEIPT_ACCEPTED : kinds_of[kind];
}

static void read_words(struct arena *arena, const struct json_value *value, const char *pointer,
                       struct json_errors *errors, struct http_receipts *receipts)
{
    receipts->words = arena_alloc(arena, HTTP_WORDS_MAX * sizeof *receipts->words);
    if (!json_is_object(value) || json_object_first(value) == NULL) {
        json_errors_add(arena, errors, pointer, "must be an object: the provider's words");
        return;
    }
    for (const struct json_value *item = json_object_first(value); item != NULL;
         item = json_next(item)) {
        struct json_text name = json_name(item), text;
        if (receipts->word_count == HTTP_WORDS_MAX) {
            json_errors_add(arena, errors, pointer, "may have 64 members");
            return;
        }
        if (!json_get_text(item, &text))
            text = (struct json_text){"", 0};
        receipts->words[receipts->word_count++] = (struct status_word){
            config_copy(arena, name), read_kind(arena, text, pointer, name.data, errors)};
    }
}

void http_receipts_read(struct arena *arena, const struct json_value *value, const char *pointer,
                        struct json_errors *errors, struct http_receipts *receipts)
{
    struct receipts_body body = {0};
    uint64_t given;

    if (!json_bind(arena, value, receipts_fields, FIELD_COUNT(receipts_fields), &body, &given,
                   pointer, errors))
        return;
    receipts->items = config_items(arena, body.items, pointer, errors);
    receipts->id = config_place(arena, body.id, pointer, "id", errors);
    receipts->status = config_place(arena, body.status, pointer, "status", errors);
    receipts->error = config_place(arena, body.error, pointer, "error", errors);
    read_words(arena, body.statuses, json_pointer_name(arena, pointer, "statuses"), errors,
               receipts);
    receipts->otherwise = body.otherwise.data == NULL
                              ? RECEIPT_ACCEPTED
                              : read_kind(arena, body.otherwise, pointer, "otherwise", errors);
}

/* --- callbacks -----------------------------------------------------------------------------------
 */

struct callback_body {
    const struct json_value *receipts, *received, *only, *secret_at, *basic, *signature, *answer;
    struct json_text url, secret;
    struct json_texts addresses;
};

static const struct json_field callback_fields[] = {
    CONFIG_ANY(struct callback_body, receipts, false),
    CONFIG_ANY(struct callback_body, received, false),
    CONFIG_ANY(struct callback_body, only, false),
    CONFIG_ANY(struct callback_body, secret_at, false),
    CONFIG_ANY(struct callback_body, basic, false),
    CONFIG_ANY(struct callback_body, signature, false),
    CONFIG_ANY(struct callback_body, answer, false),
    {.name = "url",
     .kind = JSON_TEXT,
     .offset = offsetof(struct callback_body, url),
     .min = 1,
     .max = 1024},
    {.name = "secret",
     .kind = JSON_TEXT,
     .offset = offsetof(struct callback_body, secret),
     .min = 8,
     .max = 4096},
    {.name = "addresses",
     .kind = JSON_TEXTS,
     .offset = offsetof(struct callback_body, addresses),
     .min = 1,
     .max = HTTP_ADDRESSES_MAX,
     .text_bytes_max = 64},
};

static void read_secret(struct arena *arena, const struct callback_body *body,
                        const struct stencil_names *names, const char *pointer,
                        struct json_errors *errors, struct http_callback *callback)
{
    if ((body->secret_at == NULL) != (body->secret.data == NULL))
        json_errors_add(arena, errors, pointer, "secret and secret_at go together");
    if (body->secret_at == NULL)
        return;
    callback->secret_place =
        place_read(arena, body->secret_at, json_pointer_name(arena, pointer, "secret_at"), errors);
    callback->secret = config_stencil(arena, body->secret, names, pointer, "secret", errors);
}

struct basic_body {
    struct json_text user, password;
};

#define BASIC_TEXT(member)                                                                         \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(struct basic_body, member),         \
        .is_required = true, .min = 1, .max = 1024                                                 \
    }

static const struct json_field basic_fields[] = {BASIC_TEXT(user), BASIC_TEXT(password)};

static void read_basic(struct arena *arena, const struct json_value *value,
                       const struct stencil_names *names, const char *pointer,
                       struct json_errors *errors, struct http_callback *callback)
{
    struct basic_body body = {0};
    uint64_t given;

    if (!json_bind(arena, value, basic_fields, FIELD_COUNT(basic_fields), &body, &given, pointer,
                   errors))
        return;
    callback->user = config_stencil(arena, body.user, names, pointer, "user", errors);
    callback->password = config_stencil(arena, body.password, names, pointer, "password", errors);
}

struct reply_body {
    int64_t status;
    struct json_text content_type, body;
};

static const struct json_field reply_fields[] = {
    {.name = "status",
     .kind = JSON_INT,
     .offset = offsetof(struct reply_body, status),
     .min = 200,
     .max = 299},
    {.name = "content_type",
     .kind = JSON_TEXT,
     .offset = offsetof(struct reply_body, content_type),
     .min = 1,
     .max = 128},
    {.name = "body", .kind = JSON_TEXT, .offset = offsetof(struct reply_body, body), .max = 4096},
};

static void read_reply(struct arena *arena, const struct json_value *value, const char *pointer,
                       struct json_errors *errors, struct http_callback *callback)
{
    struct reply_body body = {.status = 200, .content_type = {"text/plain", 10}, .body = {"", 0}};
    uint64_t given;

    if (value != NULL)
        json_bind(arena, value, reply_fields, FIELD_COUNT(reply_fields), &body, &given,
                  json_pointer_name(arena, pointer, "answer"), errors);
    callback->answer_status = (int)body.status;
    callback->answer_type = config_copy(arena, body.content_type);
    callback->answer_body = config_copy(arena, body.body);
    if (body.status != 200 && body.status != 204)
        json_errors_add(arena, errors, json_pointer_name(arena, pointer, "answer/status"),
                        "must be 200 or 204");
}

static void read_addresses(struct arena *arena, struct json_texts texts, const char *pointer,
                           struct json_errors *errors, struct http_callback *callback)
{
    callback->addresses = arena_alloc(arena, HTTP_ADDRESSES_MAX * sizeof *callback->addresses);
    for (size_t i = 0; i < texts.count; i++) {
        struct text text = {texts.items[i].data, texts.items[i].size};
        if (!address_range_parse(text, &callback->addresses[callback->address_count++]))
            json_errors_add(arena, errors, json_pointer_index(arena, pointer, i),
                            "must be an address, or a range such as 192.0.2.0/24");
    }
}

static void read_what_comes(struct arena *arena, const struct callback_body *body,
                            const char *pointer, struct json_errors *errors,
                            struct http_callback *callback)
{
    callback->has_receipts = body->receipts != NULL;
    if (callback->has_receipts)
        http_receipts_read(arena, body->receipts, json_pointer_name(arena, pointer, "receipts"),
                           errors, &callback->receipts);
    if (body->received != NULL)
        callback->received = http_received_read(
            arena, body->received, json_pointer_name(arena, pointer, "received"), errors);
    if (body->receipts == NULL && body->received == NULL)
        json_errors_add(arena, errors, pointer, "needs receipts, received or both");
    callback->only = config_condition(arena, body->only, pointer, "only", errors);
}

const struct http_callback *http_callback_read(struct arena *arena, const struct json_value *value,
                                               const struct stencil_names *names,
                                               const char *pointer, struct json_errors *errors)
{
    struct http_callback *callback = arena_alloc(arena, sizeof *callback);
    struct stencil_names constants = *names, checks = *names;
    struct callback_body body = {0};
    uint64_t given;

    memset(callback, 0, sizeof *callback);
    if (!json_bind(arena, value, callback_fields, FIELD_COUNT(callback_fields), &body, &given,
                   pointer, errors))
        return NULL;
    constants.contexts = 0;
    checks.contexts = STENCIL_CHECK;
    read_what_comes(arena, &body, pointer, errors, callback);
    read_secret(arena, &body, &constants, pointer, errors, callback);
    if (body.basic != NULL)
        read_basic(arena, body.basic, &constants, json_pointer_name(arena, pointer, "basic"),
                   errors, callback);
    if (body.signature != NULL)
        callback->signing = signing_read(arena, body.signature, &checks,
                                         json_pointer_name(arena, pointer, "signature"), errors);
    if (body.addresses.count > 0)
        read_addresses(arena, body.addresses, json_pointer_name(arena, pointer, "addresses"),
                       errors, callback);
    read_reply(arena, body.answer, pointer, errors, callback);
    callback->url = config_stencil(arena, body.url, &constants, pointer, "url", errors);
    if (body.secret_at == NULL && body.basic == NULL && body.signature == NULL &&
        body.addresses.count == 0)
        json_errors_add(arena, errors, pointer,
                        "needs a check: one of secret, basic, signature, addresses");
    return callback;
}
