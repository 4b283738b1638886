/* Cities and the visits to them (CITY-…). What is kept: a city's configuration, a row for each user
 * seen in it, and for each user the last decisions. Signals come in commands of up to SIGNALS_MAX.
 *
 * A day is one of UTC. Seen is by the day: a visit is new on a day if the city has not seen the
 * user on that day nor on the window_days - 1 before it. Sent is by the second, from when the
 * message was made: who was sent none is new again. A signal of a time before half an hour after a
 * decision belongs to what was decided, whatever has become of its message: so nobody gets two
 * within half an hour, however late signals come. */
#ifndef SMSD_ENGINE_CITY_H
#define SMSD_ENGINE_CITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "engine/command.h"
#include "store/table.h"

struct engine;
struct txn;

enum {
    CITY_WINDOW_DAYS_MAX = 365,
    CITY_COUNT_MAX = 100000,
    VISIT_KEY_SIZE = 12,
    VISIT_GUARD_S = 30 * 60,
};
#define CITY_NONE             UINT32_MAX
#define CITY_MISJUDGEMENT_ONE INT64_C(1000000000) /* a rate of 1 */
#define DAY_MS                INT64_C(86400000)
#define SIGNAL_LATE_MAX_MS    DAY_MS
#define SIGNAL_EARLY_MAX_MS   INT64_C(300000)
#define TRACE_AGE_MAX_MS      (30 * DAY_MS) /* of a decision */

/* A view of a row of TABLE_CITY: its texts point into the value it was read from. */
struct city_view {
    struct city_row row;
    const char *areas; /* struct city_area_row each, not aligned */
    struct text name, group;
    struct text labels; /* a byte of size before each */
};
void city_view_of(const void *value, size_t size, struct city_view *view);
/* The first label at `*at` (0 at first), which moves behind it; false: there is none left. */
bool city_view_label(const struct city_view *view, size_t *at, struct text *label);

static inline void visit_key_put(char key[VISIT_KEY_SIZE], uint32_t city, uint64_t mobile)
{
    uint32_t index = __builtin_bswap32(city);

    memcpy(key, &index, sizeof index);
    bytes_put_u64_be(key + 4, mobile);
}

/* False: never seen there. */
bool visit_find(struct txn *txn, uint32_t city, uint64_t mobile, struct visit_row *row);
/* The same of a value that a scan has met. */
void visit_row_of(const void *value, size_t size, struct visit_row *row);
/* Nothing that is asked of it can depend on it any more. Any thread. */
bool visit_is_expired(const struct visit_row *row, uint32_t window_days, int64_t now_ms);
/* In handlers. Whoever changes a visit has memory changed, too: city_note, or the effect's
 * `forgotten`. */
void visit_store(struct engine *engine, uint32_t city, uint64_t mobile,
                 const struct visit_row *row);

/* False: nothing was decided of this mobile, or too long ago. */
bool trace_find(struct txn *txn, uint64_t mobile, struct trace_row *row);
/* In handlers: a decision more; and what became of its message, if it is still kept. */
void trace_add(struct engine *engine, uint64_t mobile, const struct trace_item *item);
void trace_finish(struct engine *engine, uint64_t mobile, uint64_t message,
                  enum message_status status);

/* The last message of a group of cities. False: there was none, or too long ago. */
bool group_welcome_find(struct txn *txn, struct text group, uint64_t mobile,
                        struct group_welcome_row *row);
void group_welcome_store(struct engine *engine, struct text group, uint64_t mobile,
                         const struct group_welcome_row *row);

/* Of a row of TABLE_TRACE or TABLE_GROUP_WELCOME: nothing asks for it any more. Then `key` says
 * what is to be deleted; its group points into the row's key. Any thread. */
bool welcome_row_is_expired(enum table table, const void *key, size_t key_size, const void *value,
                            size_t value_size, int64_t now_ms, struct welcome_key *expired);

#endif
