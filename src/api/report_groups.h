/* The lines of a report while its counters are read (SMS-21): as many as a page has, the first ones
 * in the report's order, however many there are. A line that is pushed out by one before it is
 * never among the page's again, so what is kept is exact.
 *
 * Order: newest day first, then companies, products (as they were made), countries, kinds and
 * statuses; of these what the report is grouped by. */
#ifndef SMSD_API_REPORT_GROUPS_H
#define SMSD_API_REPORT_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "engine/report.h"

enum report_by {
    REPORT_BY_DAY = 1,
    REPORT_BY_COMPANY = 2,
    REPORT_BY_PRODUCT = 4,
    REPORT_BY_COUNTRY = 8,
    REPORT_BY_KIND = 16,
    REPORT_BY_STATUS = 32,
};
/* "day,company": or-ed. False: a word is none, or comes twice. */
bool report_by_parse(struct text text, unsigned *by);

enum { REPORT_GROUP_KEY_SIZE = REPORT_KEY_SIZE + 1 };

struct report_group {
    char key[REPORT_GROUP_KEY_SIZE];
    /* With REPORT_BY_STATUS only counts, and of one status. */
    uint64_t messages[REPORT_STATUSES], parts[REPORT_STATUSES];
    int64_t charged, refunded;
    uint64_t buckets[REPORT_BUCKETS];
};

struct report_groups {
    unsigned by;
    bool has_more, has_after;
    char after[REPORT_GROUP_KEY_SIZE]; /* only what comes behind it */
    size_t count, limit;
    struct report_group *items; /* in order; room for `limit` */
};

void report_groups_init(struct report_groups *groups, unsigned by, size_t limit);
void report_groups_release(struct report_groups *groups);
/* Sums a counter into its line or lines. */
void report_groups_add(struct report_groups *groups, const struct report_key *key,
                       const struct report_row *row);
/* Nothing of that day, or of any before it, can still change the page. */
bool report_groups_are_done(const struct report_groups *groups, uint32_t day);

/* What is counted in a line, as far as the report is grouped by it; status 0: not. */
void report_group_key_read(const char key[REPORT_GROUP_KEY_SIZE], struct report_key *to,
                           uint8_t *status);

#endif
