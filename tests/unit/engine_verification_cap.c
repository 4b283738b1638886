/* engine/verification_cap.c: caps that roll, and pumping (SMS-17). */
#include "verification_world.h"

/* --- caps ----------------------------------------------------------------------------------------
 */

static void a_number_s_caps_roll_to_the_millisecond(void **state)
{
    struct world *world = *state;
    int64_t first_ms = world->now_ms;

    for (int i = 0; i < 5; i++) {
        accept(world, make(world, TO).of.verification.message, "id");
        assert_int_equal(
            refused_for(world, TO,
                        i < 4 ? VERIFICATION_CAP_NUMBER_MINUTE : VERIFICATION_CAP_NUMBER_HOUR),
            i < 4 ? MINUTE_MS : HOUR_MS - 4 * MINUTE_MS);
        world->now_ms += MINUTE_MS - 1;
        if (i < 4)
            assert_int_equal(refused_for(world, TO, VERIFICATION_CAP_NUMBER_MINUTE), 1);
        world->now_ms++;
    }
    wait_until(world, first_ms + HOUR_MS - 1);
    assert_int_equal(refused_for(world, TO, VERIFICATION_CAP_NUMBER_HOUR), 1);
    wait_until(world, first_ms + HOUR_MS);
    accept(world, make(world, TO).of.verification.message, "id");
    assert_int_equal(refused_for(world, TO, VERIFICATION_CAP_NUMBER_MINUTE), MINUTE_MS);
    for (int i = 0; i < 4; i++) {
        wait_until(world, world->now_ms + HOUR_MS);
        accept(world, make(world, TO).of.verification.message, "id");
    }
    assert_int_equal(refused_for(world, TO, VERIFICATION_CAP_NUMBER_DAY),
                     first_ms + DAY_MS - world->now_ms);
    wait_until(world, first_ms + DAY_MS - 1);
    assert_int_equal(refused_for(world, TO, VERIFICATION_CAP_NUMBER_DAY), 1);
    wait_until(world, first_ms + DAY_MS);
    make(world, TO);
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

/* Requests at random over two days: whatever is refused is so for exactly as long as it says, and
 * no rolling window ever holds more than it may. */
static void refusals_last_exactly_as_long_as_they_say(void **state)
{
    struct world *world = *state;
    int64_t made_ms[1000] = {0};
    uint64_t random = 17;
    int count = 0, refusals = 0;

    set(world, "verification_per_minute", "2");
    set(world, "verification_per_hour", "7");
    set(world, "verification_per_day", "23");
    for (int step = 0; step < 600; step++) {
        struct result result = try_make(world, TO);
        if (result.outcome == OUTCOME_OK) {
            accept(world, result.number == 0 ? 0 : result.of.verification.message, "id");
            made_ms[count++] = world->now_ms;
        } else {
            assert_int_equal(result.outcome, OUTCOME_TOO_MANY_CODES);
            assert_true(result.of.verification.retry_ms > 0);
            refusals++;
            if (step % 4 == 0) {
                world->now_ms += result.of.verification.retry_ms - 1;
                result = try_make(world, TO);
                assert_int_equal(result.outcome, OUTCOME_TOO_MANY_CODES);
                assert_int_equal(result.of.verification.retry_ms, 1);
                world->now_ms++;
                accept(world, make(world, TO).of.verification.message, "id");
                made_ms[count++] = world->now_ms;
            }
        }
        wait_until(world, world->now_ms + (int64_t)(next_random(&random) % (8 * MINUTE_MS)));
    }
    assert_true(count > 50 && refusals > 50);
    for (int i = 0; i < count; i++) {
        assert_true(i < 2 || made_ms[i] - made_ms[i - 2] >= MINUTE_MS);
        assert_true(i < 7 || made_ms[i] - made_ms[i - 7] >= HOUR_MS);
        assert_true(i < 23 || made_ms[i] - made_ms[i - 23] >= DAY_MS);
    }
}

/* By the minute: never more than allowed in any hour, and nobody waits more than a minute longer
 * than an hour. */
static void an_address_never_has_more_than_its_cap_in_an_hour(void **state)
{
    enum { CAP = 6 };
    struct world *world = *state;
    int64_t made_ms[2000] = {0};
    uint64_t random = 23;
    int count = 0, refusals = 0;

    set(world, "verification_address_per_hour", "6");
    for (int step = 0; step < 800; step++) {
        struct result result = make_from(world, 7, step);
        if (result.outcome == OUTCOME_OK) {
            made_ms[count++] = world->now_ms;
        } else {
            int64_t retry_ms = result.of.verification.retry_ms;
            assert_int_equal(result.outcome, OUTCOME_TOO_MANY_CODES);
            assert_int_equal(result.of.verification.cap, VERIFICATION_CAP_ADDRESS_HOUR);
            assert_true(retry_ms > 0 && count >= CAP);
            assert_true(world->now_ms + retry_ms <= made_ms[count - CAP] + HOUR_MS + MINUTE_MS);
            refusals++;
            if (step % 5 == 0) {
                world->now_ms += retry_ms - 1;
                assert_int_equal(make_from(world, 7, step).of.verification.retry_ms, 1);
                world->now_ms++;
                assert_int_equal(make_from(world, 7, step).outcome, OUTCOME_OK);
                made_ms[count++] = world->now_ms;
            }
        }
        assert_int_equal(make_from(world, 1000 + (uint64_t)step, 5000 + step).outcome, OUTCOME_OK);
        wait_until(world, world->now_ms + (int64_t)(next_random(&random) % (5 * MINUTE_MS)));
    }
    assert_true(count > 100 && refusals > 100);
    for (int i = CAP; i < count; i++)
        assert_true(made_ms[i] - made_ms[i - CAP] > HOUR_MS);
}

static void a_prefix_is_a_number_without_its_tail(void **state)
{
    struct world *world = *state;

    set(world, "verification_prefix_per_hour", "2");
    make(world, "+8613812340001");
    make(world, "+8613812349999");
    refused_for(world, "+8613812345000", VERIFICATION_CAP_PREFIX_HOUR);
    make(world, "+8613812350000");
    set(world, "verification_prefix_tail", "5");
    make(world, "+8613812345000");
}

static void what_nobody_got_is_taken_out_of_the_number_s_caps(void **state)
{
    struct world *world = *state;
    struct result made = make(world, TO);

    answer(world, made.of.verification.message, give(world, made.of.verification.message),
           MESSAGE_REFUSED, NULL, 0);
    assert_int_equal(purse(world), PURSE);
    made = make(world, TO);
    /* It may have arrived: its code is good, and it counts. */
    answer(world, made.of.verification.message, give(world, made.of.verification.message),
           MESSAGE_UNKNOWN, NULL, 0);
    expect_status(world, made.of.verification.message, MESSAGE_FAILED,
                  MESSAGE_ERROR_UNKNOWN_OUTCOME);
    refused_for(world, TO, VERIFICATION_CAP_NUMBER_MINUTE);
    assert_true(is_valid(world, TO, code_of(world, made)));
}

/* With failover, one provider has had it, and its money, when the next one does not take it. */
static void what_one_provider_took_counts_whatever_the_next_one_does(void **state)
{
    struct world *world = *state;
    struct result made;

    put_route(
        world, "a2",
        (struct route){.product = "a", .kind = ROUTE_KIND_VERIFICATION, .has_failover = true});
    made = make(world, TO);
    accept(world, made.of.verification.message, "one");
    receipt_by(world, "a", "one", RECEIPT_UNDELIVERED);
    expect_status(world, made.of.verification.message, MESSAGE_QUEUED, MESSAGE_ERROR_UNDELIVERED);
    answer(world, made.of.verification.message, give(world, made.of.verification.message),
           MESSAGE_REFUSED, NULL, 0);
    expect_status(world, made.of.verification.message, MESSAGE_REJECTED, MESSAGE_ERROR_REFUSED);
    refused_for(world, TO, VERIFICATION_CAP_NUMBER_MINUTE);
}

static void a_refusal_leaves_nothing(void **state)
{
    struct world *world = *state;

    pay_out(world, "purse", PURSE);
    assert_int_equal(try_make(world, TO).outcome, OUTCOME_INSUFFICIENT_FUNDS);
    assert_int_equal(try_make(world, "+999").outcome, OUTCOME_INVALID_NUMBER);
    assert_int_equal(rows_left(world), 0);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 0);
    topup(world, "purse", PURSE);
    make(world, TO);
}

/* SMS-17, BILL-9: the second request is the first. */
static void a_repeated_key_makes_no_second_code(void **state)
{
    struct world *world = *state;
    struct command command = asked(TO);
    struct result first, second;

    command.has_key = true;
    command.key = (struct hash128){1, 2};
    command.fingerprint = 3;
    first = apply(world, &command);
    memset(command.of.verification_create.seed, 0xee, VERIFICATION_SEED_SIZE);
    second = apply(world, &command);
    assert_int_equal(second.outcome, OUTCOME_OK);
    assert_true(second.is_replayed);
    assert_int_equal(second.number, first.number);
    assert_memory_equal(&second.of.verification, &first.of.verification,
                        sizeof first.of.verification);
    assert_int_equal(count_rows(world, TABLE_VERIFICATION), 1);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 1);
    command.key.low++;
    assert_int_equal(apply(world, &command).outcome, OUTCOME_TOO_MANY_CODES);
    world->now_ms += MINUTE_MS;
    second = apply(world, &command);
    assert_int_equal(second.outcome, OUTCOME_OK);
    assert_false(second.is_replayed);
}

/* --- pumping -------------------------------------------------------------------------------------
 */

static size_t alarms(struct world *world)
{
    struct txn *txn = store_begin(world->store);
    struct txn_walk *walk = txn_walk(txn, TABLE_WEBHOOK, WALK_UP, NULL, 0);
    size_t count = 0;

    while (txn_walk_next(walk)) {
        struct webhook_row row;
        memcpy(&row, walk->value, sizeof row);
        count += row.type == WEBHOOK_VERIFICATION_PUMPING && row.subject == 861381234;
    }
    txn_walk_end(walk);
    store_abort(txn);
    return count;
}

/* Codes to the block, sent; `used` of them are checked, and the others' time runs out. */
static void pump(struct world *world, int count, int used)
{
    static int tail;

    for (int i = 0; i < count; i++) {
        struct result made;
        char to[32];
        snprintf(to, sizeof to, "+861381234%04d", ++tail);
        made = make(world, to);
        accept(world, made.of.verification.message, to);
        if (i < used)
            assert_true(is_valid(world, to, code_of(world, made)));
    }
    wait_until(world, world->now_ms + 10 * MINUTE_MS);
}

static void codes_that_nobody_uses_are_told_once_an_hour(void **state)
{
    struct world *world = *state;

    set(world, "verification_pumping_unused", "10");
    pump(world, 9, 0);
    assert_int_equal(alarms(world), 0);
    pump(world, 1, 0);
    assert_int_equal(alarms(world), 1);
    pump(world, 30, 0);
    assert_int_equal(alarms(world), 1);
    wait_until(world, world->now_ms + 45 * MINUTE_MS);
    pump(world, 1, 0);
    assert_int_equal(alarms(world), 2);
}

static void sent_and_unused(struct world *world, const char *to)
{
    accept(world, make(world, to).of.verification.message, to);
}

/* Two codes: one ends a millisecond early, the other then. */
static void an_alarm_is_told_again_in_the_very_millisecond_an_hour_later(void **state)
{
    struct world *world = *state;
    int64_t told_ms;

    set(world, "verification_pumping_unused", "1");
    sent_and_unused(world, TO);
    told_ms = world->now_ms + 10 * MINUTE_MS;
    wait_until(world, told_ms);
    assert_int_equal(alarms(world), 1);
    world->now_ms = told_ms + 50 * MINUTE_MS - 1;
    sent_and_unused(world, "+8613812345671");
    world->now_ms++;
    sent_and_unused(world, "+8613812345672");
    wait_until(world, told_ms + HOUR_MS - 1);
    assert_int_equal(alarms(world), 1);
    wait_until(world, told_ms + HOUR_MS);
    assert_int_equal(alarms(world), 2);
}

static void codes_that_are_used_are_no_pumping(void **state)
{
    struct world *world = *state;

    set(world, "verification_pumping_unused", "10");
    pump(world, 40, 9); /* 31 of 40 are less than 80 of 100 */
    assert_int_equal(alarms(world), 0);
    wait_until(world, world->now_ms + 2 * HOUR_MS);
    set(world, "verification_pumping_minutes", "5");
    for (int i = 0; i < 5; i++)
        pump(world, 8, 0); /* never ten within five minutes */
    assert_int_equal(alarms(world), 0);
    pump(world, 10, 0);
    assert_int_equal(alarms(world), 1);
}

static void the_share_is_reached_by_as_much_as_it_says(void **state)
{
    struct world *world = *state;

    set(world, "verification_pumping_unused", "8");
    set(world, "verification_pumping_percent", "80");
    pump(world, 10, 2);
    assert_int_equal(alarms(world), 1);
}

static void what_was_never_sent_is_no_pumping(void **state)
{
    struct world *world = *state;

    set(world, "verification_pumping_unused", "3");
    for (int i = 0; i < 20; i++) {
        struct result made;
        char to[32];
        snprintf(to, sizeof to, "+861381234%04d", 7000 + i);
        made = make(world, to);
        if (i % 2 == 0)
            answer(world, made.of.verification.message, give(world, made.of.verification.message),
                   MESSAGE_REFUSED, NULL, 0);
    }
    wait_until(world, world->now_ms + 10 * MINUTE_MS); /* half of them expire in the outbox */
    assert_int_equal(alarms(world), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_messages, teardown_messages)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_number_s_caps_roll_to_the_millisecond),
        TEST(refusals_last_exactly_as_long_as_they_say),
        TEST(an_address_never_has_more_than_its_cap_in_an_hour),
        TEST(a_prefix_is_a_number_without_its_tail),
        TEST(what_nobody_got_is_taken_out_of_the_number_s_caps),
        TEST(what_one_provider_took_counts_whatever_the_next_one_does),
        TEST(a_refusal_leaves_nothing),
        TEST(a_repeated_key_makes_no_second_code),
        TEST(codes_that_nobody_uses_are_told_once_an_hour),
        TEST(an_alarm_is_told_again_in_the_very_millisecond_an_hour_later),
        TEST(codes_that_are_used_are_no_pumping),
        TEST(the_share_is_reached_by_as_much_as_it_says),
        TEST(what_was_never_sent_is_no_pumping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
