/* The index. Positions become points of space, metres from the Earth's centre: there a circle on
 * the ground is what a ball cuts out of the surface, and neither the poles nor the line where
 * longitudes jump is anything special. Space is divided into cubes at several scales; each area
 * stands in the cubes that its ball may touch, at the scale where these are at most eight. A
 * look-up asks one cube a scale, from the smallest on, and each candidate's distance decides. */
#include "engine/city_area.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/pages.h"

#define EARTH_RADIUS_M 6371008.8
#define RADIANS        (3.14159265358979323846 / 180e6) /* in a millionth of a degree */

enum {
    LEVEL_MIN = 5,  /* cubes of 32 m: so that three coordinates and the level fit 64 bits */
    LEVEL_MAX = 24, /* one cube is everything */
    COORDINATE_BITS = LEVEL_MAX - LEVEL_MIN,
    CELLS_PER_AREA_MAX = 8,
    SLACK_M = 1, /* for rounding: a ball is taken for a little larger than it is */
};
#define OFFSET_M 8388608.0 /* 2^23: no coordinate is negative with it added */

struct point {
    double x, y, z;
};

struct area_circle {
    struct point centre;
    double chord2; /* the square of the radius in a straight line */
    uint32_t radius_m;
    uint32_t city;
};

struct area_cell {
    uint64_t key; /* 0: the place is free */
    uint32_t first, count;
};

static struct point point_of(int32_t lat, int32_t lon)
{
    double lat_sin, lat_cos, lon_sin, lon_cos;

    sincos(lat * RADIANS, &lat_sin, &lat_cos);
    sincos(lon * RADIANS, &lon_sin, &lon_cos);
    return (struct point){EARTH_RADIUS_M * lat_cos * lon_cos, EARTH_RADIUS_M * lat_cos * lon_sin,
                          EARTH_RADIUS_M * lat_sin};
}

static double chord_of(uint32_t radius_m)
{
    return 2 * EARTH_RADIUS_M * sin(radius_m / (2 * EARTH_RADIUS_M));
}

static inline double distance2(struct point a, struct point b)
{
    double x = a.x - b.x, y = a.y - b.y, z = a.z - b.z;

    return x * x + y * y + z * z;
}

/* --- cells ---------------------------------------------------------------------------------------
 */

/* The smallest scale whose cubes are as wide as the ball: it touches two of them in each
 * direction. */
static uint32_t level_of(double chord)
{
    uint32_t level = LEVEL_MIN;

    while (level < LEVEL_MAX && 2 * (chord + SLACK_M) > (double)(1U << level))
        level++;
    return level;
}

static inline uint64_t coordinate(double metres)
{
    metres += OFFSET_M;
    return metres <= 0 ? 0 : (uint64_t)metres;
}

static inline uint64_t key_of(uint32_t level, uint64_t x, uint64_t y, uint64_t z)
{
    return (uint64_t)level << (3 * COORDINATE_BITS) | (x >> level) << (2 * COORDINATE_BITS) |
           (y >> level) << COORDINATE_BITS | z >> level;
}

/* The place of that key, or the free one where it belongs. */
static inline struct area_cell *place_of(const struct area_index *index, uint64_t key)
{
    uint32_t mask = (1U << index->cell_bits) - 1;
    uint32_t at = (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - index->cell_bits));

    while (index->cells[at].key != 0 && index->cells[at].key != key)
        at = (at + 1) & mask;
    return &index->cells[at];
}

/* The keys of the cubes that a circle's ball may touch, each once. */
static uint32_t keys_of(const struct area_circle *circle, uint64_t keys[CELLS_PER_AREA_MAX])
{
    double reach = sqrt(circle->chord2) + SLACK_M;
    uint32_t level = level_of(sqrt(circle->chord2)), count = 0;

    for (uint32_t corner = 0; corner < CELLS_PER_AREA_MAX; corner++) {
        const struct point *centre = &circle->centre;
        uint64_t key = key_of(level, coordinate(centre->x + ((corner & 1) != 0 ? reach : -reach)),
                              coordinate(centre->y + ((corner & 2) != 0 ? reach : -reach)),
                              coordinate(centre->z + ((corner & 4) != 0 ? reach : -reach)));
        bool is_known = false;
        for (uint32_t i = 0; i < count; i++)
            is_known = is_known || keys[i] == key;
        if (!is_known)
            keys[count++] = key;
    }
    return count;
}

/* --- making it -----------------------------------------------------------------------------------
 */

/* Merges two sorted runs of numbers of areas; smaller radius first, then the order given. */
static void merge(const struct area *areas, const uint32_t *from, size_t middle, size_t end,
                  uint32_t *to)
{
    size_t left = 0, right = middle;

    for (size_t i = 0; i < end; i++) {
        bool is_left = right == end ||
                       (left < middle && areas[from[left]].radius_m <= areas[from[right]].radius_m);
        to[i] = is_left ? from[left++] : from[right++];
    }
}

/* `order` gets the numbers of the areas, sorted; `spare` is as large. */
static void sort(const struct area *areas, size_t count, uint32_t *order, uint32_t *spare)
{
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t end = count - at < 2 * run ? count - at : 2 * run;
            merge(areas, order + at, run < end ? run : end, end, spare + at);
        }
        memcpy(order, spare, count * sizeof *order);
    }
}

static void make_circles(struct area_index *index, const struct area *areas, size_t count)
{
    size_t bytes = count * sizeof(uint32_t) + 1;
    uint32_t *order = pages_new(bytes), *spare = pages_new(bytes);

    sort(areas, count, order, spare);
    for (size_t i = 0; i < count; i++) {
        const struct area *area = &areas[order[i]];
        double chord = chord_of(area->radius_m);
        assert(area->radius_m >= 1 && area->radius_m <= AREA_RADIUS_MAX_M);
        assert(area->lat >= -AREA_LAT_MAX && area->lat <= AREA_LAT_MAX);
        assert(area->lon >= -AREA_LON_MAX && area->lon <= AREA_LON_MAX);
        index->circles[i] = (struct area_circle){.centre = point_of(area->lat, area->lon),
                                                 .chord2 = chord * chord,
                                                 .radius_m = area->radius_m,
                                                 .city = area->city};
        index->levels |= 1U << level_of(chord);
    }
    pages_free(order, bytes);
    pages_free(spare, bytes);
}

static void count_members(struct area_index *index)
{
    uint64_t keys[CELLS_PER_AREA_MAX];

    for (uint32_t i = 0; i < index->count; i++) {
        uint32_t count = keys_of(&index->circles[i], keys);
        for (uint32_t k = 0; k < count; k++) {
            struct area_cell *cell = place_of(index, keys[k]);
            cell->key = keys[k];
            cell->count++;
        }
        index->member_count += count;
    }
}

/* In the order of the circles, so that each cell has the smallest first. */
static void fill_members(struct area_index *index)
{
    uint64_t keys[CELLS_PER_AREA_MAX];
    uint32_t first = 0;

    for (size_t at = 0; at < (size_t)1 << index->cell_bits; at++) {
        index->cells[at].first = first;
        first += index->cells[at].count;
        index->cells[at].count = 0;
    }
    for (uint32_t i = 0; i < index->count; i++) {
        uint32_t count = keys_of(&index->circles[i], keys);
        for (uint32_t k = 0; k < count; k++) {
            struct area_cell *cell = place_of(index, keys[k]);
            index->members[cell->first + cell->count++] = i;
        }
    }
}

static size_t circles_bytes(const struct area_index *index)
{
    return index->count * sizeof *index->circles + 1;
}

static size_t cells_bytes(const struct area_index *index)
{
    return sizeof *index->cells << index->cell_bits;
}

static size_t members_bytes(const struct area_index *index)
{
    return index->member_count * sizeof *index->members + 1;
}

void area_index_init(struct area_index *index, const struct area *areas, size_t count)
{
    assert(count <= AREA_COUNT_MAX);
    *index = (struct area_index){.count = (uint32_t)count, .cell_bits = 4};
    while ((size_t)1 << index->cell_bits < 2 * CELLS_PER_AREA_MAX * count)
        index->cell_bits++;
    index->circles = pages_new(circles_bytes(index));
    index->cells = pages_new(cells_bytes(index));
    make_circles(index, areas, count);
    count_members(index);
    index->members = pages_new(members_bytes(index));
    fill_members(index);
}

void area_index_release(struct area_index *index)
{
    pages_free(index->circles, circles_bytes(index));
    pages_free(index->cells, cells_bytes(index));
    pages_free(index->members, members_bytes(index));
    *index = (struct area_index){0};
}

/* --- look-ups ------------------------------------------------------------------------------------
 */

/* The circle of the cell that has the point: the smallest, of equal ones the nearest; NULL: none.
 */
static const struct area_circle *circle_at(const struct area_index *index,
                                           const struct area_cell *cell, struct point point)
{
    const struct area_circle *best = NULL;
    double best_distance2 = 0;

    for (uint32_t i = 0; i < cell->count; i++) {
        const struct area_circle *circle = &index->circles[index->members[cell->first + i]];
        if (best != NULL && circle->radius_m > best->radius_m)
            break;
        double distance = distance2(circle->centre, point);
        if (distance <= circle->chord2 && (best == NULL || distance < best_distance2)) {
            best = circle;
            best_distance2 = distance;
        }
    }
    return best;
}

uint32_t area_index_find(const struct area_index *index, int32_t lat, int32_t lon)
{
    struct point point = point_of(lat, lon);
    uint64_t x = coordinate(point.x), y = coordinate(point.y), z = coordinate(point.z);

    for (uint32_t levels = index->levels; levels != 0; levels &= levels - 1) {
        const struct area_cell *cell =
            place_of(index, key_of((uint32_t)__builtin_ctz(levels), x, y, z));
        const struct area_circle *circle = circle_at(index, cell, point);
        if (circle != NULL)
            return circle->city;
    }
    return AREA_NONE;
}
