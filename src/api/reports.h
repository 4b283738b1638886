/* What reports and reconciliations share: the days that they are about. Days are of UTC, as
 * counters are (engine/report.h). */
#ifndef SMSD_API_REPORTS_H
#define SMSD_API_REPORTS_H

#include "api/call.h"

enum {
    PERIOD_DAYS_MAX = 400,
    PERIOD_DAYS_DEFAULT = 30, /* up to today */
};

/* Days of UTC since 1970-01-01: from `first` on, `end` not. */
struct period {
    uint32_t first, end;
};

/* A parameter that names where a day begins: 2026-11-22, or that midnight as RFC 3339 writes it. */
bool is_day(const char *data, size_t size);
#define DAY_RULE "must be a day, 2026-11-22, or its midnight in UTC as RFC 3339 writes it"

/* From parameters that is_day has accepted; data NULL: not given. False: replied. */
bool call_period(struct call *call, struct json_text from, struct json_text to,
                 struct period *period);
/* created_from and created_to, as times. */
void write_period(struct json_writer *writer, const struct period *period);

#endif
