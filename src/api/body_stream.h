/* A body that is taken as it comes: batches, signals, recipients, statements. Each has a struct of
 * its own that begins with a struct body_stream, made when the first bytes of the body are seen, or
 * by the handler where there are none before the last. */
#ifndef SMSD_API_BODY_STREAM_H
#define SMSD_API_BODY_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "api/route.h"
#include "base/hash.h"

struct call;

struct body_stream {
    const struct body_stream_type *type;
    bool has_key; /* the request has an idempotency key, which is: */
    struct hash128 key;
    struct hash fingerprint; /* of the request as far as it was fed */
};

struct body_stream_type {
    bool takes_json, takes_csv; /* beside lines of JSON; without a type it is JSON */
    size_t bytes_max_at;        /* offset in struct api_options of the most that it may have */
    /* For a call that has passed all checks up to its idempotency key. NULL: too many are there. */
    struct body_stream *(*begin)(struct call *call);
    void (*feed)(struct body_stream *stream, struct call *call, const char *data, size_t size);
    /* Nothing more will come, and nobody waits for an answer. What was run stays. */
    void (*abandon)(struct body_stream *stream);
};

extern const struct body_stream_type batch_stream, signal_stream, campaign_stream,
    reconciliation_stream;
/* NULL: bodies of this kind are gathered. */
const struct body_stream_type *body_stream_type(enum route_body body);

/* The call's; made if there is none yet. NULL: too many are there. A handler that keeps it sets
 * call->stream NULL. */
struct body_stream *call_stream(struct call *call);
/* The same for a handler. NULL: replied, `too_many` as the detail. */
struct body_stream *call_take_stream(struct call *call, const char *too_many);
void body_stream_feed(struct body_stream *stream, struct call *call, const char *data, size_t size);

#endif
