/* engine/campaign…: how a campaign ends, as it finishes, is canceled or was never confirmed, and
 * what of it goes then (SMS-14). After every test the audit reads all rows. */
#include "campaign_world.h"

static void it_has_finished_when_no_message_waits_and_then_still_counts(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing()), message;
    uint32_t attempt;
    const char *id = "late";

    upload_many(world, number, 1);
    confirm(world, number);
    run_due(world);
    message = recipient(world, number, UINT64_C(8613800000000)).message;
    attempt = give(world, message);
    expect_campaign(world, number, CAMPAIGN_RUNNING);
    answer(world, message, attempt, MESSAGE_RETRY, NULL, 0);
    expect_campaign(world, number, CAMPAIGN_RUNNING);
    attempt = give(world, message);
    answer(world, message, attempt, MESSAGE_ACCEPTED, &id, 1);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
    assert_int_equal(campaign(world, number).messages[MESSAGE_SENT], 1);
    receipt(world, "late", RECEIPT_DELIVERED);
    assert_int_equal(campaign(world, number).messages[MESSAGE_SENT], 0);
    assert_int_equal(campaign(world, number).messages[MESSAGE_DELIVERED], 1);
}

static void what_fails_is_counted_and_refunded(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing()), message;

    upload_many(world, number, 1);
    confirm(world, number);
    run_due(world);
    message = recipient(world, number, UINT64_C(8613800000000)).message;
    attempt(world, message, MESSAGE_REFUSED);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
    assert_int_equal(campaign(world, number).messages[MESSAGE_REJECTED], 1);
    assert_int_equal(campaign(world, number).refunded, PRICE);
    assert_int_equal(purse(world), PURSE);
}

/* --- cancel --------------------------------------------------------------------------------------
 */

static void a_cancel_takes_back_what_waits_and_gives_back_the_money(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing()), message;
    struct campaign_row row;
    uint32_t attempt;

    upload_many(world, number, MANY);
    confirm(world, number);
    run_due(world);
    message = recipient(world, number, UINT64_C(8613800000000)).message;
    attempt = give(world, message);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CANCEL, number), OUTCOME_OK);
    expect_campaign(world, number, CAMPAIGN_CANCELING);
    assert_int_equal(held(world), 0);
    run_due(world);
    row = campaign(world, number);
    assert_int_equal(row.status, CAMPAIGN_CANCELED);
    assert_int_equal(row.messages[MESSAGE_CANCELED], CAMPAIGN_WINDOW_FIRST - 1);
    assert_int_equal(row.messages[MESSAGE_SENDING], 1);
    assert_int_equal(row.released, (MANY - CAMPAIGN_WINDOW_FIRST) * PRICE);
    assert_int_equal(purse(world), PURSE - PRICE);
    assert_string_equal(told_of(world), "running canceled");
    /* What comes back from a gateway does not go again. */
    answer(world, message, attempt, MESSAGE_RETRY, NULL, 0);
    run_due(world);
    expect_status(world, message, MESSAGE_CANCELED, MESSAGE_ERROR_NONE);
    assert_int_equal(purse(world), PURSE);
    assert_int_equal(send_all(world), 0);
    assert_int_equal(quota(world, "a"), 1000);
}

/* As many as are taken back at once, and one. */
static void a_cancel_takes_back_the_last_that_waits(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());

    upload_many(world, number, 33);
    confirm(world, number);
    run_due(world);
    assert_int_equal(campaign(world, number).waiting, 33);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CANCEL, number), OUTCOME_OK);
    run_due(world);
    expect_campaign(world, number, CAMPAIGN_CANCELED);
    assert_int_equal(campaign(world, number).messages[MESSAGE_CANCELED], 33);
    assert_int_equal(campaign(world, number).waiting, 0);
    assert_int_equal(purse(world), PURSE);
}

static void every_state_refuses_what_it_cannot_do(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    struct campaign_line line = {.line = 1, .to = TEXT("+8613900000001")};

    assert_int_equal(change(world, COMMAND_CAMPAIGN_PAUSE, number), OUTCOME_CAMPAIGN_NOT_RUNNING);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_CAMPAIGN_NOT_PAUSED);
    upload_many(world, number, MANY);
    confirm(world, number);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CONFIRM, number), OUTCOME_CAMPAIGN_NOT_DRAFT);
    assert_int_equal(try_upload(world, number, &line, 1).outcome, OUTCOME_CAMPAIGN_NOT_DRAFT);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_CAMPAIGN_NOT_PAUSED);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_PAUSE, number), OUTCOME_OK);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_PAUSE, number), OUTCOME_CAMPAIGN_NOT_RUNNING);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CANCEL, number), OUTCOME_OK);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_CAMPAIGN_NOT_PAUSED);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CANCEL, number), OUTCOME_CAMPAIGN_ENDED);
    run_due(world);
    expect_campaign(world, number, CAMPAIGN_CANCELED);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CANCEL, number), OUTCOME_CAMPAIGN_ENDED);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CONFIRM, number + 1),
                     OUTCOME_CAMPAIGN_NOT_FOUND);
}

static void a_draft_that_is_canceled_is_over_at_once(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());

    upload_many(world, number, 10);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CANCEL, number), OUTCOME_OK);
    expect_campaign(world, number, CAMPAIGN_CANCELED);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CONFIRM, number), OUTCOME_CAMPAIGN_NOT_DRAFT);
}

/* The audit holds in the middle of it, too. */
static void recipients_are_forgotten_long_after_the_end(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    struct campaign_line line = {.line = 1, .to = TEXT("x"), .outcome = OUTCOME_INVALID_NUMBER};
    struct campaign_row row;

    upload_many(world, number, 600);
    for (int i = 0; i < 300; i++)
        upload(world, number, &line, 1);
    confirm(world, number);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CANCEL, number), OUTCOME_OK);
    run_due(world);
    row = campaign(world, number);
    assert_true(row.forget_ms - row.ended_ms == INT64_C(90) * 24 * 60 * MINUTE_MS);
    world->now_ms = row.forget_ms;
    for (int slices = 0; row.forget_ms != 0; slices++) {
        struct command command = {.type = COMMAND_CAMPAIGN_FORGET};
        command.of.campaign_forget = (struct due_command){number, row.forget_ms};
        assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
        assert_true(slices < 5);
        expect_audit(world);
        row = campaign(world, number);
    }
    assert_int_equal(count_rows(world, TABLE_CAMPAIGN_RECIPIENT), 0);
    assert_int_equal(count_rows(world, TABLE_CAMPAIGN_ERROR), 0);
    assert_int_equal(row.recipients, 600);
}

/* SMS-14: a draft that nobody confirms is not kept for ever, and each upload is a reason to keep
 * it.
 */
static void a_draft_that_is_not_confirmed_ends_in_its_time(void **state)
{
    struct world *world = *state;
    int64_t begun_ms = world->now_ms;
    uint64_t number = create(world, marketing());
    struct campaign_row row;

    upload_many(world, number, 600);
    world->now_ms = begun_ms + DRAFT_MS - 1;
    run_due(world);
    expect_campaign(world, number, CAMPAIGN_DRAFT);
    upload(world, number, &(struct campaign_line){.line = 1, .to = TEXT("+8613900000000")}, 1);
    world->now_ms += DRAFT_MS - 1;
    run_due(world);
    expect_campaign(world, number, CAMPAIGN_DRAFT);
    expect_audit(world);

    world->now_ms += CAMPAIGN_DRAFT_SLACK_MS + 1;
    run_due(world);
    row = campaign(world, number);
    assert_int_equal(row.status, CAMPAIGN_CANCELED);
    assert_int_equal(row.reason, OUTCOME_CAMPAIGN_EXPIRED);
    assert_int_equal(row.recipients, 601);
    assert_int_equal(count_rows(world, TABLE_CAMPAIGN_RECIPIENT), 0);
    assert_int_equal(row.due_ms, 0);
    assert_int_equal(held(world), 0);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CONFIRM, number), OUTCOME_CAMPAIGN_EXPIRED);
    assert_int_equal(try_upload(world, number, NULL, 0).outcome, OUTCOME_CAMPAIGN_EXPIRED);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CANCEL, number), OUTCOME_CAMPAIGN_ENDED);
}

static void a_confirmed_campaign_has_no_end_as_a_draft(void **state)
{
    struct world *world = *state;
    struct campaign_create_command asked = marketing();
    uint64_t number;

    asked.send_at_ms = world->now_ms + 10 * (int64_t)DRAFT_MS;
    number = create(world, asked);
    upload_many(world, number, 1);
    confirm(world, number);
    world->now_ms += 9 * (int64_t)DRAFT_MS;
    run_due(world);
    expect_campaign(world, number, CAMPAIGN_SCHEDULED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_messages, teardown_messages)
    const struct CMUnitTest tests[] = {
        TEST(it_has_finished_when_no_message_waits_and_then_still_counts),
        TEST(what_fails_is_counted_and_refunded),
        TEST(a_cancel_takes_back_what_waits_and_gives_back_the_money),
        TEST(a_cancel_takes_back_the_last_that_waits),
        TEST(a_draft_that_is_not_confirmed_ends_in_its_time),
        TEST(a_confirmed_campaign_has_no_end_as_a_draft),
        TEST(every_state_refuses_what_it_cannot_do),
        TEST(a_draft_that_is_canceled_is_over_at_once),
        TEST(recipients_are_forgotten_long_after_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
