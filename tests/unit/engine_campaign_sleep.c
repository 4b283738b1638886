/* engine/campaign_sleep: recipients in several time zones (SMS-14, SMS-18). Who is awake is sent to
 * now, who is asleep in his own morning. After every test the audit reads all rows. */
#include "campaign_world.h"

#include "base/time_text.h"

#define HOUR_MS (60 * MINUTE_MS)

enum { QUOTA = 100000, FEW = 10 };

/* --- the world -----------------------------------------------------------------------------------
 */

static const struct zone {
    const char *country, *number; /* of a recipient, but for his last five digits */
    int64_t code;
    const char *rule;
} zones[] = {
    {"CL", "+5691234", 56, "America/Santiago\n<-04>4<-03>,M9.1.6/24,M4.1.6/24"},
    {"DE", "+4915123", 49, "Europe/Berlin\nCET-1CEST,M3.5.0,M10.5.0/3"},
    {"NZ", "+6421234", 64, "Pacific/Auckland\nNZST-12NZDT,M9.5.0,M4.1.0/3"},
};

static const struct zone *zone_of(const char *country)
{
    const struct zone *zone = zones;

    while (strcmp(zone->country, country) != 0)
        zone++;
    return zone;
}

static int setup_zones(void **state)
{
    struct world *world;

    setup_messages(state);
    world = *state;
    change_quota(world, "a", QUOTA);
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct catalog_draft draft;
        char id[8];
        snprintf(id, sizeof id, "in%s", zones[i].country);
        catalog_draft_init(&draft, CATALOG_COUNTRY);
        catalog_draft_text(&draft, COUNTRY_NAME, text_of(zones[i].country));
        catalog_draft_int(&draft, COUNTRY_CALLING_CODE, zones[i].code);
        catalog_draft_texts(&draft, COUNTRY_TIMEZONES, (struct text[]){text_of(zones[i].rule)}, 1);
        assert_int_equal(put(world, zones[i].country, &draft), OUTCOME_OK);
        put_route(world, id, (struct route){.product = "a", .country = zones[i].country});
    }
    return 0;
}

/* "2020-03-28T22:00" */
static void go_to(struct world *world, const char *time)
{
    char text[] = "0000-00-00T00:00:00.000Z";
    int64_t at_ms;

    memcpy(text, time, 16);
    assert_true(time_parse(text, sizeof text - 1, &at_ms));
    assert_true(at_ms >= world->now_ms);
    world->now_ms = at_ms;
}

static void add(struct world *world, uint64_t number, const char *country, int count)
{
    for (int i = 0; i < count; i++) {
        char to[24];
        struct campaign_line line = {.line = (uint64_t)i + 1, .outcome = OUTCOME_OK};
        snprintf(to, sizeof to, "%s%05d", zone_of(country)->number, i);
        line.to = text_of(to);
        assert_int_equal(upload(world, number, &line, 1).accepted, 1);
    }
}

static struct campaign_recipient_row first_of(struct world *world, uint64_t number,
                                              const char *country)
{
    char to[24];

    snprintf(to, sizeof to, "%s00000", zone_of(country)->number + 1);
    return recipient(world, number, strtoull(to, NULL, 10));
}

/* What is due goes, as a gateway that takes all it can get has it; how many it was given. */
static int send_now(struct world *world)
{
    uint64_t product = number_of(world, CATALOG_PRODUCT, "a");
    static int ids;

    for (int count = 0;;) {
        struct outbox_item item;
        struct result result;
        const char *id;
        char bytes[16];
        struct txn *txn;
        bool is_there;
        run_due(world);
        txn = store_begin(world->store);
        is_there =
            outbox_first(txn, product, MESSAGE_KIND_MARKETING, &(struct outbox_item){0}, &item);
        store_abort(txn);
        if (!is_there || item.due_ms > world->now_ms)
            return count;
        result = try_send(world, item.message);
        assert_int_equal(result.outcome, OUTCOME_OK);
        if (!result.of.message_change.is_given)
            continue;
        snprintf(bytes, sizeof bytes, "z%d", ids++);
        id = bytes;
        answer(world, item.message, result.of.message_change.row.attempts, MESSAGE_ACCEPTED, &id,
               1);
        count++;
    }
}

/* Figures that clients see. */
static void expect_figures(struct world *world, uint64_t number, uint32_t submitted,
                           uint32_t asleep)
{
    struct campaign_row row = campaign(world, number);

    assert_int_equal(row.submitted, submitted);
    assert_int_equal(row.asleep, asleep);
    assert_int_equal(row.reserved, (int64_t)campaign_left(&row) * PRICE);
    assert_int_equal(held(world), row.reserved);
    assert_int_equal(count_rows(world, TABLE_CAMPAIGN_ASLEEP), asleep);
    expect_audit(world);
}

/* --- nights --------------------------------------------------------------------------------------
 */

/* More of them sleep than may wait, and they are the first in the campaign. */
static void who_is_awake_is_sent_to_now_and_who_sleeps_in_his_own_morning(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());

    go_to(world, "2020-02-01T22:00"); /* 23:00 in Berlin, 11:00 in Auckland, 19:00 in Santiago */
    add(world, number, "DE", MANY);
    add(world, number, "NZ", FEW);
    add(world, number, "CL", FEW);
    confirm(world, number);
    assert_int_equal(send_now(world), 2 * FEW);
    expect_figures(world, number, 2 * FEW, MANY);
    expect_campaign(world, number, CAMPAIGN_RUNNING);
    assert_int_equal(first_of(world, number, "DE").turn, CAMPAIGN_ASLEEP);
    go_to(world, "2020-02-02T06:59");
    assert_int_equal(run_due(world), 0);
    go_to(world, "2020-02-02T07:00");
    assert_int_equal(send_now(world), MANY);
    expect_figures(world, number, MANY + 2 * FEW, 0);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
    assert_int_equal(purse(world), PURSE - (MANY + 2 * FEW) * PRICE);
    assert_string_equal(told_of(world), "running finished");
}

static void each_zone_has_its_morning_also_when_the_clocks_are_changed(void **state)
{
    static const struct {
        const char *country, *evening, *before, *morning;
    } nights[] = {
        {"DE", "2020-03-27T22:00", "2020-03-28T06:59", "2020-03-28T07:00"},
        {"DE", "2020-03-28T22:00", "2020-03-29T05:59", "2020-03-29T06:00"}, /* an hour shorter */
        {"NZ", "2020-04-03T10:00", "2020-04-03T18:59", "2020-04-03T19:00"},
        {"NZ", "2020-04-04T10:00", "2020-04-04T19:59", "2020-04-04T20:00"}, /* an hour longer */
        {"CL", "2020-04-05T01:00", "2020-04-05T11:59", "2020-04-05T12:00"}, /* likewise */
        {"CL", "2020-09-06T01:30", "2020-09-06T10:59", "2020-09-06T11:00"},
        {"NZ", "2020-09-26T10:00", "2020-09-26T18:59", "2020-09-26T19:00"},
        {"DE", "2020-10-24T22:00", "2020-10-25T06:59", "2020-10-25T07:00"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof nights / sizeof *nights; i++) {
        uint64_t number = create(world, marketing());
        go_to(world, nights[i].evening);
        add(world, number, nights[i].country, FEW);
        confirm(world, number);
        assert_int_equal(send_now(world), 0);
        expect_figures(world, number, 0, FEW);
        go_to(world, nights[i].before);
        assert_int_equal(send_now(world), 0);
        go_to(world, nights[i].morning);
        assert_int_equal(send_now(world), FEW);
        expect_campaign(world, number, CAMPAIGN_FINISHED);
    }
}

/* However many sleep, they are one row of the due index, and their morning is a command for each
 * CAMPAIGN_TURNS_MAX of them. */
static void nobody_looks_at_who_sleeps(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    int turns = (MANY + CAMPAIGN_TURNS_MAX - 1) / CAMPAIGN_TURNS_MAX;

    go_to(world, "2020-02-01T22:00");
    add(world, number, "DE", MANY);
    confirm(world, number);
    assert_true(run_due(world) <= turns + 1);
    assert_int_equal(count_due(world), 1);
    for (int hour = 0; hour < 9; hour++) {
        assert_int_equal(run_due(world), 0);
        world->now_ms += HOUR_MS - 1;
    }
}

/* Those whose messages wait, too: they are not among the few that may. */
static void a_zone_that_falls_asleep_holds_up_no_other(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    struct campaign_row row;

    go_to(world, "2020-02-01T19:59");
    add(world, number, "DE", MANY);
    add(world, number, "CL", FEW);
    confirm(world, number);
    run_due(world);
    assert_int_equal(campaign(world, number).waiting, CAMPAIGN_WINDOW_FIRST);
    go_to(world, "2020-02-01T20:00");
    assert_int_equal(send_now(world), FEW);
    row = campaign(world, number);
    assert_int_equal(row.held_back, row.waiting);
    assert_int_equal(row.submitted + row.asleep, MANY + FEW);
    expect_audit(world);
    go_to(world, "2020-02-02T07:00");
    assert_int_equal(send_now(world), MANY);
    row = campaign(world, number);
    assert_int_equal(row.held_back, 0);
    assert_int_equal(row.status, CAMPAIGN_FINISHED);
}

static void who_is_not_had_by_day_sleeps_another_night(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());

    go_to(world, "2020-02-01T22:00");
    add(world, number, "DE", MANY);
    confirm(world, number);
    run_due(world);
    go_to(world, "2020-02-02T19:59"); /* nobody has taken a message all day */
    run_due(world);
    expect_figures(world, number, CAMPAIGN_WINDOW_FIRST, MANY - CAMPAIGN_WINDOW_FIRST);
    go_to(world, "2020-02-02T20:00");
    assert_int_equal(send_now(world), 0);
    expect_figures(world, number, CAMPAIGN_WINDOW_FIRST, MANY - CAMPAIGN_WINDOW_FIRST);
    assert_int_equal(campaign(world, number).held_back, CAMPAIGN_WINDOW_FIRST);
    go_to(world, "2020-02-03T06:59");
    assert_int_equal(send_now(world), 0);
    go_to(world, "2020-02-03T07:00");
    assert_int_equal(send_now(world), MANY);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), MANY);
}

/* --- changes in the night ------------------------------------------------------------------------
 */

/* A few who were asleep when the campaign was confirmed, at 23:00 where they are. */
static uint64_t begin_in_the_night(struct world *world)
{
    uint64_t number = create(world, marketing());

    go_to(world, "2020-02-01T22:00");
    add(world, number, "DE", FEW);
    confirm(world, number);
    run_due(world);
    return number;
}

static void a_pause_over_the_morning_and_a_resume_after_it(void **state)
{
    struct world *world = *state;
    uint64_t number = begin_in_the_night(world);

    assert_int_equal(change(world, COMMAND_CAMPAIGN_PAUSE, number), OUTCOME_OK);
    go_to(world, "2020-02-02T12:00");
    assert_int_equal(send_now(world), 0);
    expect_figures(world, number, 0, FEW);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_OK);
    assert_int_equal(send_now(world), FEW);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
}

static void a_resume_in_the_night_wakes_nobody(void **state)
{
    struct world *world = *state;
    uint64_t number = begin_in_the_night(world);

    assert_int_equal(change(world, COMMAND_CAMPAIGN_PAUSE, number), OUTCOME_OK);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_OK);
    assert_int_equal(send_now(world), 0);
    expect_figures(world, number, 0, FEW);
    go_to(world, "2020-02-02T07:00");
    assert_int_equal(send_now(world), FEW);
}

static void a_cancel_gives_back_what_was_set_aside_for_who_sleeps(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    struct campaign_row row;

    go_to(world, "2020-02-01T19:59");
    add(world, number, "DE", MANY);
    confirm(world, number);
    run_due(world);
    go_to(world, "2020-02-01T20:00");
    assert_int_equal(send_now(world), 0);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CANCEL, number), OUTCOME_OK);
    run_due(world);
    row = campaign(world, number);
    assert_int_equal(row.status, CAMPAIGN_CANCELED);
    assert_int_equal(row.held_back + row.waiting, 0);
    assert_int_equal(row.messages[MESSAGE_CANCELED], row.submitted);
    assert_int_equal(held(world), 0);
    assert_int_equal(purse(world), PURSE);
    go_to(world, "2020-02-02T07:00");
    assert_int_equal(send_now(world), 0);
    world->now_ms = row.forget_ms;
    run_due(world);
    assert_int_equal(count_rows(world, TABLE_CAMPAIGN_ASLEEP), 0);
    assert_int_equal(count_rows(world, TABLE_CAMPAIGN_RECIPIENT), 0);
}

static void who_is_blocked_in_his_sleep_is_refused_in_the_morning(void **state)
{
    struct world *world = *state;
    uint64_t number = begin_in_the_night(world);
    struct command block = {.type = COMMAND_BLOCKLIST_PUT};

    block.of.blocklist_put = (struct blocklist_put_command){.mobile = UINT64_C(491512300000),
                                                            .reason = BLOCKLIST_OPTED_OUT};
    apply(world, &block);
    go_to(world, "2020-02-02T07:00");
    assert_int_equal(send_now(world), FEW - 1);
    assert_int_equal(first_of(world, number, "DE").turn, CAMPAIGN_REFUSED);
    assert_string_equal(errors(world, number), "blocked_number:to");
    expect_campaign(world, number, CAMPAIGN_FINISHED);
    assert_int_equal(purse(world), PURSE - (FEW - 1) * PRICE);
}

/* As by day, and whoever was to have his turn has it when it goes on. */
static void a_morning_without_money_pauses(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());

    go_to(world, "2020-02-01T22:00");
    add(world, number, "DE", FEW);
    pay_out(world, "purse", PURSE - FEW * PRICE);
    confirm(world, number);
    run_due(world);
    put_priced(world, "a", PRICE + 1, ON_UNKNOWN_QUERY);
    go_to(world, "2020-02-02T07:00");
    assert_int_equal(send_now(world), 0);
    assert_int_equal(campaign(world, number).reason, OUTCOME_INSUFFICIENT_FUNDS);
    expect_figures(world, number, 0, FEW);
    put_priced(world, "a", PRICE, ON_UNKNOWN_QUERY);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_OK);
    assert_int_equal(send_now(world), FEW);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
}

/* Where it is quiet for good, he is refused; the others are not. */
static void where_no_morning_comes_he_is_refused_alone(void **state)
{
    static const char *const rules[] = {"Europe/Berlin\nCET-1", "Asia/Tokyo\nJST-9"};
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    struct catalog_draft draft;

    go_to(world, "2020-02-01T12:00");
    add(world, number, "DE", FEW);
    add(world, number, "CL", FEW);
    catalog_draft_init(&draft, CATALOG_COUNTRY);
    catalog_draft_text(&draft, COUNTRY_NAME, TEXT("DE"));
    catalog_draft_int(&draft, COUNTRY_CALLING_CODE, 49);
    catalog_draft_texts(&draft, COUNTRY_TIMEZONES,
                        (struct text[]){text_of(rules[0]), text_of(rules[1])}, 2);
    catalog_draft_text(&draft, COUNTRY_QUIET_HOURS, TEXT("12:00-11:00"));
    assert_int_equal(put(world, "DE", &draft), OUTCOME_OK);
    confirm(world, number);
    assert_int_equal(send_now(world), FEW);
    assert_int_equal(campaign(world, number).refused, FEW);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_zones, teardown_messages)
    const struct CMUnitTest tests[] = {
        TEST(who_is_awake_is_sent_to_now_and_who_sleeps_in_his_own_morning),
        TEST(each_zone_has_its_morning_also_when_the_clocks_are_changed),
        TEST(nobody_looks_at_who_sleeps),
        TEST(a_zone_that_falls_asleep_holds_up_no_other),
        TEST(who_is_not_had_by_day_sleeps_another_night),
        TEST(a_pause_over_the_morning_and_a_resume_after_it),
        TEST(a_resume_in_the_night_wakes_nobody),
        TEST(a_cancel_gives_back_what_was_set_aside_for_who_sleeps),
        TEST(who_is_blocked_in_his_sleep_is_refused_in_the_morning),
        TEST(a_morning_without_money_pauses),
        TEST(where_no_morning_comes_he_is_refused_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
