/* The catalogue's part of the audit: is what follows from things what their fields say? Fed with
 * rows in any order, QUOTA's by key; sums of hashes, as in engine/audit.c, prove that each thing is
 * named once by each list that should have it, and by nothing else. Offline only. */
#ifndef SMSD_ENGINE_CATALOG_AUDIT_H
#define SMSD_ENGINE_CATALOG_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "store/table.h"

struct catalog_audit {
    uint64_t things; /* how many */
    /* What things say, and what is kept beside them. */
    uint64_t numbers_said, numbers_kept;     /* CATALOG_NUMBER */
    uint64_t routes_said, routes_kept;       /* ROUTE */
    uint64_t products_said, products_kept;   /* PRODUCT */
    uint64_t countries_said, countries_kept; /* CALLING_CODE */
    uint64_t quotas_said, quotas_kept;       /* the last row in QUOTA of each product */
    struct {
        uint64_t product, number;
    } last;            /* the row of QUOTA that came last */
    const char *fault; /* the first thing found wrong; NULL: none */
};

void catalog_audit_row(struct catalog_audit *audit, enum table table, const void *key,
                       size_t key_size, const void *value, size_t value_size);
/* What is wrong, or NULL. */
const char *catalog_audit_finish(struct catalog_audit *audit);

#endif
