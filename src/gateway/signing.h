/* Signatures over requests, made for a provider and checked on its callbacks: a hash or an HMAC
 * over a text that a stencil makes of the request. What the schemes of providers differ in is data:
 * what is signed, in which order and escaping parameters stand, how the result is written, where it
 * goes. */
#ifndef SMSD_GATEWAY_SIGNING_H
#define SMSD_GATEWAY_SIGNING_H

#include "gateway/heard.h"
#include "gateway/stencil.h"
#include "net/digest.h"

struct buffer;

enum signing_writing { WRITTEN_HEX, WRITTEN_HEX_UPPER, WRITTEN_BASE64 };
enum signing_parameters { SIGNING_ALL, SIGNING_QUERY, SIGNING_FORM };

struct signing {
    enum digest digest;
    const struct stencil *key; /* NULL: a plain hash, the secret is part of `over` */
    const struct stencil *over;
    const struct stencil *value; /* NULL: the signature as it is */
    enum signing_writing writing;
    struct text header, parameter; /* where it stands: one of them has data */
    /* How {parameters} is made: those of query, form or both, but never the signature itself,
     * sorted by the bytes of their names: name, `pair`, value, with `between` between them. */
    enum signing_parameters of;
    struct text pair, between;
    enum { PARAMETERS_PLAIN, PARAMETERS_URL, PARAMETERS_UNDERSCORE } escape;
};

/* The request that is signed. */
struct signed_request {
    struct text method, url, path, query, body;
    const struct parameter *query_parameters, *form_parameters;
    size_t query_count, form_count;
};

/* `names`: what key and text may name beside the request's own values. The contexts say whether
 * it makes signatures (STENCIL_SIGN) or checks them (STENCIL_CHECK). */
const struct signing *signing_read(struct arena *arena, const struct json_value *value,
                                   const struct stencil_names *names, const char *pointer,
                                   struct json_errors *errors);
/* Appends the signature to `to`. `values` are the message's; the request's are put in. */
void signing_write(const struct signing *signing, const struct signed_request *request,
                   const struct stencil_values *values, struct buffer *to);
/* Is this the signature of the request? */
bool signing_holds(const struct signing *signing, const struct signed_request *request,
                   struct text signature);

#endif
