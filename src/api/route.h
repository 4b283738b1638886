/* The routes, as rows of route.def, and finding one. Paths and handlers are static; what matches
 * points into the request, or into its arena where it was percent-encoded. */
#ifndef SMSD_API_ROUTE_H
#define SMSD_API_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "engine/row.h"
#include "http/server.h"

struct call;
struct arena;

enum { ROUTE_PARAMS_MAX = 2, ROUTE_SEGMENTS_MAX = 6 };

#define SCOPE_OPEN 0

enum route_body {
    BODY_NONE,
    BODY_JSON,
    BODY_BATCH,
    BODY_LINES,
    BODY_RECIPIENTS,
    BODY_STATEMENT,
    BODY_ANY
};

enum route_query { QUERY_NONE, QUERY_READ, QUERY_ANY };

struct route {
    enum http_method method;
    const char *path;
    uint32_t scope; /* enum scope, or SCOPE_OPEN */
    int success;
    enum route_body body;
    enum route_query query;
    void (*handler)(struct call *call);
};

struct route_match {
    const struct route *route;            /* NULL: no such path, or not with this method */
    struct text params[ROUTE_PARAMS_MAX]; /* decoded, in the arena where they were encoded */
    unsigned allowed; /* with route NULL: bit (1 << method) for each method the path has */
};

/* Once, before the first match. */
void routes_init(void);
void route_match(struct arena *arena, enum http_method method, struct text path,
                 struct route_match *match);
/* Cheaper: the route, if its body is taken as it comes (api/body_stream.h); otherwise NULL. */
const struct route *route_that_streams(enum http_method method, struct text path);
/* "GET, POST" for the Allow header. */
const char *route_method_names(struct arena *arena, unsigned allowed);

#endif
