/* Inside the engine: what the index and its builds share. */
#ifndef SMSD_ENGINE_CITY_BUILD_H
#define SMSD_ENGINE_CITY_BUILD_H

#include "engine/city_index.h"

/* An empty one for that city. */
void city_memory_init(const struct city_index *index, const struct city *city, uint64_t capacity,
                      struct city_memory *memory);
void city_memory_note(struct city_memory *memory, uint64_t mobile, int64_t day);
/* A visit that the build's scan may not have met. */
void city_build_note(struct city_build *build, uint32_t city, uint64_t mobile, int64_t day);

#endif
