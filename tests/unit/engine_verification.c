/* engine/verification.c, _create.c, _check.c, _code.c: codes and checks, to the millisecond
 * (SMS-17). What clients see is told in tests/e2e. After every test the audit finds each
 * verification's row in the due index.
 */
#include "verification_world.h"

/* --- the code ------------------------------------------------------------------------------------
 */

/* Computed by Python's hmac; the world's secret is all zeros. */
static void a_code_is_what_anyone_computes_who_has_seed_and_secret(void **state)
{
    struct world *world = *state;
    struct txn *txn = store_begin(world->store);
    struct verification_row row = {.code_length = 6, .number = 1};
    char code[VERIFICATION_CODE_MAX];

    for (int i = 0; i < VERIFICATION_SEED_SIZE; i++)
        row.seed[i] = (uint8_t)i;
    verification_code(txn, &row, code);
    assert_memory_equal(code, "330428", 6);
    row = (struct verification_row){.code_length = 10, .number = 0x1234567890abcdef};
    memset(row.seed, 0xff, sizeof row.seed);
    verification_code(txn, &row, code);
    assert_memory_equal(code, "1619890228", 10);
    row = (struct verification_row){.code_length = 4, .number = 7};
    verification_code(txn, &row, code);
    assert_memory_equal(code, "2574", 4);
    store_abort(txn);
}

/* Each digit stands as often as the others at each place, within what chance allows. */
static void no_digit_of_a_code_is_likelier_than_another(void **state)
{
    enum { CODES = 20000 };
    struct world *world = *state;
    struct txn *txn = store_begin(world->store);
    int seen[VERIFICATION_CODE_MAX][10] = {{0}};
    char code[VERIFICATION_CODE_MAX];

    for (uint64_t i = 0; i < CODES; i++) {
        struct verification_row row = {.code_length = 10, .number = 1000 + i};
        memcpy(row.seed, &i, sizeof i);
        verification_code(txn, &row, code);
        for (int place = 0; place < VERIFICATION_CODE_MAX; place++)
            seen[place][code[place] - '0']++;
    }
    store_abort(txn);
    for (int place = 0; place < VERIFICATION_CODE_MAX; place++) {
        double chi = 0;
        for (int digit = 0; digit < 10; digit++) {
            double off = seen[place][digit] - CODES / 10.0;
            chi += off * off / (CODES / 10.0);
        }
        assert_true(chi < 30); /* 9 degrees of freedom: one in 2,000; the seeds are fixed */
    }
}

static void the_stored_text_has_zeros_where_the_code_is(void **state)
{
    struct world *world = *state;
    struct command command = asked("+6512345678");
    struct message_text text;
    struct result made;
    struct txn *txn;
    char expected[64];

    put_route(world, "sg",
              (struct route){.country = "SG", .product = "a", .kind = ROUTE_KIND_VERIFICATION});
    put_template(world, "many", MESSAGE_KIND_VERIFICATION, "{code}, {{x}} {name} {code}");
    command.of.verification_create.message.template = TEXT("many");
    command.of.verification_create.message.signature = TEXT("Acme");
    command.of.verification_create.message.params =
        &(struct template_param){TEXT("name"), TEXT("{code}")};
    command.of.verification_create.message.param_count = 1;
    command.of.verification_create.code_length = 7;
    made = apply(world, &command);
    assert_int_equal(made.outcome, OUTCOME_OK);
    txn = store_begin(world->store);
    assert_true(message_text_find(txn, made.of.verification.message, &text));
    store_abort(txn);
    assert_int_equal(text.content.size, strlen("Acme: 0000000, {x} {code} 0000000"));
    assert_memory_equal(text.content.data, "Acme: 0000000, {x} {code} 0000000", text.content.size);
    snprintf(expected, sizeof expected, "Acme: %.7s, {x} {code} %.7s", text_sent(world, made) + 6,
             text_sent(world, made) + 6);
    assert_string_equal(text_sent(world, made), expected);
    assert_memory_not_equal(expected + 6, "0000000", 7);
}

static void a_template_without_a_place_for_the_code_is_refused(void **state)
{
    static const char *const contents[] = {"Your code", "{code}{code}{code}{code}{code}"};
    struct world *world = *state;
    struct command command = asked(TO);

    for (size_t i = 0; i < 2; i++) {
        put_template(world, "bad", MESSAGE_KIND_VERIFICATION, contents[i]);
        command.of.verification_create.message.template = TEXT("bad");
        assert_int_equal(apply(world, &command).outcome, OUTCOME_UNSUITABLE_TEMPLATE);
    }
    put_template(world, "bad", MESSAGE_KIND_NOTICE, "{code}");
    assert_int_equal(apply(world, &command).outcome, OUTCOME_UNSUITABLE_TEMPLATE);
    command.of.verification_create.message.template = TEXT("absent");
    assert_int_equal(apply(world, &command).outcome, OUTCOME_TEMPLATE_NOT_FOUND);
    assert_int_equal(rows_left(world), 0);
}

/* --- checks --------------------------------------------------------------------------------------
 */

static void a_code_is_good_until_the_very_millisecond(void **state)
{
    struct world *world = *state;
    struct result made = make(world, TO);
    char code[16];

    snprintf(code, sizeof code, "%s", code_of(world, made));
    assert_int_equal(strlen(code), 6);
    world->now_ms += 10 * MINUTE_MS;
    assert_false(is_valid(world, TO, code));
    expect_verification(world, made, VERIFICATION_EXPIRED);
    made = make(world, TO);
    snprintf(code, sizeof code, "%s", code_of(world, made));
    world->now_ms += 10 * MINUTE_MS - 1;
    assert_true(is_valid(world, TO, code));
    assert_false(is_valid(world, TO, code));
    expect_verification(world, made, VERIFICATION_VERIFIED);
}

static void what_only_looks_like_the_code_is_wrong(void **state)
{
    struct world *world = *state;
    char code[16], other[32];

    snprintf(code, sizeof code, "%s", code_of(world, make(world, TO)));
    snprintf(other, sizeof other, "%.5s", code);
    assert_false(is_valid(world, TO, other));
    snprintf(other, sizeof other, "%s0", code);
    assert_false(is_valid(world, TO, other));
    snprintf(other, sizeof other, " %s", code);
    assert_false(is_valid(world, TO, other));
    assert_false(is_valid(world, TO, ""));
    assert_true(is_valid(world, TO, code));
}

static void the_fifth_wrong_check_ends_a_code(void **state)
{
    struct world *world = *state;
    struct result made = make(world, TO);
    char code[16];

    snprintf(code, sizeof code, "%s", code_of(world, made));
    for (int i = 0; i < 5; i++) {
        expect_verification(world, made, VERIFICATION_PENDING);
        assert_false(is_valid(world, TO, "x"));
        world->now_ms++;
    }
    expect_verification(world, made, VERIFICATION_LOCKED);
    assert_int_equal(check_refused_for(world, TO, code), VERIFICATION_LOCK_MS - 1);
    world->now_ms += VERIFICATION_LOCK_MS - 2;
    assert_int_equal(check_refused_for(world, TO, code), 1);
    world->now_ms++;
    assert_false(is_valid(world, TO, code));
}

static void a_right_check_clears_the_wrong_ones_before_it(void **state)
{
    struct world *world = *state;
    struct result made = make(world, TO);
    char code[16];

    snprintf(code, sizeof code, "%s", code_of(world, made));
    for (int i = 0; i < 4; i++)
        assert_false(is_valid(world, TO, "x"));
    assert_true(is_valid(world, TO, code));
    for (int i = 0; i < 5; i++)
        assert_false(is_valid(world, TO, "x"));
    assert_int_equal(check_refused_for(world, TO, "x"), VERIFICATION_LOCK_MS);
}

static void expect_answered_alike(struct world *world, const char *company, const char *known,
                                  const char *unknown)
{
    int refused = 0;

    make(world, known);
    for (int step = 0; step < 150; step++) {
        struct result one = try_check(world, company, known, "x");
        struct result two = try_check(world, company, unknown, "x");
        assert_int_equal(one.outcome, two.outcome);
        if (one.outcome == OUTCOME_TOO_MANY_ATTEMPTS)
            assert_int_equal(one.of.verification_check.retry_ms,
                             two.of.verification_check.retry_ms);
        else
            assert_false(one.of.verification_check.is_valid || two.of.verification_check.is_valid);
        refused += one.outcome == OUTCOME_TOO_MANY_ATTEMPTS;
        wait_until(world, world->now_ms + (step % 6 == 5 ? 47 * MINUTE_MS : MINUTE_MS));
    }
    assert_true(refused > 20 && refused <= 130); /* twenty are answered in a day */
}

/* Answers, and how long refusals last, step by step. */
static void a_number_without_a_code_is_answered_as_one_with(void **state)
{
    expect_answered_alike(*state, "acme", TO, "+8613912345678");
    expect_answered_alike(*state, NULL, "+8613812345679", "+8613912345679");
}

static void wrong_checks_are_counted_over_all_codes_of_a_day(void **state)
{
    struct world *world = *state;
    int64_t first_ms = world->now_ms;
    struct result refused;
    char code[16];

    for (int codes = 0; codes < 4; codes++) {
        snprintf(code, sizeof code, "%s", code_of(world, make(world, TO)));
        for (int i = 0; i < 5; i++)
            assert_false(is_valid(world, TO, "x"));
        wait_until(world, world->now_ms + MINUTE_MS);
    }
    assert_int_equal(check_refused_for(world, TO, code), first_ms + DAY_MS - world->now_ms);
    refused = try_make(world, TO);
    assert_int_equal(refused.outcome, OUTCOME_TOO_MANY_ATTEMPTS);
    assert_int_equal(refused.of.verification.retry_ms, first_ms + DAY_MS - world->now_ms);
    assert_int_equal(purse(world), PURSE - 4 * PRICE);
    wait_until(world, first_ms + DAY_MS - 1);
    assert_int_equal(check_refused_for(world, TO, code), 1);
    world->now_ms++;
    snprintf(code, sizeof code, "%s", code_of(world, make(world, TO)));
    assert_true(is_valid(world, TO, code));
    wait_until(world, world->now_ms + 3 * DAY_MS);
    wait_until(world, world->now_ms + 3 * DAY_MS);
    assert_int_equal(rows_left(world), 0);
}

static void a_company_checks_its_own_codes(void **state)
{
    struct world *world = *state;
    struct result made;
    char code[16], others[16];
    struct command command = asked(TO);

    put_route(world, "o",
              (struct route){.company = "other", .product = "a", .kind = ROUTE_KIND_VERIFICATION});
    made = make(world, TO);
    snprintf(code, sizeof code, "%s", code_of(world, made));
    assert_int_equal(try_check(world, "nobody", TO, code).outcome, OUTCOME_COMPANY_NOT_FOUND);
    assert_false(try_check(world, "other", TO, code).of.verification_check.is_valid);
    assert_int_equal(verification_of(world, made).wrong, 0);
    /* Checks alone do not stand before a code, a newer code does, one that is used does not. */
    assert_false(try_check(world, NULL, TO, "x").of.verification_check.is_valid);
    assert_int_equal(verification_of(world, made).wrong, 1);
    world->now_ms += MINUTE_MS;
    command.of.verification_create.message.company = TEXT("other");
    made = apply(world, &command);
    assert_int_equal(made.outcome, OUTCOME_OK);
    snprintf(others, sizeof others, "%s", code_of(world, made));
    assert_string_not_equal(code, others);
    assert_false(try_check(world, NULL, TO, code).of.verification_check.is_valid);
    assert_true(try_check(world, NULL, TO, others).of.verification_check.is_valid);
    assert_true(try_check(world, NULL, TO, code).of.verification_check.is_valid);
}

/* --- the next code -------------------------------------------------------------------------------
 */

static void the_next_code_takes_back_one_that_still_waits(void **state)
{
    struct world *world = *state;
    struct result first = make(world, TO), second;

    world->now_ms += MINUTE_MS;
    second = make(world, TO);
    expect_verification(world, first, VERIFICATION_REPLACED);
    expect_verification(world, second, VERIFICATION_PENDING);
    expect_status(world, first.of.verification.message, MESSAGE_CANCELED, MESSAGE_ERROR_NONE);
    assert_int_equal(purse(world), PURSE - PRICE);
    accept(world, second.of.verification.message, "id");
    world->now_ms += MINUTE_MS;
    make(world, TO);
    expect_verification(world, second, VERIFICATION_REPLACED);
    expect_status(world, second.of.verification.message, MESSAGE_SENT, MESSAGE_ERROR_NONE);
}

static void a_code_that_is_over_is_not_sent(void **state)
{
    struct world *world = *state;
    struct result made = make(world, TO);
    char code[16];

    /* It is checked although it was not sent: by whoever guesses. */
    snprintf(code, sizeof code, "%s", code_of(world, made));
    attempt(world, made.of.verification.message, MESSAGE_RETRY);
    assert_true(is_valid(world, TO, code));
    world->now_ms += 10 * SECOND_MS;
    assert_false(try_send(world, made.of.verification.message).of.message_change.is_given);
    expect_status(world, made.of.verification.message, MESSAGE_FAILED, MESSAGE_ERROR_EXPIRED);
    assert_int_equal(purse(world), PURSE);
}

/* --- forgetting ----------------------------------------------------------------------------------
 */

static void a_day_later_nothing_is_left(void **state)
{
    struct world *world = *state;
    struct result made = make_from(world, 7, 1);

    assert_int_equal(made.outcome, OUTCOME_OK);
    accept(world, made.of.verification.message, "id");
    assert_false(is_valid(world, "+8613912345678", "x"));
    wait_until(world, world->now_ms + 10 * MINUTE_MS);
    expect_verification(world, made, VERIFICATION_EXPIRED);
    wait_until(world, world->now_ms + DAY_MS - 10 * MINUTE_MS - 1);
    expect_verification(world, made, VERIFICATION_EXPIRED);
    wait_until(world, world->now_ms + 1);
    assert_int_equal(rows_left(world), 0);
}

/* A wrong check of the last day is not forgotten with the code, and keeps nothing longer. */
static void a_wrong_check_is_remembered_for_a_day(void **state)
{
    struct world *world = *state;

    accept(world, make(world, TO).of.verification.message, "id");
    wait_until(world, world->now_ms + 20 * HOUR_MS);
    assert_false(is_valid(world, TO, "x"));
    wait_until(world, world->now_ms + 4 * HOUR_MS);
    assert_int_equal(count_rows(world, TABLE_VERIFICATION_NUMBER), 1);
    wait_until(world, world->now_ms + 20 * HOUR_MS);
    assert_int_equal(rows_left(world), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_messages, teardown_messages)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_code_is_what_anyone_computes_who_has_seed_and_secret),
        TEST(no_digit_of_a_code_is_likelier_than_another),
        TEST(the_stored_text_has_zeros_where_the_code_is),
        TEST(a_template_without_a_place_for_the_code_is_refused),
        TEST(a_code_is_good_until_the_very_millisecond),
        TEST(what_only_looks_like_the_code_is_wrong),
        TEST(the_fifth_wrong_check_ends_a_code),
        TEST(a_right_check_clears_the_wrong_ones_before_it),
        TEST(a_number_without_a_code_is_answered_as_one_with),
        TEST(wrong_checks_are_counted_over_all_codes_of_a_day),
        TEST(a_company_checks_its_own_codes),
        TEST(the_next_code_takes_back_one_that_still_waits),
        TEST(a_code_that_is_over_is_not_sent),
        TEST(a_day_later_nothing_is_left),
        TEST(a_wrong_check_is_remembered_for_a_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
