/* POST /v1/campaigns/{id}/recipients while it arrives (SMS-14): lines are run in commands of
 * CAMPAIGN_LINES_MAX as they come, some a turn of the loop, so that however many there are nobody
 * else waits. What has not been run yet is held, up to about UPLOAD_PENDING_MAX and what one read
 * brings; then the client is not read from until it was, and so he is while memory for rows is
 * short. At most batches_max such requests, batches among them, are under way. */
#ifndef SMSD_API_CAMPAIGN_UPLOAD_H
#define SMSD_API_CAMPAIGN_UPLOAD_H

#include <stddef.h>

#include "base/hash.h"

struct call;
struct campaign_upload;
struct http_request;

enum { UPLOAD_PENDING_MAX = 256 << 10 };

/* For a call that has passed all checks up to its idempotency key. NULL: too many are there. */
struct campaign_upload *campaign_upload_new(struct call *call);
/* The request will never be whole. What was run stays. */
void campaign_upload_abandon(struct campaign_upload *upload);
void campaign_upload_feed(struct campaign_upload *upload, const struct http_request *request,
                          const char *data, size_t size);
/* Of the request as far as it was fed. */
struct hash campaign_upload_fingerprint(const struct campaign_upload *upload);

#endif
