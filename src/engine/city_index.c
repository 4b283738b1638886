/* The cities in memory, and finding one by code or position. A build is city_build.c's. What is
 * hard is what a city's memory may claim: it answers only while it is whole, and lets go of all it
 * knows rather than miss a visit. */
#include "engine/city_build.h"

#include <assert.h>
#include <string.h>

#include "base/pages.h"
#include "store/txn.h"

enum {
    CAPACITY_MIN = 16,
    PLACES_PER_CITY = 4,
    ASK_ROW = VISIT_VALUE_MAX, /* instead of a day: its mark was taken away */
    DAYS_MODULO = VISIT_VALUE_MAX,
    TABLE_BYTES_PER_VISIT = 6,
    DAYS_AHEAD_MAX = 8, /* a day so far behind the one asked for is one before it */
};

void city_index_init(struct city_index *index, const struct hash_key *secret)
{
    *index =
        (struct city_index){.secret = secret, .capacity = CAPACITY_MIN, .bytes_max = UINT64_MAX};
    index->cities = pages_new(index->capacity * sizeof(struct city *));
    index->places = pages_new(index->capacity * PLACES_PER_CITY * sizeof *index->places);
    area_index_init(&index->areas, NULL, 0);
}

/* Without it the city's rows are asked. */
static void lose_memory(struct city_index *index, struct city *city)
{
    if (!city->is_whole)
        return;
    index->bytes -= city_memory_bytes(&city->memory);
    index->replaced++;
    city_memory_release(&city->memory);
    city->is_whole = false;
}

void city_index_release(struct city_index *index)
{
    if (index->build != NULL)
        city_build_drop(index);
    for (uint32_t i = 0; i < index->count; i++) {
        lose_memory(index, index->cities[i]);
        buffer_release(&index->cities[i]->value);
        pages_free(index->cities[i], sizeof(struct city));
    }
    pages_free(index->cities, index->capacity * sizeof(struct city *));
    pages_free(index->places, index->capacity * PLACES_PER_CITY * sizeof *index->places);
    area_index_release(&index->areas);
    *index = (struct city_index){0};
}

/* --- by code -------------------------------------------------------------------------------------
 */

static uint64_t hash_code(struct text code)
{
    uint64_t hash = code.size, word;

    for (; code.size >= sizeof word; code.data += sizeof word, code.size -= sizeof word) {
        memcpy(&word, code.data, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (; code.size > 0; code.data++, code.size--)
        hash = (hash ^ (unsigned char)*code.data) * UINT64_C(0x9e3779b97f4a7c15);
    return hash;
}

/* Where the code is, or belongs. */
static uint32_t *place_of(const struct city_index *index, struct text code)
{
    uint32_t mask = index->capacity * PLACES_PER_CITY - 1;
    uint32_t at = (uint32_t)(hash_code(code) >> 32) & mask;

    for (; index->places[at] != 0; at = (at + 1) & mask) {
        const struct city *city = index->cities[index->places[at] - 1];
        if (text_equals(code, (struct text){city->code, city->code_size}))
            break;
    }
    return &index->places[at];
}

uint32_t city_index_find(const struct city_index *index, struct text code)
{
    return *place_of(index, code) - 1; /* 0 becomes CITY_NONE */
}

static void grow(struct city_index *index)
{
    struct city_index larger = *index;

    larger.capacity *= 2;
    larger.cities = pages_new(larger.capacity * sizeof(struct city *));
    larger.places = pages_new(larger.capacity * PLACES_PER_CITY * sizeof *larger.places);
    for (uint32_t i = 0; i < index->count; i++) {
        struct city *city = index->cities[i];
        larger.cities[i] = city;
        if (city != NULL)
            *place_of(&larger, (struct text){city->code, city->code_size}) = i + 1;
    }
    pages_free(index->cities, index->capacity * sizeof(struct city *));
    pages_free(index->places, index->capacity * PLACES_PER_CITY * sizeof *index->places);
    *index = larger;
}

/* Rows come in the order of their codes, so others of lower indexes may be missing still. */
static struct city *add(struct city_index *index, uint32_t number, struct text code)
{
    struct city *city = pages_new(sizeof *city);

    while (number >= index->capacity)
        grow(index);
    memcpy(city->code, code.data, code.size);
    city->code_size = code.size;
    index->cities[number] = city;
    *place_of(index, code) = number + 1;
    if (number >= index->count)
        index->count = number + 1;
    return city;
}

/* --- rows ----------------------------------------------------------------------------------------
 */

static void take_row(struct city_index *index, struct text code, const void *value, size_t size,
                     bool is_new)
{
    uint32_t number = city_index_find(index, code);
    struct city *city;
    struct city_view view;

    city_view_of(value, size, &view);
    city = number == CITY_NONE ? add(index, view.row.index, code) : index->cities[number];
    if (city->built_ms != 0 && view.row.window_days > city->view.row.window_days)
        lose_memory(index, city); /* the build has left out visits that count again */
    city->value.size = 0;
    buffer_append(&city->value, value, size);
    city_view_of(city->value.data, size, &city->view);
    index->has_new_areas = true;
    if (is_new && !city->is_whole) {
        struct city_memory memory;
        city_memory_init(index, city, view.row.capacity, &memory);
        city_take_memory(index, city, &memory);
    }
}

void city_memory_init(const struct city_index *index, const struct city *city, uint64_t capacity,
                      struct city_memory *memory)
{
    struct hash128 key = hash128(index->secret, &city->view.row.number, sizeof(uint64_t));
    struct hash_key own = {key.low, key.high};

    city_filter_init(&memory->filter, &own, capacity,
                     (double)city->view.row.misjudgement / (double)CITY_MISJUDGEMENT_ONE);
    visit_table_init(&memory->table, &own);
}

void city_memory_release(struct city_memory *memory)
{
    city_filter_release(&memory->filter);
    visit_table_release(&memory->table);
}

uint64_t city_memory_bytes(const struct city_memory *memory)
{
    uint64_t bytes = memory->table.bytes;

    for (uint32_t i = 0; i < memory->filter.part_count; i++)
        bytes += memory->filter.parts[i].blocks * CITY_FILTER_BLOCK_BYTES;
    return bytes;
}

void city_take_memory(struct city_index *index, struct city *city, const struct city_memory *memory)
{
    lose_memory(index, city);
    city->memory = *memory;
    city->is_whole = true;
    index->bytes += city_memory_bytes(memory);
    if (index->bytes > index->bytes_max)
        lose_memory(index, city);
}

uint64_t city_bytes_planned(uint64_t capacity, uint64_t misjudgement)
{
    return city_filter_bytes(capacity, (double)misjudgement / (double)CITY_MISJUDGEMENT_ONE) +
           capacity * TABLE_BYTES_PER_VISIT;
}

uint64_t city_index_planned(const struct city_index *index, struct text but)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < index->count; i++) {
        const struct city *city = index->cities[i];
        if (text_equals(but, (struct text){city->code, city->code_size}))
            continue;
        uint64_t planned = city_bytes_planned(city->view.row.capacity, city->view.row.misjudgement);
        uint64_t used = city->is_whole ? city_memory_bytes(&city->memory) : 0;
        bytes += planned > used ? planned : used;
    }
    return bytes;
}

void city_index_load(struct city_index *index, struct txn *txn)
{
    struct txn_walk *walk = txn_walk(txn, TABLE_CITY, WALK_UP, NULL, 0);

    while (txn_walk_next(walk))
        take_row(index, (struct text){walk->key, walk->key_size}, walk->value, walk->value_size,
                 false);
    txn_walk_end(walk);
}

void city_index_changed(struct city_index *index, struct txn *txn, struct text code, bool is_new)
{
    size_t size;
    const void *value = txn_get(txn, TABLE_CITY, code.data, code.size, &size);

    assert(value != NULL);
    take_row(index, code, value, size, is_new);
}

/* --- by position ---------------------------------------------------------------------------------
 */

static void make_areas(struct city_index *index)
{
    struct buffer areas;

    buffer_init(&areas);
    for (uint32_t i = 0; i < index->count; i++) {
        const struct city_view *view = &index->cities[i]->view;
        for (uint32_t k = 0; k < view->row.area_count; k++) {
            struct city_area_row row;
            memcpy(&row, view->areas + k * sizeof row, sizeof row);
            struct area area = {row.lat, row.lon, row.radius_m, i};
            buffer_append(&areas, &area, sizeof area);
        }
    }
    area_index_release(&index->areas);
    area_index_init(&index->areas, (const struct area *)(const void *)areas.data,
                    areas.size / sizeof(struct area));
    buffer_release(&areas);
    index->has_new_areas = false;
}

uint32_t city_index_at(struct city_index *index, int32_t lat, int32_t lon)
{
    if (index->has_new_areas)
        make_areas(index);
    return area_index_find(&index->areas, lat, lon); /* AREA_NONE is CITY_NONE */
}

bool city_takes_label(const struct city *city, struct text label)
{
    size_t at = 0;
    struct text own;

    if (city->view.row.label_count == 0)
        return true;
    while (city_view_label(&city->view, &at, &own)) {
        if (label.data != NULL && text_equals(label, own))
            return true;
    }
    return false;
}

/* --- visits --------------------------------------------------------------------------------------
 */

static struct city_place place_in(const struct city_memory *memory, uint64_t mobile)
{
    return (struct city_place){city_filter_hash(&memory->filter, mobile),
                               visit_table_place(&memory->table, mobile)};
}

void city_prefetch(const struct city *city, uint64_t mobile, struct city_place *place)
{
    if (!city->is_whole)
        return;
    *place = place_in(&city->memory, mobile);
    city_filter_prefetch(&city->memory.filter, place->in_filter);
    visit_table_prefetch_at(&city->memory.table, place->in_table);
}

enum visit_known city_known(const struct city *city, uint64_t mobile, int64_t day)
{
    struct city_place place;

    if (!city->is_whole)
        return VISIT_UNKNOWN;
    place = place_in(&city->memory, mobile);
    return city_known_at(city, &place, day);
}

enum visit_known city_known_at(const struct city *city, const struct city_place *place, int64_t day)
{
    const struct city_memory *memory = &city->memory;
    uint32_t value;

    if (!city->is_whole)
        return VISIT_UNKNOWN;
    if (!city_filter_may_have(&memory->filter, place->in_filter) ||
        !visit_table_find_at(&memory->table, place->in_table, &value))
        return VISIT_IS_NEW;
    if (city->view.row.basis != CITY_SEEN || value == ASK_ROW)
        return VISIT_UNKNOWN;
    uint32_t age = (uint32_t)((day - value) % DAYS_MODULO);
    return age == 0 || age >= DAYS_MODULO - DAYS_AHEAD_MAX ? VISIT_SEEN : VISIT_SEEN_BEFORE;
}

uint32_t city_memory_value(int64_t day)
{
    return day == 0 ? ASK_ROW : (uint32_t)(day % DAYS_MODULO);
}

/* An image's filter may be older than its table: so not only what is new there goes into it. */
void city_memory_note(struct city_memory *memory, uint64_t mobile, uint32_t value)
{
    uint64_t hash = city_filter_hash(&memory->filter, mobile);

    if (visit_table_put(&memory->table, mobile, value) ||
        !city_filter_may_have(&memory->filter, hash))
        city_filter_add(&memory->filter, hash);
}

void city_note(struct city_index *index, struct city *city, uint64_t mobile, int64_t day)
{
    uint32_t value = city_memory_value(day);

    if (city->is_whole) {
        index->bytes -= city_memory_bytes(&city->memory);
        city_memory_note(&city->memory, mobile, value);
        index->bytes += city_memory_bytes(&city->memory);
        if (index->bytes > index->bytes_max)
            lose_memory(index, city);
    }
    if (index->build != NULL)
        city_build_note(index->build, city->view.row.index, mobile, value);
}

void city_forget(struct city_index *index, uint32_t city, uint64_t mobile)
{
    assert(city < index->count);
    city_note(index, index->cities[city], mobile, 0);
}
