/* RFC 3339 both ways, without libc's calendar (locale, time zone files, locks). Days are counted by
 * Howard Hinnant's civil calendar algorithms: years begin in March, so that the leap day comes
 * last. Formatting remembers the second it wrote last: within it only the milliseconds change. */
#include "base/time_text.h"

#include <string.h>

#include "base/digits.h"

#define TIME_MS_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

enum { PREFIX_SIZE = 20 }; /* "2026-11-21T19:41:00." */

/* Days since 1970-01-01. */
static int64_t days_from_date(int year, int month, int day)
{
    year -= month <= 2;
    int era = year / 400;
    int year_of_era = year - era * 400;
    int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

static void put_date(char *to, int days)
{
    days += 719468;
    int era = days / 146097;
    int day_of_era = days - era * 146097;
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int shifted_month = (5 * day_of_year + 2) / 153;
    int day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    int month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    int year = year_of_era + era * 400 + (month <= 2);
    digits_put_pair(to, (unsigned)(year / 100));
    digits_put_pair(to + 2, (unsigned)(year % 100));
    to[4] = '-';
    digits_put_pair(to + 5, (unsigned)month);
    to[7] = '-';
    digits_put_pair(to + 8, (unsigned)day);
}

static void put_prefix(char *to, int64_t second)
{
    unsigned of_day = (unsigned)(second % 86400);
    put_date(to, (int)(second / 86400));
    to[10] = 'T';
    digits_put_pair(to + 11, of_day / 3600);
    to[13] = ':';
    digits_put_pair(to + 14, of_day / 60 % 60);
    to[16] = ':';
    digits_put_pair(to + 17, of_day % 60);
    to[19] = '.';
}

void time_format(char to[TIME_TEXT_SIZE], int64_t unix_ms)
{
    static _Thread_local int64_t last_second = -1;
    static _Thread_local char last_prefix[PREFIX_SIZE];
    if (unix_ms < 0)
        unix_ms = 0;
    if (unix_ms > TIME_MS_MAX)
        unix_ms = TIME_MS_MAX;
    int64_t second = unix_ms / 1000;
    unsigned ms = (unsigned)(unix_ms - second * 1000);
    if (second != last_second) {
        put_prefix(last_prefix, second);
        last_second = second;
    }
    memcpy(to, last_prefix, PREFIX_SIZE);
    to[20] = (char)('0' + ms / 100);
    digits_put_pair(to + 21, ms % 100);
    to[23] = 'Z';
}

/* Reading: every step moves `at` and goes quiet once something was wrong. */
struct reader {
    const char *at;
    const char *end;
    bool is_wrong;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int read_number(struct reader *r, int digit_count, int min, int max)
{
    int value = 0;
    for (int i = 0; i < digit_count; i++) {
        if (r->at == r->end || !is_digit(*r->at)) {
            r->is_wrong = true;
            return min;
        }
        value = value * 10 + (*r->at++ - '0');
    }
    if (value < min || value > max)
        r->is_wrong = true;
    return value;
}

/* One of two characters; says which. */
static bool read_either(struct reader *r, char first, char second)
{
    char c = r->at == r->end ? 0 : *r->at;
    if (c != first && c != second) {
        r->is_wrong = true;
        return false;
    }
    r->at++;
    return c == first;
}

static int days_in_month(int year, int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

static int64_t read_date(struct reader *r)
{
    int year = read_number(r, 4, 1969, 9999); /* 1969-12-31 may be 1970 in UTC */
    read_either(r, '-', '-');
    int month = read_number(r, 2, 1, 12);
    read_either(r, '-', '-');
    if (r->is_wrong)
        return 0;
    int day = read_number(r, 2, 1, days_in_month(year, month));
    return days_from_date(year, month, day);
}

static int64_t read_time_of_day(struct reader *r)
{
    int hour = read_number(r, 2, 0, 23);
    read_either(r, ':', ':');
    int minute = read_number(r, 2, 0, 59);
    read_either(r, ':', ':');
    return hour * 3600 + minute * 60 + read_number(r, 2, 0, 59);
}

static int64_t read_fraction_ms(struct reader *r)
{
    if (r->at == r->end || *r->at != '.')
        return 0;
    r->at++;
    int digit_count = 0;
    int64_t ms = 0;
    for (; r->at != r->end && is_digit(*r->at); r->at++) {
        if (digit_count < 3)
            ms = ms * 10 + (*r->at - '0');
        digit_count++;
    }
    if (digit_count == 0 || digit_count > 9)
        r->is_wrong = true;
    for (; digit_count < 3; digit_count++)
        ms *= 10;
    return ms;
}

static int64_t read_offset_seconds(struct reader *r)
{
    if (r->at != r->end && (*r->at == 'Z' || *r->at == 'z')) {
        r->at++;
        return 0;
    }
    int64_t sign = read_either(r, '+', '-') ? 1 : -1;
    int hour = read_number(r, 2, 0, 23);
    read_either(r, ':', ':');
    return sign * (hour * 3600 + read_number(r, 2, 0, 59) * 60);
}

bool time_parse(const char *text, size_t size, int64_t *unix_ms)
{
    struct reader r = {text, text + size, false};
    int64_t seconds = read_date(&r) * 86400;
    read_either(&r, 'T', 't');
    seconds += read_time_of_day(&r);
    int64_t ms = read_fraction_ms(&r);
    seconds -= read_offset_seconds(&r);
    if (r.is_wrong || r.at != r.end)
        return false;
    ms += seconds * 1000;
    if (ms < 0 || ms > TIME_MS_MAX)
        return false;
    *unix_ms = ms;
    return true;
}
