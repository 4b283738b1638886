/* engine/campaign…: how long a draft is kept (SMS-14). After every test the audit reads all rows.
 */
#include "campaign_world.h"

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
        TEST(a_draft_that_is_not_confirmed_ends_in_its_time),
        TEST(a_confirmed_campaign_has_no_end_as_a_draft),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
