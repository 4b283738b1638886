/* A build: the memory of all cities, made anew from their rows while the old one goes on answering
 * (CITY-6). What is hard is to miss no visit: the build exists before the moment that the scan
 * reads as of, and from then on every visit noted is also put on the build's list; so one that the
 * scan does not meet is on the list. Taking one in twice does no harm: the later day wins, and the
 * list is taken in behind the rows. */
#include "engine/city_build.h"

#include <assert.h>

#include "base/pages.h"

struct noted {
    uint64_t mobile;
    uint32_t city;
    uint32_t day;
};

struct city_build {
    struct city_index *index;
    int64_t now_ms;
    uint32_t count; /* cities: those of the beginning */
    struct city_memory *memories;
    uint16_t *windows; /* of the cities, as of the beginning */
    struct buffer noted;
    size_t taken; /* of them, in bytes */
};

struct city_build *city_build_new(struct city_index *index, int64_t now_ms)
{
    struct city_build *build = pages_new(sizeof *build);

    assert(index->build == NULL);
    *build = (struct city_build){.index = index, .now_ms = now_ms, .count = index->count};
    build->memories = pages_new((size_t)build->count * sizeof *build->memories + 1);
    build->windows = pages_new((size_t)build->count * sizeof *build->windows + 1);
    for (uint32_t i = 0; i < build->count; i++) {
        const struct city *city = index->cities[i];
        uint64_t capacity = city->view.row.capacity;
        if (city->is_whole && city->memory.table.count > capacity)
            capacity = city->memory.table.count; /* it has outgrown it: one part again */
        city_memory_init(index, city, capacity, &build->memories[i]);
        build->windows[i] = city->view.row.window_days;
    }
    buffer_init(&build->noted);
    index->build = build;
    return build;
}

bool city_build_row(struct city_build *build, struct visit_key *key, const struct visit_row *row)
{
    if (key->city >= build->count)
        return true; /* of a city that came later: its visits are all in its memory */
    key->window_days = build->windows[key->city];
    if (visit_is_expired(row, key->window_days, build->now_ms))
        return false;
    city_memory_note(&build->memories[key->city], key->mobile, row->last_day);
    return true;
}

void city_build_note(struct city_build *build, uint32_t city, uint64_t mobile, int64_t day)
{
    struct noted noted = {mobile, city, (uint32_t)day};

    if (city < build->count)
        buffer_append(&build->noted, &noted, sizeof noted);
}

bool city_build_catch_up(struct city_index *index, size_t max)
{
    struct city_build *build = index->build;

    for (; max > 0 && build->taken < build->noted.size; max--) {
        struct noted noted;
        memcpy(&noted, build->noted.data + build->taken, sizeof noted);
        city_memory_note(&build->memories[noted.city], noted.mobile, noted.day);
        build->taken += sizeof noted;
    }
    return build->taken == build->noted.size;
}

static void build_free(struct city_build *build)
{
    build->index->build = NULL;
    buffer_release(&build->noted);
    pages_free(build->windows, (size_t)build->count * sizeof *build->windows + 1);
    pages_free(build->memories, (size_t)build->count * sizeof *build->memories + 1);
    pages_free(build, sizeof *build);
}

static void memory_release(struct city_memory *memory)
{
    city_filter_release(&memory->filter);
    visit_table_release(&memory->table);
}

void city_build_adopt(struct city_index *index)
{
    struct city_build *build = index->build;

    assert(build->taken == build->noted.size);
    for (uint32_t i = 0; i < build->count; i++) {
        struct city *city = index->cities[i];
        if (city->view.row.window_days > build->windows[i]) {
            memory_release(&build->memories[i]); /* visits are left out that count now */
            continue;
        }
        if (city->is_whole)
            memory_release(&city->memory);
        city->memory = build->memories[i];
        city->is_whole = true;
        city->built_ms = build->now_ms;
    }
    build_free(build);
}

void city_build_drop(struct city_index *index)
{
    for (uint32_t i = 0; i < index->build->count; i++)
        memory_release(&index->build->memories[i]);
    build_free(index->build);
}
