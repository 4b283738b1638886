/* A rule's changes are computed for the year of the moment that is asked about; where that may not
 * tell, for the years around it. The last one before the moment counts: so it does not matter
 * whether summer begins before it ends in a year, or in which year a change on New Year's Eve falls
 * by UTC. */
#include "engine/timezone.h"

#include <assert.h>
#include <stddef.h>

enum {
    DAY_S = 86400,
    HOUR_S = 3600,
    MINUTE_S = 60,
    OFFSET_HOURS_MAX = 24,
    TIME_HOURS_MAX = 167,
    YEARS = 4, /* two before, this, and the next */
    CHANGES = 2 * YEARS,
    AROUND_S = 9 * DAY_S, /* further than any change is from the year that it is of */
};

/* --- reading -------------------------------------------------------------------------------------
 */

struct reader {
    const char *at, *end;
};

static bool take_char(struct reader *reader, char c)
{
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static bool take_number(struct reader *reader, int32_t min, int32_t max, int32_t *number)
{
    const char *from = reader->at;

    for (*number = 0; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';) {
        *number = *number * 10 + (*reader->at++ - '0');
        if (*number > max)
            return false;
    }
    return reader->at > from && *number >= min;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct reader *reader, int32_t hours_max, int32_t *time_s)
{
    int32_t hours, minutes = 0, seconds = 0;
    bool is_negative = take_char(reader, '-');

    if (!is_negative)
        take_char(reader, '+');
    if (!take_number(reader, 0, hours_max, &hours))
        return false;
    if (take_char(reader, ':')) {
        if (!take_number(reader, 0, 59, &minutes) ||
            (take_char(reader, ':') && !take_number(reader, 0, 59, &seconds)))
            return false;
    }
    *time_s = hours * HOUR_S + minutes * MINUTE_S + seconds;
    if (is_negative)
        *time_s = -*time_s;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* CET, or <+03>. */
static bool take_name(struct reader *reader)
{
    const char *from = reader->at;

    if (take_char(reader, '<')) {
        while (reader->at < reader->end && *reader->at != '>')
            reader->at++;
        return take_char(reader, '>') && reader->at - from > 2;
    }
    while (reader->at < reader->end && is_letter(*reader->at))
        reader->at++;
    return reader->at - from >= 3;
}

static bool take_day(struct reader *reader, struct timezone_change *change)
{
    if (take_char(reader, 'M')) {
        change->by = TIMEZONE_BY_WEEK;
        return take_number(reader, 1, 12, &change->month) && take_char(reader, '.') &&
               take_number(reader, 1, 5, &change->week) && take_char(reader, '.') &&
               take_number(reader, 0, 6, &change->day);
    }
    if (take_char(reader, 'J')) {
        change->by = TIMEZONE_BY_DATE;
        return take_number(reader, 1, 365, &change->day);
    }
    change->by = TIMEZONE_BY_NUMBER;
    return take_number(reader, 0, 365, &change->day);
}

static bool take_change(struct reader *reader, struct timezone_change *change)
{
    *change = (struct timezone_change){.time_s = 2 * HOUR_S};
    return take_char(reader, ',') && take_day(reader, change) &&
           (!take_char(reader, '/') || take_time(reader, TIME_HOURS_MAX, &change->time_s));
}

bool timezone_parse(struct text text, struct timezone_rule *rule)
{
    struct reader reader = {text.data, text.data + text.size};
    int32_t west_s;

    *rule = (struct timezone_rule){0};
    if (text.size == 0 || !take_name(&reader) || !take_time(&reader, OFFSET_HOURS_MAX, &west_s))
        return false;
    rule->offset_s = -west_s;
    if (reader.at == reader.end)
        return true;
    rule->has_summer = true;
    rule->summer_offset_s = rule->offset_s + HOUR_S;
    if (!take_name(&reader))
        return false;
    if (reader.at < reader.end && *reader.at != ',') {
        if (!take_time(&reader, OFFSET_HOURS_MAX, &west_s))
            return false;
        rule->summer_offset_s = -west_s;
    }
    return take_change(&reader, &rule->begin) && take_change(&reader, &rule->end) &&
           reader.at == reader.end;
}

/* --- the calendar --------------------------------------------------------------------------------
 */

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to 1 January of the year; the year is 1 at least. */
static int64_t days_before_year(int64_t year)
{
    int64_t before = year - 1;

    return before * 365 + before / 4 - before / 100 + before / 400 - 719162;
}

static int64_t year_of(int64_t time_s)
{
    int64_t days = time_s / DAY_S - (time_s % DAY_S < 0);
    int64_t year = 1970 + days / 366; /* not later than it is, from 1970 on */

    while (days_before_year(year + 1) <= days)
        year++;
    return year;
}

static int32_t days_of_month(int64_t year, int32_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the change's. */
static int64_t day_of(const struct timezone_change *change, int64_t year)
{
    static const int16_t days_before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t first = days_before_year(year);
    int32_t day;

    switch (change->by) {
    case TIMEZONE_BY_NUMBER:
        return first + change->day;
    case TIMEZONE_BY_DATE:
        return first + change->day - 1 + (is_leap(year) && change->day >= 60);
    case TIMEZONE_BY_WEEK:
        break;
    }
    first += days_before[change->month - 1] + (change->month > 2 && is_leap(year));
    /* 1970-01-01 was a Thursday. */
    day = (int32_t)((change->day - (first + 4) % 7 + 7) % 7) + (change->week - 1) * 7;
    while (day >= days_of_month(year, change->month))
        day -= 7;
    return first + day;
}

/* --- moments -------------------------------------------------------------------------------------
 */

struct moment {
    int64_t time_s;
    int32_t offset_s; /* from then on */
};

/* Those of one year, in the order of their times. */
static void changes_of(const struct timezone_rule *rule, int64_t year, struct moment *first,
                       struct moment *second)
{
    struct moment begin = {day_of(&rule->begin, year) * DAY_S + rule->begin.time_s - rule->offset_s,
                           rule->summer_offset_s};
    struct moment end = {day_of(&rule->end, year) * DAY_S + rule->end.time_s -
                             rule->summer_offset_s,
                         rule->offset_s};

    *first = begin.time_s <= end.time_s ? begin : end;
    *second = begin.time_s <= end.time_s ? end : begin;
}

/* In the order of their times. Where one year's end of summer is the next one's begin, it stays
 * summer: who is added later is put behind. */
static void add(struct moment moments[CHANGES], size_t count, struct moment moment)
{
    size_t place = count;

    assert(count < CHANGES);
    for (; place > 0 && moments[place - 1].time_s > moment.time_s; place--)
        moments[place] = moments[place - 1];
    moments[place] = moment;
}

static void changes_around(const struct timezone_rule *rule, int64_t time_s,
                           struct moment moments[CHANGES])
{
    int64_t year = year_of(time_s) - 2;
    size_t count = 0;

    for (int i = 0; i < YEARS; i++, year++) {
        struct moment first, second;
        changes_of(rule, year, &first, &second);
        add(moments, count++, first);
        add(moments, count++, second);
    }
}

static struct timezone_span look_around(const struct timezone_rule *rule, int64_t time_s)
{
    struct timezone_span span = {rule->offset_s, INT64_MAX};
    struct moment moments[CHANGES];

    changes_around(rule, time_s, moments);
    for (size_t i = 0; i < CHANGES; i++) {
        if (moments[i].time_s > time_s) {
            span.until_s = moments[i].time_s;
            break;
        }
        span.offset_s = moments[i].offset_s;
    }
    return span;
}

struct timezone_span timezone_at(const struct timezone_rule *rule, int64_t time_s)
{
    struct moment first, second;
    int64_t year;

    if (!rule->has_summer)
        return (struct timezone_span){rule->offset_s, INT64_MAX};
    year = year_of(time_s);
    changes_of(rule, year, &first, &second);
    /* Near the new year the years on both sides count, too; and one that has its changes close to
     * each other may have them the other way round than the next. */
    if (time_s < days_before_year(year) * DAY_S + AROUND_S || time_s >= second.time_s ||
        time_s >= days_before_year(year + 1) * DAY_S - AROUND_S ||
        second.time_s - first.time_s < AROUND_S)
        return look_around(rule, time_s);
    if (time_s < first.time_s)
        return (struct timezone_span){second.offset_s, first.time_s};
    return (struct timezone_span){first.offset_s, second.time_s};
}
