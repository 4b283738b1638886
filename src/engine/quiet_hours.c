/* The end of quiet hours is found by steps: to the end by the clock as it goes, or to where the
 * clock is changed, if that is before; until it is quiet in no zone. */
#include "engine/quiet_hours.h"

#include <assert.h>
#include <string.h>

#include "base/digits.h"
#include "engine/catalog.h"

enum { DAY_S = 86400, MINUTE_S = 60, DAY_MIN = 1440, STEPS_MAX = 4096, ZONES_MAX = 50 };

#define AHEAD_MAX_S INT64_C(691200) /* eight days */

/* --- reading -------------------------------------------------------------------------------------
 */

/* "08:00" */
static bool take_minute(const char *at, int32_t *minute)
{
    for (int i = 0; i < 5; i++) {
        if (i == 2 ? at[i] != ':' : at[i] < '0' || at[i] > '9')
            return false;
    }
    *minute = ((at[0] - '0') * 10 + at[1] - '0') * 60 + (at[3] - '0') * 10 + at[4] - '0';
    return *minute < DAY_MIN && at[3] < '6';
}

bool quiet_hours_parse(struct text text, struct quiet_hours *hours)
{
    *hours = (struct quiet_hours){0, 0};
    if (text_equals(text, TEXT("none")))
        return true;
    return text.size == 11 && text.data[5] == '-' && take_minute(text.data, &hours->begin_min) &&
           take_minute(text.data + 6, &hours->end_min) && hours->begin_min != hours->end_min;
}

bool quiet_zone_read(struct text entry, struct quiet_zone *zone)
{
    const char *line = entry.size == 0 ? NULL : memchr(entry.data, '\n', entry.size);
    size_t size = line == NULL ? entry.size : (size_t)(line - entry.data);
    const char *equals = size == 0 ? NULL : memchr(entry.data, '=', size);
    struct text digits;

    *zone = (struct quiet_zone){.name = {entry.data, size}};
    if (line != NULL)
        zone->rule = (struct text){line + 1, entry.size - size - 1};
    if (equals == NULL)
        return catalog_rule_fault(CATALOG_RULE_TIMEZONE, zone->name) == NULL;
    digits = (struct text){entry.data, (size_t)(equals - entry.data)};
    zone->prefix = digits;
    zone->name = (struct text){equals + 1, size - digits.size - 1};
    return catalog_rule_fault(CATALOG_RULE_DIGITS, digits) == NULL &&
           catalog_rule_fault(CATALOG_RULE_TIMEZONE, zone->name) == NULL;
}

/* --- arithmetic ----------------------------------------------------------------------------------
 */

/* As far as one can see in this zone: to the end by its clock, or to where that is changed. */
static int64_t step_s(const struct quiet_hours *hours, const struct timezone_rule *rule,
                      int64_t at_s)
{
    struct timezone_span span = timezone_at(rule, at_s);
    int64_t into_s = (at_s + span.offset_s - hours->begin_min * MINUTE_S) % DAY_S;
    int64_t length_s = (hours->end_min - hours->begin_min + DAY_MIN) % DAY_MIN * MINUTE_S;
    int64_t end_s = at_s + length_s - into_s;

    if (into_s >= length_s)
        return at_s;
    return span.until_s < end_s ? span.until_s : end_s;
}

int64_t quiet_hours_end_ms(const struct quiet_hours *hours, const struct timezone_rule *rules,
                           size_t count, int64_t at_ms)
{
    int64_t begin_s = at_ms / 1000, at_s = begin_s;

    if (hours->begin_min == hours->end_min)
        return at_ms;
    for (int left = STEPS_MAX; left > 0 && at_s < begin_s + AHEAD_MAX_S; left--) {
        int64_t next_s = at_s;
        for (size_t i = 0; i < count; i++) {
            int64_t end_s = step_s(hours, &rules[i], at_s);
            next_s = end_s > next_s ? end_s : next_s;
        }
        if (next_s == at_s)
            return at_s == begin_s ? at_ms : at_s * 1000;
        at_s = next_s;
    }
    return INT64_MAX;
}

/* --- of a number ---------------------------------------------------------------------------------
 */

static bool fits(struct text prefix, struct text national)
{
    return prefix.size <= national.size &&
           (prefix.size == 0 || memcmp(prefix.data, national.data, prefix.size) == 0);
}

/* The zones of the longest prefix that the number has. */
static size_t take_rules(const struct catalog_thing *country, struct text national,
                         struct timezone_rule rules[ZONES_MAX])
{
    size_t at = 0, count = 0, longest = 0;
    struct quiet_zone zone;
    struct text entry;

    while (catalog_texts_next(country, COUNTRY_TIMEZONES, &at, &entry)) {
        bool is_zone = quiet_zone_read(entry, &zone);
        assert(is_zone);
        if (!fits(zone.prefix, national) || zone.prefix.size < longest)
            continue;
        if (zone.prefix.size > longest)
            count = 0;
        longest = zone.prefix.size;
        if (count < ZONES_MAX && timezone_parse(zone.rule, &rules[count]))
            count++;
    }
    return count;
}

int64_t quiet_hours_of_number(struct txn *txn, const char country[2], uint64_t mobile,
                              int64_t at_ms)
{
    struct timezone_rule rules[ZONES_MAX];
    struct catalog_thing thing;
    struct quiet_hours hours;
    struct text text, digits;
    char number[DIGITS_MAX], code[DIGITS_MAX];
    size_t count, code_size;

    if (!catalog_find(txn, CATALOG_COUNTRY, (struct text){country, 2}, &thing) ||
        !catalog_has(&thing, COUNTRY_TIMEZONES))
        return at_ms;
    digits = (struct text){number, digits_put_uint(number, mobile)};
    code_size = digits_put_uint(code, (uint64_t)catalog_int(&thing, COUNTRY_CALLING_CODE));
    if (code_size > digits.size)
        code_size = digits.size;
    digits = (struct text){number + code_size, digits.size - code_size};
    count = take_rules(&thing, digits, rules);
    text = catalog_text(&thing, COUNTRY_QUIET_HOURS);
    if (text.data == NULL)
        text = setting_text(txn, SETTING_QUIET_HOURS);
    if (!quiet_hours_parse(text.data == NULL ? QUIET_HOURS_DEFAULT : text, &hours))
        assert(!"quiet hours that were checked when they were put");
    return quiet_hours_end_ms(&hours, rules, count, at_ms);
}
