/* For tests of signals: the world of messages with cities that send, and the index over their rows
 * that a pipeline keeps. */
#ifndef SMSD_TESTS_CITY_WORLD_H
#define SMSD_TESTS_CITY_WORLD_H

#include "message_world.h"

#include "engine/city_index.h"

#define MINUTE   (60)
#define HOUR     (60 * 60)
#define DAY      (24 * 60 * 60)
#define MOBILE   UINT64_C(8613800000000)
#define BLOCKED  (MOBILE + 77)
#define STRANGER UINT64_C(999123456789)

/* The cities in memory; of each test its own. */
static struct city_index cities;
static const struct hash_key secret = {4711, 815};

/* What one signal came to. */
enum sight { FIRST = 1, REPEAT, SKIPPED, LATE, EARLY };

__attribute__((unused)) static struct city_put_command city_that_sends(void)
{
    return (struct city_put_command){.name = TEXT("Shanghai"),
                                     .capacity = 1000,
                                     .misjudgement = 100000,
                                     .company = TEXT("acme"),
                                     .template = TEXT("welcome"),
                                     .basis = CITY_SEEN,
                                     .window_days = 15,
                                     .rollout_percent = 100,
                                     .is_enabled = true};
}

__attribute__((unused)) static enum outcome try_city(struct world *world, const char *code,
                                                     struct city_put_command put)
{
    struct command command = {.type = COMMAND_CITY_PUT};
    struct result result;
    struct txn *txn;

    put.code = text_of(code);
    command.of.city_put = put;
    result = apply(world, &command);
    if (result.outcome != OUTCOME_OK)
        return result.outcome;
    txn = store_begin(world->store);
    city_index_changed(&cities, txn, put.code, result.of.city.is_new != 0);
    store_abort(txn);
    return OUTCOME_OK;
}

__attribute__((unused)) static uint32_t put_city(struct world *world, const char *code,
                                                 struct city_put_command put_as)
{
    assert_int_equal(try_city(world, code, put_as), OUTCOME_OK);
    return city_index_find(&cities, text_of(code));
}

__attribute__((unused)) static struct signals_result
send_signals(struct world *world, const struct signal *signals, size_t count)
{
    struct command command = {.type = COMMAND_SIGNALS};
    struct result result;

    command.of.signals = (struct signals_command){
        .signals = signals, .count = count, .index = &cities, .tries_max = 2};
    result = apply(world, &command);
    assert_int_equal(result.outcome, OUTCOME_OK);
    return result.of.signals;
}

__attribute__((unused)) static enum sight see_at(struct world *world, uint32_t city,
                                                 uint64_t mobile, int64_t at_ms)
{
    struct signal signal = {.mobile = mobile, .city = city, .is_labelled = true, .at_ms = at_ms};
    struct signals_result counts = send_signals(world, &signal, 1);

    if (counts.invalid > 0)
        return (counts.codes[0] & 3) == SIGNAL_IS_LATE ? LATE : EARLY;
    return counts.first_visits > 0 ? FIRST : counts.repeats > 0 ? REPEAT : SKIPPED;
}

__attribute__((unused)) static enum sight see(struct world *world, uint32_t city, uint64_t mobile)
{
    return see_at(world, city, mobile, 0);
}

__attribute__((unused)) static void pass(struct world *world, int64_t seconds)
{
    world->now_ms += seconds * 1000;
}

__attribute__((unused)) static struct visit_row visit_of(struct world *world, uint32_t city,
                                                         uint64_t mobile)
{
    struct txn *txn = store_begin(world->store);
    struct visit_row row = {0};

    assert_true(visit_find(txn, city, mobile, &row));
    store_abort(txn);
    return row;
}

/* The newest decision of a mobile. */
__attribute__((unused)) static struct trace_item trace_of(struct world *world, uint64_t mobile)
{
    struct txn *txn = store_begin(world->store);
    struct trace_row row;

    assert_true(trace_find(txn, mobile, &row));
    store_abort(txn);
    return row.items[0];
}

/* As the pipeline does behind each command. */
__attribute__((unused)) static void forget(void)
{
    if (effect.is_visit_forgotten)
        city_forget(&cities, effect.forgotten.city, effect.forgotten.mobile);
}

__attribute__((unused)) static void reject(struct world *world, uint64_t message)
{
    attempt(world, message, MESSAGE_REFUSED);
    forget();
    expect_status(world, message, MESSAGE_REJECTED, MESSAGE_ERROR_REFUSED);
}

__attribute__((unused)) static void empty_purse(struct world *world)
{
    pay_out(world, "purse", purse(world));
}

__attribute__((unused)) static int setup_cities(void **state)
{
    setup_messages(state);
    put_template(*state, "welcome", MESSAGE_KIND_MARKETING, "Welcome to {city}");
    put_template(*state, "guide", MESSAGE_KIND_NOTICE, "{greeting}, this is {city}");
    city_index_init(&cities, &secret);
    return 0;
}

__attribute__((unused)) static int teardown_cities(void **state)
{
    city_index_release(&cities);
    return teardown_messages(state);
}

#endif
