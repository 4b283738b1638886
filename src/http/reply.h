/* Writing a reply's head and body as they go over the wire. */
#ifndef SMSD_HTTP_REPLY_H
#define SMSD_HTTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

struct buffer;

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", made once a second. */
struct http_date {
    char line[38];
    uint64_t fresh_until_ms; /* on the loop's clock */
};
enum { HTTP_DATE_LINE_SIZE = 37 };

/* `now_ms` is the loop's clock; the time shown is the system's. */
const char *http_date_line(struct http_date *date, uint64_t now_ms);

/* What the request has to do with how its reply looks. */
struct http_manner {
    bool is_head; /* the body's length is said, the body left out */
    bool is_http_1_0;
    bool is_close; /* the connection closes behind the reply */
};

/* `status` must be a row of status.def. `content_type` NULL: no body. */
void http_reply_append(struct buffer *to, const char *date_line, struct http_manner manner,
                       int status, const char *content_type, const struct buffer *headers,
                       const struct buffer *body);

#endif
