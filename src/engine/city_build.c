/* A build: the memory of one city or of all, made anew from their rows while the old one goes on
 * answering (CITY-6). What is hard is to miss no visit: the build exists before the moment that the
 * scan reads as of, and from then on every visit noted is also put on the build's list; so one that
 * the scan does not meet is on the list. Taking one in twice does no harm: the later day wins, and
 * the list is taken in behind the rows. */
#include "engine/city_build.h"

#include <assert.h>

#include "base/pages.h"
#include "engine/visit_log.h"

enum { NOTED_SHARE = 8 }; /* of the memory that cities may have */

struct noted {
    uint64_t mobile;
    uint32_t city;
    uint32_t value;
};

struct city_build {
    struct city_index *index;
    int64_t now_ms, rebuilt_ms;
    uint32_t first, count;  /* cities: those of the beginning */
    struct city_made *made; /* of each */
    struct buffer noted;
    size_t taken;    /* of them, in bytes */
    bool is_overrun; /* and so `noted` is empty */
};

static size_t made_bytes(const struct city_build *build)
{
    return (size_t)build->count * sizeof *build->made + 1;
}

static void begin_city(const struct city_index *index, const struct city *city, int64_t now_ms,
                       struct city_made *made)
{
    uint64_t capacity = city->view.row.capacity;

    if (city->is_whole && city->memory.table.count > capacity)
        capacity = city->memory.table.count; /* it has outgrown it: one part again */
    city_memory_init(index, city, capacity, &made->memory);
    made->number = city->view.row.number;
    made->window_days = city->view.row.window_days;
    made->built_ms = now_ms;
}

struct city_build *city_build_new(struct city_index *index, int64_t now_ms, uint32_t city)
{
    struct city_build *build = pages_new(sizeof *build);
    bool is_one = city != CITY_NONE;

    assert(index->build == NULL);
    *build = (struct city_build){.index = index,
                                 .now_ms = now_ms,
                                 .rebuilt_ms = is_one ? index->rebuilt_ms : now_ms,
                                 .first = is_one ? city : 0,
                                 .count = is_one ? 1 : index->count};
    build->made = pages_new(made_bytes(build));
    for (uint32_t i = 0; i < build->count; i++)
        begin_city(index, index->cities[build->first + i], now_ms, &build->made[i]);
    buffer_init(&build->noted);
    index->build = build;
    return build;
}

bool city_build_has(const struct city_build *build, uint32_t city)
{
    return city >= build->first && city - build->first < build->count;
}

struct city_made *city_build_made(struct city_build *build, uint32_t city)
{
    return city_build_has(build, city) ? &build->made[city - build->first] : NULL;
}

uint32_t city_build_count(const struct city_build *build)
{
    return build->first + build->count;
}

void city_build_set_time(struct city_build *build, int64_t rebuilt_ms)
{
    build->rebuilt_ms = rebuilt_ms;
}

uint64_t city_build_secret_check(const struct city_build *build, const void *data, size_t size)
{
    return hash64(build->index->secret, data, size);
}

bool city_build_row(struct city_build *build, struct visit_key *key, const struct visit_row *row)
{
    struct city_made *made = city_build_made(build, key->city);

    if (made == NULL)
        return true; /* of a city that came later: its visits are all in its memory */
    key->window_days = made->window_days;
    if (visit_is_expired(row, key->window_days, build->now_ms))
        return false;
    city_memory_note(&made->memory, key->mobile, city_memory_value(row->last_day));
    return true;
}

void city_build_log(struct city_build *build, const void *value, size_t size)
{
    struct visit_logged logged;

    for (size_t at = 0; visit_log_next(value, size, &at, &logged);) {
        struct city_made *made = city_build_made(build, logged.city);
        if (made != NULL)
            city_memory_note(&made->memory, logged.mobile, logged.value);
    }
}

void city_build_note(struct city_build *build, uint32_t city, uint64_t mobile, uint32_t value)
{
    struct noted noted = {mobile, city, value};

    if (build->is_overrun || !city_build_has(build, city))
        return;
    if (build->noted.size >= build->index->bytes_max / NOTED_SHARE) {
        build->is_overrun = true;
        buffer_release(&build->noted);
        buffer_init(&build->noted);
        build->taken = 0;
        return;
    }
    buffer_append(&build->noted, &noted, sizeof noted);
}

bool city_build_is_overrun(const struct city_build *build)
{
    return build->is_overrun;
}

bool city_build_catch_up(struct city_index *index, size_t max)
{
    struct city_build *build = index->build;

    for (; max > 0 && build->taken < build->noted.size; max--) {
        struct noted noted;
        memcpy(&noted, build->noted.data + build->taken, sizeof noted);
        city_memory_note(&city_build_made(build, noted.city)->memory, noted.mobile, noted.value);
        build->taken += sizeof noted;
    }
    return build->taken == build->noted.size;
}

static void build_free(struct city_build *build)
{
    build->index->build = NULL;
    buffer_release(&build->noted);
    pages_free(build->made, made_bytes(build));
    pages_free(build, sizeof *build);
}

void city_build_adopt(struct city_index *index)
{
    struct city_build *build = index->build;

    assert(build->taken == build->noted.size && !build->is_overrun);
    for (uint32_t i = 0; i < build->count; i++) {
        struct city *city = index->cities[build->first + i];
        if (city->view.row.window_days > build->made[i].window_days) {
            city_memory_release(&build->made[i].memory); /* visits are left out that count now */
            continue;
        }
        city_take_memory(index, city, &build->made[i].memory);
        city->built_ms = build->made[i].built_ms;
    }
    index->rebuilt_ms = build->rebuilt_ms;
    build_free(build);
}

void city_build_drop(struct city_index *index)
{
    for (uint32_t i = 0; i < index->build->count; i++)
        city_memory_release(&index->build->made[i].memory);
    build_free(index->build);
}
