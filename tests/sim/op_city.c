/* From an op's plain numbers to a command about cities. Signals are drawn around the moments at
 * which an answer turns: half an hour after a decision, midnight, the end of a window, what is just
 * too late or too early. */
#include <string.h>

#include "engine/city_index.h"
#include "engine/template.h"
#include "episode.h"
#include "wrong.h"

enum { SPOTS = 4, MINUTE_MS = 60 * 1000, GUARD_MS = 30 * MINUTE_MS };

/* --- cities --------------------------------------------------------------------------------------
 */

static const struct text codes[MODEL_CITIES_MAX] = {
    {"a", 1},         {"bb", 2},  {"shanghai", 8},
    {"shanghai2", 9}, {"d.1", 3}, {"e_long-code-0123456789", 22}};
static const struct text labels[] = {{"beta", 4}, {"staff", 5}, {"b", 1}};
/* So far apart that no area reaches another's middle. */
static const int32_t spots[SPOTS][2] = {
    {31230400, 121473700}, {-33868800, 151209300}, {0, 179999999}, {90000000, 0}};

static void areas_of(const struct op *op, struct city_put_command *put)
{
    /* Any few in a row. */
    static const struct city_area_row areas[] = {
        {31230400, 121473700, 2000}, {-33868800, 151209300, 2000}, {0, 179999999, 3},
        {90000000, 0, 100000},       {31230400, 121473700, 1000},  {-33868800, 151209300, 5},
        {0, 179999999, 70000},       {90000000, 0, 100001}};

    put->areas = areas + op->other % 7;
    put->area_count = op->pick / 4 % (8 - op->other % 7U) % 4;
}

/* Mostly of a template that exists and may be used, with the parameters that it has. */
static void message_of(const struct op *op, struct city_put_command *put)
{
    static const struct text companies[] = {{"x0", 2}, {"x1", 2}, {"x0", 2}, {"x9", 2}};
    static const struct text templates[] = {{"x1", 2}, {"x2", 2}, {"x1", 2}, {"x2", 2},
                                            {"x1", 2}, {"x0", 2}, {"x3", 2}, {"x9", 2}};
    static const struct template_param params[] = {{{"code", 4}, {"123456", 6}},
                                                   {{"name", 4}, {"Acme", 4}}};
    uint32_t number = op->pick / 2048;

    put->company = companies[number % 16 == 0 ? 3 : number % 3];
    put->template = templates[number / 16 % 8];
    put->params = params;
    put->param_count =
        number / 128 % 16 == 0 ? number / 2048 % 3 : 1 + (size_t)(put->template.data[1] % 2 == 1);
}

static void city_put_command(const struct episode *episode, const struct op *op,
                             struct city_put_command *put)
{
    static const uint16_t windows[] = {15, 1, 2, 3, 1, 2, 30, 365};
    static const uint8_t percents[] = {100, 100, 100, 50, 10, 99, 1, 0};
    static const uint64_t capacities[] = {1, 2, 8, 100};

    *put = (struct city_put_command){
        .code = codes[op->pick % MODEL_CITIES_MAX],
        .name = {"a name", 1 + op->number % 6},
        .group = {"gr", op->number / 8 % MODEL_GROUPS},
        .capacity = capacities[op->number / 64 % 4],
        .misjudgement =
            op->number % 2 == 0 ? CITY_MISJUDGEMENT_ONE / 10000 : CITY_MISJUDGEMENT_ONE / 10,
        .labels = labels + op->reference % 3,
        .label_count = op->reference < 5 ? 0 : op->reference % (4 - op->reference % 3U),
        .basis = op->number / 16 % 3 == 0 ? CITY_SENT : CITY_SEEN,
        .window_days = windows[op->number / 256 % 8],
        .rollout_percent = percents[op->number / 2048 % 8],
        .is_enabled = op->number / 16384 % 8 != 0};
    areas_of(op, put);
    if (episode->plan->has_messages && op->pick / 512 % 4 != 0)
        message_of(op, put);
}

/* --- signals -------------------------------------------------------------------------------------
 */

static uint32_t place_of(struct episode *episode, struct draw *draw)
{
    const struct model_cities *cities = &episode->model->cities;
    const int32_t *spot = spots[draw_below(draw, SPOTS)];
    uint32_t city = draw_below(draw, 8) == 0 ? model_city_at(cities, spot[0], spot[1])
                                             : draw_below(draw, cities->count);

    must(city_index_at(&episode->cities.index, spot[0], spot[1]) ==
         model_city_at(cities, spot[0], spot[1]));
    return city;
}

/* Around a moment of the visit, if there was any. */
static int64_t moment_of(const struct model_cities *cities, const struct signal *signal,
                         int64_t now_ms, struct draw *draw)
{
    const struct model_city *city = &cities->city[signal->city];
    const struct model_visit *visit = &cities->visit[signal->city][model_mobile_of(signal->mobile)];
    int64_t around_ms = (int64_t)draw_below(draw, 3000) - 1500;

    switch (draw_below(draw, 3)) {
    case 0:
        return visit->decided_s * 1000 + GUARD_MS + around_ms;
    case 1:
        return visit->sent_s * 1000 + city->put.window_days * DAY_MS + around_ms;
    default:
        return now_ms / DAY_MS * DAY_MS + around_ms;
    }
}

static int64_t time_of(const struct model_cities *cities, const struct signal *signal,
                       int64_t now_ms, struct draw *draw)
{
    int64_t at_ms;

    switch (draw_below(draw, 12)) {
    case 0:
        return now_ms - DAY_MS - 1 + draw_below(draw, 4);
    case 1:
        return now_ms + SIGNAL_EARLY_MAX_MS - 1 + draw_below(draw, 4);
    case 2:
        return now_ms - draw_below(draw, (uint32_t)DAY_MS);
    case 3:
        return now_ms - draw_below(draw, 2 * GUARD_MS);
    case 4:
        return now_ms + draw_below(draw, (uint32_t)SIGNAL_EARLY_MAX_MS);
    case 5:
    case 6:
        if (signal->city == CITY_NONE)
            return 0;
        at_ms = moment_of(cities, signal, now_ms, draw);
        return at_ms >= now_ms - DAY_MS && at_ms <= now_ms ? at_ms : now_ms;
    default:
        return 0;
    }
}

static bool is_labelled(const struct episode *episode, uint32_t city, struct draw *draw)
{
    static const struct text given[] = {{NULL, 0}, {"beta", 4}, {"staff", 5}, {"b", 1}, {"bet", 3}};
    struct text label = given[draw_below(draw, 5)];
    bool is_taken = model_city_takes(&episode->model->cities.city[city], label);

    must(city_takes_label(episode->cities.index.cities[city], label) == is_taken);
    return is_taken;
}

static bool signals_command(struct episode *episode, const struct op *op,
                            struct signals_command *command)
{
    const struct model_cities *cities = &episode->model->cities;
    struct signal *signals = episode->signals[episode->at];
    struct draw draw;

    if (cities->count == 0)
        return false;
    draw_init(&draw, op->number, op->pick);
    *command = (struct signals_command){signals, 1 + op->pick % 8, &episode->cities.index,
                                        (uint8_t)(1 + op->pick / 8 % 3)};
    if (op->number % 32 == 0)
        command->count = op->number % 64 == 0 ? SIGNALS_MAX : 1 + op->pick % SIGNALS_MAX;
    if (episode->model->messages + command->count + episode->plan->count > OPS_MAX)
        return false; /* each may be a message, and the model keeps no more */
    for (size_t i = 0; i < command->count; i++) {
        struct signal *signal = &signals[i];
        *signal = (struct signal){
            .mobile = model_mobiles[draw_below(&draw, 1 + draw_below(&draw, MODEL_MOBILES))],
            .city = place_of(episode, &draw)};
        signal->is_labelled =
            signal->city == CITY_NONE || is_labelled(episode, signal->city, &draw);
        signal->at_ms = time_of(cities, signal, episode->world.now_ms, &draw);
    }
    return true;
}

/* --- what expires --------------------------------------------------------------------------------
 */

/* What a build has left out, as the job does it; or any, which must be no harm. */
static bool expire_command(struct episode *episode, const struct op *op,
                           struct visit_expire_command *command)
{
    const struct model_cities *cities = &episode->model->cities;
    uint32_t count = 1 + op->number % EXPIRE_KEYS_MAX;

    *command = (struct visit_expire_command){.keys = episode->expire_keys};
    command->count = cities_take_expired(&episode->cities, episode->expire_keys, count);
    if (command->count > 0 || cities->count == 0)
        return command->count > 0;
    for (; command->count < count; command->count++) {
        uint32_t city = (op->pick + (uint32_t)command->count) % cities->count;
        uint32_t mobile = (op->pick / 64 + (uint32_t)command->count) % MODEL_MOBILES;
        episode->expire_keys[command->count] =
            (struct visit_key){model_mobiles[mobile], city, cities->city[city].put.window_days};
    }
    return true;
}

/* Traces, and what groups have sent: any. */
static bool welcome_expire_command(struct episode *episode, const struct op *op,
                                   struct welcome_expire_command *command)
{
    *command =
        (struct welcome_expire_command){episode->welcome_keys, 1 + op->number % EXPIRE_KEYS_MAX};
    for (size_t i = 0; i < command->count; i++) {
        uint32_t mobile = (op->pick + (uint32_t)i) % MODEL_MOBILES;
        episode->welcome_keys[i] = (struct welcome_key){
            {"gr", (op->number / 64 + i) % MODEL_GROUPS}, model_mobiles[mobile]};
    }
    return true;
}

bool op_city_command(struct episode *episode, const struct op *op, struct command *command)
{
    switch (command->type) {
    case COMMAND_CITY_PUT:
        city_put_command(episode, op, &command->of.city_put);
        return true;
    case COMMAND_SIGNALS:
        return signals_command(episode, op, &command->of.signals);
    case COMMAND_WELCOME_EXPIRE:
        return welcome_expire_command(episode, op, &command->of.welcome_expire);
    default:
        return expire_command(episode, op, &command->of.visit_expire);
    }
}
