/* A batch on its way (BILL-10): made when the first bytes of its body are seen, fed as they come,
 * run when the last has come and everything was well-formed; until then it has left no trace.
 *
 * Memory, of which bytes sent are no part: while it is read at most 12 MiB, that is for each of
 * 10,000 items a struct item (216 bytes) and ACCOUNT_ID_MAX + REFERENCE_MAX of texts, 2 MiB for
 * what items are refused with, one item's bytes, and what storage that doubles has to spare. While
 * it is run, also its answer, at most some 1.2 KiB an item, and if it is atomic 288 bytes an item.
 * At most batches_max of them exist. */
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
