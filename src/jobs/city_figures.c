/* One value for all cities each, not one a city: there may be a hundred thousand, and GET
 * /v1/cities/{code} has them of one. Shown when memory was made, and each minute. */
#include "jobs/city_figures.h"

#include "base/metric.h"
#include "engine/city.h"
#include "engine/city_index.h"

enum { PERCENT = 100 };

/* The fullest part of it. */
static uint64_t fill_percent(const struct city_filter *filter)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < filter->part_count; i++) {
        const struct city_filter_part *part = &filter->parts[i];
        uint64_t bits = part->blocks * CITY_FILTER_BLOCK_BYTES * 8;
        uint64_t percent = bits == 0 ? 0 : part->bits_set * PERCENT / bits;
        most = percent > most ? percent : most;
    }
    return most;
}

void city_figures_show(const struct city_index *cities)
{
    int64_t without_memory = 0, overgrown = 0;
    uint64_t fullest = 0;

    for (uint32_t i = 0; i < cities->count; i++) {
        const struct city *city = cities->cities[i];
        uint64_t percent;
        without_memory += !city->is_whole;
        if (!city->is_whole)
            continue;
        overgrown += city->memory.filter.part_count > 1;
        percent = fill_percent(&city->memory.filter);
        fullest = percent > fullest ? percent : fullest;
    }
    metric_set(METRIC_CITIES, cities->count);
    metric_set(METRIC_CITIES_WITHOUT_MEMORY, without_memory);
    metric_set(METRIC_CITIES_OVERGROWN, overgrown);
    metric_set(METRIC_CITY_FILTER_FILL, (int64_t)fullest);
    metric_set(METRIC_CITIES_REBUILT, cities->rebuilt_ms / 1000);
    metric_set(METRIC_CITIES_MEMORY, (int64_t)cities->bytes);
}
