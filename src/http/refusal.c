/* The rows of refusal.def as a table. */
#include "http/refusal.h"

#include <assert.h>
#include <stddef.h>

static const struct http_refusal_row rows[] = {
#define REFUSAL(id, status, code, header, detail)                                                  \
    [HTTP_REFUSAL_##id] = {status, code, header, detail},
#include "http/refusal.def"
#undef REFUSAL
};

const struct http_refusal_row *http_refusal_row(enum http_refusal refusal)
{
    assert(refusal > HTTP_REFUSAL_NONE && (size_t)refusal < sizeof rows / sizeof *rows);
    return &rows[refusal];
}
