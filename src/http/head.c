/* Reading a head. The parser (llhttp) has been over the bytes: methods, tokens, header values and
 * numbers are of the right characters, the empty line is where it says. It is lenient in places
 * where RFC 9112 lets a server be, and where proxies differ, which is what request smuggling lives
 * on: bare LF, folded lines (CVE-2024-27982), spaces, versions, Host, codings. So the lines are
 * gone through once more, by memchr, which also finds the few headers that matter, without copying.
 */
#include "http/head.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum seen {
    SEEN_HOST = 1,
    SEEN_CONTENT_LENGTH = 2,
    SEEN_TRANSFER_ENCODING = 4,
    SEEN_AUTHORIZATION = 8,
    SEEN_CONTENT_TYPE = 16,
    SEEN_CLOSE = 32,
    SEEN_KEEP_ALIVE = 64,
};

static inline uint64_t fold8(const char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word | UINT64_C(0x2020202020202020);
}

static inline uint32_t fold4(const char *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word | UINT32_C(0x20202020);
}

/* Is the token the lower-case `name` of letters and hyphens, in any case? Eight (or four) bytes at
 * a time, the last ones overlapping: `size`, 4 to 16, is known when compiled. Setting the bit that
 * makes letters lower-case maps nothing else that may stand in a token onto a letter or a hyphen.
 */
static inline __attribute__((always_inline)) bool is_name(const char *token, const char *name,
                                                          size_t size)
{
    if (size < 8)
        return fold4(token) == fold4(name) && fold4(token + (size - 4)) == fold4(name + (size - 4));
    return fold8(token) == fold8(name) && fold8(token + (size - 8)) == fold8(name + (size - 8));
}
#define IS_NAME(token, literal) is_name((token), (literal), sizeof(literal) - 1)

/* Values may hold any characters, so they are compared one by one. */
static bool is_value(const char *value, size_t size, const char *lower, size_t lower_size)
{
    if (size != lower_size)
        return false;
    for (size_t i = 0; i < size; i++) {
        char folded = value[i] >= 'A' && value[i] <= 'Z' ? (char)(value[i] | 0x20) : value[i];
        if (folded != lower[i])
            return false;
    }
    return true;
}
#define IS_VALUE(value, size, literal) is_value((value), (size), (literal), sizeof(literal) - 1)

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline struct http_span trim(const char *data, size_t size)
{
    while (size != 0 && is_blank(data[0])) {
        data++;
        size--;
    }
    while (size != 0 && is_blank(data[size - 1]))
        size--;
    return (struct http_span){data, size};
}

/* RFC 3986 §3.2.2, host and port: letters, digits and -._~%!$&'()*+,;=[]: as bits of a set. */
static bool is_authority(const char *data, size_t size)
{
    static const uint64_t allowed[4] = {UINT64_C(0x2fff7ff200000000), UINT64_C(0x47fffffeaffffffe),
                                        0, 0};
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (!(allowed[c >> 6] >> (c & 63) & 1))
            return false;
    }
    return size != 0;
}

static enum http_method method_of(const char *token, size_t size)
{
    switch (size) {
    case 3:
        return memcmp(token, "GET", 3) == 0   ? HTTP_METHOD_GET
               : memcmp(token, "PUT", 3) == 0 ? HTTP_METHOD_PUT
                                              : HTTP_METHOD_OTHER;
    case 4:
        return memcmp(token, "POST", 4) == 0   ? HTTP_METHOD_POST
               : memcmp(token, "HEAD", 4) == 0 ? HTTP_METHOD_HEAD
                                               : HTTP_METHOD_OTHER;
    case 5:
        return memcmp(token, "PATCH", 5) == 0 ? HTTP_METHOD_PATCH : HTTP_METHOD_OTHER;
    case 6:
        return memcmp(token, "DELETE", 6) == 0 ? HTTP_METHOD_DELETE : HTTP_METHOD_OTHER;
    case 7:
        return memcmp(token, "OPTIONS", 7) == 0 ? HTTP_METHOD_OPTIONS : HTTP_METHOD_OTHER;
    default:
        return HTTP_METHOD_OTHER;
    }
}

static void split_query(struct http_request *request, const char *path, const char *end)
{
    const char *mark = memchr(path, '?', (size_t)(end - path));
    const char *path_end = mark == NULL ? end : mark;
    request->path = (struct http_span){path, (size_t)(path_end - path)};
    if (mark != NULL)
        request->query = (struct http_span){mark + 1, (size_t)(end - mark - 1)};
}

/* absolute-form (RFC 9112 §3.2.2): as if the path had come alone. Without a path it is "/". */
static enum http_refusal read_absolute(struct http_request *request, const char *target,
                                       const char *end)
{
    size_t size = (size_t)(end - target);
    size_t scheme = size > 7 && IS_VALUE(target, 7, "http://")    ? 7
                    : size > 8 && IS_VALUE(target, 8, "https://") ? 8
                                                                  : 0;
    if (scheme == 0)
        return HTTP_REFUSAL_TARGET;
    const char *authority = target + scheme;
    const char *at = authority;
    while (at < end && *at != '/' && *at != '?')
        at++;
    if (!is_authority(authority, (size_t)(at - authority)))
        return HTTP_REFUSAL_TARGET;
    split_query(request, at, end);
    if (request->path.size == 0)
        request->path = (struct http_span){"/", 1};
    return HTTP_REFUSAL_NONE;
}

static enum http_refusal read_target(struct http_request *request, const char *target,
                                     const char *end)
{
    if (memchr(target, '#', (size_t)(end - target)) != NULL)
        return HTTP_REFUSAL_TARGET;
    if (*target == '/') {
        split_query(request, target, end);
        return HTTP_REFUSAL_NONE;
    }
    if (*target != '*')
        return read_absolute(request, target, end);
    request->path = (struct http_span){target, 1};
    return end - target == 1 && request->method == HTTP_METHOD_OPTIONS ? HTTP_REFUSAL_NONE
                                                                       : HTTP_REFUSAL_TARGET;
}

/* `end` is where the line's CR is. */
static enum http_refusal read_request_line(struct http_head *head, const char *line,
                                           const char *end)
{
    static const char version[] = " HTTP/1.";
    const size_t version_size = sizeof version; /* with the minor digit */
    const char *space = memchr(line, ' ', (size_t)(end - line));
    if (space == NULL)
        return HTTP_REFUSAL_REQUEST_LINE;
    const char *target = space + 1;
    if ((size_t)(end - target) <= version_size ||
        memcmp(end - version_size, version, version_size - 1) != 0 ||
        (end[-1] != '0' && end[-1] != '1'))
        return HTTP_REFUSAL_VERSION;
    const char *target_end = end - version_size;
    if (is_blank(target[0]) || is_blank(target_end[-1]))
        return HTTP_REFUSAL_REQUEST_LINE;
    head->is_http_1_0 = end[-1] == '0';
    head->request.method = method_of(line, (size_t)(space - line));
    if (head->request.method == HTTP_METHOD_OTHER && space - line == 7 &&
        memcmp(line, "CONNECT", 7) == 0)
        return HTTP_REFUSAL_CONNECT;
    return read_target(&head->request, target, target_end);
}

static enum http_refusal read_connection(struct http_head *head, struct http_span value)
{
    const char *at = value.data, *end = value.data + value.size;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *token_end = comma == NULL ? end : comma;
        struct http_span token = trim(at, (size_t)(token_end - at));
        if (IS_VALUE(token.data, token.size, "close"))
            head->seen |= SEEN_CLOSE;
        else if (IS_VALUE(token.data, token.size, "keep-alive"))
            head->seen |= SEEN_KEEP_ALIVE;
        at = token_end + 1;
    }
    return HTTP_REFUSAL_NONE;
}

static enum http_refusal set_once(struct http_head *head, enum seen bit, struct http_span *span,
                                  struct http_span value)
{
    if (head->seen & bit)
        return HTTP_REFUSAL_TWICE;
    head->seen |= bit;
    *span = value;
    return HTTP_REFUSAL_NONE;
}

static enum http_refusal set_first(struct http_span *span, struct http_span value)
{
    if (span->data == NULL)
        *span = value;
    return HTTP_REFUSAL_NONE;
}

static enum http_refusal read_host(struct http_head *head, struct http_span value)
{
    bool is_allowed = !(head->seen & SEEN_HOST) && is_authority(value.data, value.size);
    head->seen |= SEEN_HOST;
    return is_allowed ? HTTP_REFUSAL_NONE : HTTP_REFUSAL_HOST;
}

static enum http_refusal read_content_length(struct http_head *head, struct http_span value)
{
    if (head->seen & (SEEN_CONTENT_LENGTH | SEEN_TRANSFER_ENCODING))
        return HTTP_REFUSAL_CONTENT_LENGTH;
    head->seen |= SEEN_CONTENT_LENGTH;
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < '0' || value.data[i] > '9')
            return HTTP_REFUSAL_CONTENT_LENGTH;
    return value.size != 0 ? HTTP_REFUSAL_NONE : HTTP_REFUSAL_CONTENT_LENGTH;
}

static enum http_refusal read_transfer_encoding(struct http_head *head, struct http_span value)
{
    if (head->seen & (SEEN_CONTENT_LENGTH | SEEN_TRANSFER_ENCODING) || head->is_http_1_0)
        return HTTP_REFUSAL_TRANSFER_ENCODING;
    head->seen |= SEEN_TRANSFER_ENCODING;
    head->is_chunked = true;
    return IS_VALUE(value.data, value.size, "chunked") ? HTTP_REFUSAL_NONE
                                                       : HTTP_REFUSAL_TRANSFER_ENCODING;
}

static enum http_refusal read_expect(struct http_head *head, struct http_span value)
{
    if (IS_VALUE(value.data, value.size, "100-continue") && head->expectation != HTTP_EXPECTS_OTHER)
        head->expectation = HTTP_EXPECTS_CONTINUE;
    else
        head->expectation = HTTP_EXPECTS_OTHER;
    return HTTP_REFUSAL_NONE;
}

static enum http_refusal read_idempotency_key(struct http_request *request, struct http_span value)
{
    request->header_count_idempotency_key++;
    return set_first(&request->idempotency_key, value);
}

/* The headers that matter, told apart by the length of their names first. */
static enum http_refusal read_header(struct http_head *head, const char *name, size_t name_size,
                                     struct http_span value)
{
    struct http_request *request = &head->request;
    switch (name_size) {
    case 4:
        return IS_NAME(name, "host") ? read_host(head, value) : HTTP_REFUSAL_NONE;
    case 6:
        if (IS_NAME(name, "accept"))
            return set_first(&request->accept, value);
        return IS_NAME(name, "expect") ? read_expect(head, value) : HTTP_REFUSAL_NONE;
    case 10:
        return IS_NAME(name, "connection") ? read_connection(head, value) : HTTP_REFUSAL_NONE;
    case 12:
        if (IS_NAME(name, "content-type"))
            return set_once(head, SEEN_CONTENT_TYPE, &request->content_type, value);
        return IS_NAME(name, "x-request-id") ? set_first(&request->request_id, value)
                                             : HTTP_REFUSAL_NONE;
    case 13:
        return IS_NAME(name, "authorization")
                   ? set_once(head, SEEN_AUTHORIZATION, &request->authorization, value)
                   : HTTP_REFUSAL_NONE;
    case 14:
        return IS_NAME(name, "content-length") ? read_content_length(head, value)
                                               : HTTP_REFUSAL_NONE;
    case 15:
        return IS_NAME(name, "idempotency-key") ? read_idempotency_key(request, value)
                                                : HTTP_REFUSAL_NONE;
    case 16:
        return IS_NAME(name, "content-encoding") ? set_first(&request->content_encoding, value)
                                                 : HTTP_REFUSAL_NONE;
    case 17:
        return IS_NAME(name, "transfer-encodin") && (name[16] | 0x20) == 'g'
                   ? read_transfer_encoding(head, value)
                   : HTTP_REFUSAL_NONE;
    default:
        return HTTP_REFUSAL_NONE;
    }
}

/* The CR of a line that ends in CR LF before `end`; NULL if it ends otherwise. */
static inline const char *line_end(const char *line, const char *end)
{
    const char *lf = memchr(line, '\n', (size_t)(end - line));
    return lf == NULL || lf == line || lf[-1] != '\r' ? NULL : lf - 1;
}

/* Header lines up to the empty one, which must be the last. `head` NULL: they are only checked. */
static enum http_refusal read_headers(struct http_head *head, const char *at, const char *end)
{
    for (const char *cr; at < end; at = cr + 2) {
        cr = line_end(at, end);
        if (cr == NULL)
            return HTTP_REFUSAL_BARE_LF;
        if (cr == at)
            return cr + 2 == end ? HTTP_REFUSAL_NONE : HTTP_REFUSAL_SYNTAX;
        if (is_blank(*at))
            return HTTP_REFUSAL_FOLD;
        const char *colon = memchr(at, ':', (size_t)(cr - at));
        if (colon == NULL || colon == at || is_blank(colon[-1]))
            return HTTP_REFUSAL_HEADER;
        if (head == NULL)
            continue;
        struct http_span value = trim(colon + 1, (size_t)(cr - colon - 1));
        enum http_refusal refusal = read_header(head, at, (size_t)(colon - at), value);
        if (refusal != HTTP_REFUSAL_NONE)
            return refusal;
    }
    return HTTP_REFUSAL_SYNTAX;
}

enum http_refusal http_head_read(struct http_head *head, const char *bytes, size_t size)
{
    const char *at = bytes, *end = bytes + size;
    memset(head, 0, sizeof *head);
    /* RFC 9112 §2.2: empty lines before the request line are ignored. */
    const char *cr = line_end(at, end);
    while (cr == at) {
        at = cr + 2;
        cr = line_end(at, end);
    }
    if (cr == NULL)
        return HTTP_REFUSAL_BARE_LF;
    enum http_refusal refusal = read_request_line(head, at, cr);
    if (refusal == HTTP_REFUSAL_NONE)
        refusal = read_headers(head, cr + 2, end);
    head->request.headers = (struct http_span){cr + 2, (size_t)(end - cr - 2)};
    if (refusal != HTTP_REFUSAL_NONE)
        return refusal;
    if (!(head->seen & SEEN_HOST) && !head->is_http_1_0)
        return HTTP_REFUSAL_HOST;
    head->is_close =
        (head->seen & SEEN_CLOSE) != 0 || (head->is_http_1_0 && !(head->seen & SEEN_KEEP_ALIVE));
    if (head->is_http_1_0)
        head->expectation = HTTP_EXPECTS_NOTHING; /* RFC 9110 §10.1.1 */
    return HTTP_REFUSAL_NONE;
}

enum http_refusal http_trailers_check(const char *bytes, size_t size)
{
    return read_headers(NULL, bytes, bytes + size);
}

struct http_span http_request_header(const struct http_request *request, const char *name,
                                     size_t name_size)
{
    const char *at = request->headers.data, *end = at + request->headers.size;

    while (at < end) {
        const char *cr = memchr(at, '\r', (size_t)(end - at));
        const char *colon = cr == NULL ? NULL : memchr(at, ':', (size_t)(cr - at));
        if (colon == NULL)
            break; /* the empty line */
        if ((size_t)(colon - at) == name_size && strncasecmp(at, name, name_size) == 0)
            return trim(colon + 1, (size_t)(cr - colon - 1));
        at = cr + 2;
    }
    return (struct http_span){NULL, 0};
}
