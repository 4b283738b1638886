/* Who is among so many percent of all: what the engine says, in a world made for that question. */
#include "engine/city_index.h"
#include "model_city.h"
#include "world.h"
#include "wrong.h"

enum { PERCENTS = 101 };

static bool is_in[PERCENTS][MODEL_MOBILES];

static void ask(struct world *world, struct city_index *index, uint8_t percent)
{
    struct command put = {.type = COMMAND_CITY_PUT}, see = {.type = COMMAND_SIGNALS};
    char code[] = {'r', (char)('0' + percent / 100), (char)('0' + percent / 10 % 10),
                   (char)('0' + percent % 10)};
    struct engine_effect effect;
    struct result result;

    put.of.city_put = (struct city_put_command){.code = {code, sizeof code},
                                                .name = TEXT("r"),
                                                .capacity = 100,
                                                .misjudgement = CITY_MISJUDGEMENT_ONE / 100,
                                                .basis = CITY_SEEN,
                                                .window_days = 1,
                                                .rollout_percent = percent,
                                                .is_enabled = true};
    world_run(world, &put, &result, &effect);
    must(result.outcome == OUTCOME_OK);
    city_index_changed(index, world->txn, put.of.city_put.code, true);
    for (int i = 0; i < MODEL_MOBILES; i++) {
        struct signal signal = {.mobile = model_mobiles[i], .city = percent, .is_labelled = true};
        see.of.signals = (struct signals_command){&signal, 1, index, 1};
        world_run(world, &see, &result, &effect);
        must(result.of.signals.first_visits + result.of.signals.skipped == 1);
        is_in[percent][i] = result.of.signals.first_visits == 1;
    }
}

static void ask_all(void)
{
    static const struct hash_key secret = {1, 2};
    struct city_index index;
    struct world world;

    world_open(&world);
    city_index_init(&index, &secret);
    world_begin(&world);
    for (int percent = 0; percent < PERCENTS; percent++)
        ask(&world, &index, (uint8_t)percent);
    world_abort(&world);
    city_index_release(&index);
    world_close(&world);
    for (int i = 0; i < MODEL_MOBILES; i++) {
        must(!is_in[0][i] && is_in[100][i]);
        for (int percent = 1; percent < PERCENTS; percent++)
            must(is_in[percent][i] || !is_in[percent - 1][i]);
    }
}

bool rollout_has(int mobile, uint32_t percent)
{
    static bool is_known;

    if (!is_known)
        ask_all();
    is_known = true;
    return is_in[percent][mobile];
}
