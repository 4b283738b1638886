/* Matching: paths are cut at slashes once, rows at start; a row matches when every literal segment
 * is equal. The table is small and the busiest rows stand first among those of their length. */
#include "api/route.h"

#include <assert.h>

#include "api/body_stream.h"
#include "api/call.h"
#include "base/arena.h"
#include "base/buffer.h"

static const struct route routes[] = {
#define ROUTE(method, path, scope, success, body, query, handler)                                  \
    {HTTP_METHOD_##method, path, SCOPE_##scope, success, BODY_##body, QUERY_##query, api_##handler},
#include "api/route.def"
#undef ROUTE
};

enum { ROUTE_COUNT = sizeof routes / sizeof *routes };

struct segments {
    struct text items[ROUTE_SEGMENTS_MAX];
    size_t count; /* 0: more than ROUTE_SEGMENTS_MAX, or not a path */
};

static struct segments route_segments[ROUTE_COUNT];
static const struct route
    *streaming[ROUTE_COUNT]; /* the first are those whose body is taken as it comes */

static const char *const method_names[] = {
    [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",
    [HTTP_METHOD_POST] = "POST",       [HTTP_METHOD_PUT] = "PUT",
    [HTTP_METHOD_PATCH] = "PATCH",     [HTTP_METHOD_DELETE] = "DELETE",
    [HTTP_METHOD_OPTIONS] = "OPTIONS", [HTTP_METHOD_OTHER] = "OTHER",
};

static void cut(struct text path, struct segments *segments)
{
    const char *next = path.data, *end = path.data + path.size;

    segments->count = 0;
    if (path.size == 0 || *next != '/')
        return;
    while (next < end) {
        const char *from = next + 1;
        next = memchr(from, '/', (size_t)(end - from));
        if (next == NULL)
            next = end;
        if (segments->count == ROUTE_SEGMENTS_MAX) {
            segments->count = 0;
            return;
        }
        segments->items[segments->count++] = (struct text){from, (size_t)(next - from)};
    }
}

void routes_init(void)
{
    size_t count = 0;

    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        cut((struct text){routes[i].path, strlen(routes[i].path)}, &route_segments[i]);
        assert(route_segments[i].count > 0);
        if (body_stream_type(routes[i].body) != NULL)
            streaming[count++] = &routes[i];
    }
}

static bool is_param(struct text segment)
{
    return segment.size > 0 && segment.data[0] == '{';
}

static bool matches(const struct segments *row, const struct segments *path)
{
    if (row->count != path->count)
        return false;
    for (size_t i = 0; i < row->count; i++) {
        if (is_param(row->items[i]) ? path->items[i].size == 0
                                    : !text_equals(row->items[i], path->items[i]))
            return false;
    }
    return true;
}

const struct route *route_that_streams(enum http_method method, struct text path)
{
    struct segments segments;

    cut(path, &segments);
    for (size_t i = 0; i < ROUTE_COUNT && streaming[i] != NULL; i++) {
        if (method == streaming[i]->method &&
            matches(&route_segments[streaming[i] - routes], &segments))
            return streaming[i];
    }
    return NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* An escape that is not one stays as it is: such an id simply does not exist. */
static struct text decode(struct arena *arena, struct text segment)
{
    char *to;
    size_t size = 0;

    if (segment.size == 0 || memchr(segment.data, '%', segment.size) == NULL)
        return segment;
    to = arena_alloc(arena, segment.size);
    for (size_t i = 0; i < segment.size; i++) {
        int high = -1, low = -1;
        if (segment.data[i] == '%' && segment.size - i > 2) {
            high = hex_digit(segment.data[i + 1]);
            low = hex_digit(segment.data[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            to[size++] = (char)(high * 16 + low);
            i += 2;
        } else {
            to[size++] = segment.data[i];
        }
    }
    return (struct text){to, size};
}

static void take_params(struct arena *arena, const struct segments *row,
                        const struct segments *path, struct route_match *match)
{
    size_t count = 0;

    for (size_t i = 0; i < row->count; i++) {
        if (!is_param(row->items[i]))
            continue;
        assert(count < ROUTE_PARAMS_MAX);
        match->params[count++] = decode(arena, path->items[i]);
    }
}

void route_match(struct arena *arena, enum http_method method, struct text path,
                 struct route_match *match)
{
    struct segments segments = {.count = 0};

    *match = (struct route_match){.route = NULL};
    cut(path, &segments);
    if (segments.count == 0)
        return;
    if (method == HTTP_METHOD_HEAD)
        method = HTTP_METHOD_GET;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!matches(&route_segments[i], &segments))
            continue;
        if (routes[i].method == method) {
            match->route = &routes[i];
            take_params(arena, &route_segments[i], &segments, match);
            return;
        }
        match->allowed |= 1u << routes[i].method;
        if (routes[i].method == HTTP_METHOD_GET)
            match->allowed |= 1u << HTTP_METHOD_HEAD;
    }
}

const char *route_method_names(struct arena *arena, unsigned allowed)
{
    struct buffer names;
    const char *text;

    buffer_init(&names);
    for (size_t i = 0; i < sizeof method_names / sizeof *method_names; i++) {
        if (!(allowed & (1u << i)))
            continue;
        if (names.size > 0)
            buffer_append_literal(&names, ", ");
        buffer_append_text(&names, method_names[i]);
    }
    text = arena_copy(arena, names.data, names.size);
    buffer_release(&names);
    return text;
}
