/* engine/message…: a message's life, its money and its quota, step by step. What clients see is
 * told in tests/e2e. */
#include "message_world.h"

/* --- submit --------------------------------------------------------------------------------------
 */

/* SMS-4, SMS-8 */
static void a_submit_is_charged_and_queued_in_one_command(void **state)
{
    struct world *world = *state;
    struct result result = try_submit(world, notice());
    struct message_row row;

    assert_int_equal(result.outcome, OUTCOME_OK);
    assert_int_equal(result.of.message_submit.status, MESSAGE_QUEUED);
    assert_int_equal(result.of.message_submit.parts, 1);
    assert_int_equal(purse(world), PURSE - PRICE);
    assert_int_equal(quota(world, "a"), 999);
    row = row_of(world, result.number);
    assert_int_equal(row.outbox_ms, world->now_ms);
    assert_int_equal(row.due_ms, world->now_ms + 24 * 60 * MINUTE_MS);
    assert_int_equal(effect.wakes[0].product, number_of(world, CATALOG_PRODUCT, "a"));
    assert_int_equal(effect.wakes[0].lane, MESSAGE_KIND_NOTICE);
    assert_int_equal(effect.wakes[0].due_ms, world->now_ms);
    assert_int_equal(effect.messages_new, 1);
    assert_string_equal(history(world, result.number), "queued");
}

/* Each part costs, and counts in the quota. */
static void a_long_text_is_paid_by_the_part(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    char text[307];

    memset(text, 'x', sizeof text);
    asked.content = (struct text){text, 306};
    submit(world, asked);
    assert_int_equal(purse(world), PURSE - 2 * PRICE);
    assert_int_equal(quota(world, "a"), 998);
    asked.content.size = 307;
    submit(world, asked);
    assert_int_equal(purse(world), PURSE - 5 * PRICE);
}

static size_t count_all(struct world *world)
{
    size_t count = 0;

    for (int table = 1; table < TABLE_NUMBER_MAX; table++)
        count += count_rows(world, (enum table)table);
    return count;
}

/* SMS-8: 402, nothing kept. */
static void what_cannot_be_paid_leaves_nothing(void **state)
{
    struct world *world = *state;
    size_t rows;

    pay_out(world, "purse", PURSE - PRICE + 1);
    rows = count_all(world);
    assert_int_equal(try_submit(world, notice()).outcome, OUTCOME_INSUFFICIENT_FUNDS);
    assert_int_equal(effect.wake_count, 0);
    assert_int_equal(effect.messages_new, 0);
    assert_int_equal(count_all(world), rows);
    assert_int_equal(quota(world, "a"), 1000);
    assert_int_equal(purse(world), PRICE - 1);
}

static void a_submit_is_refused_for_what_is_wrong(void **state)
{
    struct world *world = *state;
    char long_text[1531];
    struct {
        struct message_submit_command asked;
        enum outcome outcome;
    } cases[16];
    size_t count = 0;

    memset(long_text, 'x', sizeof long_text);
#define CASE(from, change, expected)                                                               \
    {                                                                                              \
        struct message_submit_command asked = from();                                              \
        change;                                                                                    \
        cases[count].asked = asked;                                                                \
        cases[count++].outcome = (expected);                                                       \
    }
    CASE(notice, asked.company = TEXT("nobody"), OUTCOME_COMPANY_NOT_FOUND)
    CASE(code, asked.template = TEXT("none"), OUTCOME_TEMPLATE_NOT_FOUND)
    CASE(notice, asked.to = TEXT("13812345678"), OUTCOME_INVALID_NUMBER)
    CASE(notice, asked.to = TEXT("+861381234567"), OUTCOME_INVALID_NUMBER)
    CASE(notice, asked.to = TEXT("+8623812345678"), OUTCOME_INVALID_NUMBER)
    CASE(notice, asked.to = TEXT("+4915123456789"), OUTCOME_INVALID_NUMBER)
    CASE(code, asked.param_count = 0, OUTCOME_MISSING_PARAMETER)
    CASE(notice, (asked.content = (struct text){long_text, sizeof long_text}), OUTCOME_TOO_LONG)
    CASE(notice, asked.to = TEXT("+6581234567"), OUTCOME_SIGNATURE_REQUIRED)
    CASE(notice, asked.to = TEXT("+6581234567"); asked.signature = TEXT("Acme"), OUTCOME_NO_ROUTE)
    CASE(notice, asked.expire_at_ms = world->now_ms, OUTCOME_INVALID)
    CASE(notice, asked.send_at_ms = world->now_ms + 367 * 1440 * MINUTE_MS, OUTCOME_INVALID)
#undef CASE
    for (size_t i = 0; i < count; i++)
        assert_int_equal(try_submit(world, cases[i].asked).outcome, cases[i].outcome);
    assert_int_equal(count_rows(world, TABLE_MESSAGE), 0);
}

static void everything_wrong_is_said_at_once(void **state)
{
    const struct template_param params[] = {{TEXT("nom"), TEXT("x")}, {TEXT("what"), TEXT("y")}};
    struct world *world = *state;
    struct message_submit_command asked = code();
    struct message_plan plan;
    struct txn *txn;

    asked.template = TEXT("note");
    asked.params = params;
    asked.param_count = 2;
    asked.to = TEXT("+86999");
    asked.expire_at_ms = 1;
    txn = store_begin(world->store);
    message_plan_preview(&plan, txn, &asked, world->now_ms);
    store_abort(txn);
    assert_int_equal(plan.fault_count, 4);
    assert_int_equal(message_plan_outcome(&plan), OUTCOME_INVALID);
    assert_int_equal(plan.faults[0].outcome, OUTCOME_MISSING_PARAMETER);
    assert_true(text_equals(plan.faults[0].param, TEXT("name")));
    assert_int_equal(plan.faults[1].outcome, OUTCOME_UNKNOWN_PARAMETER);
    assert_true(text_equals(plan.faults[1].param, TEXT("nom")));
    assert_int_equal(plan.faults[2].outcome, OUTCOME_INVALID_NUMBER);
    assert_string_equal(plan.faults[3].field, "expire_at");
}

/* SMS-6 */
static void a_signature_is_part_of_the_text(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    struct message_text text;
    struct txn *txn;
    uint64_t message;

    put_route(world, "sg", (struct route){.country = "SG", .product = "a"});
    asked.to = TEXT("+6581234567");
    assert_int_equal(try_submit(world, asked).outcome, OUTCOME_SIGNATURE_REQUIRED);
    asked.signature = TEXT("Acme");
    message = submit(world, asked);
    txn = store_begin(world->store);
    assert_true(message_text_find(txn, message, &text));
    store_abort(txn);
    assert_true(text_equals(text.content, TEXT("Acme: Hello")));
    assert_true(text_equals(text.signature, TEXT("Acme")));
    assert_memory_equal(row_of(world, message).country, "SG", 2);
}

/* SMS-18: at the submit, and for what waits already. */
static void a_blocked_number_gets_nothing(void **state)
{
    struct world *world = *state;
    struct command block = {.type = COMMAND_BLOCKLIST_PUT};
    struct message_submit_command asked = notice();
    uint64_t waiting;

    asked.kind = MESSAGE_KIND_MARKETING;
    waiting = submit(world, asked);
    block.of.blocklist_put =
        (struct blocklist_put_command){.mobile = 8613812345678, .reason = BLOCKLIST_OPTED_OUT};
    apply(world, &block);
    assert_int_equal(try_submit(world, asked).outcome, OUTCOME_BLOCKED_NUMBER);
    submit(world, code()); /* who wants no marketing wants codes */
    assert_false(try_send(world, waiting).of.message_change.is_given);
    expect_status(world, waiting, MESSAGE_FAILED, MESSAGE_ERROR_BLOCKED);
    assert_int_equal(purse(world), PURSE - PRICE);
    block.of.blocklist_put.reason = BLOCKLIST_BLOCKED;
    apply(world, &block);
    assert_int_equal(try_submit(world, code()).outcome, OUTCOME_BLOCKED_NUMBER);
    block = (struct command){.type = COMMAND_BLOCKLIST_DELETE};
    block.of.blocklist_delete.mobile = 8613812345678;
    assert_int_equal(apply(world, &block).outcome, OUTCOME_OK);
    assert_int_equal(apply(world, &block).outcome, OUTCOME_NOT_FOUND);
    submit(world, asked);
}

/* SMS-3: a product whose quota does not reach makes way for the next. */
static void a_quota_that_does_not_reach_is_passed_over(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    char text[200];

    memset(text, 'x', sizeof text);
    asked.content = (struct text){text, sizeof text};
    assert_int_equal(change_quota(world, "a", -999), OUTCOME_OK);
    assert_true(is_by(world, submit(world, asked), "b"));
    assert_int_equal(quota(world, "a"), 1);
    assert_true(is_by(world, submit(world, notice()), "a"));
    assert_int_equal(quota(world, "a"), 0);
}

/* --- an ordinary life ----------------------------------------------------------------------------
 */

static void sent_and_delivered_leaves_no_event_row(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    world->now_ms += 5;
    accept(world, message, "one");
    world->now_ms += 5;
    receipt(world, "one", RECEIPT_ACCEPTED);
    expect_status(world, message, MESSAGE_SENT, MESSAGE_ERROR_NONE);
    receipt(world, "one", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
    assert_string_equal(history(world, message), "queued sending sent delivered");
    assert_int_equal(count_rows(world, TABLE_MESSAGE_EVENT), 0);
    assert_int_equal(count_due(world), 0);
    assert_string_equal(told(world), "sent delivered");
    assert_int_equal(purse(world), PURSE - PRICE);
}

/* Undelivered was carried by the provider: it is paid for, and out of the quota. */
static void undelivered_is_not_refunded(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    accept(world, message, "one");
    receipt(world, "one", RECEIPT_EXPIRED);
    expect_status(world, message, MESSAGE_UNDELIVERED, MESSAGE_ERROR_EXPIRED_AT_PROVIDER);
    assert_string_equal(told(world), "sent undelivered");
    assert_int_equal(purse(world), PURSE - PRICE);
    assert_int_equal(quota(world, "a"), 999);
}

static void waiting_for_a_receipt_ends(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    accept(world, message, "one");
    world->now_ms += MESSAGE_RECEIPT_WAIT_MS - 1;
    assert_int_equal(run_due(world), 0);
    world->now_ms++;
    assert_int_equal(run_due(world), 1);
    expect_status(world, message, MESSAGE_SENT, MESSAGE_ERROR_NONE);
    assert_int_not_equal(row_of(world, message).finished_ms, 0);
    receipt(world, "one", RECEIPT_DELIVERED); /* better late than never */
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
}

/* --- time ----------------------------------------------------------------------------------------
 */

static void a_scheduled_message_waits_for_its_time(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    uint64_t message;

    asked.send_at_ms = world->now_ms + 1000;
    message = submit(world, asked);
    expect_status(world, message, MESSAGE_SCHEDULED, MESSAGE_ERROR_NONE);
    assert_int_equal(effect.wake_count, 0);
    assert_int_equal(count_rows(world, TABLE_OUTBOX), 0);
    assert_int_equal(try_send(world, message).outcome, OUTCOME_CONFLICT);
    world->now_ms += 1000;
    assert_int_equal(run_due(world), 1);
    expect_status(world, message, MESSAGE_QUEUED, MESSAGE_ERROR_NONE);
    assert_int_equal(row_of(world, message).due_ms, world->now_ms + 24 * 60 * MINUTE_MS);
    assert_string_equal(history(world, message), "scheduled queued");
    accept(world, message, "x");
}

static void a_scheduled_message_finds_another_route_if_its_own_is_gone(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    uint64_t first, second;

    asked.send_at_ms = world->now_ms + 1000;
    first = submit(world, asked);
    asked.send_at_ms = world->now_ms + 2000;
    second = submit(world, asked);
    set_status(world, CATALOG_PRODUCT, "a", CATALOG_DISABLED);
    world->now_ms += 1000;
    run_due(world);
    assert_true(is_by(world, first, "b"));
    assert_int_equal(quota(world, "a"), 999);
    set_status(world, CATALOG_PRODUCT, "b", CATALOG_DISABLED);
    world->now_ms += 1000;
    run_due(world);
    expect_status(world, second, MESSAGE_FAILED, MESSAGE_ERROR_NO_ROUTE);
    assert_int_equal(purse(world), PURSE - PRICE);
}

static void what_is_not_sent_in_time_expires(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, code());

    world->now_ms += 10 * MINUTE_MS - 1;
    assert_int_equal(run_due(world), 0);
    world->now_ms++;
    assert_int_equal(run_due(world), 1);
    expect_status(world, message, MESSAGE_FAILED, MESSAGE_ERROR_EXPIRED);
    assert_int_equal(purse(world), PURSE);
    assert_int_equal(count_rows(world, TABLE_OUTBOX), 0);
    assert_string_equal(told(world), "failed");
}

/* The gateway may be quicker than the due index. */
static void what_has_expired_is_not_given_to_a_gateway(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, code());
    struct result result;

    world->now_ms += 10 * MINUTE_MS;
    result = try_send(world, message);
    assert_int_equal(result.outcome, OUTCOME_OK);
    assert_false(result.of.message_change.is_given);
    expect_status(world, message, MESSAGE_FAILED, MESSAGE_ERROR_EXPIRED);
    assert_int_equal(run_due(world), 0);
}

/* --- money ---------------------------------------------------------------------------------------
 */

/* An account that can take no more: nothing is lost, and an operator sees it. */
static void a_refund_that_cannot_be_applied_is_an_exception(void **state)
{
    struct world *world = *state;
    struct command retry = {.type = COMMAND_EXCEPTION_RETRY};
    uint64_t message = submit(world, notice());
    struct txn_walk *walk;
    struct txn *txn;

    topup(world, "purse", AMOUNT_MAX - (PURSE - PRICE));
    attempt(world, message, MESSAGE_REFUSED);
    expect_status(world, message, MESSAGE_REJECTED, MESSAGE_ERROR_REFUSED);
    assert_int_equal(row_of(world, message).charged, PRICE);
    expect_audit(world);
    txn = store_begin(world->store);
    walk = txn_walk(txn, TABLE_EXCEPTION, WALK_UP, NULL, 0);
    assert_true(txn_walk_next(walk));
    retry.of.exception_retry.exception = bytes_get_u64_be(walk->key);
    txn_walk_end(walk);
    store_abort(txn);
    assert_int_equal(apply(world, &retry).of.exception.row.status, EXCEPTION_OPEN);
    pay_out(world, "purse", 10);
    assert_int_equal(apply(world, &retry).of.exception.row.status, EXCEPTION_RESOLVED);
    assert_int_equal(purse(world), AMOUNT_MAX - 10 + PRICE);
    assert_int_equal(row_of(world, message).charged, 0);
}

/* --- the outbox ----------------------------------------------------------------------------------
 */

/* SMS-16: lanes are apart, each in the order of due time and number. */
static void the_outbox_is_in_order_by_product_and_lane(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    uint64_t first = submit(world, asked), second, verification;
    uint64_t a = number_of(world, CATALOG_PRODUCT, "a"), b = number_of(world, CATALOG_PRODUCT, "b");
    struct outbox_item item, from = {0};
    struct txn *txn;

    second = submit(world, asked);
    verification = submit(world, code());
    attempt(world, first, MESSAGE_THROTTLED);
    txn = store_begin(world->store);
    assert_true(outbox_first(txn, a, MESSAGE_KIND_NOTICE, &from, &item));
    assert_int_equal(item.message, second);
    from = (struct outbox_item){item.due_ms, item.message + 1};
    assert_true(outbox_first(txn, a, MESSAGE_KIND_NOTICE, &from, &item));
    assert_int_equal(item.message, first);
    assert_int_equal(item.due_ms, world->now_ms + 1000);
    from = (struct outbox_item){0};
    assert_true(outbox_first(txn, a, MESSAGE_KIND_VERIFICATION, &from, &item));
    assert_int_equal(item.message, verification);
    assert_false(outbox_first(txn, a, MESSAGE_KIND_MARKETING, &from, &item));
    assert_false(outbox_first(txn, b, MESSAGE_KIND_NOTICE, &from, &item));
    store_abort(txn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_messages, teardown_messages)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_submit_is_charged_and_queued_in_one_command),
        TEST(a_long_text_is_paid_by_the_part),
        TEST(what_cannot_be_paid_leaves_nothing),
        TEST(a_submit_is_refused_for_what_is_wrong),
        TEST(everything_wrong_is_said_at_once),
        TEST(a_signature_is_part_of_the_text),
        TEST(a_blocked_number_gets_nothing),
        TEST(a_quota_that_does_not_reach_is_passed_over),
        TEST(sent_and_delivered_leaves_no_event_row),
        TEST(undelivered_is_not_refunded),
        TEST(waiting_for_a_receipt_ends),
        TEST(a_scheduled_message_waits_for_its_time),
        TEST(a_scheduled_message_finds_another_route_if_its_own_is_gone),
        TEST(what_is_not_sent_in_time_expires),
        TEST(what_has_expired_is_not_given_to_a_gateway),
        TEST(a_refund_that_cannot_be_applied_is_an_exception),
        TEST(the_outbox_is_in_order_by_product_and_lane),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
