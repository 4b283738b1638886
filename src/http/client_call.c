/* A call's two ends: the request made into bytes, checked so that nothing in it can become a second
 * request, and the answer told. */
#include <stdlib.h>
#include <string.h>

#include "base/metric.h"
#include "http/client_struct.h"

static bool is_same(struct text text, const char *lower)
{
    size_t size = strlen(lower);
    if (text.size != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c) != lower[i])
            return false;
    }
    return true;
}

/* RFC 9110 §5.6.2. */
static bool is_token(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool is_alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return text.size != 0;
}

static bool is_value(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* Those that frame the request, or change what the connection is. */
static bool is_own_header(struct text name)
{
    static const char *const own[] = {"host", "content-length", "connection", "transfer-encoding",
                                      "te",   "trailer",        "upgrade",    "expect"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (is_same(name, own[i]))
            return true;
    }
    return false;
}

static bool is_one_of(struct text method, const char *const *methods)
{
    for (; *methods != NULL; methods++) {
        if (text_equals(method, (struct text){*methods, strlen(*methods)}))
            return true;
    }
    return false;
}

static void append(struct buffer *to, struct text text)
{
    buffer_append(to, text.data, text.size);
}

static void write_request_line(struct buffer *to, struct text method, const struct http_url *url)
{
    append(to, method);
    buffer_append_literal(to, " ");
    if (url->target.size == 0 || url->target.data[0] != '/')
        buffer_append_literal(to, "/");
    append(to, url->target);
    buffer_append_literal(to, " HTTP/1.1\r\nHost: ");
    buffer_append_text(to, url->is_v6 ? "[" : "");
    append(to, url->host);
    buffer_append_text(to, url->is_v6 ? "]" : "");
    if (url->port != (url->is_https ? 443 : 80))
        buffer_append_format(to, ":%u", (unsigned)url->port);
    buffer_append_literal(to, "\r\n");
}

static bool write_headers(struct buffer *to, const struct http_client_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_client_header *header = &request->headers[i];
        if (!is_token(header->name) || !is_value(header->value) || is_own_header(header->name))
            return false;
        append(to, header->name);
        buffer_append_literal(to, ": ");
        append(to, header->value);
        buffer_append_literal(to, "\r\n");
    }
    return true;
}

static bool is_idempotent(struct text method)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", NULL};
    return is_one_of(method, methods);
}

static bool expects_body(struct text method)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", NULL};
    return is_one_of(method, methods);
}

enum http_client_error http_client_call_write(struct http_client_call *call,
                                              const struct http_client_request *request,
                                              const struct http_url *url, const char **detail)
{
    struct buffer *to = &call->request;
    if (!is_token(request->method) || text_equals(request->method, TEXT("CONNECT"))) {
        *detail = "not a method";
        return HTTP_CLIENT_INVALID;
    }
    write_request_line(to, request->method, url);
    if (!write_headers(to, request)) {
        *detail = "a header that cannot be sent";
        return HTTP_CLIENT_INVALID;
    }
    if (request->body.size != 0 || expects_body(request->method))
        buffer_append_format(to, "Content-Length: %zu\r\n", request->body.size);
    buffer_append_literal(to, "\r\n");
    append(to, request->body);
    call->is_idempotent = request->is_idempotent || is_idempotent(request->method);
    call->is_to_head = text_equals(request->method, TEXT("HEAD"));
    return HTTP_CLIENT_OK;
}

static void count(enum http_client_error error)
{
    metric_add(METRIC_HTTP_CLIENT_CALLS, 1);
    if (error != HTTP_CLIENT_OK)
        metric_add(METRIC_HTTP_CLIENT_FAILURES, 1);
}

void http_client_call_end(struct http_client_call *call, enum http_client_error error,
                          const char *detail)
{
    struct http_client_response told = {
        .error = error, .was_sent = call->was_sent, .detail = detail};
    if (error == HTTP_CLIENT_OK) {
        const struct http_response *response = call->response;
        told.status = response->parser.status_code;
        told.body = (struct text){response->body.data, response->body.size};
        told.headers = response->headers;
        told.header_count = response->header_count;
    }
    count(error);
    http_deadline_remove(&call->client->wheel, &call->timer.deadline);
    http_ring_take(&call->link);
    call->on_done(call->context, &told);
    http_client_call_free(call);
}

void http_client_call_free(struct http_client_call *call)
{
    http_deadline_remove(&call->client->wheel, &call->timer.deadline);
    http_ring_take(&call->link);
    if (call->response != NULL)
        http_response_release(call->response);
    free(call->response);
    buffer_release(&call->request);
    free(call);
}

struct text http_client_response_header(const struct http_client_response *response,
                                        struct text name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        const struct http_client_header *header = &response->headers[i];
        if (header->name.size == name.size &&
            strncasecmp(header->name.data, name.data, name.size) == 0)
            return header->value;
    }
    return (struct text){NULL, 0};
}

const char *http_client_error_name(enum http_client_error error)
{
    static const char *const names[] = {
        [HTTP_CLIENT_OK] = "ok",
        [HTTP_CLIENT_INVALID] = "invalid",
        [HTTP_CLIENT_OVERLOADED] = "overloaded",
        [HTTP_CLIENT_RESOLVE] = "resolve",
        [HTTP_CLIENT_FORBIDDEN_ADDRESS] = "forbidden_address",
        [HTTP_CLIENT_CONNECT] = "connect",
        [HTTP_CLIENT_TLS] = "tls",
        [HTTP_CLIENT_TIMEOUT] = "timeout",
        [HTTP_CLIENT_CLOSED] = "closed",
        [HTTP_CLIENT_MALFORMED] = "malformed",
        [HTTP_CLIENT_TOO_LARGE] = "too_large",
    };
    return names[error];
}
