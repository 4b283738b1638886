/* engine/timezone beside the C library: every zone of this machine's database, by the rule that
 * stands in its file and by the file itself (SMS-18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/zone.h"
#include "base/arena.h"
#include "engine/quiet_hours.h"

enum { ZONES_MAX = 600, ZONE_BYTES_MAX = 64, RULE_BYTES_MAX = 96, YEAR_S = 31556952 };

static const char names_file[] = "/usr/share/zoneinfo/zone.tab";

struct known {
    char name[ZONE_BYTES_MAX], rule[RULE_BYTES_MAX];
};

static struct known zones[ZONES_MAX];
static size_t zone_count;

static int64_t moment(int64_t year)
{
    struct tm day = {.tm_year = (int)year - 1900, .tm_mday = 1};

    return timegm(&day);
}

/* What the C library's clock of the zone, or rule, that TZ names shows. */
static int64_t offset_there(int64_t time_s)
{
    time_t time = time_s;
    struct tm local;

    assert_non_null(localtime_r(&time, &local));
    return local.tm_gmtoff;
}

static void go_to(const char *tz)
{
    assert_int_equal(setenv("TZ", tz, 1), 0);
    tzset();
}

static void take_zone(struct arena *arena, const char *name)
{
    struct text entry = zone_with_rule(arena, (struct text){name, strlen(name)});
    struct known *known = &zones[zone_count];
    struct quiet_zone zone;

    if (entry.data == NULL)
        fail_msg("no rule of %s", name);
    assert_true(quiet_zone_read(entry, &zone));
    assert_true(zone_count < ZONES_MAX && zone.rule.size < sizeof known->rule &&
                zone.name.size < sizeof known->name);
    memcpy(known->name, zone.name.data, zone.name.size);
    memcpy(known->rule, zone.rule.data, zone.rule.size);
    zone_count++;
}

static int setup(void **state)
{
    FILE *file = fopen(names_file, "re");
    char line[256], name[ZONE_BYTES_MAX];
    struct arena arena;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || sscanf(line, "%*s %*s %63s", name) != 1)
            continue;
        arena_init(&arena, 0);
        take_zone(&arena, name);
        arena_release(&arena);
    }
    fclose(file);
    assert_true(zone_count > 400);
    return 0;
}

static struct timezone_rule rule_of(const char *text)
{
    struct timezone_rule rule;

    if (!timezone_parse((struct text){text, strlen(text)}, &rule))
        fail_msg("no rule: %s", text);
    return rule;
}

static void expect_same(const char *what, const struct timezone_rule *rule, int64_t time_s)
{
    int64_t theirs = offset_there(time_s), ours = timezone_at(rule, time_s).offset_s;

    if (theirs != ours)
        fail_msg("%s at %lld: %lld there, %lld here", what, (long long)time_s, (long long)theirs,
                 (long long)ours);
}

/* At each change and right before it, and every few days between: what they change and we do not.
 */
static void expect_same_years(const char *what, const struct timezone_rule *rule, int64_t from,
                              int64_t to)
{
    int64_t end_s = moment(to), change_s = moment(from);

    for (int64_t time_s = moment(from); time_s < end_s; time_s += 5 * 86400 + 3607)
        expect_same(what, rule, time_s);
    while ((change_s = timezone_at(rule, change_s).until_s) < end_s) {
        expect_same(what, rule, change_s - 1);
        expect_same(what, rule, change_s);
    }
}

/* By the same rule: also where our calendar and theirs could differ, in years that no file lists.
 */
static void a_rule_means_the_same_to_the_c_library(void **state)
{
    static const char *const made_up[] = {
        "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
        "IST-1GMT0,M10.5.0,M3.5.0/1", /* summer is winter */
        "AEST-10AEDT,M10.1.0,M4.1.0/3",
        "AAA-12:45BBB-13:45:30,59/2,300/3", /* by the day's number, with 29 February */
        "AAA3BBB,J60/0,J61/26",
        "AAA-14BBB,M12.2.6/23,M1.3.0/1", /* over the new year */
        "XXX3YYY,M3.4.4/50,M10.4.4/50",
        "UTC0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++) {
        struct timezone_rule rule = rule_of(made_up[i]);
        go_to(made_up[i]);
        expect_same_years(made_up[i], &rule, 1995, 2130);
    }
    for (size_t i = 0; i < zone_count; i++) {
        struct timezone_rule rule = rule_of(zones[i].rule);
        go_to(zones[i].rule);
        expect_same_years(zones[i].name, &rule, 2026, 2045);
    }
}

/* Their files list the changes to 2087, which go by Ramadan, as no rule can. */
static bool follows_the_moon(const char *name)
{
    static const char *const names[] = {"Africa/Casablanca", "Africa/El_Aaiun", "Asia/Gaza",
                                        "Asia/Hebron"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* The C library is wrong about it around each new year (2.36), so it is no witness here. */
static void summer_may_be_for_ever(void **state)
{
    struct timezone_rule rule = rule_of("EST5EDT,0/0,J365/25");

    (void)state;
    for (int64_t time_s = moment(2026); time_s < moment(2036); time_s += 1800)
        assert_int_equal(timezone_at(&rule, time_s).offset_s, -4 * 3600);
}

/* By name: that the rule in the file is what the zone goes by. */
static void a_zones_rule_is_what_its_clocks_go_by(void **state)
{
    (void)state;
    for (size_t i = 0; i < zone_count; i++) {
        struct timezone_rule rule = rule_of(zones[i].rule);
        go_to(zones[i].name);
        if (follows_the_moon(zones[i].name))
            expect_same_years(zones[i].name, &rule, 2088, 2120);
        else
            expect_same_years(zones[i].name, &rule, 2026, 2045);
    }
}

static void what_is_no_rule_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "CET",
                                        "CE-1",
                                        "<+03-3",
                                        "<>0",
                                        "CET-25",
                                        "CET-1CEST", /* when? */
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M3.5.0,M13.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,M3.5.0/168,M10.5.0",
                                        "CET-1CEST,J0,J365",
                                        "CET-1CEST,0,366",
                                        "CET-1CEST,M3.5.0,M10.5.0/3,",
                                        "CET-1:60",
                                        "CET-99999999999"};
    struct timezone_rule rule;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (timezone_parse((struct text){texts[i], strlen(texts[i])}, &rule))
            fail_msg("taken for a rule: \"%s\"", texts[i]);
    }
}

/* --- quiet hours ---------------------------------------------------------------------------------
 */

static uint64_t seed = 88172645463325252;

static uint64_t any(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static bool is_quiet_there(const struct quiet_hours *hours, int64_t time_s)
{
    int64_t minute = (time_s + offset_there(time_s)) % 86400 / 60;

    return hours->begin_min < hours->end_min
               ? minute >= hours->begin_min && minute < hours->end_min
               : minute >= hours->begin_min || minute < hours->end_min;
}

/* By looking at the clock on the wall every minute until it is not quiet. */
static int64_t end_there_ms(const struct quiet_hours *hours, int64_t at_ms)
{
    int64_t time_s = at_ms / 1000;

    if (!is_quiet_there(hours, time_s))
        return at_ms;
    for (time_s = time_s / 60 * 60 + 60; is_quiet_there(hours, time_s); time_s += 60)
        ;
    return time_s * 1000;
}

static struct quiet_hours hours_of(const char *text)
{
    struct quiet_hours hours;

    assert_true(quiet_hours_parse((struct text){text, strlen(text)}, &hours));
    return hours;
}

/* Nights, days, and windows that begin and end within an hour that is left out or comes twice. */
static const char *const windows[] = {"21:00-08:00", "22:30-06:15", "00:00-08:00", "12:00-14:00",
                                      "01:30-02:30", "02:15-02:45", "20:00-02:30", "02:30-01:30",
                                      "23:59-00:00", "00:00-23:59"};

/* SMS-18: on days with and without a change of the clock, in every zone. */
static void quiet_hours_end_when_the_clock_on_the_wall_says_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < zone_count; i++) {
        struct timezone_rule rule = rule_of(zones[i].rule);
        int64_t change_s = timezone_at(&rule, moment(2026) + (int64_t)any(5 * YEAR_S)).until_s;
        go_to(zones[i].rule);
        for (int try = 0; try < 8; try++) {
            struct quiet_hours hours = hours_of(windows[any(sizeof windows / sizeof *windows)]);
            int64_t near_s =
                try < 2 || change_s == INT64_MAX ? moment(2027) + (int64_t)any(YEAR_S) : change_s;
            int64_t at_ms = (near_s - 86400 + (int64_t)any(INT64_C(2) * 86400)) * 1000 + 7;
            int64_t ours = quiet_hours_end_ms(&hours, &rule, 1, at_ms);
            int64_t theirs = end_there_ms(&hours, at_ms);
            if (ours != theirs)
                fail_msg("%s, quiet %d-%d at %lld: until %lld there, %lld here", zones[i].rule,
                         hours.begin_min, hours.end_min, (long long)at_ms, (long long)theirs,
                         (long long)ours);
        }
    }
}

static int64_t utc_ms(const char *text)
{
    struct tm tm = {0};

    assert_non_null(strptime(text, "%Y-%m-%dT%H:%M", &tm));
    return (int64_t)timegm(&tm) * 1000;
}

static void expect_end(const char *window, const char *const *rules, size_t count, const char *at,
                       const char *end)
{
    struct quiet_hours hours = hours_of(window);
    struct timezone_rule parsed[4];

    for (size_t i = 0; i < count; i++)
        parsed[i] = rule_of(rules[i]);
    assert_int_equal(quiet_hours_end_ms(&hours, parsed, count, utc_ms(at)), utc_ms(end));
}

/* SMS-18: where a number does not tell the zone, it is quiet while it is quiet in any. */
static void of_several_zones_the_first_evening_and_the_last_morning_count(void **state)
{
    static const char *const usa[] = {"EST5EDT,M3.2.0,M11.1.0", "PST8PDT,M3.2.0,M11.1.0"};
    static const char *const around[] = {"AAA-12", "BBB0", "CCC6", "DDD-5"};
    struct quiet_hours hours = hours_of("21:00-08:00");
    struct timezone_rule rules[] = {rule_of(around[0]), rule_of(around[1]), rule_of(around[2]),
                                    rule_of(around[3])};

    (void)state;
    /* 21:00 in New York is 18:00 in San Francisco, whose morning is at 15:00 UTC. */
    expect_end("21:00-08:00", usa, 2, "2026-07-02T00:59", "2026-07-02T00:59");
    expect_end("21:00-08:00", usa, 2, "2026-07-02T01:00", "2026-07-02T15:00");
    expect_end("21:00-08:00", usa, 2, "2026-07-02T14:00", "2026-07-02T15:00");
    /* Some night is always. */
    assert_int_equal(quiet_hours_end_ms(&hours, rules, 4, utc_ms("2026-07-02T12:00")), INT64_MAX);
}

static void without_hours_or_zones_it_is_never_quiet(void **state)
{
    static const char *const berlin[] = {"CET-1CEST,M3.5.0,M10.5.0/3"};

    (void)state;
    expect_end("none", berlin, 1, "2026-07-02T01:00", "2026-07-02T01:00");
    expect_end("21:00-08:00", berlin, 0, "2026-07-02T01:00", "2026-07-02T01:00");
}

static void what_are_no_hours_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "21:00",
                                        "21:00-8:00",
                                        "24:00-08:00",
                                        "21:60-08:00",
                                        "21:00-21:00",
                                        "21.00-08.00",
                                        "21:00-08:000",
                                        "None",
                                        "21:00 08:00"};
    struct quiet_hours hours;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (quiet_hours_parse((struct text){texts[i], strlen(texts[i])}, &hours))
            fail_msg("taken for hours: \"%s\"", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_means_the_same_to_the_c_library),
        cmocka_unit_test(a_zones_rule_is_what_its_clocks_go_by),
        cmocka_unit_test(summer_may_be_for_ever),
        cmocka_unit_test(what_is_no_rule_is_refused),
        cmocka_unit_test(quiet_hours_end_when_the_clock_on_the_wall_says_so),
        cmocka_unit_test(of_several_zones_the_first_evening_and_the_last_morning_count),
        cmocka_unit_test(without_hours_or_zones_it_is_never_quiet),
        cmocka_unit_test(what_are_no_hours_is_refused),
    };
    return cmocka_run_group_tests_name("engine_timezone", tests, setup, NULL);
}
