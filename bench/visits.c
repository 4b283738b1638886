/* What the look-ups of a signal cost: a visit in the city's filter and in its exact table (CITY-3),
 * a position among the areas (CITY-8). Times say little on a busy machine; instructions hold still
 * (`make instructions-visits` counts them by valgrind, with the misses of its model of a cache).
 *
 *     visits [visits, or areas] [look-ups] [filter | table | area | all] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "engine/city_area.h"
#include "engine/city_filter.h"
#include "engine/visit_table.h"

enum { GROUP = 16 };

static const struct hash_key secret = {UINT64_C(0x1234567887654321), UINT64_C(0xabcdef0110fedcba)};

static uint64_t random_state = 1;

static uint64_t next_random(void)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = random_state;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t mobile(uint64_t i)
{
    return UINT64_C(8613000000000) + i * 7;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void report(const char *what, double begin, uint64_t count, uint64_t found)
{
    printf("%-28s %8.1f ns each, %" PRIu64 " of %" PRIu64 " found\n", what,
           (now() - begin) * 1e9 / (double)count, found, count);
}

/* Toggled by valgrind: what is counted is what these take. */
uint64_t filter_look_ups(const struct city_filter *filter, const uint64_t *mobiles, size_t count);
uint64_t table_look_ups(const struct visit_table *table, const uint64_t *mobiles, size_t count);

__attribute__((noinline, noipa)) uint64_t filter_look_ups(const struct city_filter *filter,
                                                          const uint64_t *mobiles, size_t count)
{
    uint64_t hashes[GROUP], found = 0;

    for (size_t i = 0; i < count; i++) {
        hashes[i] = city_filter_hash(filter, mobiles[i]);
        city_filter_prefetch(filter, hashes[i]);
    }
    for (size_t i = 0; i < count; i++)
        found += city_filter_may_have(filter, hashes[i]);
    return found;
}

__attribute__((noinline, noipa)) uint64_t table_look_ups(const struct visit_table *table,
                                                         const uint64_t *mobiles, size_t count)
{
    uint64_t found = 0;
    uint32_t value;

    for (size_t i = 0; i < count; i++)
        visit_table_prefetch(table, mobiles[i]);
    for (size_t i = 0; i < count; i++)
        found += visit_table_find(table, mobiles[i], &value);
    return found;
}

uint64_t area_look_ups(const struct area_index *index, const struct area *points, size_t count);

__attribute__((noinline, noipa)) uint64_t area_look_ups(const struct area_index *index,
                                                        const struct area *points, size_t count)
{
    uint64_t found = 0;

    for (size_t i = 0; i < count; i++)
        found += area_index_find(index, points[i].lat, points[i].lon) != AREA_NONE;
    return found;
}

/* The next mobiles: 95 of 100 known. */
static void choose(uint64_t *mobiles, uint64_t visits)
{
    for (int i = 0; i < GROUP; i++) {
        uint64_t random = next_random();
        mobiles[i] = mobile((random >> 8) % visits) + (random % 100 < 5);
    }
}

static void measure_filter(uint64_t visits, uint64_t look_ups)
{
    struct city_filter filter;
    struct city_filter_figures figures;
    uint64_t mobiles[GROUP], found = 0;

    city_filter_init(&filter, &secret, visits, 1e-4);
    double begin = now();
    for (uint64_t i = 0; i < visits; i++)
        city_filter_add(&filter, city_filter_hash(&filter, mobile(i)));
    report("filter: added", begin, visits, visits);
    city_filter_figures(&filter, &figures);
    printf("filter: %.2f bytes a visit, %u hashes, fill %.3f, wrong %.2e\n",
           (double)figures.bytes / (double)visits, figures.hashes, figures.fill,
           figures.misjudgement_estimate);
    begin = now();
    for (uint64_t i = 0; i < look_ups; i += GROUP) {
        choose(mobiles, visits);
        found += filter_look_ups(&filter, mobiles, GROUP);
    }
    report("filter: looked up", begin, look_ups, found);
    city_filter_release(&filter);
}

static void measure_table(uint64_t visits, uint64_t look_ups)
{
    struct visit_table table;
    struct visit_walk walk = {0};
    uint64_t mobiles[GROUP], found = 0;
    double begin = now(), longest = 0, before = begin;

    visit_table_init(&table, &secret);
    for (uint64_t i = 0; i < visits; i++) {
        visit_table_put(&table, mobile(i), 1);
        if (i % 16 == 0) {
            double after = now();
            longest = after - before > longest ? after - before : longest;
            before = after;
        }
    }
    report("table: added", begin, visits, visits);
    printf("table: %.2f bytes a visit; the slowest 16 additions took %.0f us\n",
           (double)table.bytes / (double)visits, longest * 1e6);
    begin = now();
    for (uint64_t i = 0; i < look_ups; i += GROUP) {
        choose(mobiles, visits);
        found += table_look_ups(&table, mobiles, GROUP);
    }
    report("table: looked up", begin, look_ups, found);
    begin = now();
    for (found = 0; visit_walk_next(&table, &walk); found++)
        continue;
    report("table: walked", begin, visits, found);
    visit_table_release(&table);
}

/* Areas of 20 km side by side; points up to 30 km from a centre. */
static void measure_areas(uint64_t count, uint64_t look_ups)
{
    struct area_index index;
    struct area *areas = calloc(count, sizeof *areas), points[GROUP];
    uint64_t found = 0;

    for (uint32_t i = 0; i < count; i++)
        areas[i] = (struct area){-30000000 + (int32_t)(i / 100) * 500000,
                                 60000000 + (int32_t)(i % 100) * 700000, 20000, i};
    area_index_init(&index, areas, count);
    double begin = now();
    for (uint64_t i = 0; i < look_ups; i += GROUP) {
        for (int k = 0; k < GROUP; k++) {
            uint64_t random = next_random();
            points[k] = areas[(random >> 40) % count];
            points[k].lat += (int32_t)(random % 540000) - 270000;
            points[k].lon += (int32_t)((random >> 20) % 540000) - 270000;
        }
        found += area_look_ups(&index, points, GROUP);
    }
    report("areas: looked up", begin, look_ups, found);
    area_index_release(&index);
    free(areas);
}

int main(int argument_count, char **arguments)
{
    uint64_t visits = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 20000000;
    uint64_t look_ups = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 20000000;
    const char *what = argument_count > 3 ? arguments[3] : "all";

    look_ups = look_ups / GROUP * GROUP;
    if (visits == 0)
        return 1;
    bool is_all = strcmp(what, "all") == 0;

    if (is_all || strcmp(what, "filter") == 0)
        measure_filter(visits, look_ups);
    if (is_all || strcmp(what, "table") == 0)
        measure_table(visits, look_ups);
    if (is_all || strcmp(what, "area") == 0)
        measure_areas(visits < 10000 ? visits : 10000, look_ups);
    return 0;
}
