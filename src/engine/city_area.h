/* From a position to the city whose area it lies in (CITY-8). Areas are circles on the ground: a
 * centre and a radius. The Earth is a sphere of 6,371,008.8 m, which is off by half a percent at
 * the most: less than what a position of a mobile network is.
 *
 * Where areas overlap the smallest wins, so that a town inside a region is found; of equal ones the
 * nearest centre; then the one that was given first.
 *
 * The index is made once of all areas and never changed. A look-up costs the same for ten areas and
 * for ten thousand, as long as no more than a few of about the same size lie over one another. */
#ifndef SMSD_ENGINE_CITY_AREA_H
#define SMSD_ENGINE_CITY_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AREA_RADIUS_MAX_M = 5000000,
    AREA_COUNT_MAX = 1 << 20,
    AREA_LAT_MAX = 90000000, /* millionths of a degree */
    AREA_LON_MAX = 180000000,
};
#define AREA_NONE UINT32_MAX

struct area {
    int32_t lat, lon; /* millionths of a degree; lat within AREA_LAT_MAX, lon within AREA_LON_MAX */
    uint32_t radius_m; /* 1 to AREA_RADIUS_MAX_M */
    uint32_t city;     /* what a look-up answers; not AREA_NONE */
};

struct area_circle;
struct area_cell;

struct area_index {
    struct area_circle *circles; /* smallest first */
    uint32_t count;
    struct area_cell *cells; /* a hash table of 2^cell_bits places */
    uint32_t cell_bits;
    uint32_t *members; /* of the cells: numbers of circles */
    uint32_t member_count;
    uint32_t levels; /* bit l: cells of 2^l metres are in use */
};

/* `areas` are not needed afterwards. */
void area_index_init(struct area_index *index, const struct area *areas, size_t count);
void area_index_release(struct area_index *index);
/* The city, or AREA_NONE. */
uint32_t area_index_find(const struct area_index *index, int32_t lat, int32_t lon);

#endif
