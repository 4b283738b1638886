/* A batch on its way (BILL-10): made when the first bytes of its body are seen, fed as they come,
 * run when the last has come and everything was well-formed; until then it has left no trace.
 *
 * Memory: a batch keeps per item a struct item and at most ACCOUNT_ID_MAX + REFERENCE_MAX bytes of
 * text, and while it runs what it answers per item: below 4 KiB an item at the most, 10,000 items.
 * Of the bytes sent it keeps at most one item's. At most batches_max of them exist. */
#ifndef SMSD_API_BATCH_H
#define SMSD_API_BATCH_H

#include <stddef.h>

#include "base/hash.h"

struct batch;
struct call;

/* For a call that has passed all checks up to its idempotency key. NULL: batches_max are there. */
struct batch *batch_new(struct call *call);
void batch_free(struct batch *batch);
/* More of the body. What is wrong with it shows at the end: the rest is passed over. */
void batch_feed(struct batch *batch, struct call *call, const char *data, size_t size);
/* The fingerprint of the request as far as it was fed. */
struct hash batch_fingerprint(const struct batch *batch);

#endif
