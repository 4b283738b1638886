/* Reading how a request is made: where to, with what in headers, query and body. A JSON body is
 * flattened into pieces here, so that writing one is appending. */
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "gateway/encoding.h"
#include "gateway/http_config.h"
#include "json/read.h"

struct ask_body {
    struct json_text method, url, body, content_type, escape;
    const struct json_value *headers, *query, *form, *json, *auth, *signature;
    int64_t timeout_ms;
};

enum { ASK_TEXT_MAX = 65536, PIECES_MAX = 512, JSON_BYTES_MAX = 65536 };

#define ASK_TEXT(member, needed)                                                                   \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(struct ask_body, member),           \
        .is_required = (needed), .min = 1, .max = ASK_TEXT_MAX                                     \
    }

static const struct json_field ask_fields[] = {
    ASK_TEXT(method, false),
    ASK_TEXT(url, true),
    ASK_TEXT(body, false),
    ASK_TEXT(content_type, false),
    ASK_TEXT(escape, false),
    CONFIG_ANY(struct ask_body, headers, false),
    CONFIG_ANY(struct ask_body, query, false),
    CONFIG_ANY(struct ask_body, form, false),
    CONFIG_ANY(struct ask_body, json, false),
    CONFIG_ANY(struct ask_body, auth, false),
    CONFIG_ANY(struct ask_body, signature, false),
    {.name = "timeout_ms",
     .kind = JSON_INT,
     .offset = offsetof(struct ask_body, timeout_ms),
     .min = 10,
     .max = 600000},
};

/* --- headers and parameters ----------------------------------------------------------------------
 */

/* RFC 9110 §5.6.2. */
static bool is_token(struct json_text name)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              memchr(others, c, sizeof others - 1) != NULL))
            return false;
    }
    return name.size > 0;
}

static struct named_stencil *read_named(struct arena *arena, const struct json_value *value,
                                        const struct stencil_names *names, const char *pointer,
                                        bool is_headers, struct json_errors *errors, size_t *count)
{
    struct named_stencil *named = arena_alloc(arena, HTTP_NAMED_MAX * sizeof *named);

    if (!json_is_object(value)) {
        json_errors_add(arena, errors, pointer, "must be an object of texts");
        return named;
    }
    for (const struct json_value *item = json_object_first(value); item != NULL;
         item = json_next(item)) {
        struct json_text name = json_name(item), text;
        const char *at = json_pointer_name(arena, pointer, name.data);
        if (*count == HTTP_NAMED_MAX) {
            json_errors_add(arena, errors, pointer, "may have 64 members");
            break;
        }
        if (!json_get_text(item, &text))
            json_errors_add(arena, errors, at, "must be a text");
        else if (is_headers && !is_token(name))
            json_errors_add(arena, errors, at, "is no name of a header");
        else
            named[(*count)++] = (struct named_stencil){
                config_copy(arena, name),
                stencil_read(arena, (struct text){text.data, text.size}, names, at, errors)};
    }
    return named;
}

/* --- JSON bodies ---------------------------------------------------------------------------------
 */

struct flattening {
    struct arena *arena;
    const struct stencil_names *names;
    struct json_errors *errors;
    struct buffer text; /* what is fixed, since the last piece */
    struct json_piece *pieces;
    size_t count;
    bool has_each;
};

static void add_piece(struct flattening *f, struct json_piece piece, const char *pointer)
{
    if (f->count == PIECES_MAX)
        json_errors_add(f->arena, f->errors, pointer, "has too many values");
    else
        f->pieces[f->count++] = piece;
}

static void end_text(struct flattening *f, const char *pointer)
{
    struct json_piece piece = {.kind = PIECE_TEXT};

    if (f->text.size == 0)
        return;
    piece.text = (struct text){arena_copy(f->arena, f->text.data, f->text.size), f->text.size};
    f->text.size = 0;
    add_piece(f, piece, pointer);
}

static void flatten(struct flattening *f, const struct json_value *value, const char *pointer);

static void flatten_text(struct flattening *f, struct text text, const char *pointer)
{
    const struct stencil *stencil = stencil_read(f->arena, text, f->names, pointer, f->errors);
    bool is_number = stencil != NULL && stencil_is_number(stencil);

    if (!is_number)
        buffer_append_literal(&f->text, "\"");
    end_text(f, pointer);
    add_piece(
        f, (struct json_piece){.kind = is_number ? PIECE_NUMBER : PIECE_STRING, .stencil = stencil},
        pointer);
    if (!is_number)
        buffer_append_literal(&f->text, "\"");
}

static void flatten_items(struct flattening *f, const struct json_value *array, const char *pointer)
{
    size_t index = 0;

    buffer_append_literal(&f->text, "[");
    for (const struct json_value *item = json_array_first(array); item != NULL;
         item = json_next(item), index++) {
        if (index > 0)
            buffer_append_literal(&f->text, ",");
        flatten(f, item, json_pointer_index(f->arena, pointer, index));
    }
    buffer_append_literal(&f->text, "]");
}

/* {"$each": …} becomes an array with one item for each message. */
static bool flatten_each(struct flattening *f, const struct json_value *first, const char *pointer)
{
    struct json_text name = json_name(first);

    if (name.size != 5 || memcmp(name.data, "$each", 5) != 0)
        return false;
    if (f->has_each || json_next(first) != NULL)
        json_errors_add(f->arena, f->errors, pointer, "$each stands once, and alone in its object");
    f->has_each = true;
    buffer_append_literal(&f->text, "[");
    end_text(f, pointer);
    add_piece(f, (struct json_piece){.kind = PIECE_EACH}, pointer);
    flatten(f, first, json_pointer_name(f->arena, pointer, "$each"));
    end_text(f, pointer);
    add_piece(f, (struct json_piece){.kind = PIECE_EACH_END}, pointer);
    buffer_append_literal(&f->text, "]");
    return true;
}

static void flatten_members(struct flattening *f, const struct json_value *object,
                            const char *pointer)
{
    const struct json_value *first = json_object_first(object);

    if (first != NULL && flatten_each(f, first, pointer))
        return;
    buffer_append_literal(&f->text, "{");
    for (const struct json_value *item = first; item != NULL; item = json_next(item)) {
        struct json_text name = json_name(item);
        buffer_append_text(&f->text, item == first ? "\"" : ",\"");
        encode_json(&f->text, (struct text){name.data, name.size});
        buffer_append_literal(&f->text, "\":");
        flatten(f, item, json_pointer_name(f->arena, pointer, name.data));
    }
    buffer_append_literal(&f->text, "}");
}

/* Depth is bounded by what json_parse lets through. */
static void flatten(struct flattening *f, const struct json_value *value, const char *pointer)
{
    struct json_text text;
    int64_t number;
    bool is_true;

    if (json_is_object(value))
        flatten_members(f, value, pointer);
    else if (json_is_array(value))
        flatten_items(f, value, pointer);
    else if (json_get_text(value, &text))
        flatten_text(f, (struct text){text.data, text.size}, pointer);
    else if (json_get_int(value, &number))
        buffer_append_int(&f->text, number);
    else if (json_get_bool(value, &is_true))
        buffer_append_text(&f->text, is_true ? "true" : "false");
    else if (json_is_null(value))
        buffer_append_literal(&f->text, "null");
    else
        json_errors_add(f->arena, f->errors, pointer, "must be a whole number that fits 64 bits");
}

static void read_json(struct arena *arena, const struct json_value *value,
                      const struct stencil_names *names, const char *pointer,
                      struct json_errors *errors, struct http_ask *ask)
{
    struct flattening f = {.arena = arena, .names = names, .errors = errors};

    f.pieces = arena_alloc(arena, PIECES_MAX * sizeof *f.pieces);
    buffer_init(&f.text);
    flatten(&f, value, pointer);
    end_text(&f, pointer);
    buffer_release(&f.text);
    ask->json = f.pieces;
    ask->json_count = f.count;
    ask->is_batch = f.has_each;
}

/* --- authentication ------------------------------------------------------------------------------
 */

struct auth_body {
    struct json_text type, user, password, token;
};

#define AUTH_TEXT(member, needed)                                                                  \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(struct auth_body, member),          \
        .is_required = (needed), .min = 1, .max = 4096                                             \
    }

static const struct json_field auth_fields[] = {AUTH_TEXT(type, true), AUTH_TEXT(user, false),
                                                AUTH_TEXT(password, false),
                                                AUTH_TEXT(token, false)};

static void read_auth(struct arena *arena, const struct json_value *value,
                      const struct stencil_names *names, const char *pointer,
                      struct json_errors *errors, struct http_ask *ask)
{
    static const char *const types[] = {"basic", "bearer"};
    struct auth_body body = {0};
    bool has_basic, has_bearer;
    uint64_t given;
    int type;

    if (!json_bind(arena, value, auth_fields, FIELD_COUNT(auth_fields), &body, &given, pointer,
                   errors))
        return;
    type = CONFIG_CHOOSE(body.type, types, "type");
    has_basic = body.user.data != NULL && body.password.data != NULL;
    has_bearer = body.token.data != NULL;
    if (type >= 0 && (has_basic != (type == 0) || has_bearer != (type == 1)))
        json_errors_add(arena, errors, pointer, "basic has user and password, bearer has token");
    ask->auth = type == 0 ? HTTP_AUTH_BASIC : HTTP_AUTH_BEARER;
    ask->user = config_stencil(arena, body.user, names, pointer, "user", errors);
    ask->password = has_bearer
                        ? config_stencil(arena, body.token, names, pointer, "token", errors)
                        : config_stencil(arena, body.password, names, pointer, "password", errors);
}

/* --- the request ---------------------------------------------------------------------------------
 */

/* As it begins when only what is the same for every message is filled in. */
static void check_url(struct arena *arena, const struct stencil *url, const char *pointer,
                      struct json_errors *errors)
{
    static const struct stencil_values none;
    struct buffer begin;

    if (url == NULL)
        return;
    buffer_init(&begin);
    stencil_write(url, &none, ESCAPE_URL, &begin);
    if (!(begin.size > 7 && memcmp(begin.data, "http://", 7) == 0) &&
        !(begin.size > 8 && memcmp(begin.data, "https://", 8) == 0))
        json_errors_add(arena, errors, json_pointer_name(arena, pointer, "url"),
                        "must begin with http:// or https://");
    buffer_release(&begin);
}

static void read_body(struct arena *arena, const struct ask_body *body,
                      const struct stencil_names *names, const char *pointer,
                      struct json_errors *errors, struct http_ask *ask)
{
    static const char *const escapes[] = {"none", "url", "json", "xml"};
    int escape = body->escape.data == NULL ? -1 : CONFIG_CHOOSE(body->escape, escapes, "escape");

    if (body->body.data == NULL) {
        if (body->content_type.data != NULL || body->escape.data != NULL)
            json_errors_add(arena, errors, pointer, "content_type and escape go with body only");
        return;
    }
    if (body->content_type.data == NULL || body->escape.data == NULL)
        json_errors_add(arena, errors, pointer, "body needs content_type and escape");
    ask->body = config_stencil(arena, body->body, names, pointer, "body", errors);
    ask->content_type = config_copy(arena, body->content_type);
    ask->body_escape = escape < 0 ? ESCAPE_NONE : (enum stencil_escape)escape;
}

static void read_method(struct arena *arena, const struct ask_body *body, const char *pointer,
                        struct json_errors *errors, struct http_ask *ask)
{
    static const char *const methods[] = {"POST", "GET", "PUT"};
    int bodies = (body->form != NULL) + (body->json != NULL) + (body->body.data != NULL);
    int method = body->method.data == NULL ? 0 : CONFIG_CHOOSE(body->method, methods, "method");

    if (bodies > 1)
        json_errors_add(arena, errors, pointer, "may have one of form, json and body");
    if (bodies > 0 && method == 1)
        json_errors_add(arena, errors, pointer, "a GET has no body");
    ask->method = (struct text){methods[method < 0 ? 0 : method], method == 0 ? 4 : 3};
}

void http_ask_read(struct arena *arena, const struct json_value *value,
                   const struct stencil_names *names, const char *pointer,
                   struct json_errors *errors, struct http_ask *ask)
{
    struct ask_body body = {0};
    struct stencil_names signs = *names;
    uint64_t given;

    if (!json_bind(arena, value, ask_fields, FIELD_COUNT(ask_fields), &body, &given, pointer,
                   errors))
        return;
    ask->url = config_stencil(arena, body.url, names, pointer, "url", errors);
    check_url(arena, ask->url, pointer, errors);
    read_method(arena, &body, pointer, errors, ask);
    if (body.headers != NULL)
        ask->headers =
            read_named(arena, body.headers, names, json_pointer_name(arena, pointer, "headers"),
                       true, errors, &ask->header_count);
    if (body.query != NULL)
        ask->query =
            read_named(arena, body.query, names, json_pointer_name(arena, pointer, "query"), false,
                       errors, &ask->query_count);
    if (body.form != NULL)
        ask->form = read_named(arena, body.form, names, json_pointer_name(arena, pointer, "form"),
                               false, errors, &ask->form_count);
    if (body.json != NULL)
        read_json(arena, body.json, names, json_pointer_name(arena, pointer, "json"), errors, ask);
    read_body(arena, &body, names, pointer, errors, ask);
    if (body.auth != NULL)
        read_auth(arena, body.auth, names, json_pointer_name(arena, pointer, "auth"), errors, ask);
    signs.contexts |= STENCIL_SIGN;
    if (body.signature != NULL)
        ask->signing = signing_read(arena, body.signature, &signs,
                                    json_pointer_name(arena, pointer, "signature"), errors);
    ask->timeout_ms = (uint32_t)body.timeout_ms;
}

static bool named_have(const struct named_stencil *named, size_t count, enum stencil_value value)
{
    for (size_t i = 0; i < count; i++) {
        if (named[i].stencil != NULL && stencil_has(named[i].stencil, value))
            return true;
    }
    return false;
}

bool http_ask_has(const struct http_ask *ask, enum stencil_value value)
{
    for (size_t i = 0; i < ask->json_count; i++) {
        if (ask->json[i].stencil != NULL && stencil_has(ask->json[i].stencil, value))
            return true;
    }
    return (ask->url != NULL && stencil_has(ask->url, value)) ||
           (ask->body != NULL && stencil_has(ask->body, value)) ||
           named_have(ask->headers, ask->header_count, value) ||
           named_have(ask->query, ask->query_count, value) ||
           named_have(ask->form, ask->form_count, value);
}
