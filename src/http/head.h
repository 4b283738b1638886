/* A request's head: request line and headers, read once all of it is there and the parser has
 * accepted its characters. What the parser lets through and this server does not is refused here.
 */
#ifndef SMSD_HTTP_HEAD_H
#define SMSD_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "http/refusal.h"
#include "http/server.h"

enum http_expectation { HTTP_EXPECTS_NOTHING, HTTP_EXPECTS_CONTINUE, HTTP_EXPECTS_OTHER };

struct http_head {
    struct http_request request; /* its spans lie in the bytes the head was read from */
    enum http_expectation expectation;
    bool is_http_1_0;
    bool is_close;   /* the client wants no more than this one reply */
    bool is_chunked; /* otherwise the body is as long as the parser says */
    unsigned seen;   /* headers that may come once: bits */
};

/* Reads `size` bytes that end behind the empty line. */
enum http_refusal http_head_read(struct http_head *head, const char *bytes, size_t size);

/* The headers behind a chunked body: what lies between the last chunk's line and the end of the
 * empty line. They are checked for the same line ends and dropped. */
enum http_refusal http_trailers_check(const char *bytes, size_t size);

#endif
