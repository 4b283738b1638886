/* Drawing plans. Each episode gives some ops a multiple of their weight and others none (swarm
 * testing, Groce et al. 2012): what is rare in the mean is common somewhere, and what hides a fault
 * is absent somewhere. */
#include "op.h"

const char *const op_texts[OP_COUNT] = {
#define OP(name, weight, text) text,
#include "op.def"
#undef OP
};

static const uint32_t op_weights[OP_COUNT] = {
#define OP(name, weight, text) weight,
#include "op.def"
#undef OP
};

static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void draw_init(struct draw *draw, uint64_t seed, uint64_t stream)
{
    uint64_t state = seed;

    state = split_mix(&state) ^ stream;
    for (int i = 0; i < 4; i++)
        draw->state[i] = split_mix(&state);
}

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

uint64_t draw_next(struct draw *draw)
{
    uint64_t *s = draw->state, result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t draw_below(struct draw *draw, uint32_t below)
{
    return (uint32_t)((draw_next(draw) >> 32) * below >> 32);
}

bool draw_chance(struct draw *draw, uint32_t one_in)
{
    return draw_below(draw, one_in) == 0;
}

/* What an episode is like. */
struct mood {
    uint32_t weights[OP_COUNT], weights_sum;
    uint32_t amounts[AMOUNT_KINDS], amounts_sum;
    uint32_t key_share; /* of 8 */
    bool is_slow;       /* time passes in larger steps */
    bool is_vast;       /* see plan_draw */
};

static void mood_draw(struct mood *mood, struct draw *draw)
{
    static const uint32_t factors[] = {0, 1, 1, 1, 1, 2, 4, 8};
    static const uint32_t amounts[AMOUNT_KINDS] = {
        [AMOUNT_SMALL] = 48, [AMOUNT_ALL] = 6,   [AMOUNT_FULL] = 1,   [AMOUNT_ALL_AND_ONE] = 3,
        [AMOUNT_HALF] = 6,   [AMOUNT_LARGE] = 4, [AMOUNT_HUGEST] = 1, [AMOUNT_LEFT_OUT] = 12};
    bool is_huge = draw_chance(draw, 10);

    *mood = (struct mood){.key_share = draw_below(draw, 7), .is_slow = draw_chance(draw, 4)};
    for (int i = 0; i < OP_COUNT; i++) {
        mood->weights[i] = op_weights[i] * factors[draw_below(draw, 8)];
        mood->weights_sum += mood->weights[i];
    }
    /* Nothing comes of nothing. */
    mood->weights_sum += op_weights[OP_TOPUP];
    mood->weights[OP_TOPUP] += op_weights[OP_TOPUP];
    for (int i = 0; i < AMOUNT_KINDS; i++) {
        mood->amounts[i] = amounts[i] * factors[1 + draw_below(draw, 7)];
        if (is_huge && (i == AMOUNT_HUGEST || i == AMOUNT_FULL))
            mood->amounts[i] += 300;
        mood->amounts_sum += mood->amounts[i];
    }
}

/* Money comes and goes in the largest amounts, and seldom anything else happens. */
static void mood_make_vast(struct mood *mood)
{
    mood->is_vast = true;
    mood->weights_sum = mood->amounts_sum = 0;
    for (int i = 0; i < OP_COUNT; i++) {
        mood->weights[i] = i == OP_TOPUP || i == OP_CHARGE ? 600 : op_weights[i];
        mood->weights_sum += mood->weights[i];
    }
    for (int i = 0; i < AMOUNT_KINDS; i++) {
        mood->amounts[i] = i == AMOUNT_FULL ? 200 : i == AMOUNT_HUGEST ? 20 : 1;
        mood->amounts_sum += mood->amounts[i];
    }
}

static uint8_t draw_weighted(struct draw *draw, const uint32_t *weights, uint32_t sum)
{
    uint32_t at = draw_below(draw, sum);
    uint8_t i = 0;

    while (at >= weights[i])
        at -= weights[i++];
    return i;
}

/* Mostly none or a few milliseconds; now and then minutes, and seldom a day. */
static int64_t draw_wait(struct draw *draw, const struct mood *mood)
{
    enum { MINUTE_MS = 60 * 1000, DAY_MS = 24 * 60 * MINUTE_MS };
    uint32_t kind = draw_below(draw, mood->is_slow ? 128 : 1024);

    if (kind == 0)
        return DAY_MS - 5 + draw_below(draw, 10);
    if (kind == 1)
        return draw_below(draw, 2 * DAY_MS);
    if (kind < 6)
        return draw_below(draw, 10 * MINUTE_MS);
    if (kind < 60)
        return draw_below(draw, 300);
    return draw_chance(draw, 2) ? draw_below(draw, 4) : 0;
}

void plan_draw(struct plan *plan, uint64_t seed, uint32_t episode, uint32_t count_max)
{
    struct draw draw;
    struct mood mood;

    draw_init(&draw, seed, episode);
    mood_draw(&mood, &draw);
    if (draw_chance(&draw, 24) && count_max == OPS_USUAL_MAX)
        mood_make_vast(&mood);
    plan->seed = seed;
    plan->episode = episode;
    plan->count = mood.is_vast ? OPS_MAX : OPS_MIN + draw_below(&draw, count_max - OPS_MIN);
    plan->accounts = (uint8_t)(2 + draw_below(&draw, PLAN_ACCOUNTS_MAX - 1));
    plan->drain_max = 1 + draw_below(&draw, draw_chance(&draw, 2) ? 4 : 60);
    plan->drain_interval_ms = 1 + draw_below(&draw, 200);
    plan->packets_open_max = draw_chance(&draw, 3) ? 1 + draw_below(&draw, 6) : 1000;
    plan->has_messages = draw_below(&draw, 5) < 3;
    plan->catalog_number = (uint32_t)draw_next(&draw);
    for (uint32_t i = 0; i < plan->count; i++) {
        struct op *op = &plan->ops[i];
        *op = (struct op){
            .type = draw_weighted(&draw, mood.weights, mood.weights_sum),
            .amount_kind = draw_weighted(&draw, mood.amounts, mood.amounts_sum),
            /* The smaller of two: the first accounts are busier. */
            .account = (uint8_t)draw_below(&draw, 1 + draw_below(&draw, plan->accounts)),
            .other = (uint8_t)draw_below(&draw, plan->accounts),
            .reference = (uint8_t)draw_below(&draw, 8),
            .has_key = draw_below(&draw, 8) < mood.key_share,
            .is_tried = draw_chance(&draw, 16),
            .pick = (uint32_t)draw_next(&draw),
            .number = (uint32_t)draw_next(&draw),
            .waits_ms = draw_wait(&draw, &mood),
        };
    }
}
