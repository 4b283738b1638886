/* Reading an answer. The head is gathered line by line, so that line ends are judged here, where it
 * cannot be lenient; then it is shown to the parser (llhttp) in one piece. What is behind it goes
 * to the parser as it comes; the parser finds where it ends and hands the body over. */
#include "http/response.h"

#include <stdint.h>
#include <string.h>

enum {
    CHUNK_OVERHEAD_MAX = 8, /* bytes of framing a byte of body: one-byte chunks need 5 */
    STATUS_LINE_MIN = 14,   /* "HTTP/1.1 200", CR, LF */
};

static int on_headers_complete(llhttp_t *parser)
{
    const struct http_response *response = parser->data;
    int status = parser->status_code;
    bool has_no_body = response->is_to_head || status < 200 || status == 204 || status == 304;
    return has_no_body ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *bytes, size_t size)
{
    struct http_response *response = parser->data;
    if (size > response->body_bytes_max - response->body.size)
        return HPE_USER;
    buffer_append(&response->body, bytes, size);
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct http_response *response = parser->data;
    response->is_whole = true;
    response->may_keep = llhttp_should_keep_alive(parser) != 0;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static void begin(struct http_response *response)
{
    llhttp_init(&response->parser, HTTP_RESPONSE, &settings);
    response->parser.data = response;
    response->is_whole = false;
    response->is_in_body = false;
    response->head.size = 0;
    response->line_start = 0;
    response->header_count = 0;
}

void http_response_init(struct http_response *response, bool is_to_head, size_t head_bytes_max,
                        size_t body_bytes_max)
{
    *response = (struct http_response){.head_bytes_max = head_bytes_max,
                                       .body_bytes_max = body_bytes_max,
                                       .is_to_head = is_to_head};
    buffer_init(&response->head);
    buffer_init(&response->body);
    begin(response);
}

void http_response_release(struct http_response *response)
{
    buffer_release(&response->head);
    buffer_release(&response->body);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK", without the line end. */
static bool is_status_line(const char *line, size_t size)
{
    return size >= STATUS_LINE_MIN - 2 && memcmp(line, "HTTP/1.", 7) == 0 &&
           (line[7] == '0' || line[7] == '1') && line[8] == ' ' && is_digit(line[9]) &&
           is_digit(line[10]) && is_digit(line[11]) && (size == 12 || line[12] == ' ');
}

static bool has_controls(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_same(struct text text, const char *lower, size_t size)
{
    if (text.size != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c) != lower[i])
            return false;
    }
    return true;
}
#define IS_SAME(text, literal) is_same((text), (literal), sizeof(literal) - 1)

static enum http_response_result read_header(struct http_response *response, const char *line,
                                             size_t size)
{
    const char *colon = memchr(line, ':', size), *end = line + size;
    if (colon == NULL || colon == line || is_blank(line[0]) || is_blank(colon[-1]))
        return HTTP_RESPONSE_MALFORMED;
    if (response->header_count == HTTP_RESPONSE_HEADERS_MAX)
        return HTTP_RESPONSE_TOO_LARGE;
    const char *value = colon + 1;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    response->headers[response->header_count++] =
        (struct http_client_header){{line, (size_t)(colon - line)}, {value, (size_t)(end - value)}};
    return HTTP_RESPONSE_MORE;
}

/* What frames the body must be said once and in one way. */
static bool is_framing_clear(const struct http_response *response)
{
    int lengths = 0, codings = 0;
    for (size_t i = 0; i < response->header_count; i++) {
        const struct http_client_header *header = &response->headers[i];
        if (IS_SAME(header->name, "content-length"))
            lengths++;
        if (IS_SAME(header->name, "transfer-encoding")) {
            codings++;
            if (!IS_SAME(header->value, "chunked"))
                return false;
        }
    }
    return lengths + codings <= 1 && (codings == 0 || response->head.data[7] == '1');
}

/* The lines of the whole head. */
static enum http_response_result read_lines(struct http_response *response)
{
    const char *at = response->head.data, *end = at + response->head.size - 2;
    for (bool is_first = true; at < end; is_first = false) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)(lf - at) - 1;
        enum http_response_result result = HTTP_RESPONSE_MORE;
        if (has_controls(at, size) || (is_first && !is_status_line(at, size)))
            return HTTP_RESPONSE_MALFORMED;
        if (!is_first)
            result = read_header(response, at, size);
        if (result != HTTP_RESPONSE_MORE)
            return result;
        at = lf + 1;
    }
    return is_framing_clear(response) ? HTTP_RESPONSE_MORE : HTTP_RESPONSE_MALFORMED;
}

/* Shows the parser the next bytes; `used` of them were part of the answer. */
static enum http_response_result parse(struct http_response *response, const char *bytes,
                                       size_t size, size_t *used)
{
    llhttp_errno_t error = llhttp_execute(&response->parser, bytes, size);
    *used = size;
    if (error == HPE_OK)
        return HTTP_RESPONSE_MORE;
    if (error == HPE_USER)
        return HTTP_RESPONSE_TOO_LARGE;
    if (error != HPE_PAUSED)
        return HTTP_RESPONSE_MALFORMED;
    *used = (size_t)(llhttp_get_error_pos(&response->parser) - bytes);
    return HTTP_RESPONSE_WHOLE;
}

/* The head is whole, with its empty line. */
static enum http_response_result on_head(struct http_response *response)
{
    size_t used;
    enum http_response_result result = read_lines(response);
    if (result != HTTP_RESPONSE_MORE)
        return result;
    response->is_in_body = true;
    result = parse(response, response->head.data, response->head.size, &used);
    if (result == HTTP_RESPONSE_MALFORMED || result == HTTP_RESPONSE_TOO_LARGE)
        return result;
    int status = response->parser.status_code;
    if (status < 100 || status == 101)
        return HTTP_RESPONSE_MALFORMED; /* we asked for no upgrade */
    if (status < 200) {
        if (result != HTTP_RESPONSE_WHOLE)
            return HTTP_RESPONSE_MALFORMED;
        begin(response);
        return HTTP_RESPONSE_MORE;
    }
    if (result == HTTP_RESPONSE_MORE && response->parser.content_length != 0 &&
        !(response->parser.flags & F_CHUNKED) && response->parser.flags & F_CONTENT_LENGTH &&
        response->parser.content_length > response->body_bytes_max)
        return HTTP_RESPONSE_TOO_LARGE;
    return result;
}

/* Takes bytes up to the end of the line. */
static enum http_response_result read_head(struct http_response *response, const char *bytes,
                                           size_t size, size_t *used)
{
    const char *lf = memchr(bytes, '\n', size);
    size_t count = lf == NULL ? size : (size_t)(lf - bytes) + 1;
    *used = count;
    response->head_seen += count;
    if (response->head_seen > response->head_bytes_max)
        return HTTP_RESPONSE_TOO_LARGE;
    buffer_append(&response->head, bytes, count);
    if (lf == NULL)
        return HTTP_RESPONSE_MORE;
    const char *line = response->head.data + response->line_start;
    size_t line_size = response->head.size - response->line_start;
    if (line_size < 2 || line[line_size - 2] != '\r')
        return HTTP_RESPONSE_MALFORMED;
    if (response->line_start == 0 && !is_status_line(line, line_size - 2))
        return HTTP_RESPONSE_MALFORMED; /* said at once: there may be no second line */
    response->line_start = response->head.size;
    return line_size == 2 ? on_head(response) : HTTP_RESPONSE_MORE;
}

/* What frames the body is bounded with it, at the same byte however the bytes came. */
static enum http_response_result read_body(struct http_response *response, const char *bytes,
                                           size_t size, size_t *used)
{
    size_t bytes_max =
        response->head_bytes_max + (1 + CHUNK_OVERHEAD_MAX) * response->body_bytes_max;
    size_t left = bytes_max - response->body_seen;
    enum http_response_result result = parse(response, bytes, size < left ? size : left, used);
    response->body_seen += *used;
    return result == HTTP_RESPONSE_MORE && response->body_seen == bytes_max
               ? HTTP_RESPONSE_TOO_LARGE
               : result;
}

enum http_response_result http_response_read(struct http_response *response, const char *bytes,
                                             size_t size)
{
    enum http_response_result result = HTTP_RESPONSE_MORE;
    size_t at = 0;
    response->has_begun = response->has_begun || size != 0;
    while (at < size && result == HTTP_RESPONSE_MORE) {
        size_t used;
        result = response->is_in_body ? read_body(response, bytes + at, size - at, &used)
                                      : read_head(response, bytes + at, size - at, &used);
        at += used;
    }
    if (at < size)
        response->may_keep = false;
    return result;
}

enum http_response_result http_response_end(struct http_response *response)
{
    if (!response->is_in_body)
        return HTTP_RESPONSE_MORE;
    (void)llhttp_finish(&response->parser);
    response->may_keep = false;
    return response->is_whole ? HTTP_RESPONSE_WHOLE : HTTP_RESPONSE_MORE;
}
