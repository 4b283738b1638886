/* The rows of status.def as a table, looked up by number. */
#include "http/status.h"

#include "http/server.h"

enum { STATUS_MIN = 200, STATUS_MAX = 599 };

static const struct row {
    struct http_status line;
    const char *text;
} rows[STATUS_MAX - STATUS_MIN + 1] = {
#define STATUS(number, reason)                                                                     \
    [number - STATUS_MIN] = {{"HTTP/1.1 " #number " " reason "\r\n",                               \
                              sizeof("HTTP/1.1 " #number " " reason "\r\n") - 1},                  \
                             reason},
#include "http/status.def"
#undef STATUS
};

const struct http_status *http_status(int status)
{
    if (status < STATUS_MIN || status > STATUS_MAX)
        return NULL;
    const struct http_status *line = &rows[status - STATUS_MIN].line;
    return line->line == NULL ? NULL : line;
}

const char *http_status_text(int status)
{
    return status < STATUS_MIN || status > STATUS_MAX ? NULL : rows[status - STATUS_MIN].text;
}

bool http_status_is_bodiless(int status)
{
    return status == 204 || status == 304;
}
