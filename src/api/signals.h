/* POST /v1/signals while it arrives (CITY-1): lines are run in commands of SIGNALS_MAX as they
 * come, about a thousand a turn of the loop, so that however many there are nobody else waits. What
 * has not been run yet is held, up to 1 MiB; beyond that more is run at once. At most batches_max
 * such requests, batches among them, are under way. */
#ifndef SMSD_API_SIGNALS_H
#define SMSD_API_SIGNALS_H

#include <stddef.h>

#include "base/hash.h"

struct call;
struct signal_stream;

/* For a call that has passed all checks up to its idempotency key. NULL: too many are there. */
struct signal_stream *signal_stream_new(struct call *call);
/* The request will never be whole. What was run stays. */
void signal_stream_abandon(struct signal_stream *stream);
void signal_stream_feed(struct signal_stream *stream, const char *data, size_t size);
/* Of the request as far as it was fed. */
struct hash signal_stream_fingerprint(const struct signal_stream *stream);

#endif
