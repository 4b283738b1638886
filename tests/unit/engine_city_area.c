/* engine/city_area (CITY-8): what the index answers is what asking every area by the haversine
 * formula answers, everywhere on Earth; who wins where areas overlap; and that many areas cost no
 * more than few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/city_area.h"

#define EARTH_RADIUS_M 6371008.8L
#define PI             3.14159265358979323846264338327950288L

static uint64_t random_state;

static uint64_t random_below(uint64_t bound)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = random_state;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (x ^ x >> 31) % bound;
}

static int32_t random_within(int32_t limit)
{
    return (int32_t)random_below(2 * (uint64_t)limit + 1) - limit;
}

static long double radians(int32_t millionths)
{
    return millionths * PI / 180e6L;
}

static long double distance_m(int32_t lat, int32_t lon, int32_t other_lat, int32_t other_lon)
{
    long double lat_sin = sinl((radians(other_lat) - radians(lat)) / 2);
    long double lon_sin = sinl((radians(other_lon) - radians(lon)) / 2);
    long double h =
        lat_sin * lat_sin + cosl(radians(lat)) * cosl(radians(other_lat)) * lon_sin * lon_sin;

    return 2 * EARTH_RADIUS_M * asinl(sqrtl(h > 1 ? 1 : h));
}

/* What asking all of them says; false: the point lies so near an edge, or so nearly between two
 * centres, that rounding decides. */
static bool ask_all(const struct area *areas, size_t count, int32_t lat, int32_t lon,
                    uint32_t *city)
{
    long double best_distance = 0;
    const struct area *best = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct area *area = &areas[i];
        long double distance = distance_m(lat, lon, area->lat, area->lon);
        if (fabsl(distance - area->radius_m) < 0.01L)
            return false;
        if (distance > area->radius_m || (best != NULL && area->radius_m > best->radius_m))
            continue;
        bool is_same_place = best != NULL && area->lat == best->lat && area->lon == best->lon;
        if (best != NULL && area->radius_m == best->radius_m && !is_same_place &&
            fabsl(distance - best_distance) < 0.01L)
            return false;
        if (best == NULL || area->radius_m < best->radius_m ||
            (distance < best_distance && !is_same_place)) {
            best = area;
            best_distance = distance;
        }
    }
    *city = best == NULL ? AREA_NONE : best->city;
    return true;
}

/* A point near the area: mostly within two radii. */
static void choose_near(const struct area *area, int32_t *lat, int32_t *lon)
{
    double reach = area->radius_m * 2.0 / 0.111195; /* millionths of a degree */
    double lat_shift = ((double)random_below(2001) / 1000 - 1) * reach;
    double narrow = cos(area->lat * 3.14159265358979 / 180e6);
    double lon_shift =
        ((double)random_below(2001) / 1000 - 1) * reach / (narrow < 0.01 ? 0.01 : narrow);
    double to_lat = area->lat + lat_shift, to_lon = area->lon + lon_shift;

    if (to_lat > AREA_LAT_MAX || to_lat < -AREA_LAT_MAX) { /* over the pole */
        to_lat = (to_lat > 0 ? 2.0 : -2.0) * AREA_LAT_MAX - to_lat;
        to_lon += AREA_LON_MAX;
    }
    to_lat = fmax(fmin(to_lat, AREA_LAT_MAX), -AREA_LAT_MAX);
    to_lon = remainder(to_lon, 2.0 * AREA_LON_MAX);
    *lat = (int32_t)to_lat;
    *lon = (int32_t)to_lon;
}

static void hold_against_all(const struct area *areas, size_t count, uint32_t points)
{
    struct area_index index;
    uint32_t inside = 0, skipped = 0;

    area_index_init(&index, areas, count);
    for (uint32_t n = 0; n < points; n++) {
        int32_t lat = random_within(AREA_LAT_MAX), lon = random_within(AREA_LON_MAX);
        uint32_t expected;
        if (n % 8 != 0)
            choose_near(&areas[random_below(count)], &lat, &lon);
        if (!ask_all(areas, count, lat, lon, &expected)) {
            skipped++;
            continue;
        }
        uint32_t found = area_index_find(&index, lat, lon);
        if (found != expected)
            print_error("at %d %d: %u, not %u\n", lat, lon, found, expected);
        assert_int_equal(found, expected);
        inside += found != AREA_NONE;
    }
    assert_true(inside > points / 20 && skipped < points / 50);
    area_index_release(&index);
}

static uint32_t random_radius(void)
{
    static const uint32_t scales[] = {30, 1000, 20000, 300000, AREA_RADIUS_MAX_M};

    return 1 + (uint32_t)random_below(scales[random_below(5)]);
}

static void anywhere_it_is_what_asking_all_says(void **state)
{
    struct area areas[300];

    (void)state;
    random_state = 1;
    for (uint32_t i = 0; i < 300; i++)
        areas[i] = (struct area){random_within(AREA_LAT_MAX), random_within(AREA_LON_MAX),
                                 random_radius(), i};
    hold_against_all(areas, 300, 6000);
    hold_against_all(areas, 1, 500);
    hold_against_all(areas, 17, 2000);
}

static void at_the_poles_and_where_longitudes_jump_too(void **state)
{
    struct area areas[200];

    (void)state;
    random_state = 2;
    for (uint32_t i = 0; i < 200; i++) {
        int32_t near = random_within(3000000), sign = random_below(2) == 0 ? 1 : -1;
        areas[i] = (struct area){.radius_m = 1000 + (uint32_t)random_below(400000), .city = i};
        if (i % 2 == 0) { /* a pole */
            areas[i].lat = sign * (AREA_LAT_MAX - abs(near));
            areas[i].lon = random_within(AREA_LON_MAX);
        } else {
            areas[i].lat = random_within(AREA_LAT_MAX);
            areas[i].lon = sign * (AREA_LON_MAX - abs(near));
        }
    }
    areas[0].lat = AREA_LAT_MAX;
    areas[2].lat = -AREA_LAT_MAX;
    areas[1].lon = AREA_LON_MAX;
    areas[3].lon = -AREA_LON_MAX;
    hold_against_all(areas, 200, 6000);
}

static void many_over_one_another_too(void **state)
{
    struct area areas[200];

    (void)state;
    random_state = 3;
    for (uint32_t i = 0; i < 200; i++)
        areas[i] =
            (struct area){31230400 + random_within(300000), 121473700 + random_within(300000),
                          1000 * (1 + (uint32_t)random_below(6)), i};
    hold_against_all(areas, 200, 5000);
}

static void the_smallest_wins_then_the_nearest_then_the_first(void **state)
{
    const struct area areas[] = {
        {31000000, 121000000, 100000, 1}, /* a province */
        {31000000, 121100000, 5000, 2},   /* two towns, one circle touching the other */
        {31000000, 121180000, 5000, 3},   {31000000, 121100000, 5000, 4}, /* the first town again */
        {31000000, 121100000, 200, 5},                                    /* a square of it */
    };
    struct area_index index;

    (void)state;
    area_index_init(&index, areas, 5);
    assert_int_equal(area_index_find(&index, 31000000, 120500000), 1);
    assert_int_equal(area_index_find(&index, 31000000, 121130000), 2);
    assert_int_equal(area_index_find(&index, 31000000, 121150000), 3);
    assert_int_equal(area_index_find(&index, 31000000, 121101000), 5);
    assert_int_equal(area_index_find(&index, 31000000, 123500000), AREA_NONE);
    area_index_release(&index);
}

static void without_areas_nothing_is_found(void **state)
{
    struct area_index index;

    (void)state;
    area_index_init(&index, NULL, 0);
    assert_int_equal(area_index_find(&index, 0, 0), AREA_NONE);
    area_index_release(&index);
}

/* Ten thousand cities of 20 km that lie side by side: no cell has more than a few. */
static void ten_thousand_cost_no_more_than_ten(void **state)
{
    struct area *areas = calloc(10000, sizeof *areas);
    struct area_index index;
    uint32_t wrong = 0;

    (void)state;
    for (uint32_t i = 0; i < 10000; i++)
        areas[i] = (struct area){-30000000 + (int32_t)(i / 100) * 500000,
                                 60000000 + (int32_t)(i % 100) * 700000, 20000, i};
    area_index_init(&index, areas, 10000);
    for (uint32_t i = 0; i < 10000; i++)
        wrong += area_index_find(&index, areas[i].lat + 50000, areas[i].lon - 50000) != i;
    assert_int_equal(wrong, 0);
    assert_int_equal(__builtin_popcount(index.levels), 1); /* one cell is asked */
    assert_true(index.member_count <= 8 * 10000);
    area_index_release(&index);
    free(areas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anywhere_it_is_what_asking_all_says),
        cmocka_unit_test(at_the_poles_and_where_longitudes_jump_too),
        cmocka_unit_test(many_over_one_another_too),
        cmocka_unit_test(the_smallest_wins_then_the_nearest_then_the_first),
        cmocka_unit_test(without_areas_nothing_is_found),
        cmocka_unit_test(ten_thousand_cost_no_more_than_ten),
    };
    return cmocka_run_group_tests_name("engine_city_area", tests, NULL, NULL);
}
