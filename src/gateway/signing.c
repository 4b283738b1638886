/* Making and checking signatures. The text that is signed depends on every byte, so nothing here
 * normalises: what providers agree on is to sort parameters by the bytes of their names. */
#include "gateway/signing.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "gateway/encoding.h"
#include "gateway/http_config.h"
#include "json/read.h"

/* --- reading -------------------------------------------------------------------------------------
 */

struct signing_body {
    struct json_text hash, key, over, value, encoding, header, parameter;
    const struct json_value *parameters;
};

struct parameters_body {
    struct json_text of, pair, between, escape;
};

enum { SIGNING_TEXT_MAX = 4096 };

#define SIGNING_FIELD(member, needed)                                                              \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(struct signing_body, member),       \
        .is_required = (needed), .min = 1, .max = SIGNING_TEXT_MAX                                 \
    }

static const struct json_field signing_fields[] = {
    SIGNING_FIELD(hash, true),
    SIGNING_FIELD(key, false),
    SIGNING_FIELD(over, true),
    SIGNING_FIELD(value, false),
    SIGNING_FIELD(encoding, false),
    SIGNING_FIELD(header, false),
    SIGNING_FIELD(parameter, false),
    {.name = "parameters", .kind = JSON_ANY, .offset = offsetof(struct signing_body, parameters)},
};

#define PARAMETERS_FIELD(member)                                                                   \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(struct parameters_body, member),    \
        .max = 16                                                                                  \
    }

static const struct json_field parameters_fields[] = {PARAMETERS_FIELD(of), PARAMETERS_FIELD(pair),
                                                      PARAMETERS_FIELD(between),
                                                      PARAMETERS_FIELD(escape)};

static void read_parameters(struct arena *arena, const struct json_value *value,
                            const char *pointer, struct json_errors *errors,
                            struct signing *signing)
{
    static const char *const ofs[] = {"all", "query", "form"};
    static const char *const escapes[] = {"none", "url", "underscore"};
    struct parameters_body body = {.pair = {"=", 1}, .between = {"&", 1}};
    uint64_t given;

    if (!json_bind(arena, value, parameters_fields, FIELD_COUNT(parameters_fields), &body, &given,
                   pointer, errors))
        return;
    signing->pair = config_copy(arena, body.pair);
    signing->between = config_copy(arena, body.between);
    if (body.of.data != NULL)
        signing->of = (enum signing_parameters)CONFIG_CHOOSE(body.of, ofs, "of");
    if (body.escape.data != NULL)
        signing->escape = (unsigned)CONFIG_CHOOSE(body.escape, escapes, "escape");
}

static void read_hash(struct arena *arena, const struct signing_body *body, const char *pointer,
                      struct json_errors *errors, struct signing *signing)
{
    static const char *const hashes[] = {"md5",      "sha1",      "sha256",      "sha512",
                                         "hmac_md5", "hmac_sha1", "hmac_sha256", "hmac_sha512"};
    static const char *const writings[] = {"hex", "hex_upper", "base64"};
    int hash = CONFIG_CHOOSE(body->hash, hashes, "hash");

    signing->digest = (enum digest)(hash % 4);
    if ((hash >= 4) != (body->key.data != NULL))
        json_errors_add(arena, errors, json_pointer_name(arena, pointer, "key"),
                        hash >= 4 ? "is required with an HMAC" : "goes with an HMAC only");
    if (body->encoding.data != NULL)
        signing->writing =
            (enum signing_writing)CONFIG_CHOOSE(body->encoding, writings, "encoding");
}

const struct signing *signing_read(struct arena *arena, const struct json_value *value,
                                   const struct stencil_names *names, const char *pointer,
                                   struct json_errors *errors)
{
    struct signing *signing = arena_alloc(arena, sizeof *signing);
    struct signing_body body = {0};
    uint64_t given;

    memset(signing, 0, sizeof *signing);
    if (!json_bind(arena, value, signing_fields, FIELD_COUNT(signing_fields), &body, &given,
                   pointer, errors))
        return NULL;
    signing->pair = TEXT("=");
    signing->between = TEXT("&");
    read_hash(arena, &body, pointer, errors, signing);
    if (body.parameters != NULL)
        read_parameters(arena, body.parameters, json_pointer_name(arena, pointer, "parameters"),
                        errors, signing);
    signing->key = config_stencil(arena, body.key, names, pointer, "key", errors);
    signing->over = config_stencil(arena, body.over, names, pointer, "over", errors);
    signing->value = config_stencil(arena, body.value, names, pointer, "value", errors);
    if ((body.header.data != NULL) == (body.parameter.data != NULL))
        json_errors_add(arena, errors, pointer, "must name a header or a parameter");
    else if (body.header.data != NULL)
        signing->header = config_copy(arena, body.header);
    else
        signing->parameter = config_copy(arena, body.parameter);
    return signing;
}

/* --- signing -------------------------------------------------------------------------------------
 */

/* Equal names keep the order of their values, so that the sum is the same however they came. */
static int compare_parameters(const void *a, const void *b)
{
    const struct parameter *left = a, *right = b;
    const struct text *l = &left->name, *r = &right->name;
    int order;

    if (text_equals(left->name, right->name)) {
        l = &left->value;
        r = &right->value;
    }
    order = memcmp(l->data, r->data, l->size < r->size ? l->size : r->size);
    return order != 0 ? order : (l->size > r->size) - (l->size < r->size);
}

static void append_parameter_text(const struct signing *signing, struct text text,
                                  struct buffer *to)
{
    size_t begin = to->size;

    if (signing->escape == PARAMETERS_URL)
        encode_url(to, text);
    else
        buffer_append(to, text.data, text.size);
    for (size_t i = begin; signing->escape == PARAMETERS_UNDERSCORE && i < to->size; i++) {
        if (to->data[i] == '&' || to->data[i] == '=')
            to->data[i] = '_';
    }
}

static size_t gather(const struct signing *signing, const struct parameter *from, size_t from_count,
                     struct parameter *to, size_t count)
{
    for (size_t i = 0; i < from_count && count < 2 * HEARD_PARAMETERS_MAX; i++) {
        if (signing->parameter.data == NULL || !text_equals(from[i].name, signing->parameter))
            to[count++] = from[i];
    }
    return count;
}

static void append_parameters(const struct signing *signing, const struct signed_request *request,
                              struct buffer *to)
{
    struct parameter sorted[2 * HEARD_PARAMETERS_MAX];
    size_t count = 0;

    if (signing->of != SIGNING_FORM)
        count = gather(signing, request->query_parameters, request->query_count, sorted, count);
    if (signing->of != SIGNING_QUERY)
        count = gather(signing, request->form_parameters, request->form_count, sorted, count);
    qsort(sorted, count, sizeof *sorted, compare_parameters);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append(to, signing->between.data, signing->between.size);
        append_parameter_text(signing, sorted[i].name, to);
        buffer_append(to, signing->pair.data, signing->pair.size);
        append_parameter_text(signing, sorted[i].value, to);
    }
}

static void append_written(const struct signing *signing, struct text digest, struct buffer *to)
{
    if (signing->writing == WRITTEN_BASE64)
        encode_base64(to, digest);
    else
        encode_hex(to, digest, signing->writing == WRITTEN_HEX_UPPER);
}

static struct text text_in(const struct buffer *buffer)
{
    return (struct text){buffer->size == 0 ? "" : buffer->data, buffer->size};
}

/* The signature alone, as it is written. */
static void sign(const struct signing *signing, const struct signed_request *request,
                 struct stencil_values *values, struct buffer *to)
{
    uint8_t digest[DIGEST_BYTES_MAX];
    struct buffer parameters, over, key;
    size_t size;

    buffer_init(&parameters);
    buffer_init(&over);
    buffer_init(&key);
    append_parameters(signing, request, &parameters);
    values->texts[VALUE_PARAMETERS] = text_in(&parameters);
    stencil_write(signing->over, values, ESCAPE_NONE, &over);
    if (signing->key == NULL) {
        size = digest_of(signing->digest, over.data, over.size, digest);
    } else {
        stencil_write(signing->key, values, ESCAPE_NONE, &key);
        size = digest_hmac(signing->digest, key.data, key.size, over.data, over.size, digest);
    }
    append_written(signing, (struct text){(const char *)digest, size}, to);
    buffer_release(&parameters);
    buffer_release(&over);
    buffer_release(&key);
}

void signing_write(const struct signing *signing, const struct signed_request *request,
                   const struct stencil_values *values, struct buffer *to)
{
    struct stencil_values all = *values;
    struct buffer signature;

    all.texts[VALUE_METHOD] = request->method;
    all.texts[VALUE_URL] = request->url;
    all.texts[VALUE_PATH] = request->path;
    all.texts[VALUE_QUERY] = request->query;
    all.texts[VALUE_BODY] = request->body;
    buffer_init(&signature);
    sign(signing, request, &all, &signature);
    if (signing->value == NULL) {
        buffer_append(to, signature.data, signature.size);
    } else {
        all.texts[VALUE_SIGNED] = text_in(&signature);
        stencil_write(signing->value, &all, ESCAPE_NONE, to);
    }
    buffer_release(&signature);
}

bool signing_holds(const struct signing *signing, const struct signed_request *request,
                   struct text signature)
{
    struct stencil_values values = {0};
    struct buffer expected;
    bool is_same;

    buffer_init(&expected);
    signing_write(signing, request, &values, &expected);
    is_same = signature.data != NULL && encoding_is_same(text_in(&expected), signature);
    buffer_release(&expected);
    return is_same;
}
