/* engine/message_send.c, engine/message_wait.c: what comes of attempts, in whatever order it comes:
 * tries and routes, unknown outcomes, late and repeated answers, cancel, the sweep. */
#include "message_world.h"

/* --- retries -------------------------------------------------------------------------------------
 */

/* SMS-10: backoff, the next route, failure with refund, quota and webhook in the same commit. */
static void what_is_refused_for_now_goes_again_and_then_another_way(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());
    int64_t before_ms;

    attempt(world, message, MESSAGE_RETRY);
    expect_status(world, message, MESSAGE_QUEUED, MESSAGE_ERROR_UNREACHABLE);
    assert_int_equal(row_of(world, message).outbox_ms, world->now_ms + 5000);
    attempt(world, message, MESSAGE_RETRY);
    assert_int_equal(row_of(world, message).outbox_ms, world->now_ms + 30000);
    assert_true(is_by(world, message, "a"));
    attempt(world, message, MESSAGE_RETRY);
    assert_int_equal(row_of(world, message).outbox_ms, world->now_ms);
    assert_true(is_by(world, message, "b"));
    assert_int_equal(quota(world, "a"), 1000);
    assert_int_equal(quota(world, "b"), 999);
    attempt(world, message, MESSAGE_RETRY);
    attempt(world, message, MESSAGE_RETRY);
    before_ms = world->now_ms;
    assert_int_equal(purse(world), PURSE - PRICE);
    attempt(world, message, MESSAGE_RETRY);
    expect_status(world, message, MESSAGE_FAILED, MESSAGE_ERROR_UNREACHABLE);
    assert_int_equal(world->now_ms, before_ms + 30000);
    assert_int_equal(row_of(world, message).attempts, 6);
    assert_int_equal(purse(world), PURSE);
    assert_int_equal(quota(world, "b"), 1000);
    assert_string_equal(told(world), "failed");
}

/* The sandbox's "refused twice then accepted" is within the first try. */
static void the_third_attempt_may_be_accepted(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, code());

    attempt(world, message, MESSAGE_RETRY);
    attempt(world, message, MESSAGE_RETRY);
    accept(world, message, "x");
    assert_true(is_by(world, message, "a"));
    assert_string_equal(history(world, message),
                        "queued sending queued sending queued sending sent");
}

static void without_another_route_the_same_is_tried_after_five_minutes(void **state)
{
    struct world *world = *state;
    uint64_t message;

    set_status(world, CATALOG_ROUTE, "b1", CATALOG_DISABLED);
    message = submit(world, notice());
    for (int i = 0; i < 3; i++)
        attempt(world, message, MESSAGE_RETRY);
    assert_true(is_by(world, message, "a"));
    assert_int_equal(row_of(world, message).outbox_ms, world->now_ms + MESSAGE_TRY_AGAIN_MS);
    assert_int_equal(quota(world, "a"), 999);
    for (int i = 0; i < 3; i++)
        attempt(world, message, MESSAGE_RETRY);
    expect_status(world, message, MESSAGE_FAILED, MESSAGE_ERROR_UNREACHABLE);
    assert_int_equal(purse(world), PURSE);
}

static void throttling_is_no_failure(void **state)
{
    static const int64_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 32000, 32000};
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        attempt(world, message, MESSAGE_THROTTLED);
        assert_int_equal(row_of(world, message).outbox_ms, world->now_ms + waits_ms[i]);
    }
    assert_true(is_by(world, message, "a"));
    assert_int_equal(row_of(world, message).tries, 0);
    accept(world, message, "x");
}

static void steps_of_one_millisecond_are_told_in_an_order_that_can_be(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    for (uint32_t i = 1; i <= 3; i++) {
        struct command command = {.type = COMMAND_MESSAGE_SENDING,
                                  .of.message_sending = {message, row_of(world, message).product}};
        assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
        if (i < 3)
            answer(world, message, i, MESSAGE_THROTTLED, NULL, 0);
    }
    answer(world, message, 3, MESSAGE_ACCEPTED, NULL, 0);
    assert_string_equal(history(world, message),
                        "queued sending queued sending queued sending sent");
}

/* What comes a moment later must be able to follow them, too. */
static void steps_of_one_millisecond_lead_to_the_next(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());
    struct command sweep = {.type = COMMAND_MESSAGE_SWEEP, .of.message_sweep = {message, true}};

    world->now_ms++;
    assert_int_equal(apply(world, &sweep).outcome, OUTCOME_OK);
    for (uint32_t i = 1; i <= 2; i++) {
        struct command command = {.type = COMMAND_MESSAGE_SENDING,
                                  .of.message_sending = {message, row_of(world, message).product}};
        assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
        world->now_ms += i - 1;
        answer(world, message, i, MESSAGE_RETRY, NULL, 0);
    }
    assert_string_equal(history(world, message), "queued sending queued queued sending queued");
}

/* Attempts are told apart by 16 bits; a product that throttles for three weeks uses them up. */
static void no_attempt_has_the_number_of_another(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    uint64_t message;

    asked.expire_at_ms = world->now_ms + 300 * 1440 * MINUTE_MS;
    message = submit(world, asked);
    for (uint32_t i = 1; i <= UINT16_MAX; i++) {
        assert_int_equal(give(world, message), i);
        answer(world, message, i, MESSAGE_THROTTLED, NULL, 0);
    }
    expect_status(world, message, MESSAGE_FAILED, MESSAGE_ERROR_THROTTLED);
    assert_int_equal(purse(world), PURSE);
}

static void refused_for_good_is_rejected_at_once(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    attempt(world, message, MESSAGE_REFUSED);
    expect_status(world, message, MESSAGE_REJECTED, MESSAGE_ERROR_REFUSED);
    assert_int_equal(purse(world), PURSE);
    assert_int_equal(quota(world, "a"), 1000);
    assert_string_equal(told(world), "rejected");
}

/* Nobody waits for a retry that would come too late. */
static void a_retry_behind_the_expiry_is_a_failure_now(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    uint64_t message;

    asked.expire_at_ms = world->now_ms + 5000;
    message = submit(world, asked);
    attempt(world, message, MESSAGE_RETRY);
    expect_status(world, message, MESSAGE_FAILED, MESSAGE_ERROR_UNREACHABLE);
    assert_int_equal(purse(world), PURSE);
}

/* --- unknown outcomes ----------------------------------------------------------------------------
 */

static bool recover(struct world *world, uint64_t message, bool can_query)
{
    struct command command = {.type = COMMAND_MESSAGE_RECOVER};
    struct result result;

    command.of.message_recover = (struct message_recover_command){message, 0, can_query};
    result = apply(world, &command);
    assert_int_equal(result.outcome, OUTCOME_OK);
    return result.of.message_change.should_query;
}

/* SMS-11 */
static void an_unknown_code_is_dropped(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, code());

    give(world, message);
    assert_false(recover(world, message, true));
    expect_status(world, message, MESSAGE_FAILED, MESSAGE_ERROR_UNKNOWN_OUTCOME);
    assert_int_equal(purse(world), PURSE);
    assert_int_equal(count_rows(world, TABLE_MESSAGE_SENDING), 0);
}

/* SMS-11: general, as the product's setting says. */
static void an_unknown_notice_is_treated_as_its_product_says(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());
    uint32_t number = give(world, message);

    assert_true(recover(world, message, true));
    expect_status(world, message, MESSAGE_SENDING, MESSAGE_ERROR_NONE);
    answer(world, message, number, MESSAGE_ACCEPTED, NULL, 0); /* as it has said when asked */
    expect_status(world, message, MESSAGE_SENT, MESSAGE_ERROR_NONE);

    message = submit(world, notice());
    number = give(world, message);
    assert_true(answer(world, message, number, MESSAGE_UNKNOWN, NULL, 0).should_query);
    assert_false(recover(world, message, false)); /* it cannot ask */
    expect_status(world, message, MESSAGE_FAILED, MESSAGE_ERROR_UNKNOWN_OUTCOME);

    put_product_that(world, "a", ON_UNKNOWN_RESEND);
    message = submit(world, notice());
    give(world, message);
    assert_false(recover(world, message, true));
    expect_status(world, message, MESSAGE_QUEUED, MESSAGE_ERROR_UNKNOWN_OUTCOME);

    put_product_that(world, "a", ON_UNKNOWN_DROP);
    message = submit(world, notice());
    give(world, message);
    recover(world, message, true);
    expect_status(world, message, MESSAGE_FAILED, MESSAGE_ERROR_UNKNOWN_OUTCOME);
}

static void what_was_sending_is_found_at_start(void **state)
{
    struct world *world = *state;
    uint64_t first = submit(world, notice()), second = submit(world, code()), found;
    struct txn *txn;

    submit(world, notice());
    give(world, second);
    give(world, first);
    txn = store_begin(world->store);
    assert_true(sending_next(txn, 0, &found));
    assert_int_equal(found, first);
    assert_true(sending_next(txn, first, &found));
    assert_int_equal(found, second);
    assert_false(sending_next(txn, second, &found));
    store_abort(txn);
}

/* --- late and twice ------------------------------------------------------------------------------
 */

static void a_late_result_changes_nothing(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());
    uint32_t first = give(world, message), second;
    const char *id = "one";

    answer(world, message, first, MESSAGE_RETRY, NULL, 0);
    answer(world, message, first, MESSAGE_ACCEPTED, &id, 1); /* of one that was given up */
    expect_status(world, message, MESSAGE_QUEUED, MESSAGE_ERROR_UNREACHABLE);
    second = give(world, message);
    answer(world, message, first, MESSAGE_REFUSED, NULL, 0);
    expect_status(world, message, MESSAGE_SENDING, MESSAGE_ERROR_NONE);
    answer(world, message, second, MESSAGE_ACCEPTED, &id, 1);
    answer(world, message, second, MESSAGE_REFUSED, NULL, 0);
    expect_status(world, message, MESSAGE_SENT, MESSAGE_ERROR_NONE);
    receipt(world, "one", RECEIPT_DELIVERED);
    answer(world, message, second, MESSAGE_RETRY, NULL, 0);
    assert_false(recover(world, message, true));
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
    assert_int_equal(try_send(world, message).outcome, OUTCOME_CONFLICT);
    assert_int_equal(purse(world), PURSE - PRICE);
    assert_string_equal(told(world), "sent delivered");
}

static void cancel(struct world *world, uint64_t message, enum outcome outcome)
{
    struct command command = {.type = COMMAND_MESSAGE_CANCEL};

    command.of.message_cancel.message = message;
    assert_int_equal(apply(world, &command).outcome, outcome);
}

static void what_waits_can_be_canceled(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    uint64_t message = submit(world, asked);

    cancel(world, message, OUTCOME_OK);
    expect_status(world, message, MESSAGE_CANCELED, MESSAGE_ERROR_NONE);
    cancel(world, message, OUTCOME_NOT_CANCELABLE);
    asked.send_at_ms = world->now_ms + 1000;
    message = submit(world, asked);
    cancel(world, message, OUTCOME_OK);
    assert_int_equal(purse(world), PURSE);
    assert_int_equal(quota(world, "a"), 1000);
    message = submit(world, notice());
    give(world, message);
    cancel(world, message, OUTCOME_NOT_CANCELABLE);
    cancel(world, 1, OUTCOME_MESSAGE_NOT_FOUND);
    assert_string_equal(told(world), "canceled canceled");
}

/* SMS-3: a product that was not counted when it took a message, and is now. */
static void quota_that_was_not_taken_does_not_come_back(void **state)
{
    struct world *world = *state;
    uint64_t message;

    put_product_that(world, "c", ON_UNKNOWN_QUERY);
    put_route(world, "c1", (struct route){.product = "c"});
    set_status(world, CATALOG_PRODUCT, "a", CATALOG_DISABLED);
    message = submit(world, notice());
    assert_true(is_by(world, message, "c"));
    change_quota(world, "c", 10);
    cancel(world, message, OUTCOME_OK);
    assert_int_equal(quota(world, "c"), 10);
}

static void a_status_is_told_again_on_request(void **state)
{
    struct world *world = *state;
    struct command replay = {.type = COMMAND_MESSAGE_REPLAY};
    struct message_submit_command asked = notice();
    uint64_t message = submit(world, asked);

    replay.of.message_replay.message = message;
    assert_int_equal(apply(world, &replay).outcome, OUTCOME_CONFLICT);
    accept(world, message, "x");
    assert_int_equal(apply(world, &replay).outcome, OUTCOME_OK);
    assert_string_equal(told(world), "sent sent");
    asked.callback_url = NO_TEXT;
    replay.of.message_replay.message = submit(world, asked);
    assert_int_equal(apply(world, &replay).outcome, OUTCOME_NO_CALLBACK);
    attempt(world, replay.of.message_replay.message, MESSAGE_REFUSED);
    assert_string_equal(told(world), "sent sent");
}

/* --- the sweep -----------------------------------------------------------------------------------
 */

static bool sweep(struct world *world, uint64_t message, bool is_standing)
{
    struct command command = {.type = COMMAND_MESSAGE_SWEEP};
    struct result result;

    command.of.message_sweep = (struct message_sweep_command){message, is_standing};
    result = apply(world, &command);
    assert_int_equal(result.outcome, OUTCOME_OK);
    return result.of.message_change.is_changed;
}

/* SMS-10 */
static void what_waits_for_a_product_that_stands_still_goes_another_way(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    assert_false(sweep(world, message, false));
    assert_true(sweep(world, message, true));
    assert_true(is_by(world, message, "b"));
    assert_int_equal(effect.wakes[0].product, number_of(world, CATALOG_PRODUCT, "b"));
    assert_int_equal(quota(world, "a"), 1000);
    assert_int_equal(quota(world, "b"), 999);
    assert_false(sweep(world, message, true)); /* its last try */
    accept(world, message, "x");
    assert_false(sweep(world, message, true));
}

static void lose(struct world *world, enum table table)
{
    struct txn *txn = store_begin(world->store);
    struct txn_walk *walk = txn_walk(txn, table, WALK_UP, NULL, 0);
    char key[KEY_BYTES_MAX];
    size_t size;

    assert_true(txn_walk_next(walk));
    size = walk->key_size;
    memcpy(key, walk->key, size);
    txn_walk_end(walk);
    assert_true(txn_delete(txn, table, key, size));
    store_commit(txn);
}

/* Its end is due: another product would be asked for nothing. */
static void what_has_expired_goes_no_other_way(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    world->now_ms += 24 * 60 * MINUTE_MS;
    assert_false(sweep(world, message, true));
    assert_true(is_by(world, message, "a"));
}

static void lost_rows_are_put_back(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());
    struct txn *txn;

    lose(world, TABLE_DUE);
    lose(world, TABLE_OUTBOX);
    txn = store_begin(world->store);
    assert_true(message_is_forgotten(txn, message));
    store_abort(txn);
    assert_true(sweep(world, message, false));
    expect_audit(world);
    assert_false(sweep(world, message, false));
}

/* --- anything ------------------------------------------------------------------------------------
 */

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % below;
}

static uint64_t submit_any(struct world *world, uint64_t *random)
{
    struct message_submit_command asked = draw(random, 3) == 0 ? code() : notice();

    if (draw(random, 4) == 0)
        asked.send_at_ms = world->now_ms + (int64_t)draw(random, 100000);
    if (draw(random, 4) == 0)
        asked.expire_at_ms = world->now_ms + 200000;
    return submit(world, asked);
}

static void step(struct world *world, uint64_t message, uint64_t *random)
{
    struct message_row row = row_of(world, message);
    struct command command = {.type = COMMAND_MESSAGE_CANCEL};
    char id[32];
    const char *ids = id;

    snprintf(id, sizeof id, "%llu-%u", (unsigned long long)(message % 100000), row.attempts);
    switch (draw(random, 12)) {
    case 0:
        command.of.message_cancel.message = message;
        apply(world, &command);
        break;
    case 1:
        sweep(world, message, draw(random, 2));
        break;
    case 2:
        recover(world, message, draw(random, 2));
        break;
    case 3:
        world->now_ms += (int64_t)draw(random, 20000);
        run_due(world);
        break;
    case 4:
    case 5:
        receipt_by(world, draw(random, 2) ? "a" : "b", id,
                   (enum receipt_status)(1 + draw(random, 5)));
        break;
    case 6:
    case 7:
    case 8:
        try_send(world, message);
        break;
    default:
        if (row.attempts > 0)
            answer(world, message, (uint32_t)(row.attempts - draw(random, 2) % row.attempts),
                   (enum message_answer)(1 + draw(random, 5)), &ids, 1);
    }
}

/* Money, quota and the rows that wait hold after whatever comes in whatever order; what has ended
 * never changes again. */
static void whatever_comes_nothing_is_lost(void **state)
{
    enum { MESSAGES = 40, STEPS = 6000 };
    struct world *world = *state;
    uint64_t random = 88172645463325252, messages[MESSAGES];
    int64_t charged = 0;

    put_route(world, "a1", (struct route){.product = "a", .has_failover = true});
    for (int i = 0; i < MESSAGES; i++)
        messages[i] = submit_any(world, &random);
    for (int i = 0; i < STEPS; i++) {
        uint64_t message = messages[draw(&random, MESSAGES)];
        bool was_over = message_status_is_back((enum message_status)row_of(world, message).status);
        step(world, message, &random);
        if (was_over)
            assert_true(message_status_is_back((enum message_status)row_of(world, message).status));
        if (i % 100 == 0)
            expect_audit(world);
    }
    for (int i = 0; i < MESSAGES; i++) {
        struct message_row row = row_of(world, messages[i]);
        assert_true(row.charged == (message_status_is_back((enum message_status)row.status)
                                        ? 0
                                        : (int64_t)PRICE * row.parts));
        charged += row.charged;
    }
    assert_int_equal(purse(world), PURSE - charged);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_messages, teardown_messages)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_refused_for_now_goes_again_and_then_another_way),
        TEST(the_third_attempt_may_be_accepted),
        TEST(without_another_route_the_same_is_tried_after_five_minutes),
        TEST(throttling_is_no_failure),
        TEST(steps_of_one_millisecond_are_told_in_an_order_that_can_be),
        TEST(steps_of_one_millisecond_lead_to_the_next),
        TEST(no_attempt_has_the_number_of_another),
        TEST(refused_for_good_is_rejected_at_once),
        TEST(a_retry_behind_the_expiry_is_a_failure_now),
        TEST(an_unknown_code_is_dropped),
        TEST(an_unknown_notice_is_treated_as_its_product_says),
        TEST(what_was_sending_is_found_at_start),
        TEST(a_late_result_changes_nothing),
        TEST(what_waits_can_be_canceled),
        TEST(quota_that_was_not_taken_does_not_come_back),
        TEST(a_status_is_told_again_on_request),
        TEST(what_waits_for_a_product_that_stands_still_goes_another_way),
        TEST(what_has_expired_goes_no_other_way),
        TEST(lost_rows_are_put_back),
        TEST(whatever_comes_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
