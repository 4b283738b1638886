/* Writing the request that a configuration describes. */
#ifndef SMSD_GATEWAY_HTTP_REQUEST_H
#define SMSD_GATEWAY_HTTP_REQUEST_H

#include "base/buffer.h"
#include "gateway/http_config.h"
#include "http/client.h"

enum { HTTP_HEADERS_MAX = HTTP_NAMED_MAX + 3 };

/* A request in the making. Its texts lie in the arena. */
struct http_request_draft {
    struct arena *arena;
    struct text method, url, body;
    struct http_client_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    struct parameter query[HTTP_NAMED_MAX + 1], form[HTTP_NAMED_MAX + 1];
    size_t query_count, form_count;
};

/* `values`: of each of the messages that it is for; the first's serve where there is but one. */
void http_request_write(const struct http_ask *ask, const struct stencil_values *values,
                        size_t count, struct http_request_draft *draft);

#endif
