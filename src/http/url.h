/* URLs of the kind that the client can call: http or https, a host, perhaps a port, path and query
 * (RFC 3986, without user and fragment). */
#ifndef SMSD_HTTP_URL_H
#define SMSD_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

enum {
    HTTP_URL_MAX = 8192,
    HTTP_HOST_MAX = 253,
};

/* Its texts lie in the URL. */
struct http_url {
    bool is_https;
    bool is_v6;       /* the host was in brackets, which it is without here */
    struct text host; /* in whichever case it came */
    uint16_t port;    /* the scheme's own if none was named */
    struct text
        target; /* path and query as sent; empty: "/". Begins with '?' if there is no path */
};

/* False: not such a URL. */
bool http_url_parse(struct http_url *url, struct text text);

#endif
