/* The rules of cities, visits and welcome messages (man/smsd-api.7, CITY WELCOME). Times of visits
 * are whole seconds, days are those of UTC. */
#include "model_city.h"

#include <string.h>

#include "engine/city.h"
#include "model.h"
#include "wrong.h"

enum {
    HALF_AN_HOUR_S = 30 * 60,
    DAY_S = 24 * 60 * 60,
    EARLY_MAX_MS = 5 * 60 * 1000,
    TRACE_DAYS = 30,
};

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
void learn_city_put(struct model *model, const struct command *command, struct expected *expected)
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
    cities->messages -= cities->city[index].put.template.data != NULL;
    cities->messages += command->of.city_put.template.data != NULL;
    cities->city[index].put = command->of.city_put;
    cities->city[index].updated_ms = command->now_ms;
}

/* --- signals -------------------------------------------------------------------------------------
 */

/* CITY-8: another city of the group has sent a message that stands. */
static bool is_grouped(const struct model_cities *cities, uint32_t city, int mobile, int64_t at_s)
{
    const struct city_put_command *put = &cities->city[city].put;
    const struct model_welcome *last = &cities->welcome[put->group.size][mobile];
    const struct model_visit *visit = &cities->visit[last->city][mobile];
    uint32_t window_days =
        last->window_days < put->window_days ? last->window_days : put->window_days;

    if (put->group.size == 0 || !last->is_there || last->city == city)
        return false;
    return at_s < last->sent_s + (int64_t)window_days * DAY_S && visit->sent_s != 0 &&
           visit->message == last->message;
}

/* What the engine says that it has decided now of that mobile in that city: a city decides of a
 * mobile no more than once in a command, which is of one moment. */
static const struct trace_item *find_decision(const struct trace_row *row, uint32_t city,
                                              int64_t now_ms)
{
    for (uint32_t i = 0; i < row->count; i++) {
        if (row->items[i].city == city && row->items[i].decided_ms == now_ms)
            return &row->items[i];
    }
    wrong("a first visit has no trace");
}

/* CITY-5: a message, or a reason against it. */
static void learn_message(struct txn *txn, uint32_t city, int mobile, int64_t now_ms,
                          struct model_decision *decision)
{
    const struct trace_item *item;
    struct trace_row row;

    must(trace_find(txn, model_mobiles[mobile], &row));
    item = find_decision(&row, city, now_ms);
    decision->decision = (enum city_decision)item->decision;
    decision->message = item->message;
    decision->outcome = (enum outcome)item->outcome;
    switch (decision->decision) {
    case DECISION_MESSAGE:
        must(item->message != 0 && decision->outcome == OUTCOME_OK);
        break;
    case DECISION_EXCLUDED:
        must(decision->outcome == OUTCOME_BLOCKED_NUMBER ||
             decision->outcome == OUTCOME_INVALID_NUMBER ||
             decision->outcome == OUTCOME_COUNTRY_NOT_ALLOWED);
        must(item->message == 0);
        break;
    default:
        must(decision->decision == DECISION_REFUSED && item->message == 0);
        must(decision->outcome != OUTCOME_OK && decision->outcome != OUTCOME_BLOCKED_NUMBER);
        break;
    }
}

/* A window that was made shorter may have let the group's visit expire: then, in the command that
 * has begun it anew, the trace says whether its message still counts. */
static bool is_held_back(const struct model_cities *cities, struct txn *txn,
                         const struct signal *signal, const struct model_decision *decision)
{
    int mobile = model_mobile_of(signal->mobile);
    const struct city_put_command *put = &cities->city[signal->city].put;
    const struct model_welcome *last = &cities->welcome[put->group.size][mobile];
    struct trace_row row;

    if (!is_grouped(cities, signal->city, mobile, decision->at_ms / 1000))
        return false;
    if (!cities->visit[last->city][mobile].is_open)
        return true;
    must(trace_find(txn, model_mobiles[mobile], &row));
    return find_decision(&row, signal->city, decision->decided_ms)->decision == DECISION_GROUPED;
}

/* CITY-9: the switch, the labels, the percentage, in this order; then the group, then the message.
 */
static void decide(struct model_cities *cities, struct txn *txn, const struct signal *signal,
                   struct model_decision *decision)
{
    const struct city_put_command *put = &cities->city[signal->city].put;
    int mobile = model_mobile_of(signal->mobile);

    if (!put->is_enabled)
        decision->decision = DECISION_DISABLED;
    else if (!signal->is_labelled)
        decision->decision = DECISION_NOT_LABELLED;
    else if (!rollout_has(mobile, put->rollout_percent))
        decision->decision = DECISION_NOT_ROLLED_OUT;
    else if (put->template.data == NULL)
        decision->decision = DECISION_NO_MESSAGE;
    else if (is_held_back(cities, txn, signal, decision))
        decision->decision = DECISION_GROUPED;
    else
        learn_message(txn, signal->city, mobile, decision->decided_ms, decision);
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
    while (list[cities->decisions[mobile] - 1].decided_ms + TRACE_DAYS * DAY_MS <
           decision.decided_ms)
        cities->decisions[mobile]--;
}

/* CITY-4, CITY-5. A signal of a time before half an hour after a decision is no news, nor is one of
 * a day before one that was seen. */
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

static void note_welcome(struct model_cities *cities, uint32_t city, int mobile,
                         const struct model_visit *visit)
{
    const struct city_put_command *put = &cities->city[city].put;
    struct model_welcome *welcome = &cities->welcome[put->group.size][mobile];

    if (put->group.size == 0)
        return;
    cities->welcomes += !welcome->is_there;
    *welcome = (struct model_welcome){true, city, put->window_days, visit->sent_s, visit->message};
}

/* A message that was refused leaves no mark. */
static void mark(struct model_visit *visit, const struct model_decision *decision)
{
    int64_t at_s = decision->at_ms / 1000;

    if (visit->last_day == 0 && at_s > visit->last_s)
        visit->last_s = at_s;
    if (at_s > visit->last_s && at_s / DAY_S > visit->last_day)
        visit->last_s = at_s;
    if (decision->decision == DECISION_REFUSED)
        visit->last_day = 0;
    else if (at_s / DAY_S > visit->last_day)
        visit->last_day = at_s / DAY_S;
    visit->decision = decision->decision;
    visit->decided_s = decision->decided_ms / 1000;
    if (decision->message == 0)
        return;
    visit->message = decision->message;
    visit->sent_s = visit->decided_s;
}

static void first_visit(struct model_cities *cities, struct txn *txn, const struct signal *signal,
                        struct model_decision *decision)
{
    int mobile = model_mobile_of(signal->mobile);
    struct model_visit *visit = &cities->visit[signal->city][mobile];
    struct model_visit *other = &cities->other[signal->city][mobile];
    uint32_t window_days = cities->city[signal->city].put.window_days;

    *other = (struct model_visit){.is_there = true, .first_s = decision->at_ms / 1000};
    if (!visit->is_there) {
        cities->visits++;
        *visit = *other;
    }
    visit->is_open = !model_visit_matters(visit, window_days, decision->decided_ms);
    decide(cities, txn, signal, decision);
    mark(visit, decision);
    mark(other, decision);
    note_decision(cities, mobile, *decision);
    if (decision->message != 0)
        note_welcome(cities, signal->city, mobile, visit);
}

static void see(struct model_cities *cities, struct txn *txn, const struct signal *signal,
                int64_t at_ms, int64_t now_ms, struct signals_result *counts)
{
    struct model_visit *visit = &cities->visit[signal->city][model_mobile_of(signal->mobile)];
    struct model_decision decision = {.at_ms = at_ms, .decided_ms = now_ms, .city = signal->city};

    if (!is_new(&cities->city[signal->city], visit, at_ms / 1000)) {
        counts->repeats++;
        if (visit->last_day != 0) { /* a mark that was taken away is not brought back */
            note_sight(visit, at_ms / 1000);
            note_sight(&cities->other[signal->city][model_mobile_of(signal->mobile)], at_ms / 1000);
        }
        return;
    }
    first_visit(cities, txn, signal, &decision);
    if (decision.decision == DECISION_NO_MESSAGE || decision.decision == DECISION_MESSAGE)
        counts->first_visits++;
    else
        counts->skipped++;
    counts->messages += decision.decision == DECISION_MESSAGE;
    counts->refused += decision.decision == DECISION_REFUSED;
}

/* CITY-12: up to five minutes ahead is now; what is further ahead, or more than a day old, is told
 * line by line and harms no other. */
void learn_signals(struct model *model, struct txn *txn, const struct command *command,
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
            see(&model->cities, txn, signal, at_ms > now_ms ? now_ms : at_ms, now_ms, counts);
    }
}

/* --- afterwards ----------------------------------------------------------------------------------
 */

/* What was decided stays, and with it the half hour; undelivered is no failure of it. A message
 * that is tried again does not bring the mark back. */
void model_welcome_moved(struct model *model, uint64_t message, uint32_t city, int mobile,
                         enum message_status status)
{
    struct model_cities *cities = &model->cities;
    struct model_visit *visit = &cities->visit[city][mobile];
    bool is_back =
        status == MESSAGE_FAILED || status == MESSAGE_CANCELED || status == MESSAGE_REJECTED;
    bool is_final = is_back || status == MESSAGE_DELIVERED || status == MESSAGE_UNDELIVERED;

    for (uint32_t i = 0; i < cities->decisions[mobile]; i++) {
        if (cities->decision[mobile][i].message == message)
            cities->decision[mobile][i].status = is_final ? status : 0;
    }
    if (!is_back || visit->message != message || visit->sent_s == 0)
        return;
    visit->sent_s = 0;
    if (visit->decision == DECISION_MESSAGE)
        visit->last_day = 0;
}

bool model_trace_is_old(const struct model_cities *cities, int mobile, int64_t now_ms)
{
    return cities->decisions[mobile] > 0 &&
           cities->decision[mobile][0].decided_ms + TRACE_DAYS * DAY_MS < now_ms;
}

bool model_welcome_is_old(const struct model_welcome *welcome, int64_t now_ms)
{
    return welcome->sent_s + welcome->window_days * (int64_t)DAY_S <= now_ms / 1000 - DAY_S;
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
    } else if (visit->is_open && row->first_s == cities->other[city][mobile].first_s) {
        *visit = cities->other[city][mobile];
    }
    visit->is_open = false;
}
