/* engine/campaign…: a campaign's life, its money, and that each recipient has exactly one turn
 * (SMS-14). After every test the audit reads all rows. */
#include "campaign_world.h"

/* --- a draft -------------------------------------------------------------------------------------
 */

static void a_draft_takes_recipients_says_what_they_cost_and_sends_nothing(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    struct campaign_row row;

    upload_many(world, number, MANY);
    run_due(world);
    row = campaign(world, number);
    assert_int_equal(row.recipients, MANY);
    assert_int_equal(row.parts, MANY);
    assert_int_equal(row.amount, MANY * PRICE);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 0);
    assert_int_equal(held(world), 0);
    assert_int_equal(quota(world, "a"), 1000);
}

static void a_campaign_is_refused_for_what_is_wrong_with_it(void **state)
{
    static const struct template_param unknown[] = {{{"nom", 3}, {"x", 1}}};
    struct world *world = *state;
    struct campaign_create_command asked = marketing();

    asked.company = TEXT("nobody");
    assert_int_equal(try_create(world, asked).outcome, OUTCOME_COMPANY_NOT_FOUND);
    asked = by_template();
    asked.template = TEXT("none");
    assert_int_equal(try_create(world, asked).outcome, OUTCOME_TEMPLATE_NOT_FOUND);
    asked.template = TEXT("code");
    asked.param_count = 0;
    assert_int_equal(try_create(world, asked).outcome, OUTCOME_NOT_FOR_CAMPAIGNS);
    asked = by_template();
    asked.params = unknown;
    assert_int_equal(try_create(world, asked).outcome, OUTCOME_UNKNOWN_PARAMETER);
    assert_int_equal(count_rows(world, TABLE_CAMPAIGN), 0);
}

static void each_line_is_checked_as_a_submit_and_what_is_wrong_is_kept(void **state)
{
    static const struct template_param named[] = {{{"name", 4}, {"Ann", 3}}};
    static const struct template_param wrong[] = {{{"name", 4}, {"Ann", 3}}, {{"x", 1}, {"y", 1}}};
    struct world *world = *state;
    uint64_t number = create(world, by_template());
    struct command block = {.type = COMMAND_BLOCKLIST_PUT};
    struct campaign_line lines[] = {
        {.line = 1, .to = TEXT("+8613800000001"), .params = named, .param_count = 1},
        {.line = 2, .outcome = OUTCOME_MALFORMED_JSON, .detail = TEXT("what was this?")},
        {.line = 3, .to = TEXT("13800000001"), .params = named, .param_count = 1},
        {.line = 4, .to = TEXT("+8613800000002")},
        {.line = 5, .to = TEXT("+8613800000003"), .params = wrong, .param_count = 2},
        {.line = 6, .to = TEXT("+6581234567"), .params = named, .param_count = 1},
        {.line = 7, .to = TEXT("+8613800000004"), .params = named, .param_count = 1},
    };
    struct campaign_recipients_result result;

    block.of.blocklist_put = (struct blocklist_put_command){.mobile = UINT64_C(8613800000004),
                                                            .reason = BLOCKLIST_BLOCKED};
    apply(world, &block);
    result = upload(world, number, lines, sizeof lines / sizeof *lines);
    assert_int_equal(result.accepted, 1);
    assert_int_equal(result.invalid, 6);
    assert_int_equal(result.error_count, 6);
    assert_string_equal(errors(world, number),
                        "malformed_json invalid_number:to missing_parameter:name "
                        "unknown_parameter:x signature_required:signature blocked_number");
    assert_int_equal(campaign(world, number).errors, 6);
}

/* A broken upload is sent again: what says the same is no error. */
static void a_number_stands_once_in_a_campaign(void **state)
{
    static const struct template_param ann[] = {{{"name", 4}, {"Ann", 3}}};
    static const struct template_param bob[] = {{{"name", 4}, {"Bob", 3}}};
    struct world *world = *state;
    uint64_t number = create(world, by_template());
    struct campaign_line line = {
        .line = 1, .to = TEXT("+8613800000001"), .params = ann, .param_count = 1};

    assert_int_equal(upload(world, number, &line, 1).accepted, 1);
    assert_int_equal(upload(world, number, &line, 1).duplicates, 1);
    assert_string_equal(errors(world, number), "");
    line.params = bob;
    assert_int_equal(upload(world, number, &line, 1).duplicates, 1);
    assert_string_equal(errors(world, number), "duplicate:to");
    line.params = ann;
    line.client_reference = TEXT("another");
    assert_int_equal(upload(world, number, &line, 1).duplicates, 1);
    assert_string_equal(errors(world, number), "duplicate:to duplicate:to");
    assert_int_equal(campaign(world, number).recipients, 1);
    assert_int_equal(campaign(world, number).amount, PRICE);
}

/* Ten parts of the dearest are 10^13 each, and the largest amount is 9 * 10^15. */
static void a_campaign_costs_no_more_than_can_be_paid(void **state)
{
    static char content[1400];
    struct world *world = *state;
    struct campaign_create_command dear = marketing();
    struct campaign_line line = {.line = 901, .to = TEXT("+8613900000001")};
    uint64_t number;

    put_priced(world, "a", INT64_C(1000000000000), ON_UNKNOWN_QUERY);
    memset(content, 'm', sizeof content);
    dear.content = (struct text){content, sizeof content};
    number = create(world, dear);
    upload_many(world, number, 900);
    assert_int_equal(campaign(world, number).amount, INT64_C(9000000000000000));
    assert_int_equal(upload(world, number, &line, 1).invalid, 1);
    assert_string_equal(errors(world, number), "campaign_full");
    assert_int_equal(campaign(world, number).recipients, 900);
}

static void own_parameters_go_before_common_ones(void **state)
{
    static const struct template_param own[] = {{{"name", 4}, {"Ann", 3}},
                                                {{"what", 4}, {"goodbye", 7}}};
    struct world *world = *state;
    uint64_t number = create(world, by_template());
    struct campaign_line line = {.line = 1,
                                 .to = TEXT("+8613800000001"),
                                 .client_reference = TEXT("r-1"),
                                 .params = own,
                                 .param_count = 2};
    struct message_text text;
    struct txn *txn;
    uint64_t message;

    upload(world, number, &line, 1);
    line.to = TEXT("+8613800000002");
    line.param_count = 1;
    upload(world, number, &line, 1);
    confirm(world, number);
    run_due(world);
    message = recipient(world, number, UINT64_C(8613800000001)).message;
    txn = store_begin(world->store);
    assert_true(message_text_find(txn, message, &text));
    assert_true(text_equals(text.content, TEXT("Dear Ann, goodbye")));
    assert_true(text_equals(text.client_reference, TEXT("r-1")));
    assert_int_equal(text.row.origin, number);
    store_abort(txn);
    message = recipient(world, number, UINT64_C(8613800000002)).message;
    txn = store_begin(world->store);
    assert_true(message_text_find(txn, message, &text));
    assert_true(text_equals(text.content, TEXT("Dear Ann, all is well")));
    store_abort(txn);
    send_all(world);
}

/* --- money ---------------------------------------------------------------------------------------
 */

static void confirming_sets_aside_what_it_costs_and_messages_pay_from_it(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    struct campaign_row row;

    upload_many(world, number, MANY);
    confirm(world, number);
    assert_int_equal(held(world), MANY * PRICE);
    assert_int_equal(purse(world), PURSE);
    run_due(world);
    row = campaign(world, number);
    assert_int_equal(row.submitted, CAMPAIGN_WINDOW_FIRST);
    assert_int_equal(held(world), (MANY - CAMPAIGN_WINDOW_FIRST) * PRICE);
    assert_int_equal(purse(world), PURSE - CAMPAIGN_WINDOW_FIRST * PRICE);
    assert_int_equal(send_all(world), MANY);
    row = campaign(world, number);
    assert_int_equal(row.status, CAMPAIGN_FINISHED);
    assert_int_equal(row.charged, MANY * PRICE);
    assert_int_equal(row.used, MANY * PRICE);
    assert_int_equal(held(world), 0);
    assert_int_equal(purse(world), PURSE - MANY * PRICE);
    assert_string_equal(told_of(world), "running finished");
}

static void what_cannot_be_set_aside_leaves_a_draft(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());

    assert_int_equal(change(world, COMMAND_CAMPAIGN_CONFIRM, number), OUTCOME_CAMPAIGN_EMPTY);
    upload_many(world, number, MANY);
    pay_out(world, "purse", PURSE - MANY * PRICE + 1);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CONFIRM, number), OUTCOME_INSUFFICIENT_FUNDS);
    expect_campaign(world, number, CAMPAIGN_DRAFT);
    assert_int_equal(held(world), 0);
}

/* What is set aside nobody else spends. */
static void two_campaigns_cannot_be_confirmed_with_the_same_money(void **state)
{
    struct world *world = *state;
    uint64_t first = create(world, marketing()), second = create(world, marketing());

    upload_many(world, first, MANY);
    upload_many(world, second, MANY);
    pay_out(world, "purse", PURSE - MANY * PRICE);
    confirm(world, first);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_CONFIRM, second), OUTCOME_INSUFFICIENT_FUNDS);
    assert_int_equal(try_submit(world, notice()).outcome, OUTCOME_INSUFFICIENT_FUNDS);
    assert_int_equal(send_all(world), MANY);
    expect_campaign(world, first, CAMPAIGN_FINISHED);
    assert_int_equal(purse(world), 0);
}

static void a_price_that_rose_is_paid_from_what_is_free_and_else_pauses(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    struct campaign_row row;

    upload_many(world, number, 10);
    pay_out(world, "purse", PURSE - 10 * PRICE - 2);
    confirm(world, number);
    put_priced(world, "a", PRICE + 1, ON_UNKNOWN_QUERY);
    run_due(world);
    row = campaign(world, number);
    assert_int_equal(row.status, CAMPAIGN_PAUSED);
    assert_int_equal(row.reason, OUTCOME_INSUFFICIENT_FUNDS);
    assert_int_equal(row.submitted, 2);
    assert_int_equal(row.charged, 2 * (PRICE + 1));
    assert_int_equal(row.reserved, 8 * PRICE);
    assert_int_equal(held(world), 8 * PRICE);
    put_priced(world, "a", PRICE - 1, ON_UNKNOWN_QUERY);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_OK);
    assert_int_equal(send_all(world), 10);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
    assert_int_equal(purse(world), 10 * PRICE + 2 - 2 * (PRICE + 1) - 8 * (PRICE - 1));
    assert_int_equal(held(world), 0);
}

/* --- running -------------------------------------------------------------------------------------
 */

static void few_messages_wait_and_the_window_follows_the_pace(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    uint64_t product = number_of(world, CATALOG_PRODUCT, "a");
    struct campaign_row row;
    uint32_t widest = 0;
    int sent = 0;

    change_quota(world, "a", 10000);
    upload_many(world, number, 1000);
    confirm(world, number);
    run_due(world);
    while ((row = campaign(world, number)).status == CAMPAIGN_RUNNING) {
        struct txn *txn = store_begin(world->store);
        struct outbox_item item;
        bool is_there =
            outbox_first(txn, product, MESSAGE_KIND_MARKETING, &(struct outbox_item){0}, &item);
        char id[16];
        store_abort(txn);
        assert_true(is_there);
        widest = row.window > widest ? row.window : widest;
        assert_true(row.waiting <= widest);
        world->now_ms += sent < 100 ? 1 : 500; /* a provider that becomes slow */
        snprintf(id, sizeof id, "w%d", sent++);
        accept(world, item.message, id);
        run_due(world);
    }
    assert_int_equal(sent, 1000);
    assert_true(widest >= 4 * CAMPAIGN_WINDOW_FIRST && widest < 1000);
    assert_int_equal(row.window, CAMPAIGN_WINDOW_MIN);
}

static void it_goes_on_when_half_of_the_window_has_left(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    char id[16];

    upload_many(world, number, MANY);
    confirm(world, number);
    run_due(world);
    world->now_ms += 1000; /* a pace that leaves the window as it is */
    for (int sent = 1; sent <= CAMPAIGN_WINDOW_FIRST / 2; sent++) {
        snprintf(id, sizeof id, "w%d", sent);
        accept(world, recipient(world, number, UINT64_C(8613799999999) + (uint64_t)sent).message,
               id);
        run_due(world);
        assert_int_equal(campaign(world, number).waiting, sent < CAMPAIGN_WINDOW_FIRST / 2
                                                              ? CAMPAIGN_WINDOW_FIRST - sent
                                                              : CAMPAIGN_WINDOW_FIRST);
    }
    assert_int_equal(campaign(world, number).window, CAMPAIGN_WINDOW_FIRST);
}

static void a_resume_fills_the_window_and_no_more(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());

    upload_many(world, number, MANY);
    confirm(world, number);
    run_due(world);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_PAUSE, number), OUTCOME_OK);
    accept(world, recipient(world, number, UINT64_C(8613800000000)).message, "w1");
    assert_int_equal(campaign(world, number).waiting, CAMPAIGN_WINDOW_FIRST - 1);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_OK);
    run_due(world);
    assert_int_equal(campaign(world, number).waiting, CAMPAIGN_WINDOW_FIRST);
}

static void it_starts_at_its_time(void **state)
{
    struct world *world = *state;
    struct campaign_create_command asked = marketing();
    uint64_t number;

    asked.send_at_ms = world->now_ms + 60 * MINUTE_MS;
    number = create(world, asked);
    upload_many(world, number, 10);
    confirm(world, number);
    expect_campaign(world, number, CAMPAIGN_SCHEDULED);
    assert_int_equal(held(world), 10 * PRICE);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_PAUSE, number), OUTCOME_OK);
    world->now_ms += 30 * MINUTE_MS;
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_OK);
    expect_campaign(world, number, CAMPAIGN_SCHEDULED);
    assert_int_equal(send_all(world), 0);
    world->now_ms += 30 * MINUTE_MS;
    assert_int_equal(send_all(world), 10);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
    assert_string_equal(told_of(world), "scheduled paused scheduled running finished");
}

static void a_pause_makes_no_more_and_a_resume_goes_on_where_it_was(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());

    upload_many(world, number, MANY);
    confirm(world, number);
    run_due(world);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_PAUSE, number), OUTCOME_OK);
    assert_int_equal(send_all(world), CAMPAIGN_WINDOW_FIRST);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), CAMPAIGN_WINDOW_FIRST);
    assert_int_equal(held(world), (MANY - CAMPAIGN_WINDOW_FIRST) * PRICE);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_OK);
    assert_int_equal(send_all(world), MANY - CAMPAIGN_WINDOW_FIRST);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), MANY);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
}

static void who_is_blocked_meanwhile_is_refused_alone(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());
    struct command block = {.type = COMMAND_BLOCKLIST_PUT};
    struct campaign_row row;

    upload_many(world, number, 10);
    confirm(world, number);
    block.of.blocklist_put = (struct blocklist_put_command){.mobile = UINT64_C(8613800000004),
                                                            .reason = BLOCKLIST_OPTED_OUT};
    apply(world, &block);
    assert_int_equal(send_all(world), 9);
    row = campaign(world, number);
    assert_int_equal(row.status, CAMPAIGN_FINISHED);
    assert_int_equal(row.refused, 1);
    assert_int_equal(row.errors, 1);
    assert_int_equal(row.released, PRICE);
    assert_string_equal(errors(world, number), "blocked_number:to");
    assert_int_equal(recipient(world, number, UINT64_C(8613800000004)).turn, CAMPAIGN_REFUSED);
    assert_int_equal(purse(world), PURSE - 9 * PRICE);
}

static void whose_country_is_served_no_more_is_refused_alone(void **state)
{
    struct world *world = *state;
    struct campaign_create_command signed_by = marketing();
    struct campaign_line line = {.line = 11, .to = TEXT("+6591234567")};
    uint64_t number;

    signed_by.signature = TEXT("Acme");
    number = create(world, signed_by);
    put_route(world, "s1", (struct route){.product = "a", .country = "SG"});
    upload_many(world, number, 10);
    assert_int_equal(upload(world, number, &line, 1).accepted, 1);
    confirm(world, number);
    set_status(world, CATALOG_COUNTRY, "SG", CATALOG_DISABLED);
    assert_int_equal(send_all(world), 10);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
    assert_string_equal(errors(world, number), "country_not_allowed:to");
    assert_int_equal(held(world), 0);
}

static void without_a_route_it_pauses_and_says_why(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, marketing());

    upload_many(world, number, 10);
    confirm(world, number);
    set_status(world, CATALOG_ROUTE, "a1", CATALOG_DISABLED);
    set_status(world, CATALOG_ROUTE, "b1", CATALOG_DISABLED);
    run_due(world);
    expect_campaign(world, number, CAMPAIGN_PAUSED);
    assert_int_equal(campaign(world, number).reason, OUTCOME_NO_ROUTE);
    assert_int_equal(held(world), 10 * PRICE);
    set_status(world, CATALOG_ROUTE, "a1", CATALOG_ENABLED);
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_OK);
    assert_int_equal(send_all(world), 10);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
}

static void it_is_of_the_kind_that_its_template_is_and_no_code(void **state)
{
    struct world *world = *state;
    uint64_t number = create(world, by_template());
    struct template_param named[] = {{TEXT("name"), TEXT("Ann")}};
    struct campaign_line line = {
        .line = 1, .to = TEXT("+8613800000000"), .params = named, .param_count = 1};

    assert_int_equal(upload(world, number, &line, 1).accepted, 1);
    confirm(world, number);
    assert_int_equal(campaign(world, number).kind, MESSAGE_KIND_NOTICE);
    put_template(world, "note", MESSAGE_KIND_VERIFICATION, "Dear {name}, {what}");
    run_due(world);
    expect_campaign(world, number, CAMPAIGN_PAUSED);
    assert_int_equal(campaign(world, number).reason, OUTCOME_NOT_FOR_CAMPAIGNS);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 0);
    put_template(world, "note", MESSAGE_KIND_MARKETING, "Dear {name}, {what}");
    assert_int_equal(change(world, COMMAND_CAMPAIGN_RESUME, number), OUTCOME_OK);
    assert_int_equal(send_all(world), 1);
    expect_campaign(world, number, CAMPAIGN_FINISHED);
    assert_int_equal(campaign(world, number).kind, MESSAGE_KIND_MARKETING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_messages, teardown_messages)
    const struct CMUnitTest tests[] = {
        TEST(a_draft_takes_recipients_says_what_they_cost_and_sends_nothing),
        TEST(a_campaign_is_refused_for_what_is_wrong_with_it),
        TEST(each_line_is_checked_as_a_submit_and_what_is_wrong_is_kept),
        TEST(a_number_stands_once_in_a_campaign),
        TEST(a_campaign_costs_no_more_than_can_be_paid),
        TEST(own_parameters_go_before_common_ones),
        TEST(confirming_sets_aside_what_it_costs_and_messages_pay_from_it),
        TEST(what_cannot_be_set_aside_leaves_a_draft),
        TEST(two_campaigns_cannot_be_confirmed_with_the_same_money),
        TEST(a_price_that_rose_is_paid_from_what_is_free_and_else_pauses),
        TEST(few_messages_wait_and_the_window_follows_the_pace),
        TEST(it_goes_on_when_half_of_the_window_has_left),
        TEST(a_resume_fills_the_window_and_no_more),
        TEST(it_starts_at_its_time),
        TEST(a_pause_makes_no_more_and_a_resume_goes_on_where_it_was),
        TEST(who_is_blocked_meanwhile_is_refused_alone),
        TEST(whose_country_is_served_no_more_is_refused_alone),
        TEST(without_a_route_it_pauses_and_says_why),
        TEST(it_is_of_the_kind_that_its_template_is_and_no_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
