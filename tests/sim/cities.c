/* The job city_rebuild, without its threads. */
#include "cities.h"

#include <string.h>

#include "base/bytes.h"
#include "model_city.h"
#include "wrong.h"

struct kept_row {
    struct visit_key key;
    struct visit_row row;
};

void cities_init(struct cities *cities)
{
    *cities = (struct cities){.secret = {3, 4}};
    city_index_init(&cities->index, &cities->secret);
    buffer_init(&cities->rows);
    buffer_init(&cities->expired);
}

void cities_release(struct cities *cities)
{
    city_index_release(&cities->index);
    buffer_release(&cities->rows);
    buffer_release(&cities->expired);
}

void cities_load(struct cities *cities, struct txn *txn)
{
    cities_release(cities);
    cities_init(cities);
    city_index_load(&cities->index, txn);
}

void cities_follow(struct cities *cities, struct txn *txn, const struct command *command,
                   const struct result *result, const struct engine_effect *effect)
{
    if (effect->is_visit_forgotten)
        city_forget(&cities->index, effect->forgotten.city, effect->forgotten.mobile);
    if (command->type == COMMAND_CITY_PUT && result->outcome == OUTCOME_OK && !result->is_replayed)
        city_index_changed(&cities->index, txn, command->of.city_put.code,
                           result->of.city.is_new != 0);
}

static void keep_row(void *context, enum table table, const void *key, size_t key_size,
                     const void *value, size_t value_size)
{
    struct cities *cities = context;
    struct kept_row kept = {.row.version = 0};

    if (table != TABLE_VISIT)
        return;
    must(key_size == VISIT_KEY_SIZE);
    kept.key.city = (uint32_t)(bytes_get_u64_be(key) >> 32);
    kept.key.mobile = bytes_get_u64_be((const char *)key + 4);
    visit_row_of(value, value_size, &kept.row);
    buffer_append(&cities->rows, &kept, sizeof kept);
}

static void begin(struct cities *cities, struct world *world)
{
    cities->rows.size = cities->fed = 0;
    cities->expired.size = cities->taken = 0;
    cities->begun_ms = world->now_ms;
    cities->is_build_of_image = false;
    city_build_new(&cities->index, world->now_ms, CITY_NONE);
    world_rows(world, keep_row, cities);
}

/* CITY-6: what no signal can ask for, and nothing else. */
static void check_left_out(const struct cities *cities, const struct kept_row *kept, bool is_kept)
{
    struct model_visit visit = {.last_day = kept->row.last_day,
                                .decided_s = kept->row.decided_s,
                                .sent_s = kept->row.sent_s};
    int64_t now_ms = cities->begun_ms;

    if (is_kept && !model_visit_matters(&visit, kept->key.window_days, now_ms - 2 * DAY_MS))
        wrong("a build has not left out a visit that nobody asks for");
    if (!is_kept && model_visit_matters(&visit, kept->key.window_days, now_ms))
        wrong("a build has left out a visit that is asked for");
}

static void feed(struct cities *cities, uint32_t rows)
{
    for (; rows > 0 && cities->fed < cities->rows.size; rows--) {
        struct kept_row kept;
        memcpy(&kept, cities->rows.data + cities->fed, sizeof kept);
        cities->fed += sizeof kept;
        bool is_kept = city_build_row(cities->index.build, &kept.key, &kept.row);
        check_left_out(cities, &kept, is_kept);
        if (!is_kept)
            buffer_append(&cities->expired, &kept.key, sizeof kept.key);
    }
}

void cities_adopt(struct cities *cities)
{
    city_build_adopt(&cities->index);
    /* A city whose window has grown meanwhile may keep what it has. */
    cities->is_of_image = cities->is_of_image || cities->is_build_of_image;
}

void cities_build(struct cities *cities, struct world *world, uint32_t step, uint32_t size)
{
    if (cities->index.build == NULL) {
        begin(cities, world);
    } else if (step % 32 == 0) {
        city_build_drop(&cities->index);
        cities->expired.size = 0;
    } else if (cities->fed < cities->rows.size) {
        feed(cities, 1 + size);
    } else if (city_build_catch_up(&cities->index, 1 + size)) {
        cities_adopt(cities);
    }
}

void cities_build_whole(struct cities *cities, struct world *rows)
{
    begin(cities, rows);
    feed(cities, UINT32_MAX);
    must(city_build_catch_up(&cities->index, 1));
    cities_adopt(cities);
}

size_t cities_take_expired(struct cities *cities, struct visit_key *keys, size_t max)
{
    size_t count = 0;

    if (cities->index.build != NULL) /* first it is adopted */
        return 0;
    for (; count < max && cities->taken < cities->expired.size; count++) {
        const struct city *city;
        memcpy(&keys[count], cities->expired.data + cities->taken, sizeof *keys);
        city = cities->index.cities[keys[count].city];
        if (city->view.row.window_days > keys[count].window_days)
            keys[count].window_days = city->view.row.window_days;
        cities->taken += sizeof *keys;
    }
    return count;
}
