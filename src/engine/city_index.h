/* What the rows of cities and visits say, in memory, so that a signal costs no look at a row: each
 * city's configuration, the areas of all, and for each city its filter and its exact table.
 *
 * It is a pure function of the rows and owns nothing that they do not say. It changes with them:
 * the SIGNALS command changes rows and index one after the other and cannot be refused in between;
 * a command that was refused or replayed has not touched it. Whoever puts a city calls
 * city_index_changed behind that.
 *
 * A city whose rows are not all in memory is not whole: then its rows are asked, which is slower
 * and as right. It becomes whole by a build: city_build_new, then every row of TABLE_VISIT as of
 * one moment (a scan, on its own thread, calls city_build_row), then what has come since
 * (city_build_catch_up), then city_build_adopt. All but city_build_row are for the loop's thread.
 */
#ifndef SMSD_ENGINE_CITY_INDEX_H
#define SMSD_ENGINE_CITY_INDEX_H

#include "base/buffer.h"
#include "engine/city.h"
#include "engine/city_area.h"
#include "engine/city_filter.h"
#include "engine/visit_table.h"

/* Both of one city; the table's values are days, modulo VISIT_VALUE_MAX. */
struct city_memory {
    struct city_filter filter;
    struct visit_table table;
};

struct city {
    char code[CITY_CODE_MAX];
    size_t code_size;
    struct buffer value;    /* of its row */
    struct city_view view;  /* of that */
    bool is_whole;          /* `memory` is there, and has every visit that has not expired */
    bool is_rebuild_wanted; /* by itself, as soon as may be */
    struct city_memory memory;
    int64_t built_ms;
};

struct city_build;

struct city_index {
    const struct hash_key *secret; /* the data directory's */
    struct city **cities;          /* by their index */
    uint32_t count, capacity;
    uint32_t *places; /* a hash table of indexes + 1 by code; 4 * capacity of them */
    struct area_index areas;
    bool has_new_areas;       /* `areas` is to be made again before it is asked */
    struct city_build *build; /* under way */
    int64_t rebuilt_ms;       /* when all cities were made anew last; 0: never */
    uint64_t replaced;        /* grows whenever a city's memory makes room for another or goes */
    uint64_t bytes;           /* of memory, of all cities */
    uint64_t bytes_max;       /* UINT64_MAX at first */
};

void city_index_init(struct city_index *index, const struct hash_key *secret);
void city_index_release(struct city_index *index);
/* Every city of the rows; at start. Those without any visit are not yet known to be: none is whole.
 */
void city_index_load(struct city_index *index, struct txn *txn);
/* The city's row is new or was changed. A new one is whole at once; one whose window has become
 * longer than it was for its build is so no more, until the next. */
void city_index_changed(struct city_index *index, struct txn *txn, struct text code, bool is_new);

uint32_t city_index_find(const struct city_index *index, struct text code);
/* By position, in millionths of a degree. */
uint32_t city_index_at(struct city_index *index, int32_t lat, int32_t lon);
/* The city is open to signals of that label, which may be absent. */
bool city_takes_label(const struct city *city, struct text label);

/* What memory knows of a visit without a look at its row. */
enum visit_known {
    VISIT_UNKNOWN,    /* nothing: the row decides */
    VISIT_IS_NEW,     /* there is no row, or one that has expired */
    VISIT_SEEN,       /* on that day or after it: there is nothing to note */
    VISIT_SEEN_BEFORE /* the row decides, and is to be changed */
};
enum visit_known city_known(const struct city *city, uint64_t mobile, int64_t day);
/* For groups of them: first all of the former, which fetches what the latter will need and does not
 * wait, then the latter. In between the city's memory may change, grow and go, but not be replaced:
 * that is not done within a command. */
struct city_place {
    uint64_t in_filter, in_table;
};
void city_prefetch(const struct city *city, uint64_t mobile, struct city_place *place);
enum visit_known city_known_at(const struct city *city, const struct city_place *place,
                               int64_t day);
/* In the command that puts the row, by visit_store. */
void city_note(struct city_index *index, struct city *city, uint64_t mobile, int64_t day);
/* Behind a command that took a mark away: the row is asked from then on. Of no harm where it was
 * not, so it may also follow a command that is taken back. */
void city_forget(struct city_index *index, uint32_t city, uint64_t mobile);

/* What the city will need by its capacity and rate; and what all will that there are, but the one
 * of that code. */
uint64_t city_bytes_planned(uint64_t capacity, uint64_t misjudgement);
uint64_t city_index_planned(const struct city_index *index, struct text but);

/* Of that city, or of all: CITY_NONE. */
struct city_build *city_build_new(struct city_index *index, int64_t now_ms, uint32_t city);
/* That city is being made anew. */
bool city_build_has(const struct city_build *build, uint32_t city);
/* False: the visit has expired, and its row may go; then its key knows the window. Any one thread,
 * while the loop goes on. */
bool city_build_row(struct city_build *build, struct visit_key *key, const struct visit_row *row);
/* A value of TABLE_VISIT_LOG, in the order of the keys, behind the image. Any one thread. */
void city_build_log(struct city_build *build, const void *value, size_t size);
/* More was noted since than the build may keep (an eighth of `bytes_max`): it can only be dropped.
 */
bool city_build_is_overrun(const struct city_build *build);
/* Takes in up to `max` of the visits noted since; true: all of them. */
bool city_build_catch_up(struct city_index *index, size_t max);
/* In the same turn of the loop. Frees the build. */
void city_build_adopt(struct city_index *index);
/* Without any further effect. */
void city_build_drop(struct city_index *index);

#endif
