/* Quiet hours (SMS-18): no marketing at night, by the recipient's own clock. Verification codes and
 * notices are never held.
 *
 * A country has time zones, and its number may or may not tell in which of them it is: an entry
 * with digits in front (212=America/New_York) is for numbers that begin so behind the calling code,
 * the longest that fits; those without are for all others, and there it is quiet while it is quiet
 * in any of them. So a country that is several zones wide and whose numbers tell nothing has less
 * of the day left, and nobody is woken.
 *
 * By the clock on the wall: where that is put forward over the end, quiet hours end then; where it
 * is put back into them, they begin again. */
#ifndef SMSD_ENGINE_QUIET_HOURS_H
#define SMSD_ENGINE_QUIET_HOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "engine/timezone.h"

struct txn;

/* Where neither country nor setting says. They hold only in countries whose zones are known. */
#define QUIET_HOURS_DEFAULT TEXT("21:00-08:00")

/* From the beginning to before the end, in minutes of the day. */
struct quiet_hours {
    int32_t begin_min, end_min; /* equal: none */
};

/* "21:00-08:00", or "none". */
bool quiet_hours_parse(struct text text, struct quiet_hours *hours);

/* An entry of a country's `timezones`: [digits "="] name, and as it is stored a line break and the
 * rule behind. */
struct quiet_zone {
    struct text prefix; /* size 0: none */
    struct text name;
    struct text rule; /* size 0: there is none yet */
};
/* False: it is none. */
bool quiet_zone_read(struct text entry, struct quiet_zone *zone);

/* Is it quiet at that Unix time? Until when; if not, the same time. INT64_MAX: for more than a
 * week. */
int64_t quiet_hours_end_ms(const struct quiet_hours *hours, const struct timezone_rule *rules,
                           size_t count, int64_t at_ms);
/* The same for a number of a country that there is. */
int64_t quiet_hours_of_number(struct txn *txn, const char country[2], uint64_t mobile,
                              int64_t at_ms);

#endif
