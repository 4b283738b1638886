/* The cities in memory beside a simulated world, and the build of them that the job would run:
 * begun as of one moment, fed with its rows and with what came since in slices, while signals go
 * on. */
#ifndef SMSD_TESTS_SIM_CITIES_H
#define SMSD_TESTS_SIM_CITIES_H

#include "engine/city_index.h"
#include "op.h"
#include "world.h"

struct cities {
    struct hash_key secret;
    struct city_index index;
    struct buffer rows; /* of visits, as of the build's beginning */
    size_t fed;         /* of them, in bytes */
    struct buffer expired;
    size_t taken;
    int64_t begun_ms;
    bool is_of_image, is_build_of_image; /* memory, and the build of it, began with an image */
};

void cities_init(struct cities *cities);
void cities_release(struct cities *cities);
/* As at a start: from the rows of cities, none of them whole. */
void cities_load(struct cities *cities, struct txn *txn);
/* Behind a command, refused or not. */
void cities_follow(struct cities *cities, struct txn *txn, const struct command *command,
                   const struct result *result, const struct engine_effect *effect);
/* The next step of the build, of about `size` rows. */
void cities_build(struct cities *cities, struct world *world, uint32_t step, uint32_t size);
/* Its last: it is caught up. */
void cities_adopt(struct cities *cities);
/* From the first step to the last. */
void cities_build_whole(struct cities *cities, struct world *rows);
/* Up to `max` of the visits that the last build left out, which were not taken yet. */
size_t cities_take_expired(struct cities *cities, struct visit_key *keys, size_t max);

#endif
