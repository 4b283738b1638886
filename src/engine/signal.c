/* Signals: is this the first sight of a user in a city, and what comes of it (CITY-3, CITY-4,
 * CITY-5, CITY-9)? What memory knows for certain is answered from there; where it does not, the row
 * decides. Rows and memory are changed one after the other, and nothing is refused in between, so
 * that they cannot part.
 *
 * A visit that no message goes out for (the city is switched off, or not open to the user) is kept
 * like any other: who lives in a city is not welcomed to it on the day it is switched on. */
#include <assert.h>
#include <string.h>

#include "engine/city_index.h"
#include "engine/handler.h"
#include "engine/visit_log.h"

enum { VISIT_ROW_VERSION = 1, TRACE_ROW_VERSION = 1, PERCENT = 100 };

/* One signal in hand. */
struct sighting {
    struct city *city;
    uint64_t mobile;
    bool is_labelled;
    int64_t at_ms, day;
    uint32_t at_s;
    const struct city_place *place;
};

enum sight { SIGHT_FIRST, SIGHT_REPEAT, SIGHT_SKIPPED };

/* The same users in every city, and each that is in at 10 % is in at 20 %, too. */
static bool is_rolled_out(const struct city *city, uint64_t mobile)
{
    uint64_t hash = mobile * UINT64_C(0xbf58476d1ce4e5b9);

    hash = (hash ^ hash >> 31) * UINT64_C(0x94d049bb133111eb);
    return (hash >> 32) * PERCENT >> 32 < city->view.row.rollout_percent;
}

/* A first visit. The welcome message belongs here, in the same transaction. */
static struct welcome welcome(const struct sighting *sighting)
{
    const struct city_row *row = &sighting->city->view.row;
    struct welcome none = {.decision = DECISION_NO_MESSAGE};

    if (!row->is_enabled)
        none.decision = DECISION_DISABLED;
    else if (!sighting->is_labelled)
        none.decision = DECISION_NOT_LABELLED;
    else if (!is_rolled_out(sighting->city, sighting->mobile))
        none.decision = DECISION_NOT_ROLLED_OUT;
    return none;
}

static void trace(struct engine *engine, const struct sighting *sighting,
                  const struct welcome *welcome)
{
    struct trace_row row = {.version = TRACE_ROW_VERSION};
    char key[8];

    trace_find(engine->txn, sighting->mobile, &row);
    if (row.count < TRACE_ITEMS_MAX)
        row.count++;
    memmove(&row.items[1], &row.items[0], (row.count - 1U) * sizeof row.items[0]);
    row.items[0] = (struct trace_item){.at_ms = sighting->at_ms,
                                       .decided_ms = engine->command->now_ms,
                                       .message = welcome->message,
                                       .city = sighting->city->view.row.index,
                                       .decision = (uint8_t)welcome->decision};
    bytes_put_u64_be(key, sighting->mobile);
    txn_put(engine->txn, TABLE_TRACE, key, sizeof key, &row,
            offsetof(struct trace_row, items) + row.count * sizeof row.items[0]);
}

static bool is_repeat(const struct sighting *sighting, const struct visit_row *row)
{
    const struct city_row *city = &sighting->city->view.row;
    int64_t window_s = (int64_t)city->window_days * (DAY_MS / 1000);

    if (city->basis == CITY_SEEN && sighting->day - row->last_day < city->window_days)
        return true;
    if (city->basis == CITY_SENT && row->sent_s != 0 &&
        sighting->at_s - (int64_t)row->sent_s < window_s)
        return true;
    return sighting->at_s - (int64_t)row->decided_s < VISIT_GUARD_S;
}

static void store_visit(struct engine *engine, const struct sighting *sighting,
                        const struct visit_row *row)
{
    visit_store(engine, sighting->city->view.row.index, sighting->mobile, row);
    city_note(engine->command->of.signals.index, sighting->city, sighting->mobile, row->last_day);
}

static enum sight first_visit(struct engine *engine, const struct sighting *sighting,
                              struct visit_row *row)
{
    struct welcome welcomed = welcome(sighting);

    if (row->first_s == 0)
        row->first_s = sighting->at_s;
    if (sighting->day > row->last_day) {
        row->last_day = (uint16_t)sighting->day;
        row->last_s = sighting->at_s;
    }
    row->decision = (uint8_t)welcomed.decision;
    row->decided_s = sighting->at_s;
    if (welcomed.message != 0) {
        row->message = welcomed.message;
        row->sent_s = sighting->at_s;
    }
    store_visit(engine, sighting, row);
    trace(engine, sighting, &welcomed);
    return welcomed.decision == DECISION_NO_MESSAGE ? SIGHT_FIRST : SIGHT_SKIPPED;
}

/* Where memory cannot say it. */
static enum sight ask_row(struct engine *engine, const struct sighting *sighting)
{
    struct visit_row row = {.version = VISIT_ROW_VERSION};
    bool is_known = visit_find(engine->txn, sighting->city->view.row.index, sighting->mobile, &row);

    if (!is_known || !is_repeat(sighting, &row))
        return first_visit(engine, sighting, &row);
    if (sighting->day > row.last_day && row.last_day != 0) {
        row.last_day = (uint16_t)sighting->day;
        row.last_s = sighting->at_s;
        store_visit(engine, sighting, &row);
    }
    return SIGHT_REPEAT;
}

static enum sight see(struct engine *engine, const struct sighting *sighting)
{
    struct visit_row row = {.version = VISIT_ROW_VERSION};

    switch (city_known_at(sighting->city, sighting->place, sighting->day)) {
    case VISIT_SEEN:
        return SIGHT_REPEAT;
    case VISIT_IS_NEW:
        return first_visit(engine, sighting, &row);
    case VISIT_SEEN_BEFORE:
    case VISIT_UNKNOWN:
        break;
    }
    return ask_row(engine, sighting);
}

/* Whether the signal's time can be taken, and which it is. A clock may be a little ahead. */
static enum signal_code take_time(const struct signal *signal, int64_t now_ms, int64_t *at_ms)
{
    *at_ms = signal->at_ms == 0 ? now_ms : signal->at_ms;
    if (*at_ms > now_ms + SIGNAL_EARLY_MAX_MS)
        return SIGNAL_IS_EARLY;
    if (*at_ms < now_ms - SIGNAL_LATE_MAX_MS)
        return SIGNAL_IS_LATE;
    if (*at_ms > now_ms)
        *at_ms = now_ms;
    return SIGNAL_TAKEN;
}

static void take_signal(struct engine *engine, const struct signals_command *command, size_t i,
                        const struct city_place *place, struct signals_result *counts)
{
    const struct signal *signal = &command->signals[i];
    struct sighting sighting = {
        .mobile = signal->mobile, .is_labelled = signal->is_labelled, .place = place};
    enum signal_code code = take_time(signal, engine->command->now_ms, &sighting.at_ms);
    enum sight sight = SIGHT_SKIPPED;

    if (code != SIGNAL_TAKEN) {
        counts->codes[i / 4] |= (uint8_t)(code << i % 4 * 2);
        counts->invalid++;
        return;
    }
    if (signal->city != CITY_NONE) {
        assert(signal->city < command->index->count);
        sighting.city = command->index->cities[signal->city];
        sighting.day = sighting.at_ms / DAY_MS;
        sighting.at_s = (uint32_t)(sighting.at_ms / 1000);
        sight = see(engine, &sighting);
    }
    counts->first_visits += sight == SIGHT_FIRST;
    counts->repeats += sight == SIGHT_REPEAT;
    counts->skipped += sight == SIGHT_SKIPPED;
}

enum outcome engine_signals(struct engine *engine, const struct signals_command *command,
                            struct result *answer)
{
    struct signals_result counts = {0};
    struct city_place places[SIGNALS_MAX];
    struct visit_log log;

    visit_log_begin(engine, &log);
    assert(command->count <= SIGNALS_MAX);
    for (size_t i = 0; i < command->count; i++) {
        const struct signal *signal = &command->signals[i];
        if (signal->city != CITY_NONE)
            city_prefetch(command->index->cities[signal->city], signal->mobile, &places[i]);
    }
    for (size_t i = 0; i < command->count; i++)
        take_signal(engine, command, i, &places[i], &counts);
    visit_log_end(engine);
    answer->of.signals = counts;
    return OUTCOME_OK;
}
