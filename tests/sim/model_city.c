/* The rules of cities and visits (man/smsd-api.7, CITY WELCOME). Times of visits are whole seconds,
 * days are those of UTC. */
#include "model_city.h"

#include <string.h>

#include "engine/city.h"
#include "model.h"
#include "wrong.h"

enum { HALF_AN_HOUR_S = 30 * 60, DAY_S = 24 * 60 * 60, EARLY_MAX_MS = 5 * 60 * 1000 };

/* The shortest and the longest that there can be, and some that are near each other. */
const uint64_t model_mobiles[MODEL_MOBILES] = {
    1000000,        8613800000000, 8613800000001, 8613800000002, 8613800000003,   8613800000004,
    8613800000005,  8613800000006, 8613800000007, 8613800000008, 8613800000009,   8613800000010,
    8613900000000,  14155550100,   14155550101,   4915112345678, 9999999,         26200000000,
    33600000000000, 447700900000,  61400000000,   819012345678,  123456789012345, 999999999999999,
};

int model_mobile_of(uint64_t mobile)
{
    for (int i = 0; i < MODEL_MOBILES; i++) {
        if (model_mobiles[i] == mobile)
            return i;
    }
    return -1;
}

/* --- cities --------------------------------------------------------------------------------------
 */

uint32_t model_city_find(const struct model_cities *cities, struct text code)
{
    for (uint32_t i = 0; i < cities->count; i++) {
        if (text_equals(cities->city[i].put.code, code))
            return i;
    }
    return CITY_NONE;
}

uint32_t model_city_at(const struct model_cities *cities, int32_t lat, int32_t lon)
{
    uint32_t found = CITY_NONE, smallest_m = UINT32_MAX;

    for (uint32_t i = 0; i < cities->count; i++) {
        const struct city_put_command *put = &cities->city[i].put;
        for (size_t k = 0; k < put->area_count; k++) {
            const struct city_area_row *area = &put->areas[k];
            if (area->lat != lat || area->lon != lon || area->radius_m >= smallest_m)
                continue;
            smallest_m = area->radius_m;
            found = i;
        }
    }
    return found;
}

bool model_city_takes(const struct model_city *city, struct text label)
{
    for (size_t i = 0; i < city->put.label_count; i++) {
        if (label.data != NULL && text_equals(label, city->put.labels[i]))
            return true;
    }
    return city->put.label_count == 0;
}

/* CITY-8: made once, then changed as a whole; its place among cities and its visits stay. */
enum outcome rule_city_put(struct model *model, const struct command *command,
                           struct expected *expected)
{
    struct model_cities *cities = &model->cities;
    uint32_t index = model_city_find(cities, command->of.city_put.code);

    expected->city.is_new = index == CITY_NONE;
    if (index == CITY_NONE) {
        index = cities->count++;
        must(index < MODEL_CITIES_MAX);
        cities->city[index].number = command->number;
    }
    expected->city.index = index;
    cities->city[index].put = command->of.city_put;
    cities->city[index].updated_ms = command->now_ms;
    return OUTCOME_OK;
}

/* --- signals -------------------------------------------------------------------------------------
 */

/* CITY-9: the switch, the labels, the percentage, in this order. */
static enum city_decision decide(const struct model_city *city, int mobile, bool is_labelled)
{
    if (!city->put.is_enabled)
        return DECISION_DISABLED;
    if (!is_labelled)
        return DECISION_NOT_LABELLED;
    if (!rollout_has(mobile, city->put.rollout_percent))
        return DECISION_NOT_ROLLED_OUT;
    return DECISION_NO_MESSAGE;
}

/* CITY-10: the last sixteen, newest first. */
static void note_decision(struct model_cities *cities, int mobile, struct model_decision decision)
{
    struct model_decision *list = cities->decision[mobile];

    memmove(list + 1, list, (MODEL_DECISIONS_MAX - 1) * sizeof *list);
    list[0] = decision;
    cities->traces += cities->decisions[mobile] == 0;
    if (cities->decisions[mobile] < MODEL_DECISIONS_MAX)
        cities->decisions[mobile]++;
}

/* CITY-4, CITY-5. A signal that is older than what was seen or decided already is no news. */
static bool is_new(const struct model_city *city, const struct model_visit *visit, int64_t at_s)
{
    int64_t day = at_s / DAY_S, window_days = city->put.window_days;

    if (!visit->is_there)
        return true;
    if (at_s < visit->decided_s + HALF_AN_HOUR_S)
        return false;
    if (city->put.basis == CITY_SEEN)
        return visit->last_day == 0 || visit->last_day <= day - window_days;
    return visit->sent_s == 0 || at_s >= visit->sent_s + window_days * DAY_S;
}

bool model_visit_matters(const struct model_visit *visit, uint32_t window_days, int64_t now_ms)
{
    int64_t latest_s = now_ms / 1000 - DAY_S;

    return visit->last_day > latest_s / DAY_S - window_days ||
           (visit->sent_s != 0 && visit->sent_s > latest_s - (int64_t)window_days * DAY_S) ||
           visit->decided_s > latest_s - HALF_AN_HOUR_S;
}

static void note_sight(struct model_visit *visit, int64_t at_s)
{
    if (at_s / DAY_S <= visit->last_day)
        return;
    visit->last_day = at_s / DAY_S;
    visit->last_s = at_s;
}

static void see(struct model_cities *cities, const struct signal *signal, int64_t at_ms,
                int64_t now_ms, struct signals_result *counts)
{
    int mobile = model_mobile_of(signal->mobile);
    const struct model_city *city = &cities->city[signal->city];
    struct model_visit *visit = &cities->visit[signal->city][mobile];
    int64_t at_s = at_ms / 1000;

    if (!is_new(city, visit, at_s)) {
        counts->repeats++;
        if (visit->last_day != 0) /* a mark that was taken away is not brought back by a repeat */
            note_sight(visit, at_s);
        return;
    }
    if (!visit->is_there || !model_visit_matters(visit, city->put.window_days, now_ms)) {
        visit->is_first_open = visit->is_there;
        visit->first_before_s = visit->first_s;
        visit->first_s = at_s;
    }
    cities->visits += !visit->is_there;
    visit->is_there = true;
    note_sight(visit, at_s);
    visit->decided_s = at_s;
    visit->decision = decide(city, mobile, signal->is_labelled);
    note_decision(cities, mobile,
                  (struct model_decision){at_ms, now_ms, signal->city, visit->decision});
    if (visit->decision == DECISION_NO_MESSAGE)
        counts->first_visits++;
    else
        counts->skipped++;
}

/* CITY-12: up to five minutes ahead is now; what is further ahead, or more than a day old, is told
 * line by line and harms no other. */
enum outcome rule_signals(struct model *model, const struct command *command,
                          struct expected *expected)
{
    const struct signals_command *signals = &command->of.signals;
    struct signals_result *counts = &expected->signals;
    int64_t now_ms = command->now_ms;

    for (size_t i = 0; i < signals->count; i++) {
        const struct signal *signal = &signals->signals[i];
        int64_t at_ms = signal->at_ms == 0 ? now_ms : signal->at_ms;
        enum signal_code code = at_ms - now_ms > EARLY_MAX_MS     ? SIGNAL_IS_EARLY
                                : now_ms - at_ms > DAY_S * 1000LL ? SIGNAL_IS_LATE
                                                                  : SIGNAL_TAKEN;
        counts->codes[i / 4] |= (uint8_t)(code << i % 4 * 2);
        if (code != SIGNAL_TAKEN)
            counts->invalid++;
        else if (signal->city == CITY_NONE) /* a position in no area */
            counts->skipped++;
        else
            see(&model->cities, signal, at_ms > now_ms ? now_ms : at_ms, now_ms, counts);
    }
    return OUTCOME_OK;
}

/* --- what is left open ---------------------------------------------------------------------------
 */

void model_visit_learn(struct model_cities *cities, uint32_t city, int mobile,
                       const struct visit_row *row)
{
    struct model_visit *visit = &cities->visit[city][mobile];

    if (row == NULL) {
        cities->visits -= visit->is_there;
        *visit = (struct model_visit){.is_there = false};
    } else if (visit->is_first_open && row->first_s == visit->first_before_s) {
        visit->first_s = visit->first_before_s;
    }
    visit->is_first_open = false;
}
