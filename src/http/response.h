/* Reading one answer to a request of ours from a connection's bytes, strictly (RFC 9112): see
 * client.h for what is refused. Knows no connection.
 *
 * Bytes may come cut anywhere. 1xx answers before the answer are read over. */
#ifndef SMSD_HTTP_RESPONSE_H
#define SMSD_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include <llhttp.h>

#include "base/buffer.h"
#include "http/client.h"

enum { HTTP_RESPONSE_HEADERS_MAX = 128 };

enum http_response_result {
    HTTP_RESPONSE_MORE,
    HTTP_RESPONSE_WHOLE,
    HTTP_RESPONSE_MALFORMED,
    HTTP_RESPONSE_TOO_LARGE,
};

struct http_response {
    llhttp_t parser;
    size_t head_bytes_max, body_bytes_max;
    bool is_to_head; /* the request's method was HEAD: there is no body */
    bool is_whole;
    bool may_keep;   /* set with is_whole: the connection may serve another request */
    bool is_in_body; /* the head is whole */
    bool has_begun;  /* a byte came */
    struct buffer head, body;
    size_t line_start;   /* in `head`, of the line that is not whole */
    size_t head_seen;    /* bytes of heads, with those of 1xx */
    size_t body_seen;    /* bytes behind the head, with what frames them */
    size_t header_count; /* of `headers`, which lie in `head` */
    struct http_client_header headers[HTTP_RESPONSE_HEADERS_MAX];
};

void http_response_init(struct http_response *response, bool is_to_head, size_t head_bytes_max,
                        size_t body_bytes_max);
void http_response_release(struct http_response *response);
/* More bytes of the connection. What is behind the answer makes it one that may not be kept. */
enum http_response_result http_response_read(struct http_response *response, const char *bytes,
                                             size_t size);
/* The peer will send no more. HTTP_RESPONSE_MORE: too early. */
enum http_response_result http_response_end(struct http_response *response);

#endif
