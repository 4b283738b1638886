/* What the requirements say of cities (CITY-3, CITY-4, CITY-5, CITY-9, CITY-10): who was where, on
 * which day, what was decided of it, by plain arrays. There are few cities and few mobiles, so that
 * the same ones meet again and again. */
#ifndef SMSD_TESTS_SIM_MODEL_CITY_H
#define SMSD_TESTS_SIM_MODEL_CITY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/command.h"

enum { MODEL_CITIES_MAX = 6, MODEL_MOBILES = 24, MODEL_DECISIONS_MAX = 16 };

extern const uint64_t model_mobiles[MODEL_MOBILES];
/* -1: none of these. */
int model_mobile_of(uint64_t mobile);

/* One mobile in one city. */
struct model_visit {
    bool is_there;
    int64_t last_day;  /* it was seen on; 0: the mark was taken away */
    int64_t first_s;   /* in the order in which signals came */
    int64_t last_s;    /* the first sight of the last day */
    int64_t decided_s; /* of the signal that the last decision was about */
    int64_t sent_s;    /* 0: nothing was sent */
    enum city_decision decision;
    /* It was so old that its row could be gone: then its first sight is this one, or it is not. */
    bool is_first_open;
    int64_t first_before_s;
};

struct model_decision {
    int64_t at_ms, decided_ms;
    uint32_t city;
    enum city_decision decision;
};

struct model_city {
    struct city_put_command put; /* the last one; its texts are the plan's, which last */
    uint64_t number;
    int64_t updated_ms;
};

struct model_cities {
    uint32_t count, visits, traces; /* how many there are */
    struct model_city city[MODEL_CITIES_MAX];
    struct model_visit visit[MODEL_CITIES_MAX][MODEL_MOBILES];
    /* By mobile, newest first. */
    struct model_decision decision[MODEL_MOBILES][MODEL_DECISIONS_MAX];
    uint32_t decisions[MODEL_MOBILES];
};

struct model;
struct expected;

/* CITY_NONE: there is no city of that code. */
uint32_t model_city_find(const struct model_cities *cities, struct text code);
/* CITY-8: by position, which is the middle of an area or nowhere. */
uint32_t model_city_at(const struct model_cities *cities, int32_t lat, int32_t lon);
/* CITY-9: is the city open to who has that label (data NULL: none)? */
bool model_city_takes(const struct model_city *city, struct text label);
/* Could the visit still be asked for, by the latest signal that is taken? */
bool model_visit_matters(const struct model_visit *visit, uint32_t window_days, int64_t now_ms);
enum outcome rule_city_put(struct model *model, const struct command *command,
                           struct expected *expected);
enum outcome rule_signals(struct model *model, const struct command *command,
                          struct expected *expected);
/* What rows say of what the model leaves open: is the visit's row there, and when is it the first
 * sight? */
void model_visit_learn(struct model_cities *cities, uint32_t city, int mobile,
                       const struct visit_row *row);

/* rollout.c: is that mobile among so many percent of all? Which ones are is the engine's own
 * choice, so it is asked once, for a city of no other world; what must hold is that they are the
 * same everywhere, and who is in at some percent is in at more (CITY-9). */
bool rollout_has(int mobile, uint32_t percent);

#endif
