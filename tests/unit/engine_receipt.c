/* engine/receipt.c (SMS-12): a receipt finds its message however the provider spells the id,
 * whenever it comes, and does what it says once. */
#include "message_world.h"

#include "engine/receipt.h"

static void expect_form(const char *id, const char *form)
{
    char to[PROVIDER_ID_MAX];
    size_t size = provider_id_form(text_of(id), to);

    assert_int_equal(size, strlen(form));
    assert_memory_equal(to, form, size);
}

static void an_id_is_kept_in_one_form(void **state)
{
    (void)state;
    expect_form("abc-DEF", "abc-def");
    expect_form("0001A2B", "1a2b");
    expect_form("000", "0");
    expect_form("x00", "x00");
}

static void expect_other(const char *form, bool to_decimal, const char *wanted)
{
    char to[PROVIDER_ID_MAX];
    size_t size = provider_id_in_other_radix(text_of(form), to_decimal, to);

    assert_int_equal(size, strlen(wanted));
    assert_memory_equal(to, wanted, size);
}

static void a_number_is_known_in_the_other_radix(void **state)
{
    (void)state;
    expect_other("6699", false, "1a2b");
    expect_other("1a2b", true, "6699");
    expect_other("1a2b", false, "");
    expect_other("1a2g", true, "");
    expect_other("ffffffffffffffff", true, "18446744073709551615");
    expect_other("10000000000000000", true, "");
    expect_other("9999999999999999999", false, "8ac7230489e7ffff");
    expect_other("10000000000000000000", false, "");
}

static uint64_t sent(struct world *world, const char *id)
{
    uint64_t message = submit(world, notice());

    accept(world, message, id);
    return message;
}

static void a_receipt_in_another_spelling_finds_its_message(void **state)
{
    static const char *const spellings[][2] = {
        {"Abc", "aBC"},         /* case */
        {"1A2B", "6699"},       /* named in hexadecimal, reported in decimal */
        {"7001", "1B59"},       /* the other way round */
        {"00000123", "123"},    /* zeros in front */
        {"456", "0000000456"},  /* and here */
        {"DEAD", "0000057005"}, /* all together */
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        uint64_t message = sent(world, spellings[i][0]);
        receipt(world, spellings[i][1], RECEIPT_DELIVERED);
        expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
    }
    assert_int_equal(count_rows(world, TABLE_RECEIPT), 0);
}

/* 26265 is 0x6699: whose own id it is goes first. */
static void the_same_spelling_goes_first(void **state)
{
    struct world *world = *state;
    uint64_t hexadecimal = sent(world, "6699"), decimal = sent(world, "26265");

    receipt(world, "26265", RECEIPT_DELIVERED);
    expect_status(world, decimal, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
    expect_status(world, hexadecimal, MESSAGE_SENT, MESSAGE_ERROR_NONE);
    receipt(world, "6699", RECEIPT_UNDELIVERED);
    expect_status(world, hexadecimal, MESSAGE_UNDELIVERED, MESSAGE_ERROR_UNDELIVERED);
}

static void ids_of_products_are_apart(void **state)
{
    struct world *world = *state;
    uint64_t message = sent(world, "77");

    receipt_by(world, "b", "77", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_SENT, MESSAGE_ERROR_NONE);
    assert_int_equal(count_rows(world, TABLE_RECEIPT), 1);
}

static void a_receipt_before_the_response_is_taken_up(void **state)
{
    static const char *const ids[] = {"1A2B", "1A2C", "1A2D"};
    static const char *const spellings[] = {"0001A2B", "1a2c", "6701"};
    struct world *world = *state;

    for (size_t i = 0; i < 3; i++) {
        uint64_t message = submit(world, notice());
        uint32_t number = give(world, message);
        receipt(world, spellings[i], RECEIPT_DELIVERED);
        expect_status(world, message, MESSAGE_SENDING, MESSAGE_ERROR_NONE);
        answer(world, message, number, MESSAGE_ACCEPTED, &ids[i], 1);
        expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
        assert_int_equal(count_rows(world, TABLE_RECEIPT), 0);
        assert_int_equal(count_rows(world, TABLE_RECEIPT_NUMBER), 0);
        assert_int_equal(count_due(world), 0);
        assert_string_equal(history(world, message), "queued sending sent delivered");
    }
    assert_string_equal(told(world), "sent delivered sent delivered sent delivered");
}

static void a_receipt_twice_is_one(void **state)
{
    struct world *world = *state;
    uint64_t message = sent(world, "one");

    for (int i = 0; i < 50; i++)
        receipt(world, i % 2 ? "ONE" : "one", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
    assert_string_equal(told(world), "sent delivered");
    assert_int_equal(count_rows(world, TABLE_MESSAGE_EVENT), 0);
    assert_int_equal(count_rows(world, TABLE_RECEIPT), 0);
}

static void a_receipt_that_contradicts_the_end_is_an_event(void **state)
{
    struct world *world = *state;
    uint64_t message = sent(world, "one");

    receipt(world, "one", RECEIPT_DELIVERED);
    for (int i = 0; i < 100; i++)
        receipt(world, "one", RECEIPT_UNDELIVERED);
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
    assert_in_range(row_of(world, message).event_count, 1, MESSAGE_EVENTS_MAX);
    assert_string_equal(told(world), "sent delivered");
}

static uint64_t sent_in_parts(struct world *world, const char *const *ids, size_t count)
{
    struct message_submit_command asked = notice();
    char text[400];
    uint64_t message;

    memset(text, 'x', sizeof text);
    asked.content = (struct text){text, sizeof text};
    message = submit(world, asked);
    assert_int_equal(row_of(world, message).parts, 3);
    answer(world, message, give(world, message), MESSAGE_ACCEPTED, ids, count);
    return message;
}

/* SMS-12: one status, made of all parts. */
static void parts_are_delivered_when_all_are(void **state)
{
    static const char *const ids[] = {"p1", "p2", "p3"};
    struct world *world = *state;
    uint64_t message = sent_in_parts(world, ids, 3);

    receipt(world, "p2", RECEIPT_DELIVERED);
    receipt(world, "p2", RECEIPT_DELIVERED);
    receipt(world, "p3", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_SENT, MESSAGE_ERROR_NONE);
    receipt(world, "p1", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
}

static void parts_are_undelivered_when_one_is(void **state)
{
    static const char *const ids[] = {"p1", "p2", "p3"};
    struct world *world = *state;
    uint64_t message = sent_in_parts(world, ids, 3);

    receipt(world, "p1", RECEIPT_DELIVERED);
    receipt(world, "p2", RECEIPT_REJECTED);
    expect_status(world, message, MESSAGE_UNDELIVERED, MESSAGE_ERROR_REJECTED_AT_PROVIDER);
    receipt(world, "p3", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_UNDELIVERED, MESSAGE_ERROR_REJECTED_AT_PROVIDER);
    assert_string_equal(told(world), "sent undelivered");
}

static void one_id_may_stand_for_all_parts(void **state)
{
    static const char *const id = "whole";
    struct world *world = *state;
    uint64_t message = sent_in_parts(world, &id, 1);

    receipt(world, "whole", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
}

static void parts_before_the_response_are_taken_up_too(void **state)
{
    static const char *const ids[] = {"p1", "p2", "p3"};
    struct world *world = *state;
    uint64_t message;

    receipt(world, "p1", RECEIPT_DELIVERED);
    receipt(world, "p3", RECEIPT_DELIVERED);
    message = sent_in_parts(world, ids, 3);
    expect_status(world, message, MESSAGE_SENT, MESSAGE_ERROR_NONE);
    receipt(world, "p2", RECEIPT_DELIVERED);
    expect_status(world, message, MESSAGE_DELIVERED, MESSAGE_ERROR_NONE);
}

/* SMS-12: kept for an hour, then counted. */
static void an_unknown_receipt_is_kept_for_an_hour(void **state)
{
    struct world *world = *state;

    receipt(world, "nobody", RECEIPT_UNDELIVERED);
    world->now_ms += 10;
    receipt(world, "nobody", RECEIPT_DELIVERED);
    assert_int_equal(count_rows(world, TABLE_RECEIPT), 1);
    world->now_ms += RECEIPT_AGE_MAX_MS - 11;
    assert_int_equal(run_due(world), 0);
    world->now_ms++;
    assert_int_equal(run_due(world), 1);
    assert_true(effect.is_receipt_forgotten);
    assert_int_equal(count_rows(world, TABLE_RECEIPT), 0);
    assert_int_equal(count_rows(world, TABLE_RECEIPT_NUMBER), 0);
}

/* SMS-13 */
static void undelivered_goes_another_way_where_the_route_says_so(void **state)
{
    struct world *world = *state;
    uint64_t message;

    put_route(world, "a1", (struct route){.product = "a", .has_failover = true});
    message = sent(world, "one");
    receipt(world, "one", RECEIPT_UNDELIVERED);
    expect_status(world, message, MESSAGE_QUEUED, MESSAGE_ERROR_UNDELIVERED);
    assert_true(is_by(world, message, "b"));
    assert_int_equal(effect.wakes[0].product, number_of(world, CATALOG_PRODUCT, "b"));
    assert_int_equal(quota(world, "a"), 999); /* a has carried it */
    assert_int_equal(quota(world, "b"), 999);
    receipt(world, "one", RECEIPT_UNDELIVERED);
    accept(world, message, "two");
    receipt(world, "one", RECEIPT_DELIVERED); /* of the first attempt: noted */
    expect_status(world, message, MESSAGE_SENT, MESSAGE_ERROR_NONE);
    receipt_by(world, "b", "two", RECEIPT_UNDELIVERED);
    expect_status(world, message, MESSAGE_UNDELIVERED, MESSAGE_ERROR_UNDELIVERED);
    assert_string_equal(told(world), "sent sent undelivered");
    assert_int_equal(purse(world), PURSE - PRICE);
}

static void a_message_that_has_expired_does_not_fail_over(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    uint64_t message;

    put_route(world, "a1", (struct route){.product = "a", .has_failover = true});
    asked.expire_at_ms = world->now_ms + 1000;
    message = submit(world, asked);
    accept(world, message, "one");
    world->now_ms += 1000;
    receipt(world, "one", RECEIPT_UNDELIVERED);
    expect_status(world, message, MESSAGE_UNDELIVERED, MESSAGE_ERROR_UNDELIVERED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_messages, teardown_messages)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_kept_in_one_form),
        cmocka_unit_test(a_number_is_known_in_the_other_radix),
        TEST(a_receipt_in_another_spelling_finds_its_message),
        TEST(the_same_spelling_goes_first),
        TEST(ids_of_products_are_apart),
        TEST(a_receipt_before_the_response_is_taken_up),
        TEST(a_receipt_twice_is_one),
        TEST(a_receipt_that_contradicts_the_end_is_an_event),
        TEST(parts_are_delivered_when_all_are),
        TEST(parts_are_undelivered_when_one_is),
        TEST(one_id_may_stand_for_all_parts),
        TEST(parts_before_the_response_are_taken_up_too),
        TEST(an_unknown_receipt_is_kept_for_an_hour),
        TEST(undelivered_goes_another_way_where_the_route_says_so),
        TEST(a_message_that_has_expired_does_not_fail_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
