/* The table's lines. A mobile, permuted, is 50 bits: the first `depth` choose the shard, the rest,
 * D bits as a fraction of one, times the number of lines chooses the line, and what of the product
 * lies behind the point, cut to the bits that still tell neighbours apart, is the remainder.
 *
 * A line of 64 bytes holds up to 15 entries; `slots` of them fit. What is kept of an entry is its
 * mark, the remainder with a bit in front that is set if it lies in its other line:
 *
 *     slots bytes: the last 8 bits of each mark, compared all at once
 *     then, packed: the rest of each mark and the value
 *     byte 63: how many entries there are (4 bits), whether any whose line this is lies elsewhere
 *
 * What is hard: lines fill unevenly. An entry that finds its line full goes to its other one, which
 * lies as far behind as its remainder says; and if that is full, too, an entry of either makes room
 * by going to its own other one (cuckoo hashing: Pagh and Rodler 2001). So a shard can be filled to
 * fifteen sixteenths, where probing of neighbours gave up at three fifths. */
#include "engine/visit_shard.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/pages.h"

enum {
    HEAD_AT = 63,
    LINE_BITS = HEAD_AT * 8,
    SLOTS_MAX = 15,
    IS_ELSEWHERE = 16, /* in a line's head */
    TAG_BITS = 8,
    HALF_BITS = VISIT_MOBILE_BITS / 2,
};
#define HALF_MASK ((UINT32_C(1) << HALF_BITS) - 1)

/* Where a mobile belongs in a shard, and what its mark is without the bit in front. */
struct place {
    uint32_t line;
    uint64_t remainder;
};

/* --- the permutation -----------------------------------------------------------------------------
 * A Feistel network of four rounds: a bijection whatever the rounds do. */

static inline uint32_t round_of(uint32_t half, uint32_t key)
{
    uint64_t product = (uint64_t)(half ^ key) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(product >> (64 - HALF_BITS));
}

static inline uint64_t permute(const struct visit_table *table, uint64_t mobile)
{
    uint32_t left = (uint32_t)(mobile >> HALF_BITS), right = (uint32_t)mobile & HALF_MASK;

    for (int i = 0; i < VISIT_ROUNDS; i += 2) {
        left ^= round_of(right, table->rounds[i]);
        right ^= round_of(left, table->rounds[i + 1]);
    }
    return (uint64_t)left << HALF_BITS | right;
}

static uint64_t permute_back(const struct visit_table *table, uint64_t permuted)
{
    uint32_t left = (uint32_t)(permuted >> HALF_BITS), right = (uint32_t)permuted & HALF_MASK;

    for (int i = VISIT_ROUNDS - 2; i >= 0; i -= 2) {
        right ^= round_of(left, table->rounds[i + 1]);
        left ^= round_of(right, table->rounds[i]);
    }
    return (uint64_t)left << HALF_BITS | right;
}

/* --- places --------------------------------------------------------------------------------------
 */

static inline uint32_t fraction_bits(const struct visit_shard *shard)
{
    return VISIT_MOBILE_BITS - shard->depth;
}

static inline struct visit_shard *shard_of(const struct visit_table *table, uint64_t permuted)
{
    return table->shards[permuted >> (VISIT_MOBILE_BITS - table->depth)];
}

static inline struct place place_of(const struct visit_shard *shard, uint64_t permuted)
{
    uint32_t bits = fraction_bits(shard);
    uint64_t mask = (UINT64_C(1) << bits) - 1, product = (permuted & mask) * shard->line_count;

    return (struct place){(uint32_t)(product >> bits), (product & mask) >> shard->line_bits};
}

/* The fraction that has this place: the products of neighbours are line_count apart, which is at
 * least what was cut off. */
static uint64_t fraction_of(const struct visit_shard *shard, struct place place)
{
    uint64_t least =
        ((uint64_t)place.line << fraction_bits(shard)) + (place.remainder << shard->line_bits);

    return (least + shard->line_count - 1) / shard->line_count;
}

/* How far behind an entry's line its other one is. */
static inline uint32_t distance_of(const struct visit_shard *shard, uint64_t remainder)
{
    uint64_t hash = remainder * UINT64_C(0xd6e8feb86659fd93) >> 32;

    return (uint32_t)(hash * (shard->line_count - 1) >> 32) + 1;
}

static inline uint32_t other_line(const struct visit_shard *shard, struct place place)
{
    uint32_t line = place.line + distance_of(shard, place.remainder);

    return line < shard->line_count ? line : line - shard->line_count;
}

/* The bit in front of a mark. */
static inline uint64_t other_bit(const struct visit_shard *shard)
{
    return UINT64_C(1) << (fraction_bits(shard) - shard->line_bits);
}

/* --- lines ---------------------------------------------------------------------------------------
 */

static inline uint8_t *line_at(const struct visit_shard *shard, uint32_t line)
{
    return shard->lines + (size_t)line * VISIT_LINE_BYTES;
}

static inline uint32_t count_of(const uint8_t *line)
{
    return line[HEAD_AT] & 15;
}

static inline uint32_t rest_at(const struct visit_shard *shard, uint32_t slot)
{
    return shard->slots * TAG_BITS + slot * shard->rest_bits;
}

static inline uint64_t rest_read(const struct visit_shard *shard, const uint8_t *line,
                                 uint32_t slot)
{
    uint32_t at = rest_at(shard, slot);
    uint64_t word;

    memcpy(&word, line + at / 8, sizeof word);
    return word >> at % 8 & ((UINT64_C(1) << shard->rest_bits) - 1);
}

static inline void rest_write(const struct visit_shard *shard, uint8_t *line, uint32_t slot,
                              uint64_t rest)
{
    uint32_t at = rest_at(shard, slot);
    uint64_t word, mask = (UINT64_C(1) << shard->rest_bits) - 1;

    memcpy(&word, line + at / 8, sizeof word);
    word = (word & ~(mask << at % 8)) | rest << at % 8;
    memcpy(line + at / 8, &word, sizeof word);
}

static inline void entry_write(const struct visit_shard *shard, uint8_t *line, uint32_t slot,
                               uint64_t mark, uint32_t value)
{
    line[slot] = (uint8_t)mark;
    rest_write(shard, line, slot, mark >> TAG_BITS << VISIT_VALUE_BITS | value);
}

/* The slot of that mark in the line; -1: none. */
static inline int slot_of(const struct visit_shard *shard, const uint8_t *line, uint64_t mark)
{
    uint32_t equal = bytes_equal_16(line, (uint8_t)mark) & ((UINT32_C(1) << count_of(line)) - 1);

    for (; equal != 0; equal &= equal - 1) {
        uint32_t slot = (uint32_t)__builtin_ctz(equal);
        if (rest_read(shard, line, slot) >> VISIT_VALUE_BITS == mark >> TAG_BITS)
            return (int)slot;
    }
    return -1;
}

/* The line and slot that the mobile lies in; NULL: it is not there. */
static inline uint8_t *find(const struct visit_shard *shard, uint64_t permuted, uint32_t *slot)
{
    struct place place = place_of(shard, permuted);
    uint8_t *line = line_at(shard, place.line);
    int found = slot_of(shard, line, place.remainder);

    if (found < 0 && (line[HEAD_AT] & IS_ELSEWHERE) != 0) {
        line = line_at(shard, other_line(shard, place));
        found = slot_of(shard, line, place.remainder | other_bit(shard));
    }
    if (found < 0)
        return NULL;
    *slot = (uint32_t)found;
    return line;
}

static inline bool has_room(const struct visit_shard *shard, const uint8_t *line)
{
    return count_of(line) < shard->slots;
}

static void line_append(const struct visit_shard *shard, uint8_t *line, uint64_t mark,
                        uint32_t value)
{
    entry_write(shard, line, count_of(line), mark, value);
    line[HEAD_AT]++;
}

static void line_remove(const struct visit_shard *shard, uint8_t *line, uint32_t slot)
{
    uint32_t last = count_of(line) - 1;

    line[slot] = line[last];
    rest_write(shard, line, slot, rest_read(shard, line, last));
    line[HEAD_AT]--;
}

/* An entry, and whether the line it lies in is its other one. */
struct entry {
    struct place place;
    bool is_in_other;
    uint32_t value;
};

static struct entry entry_read(const struct visit_shard *shard, uint32_t line, uint32_t slot)
{
    const uint8_t *at = line_at(shard, line);
    uint64_t rest = rest_read(shard, at, slot);
    uint64_t mark = rest >> VISIT_VALUE_BITS << TAG_BITS | at[slot];
    struct entry entry = {.place = {line, mark & (other_bit(shard) - 1)},
                          .is_in_other = (mark & other_bit(shard)) != 0,
                          .value = (uint32_t)rest & VISIT_VALUE_MAX};

    if (entry.is_in_other) {
        uint32_t distance = distance_of(shard, entry.place.remainder);
        entry.place.line = line >= distance ? line - distance : line + shard->line_count - distance;
    }
    return entry;
}

static void append_to_other(const struct visit_shard *shard, struct place place, uint8_t *line,
                            uint32_t value)
{
    line_append(shard, line, place.remainder | other_bit(shard), value);
    line_at(shard, place.line)[HEAD_AT] |= IS_ELSEWHERE;
}

/* Moves one of the line's entries to the entry's other line, where there is room in it. */
static bool make_room_in(const struct visit_shard *shard, uint32_t line)
{
    for (uint32_t slot = 0; slot < shard->slots; slot++) {
        struct entry entry = entry_read(shard, line, slot);
        uint8_t *to =
            line_at(shard, entry.is_in_other ? entry.place.line : other_line(shard, entry.place));
        if (!has_room(shard, to))
            continue;
        if (entry.is_in_other)
            line_append(shard, to, entry.place.remainder, entry.value);
        else
            append_to_other(shard, entry.place, to, entry.value);
        line_remove(shard, line_at(shard, line), slot);
        return true;
    }
    return false;
}

/* --- shards --------------------------------------------------------------------------------------
 */

void visit_shard_init(struct visit_shard *shard, uint32_t depth, uint32_t line_count)
{
    assert(line_count >= VISIT_LINES_MIN && line_count <= VISIT_LINES_MAX &&
           depth <= VISIT_DEPTH_MAX);
    *shard = (struct visit_shard){.line_count = line_count,
                                  .depth = (uint8_t)depth,
                                  .line_bits = (uint8_t)(31 - __builtin_clz(line_count))};
    uint32_t mark_bits = fraction_bits(shard) - shard->line_bits + 1;
    uint32_t slots = LINE_BITS / (mark_bits + VISIT_VALUE_BITS);
    shard->rest_bits = (uint8_t)(mark_bits - TAG_BITS + VISIT_VALUE_BITS);
    shard->slots = (uint8_t)(slots < SLOTS_MAX ? slots : SLOTS_MAX);
    assert(shard->rest_bits <= 64 - 7);
    shard->full = line_count * shard->slots / 16 * 15;
    shard->lines = pages_new(visit_shard_bytes(shard));
}

void visit_shard_release(struct visit_shard *shard)
{
    pages_free(shard->lines, visit_shard_bytes(shard));
}

bool visit_shard_is_sound(const struct visit_shard *shard)
{
    uint32_t entries = 0;

    for (uint32_t line = 0; line < shard->line_count; line++) {
        if (count_of(line_at(shard, line)) > shard->slots)
            return false;
        entries += count_of(line_at(shard, line));
    }
    return entries == shard->entries;
}

/* Adds what is not there. False: there is no room in its lines. */
static bool shard_add(struct visit_shard *shard, struct place place, uint32_t value)
{
    uint32_t other = other_line(shard, place);
    uint8_t *line = line_at(shard, place.line), *behind = line_at(shard, other);

    if (has_room(shard, line) || (!has_room(shard, behind) && make_room_in(shard, place.line)))
        line_append(shard, line, place.remainder, value);
    else if (has_room(shard, behind) || make_room_in(shard, other))
        append_to_other(shard, place, behind, value);
    else
        return false;
    shard->entries++;
    return true;
}

/* Moves all entries of `from` into `to`, or those of them whose first bit of the fraction is that.
 * False: they do not fit. */
static bool move_entries(const struct visit_shard *from, struct visit_shard *to, uint64_t half)
{
    bool is_split = to->depth > from->depth;

    for (uint32_t line = 0; line < from->line_count; line++) {
        uint32_t count = count_of(line_at(from, line));
        for (uint32_t slot = 0; slot < count; slot++) {
            struct entry entry = entry_read(from, line, slot);
            uint64_t fraction = fraction_of(from, entry.place);
            if (is_split && fraction >> fraction_bits(to) != half)
                continue;
            if (!shard_add(to, place_of(to, fraction), entry.value))
                return false;
        }
    }
    return true;
}

/* A shard of the entries of another, with as many lines as they need. */
static void make_from(const struct visit_shard *from, struct visit_shard *to, uint32_t depth,
                      uint32_t line_count, uint64_t half)
{
    if (line_count < VISIT_LINES_MIN)
        line_count = VISIT_LINES_MIN;
    visit_shard_init(to, depth, line_count);
    while (!move_entries(from, to, half)) {
        visit_shard_release(to);
        line_count += line_count / 8;
        visit_shard_init(to, depth, line_count);
    }
}

static void grow(struct visit_table *table, struct visit_shard *shard)
{
    struct visit_shard larger;

    make_from(shard, &larger, shard->depth, shard->line_count + shard->line_count / 8, 0);
    table->bytes += visit_shard_bytes(&larger) - visit_shard_bytes(shard);
    visit_shard_release(shard);
    *shard = larger;
}

/* --- the directory -------------------------------------------------------------------------------
 */

static void double_directory(struct visit_table *table)
{
    size_t count = (size_t)1 << table->depth;
    struct visit_shard **shards = pages_new(visit_directory_bytes(table->depth + 1));

    for (size_t i = 0; i < count; i++)
        shards[2 * i] = shards[2 * i + 1] = table->shards[i];
    pages_free(table->shards, visit_directory_bytes(table->depth));
    table->bytes += visit_directory_bytes(table->depth);
    table->shards = shards;
    table->depth++;
}

/* The shard that the permuted mobile leads to becomes two. */
static void split(struct visit_table *table, uint64_t permuted)
{
    struct visit_shard *shard = shard_of(table, permuted), *second = pages_new(sizeof *second);
    struct visit_shard first;
    uint32_t depth = shard->depth + 1U, line_count = shard->line_count / 2 + 1;

    if (depth > table->depth)
        double_directory(table);
    make_from(shard, &first, depth, line_count, 0);
    make_from(shard, second, depth, line_count, 1);
    assert(first.entries + second->entries == shard->entries);
    table->bytes += sizeof *second + visit_shard_bytes(&first) + visit_shard_bytes(second) -
                    visit_shard_bytes(shard);
    visit_shard_release(shard);
    *shard = first;
    size_t places = (size_t)1 << (table->depth - depth); /* of each half */
    size_t from = (permuted >> (VISIT_MOBILE_BITS - depth) | 1) << (table->depth - depth);
    for (size_t i = 0; i < places; i++)
        table->shards[from + i] = second;
}

/* One that is full in one place while the rest is empty is split until the place is a shard of its
 * own: that comes of being filled in the order of another table. */
static void make_room(struct visit_table *table, uint64_t permuted)
{
    struct visit_shard *shard = shard_of(table, permuted);

    if (shard->entries >= VISIT_SHARD_ENTRIES_MAX || shard->entries < shard->full / 2)
        split(table, permuted);
    else
        grow(table, shard);
}

void visit_table_init(struct visit_table *table, const struct hash_key *key)
{
    struct visit_shard *shard = pages_new(sizeof *shard);

    *table = (struct visit_table){.shards = pages_new(visit_directory_bytes(0))};
    for (uint32_t i = 0; i < VISIT_ROUNDS; i++)
        table->rounds[i] = (uint32_t)hash64(key, &i, sizeof i);
    visit_shard_init(shard, 0, VISIT_LINES_MIN);
    table->shards[0] = shard;
    table->bytes = visit_directory_bytes(0) + sizeof *shard + visit_shard_bytes(shard);
}

/* The places in the directory that hold the shard of `place`. */
static size_t places_of(const struct visit_table *table, size_t place)
{
    return (size_t)1 << (table->depth - table->shards[place]->depth);
}

void visit_table_release(struct visit_table *table)
{
    for (size_t place = 0, next; place < (size_t)1 << table->depth; place = next) {
        next = place + places_of(table, place);
        visit_shard_release(table->shards[place]);
        pages_free(table->shards[place], sizeof(struct visit_shard));
    }
    pages_free(table->shards, visit_directory_bytes(table->depth));
    *table = (struct visit_table){0};
}

/* --- what is asked of it -------------------------------------------------------------------------
 */

uint64_t visit_table_place(const struct visit_table *table, uint64_t mobile)
{
    assert(mobile <= VISIT_MOBILE_MAX);
    return permute(table, mobile);
}

void visit_table_prefetch_at(const struct visit_table *table, uint64_t place)
{
    const struct visit_shard *shard = shard_of(table, place);

    __builtin_prefetch(line_at(shard, place_of(shard, place).line));
}

void visit_table_prefetch(const struct visit_table *table, uint64_t mobile)
{
    visit_table_prefetch_at(table, visit_table_place(table, mobile));
}

bool visit_table_find(const struct visit_table *table, uint64_t mobile, uint32_t *value)
{
    return visit_table_find_at(table, visit_table_place(table, mobile), value);
}

bool visit_table_find_at(const struct visit_table *table, uint64_t place, uint32_t *value)
{
    const struct visit_shard *shard = shard_of(table, place);
    uint32_t slot;
    const uint8_t *line = find(shard, place, &slot);

    if (line == NULL)
        return false;
    *value = (uint32_t)rest_read(shard, line, slot) & VISIT_VALUE_MAX;
    return true;
}

bool visit_table_put(struct visit_table *table, uint64_t mobile, uint32_t value)
{
    uint64_t permuted = permute(table, mobile);
    struct visit_shard *shard = shard_of(table, permuted);
    uint32_t slot;
    uint8_t *line = find(shard, permuted, &slot);

    assert(mobile <= VISIT_MOBILE_MAX && value <= VISIT_VALUE_MAX);
    if (line != NULL) {
        uint64_t rest = rest_read(shard, line, slot);
        rest_write(shard, line, slot, (rest & ~(uint64_t)VISIT_VALUE_MAX) | value);
        return false;
    }
    if (shard->entries >= shard->full)
        make_room(table, permuted);
    shard = shard_of(table, permuted);
    while (!shard_add(shard, place_of(shard, permuted), value)) {
        make_room(table, permuted);
        shard = shard_of(table, permuted);
    }
    table->count++;
    return true;
}

bool visit_table_delete(struct visit_table *table, uint64_t mobile)
{
    uint64_t permuted = permute(table, mobile);
    struct visit_shard *shard = shard_of(table, permuted);
    uint32_t slot;
    uint8_t *line = find(shard, permuted, &slot);

    assert(mobile <= VISIT_MOBILE_MAX);
    if (line == NULL)
        return false;
    line_remove(shard, line, slot);
    shard->entries--;
    table->count--;
    return true;
}

/* Every line's first entry, then every line's second: were it line by line, a table with the same
 * secret that is filled in this order would run full at its beginning while the rest is empty. */
bool visit_walk_next(const struct visit_table *table, struct visit_walk *walk)
{
    while (walk->place < (size_t)1 << table->depth) {
        const struct visit_shard *shard = table->shards[walk->place];
        if (walk->slot == shard->slots) {
            walk->place += (uint32_t)places_of(table, walk->place);
            walk->slot = walk->line = 0;
            continue;
        }
        if (walk->line == shard->line_count) {
            walk->slot++;
            walk->line = 0;
            continue;
        }
        uint32_t line = walk->line++;
        if (walk->slot < count_of(line_at(shard, line))) {
            uint64_t first = (uint64_t)walk->place >> (table->depth - shard->depth);
            struct entry entry = entry_read(shard, line, walk->slot);
            uint64_t fraction = fraction_of(shard, entry.place);
            walk->mobile = permute_back(table, first << fraction_bits(shard) | fraction);
            walk->value = entry.value;
            return true;
        }
    }
    return false;
}
