/* The campaigns' part of the audit: do their counts and sums say what their recipients, errors and
 * messages are? Fed with rows, TABLE_CAMPAIGN's first, the others in any order; sums of hashes, as
 * in engine/audit.c. Offline only. */
#ifndef SMSD_ENGINE_CAMPAIGN_AUDIT_H
#define SMSD_ENGINE_CAMPAIGN_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/campaign_row.h"
#include "store/table.h"

struct message_row;

enum { CAMPAIGN_SUMS = 10, CAMPAIGNS_SKIPPED_MAX = 64 };

struct campaign_audit {
    /* What campaigns say, and what their rows are: see campaign_audit.c. */
    uint64_t said[CAMPAIGN_SUMS], there[CAMPAIGN_SUMS];
    /* Those whose recipients and errors are just being deleted: these say nothing. */
    uint64_t skipped[CAMPAIGNS_SKIPPED_MAX];
    size_t skipped_count; /* CAMPAIGNS_SKIPPED_MAX: too many to know them all */
    const char *fault;    /* the first thing found wrong; NULL: none */
};

void campaign_audit_row(struct campaign_audit *audit, enum table table, const void *key,
                        size_t key_size, const void *value, size_t value_size);
void campaign_audit_message(struct campaign_audit *audit, const struct message_row *row);
/* What is wrong, or NULL. */
const char *campaign_audit_finish(struct campaign_audit *audit);

#endif
