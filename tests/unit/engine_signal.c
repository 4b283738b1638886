/* engine/signal: what a signal is, by windows, by the clock, and whichever of memory and rows
 * answers; and the traces of what was decided. */
#include "city_world.h"

enum { PEOPLE_MAX = 200 };

/* --- windows -------------------------------------------------------------------------------------
 */

/* CITY-4: by messages sent, to the second. */
static void the_window_of_what_was_sent_is_exact_to_the_second(void **state)
{
    struct world *world = *state;
    struct city_put_command by_sent = city_that_sends();

    by_sent.basis = CITY_SENT;
    uint32_t city = put_city(world, "sha", by_sent);
    world->now_ms += 1000 - world->now_ms % 1000;
    assert_int_equal(see(world, city, MOBILE), FIRST);
    accept(world, visit_of(world, city, MOBILE).message, "id-1");
    receipt(world, "id-1", RECEIPT_DELIVERED);
    pass(world, 14 * DAY);
    assert_int_equal(see(world, city, MOBILE), REPEAT); /* which prolongs nothing */
    pass(world, DAY - 1);
    assert_int_equal(see(world, city, MOBILE), REPEAT);
    pass(world, 1);
    assert_int_equal(see(world, city, MOBILE), FIRST);
}

/* A signal may be a day late, and is then asked as of its own day: until nobody can ask for it, a
 * visit stays, by each of what it says alone. */
static void a_visit_expires_when_no_signal_can_ask_for_it(void **state)
{
    const int64_t day_ms = INT64_C(1000) * DAY, now_ms = 20000 * day_ms + 5000;
    struct visit_row old = {.last_day = 20000 - 17};

    (void)state;
    assert_true(visit_is_expired(&old, 15, now_ms));
    assert_false(visit_is_expired(&old, 16, now_ms));
    assert_false(visit_is_expired(&old, 15, now_ms - day_ms));
    old.sent_s = (uint32_t)(now_ms / 1000 - 16 * DAY - 1);
    assert_true(visit_is_expired(&old, 15, now_ms));
    old.sent_s++;
    assert_false(visit_is_expired(&old, 15, now_ms));
    old.sent_s = 0;
    old.decided_s = (uint32_t)(now_ms / 1000 - DAY - 30 * MINUTE - 1);
    assert_true(visit_is_expired(&old, 15, now_ms));
    old.decided_s++;
    assert_false(visit_is_expired(&old, 15, now_ms));
}

/* On that basis whoever was sent nothing is new again. */
static void by_messages_sent_the_switch_welcomes_who_is_there(void **state)
{
    struct world *world = *state;
    struct city_put_command off = city_that_sends();

    off.basis = CITY_SENT;
    off.is_enabled = false;
    uint32_t city = put_city(world, "sha", off);
    assert_int_equal(see(world, city, MOBILE), SKIPPED);
    off.is_enabled = true;
    put_city(world, "sha", off);
    pass(world, HOUR);
    assert_int_equal(see(world, city, MOBILE), FIRST);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 1);
}

/* CITY-5: however late signals come, nobody gets two within half an hour. */
static void a_late_signal_and_a_present_one_are_one_visit(void **state)
{
    struct world *world = *state;
    struct city_put_command daily = city_that_sends();

    daily.window_days = 1;
    uint32_t city = put_city(world, "sha", daily);
    pass(world, 2 * DAY);
    assert_int_equal(see_at(world, city, MOBILE, world->now_ms - 20 * HOUR * 1000), FIRST);
    assert_int_equal(see(world, city, MOBILE), REPEAT);
    assert_int_equal(see_at(world, city, MOBILE, world->now_ms - 25 * HOUR * 1000), LATE);
    assert_int_equal(see_at(world, city, MOBILE, world->now_ms + 301 * 1000), EARLY);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 1);
}

/* --- traces --------------------------------------------------------------------------------------
 */

/* All rows of a table, as the sweep finds them. */
static size_t sweep(struct world *world, enum table table)
{
    const struct overlay *rows = world->store->live;
    struct command command = {.type = COMMAND_WELCOME_EXPIRE};
    struct welcome_key keys[PEOPLE_MAX];
    size_t count = 0;

    for (row_ref next = world->store->open.first; next != 0;) {
        const struct row *row = overlay_row(rows, next);
        next = row->next_changed;
        if (row->table == table && !row->is_deleted)
            count +=
                welcome_row_is_expired(table, row_key(row), row->key_size, overlay_value(rows, row),
                                       row->value_size, world->now_ms, &keys[count]);
    }
    command.of.welcome_expire = (struct welcome_expire_command){keys, count};
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
    return count_rows(world, table);
}

/* CITY-10 */
static void traces_and_groups_are_kept_as_long_as_they_are_asked(void **state)
{
    struct world *world = *state;
    struct city_put_command east = city_that_sends();

    east.group = TEXT("east");
    uint32_t city = put_city(world, "sha", east);
    see(world, city, MOBILE);
    pass(world, 16 * DAY);
    see(world, city, MOBILE + 1);
    assert_int_equal(sweep(world, TABLE_GROUP_WELCOME), 2);
    pass(world, 1);
    assert_int_equal(sweep(world, TABLE_GROUP_WELCOME), 1);
    pass(world, 14 * DAY - 1);
    assert_int_equal(sweep(world, TABLE_TRACE), 2);
    pass(world, 1);
    assert_int_equal(sweep(world, TABLE_TRACE), 1);
    pass(world, 3 * DAY);
    see(world, city, MOBILE + 1);
    pass(world, 15 * DAY);
    see(world, city, MOBILE + 1);
    struct txn *txn = store_begin(world->store);
    struct trace_row row;
    assert_true(trace_find(txn, MOBILE + 1, &row));
    store_abort(txn);
    assert_int_equal(row.count, 2); /* the first of three is too old */
}

/* --- memory and rows -----------------------------------------------------------------------------
 */

/* Two worlds, the same commands: in one every answer comes from rows. */
struct twin {
    struct world *world;
    struct city_index cities;
};

static void into(struct twin *twin)
{
    cities = twin->cities;
}

static void out_of(struct twin *twin)
{
    twin->cities = cities;
}

/* A city that is not new when it is loaded is not whole: its rows are asked. */
static void load_without_memory(struct world *world)
{
    struct txn *txn = store_begin(world->store);

    city_index_release(&cities);
    city_index_init(&cities, &secret);
    city_index_load(&cities, txn);
    store_abort(txn);
}

static void rebuild(struct world *world)
{
    const struct overlay *rows = world->store->live;
    struct city_build *build = city_build_new(&cities, world->now_ms, CITY_NONE);

    for (row_ref next = world->store->open.first; next != 0;) {
        const struct row *row = overlay_row(rows, next);
        struct visit_key key;
        struct visit_row visit;
        next = row->next_changed;
        if (row->table != TABLE_VISIT || row->is_deleted)
            continue;
        memcpy(&key.city, row_key(row), sizeof key.city);
        key.city = __builtin_bswap32(key.city);
        key.mobile = bytes_get_u64_be((const char *)row_key(row) + 4);
        visit_row_of(overlay_value(rows, row), row->value_size, &visit);
        city_build_row(build, &key, &visit);
    }
    assert_true(city_build_catch_up(&cities, SIZE_MAX));
    city_build_adopt(&cities);
}

/* What an attempt at the last message of somebody comes to. */
static void try_message(struct world *world, uint32_t city, uint64_t mobile, unsigned chance)
{
    static const enum message_answer answers[] = {MESSAGE_REFUSED, MESSAGE_ACCEPTED, MESSAGE_RETRY,
                                                  MESSAGE_UNKNOWN};
    struct txn *txn = store_begin(world->store);
    struct visit_row visit = {0};
    struct message_row row;
    bool is_queued = visit_find(txn, city, mobile, &visit) && visit.decision == DECISION_MESSAGE &&
                     message_find(txn, visit.message, &row) && row.status == MESSAGE_QUEUED;

    store_abort(txn);
    if (!is_queued)
        return;
    struct result result = try_send(world, visit.message);
    forget();
    if (result.outcome == OUTCOME_OK && result.of.message_change.is_given) {
        answer(world, visit.message, result.of.message_change.row.attempts, answers[chance % 4],
               NULL, 0);
        forget();
    }
}

static enum sight step(struct twin *twin, unsigned chance)
{
    struct world *world = twin->world;
    uint32_t city = chance / 7 % 3;
    uint64_t mobile = MOBILE + chance / 21 % 25;
    enum sight sight = 0;

    into(twin);
    switch (chance % 7) {
    case 0:
        try_message(world, city, mobile, chance / 525);
        break;
    case 1:
        if (chance / 525 % 4 == 0 && purse(world) > 0)
            empty_purse(world);
        else
            topup(world, "purse", 5 * PRICE);
        break;
    default:
        sight = see_at(world, city, mobile, world->now_ms - chance / 525 % 3 * 10 * HOUR * 1000);
    }
    out_of(twin);
    return sight;
}

static void put_three(struct twin *twin)
{
    struct city_put_command put_as = city_that_sends();

    into(twin);
    city_index_init(&cities, &secret);
    put_as.group = TEXT("east");
    put_city(twin->world, "a", put_as);
    put_as.window_days = 1;
    put_city(twin->world, "b", put_as);
    put_as.basis = CITY_SENT;
    put_as.group = NO_TEXT;
    put_city(twin->world, "c", put_as);
    topup(twin->world, "purse", 100000);
    out_of(twin);
}

/* CITY-3, CITY-5, CITY-7: with failures, rebuilds and memory lost, memory answers as rows do. */
static void memory_answers_as_the_rows_do(void **state)
{
    static struct twin with, without;
    uint64_t made_up = 20261122;
    void *other;

    city_index_release(&cities);
    setup_messages(&other);
    put_template(other, "welcome", MESSAGE_KIND_MARKETING, "Welcome to {city}");
    with.world = *state;
    without.world = other;
    put_three(&with);
    put_three(&without);
    into(&without);
    load_without_memory(without.world);
    out_of(&without);
    for (int i = 0; i < 20000; i++) {
        made_up = made_up * UINT64_C(6364136223846793005) + 1442695040888963407;
        unsigned chance = (unsigned)(made_up >> 40);
        assert_int_equal(step(&with, chance), step(&without, chance));
        int64_t seconds = chance % 11 == 0 ? 7 * HOUR : 2 * MINUTE;
        pass(with.world, seconds);
        pass(without.world, seconds);
        into(&with);
        if (chance % 997 == 0)
            load_without_memory(with.world);
        if (chance % 499 == 0)
            rebuild(with.world);
        out_of(&with);
    }
    assert_int_equal(purse(with.world), purse(without.world));
    assert_true(count_rows(with.world, TABLE_MESSAGE) > 1000);
    assert_int_equal(count_rows(with.world, TABLE_MESSAGE),
                     count_rows(without.world, TABLE_MESSAGE));
    into(&without);
    city_index_release(&cities);
    teardown_messages(&other);
    into(&with);
}

/* OPS-8: a scan may last, and signals do not wait for it: what is noted meanwhile has its bound,
 * and a build that has met it is of no use. */
static void a_build_keeps_no_more_visits_than_it_may(void **state)
{
    enum { MAY = 10, NOTED_BYTES = 16, SHARE = 8 };
    struct world *world = *state;
    uint32_t city = put_city(world, "sha", city_that_sends());

    cities.bytes_max = (uint64_t)MAY * NOTED_BYTES * SHARE;
    for (int count = MAY; count <= MAY + 1; count++) {
        struct city_build *build = city_build_new(&cities, world->now_ms, city);
        for (int i = 0; i < count; i++)
            city_note(&cities, cities.cities[city], 8613800000000 + (uint64_t)i, 20000);
        assert_int_equal(city_build_is_overrun(build), count > MAY);
        assert_true(city_build_catch_up(&cities, SIZE_MAX));
        city_build_drop(&cities);
    }
    cities.bytes_max = UINT64_MAX;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_cities, teardown_cities)
    const struct CMUnitTest tests[] = {
        TEST(the_window_of_what_was_sent_is_exact_to_the_second),
        TEST(a_visit_expires_when_no_signal_can_ask_for_it),
        TEST(by_messages_sent_the_switch_welcomes_who_is_there),
        TEST(a_late_signal_and_a_present_one_are_one_visit),
        TEST(traces_and_groups_are_kept_as_long_as_they_are_asked),
        TEST(memory_answers_as_the_rows_do),
        TEST(a_build_keeps_no_more_visits_than_it_may),
    };
#undef TEST

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
