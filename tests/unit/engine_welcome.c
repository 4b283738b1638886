/* engine/welcome, engine/city_message: the message that a first visit becomes, what happens to the
 * visit when that message fails, and what a city may be put to send. */
#include "city_world.h"

/* --- the message ---------------------------------------------------------------------------------
 */

/* CITY-5: visit, charge, message and trace are one command. */
static void a_first_visit_is_one_message_and_a_repeat_none(void **state)
{
    struct world *world = *state;
    uint32_t city = put_city(world, "sha", city_that_sends());
    struct message_text text;
    struct txn *txn;

    assert_int_equal(see(world, city, MOBILE), FIRST);
    assert_int_equal(effect.messages_new, 1);
    assert_int_equal(effect.wakes[0].lane, MESSAGE_KIND_MARKETING);
    assert_int_equal(purse(world), PURSE - PRICE);
    uint64_t message = visit_of(world, city, MOBILE).message;
    assert_int_equal(row_of(world, message).origin, MESSAGE_FROM_WELCOME);
    txn = store_begin(world->store);
    assert_true(message_text_find(txn, message, &text));
    store_abort(txn);
    assert_true(text_equals(text.content, TEXT("Welcome to Shanghai")));
    assert_int_equal(text.row.to, MOBILE);
    assert_int_equal(text.row.origin, city);
    assert_int_equal(trace_of(world, MOBILE).message, message);
    assert_int_equal(trace_of(world, MOBILE).decision, DECISION_MESSAGE);
    assert_int_equal(see(world, city, MOBILE), REPEAT);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 1);
}

/* CITY-5: several cities a day are several messages. */
static void several_cities_are_several_messages(void **state)
{
    struct world *world = *state;
    uint32_t sha = put_city(world, "sha", city_that_sends());
    uint32_t bej = put_city(world, "bej", city_that_sends());

    assert_int_equal(see(world, sha, MOBILE), FIRST);
    assert_int_equal(see(world, bej, MOBILE), FIRST);
    assert_int_equal(see(world, sha, MOBILE), REPEAT);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 2);
}

/* As many as a command takes, each its own message; one user twice among them is one. */
static void a_full_command_of_first_visits_is_as_many_messages(void **state)
{
    struct world *world = *state;
    uint32_t city = put_city(world, "sha", city_that_sends());
    struct signal signals[SIGNALS_MAX];
    struct signals_result counts;

    for (size_t i = 0; i < SIGNALS_MAX; i++)
        signals[i] = (struct signal){.mobile = MOBILE + i / 2, .city = city, .is_labelled = true};
    counts = send_signals(world, signals, SIGNALS_MAX);
    assert_int_equal(counts.first_visits, SIGNALS_MAX / 2);
    assert_int_equal(counts.repeats, SIGNALS_MAX / 2);
    assert_int_equal(effect.messages_new, SIGNALS_MAX / 2);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), SIGNALS_MAX / 2);
    assert_int_equal(purse(world), PURSE - SIGNALS_MAX / 2 * PRICE);
}

/* Money for two of three: the third is refused, and the two stand. */
static void who_is_refused_takes_nothing_of_the_others_along(void **state)
{
    struct world *world = *state;
    uint32_t city = put_city(world, "sha", city_that_sends());
    struct signal signals[3];
    struct signals_result counts;

    empty_purse(world);
    topup(world, "purse", 2 * PRICE + 1);
    for (size_t i = 0; i < 3; i++)
        signals[i] = (struct signal){.mobile = MOBILE + i, .city = city, .is_labelled = true};
    counts = send_signals(world, signals, 3);
    assert_int_equal(counts.first_visits, 2);
    assert_int_equal(counts.skipped, 1);
    assert_int_equal(purse(world), 1);
    assert_int_equal(quota(world, "a"), 998);
    assert_int_equal(effect.messages_new, 2);
    assert_int_equal(trace_of(world, MOBILE + 2).decision, DECISION_REFUSED);
    assert_int_equal(trace_of(world, MOBILE + 2).outcome, OUTCOME_INSUFFICIENT_FUNDS);
}

/* CITY-4: no money today does not mean never welcomed, on either basis; CITY-5: nor twice within
 * half an hour. */
static void what_was_refused_is_tried_again(void **state)
{
    struct world *world = *state;
    struct city_put_command by_sent = city_that_sends();

    by_sent.basis = CITY_SENT;
    uint32_t places[] = {put_city(world, "sha", city_that_sends()),
                         put_city(world, "bej", by_sent)};
    empty_purse(world);
    for (int i = 0; i < 2; i++)
        assert_int_equal(see(world, places[i], MOBILE), SKIPPED);
    assert_int_equal(visit_of(world, places[0], MOBILE).last_day, 0);
    topup(world, "purse", 2 * PRICE);
    pass(world, 30 * MINUTE - 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(see(world, places[i], MOBILE), REPEAT);
    pass(world, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(see(world, places[i], MOBILE), FIRST);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 2);
    assert_int_equal(purse(world), 0);
}

/* Whom nothing may be sent to is seen all the same, and not new when that changes. */
static void who_may_be_sent_nothing_keeps_the_mark(void **state)
{
    struct world *world = *state;
    uint32_t city = put_city(world, "sha", city_that_sends());
    struct command block = {.type = COMMAND_BLOCKLIST_PUT};
    struct command free_again = {.type = COMMAND_BLOCKLIST_DELETE};

    block.of.blocklist_put =
        (struct blocklist_put_command){.mobile = BLOCKED, .reason = BLOCKLIST_OPTED_OUT};
    assert_int_equal(apply(world, &block).outcome, OUTCOME_OK);
    assert_int_equal(see(world, city, BLOCKED), SKIPPED);
    assert_int_equal(trace_of(world, BLOCKED).decision, DECISION_EXCLUDED);
    assert_int_equal(trace_of(world, BLOCKED).outcome, OUTCOME_BLOCKED_NUMBER);
    assert_int_equal(see(world, city, STRANGER), SKIPPED);
    assert_int_equal(trace_of(world, STRANGER).outcome, OUTCOME_INVALID_NUMBER);
    free_again.of.blocklist_delete.mobile = BLOCKED;
    assert_int_equal(apply(world, &free_again).outcome, OUTCOME_OK);
    pass(world, HOUR);
    assert_int_equal(see(world, city, BLOCKED), REPEAT);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 0);
}

/* --- when it fails -------------------------------------------------------------------------------
 */

/* CITY-5: the mark goes with its message, from the row and from memory; CITY-4. */
static void a_message_that_fails_takes_its_mark_along(void **state)
{
    struct world *world = *state;
    uint32_t city = put_city(world, "sha", city_that_sends());

    assert_int_equal(see(world, city, MOBILE), FIRST);
    uint64_t message = visit_of(world, city, MOBILE).message;
    pass(world, 10 * MINUTE);
    reject(world, message);
    assert_int_equal(purse(world), PURSE);
    assert_int_equal(trace_of(world, MOBILE).status, MESSAGE_REJECTED);
    assert_int_equal(see(world, city, MOBILE), REPEAT);
    pass(world, 20 * MINUTE - 1);
    assert_int_equal(see(world, city, MOBILE), REPEAT);
    pass(world, 1);
    assert_int_equal(see(world, city, MOBILE), FIRST);
    assert_int_not_equal(visit_of(world, city, MOBILE).message, message);
    pass(world, HOUR);
    assert_int_equal(see(world, city, MOBILE), REPEAT);
}

static void a_message_that_is_canceled_or_given_up_is_as_one_that_was_rejected(void **state)
{
    struct world *world = *state;
    struct city_put_command by_sent = city_that_sends();
    struct command cancel = {.type = COMMAND_MESSAGE_CANCEL};

    by_sent.basis = CITY_SENT;
    uint32_t city = put_city(world, "sha", by_sent);
    assert_int_equal(see(world, city, MOBILE), FIRST);
    cancel.of.message_cancel.message = visit_of(world, city, MOBILE).message;
    assert_int_equal(apply(world, &cancel).outcome, OUTCOME_OK);
    forget();
    pass(world, HOUR);
    assert_int_equal(see(world, city, MOBILE), FIRST);
    pass(world, 10 * DAY); /* it was never sent, and expires */
    run_due(world);
    forget();
    assert_int_equal(trace_of(world, MOBILE).status, MESSAGE_FAILED);
    assert_int_equal(see(world, city, MOBILE), FIRST);
}

/* A provider has taken it and was paid: once in a window is enough. */
static void one_that_was_not_delivered_keeps_its_mark(void **state)
{
    struct world *world = *state;
    uint32_t city = put_city(world, "sha", city_that_sends());

    assert_int_equal(see(world, city, MOBILE), FIRST);
    accept(world, visit_of(world, city, MOBILE).message, "id-1");
    receipt(world, "id-1", RECEIPT_UNDELIVERED);
    forget();
    assert_int_equal(trace_of(world, MOBILE).status, MESSAGE_UNDELIVERED);
    pass(world, DAY);
    assert_int_equal(see(world, city, MOBILE), REPEAT);
}

/* An earlier message that fails late takes no mark of a later one. */
static void a_mark_goes_only_with_its_own_message(void **state)
{
    struct world *world = *state;
    struct city_put_command daily = city_that_sends();

    daily.window_days = 1;
    put_template(world, "welcome", MESSAGE_KIND_NOTICE, "{city}");
    uint32_t city = put_city(world, "sha", daily);
    assert_int_equal(see(world, city, MOBILE), FIRST);
    uint64_t first = visit_of(world, city, MOBILE).message;
    give(world, first);
    pass(world, DAY);
    assert_int_equal(see(world, city, MOBILE), FIRST);
    answer(world, first, 1, MESSAGE_REFUSED, NULL, 0);
    assert_false(effect.is_visit_forgotten);
    pass(world, HOUR);
    assert_int_equal(see(world, city, MOBILE), REPEAT);
}

/* --- groups --------------------------------------------------------------------------------------
 */

/* CITY-8: one message for all cities of a group, within the window; and when it fails, none. */
static void a_group_of_cities_sends_one_message(void **state)
{
    struct world *world = *state;
    struct city_put_command east = city_that_sends();

    east.group = TEXT("east");
    uint32_t sha = put_city(world, "sha", east), hgh = put_city(world, "hgh", east);
    uint32_t bej = put_city(world, "bej", city_that_sends());
    assert_int_equal(see(world, sha, MOBILE), FIRST);
    assert_int_equal(see(world, hgh, MOBILE), SKIPPED);
    assert_int_equal(trace_of(world, MOBILE).decision, DECISION_GROUPED);
    assert_int_equal(see(world, bej, MOBILE), FIRST);
    assert_int_equal(see(world, sha, MOBILE + 1), FIRST);
    reject(world, visit_of(world, sha, MOBILE + 1).message);
    assert_int_equal(see(world, hgh, MOBILE + 1), FIRST);
    /* By seconds, of what was sent: 15 days on. */
    pass(world, 15 * DAY - 1);
    assert_int_equal(see(world, hgh, MOBILE), SKIPPED);
    pass(world, 15 * DAY);
    assert_int_equal(see(world, hgh, MOBILE), FIRST);
    assert_int_equal(see(world, sha, MOBILE), SKIPPED);
    assert_int_equal(see(world, sha, MOBILE + 2), FIRST);
    pass(world, 15 * DAY);
    assert_int_equal(see(world, hgh, MOBILE + 2), FIRST);
}

/* CITY-9: at 0 % nobody, at 1 % about one of a hundred, who are among those at 2 %. */
static void a_roll_out_is_as_wide_as_it_says(void **state)
{
    struct world *world = *state;
    struct city_put_command put = city_that_sends();
    int count[3] = {0};

    put.template = put.company = NO_TEXT;
    for (uint8_t percent = 0; percent < 3; percent++) {
        static const char *const codes[] = {"none", "one", "two"};
        put.rollout_percent = percent;
        uint32_t city = put_city(world, codes[percent], put);
        for (uint64_t i = 0; i < 2000; i++) {
            see(world, city, MOBILE + i);
            count[percent] += trace_of(world, MOBILE + i).decision != DECISION_NOT_ROLLED_OUT;
        }
    }
    assert_int_equal(count[0], 0);
    assert_in_range(count[1], 8, 40);
    assert_in_range(count[2], count[1] + 1, 70);
}

/* --- putting -------------------------------------------------------------------------------------
 */

static void a_city_may_only_send_what_there_is(void **state)
{
    static const struct template_param greeting[] = {{{"greeting", 8}, {"Hello", 5}}};
    struct world *world = *state;
    struct city_put_command put_as = city_that_sends();

    put_as.template = TEXT("nothing");
    assert_int_equal(try_city(world, "x", put_as), OUTCOME_INVALID);
    put_as.template = TEXT("code");
    assert_int_equal(try_city(world, "x", put_as), OUTCOME_INVALID);
    put_as.template = TEXT("guide");
    assert_int_equal(try_city(world, "x", put_as), OUTCOME_MISSING_PARAMETER);
    put_as.params = greeting;
    put_as.param_count = 1;
    put_as.company = TEXT("nobody");
    assert_int_equal(try_city(world, "x", put_as), OUTCOME_INVALID);
    put_as.company = NO_TEXT;
    assert_int_equal(try_city(world, "x", put_as), OUTCOME_INVALID);
    put_as.company = TEXT("acme");
    put_as.template = TEXT("welcome");
    assert_int_equal(try_city(world, "x", put_as), OUTCOME_UNKNOWN_PARAMETER);
    assert_int_equal(count_rows(world, TABLE_CITY), 0);
    put_as.template = TEXT("guide");
    assert_int_equal(try_city(world, "x", put_as), OUTCOME_OK);
    put_as.company = put_as.template = NO_TEXT;
    assert_int_equal(try_city(world, "x", put_as), OUTCOME_INVALID);
    put_as.param_count = 0;
    assert_int_equal(try_city(world, "x", put_as), OUTCOME_OK);
    assert_int_equal(see(world, 0, MOBILE), FIRST);
    assert_int_equal(trace_of(world, MOBILE).decision, DECISION_NO_MESSAGE);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 0);
}

/* The template lost the placeholder, or got another, after the city was put. */
static void a_template_that_has_changed_refuses_the_message(void **state)
{
    struct world *world = *state;
    uint32_t city = put_city(world, "sha", city_that_sends());

    put_template(world, "welcome", MESSAGE_KIND_NOTICE, "Welcome");
    assert_int_equal(see(world, city, MOBILE), FIRST);
    put_template(world, "welcome", MESSAGE_KIND_NOTICE, "Welcome, {name}");
    assert_int_equal(see(world, city, MOBILE + 1), SKIPPED);
    assert_int_equal(trace_of(world, MOBILE + 1).outcome, OUTCOME_MISSING_PARAMETER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_cities, teardown_cities)
    const struct CMUnitTest tests[] = {
        TEST(a_first_visit_is_one_message_and_a_repeat_none),
        TEST(several_cities_are_several_messages),
        TEST(a_full_command_of_first_visits_is_as_many_messages),
        TEST(who_is_refused_takes_nothing_of_the_others_along),
        TEST(what_was_refused_is_tried_again),
        TEST(who_may_be_sent_nothing_keeps_the_mark),
        TEST(a_message_that_fails_takes_its_mark_along),
        TEST(a_message_that_is_canceled_or_given_up_is_as_one_that_was_rejected),
        TEST(one_that_was_not_delivered_keeps_its_mark),
        TEST(a_mark_goes_only_with_its_own_message),
        TEST(a_group_of_cities_sends_one_message),
        TEST(a_roll_out_is_as_wide_as_it_says),
        TEST(a_city_may_only_send_what_there_is),
        TEST(a_template_that_has_changed_refuses_the_message),
    };
#undef TEST

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
