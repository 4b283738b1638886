/* Heads are looked at in place where they are whole; only one that is cut is gathered in the parser
 * first. Both protocols are "a head that tells how long the body is, then the body": an HTTP head
 * is all header lines, a RESP head one line. */
#include "reply.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* Returns the size of the head, 0 if its end is not there yet, -1 if it is malformed. */
typedef long scan_head(struct reply_parser *parser, const char *data, size_t size);

void reply_init(struct reply_parser *parser, enum reply_protocol protocol, const char *text)
{
    *parser = (struct reply_parser){.protocol = protocol, .text = text};
    parser->text_size = text == NULL ? 0 : strlen(text);
    assert(parser->text_size <= REPLY_TEXT_BYTES_MAX);
}

static long malformed(struct reply_parser *parser, const char *why)
{
    parser->why = why;
    return -1;
}

static void begin(struct reply_parser *parser, int status)
{
    parser->status = status;
    parser->has_text = false;
    parser->tail_size = 0;
    parser->sample_size = 0;
}

/* Digits up to anything else; -1 if there are none or too many. */
static int64_t number_at(const char *at, const char *end)
{
    int64_t number = 0;
    int digits = 0;

    for (; at < end && *at >= '0' && *at <= '9'; at++, digits++) {
        if (digits == 15)
            return -1;
        number = number * 10 + (*at - '0');
    }
    return digits == 0 ? -1 : number;
}

static bool starts_with(const char *line, const char *end, const char *name, size_t name_size)
{
    return (size_t)(end - line) > name_size && strncasecmp(line, name, name_size) == 0;
}

static long scan_status_line(struct reply_parser *parser, const char *line, const char *line_end)
{
    if (line_end - line < 13 || memcmp(line, "HTTP/1.", 7) != 0)
        return malformed(parser, "no HTTP/1.x status line");
    int64_t status = number_at(line + 9, line + 12);
    if (status < 200 || status > 599)
        return malformed(parser, "a status outside 200 to 599");
    begin(parser, (int)status);
    return 0;
}

static long scan_header_line(struct reply_parser *parser, const char *line, const char *end,
                             int64_t *length)
{
    char first = (char)(*line | 0x20);
    if (first == 'c' && starts_with(line, end, "content-length:", 15)) {
        const char *at = line + 15;
        while (at < end && *at == ' ')
            at++;
        *length = number_at(at, end);
        return *length < 0 ? malformed(parser, "a Content-Length that is no number") : 0;
    }
    if (first == 't' && starts_with(line, end, "transfer-encoding:", 18))
        return malformed(parser, "Transfer-Encoding");
    return 0;
}

static long scan_http(struct reply_parser *parser, const char *data, size_t size)
{
    const char *line = data, *end = data + size;
    const char *line_end = memchr(line, '\n', size);
    int64_t length = -1;

    if (line_end == NULL)
        return 0;
    if (scan_status_line(parser, line, line_end) < 0)
        return -1;
    for (line = line_end + 1; line < end; line = line_end + 1) {
        line_end = memchr(line, '\n', (size_t)(end - line));
        if (line_end == NULL)
            return 0;
        if (*line == '\r' || *line == '\n') {
            if (parser->status == 204 || parser->status == 304)
                length = 0;
            if (length < 0)
                return malformed(parser, "no Content-Length");
            parser->body_left = (uint64_t)length;
            return line_end + 1 - data;
        }
        if (scan_header_line(parser, line, line_end, &length) < 0)
            return -1;
    }
    return 0;
}

static void take_sample(struct reply_parser *parser, const char *data, size_t size)
{
    size_t room = sizeof parser->sample - parser->sample_size;
    size_t taken = size < room ? size : room;
    memcpy(parser->sample + parser->sample_size, data, taken);
    parser->sample_size += taken;
}

/* An element's first line. Its own place among the elements is counted when its body has ended. */
static long scan_resp(struct reply_parser *parser, const char *data, size_t size)
{
    const char *line_end = memchr(data, '\n', size);
    if (line_end == NULL)
        return 0;
    if (parser->elements_left == 0) {
        begin(parser, 200);
        parser->elements_left = 1;
    }
    parser->body_left = 0;
    if (*data == '-') {
        parser->status = 500;
        take_sample(parser, data, (size_t)(line_end - data));
    } else if (*data == '$' || *data == '*') {
        bool is_null = line_end - data > 1 && data[1] == '-';
        int64_t count = is_null ? 0 : number_at(data + 1, line_end);
        if (count < 0)
            return malformed(parser, "a RESP length that is no number");
        if (*data == '*')
            parser->elements_left += (uint64_t)count;
        else if (!is_null)
            parser->body_left = (uint64_t)count + 2;
    } else if (*data != '+' && *data != ':') {
        return malformed(parser, "no RESP type");
    }
    return line_end + 1 - data;
}

static enum reply_result take_head(struct reply_parser *parser, const char **at, const char *end,
                                   scan_head *scan)
{
    const char *data = *at;
    size_t size = (size_t)(end - *at), before = parser->head_size;

    if (before > 0) {
        size_t room = sizeof parser->head - before;
        size_t taken = size < room ? size : room;
        memcpy(parser->head + before, *at, taken);
        data = parser->head;
        size = before + taken;
    }
    long head_size = size == 0 ? 0 : scan(parser, data, size);
    if (head_size < 0)
        return REPLY_MALFORMED;
    if (head_size > 0) {
        *at += (size_t)head_size - before;
        parser->head_size = 0;
        return REPLY_COMPLETE;
    }
    if (size >= sizeof parser->head) {
        parser->why = "a head that is too long";
        return REPLY_MALFORMED;
    }
    if (before == 0)
        memcpy(parser->head, data, size);
    parser->head_size = size;
    *at = end;
    return REPLY_MORE;
}

/* Looks for the text in the stream of a body's pieces: across the last cut, then within the piece.
 */
static void search(struct reply_parser *parser, const char *data, size_t size)
{
    char window[2 * REPLY_TEXT_BYTES_MAX];
    size_t reach = parser->text_size - 1;
    size_t front = size < reach ? size : reach;

    memcpy(window, parser->tail, parser->tail_size);
    memcpy(window + parser->tail_size, data, front);
    size_t window_size = parser->tail_size + front;
    parser->has_text = memmem(window, window_size, parser->text, parser->text_size) != NULL ||
                       memmem(data, size, parser->text, parser->text_size) != NULL;
    if (size >= reach) {
        memcpy(parser->tail, data + size - reach, reach);
        parser->tail_size = reach;
    } else {
        size_t kept = window_size < reach ? window_size : reach;
        memcpy(parser->tail, window + window_size - kept, kept);
        parser->tail_size = kept;
    }
}

/* True when the body has ended. */
static bool take_body(struct reply_parser *parser, const char **at, const char *end)
{
    size_t available = (size_t)(end - *at);
    size_t taken = parser->body_left < available ? (size_t)parser->body_left : available;

    if (parser->status >= 300 || parser->text != NULL)
        take_sample(parser, *at, taken);
    if (parser->text != NULL && !parser->has_text)
        search(parser, *at, taken);
    *at += taken;
    parser->body_left -= taken;
    return parser->body_left == 0;
}

enum reply_result reply_next(struct reply_parser *parser, const char **at, const char *end)
{
    scan_head *scan = parser->protocol == REPLY_HTTP ? scan_http : scan_resp;

    for (;;) {
        if (!parser->is_in_body) {
            enum reply_result result = take_head(parser, at, end, scan);
            if (result != REPLY_COMPLETE)
                return result;
            parser->is_in_body = true;
        }
        if (!take_body(parser, at, end))
            return REPLY_MORE;
        parser->is_in_body = false;
        if (parser->protocol == REPLY_HTTP || --parser->elements_left == 0)
            return REPLY_COMPLETE;
    }
}
