/* Signals: is this the first sight of a user in a city, and what comes of it (CITY-3, CITY-4,
 * CITY-5)? What memory knows for certain is answered from there; where it does not, the row
 * decides. Rows and memory are changed one after the other, and nothing is refused in between, so
 * that they cannot part.
 *
 * A visit that no message goes out for (the city is switched off, or not open to the user) is kept
 * like any other: who lives in a city is not welcomed to it on the day it is switched on. */
#include <assert.h>

#include "engine/city_index.h"
#include "engine/handler.h"
#include "engine/visit_log.h"
#include "engine/welcome.h"

enum { VISIT_ROW_VERSION = 1 };

/* One signal in hand. */
struct sighting {
    struct city *city;
    uint64_t mobile;
    bool is_labelled;
    int64_t at_ms, day;
    uint32_t at_s, now_s;
    const struct city_place *place;
    struct signals_result *counts;
};

enum sight { SIGHT_FIRST, SIGHT_REPEAT, SIGHT_SKIPPED };

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

static void store(struct engine *engine, const struct sighting *sighting,
                  const struct visit_row *row)
{
    visit_store(engine, sighting->city->view.row.index, sighting->mobile, row);
    city_note(engine->command->of.signals.index, sighting->city, sighting->mobile, row->last_day);
}

/* A message that was refused leaves no mark. */
static void mark(const struct sighting *sighting, const struct welcome *welcome,
                 struct visit_row *row)
{
    if (row->first_s == 0)
        row->first_s = sighting->at_s;
    if (sighting->at_s > row->last_s && (sighting->day > row->last_day || row->last_day == 0))
        row->last_s = sighting->at_s;
    if (welcome->decision == DECISION_REFUSED)
        row->last_day = 0;
    else if (sighting->day > row->last_day)
        row->last_day = (uint16_t)sighting->day;
    row->decision = (uint8_t)welcome->decision;
    row->decided_s = sighting->now_s;
    if (welcome->message != 0) {
        row->message = welcome->message;
        row->sent_s = sighting->now_s;
    }
}

static enum sight first_visit(struct engine *engine, const struct sighting *sighting,
                              struct visit_row *row)
{
    struct signals_result *counts = sighting->counts;
    const struct city_view *view = &sighting->city->view;
    struct welcome welcome = welcome_decide(
        engine, &(struct welcome_asked){.city = view->row.index,
                                        .view = view,
                                        .mobile = sighting->mobile,
                                        .at_s = sighting->at_s,
                                        .is_labelled = sighting->is_labelled,
                                        .tries_max = engine->command->of.signals.tries_max});

    mark(sighting, &welcome, row);
    store(engine, sighting, row);
    trace_add(engine, sighting->mobile,
              &(struct trace_item){.at_ms = sighting->at_ms,
                                   .decided_ms = engine->command->now_ms,
                                   .message = welcome.message,
                                   .city = view->row.index,
                                   .decision = (uint8_t)welcome.decision,
                                   .outcome = (uint16_t)welcome.outcome});
    counts->messages += welcome.decision == DECISION_MESSAGE;
    counts->refused += welcome.decision == DECISION_REFUSED;
    return welcome.decision == DECISION_NO_MESSAGE || welcome.decision == DECISION_MESSAGE
               ? SIGHT_FIRST
               : SIGHT_SKIPPED;
}

/* Where memory cannot say it. */
static enum sight ask_row(struct engine *engine, const struct sighting *sighting)
{
    struct visit_row row = {.version = VISIT_ROW_VERSION};
    const struct city_row *city = &sighting->city->view.row;

    /* One that has expired may be deleted already, or be missing in memory: it is as none. */
    if (visit_find(engine->txn, city->index, sighting->mobile, &row) &&
        visit_is_expired(&row, city->window_days, engine->command->now_ms))
        row = (struct visit_row){.version = VISIT_ROW_VERSION};
    if (row.decided_s == 0 || !is_repeat(sighting, &row))
        return first_visit(engine, sighting, &row);
    if (sighting->day > row.last_day && row.last_day != 0) {
        row.last_day = (uint16_t)sighting->day;
        row.last_s = sighting->at_s;
        store(engine, sighting, &row);
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
    struct sighting sighting = {.mobile = signal->mobile,
                                .is_labelled = signal->is_labelled,
                                .place = place,
                                .counts = counts};
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
        sighting.now_s = (uint32_t)(engine->command->now_ms / 1000);
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
