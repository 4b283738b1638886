/* Time zones by rule: what a clock on the wall shows at a moment, and when it is put forward or
 * back.
 *
 * A rule is a TZ string of POSIX, as it stands at the end of a file of the time zone database:
 * "CET-1CEST,M3.5.0,M10.5.0/3" (RFC 9636 §3.3.1: hours up to 167, summer time behind winter's). It
 * says what holds from now on for ever; of the past, and of zones whose changes follow no rule
 * (Morocco's in Ramadan), it knows nothing. Whoever knows names of zones and files makes rules of
 * them; here is no I/O. */
#ifndef SMSD_ENGINE_TIMEZONE_H
#define SMSD_ENGINE_TIMEZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* A day of each year, and when on it. */
struct timezone_change {
    enum {
        TIMEZONE_BY_WEEK,   /* the `week`-th `day` (0: Sunday) of `month`; week 5 is the last */
        TIMEZONE_BY_DATE,   /* `day` from 1, without 29 February */
        TIMEZONE_BY_NUMBER, /* `day` from 0, with it */
    } by;
    int32_t month, week, day;
    int32_t time_s; /* after midnight by the clock as it was; may be negative */
};

struct timezone_rule {
    int32_t offset_s;        /* east of UTC */
    int32_t summer_offset_s; /* the same during `begin` to `end` */
    bool has_summer;
    struct timezone_change begin, end;
};

/* False: it is no such rule, or one with summer time that does not say when. */
bool timezone_parse(struct text text, struct timezone_rule *rule);
/* What the clock is like at that Unix time, 1970 or later. */
struct timezone_span {
    int32_t offset_s; /* it is so far ahead of UTC, */
    int64_t until_s;  /* until it is changed; INT64_MAX: it never is */
};
struct timezone_span timezone_at(const struct timezone_rule *rule, int64_t time_s);

#endif
