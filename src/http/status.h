/* Status lines, ready to be copied. The statuses are the rows of status.def. */
#ifndef SMSD_HTTP_STATUS_H
#define SMSD_HTTP_STATUS_H

#include <stdbool.h>
#include <stddef.h>

struct http_status {
    const char *line; /* "HTTP/1.1 200 OK\r\n" */
    size_t size;
};

/* NULL if the status is not a row. */
const struct http_status *http_status(int status);
/* Replies that must not have a body nor its length: 204 and 304. */
bool http_status_is_bodiless(int status);

#endif
