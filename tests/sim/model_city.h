/* What the requirements say of cities (CITY-3, CITY-4, CITY-5, CITY-8, CITY-9, CITY-10): who was
 * where, on which day, what was decided of it and sent, by plain arrays. There are few cities and
 * few mobiles, so that the same ones meet again and again. Whether a message can be made is not
 * modelled a second time but learnt from the trace; what follows from it is. */
#ifndef SMSD_TESTS_SIM_MODEL_CITY_H
#define SMSD_TESTS_SIM_MODEL_CITY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/command.h"

enum { MODEL_CITIES_MAX = 6, MODEL_MOBILES = 24, MODEL_DECISIONS_MAX = 16, MODEL_GROUPS = 3 };

extern const uint64_t model_mobiles[MODEL_MOBILES];
/* -1: none of these. */
int model_mobile_of(uint64_t mobile);

/* One mobile in one city. */
struct model_visit {
    bool is_there;
    int64_t last_day;  /* it was seen on; 0: the mark was taken away */
    int64_t first_s;   /* in the order in which signals came */
    int64_t last_s;    /* the first sight of the last day */
    int64_t decided_s; /* when the last decision was made */
    int64_t sent_s;    /* when the last message was made; 0: none was, or it has failed */
    uint64_t message;  /* the last one; 0: none */
    enum city_decision decision;
    /* It was so old that its row could be as good as gone: then it is `model_cities.other`. */
    bool is_open;
};

struct model_decision {
    int64_t at_ms, decided_ms;
    uint32_t city;
    enum city_decision decision;
    uint64_t message;           /* 0: none */
    enum outcome outcome;       /* why there is none */
    enum message_status status; /* of the message, once it is final; 0: not yet */
};

/* What a group of cities has sent a mobile last. */
struct model_welcome {
    bool is_there;
    uint32_t city, window_days;
    int64_t sent_s;
    uint64_t message;
};

struct model_city {
    struct city_put_command put; /* the last one; its texts are the plan's, which last */
    uint64_t number;
    int64_t updated_ms;
};

struct model_cities {
    uint32_t count, visits, traces, messages, welcomes; /* how many there are */
    struct model_city city[MODEL_CITIES_MAX];
    struct model_visit visit[MODEL_CITIES_MAX][MODEL_MOBILES];
    struct model_visit other[MODEL_CITIES_MAX][MODEL_MOBILES];
    /* By mobile, newest first. */
    struct model_decision decision[MODEL_MOBILES][MODEL_DECISIONS_MAX];
    uint32_t decisions[MODEL_MOBILES];
    struct model_welcome welcome[MODEL_GROUPS][MODEL_MOBILES]; /* by the size of the group's name */
};

struct model;
struct expected;
struct txn;

/* CITY_NONE: there is no city of that code. */
uint32_t model_city_find(const struct model_cities *cities, struct text code);
/* CITY-8: by position, which is the middle of an area or nowhere. */
uint32_t model_city_at(const struct model_cities *cities, int32_t lat, int32_t lon);
/* CITY-9: is the city open to who has that label (data NULL: none)? */
bool model_city_takes(const struct model_city *city, struct text label);
/* Could the visit still be asked for, by the latest signal that is taken? */
bool model_visit_matters(const struct model_visit *visit, uint32_t window_days, int64_t now_ms);
/* Which of its things may be refused, so that the answer is open. */
void learn_city_put(struct model *model, const struct command *command, struct expected *expected);
/* In the transaction of the command, that has run. */
void learn_signals(struct model *model, struct txn *txn, const struct command *command,
                   struct expected *expected);
/* CITY-5: its message has come to that status. */
void model_welcome_moved(struct model *model, uint64_t message, uint32_t city, int mobile,
                         enum message_status status);
/* CITY-10: 30 days after the last decision; a group's, when no signal can ask for it. */
bool model_trace_is_old(const struct model_cities *cities, int mobile, int64_t now_ms);
bool model_welcome_is_old(const struct model_welcome *welcome, int64_t now_ms);
/* What rows say of what the model leaves open: is the visit's row there, and when is it the first
 * sight? */
void model_visit_learn(struct model_cities *cities, uint32_t city, int mobile,
                       const struct visit_row *row);

/* rollout.c: is that mobile among so many percent of all? Which ones are is the engine's own
 * choice, so it is asked once, for a city of no other world; what must hold is that they are the
 * same everywhere, and who is in at some percent is in at more (CITY-9). */
bool rollout_has(int mobile, uint32_t percent);

#endif
