/* From stencils to a request. Parameters are kept apart until the end, since a signature is made
 * over them as they are, and may become one of them. */
#include "gateway/http_request.h"

#include <string.h>

#include "base/arena.h"
#include "gateway/encoding.h"

static struct text kept(struct arena *arena, struct buffer *buffer)
{
    struct text text = {arena_copy(arena, buffer->size == 0 ? "" : buffer->data, buffer->size),
                        buffer->size};

    buffer_release(buffer);
    buffer_init(buffer);
    return text;
}

static struct text written(struct arena *arena, const struct stencil *stencil,
                           const struct stencil_values *values, enum stencil_escape escape)
{
    struct buffer buffer;

    buffer_init(&buffer);
    stencil_write(stencil, values, escape, &buffer);
    return kept(arena, &buffer);
}

static size_t write_parameters(struct arena *arena, const struct named_stencil *named, size_t count,
                               const struct stencil_values *values, struct parameter *to)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (struct parameter){named[i].name,
                                   written(arena, named[i].stencil, values, ESCAPE_NONE)};
    return count;
}

/* "a=1&b=2". */
static void encode_parameters(struct buffer *to, const struct parameter *parameters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buffer_append_literal(to, "&");
        encode_url(to, parameters[i].name);
        buffer_append_literal(to, "=");
        encode_url(to, parameters[i].value);
    }
}

static void add_header(struct http_request_draft *draft, struct text name, struct text value)
{
    if (draft->header_count < HTTP_HEADERS_MAX)
        draft->headers[draft->header_count++] = (struct http_client_header){name, value};
}

/* --- bodies --------------------------------------------------------------------------------------
 */

static void write_piece(const struct json_piece *piece, const struct stencil_values *values,
                        struct buffer *to)
{
    size_t begin = to->size;

    if (piece->kind == PIECE_TEXT)
        buffer_append(to, piece->text.data, piece->text.size);
    else if (piece->stencil != NULL)
        stencil_write(piece->stencil, values, ESCAPE_JSON, to);
    if (piece->kind == PIECE_NUMBER && to->size == begin)
        buffer_append_literal(to, "null");
}

static void write_json(const struct http_ask *ask, const struct stencil_values *values,
                       size_t count, struct buffer *to)
{
    size_t each = 0, message = 0;

    for (size_t i = 0; i < ask->json_count; i++) {
        const struct json_piece *piece = &ask->json[i];
        if (piece->kind == PIECE_EACH) {
            each = i;
        } else if (piece->kind == PIECE_EACH_END && message + 1 < count) {
            buffer_append_literal(to, ",");
            message++;
            i = each;
        } else if (piece->kind != PIECE_EACH_END) {
            write_piece(piece, &values[message], to);
        } else {
            message = 0;
        }
    }
}

static void write_body(const struct http_ask *ask, const struct stencil_values *values,
                       size_t count, struct http_request_draft *draft)
{
    struct buffer body;
    struct text type = {NULL, 0};

    buffer_init(&body);
    if (ask->form_count > 0) {
        encode_parameters(&body, draft->form, draft->form_count);
        type = TEXT("application/x-www-form-urlencoded");
    } else if (ask->json_count > 0) {
        write_json(ask, values, count, &body);
        type = TEXT("application/json");
    } else if (ask->body != NULL) {
        stencil_write(ask->body, values, ask->body_escape, &body);
        type = ask->content_type;
    }
    if (type.data != NULL) {
        add_header(draft, TEXT("Content-Type"), type);
        draft->body = kept(draft->arena, &body);
    }
    buffer_release(&body);
}

static void write_url(const struct http_ask *ask, const struct stencil_values *values,
                      struct http_request_draft *draft)
{
    struct buffer url;

    buffer_init(&url);
    stencil_write(ask->url, values, ESCAPE_URL, &url);
    if (draft->query_count > 0)
        buffer_append_text(&url, memchr(url.data, '?', url.size) == NULL ? "?" : "&");
    encode_parameters(&url, draft->query, draft->query_count);
    draft->url = kept(draft->arena, &url);
}

/* --- proof of who we are -------------------------------------------------------------------------
 */

static void write_auth(const struct http_ask *ask, const struct stencil_values *values,
                       struct http_request_draft *draft)
{
    struct buffer plain, header;

    if (ask->auth == HTTP_AUTH_NONE)
        return;
    buffer_init(&plain);
    buffer_init(&header);
    if (ask->auth == HTTP_AUTH_BASIC) {
        stencil_write(ask->user, values, ESCAPE_NONE, &plain);
        buffer_append_literal(&plain, ":");
        stencil_write(ask->password, values, ESCAPE_NONE, &plain);
        buffer_append_literal(&header, "Basic ");
        encode_base64(&header, (struct text){plain.data, plain.size});
    } else {
        buffer_append_literal(&header, "Bearer ");
        stencil_write(ask->password, values, ESCAPE_HEADER, &header);
    }
    add_header(draft, TEXT("Authorization"), kept(draft->arena, &header));
    buffer_release(&plain);
    buffer_release(&header);
}

static struct text path_of(struct text url)
{
    const char *begin = memmem(url.data, url.size, "://", 3);
    const char *end = url.data + url.size, *stop;

    begin = begin == NULL ? url.data : begin + 3;
    begin = memchr(begin, '/', (size_t)(end - begin));
    if (begin == NULL)
        return TEXT("/");
    stop = memchr(begin, '?', (size_t)(end - begin));
    return (struct text){begin, (size_t)((stop == NULL ? end : stop) - begin)};
}

static struct text query_of(struct text url)
{
    const char *mark = memchr(url.data, '?', url.size);

    if (mark == NULL)
        return (struct text){"", 0};
    return (struct text){mark + 1, (size_t)(url.data + url.size - mark - 1)};
}

static void write_signature(const struct http_ask *ask, const struct stencil_values *values,
                            struct http_request_draft *draft)
{
    const struct signing *signing = ask->signing;
    struct signed_request request = {.method = ask->method,
                                     .url = draft->url,
                                     .path = path_of(draft->url),
                                     .query = query_of(draft->url),
                                     .body = draft->body,
                                     .query_parameters = draft->query,
                                     .form_parameters = draft->form,
                                     .query_count = draft->query_count,
                                     .form_count = draft->form_count};
    struct buffer signature;
    struct text text;

    buffer_init(&signature);
    signing_write(signing, &request, values, &signature);
    text = kept(draft->arena, &signature);
    buffer_release(&signature);
    if (signing->header.data != NULL)
        add_header(draft, signing->header, text);
    else if (ask->form_count > 0)
        draft->form[draft->form_count++] = (struct parameter){signing->parameter, text};
    else
        draft->query[draft->query_count++] = (struct parameter){signing->parameter, text};
}

void http_request_write(const struct http_ask *ask, const struct stencil_values *values,
                        size_t count, struct http_request_draft *draft)
{
    draft->method = ask->method;
    draft->url = draft->body = (struct text){NULL, 0};
    draft->header_count = 0;
    draft->query_count =
        write_parameters(draft->arena, ask->query, ask->query_count, values, draft->query);
    draft->form_count =
        write_parameters(draft->arena, ask->form, ask->form_count, values, draft->form);
    for (size_t i = 0; i < ask->header_count; i++)
        add_header(draft, ask->headers[i].name,
                   written(draft->arena, ask->headers[i].stencil, values, ESCAPE_HEADER));
    write_auth(ask, values, draft);
    write_url(ask, values, draft);
    write_body(ask, values, count, draft);
    if (ask->signing == NULL)
        return;
    write_signature(ask, values, draft);
    if (ask->signing->parameter.data == NULL)
        return;
    /* It is a parameter: what holds it is written again. */
    write_url(ask, values, draft);
    if (ask->form_count > 0) {
        draft->header_count--;
        write_body(ask, values, count, draft);
    }
}
