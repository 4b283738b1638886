/* The refusals of the server's own, declared as rows of refusal.def. */
#ifndef SMSD_HTTP_REFUSAL_H
#define SMSD_HTTP_REFUSAL_H

enum http_refusal {
    HTTP_REFUSAL_NONE,
#define REFUSAL(id, status, code, header, detail) HTTP_REFUSAL_##id,
#include "http/refusal.def"
#undef REFUSAL
};

struct http_refusal_row {
    int status;
    const char *code;
    const char *header; /* a whole line for the reply, or "" */
    const char *detail;
};

/* Not for HTTP_REFUSAL_NONE. */
const struct http_refusal_row *http_refusal_row(enum http_refusal refusal);

#endif
