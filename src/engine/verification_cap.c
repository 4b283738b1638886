/* How many codes there were: of a number each moment, of an address and of a prefix each minute.
 * Rows hold no more than what a window can still see; what is older is left out when they are
 * written, and they go when nothing is left. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/catalog.h"
#include "engine/handler.h"
#include "engine/verification.h"
#include "engine/webhook.h"

enum {
    ROW_VERSION = 1,
    MINUTES_MAX = 61, /* an hour, and the minute of which only a part is in it */
    RATE_KEY_SIZE = 9,
};

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

const struct verification_cap_info verification_cap_infos[VERIFICATION_CAP_COUNT] = {
#define VERIFICATION_CAP(name, number, window_s, setting, field, prose)                            \
    [number] = {INT64_C(1000) * (window_s), SETTING_##setting, field, prose},
#include "engine/verification_cap.def"
#undef VERIFICATION_CAP
};

/* --- of a number ---------------------------------------------------------------------------------
 */

struct times {
    struct verification_to_row row;
    int64_t at_ms[VERIFICATION_TIMES_MAX];
};

/* What is older than a day is left out. */
static void times_find(struct txn *txn, uint64_t to, int64_t now_ms, struct times *times)
{
    char key[8];
    size_t size, old = 0;
    const void *value;

    bytes_put_u64_be(key, to);
    value = txn_get(txn, TABLE_VERIFICATION_TO, key, sizeof key, &size);
    times->row = (struct verification_to_row){.version = ROW_VERSION};
    if (value == NULL)
        return;
    assert(size >= sizeof times->row && size <= sizeof *times);
    memcpy(times, value, size);
    assert(times->row.version == ROW_VERSION &&
           size == sizeof times->row + times->row.count * sizeof *times->at_ms);
    while (old < times->row.count && times->at_ms[old] + DAY_MS <= now_ms)
        old++;
    times->row.count = (uint8_t)(times->row.count - old);
    memmove(times->at_ms, times->at_ms + old, times->row.count * sizeof *times->at_ms);
}

static void times_store(struct engine *engine, uint64_t to, const struct times *times)
{
    char key[8];

    bytes_put_u64_be(key, to);
    if (times->row.count == 0)
        txn_delete(engine->txn, TABLE_VERIFICATION_TO, key, sizeof key);
    else
        txn_put(engine->txn, TABLE_VERIFICATION_TO, key, sizeof key, times,
                sizeof times->row + times->row.count * sizeof *times->at_ms);
}

/* When the next one may be made; 0: now. */
static int64_t times_free_ms(const struct times *times, int64_t window_ms, int64_t most,
                             int64_t now_ms)
{
    int64_t first = times->row.count - most;

    if (first < 0 || times->at_ms[first] + window_ms <= now_ms)
        return 0;
    return times->at_ms[first] + window_ms;
}

/* --- of an address, of a prefix ------------------------------------------------------------------
 */

struct rate {
    struct verification_rate_row row;
    struct verification_minute minutes[MINUTES_MAX];
};

static void rate_key(char key[RATE_KEY_SIZE], enum verification_rate_kind kind, uint64_t value)
{
    key[0] = (char)kind;
    bytes_put_u64_be(key + 1, value);
}

static void rate_find(struct txn *txn, enum verification_rate_kind kind, uint64_t of,
                      int64_t now_ms, struct rate *rate)
{
    uint32_t minute = (uint32_t)(now_ms / MINUTE_MS);
    char key[RATE_KEY_SIZE];
    size_t size, old = 0;
    const void *value;

    rate_key(key, kind, of);
    value = txn_get(txn, TABLE_VERIFICATION_RATE, key, sizeof key, &size);
    rate->row = (struct verification_rate_row){.version = ROW_VERSION};
    if (value == NULL)
        return;
    assert(size >= sizeof rate->row && size <= sizeof *rate);
    memcpy(rate, value, size);
    assert(rate->row.version == ROW_VERSION &&
           size == sizeof rate->row + rate->row.count * sizeof *rate->minutes);
    while (old < rate->row.count && rate->minutes[old].minute + MINUTES_MAX <= minute)
        old++;
    rate->row.count = (uint8_t)(rate->row.count - old);
    memmove(rate->minutes, rate->minutes + old, rate->row.count * sizeof *rate->minutes);
    if (rate->row.alarmed_ms + HOUR_MS <= now_ms)
        rate->row.alarmed_ms = 0;
}

static void rate_store(struct engine *engine, enum verification_rate_kind kind, uint64_t of,
                       const struct rate *rate)
{
    char key[RATE_KEY_SIZE];

    rate_key(key, kind, of);
    if (rate->row.count == 0 && rate->row.alarmed_ms == 0)
        txn_delete(engine->txn, TABLE_VERIFICATION_RATE, key, sizeof key);
    else
        txn_put(engine->txn, TABLE_VERIFICATION_RATE, key, sizeof key, rate,
                sizeof rate->row + rate->row.count * sizeof *rate->minutes);
}

static struct verification_minute *rate_now(struct rate *rate, int64_t now_ms)
{
    uint32_t minute = (uint32_t)(now_ms / MINUTE_MS);

    if (rate->row.count == 0 || rate->minutes[rate->row.count - 1].minute != minute) {
        assert(rate->row.count < MINUTES_MAX);
        rate->minutes[rate->row.count++] = (struct verification_minute){.minute = minute};
    }
    return &rate->minutes[rate->row.count - 1];
}

static int64_t rate_free_ms(const struct rate *rate, int64_t most)
{
    int64_t made = 0;
    int i;

    for (i = 0; i < rate->row.count; i++)
        made += rate->minutes[i].made;
    if (made < most)
        return 0;
    for (i = 0; made >= most; i++)
        made -= rate->minutes[i].made;
    return ((int64_t)rate->minutes[i - 1].minute + MINUTES_MAX) * MINUTE_MS;
}

uint64_t verification_prefix(struct txn *txn, uint64_t to)
{
    for (int64_t tail = setting_int(txn, SETTING_VERIFICATION_PREFIX_TAIL); tail > 0; tail--)
        to /= 10;
    return to;
}

/* --- together ------------------------------------------------------------------------------------
 */

enum verification_cap verification_cap_reached(struct engine *engine,
                                               const struct verification_row *row,
                                               int64_t *retry_ms)
{
    enum verification_cap reached = VERIFICATION_CAP_NONE;
    int64_t now_ms = engine->command->now_ms, latest_ms = now_ms;
    struct rate address, prefix;
    struct times times;

    times_find(engine->txn, row->to, now_ms, &times);
    rate_find(engine->txn, VERIFICATION_RATE_PREFIX, row->prefix, now_ms, &prefix);
    if (row->address_kind != 0)
        rate_find(engine->txn, row->address_kind, row->address, now_ms, &address);
    for (int i = 1; i < VERIFICATION_CAP_COUNT; i++) {
        const struct verification_cap_info *cap = &verification_cap_infos[i];
        int64_t most = setting_int(engine->txn, cap->setting), free_ms;
        if (i == VERIFICATION_CAP_ADDRESS_HOUR)
            free_ms = row->address_kind == 0 ? 0 : rate_free_ms(&address, most);
        else if (i == VERIFICATION_CAP_PREFIX_HOUR)
            free_ms = rate_free_ms(&prefix, most);
        else
            free_ms = times_free_ms(&times, cap->window_ms, most, now_ms);
        if (free_ms > latest_ms) {
            latest_ms = free_ms;
            reached = (enum verification_cap)i;
        }
    }
    *retry_ms = latest_ms - now_ms;
    return reached;
}

static void count_rate(struct engine *engine, enum verification_rate_kind kind, uint64_t of)
{
    struct rate rate;

    rate_find(engine->txn, kind, of, engine->command->now_ms, &rate);
    rate_now(&rate, engine->command->now_ms)->made++;
    rate_store(engine, kind, of, &rate);
}

void verification_count_made(struct engine *engine, const struct verification_row *row)
{
    struct times times;

    times_find(engine->txn, row->to, row->created_ms, &times);
    assert(times.row.count < VERIFICATION_TIMES_MAX); /* the most that the cap can be set to */
    times.at_ms[times.row.count++] = row->created_ms;
    times_store(engine, row->to, &times);
    count_rate(engine, VERIFICATION_RATE_PREFIX, row->prefix);
    if (row->address_kind != 0)
        count_rate(engine, row->address_kind, row->address);
}

void verification_count_back(struct engine *engine, const struct verification_row *row)
{
    struct times times;
    int i = 0;

    times_find(engine->txn, row->to, engine->command->now_ms, &times);
    while (i < times.row.count && times.at_ms[i] != row->created_ms)
        i++;
    if (i == times.row.count)
        return; /* more than a day ago */
    times.row.count--;
    memmove(times.at_ms + i, times.at_ms + i + 1,
            (size_t)(times.row.count - i) * sizeof *times.at_ms);
    times_store(engine, row->to, &times);
}

/* --- pumping -------------------------------------------------------------------------------------
 */

static void tell_pumping(struct engine *engine, uint64_t prefix, int64_t unused, int64_t verified,
                         int64_t minutes)
{
    webhook_put(engine,
                &(struct webhook_event){.type = WEBHOOK_VERIFICATION_PUMPING,
                                        .subject = prefix,
                                        .values = {(int64_t)prefix, unused, verified, minutes}});
    engine->effect->is_pumping_told = true;
}

static void watch_pumping(struct engine *engine, uint64_t prefix, struct rate *rate)
{
    struct txn *txn = engine->txn;
    int64_t now_ms = engine->command->now_ms, unused = 0, verified = 0;
    int64_t minutes = setting_int(txn, SETTING_VERIFICATION_PUMPING_MINUTES);

    if (rate->row.alarmed_ms != 0)
        return;
    for (int i = 0; i < rate->row.count; i++) {
        const struct verification_minute *minute = &rate->minutes[i];
        if (minute->minute + minutes <= now_ms / MINUTE_MS)
            continue;
        unused += minute->unused;
        verified += minute->verified;
    }
    if (unused < setting_int(txn, SETTING_VERIFICATION_PUMPING_UNUSED) ||
        unused * 100 < (unused + verified) * setting_int(txn, SETTING_VERIFICATION_PUMPING_PERCENT))
        return;
    rate->row.alarmed_ms = now_ms;
    tell_pumping(engine, prefix, unused, verified, minutes);
}

void verification_count_end(struct engine *engine, const struct verification_row *row)
{
    int64_t now_ms = engine->command->now_ms;
    struct verification_minute *minute;
    struct rate rate;

    if (row->flags & VERIFICATION_IS_BACK)
        return;
    rate_find(engine->txn, VERIFICATION_RATE_PREFIX, row->prefix, now_ms, &rate);
    minute = rate_now(&rate, now_ms);
    if (row->status == VERIFICATION_VERIFIED) {
        minute->verified++;
    } else {
        minute->unused++;
        watch_pumping(engine, row->prefix, &rate);
    }
    rate_store(engine, VERIFICATION_RATE_PREFIX, row->prefix, &rate);
}

void verification_count_forget(struct engine *engine, const struct verification_row *row)
{
    int64_t now_ms = engine->command->now_ms;
    struct times times;
    struct rate rate;

    times_find(engine->txn, row->to, now_ms, &times);
    times_store(engine, row->to, &times);
    rate_find(engine->txn, VERIFICATION_RATE_PREFIX, row->prefix, now_ms, &rate);
    rate_store(engine, VERIFICATION_RATE_PREFIX, row->prefix, &rate);
    if (row->address_kind == 0)
        return;
    rate_find(engine->txn, row->address_kind, row->address, now_ms, &rate);
    rate_store(engine, row->address_kind, row->address, &rate);
}
