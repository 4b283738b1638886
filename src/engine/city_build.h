/* Inside the engine: what the index and its builds share. A build belongs to its index; of it
 * city_build_row alone may run on another thread (engine/city_index.h). */
#ifndef SMSD_ENGINE_CITY_BUILD_H
#define SMSD_ENGINE_CITY_BUILD_H

#include "engine/city_index.h"

/* An empty one for that city. */
void city_memory_init(const struct city_index *index, const struct city *city, uint64_t capacity,
                      struct city_memory *memory);
void city_memory_release(struct city_memory *memory);
uint64_t city_memory_bytes(const struct city_memory *memory);
/* What memory keeps of a visit on that day; 0: its mark was taken away. */
uint32_t city_memory_value(int64_t day);
void city_memory_note(struct city_memory *memory, uint64_t mobile, uint32_t value);
/* Puts it in, or lets it go where it does not fit. */
void city_take_memory(struct city_index *index, struct city *city,
                      const struct city_memory *memory);
/* A visit that the build's scan may not have met. */
void city_build_note(struct city_build *build, uint32_t city, uint64_t mobile, uint32_t value);

/* What is made of a city. */
struct city_made {
    struct city_memory memory;
    uint64_t number; /* the city's */
    int64_t built_ms;
    uint16_t window_days; /* as of the beginning */
    bool is_from_image;
};
/* NULL: that city is not among those of the build. */
struct city_made *city_build_made(struct city_build *build, uint32_t city);
/* Of all cities: those of the index behind the last one came later. */
uint32_t city_build_count(const struct city_build *build);
/* A hash of that under the directory's secret. */
uint64_t city_build_secret_check(const struct city_build *build, const void *data, size_t size);
/* It is not of the rows as they are now, but as old as that. */
void city_build_set_time(struct city_build *build, int64_t rebuilt_ms);

#endif
