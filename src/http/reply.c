/* Replies as bytes. One reservation for the whole reply, then copying: no formatting on the way. */
#include "http/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/digits.h"
#include "http/status.h"

#define CONTENT_TYPE   "Content-Type: "
#define CONTENT_LENGTH "Content-Length: "
#define CLOSE          "Connection: close\r\n"
#define KEEP_ALIVE     "Connection: keep-alive\r\n"

/* All of a reply that is neither its status line, its content type nor the handler's. */
enum {
    FIXED_MAX = HTTP_DATE_LINE_SIZE + sizeof CONTENT_TYPE + 2 + sizeof CONTENT_LENGTH + DIGITS_MAX +
                2 + sizeof KEEP_ALIVE + 2,
};

static void make_date_line(struct http_date *date, time_t now)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;
    gmtime_r(&now, &tm);
    int size =
        snprintf(date->line, sizeof date->line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                 tm.tm_min, tm.tm_sec);
    assert(size == HTTP_DATE_LINE_SIZE);
}

const char *http_date_line(struct http_date *date, uint64_t now_ms)
{
    if (now_ms >= date->fresh_until_ms) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        make_date_line(date, now.tv_sec);
        date->fresh_until_ms = now_ms + 1000 - (uint64_t)now.tv_nsec / 1000000;
    }
    return date->line;
}

static inline char *put(char *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}
#define PUT(to, literal) put((to), (literal), sizeof(literal) - 1)

static char *put_length(char *to, size_t size)
{
    to = PUT(to, CONTENT_LENGTH);
    to += digits_put_uint(to, size);
    return PUT(to, "\r\n");
}

static char *put_connection(char *to, struct http_manner manner)
{
    if (manner.is_close)
        return PUT(to, CLOSE);
    return manner.is_http_1_0 ? PUT(to, KEEP_ALIVE) : to;
}

void http_reply_append(struct buffer *to, const char *date_line, struct http_manner manner,
                       int status, const char *content_type, const struct buffer *headers,
                       const struct buffer *body)
{
    const struct http_status *line = http_status(status);
    assert(line != NULL);
    size_t type_size = content_type == NULL ? 0 : strlen(content_type);
    size_t body_size = content_type == NULL ? 0 : body->size;
    char *start =
        buffer_reserve(to, line->size + FIXED_MAX + type_size + headers->size + body_size);
    char *at = put(start, line->line, line->size);
    at = put(at, date_line, HTTP_DATE_LINE_SIZE);
    if (content_type != NULL && !http_status_is_bodiless(status)) {
        at = PUT(at, CONTENT_TYPE);
        at = put(at, content_type, type_size);
        at = PUT(at, "\r\n");
    }
    if (!http_status_is_bodiless(status))
        at = put_length(at, body_size);
    at = put_connection(at, manner);
    if (headers->size != 0)
        at = put(at, headers->data, headers->size);
    at = PUT(at, "\r\n");
    if (body_size != 0 && !manner.is_head && !http_status_is_bodiless(status))
        at = put(at, body->data, body_size);
    to->size += (size_t)(at - start);
}
