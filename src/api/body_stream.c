/* What all bodies that are taken as they come have in common: which type the route's is, and the
 * fingerprint of what has come. */
#include "api/body_stream.h"

#include <assert.h>

#include "api/call.h"
#include "base/metric.h"

const struct body_stream_type *body_stream_type(enum route_body body)
{
    static const struct body_stream_type *const types[] = {[BODY_BATCH] = &batch_stream,
                                                           [BODY_LINES] = &signal_stream,
                                                           [BODY_RECIPIENTS] = &campaign_stream,
                                                           [BODY_STATEMENT] =
                                                               &reconciliation_stream,
                                                           [BODY_ANY] = NULL};

    return types[body];
}

struct body_stream *call_stream(struct call *call)
{
    const struct body_stream_type *type = body_stream_type(call->route->body);
    struct body_stream *stream = call->stream;

    assert(type != NULL);
    if (stream != NULL)
        return stream;
    stream = call->stream = type->begin(call);
    if (stream == NULL)
        return NULL;
    stream->type = type;
    stream->has_key = call->has_idempotency_key;
    stream->key = call->idempotency_key;
    stream->fingerprint = call->fingerprinting;
    return stream;
}

struct body_stream *call_take_stream(struct call *call, const char *too_many)
{
    struct body_stream *stream = call_stream(call);

    if (stream == NULL) {
        metric_add(METRIC_HTTP_SHED, 1);
        call_refuse(call, OUTCOME_OVERLOADED, too_many);
    }
    return stream;
}

void body_stream_feed(struct body_stream *stream, struct call *call, const char *data, size_t size)
{
    if (stream->has_key)
        hash_update(&stream->fingerprint, data, size);
    stream->type->feed(stream, call, data, size);
}
