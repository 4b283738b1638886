/* From request to handler: route, key, query, idempotency key, media type, body, in that order, so
 * that nothing is parsed for a caller who may not. */
#include "api/api.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "api/body_stream.h"
#include "api/call.h"
#include "api/grab_limit.h"
#include "api/packet_gate.h"
#include "base/entropy.h"

/* Beside the parsed body: decoded parameters, pointers of errors, what a handler keeps. */
enum { CALL_BYTES_MAX = 4 << 20 };

static bool is_type(struct text type, struct text wanted)
{
    return type.size >= wanted.size && strncasecmp(type.data, wanted.data, wanted.size) == 0 &&
           (type.size == wanted.size || type.data[wanted.size] == ';' ||
            type.data[wanted.size] == ' ');
}

static bool is_encoded(const struct call *call)
{
    struct text encoding = {call->request->content_encoding.data,
                            call->request->content_encoding.size};

    return encoding.size > 0 && !is_type(encoding, TEXT("identity"));
}

/* None at all is taken for JSON. Nothing is unpacked. */
static bool take_type(struct call *call)
{
    const struct body_stream_type *stream = body_stream_type(call->route->body);
    struct text type = {call->request->content_type.data, call->request->content_type.size};

    if (is_encoded(call))
        return false;
    if (type.data == NULL || is_type(type, TEXT("application/json")))
        return stream == NULL || stream->takes_json;
    if (stream == NULL)
        return false;
    call->is_lines = is_type(type, TEXT("application/x-ndjson"));
    return call->is_lines || (stream->takes_csv && is_type(type, TEXT("text/csv")));
}

static bool find_route(struct call *call)
{
    struct text path = {call->request->path.data, call->request->path.size};
    struct route_match match;

    route_match(call->arena, call->request->method, path, &match);
    if (match.route == NULL && match.allowed == 0) {
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
        return false;
    }
    if (match.route == NULL) {
        buffer_append_literal(call->reply->headers, "Allow: ");
        buffer_append_text(call->reply->headers, route_method_names(call->arena, match.allowed));
        buffer_append_literal(call->reply->headers, "\r\n");
        call_refuse(call, OUTCOME_METHOD_NOT_ALLOWED, NULL);
        return false;
    }
    call->route = match.route;
    memcpy(call->params, match.params, sizeof call->params);
    return true;
}

bool idempotency_key_is_valid(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] < 0x20 || data[i] > 0x7e)
            return false;
    }
    return size > 0 && size <= IDEMPOTENCY_KEY_MAX;
}

struct hash128 call_key_hash(const struct call *call, struct text key)
{
    struct hash hash;

    hash_init(&hash, pipeline_secret(call->api->pipeline), true);
    hash_update(&hash, &call->key->row.number, sizeof call->key->row.number);
    hash_update(&hash, key.data, key.size);
    return hash_finish128(&hash);
}

/* The key's hash stands for API key and Idempotency-Key, the fingerprint for everything that makes
 * the request what it is. A NUL between the pieces keeps them apart. */
static bool take_idempotency_key(struct call *call)
{
    const struct http_request *request = call->request;
    struct text key = {request->idempotency_key.data, request->idempotency_key.size};

    if (request->method != HTTP_METHOD_POST || key.data == NULL || call->key == NULL)
        return true;
    if (!idempotency_key_is_valid(key.data, key.size) ||
        request->header_count_idempotency_key > 1) {
        call_refuse(call, OUTCOME_INVALID,
                    "Idempotency-Key must be one header of 1 to 64 printable characters");
        return false;
    }
    call->idempotency_key = call_key_hash(call, key);
    hash_init(&call->fingerprinting, pipeline_secret(call->api->pipeline), false);
    hash_update(&call->fingerprinting, request->path.data, request->path.size);
    hash_update(&call->fingerprinting, "", 1);
    hash_update(&call->fingerprinting, request->query.data, request->query.size);
    hash_update(&call->fingerprinting, "", 1);
    call->has_idempotency_key = true;
    return true;
}

/* The same, however much of the body a batch has been fed before. */
static void take_fingerprint(struct call *call)
{
    struct http_span body = call->request->body;
    struct hash hash;

    if (!call->has_idempotency_key)
        return;
    hash = call->stream != NULL ? call->stream->fingerprint : call->fingerprinting;
    hash_update(&hash, body.data, body.size);
    call->fingerprint = hash_finish64(&hash);
}

static bool parse_body(struct call *call)
{
    const struct http_request *request = call->request;
    const char *why;

    if (request->body.size == 0 || call->route->body == BODY_NONE || call->route->body == BODY_ANY)
        return true;
    if (!take_type(call)) {
        if (is_encoded(call))
            buffer_append_literal(call->reply->headers, "Accept-Encoding: identity\r\n");
        call_refuse(call, OUTCOME_UNSUPPORTED_MEDIA_TYPE,
                    is_encoded(call) ? "The body must be without a Content-Encoding" : NULL);
        return false;
    }
    if (call->route->body != BODY_JSON)
        return true;
    call->json = json_parse(call->arena, request->body.data, request->body.size, &why);
    if (call->json != NULL)
        return true;
    call_refuse(call, OUTCOME_MALFORMED_JSON, why);
    return false;
}

/* Overload shows before any work: what writes is refused by its method. */
static bool is_admitted(struct call *call)
{
    enum outcome outcome;

    if (call->request->method == HTTP_METHOD_GET || call->request->method == HTTP_METHOD_HEAD)
        return true;
    outcome = pipeline_admits(call->api->pipeline);
    if (outcome == OUTCOME_OK)
        return true;
    call_refuse(call, outcome, NULL);
    return false;
}

/* Before the key, which stands for the whole request. */
static bool is_query_known(struct call *call)
{
    return call->route->query != QUERY_NONE || call_bind_query(call, NULL, 0, NULL);
}

static bool may(struct call *call)
{
    return find_route(call) && call_authenticate(call) && is_admitted(call) &&
           is_query_known(call) && take_idempotency_key(call);
}

/* A call whose body is still to come. What it is refused with is found again once it is whole. */
static struct call trial(struct api *api, const struct http_request *request,
                         struct http_reply *never_sent)
{
    *never_sent = (struct http_reply){.headers = &api->try_headers, .body = &api->try_body};
    api->try_headers.size = api->try_body.size = 0;
    return (struct call){.api = api,
                         .arena = &api->arena,
                         .request = request,
                         .reply = never_sent,
                         .is_trial = true};
}

/* May this request, whose body is still to come, be taken as it comes? */
static bool may_stream(struct call *call)
{
    struct text path = {call->request->path.data, call->request->path.size};

    return route_that_streams(call->request->method, path) != NULL && may(call) && take_type(call);
}

static size_t on_headers(void *context, const struct http_request *request)
{
    struct api *api = context;
    struct http_reply never_sent;
    struct call call = trial(api, request, &never_sent);
    size_t bytes_max = api->options.body_bytes_max;

    if (may_stream(&call))
        memcpy(&bytes_max,
               (const char *)&api->options + body_stream_type(call.route->body)->bytes_max_at,
               sizeof bytes_max);
    arena_reset(&api->arena);
    return bytes_max;
}

static size_t on_body(void *context, const struct http_request *request, const char *data,
                      size_t size)
{
    struct api *api = context;
    struct http_reply never_sent;
    struct call call = trial(api, request, &never_sent);

    if (*request->request_data == NULL && !may_stream(&call)) {
        arena_reset(&api->arena);
        return 0;
    }
    call.stream = *request->request_data;
    *request->request_data = call.stream == NULL ? call_stream(&call) : call.stream;
    if (call.stream != NULL)
        body_stream_feed(call.stream, &call, data, size);
    else
        size = HTTP_BODY_NO_ROOM;
    arena_reset(&api->arena);
    return size;
}

static void abandon(struct body_stream *stream)
{
    stream->type->abandon(stream);
}

static void on_request_abandoned(void *context, void *request_data)
{
    (void)context;
    abandon(request_data);
}

static void on_request(void *context, const struct http_request *request, struct http_reply *reply)
{
    struct api *api = context;
    struct call call = {.api = api, .arena = &api->arena, .request = request, .reply = reply};

    call.stream = *request->request_data;
    call_common_headers(api, request, reply->headers);
    if (may(&call)) {
        take_fingerprint(&call);
        if (parse_body(&call))
            call.route->handler(&call);
    }
    if (call.stream != NULL)
        abandon(call.stream);
    arena_reset(&api->arena);
}

static void on_connection_end(void *context, void *connection_data)
{
    (void)context;
    free(connection_data);
}

struct api *api_new(struct pipeline *pipeline, struct jobs *jobs, struct gateways *gateways,
                    const struct api_options *options)
{
    struct api *api = calloc(1, sizeof *api);

    assert(api != NULL);
    api->pipeline = pipeline;
    api->jobs = jobs;
    api->gateways = gateways;
    api->options = *options;
    arena_init(&api->arena, JSON_ARENA_BYTES_MAX(options->body_bytes_max) + CALL_BYTES_MAX);
    api->packet_gate = packet_gate_new();
    api->grab_limit = grab_limit_new(options->packets_grabs_per_minute);
    entropy_fill(&api->request_id_secret, sizeof api->request_id_secret);
    routes_init();
    return api;
}

void api_set_options(struct api *api, const struct api_options *options)
{
    assert(options->body_bytes_max == api->options.body_bytes_max &&
           options->packets_grabs_per_minute == api->options.packets_grabs_per_minute);
    api->options = *options;
}

void api_free(struct api *api)
{
    grab_limit_free(api->grab_limit);
    packet_gate_free(api->packet_gate);
    buffer_release(&api->try_headers);
    buffer_release(&api->try_body);
    arena_release(&api->arena);
    free(api);
}

void api_handler(struct api *api, struct http_handler *handler)
{
    *handler = (struct http_handler){.on_headers = on_headers,
                                     .on_body = on_body,
                                     .on_request_abandoned = on_request_abandoned,
                                     .on_request = on_request,
                                     .on_refusal = api_on_refusal,
                                     .on_connection_end = on_connection_end,
                                     .context = api};
}
