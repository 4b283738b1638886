/* Plans: what an episode does, as plain numbers drawn from the seed and from nothing else. What
 * they mean (which of the charges, how much of the balance) is decided when they are run, so that a
 * plan of which a part is left out is a plan still: that is how a failure is made small. */
#ifndef SMSD_TESTS_SIM_OP_H
#define SMSD_TESTS_SIM_OP_H

#include <stdbool.h>
#include <stdint.h>

enum op_type {
#define OP(name, weight, text) OP_##name,
#include "op.def"
#undef OP
    OP_COUNT
};

extern const char *const op_texts[OP_COUNT];

enum { OPS_MIN = 100, OPS_USUAL_MAX = 4096, OPS_MAX = 8192, PLAN_ACCOUNTS_MAX = 10 };

enum amount_kind {
    AMOUNT_SMALL,       /* 1 to 200 */
    AMOUNT_ALL,         /* what is there, of whatever the command takes from */
    AMOUNT_ALL_AND_ONE, /* one more */
    AMOUNT_FULL,        /* the same; a top-up: to the largest balance there is */
    AMOUNT_HALF,        /* of it */
    AMOUNT_LARGE,       /* up to a thousandth of the largest */
    AMOUNT_HUGEST,      /* the largest there is */
    AMOUNT_LEFT_OUT,    /* where the command lets one */
    AMOUNT_KINDS
};

struct op {
    uint8_t type; /* enum op_type */
    uint8_t amount_kind;
    uint8_t account, other; /* picks among the plan's accounts */
    uint8_t reference;
    bool has_key;
    bool is_tried;    /* run, taken back, and only then run to stay */
    uint32_t pick;    /* of charges, packets, keys, …: modulo how many there are */
    uint32_t number;  /* amounts, limits, durations: as the type takes it */
    int64_t waits_ms; /* since the op before */
};

struct plan {
    uint64_t seed;
    uint32_t episode;
    uint8_t accounts;
    uint32_t drain_max;
    int64_t drain_interval_ms;
    uint32_t packets_open_max;
    bool has_messages;       /* there is a catalogue to send by */
    uint32_t catalog_number; /* what it is like at first */
    uint32_t count;
    struct op ops[OPS_MAX];
};

/* The plan of an episode, of up to `count_max` ops. Where that is OPS_USUAL_MAX, a few have OPS_MAX
 * and nothing but the largest amounts, until the system accounts are at the end of their range. */
void plan_draw(struct plan *plan, uint64_t seed, uint32_t episode, uint32_t count_max);

/* xoshiro256++ (Blackman and Vigna, 2018), seeded by splitmix64. */
struct draw {
    uint64_t state[4];
};
void draw_init(struct draw *draw, uint64_t seed, uint64_t stream);
uint64_t draw_next(struct draw *draw);
/* 0 to below - 1. */
uint32_t draw_below(struct draw *draw, uint32_t below);
bool draw_chance(struct draw *draw, uint32_t one_in);

#endif
