/* POST /v1/reports/reconciliations while its statement arrives (SMS-21): NDJSON or CSV, taken line
 * by line, so that of the body only what a line says is held. At most RECONCILIATIONS_MAX are under
 * way. */
#ifndef SMSD_API_RECONCILIATIONS_H
#define SMSD_API_RECONCILIATIONS_H

#include <stddef.h>

struct call;
struct reconciliation;

enum { RECONCILIATIONS_MAX = 2 };

/* For a call that has passed all checks up to its body. NULL: too many are there. */
struct reconciliation *reconciliation_new(struct call *call);
/* The request will never be whole. */
void reconciliation_abandon(struct reconciliation *reconciliation);
void reconciliation_feed(struct reconciliation *reconciliation, const char *data, size_t size);

#endif
