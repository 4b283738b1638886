/* engine/report: what is counted when, and under what; times in buckets. That the counters are what
 * the messages say is audited after every test (message_world.h), here and in the tests of
 * messages. */
#include "message_world.h"

#include "engine/report.h"

enum { DAY_MS = 86400000 };

static struct report_key key_of(struct world *world, const char *product, enum message_kind kind)
{
    return (struct report_key){.day = (uint32_t)(world->now_ms / DAY_MS),
                               .company = number_of(world, CATALOG_COMPANY, "acme"),
                               .product = number_of(world, CATALOG_PRODUCT, product),
                               .country = {'C', 'N'},
                               .kind = (uint8_t)kind};
}

/* Of today's notices by the product; all zero: none. */
static struct report_row counts(struct world *world, const char *product)
{
    struct report_key key = key_of(world, product, MESSAGE_KIND_NOTICE);
    struct report_row row = {.version = 0};
    char bytes[REPORT_KEY_SIZE];
    struct txn *txn;
    const void *value;
    size_t size;

    report_key_put(bytes, &key);
    txn = store_begin(world->store);
    value = txn_get(txn, TABLE_REPORT, bytes, sizeof bytes, &size);
    if (value != NULL)
        assert_true(report_row_read(value, size, &row));
    store_abort(txn);
    return row;
}

static int64_t percentile(struct world *world, const char *product, unsigned permille)
{
    struct report_row row = counts(world, product);
    uint64_t buckets[REPORT_BUCKETS] = {0};

    for (size_t i = 0; i < row.bucket_count; i++)
        buckets[i] = row.buckets[i];
    return report_percentile(buckets, permille);
}

static void expect(struct world *world, const char *product, enum message_status status,
                   uint64_t messages)
{
    struct report_row row = counts(world, product);

    for (int i = 1; i <= REPORT_STATUSES; i++)
        assert_int_equal(row.messages[i - 1], i == (int)status ? messages : 0);
}

/* --- messages ------------------------------------------------------------------------------------
 */

/* SMS-21 */
static void a_message_is_counted_as_what_it_is_at_each_step(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());
    uint32_t attempt;

    expect(world, "a", MESSAGE_QUEUED, 1);
    attempt = give(world, message);
    expect(world, "a", MESSAGE_SENDING, 1);
    answer(world, message, attempt, MESSAGE_ACCEPTED, (const char *const[]){"x1"}, 1);
    expect(world, "a", MESSAGE_SENT, 1);
    receipt(world, "x1", RECEIPT_DELIVERED);
    expect(world, "a", MESSAGE_DELIVERED, 1);
    receipt(world, "x1", RECEIPT_DELIVERED);
    expect(world, "a", MESSAGE_DELIVERED, 1);
    assert_int_equal(counts(world, "a").charged, PRICE);
    assert_int_equal(counts(world, "a").refunded, 0);
    assert_int_equal(counts(world, "a").parts[MESSAGE_DELIVERED - 1], 1);
}

static void parts_are_counted_with_their_message(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    char text[306];

    memset(text, 'x', sizeof text);
    asked.content = (struct text){text, sizeof text};
    submit(world, asked);
    submit(world, notice());
    assert_int_equal(counts(world, "a").messages[MESSAGE_QUEUED - 1], 2);
    assert_int_equal(counts(world, "a").parts[MESSAGE_QUEUED - 1], 3);
    assert_int_equal(counts(world, "a").charged, 3 * PRICE);
}

/* SMS-21: what an operator tries out is nobody's traffic. */
static void a_test_is_not_counted(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    uint64_t message;

    asked.is_test = true;
    message = submit(world, asked);
    attempt(world, message, MESSAGE_REFUSED);
    expect_status(world, message, MESSAGE_REJECTED, MESSAGE_ERROR_REFUSED);
    assert_int_equal(counts(world, "a").version, 0);
}

static void what_comes_back_is_refunded(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    attempt(world, message, MESSAGE_REFUSED);
    expect(world, "a", MESSAGE_REJECTED, 1);
    assert_int_equal(counts(world, "a").charged, PRICE);
    assert_int_equal(counts(world, "a").refunded, PRICE);
}

static void a_refused_submit_is_not_counted(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();

    asked.to = TEXT("+861381234567");
    assert_int_equal(try_submit(world, asked).outcome, OUTCOME_INVALID_NUMBER);
    assert_int_equal(counts(world, "a").version, 0);
}

/* With all it has cost. */
static void a_message_that_goes_by_another_product_is_counted_there(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    for (int i = 0; i < MESSAGE_ATTEMPTS_PER_TRY; i++)
        attempt(world, message, MESSAGE_RETRY);
    assert_int_equal(row_of(world, message).product, number_of(world, CATALOG_PRODUCT, "b"));
    expect(world, "a", MESSAGE_QUEUED, 0);
    expect(world, "b", MESSAGE_QUEUED, 1);
    assert_int_equal(counts(world, "a").charged, 0);
    assert_int_equal(counts(world, "b").charged, PRICE);
    for (int i = 0; i < MESSAGE_ATTEMPTS_PER_TRY; i++)
        attempt(world, message, MESSAGE_RETRY);
    expect(world, "b", MESSAGE_FAILED, 1);
    assert_int_equal(counts(world, "b").refunded, PRICE);
}

/* SMS-13: undelivered and queued again in one commit, by a receipt that came before the answer. */
static void a_failover_within_a_command_is_counted_once(void **state)
{
    struct world *world = *state;
    uint64_t message;
    uint32_t attempt;

    put_route(world, "a1", (struct route){.product = "a", .has_failover = true});
    message = submit(world, notice());
    attempt = give(world, message);
    receipt(world, "x1", RECEIPT_UNDELIVERED);
    answer(world, message, attempt, MESSAGE_ACCEPTED, (const char *const[]){"x1"}, 1);
    expect(world, "a", MESSAGE_UNDELIVERED, 0);
    expect(world, "b", MESSAGE_QUEUED, 1);
}

static void days_companies_and_kinds_are_apart(void **state)
{
    struct world *world = *state;
    struct report_key key;
    char bytes[REPORT_KEY_SIZE];
    struct txn *txn;
    size_t size;

    submit(world, notice());
    submit(world, code());
    expect(world, "a", MESSAGE_QUEUED, 1);
    key = key_of(world, "a", MESSAGE_KIND_VERIFICATION);
    report_key_put(bytes, &key);
    txn = store_begin(world->store);
    assert_non_null(txn_get(txn, TABLE_REPORT, bytes, sizeof bytes, &size));
    store_abort(txn);
    world->now_ms += DAY_MS;
    expect(world, "a", MESSAGE_QUEUED, 0);
    submit(world, notice());
    expect(world, "a", MESSAGE_QUEUED, 1);
}

/* A day's count is that of the messages made on it, whenever they end. */
static void what_ends_the_next_day_is_counted_the_day_it_was_made(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    accept(world, message, "x1");
    world->now_ms += DAY_MS;
    receipt(world, "x1", RECEIPT_DELIVERED);
    expect(world, "a", MESSAGE_DELIVERED, 0);
    world->now_ms -= DAY_MS;
    expect(world, "a", MESSAGE_DELIVERED, 1);
}

/* --- times ---------------------------------------------------------------------------------------
 */

static void time_to_delivery_begins_with_the_message(void **state)
{
    struct world *world = *state;
    uint64_t message = submit(world, notice());

    assert_int_equal(percentile(world, "a", 500), -1);
    accept(world, message, "x1");
    world->now_ms += 4000;
    receipt(world, "x1", RECEIPT_DELIVERED);
    assert_in_range(percentile(world, "a", 500), 3584, 4480);
}

static void a_scheduled_message_is_as_quick_as_one_that_goes_at_once(void **state)
{
    struct world *world = *state;
    struct message_submit_command asked = notice();
    uint64_t message;

    asked.send_at_ms = world->now_ms + 60 * MINUTE_MS;
    message = submit(world, asked);
    expect(world, "a", MESSAGE_SCHEDULED, 1);
    world->now_ms = asked.send_at_ms;
    run_due(world);
    accept(world, message, "x1");
    world->now_ms += 4000;
    receipt(world, "x1", RECEIPT_DELIVERED);
    assert_in_range(percentile(world, "a", 500), 3584, 4480);
}

static void buckets_follow_one_another_without_a_gap(void **state)
{
    int64_t next = 0, first_ms, width;

    (void)state;
    for (size_t i = 0; i < REPORT_BUCKETS; i++) {
        report_bucket_times(i, &first_ms, &width);
        assert_int_equal(first_ms, next);
        assert_int_equal(report_bucket(first_ms), i);
        assert_int_equal(report_bucket(first_ms + width - 1), i);
        assert_true(width == 1 || 4 * width <= first_ms);
        next = first_ms + width;
    }
    assert_int_equal(report_bucket(next), REPORT_BUCKETS - 1);
    assert_int_equal(report_bucket(INT64_MAX), REPORT_BUCKETS - 1);
    assert_int_equal(report_bucket(-1), 0);
    assert_true(next > INT64_C(6) * DAY_MS);
}

/* Held against all times, sorted. */
static void a_percentile_is_within_a_quarter_of_the_true_one(void **state)
{
    static const unsigned permilles[] = {1, 500, 900, 990, 1000};
    uint64_t buckets[REPORT_BUCKETS] = {0};

    (void)state;
    for (int64_t ms = 1; ms <= 100000; ms++)
        buckets[report_bucket(ms)]++;
    for (size_t i = 0; i < sizeof permilles / sizeof *permilles; i++) {
        int64_t exact = (int64_t)permilles[i] * 100;
        int64_t told = report_percentile(buckets, permilles[i]);
        assert_in_range(told, exact - exact / 4, exact + exact / 4);
    }
}

/* SMS-21: the rank is the smallest that is no less than the share. */
static void the_middle_of_three_is_the_second(void **state)
{
    uint64_t buckets[REPORT_BUCKETS] = {[1] = 1, [2] = 1, [3] = 1};

    (void)state;
    assert_int_equal(report_percentile(buckets, 333), 1);
    assert_int_equal(report_percentile(buckets, 500), 2);
    assert_int_equal(report_percentile(buckets, 667), 3);
}

static void one_time_is_every_percentile(void **state)
{
    uint64_t buckets[REPORT_BUCKETS] = {0};

    (void)state;
    assert_int_equal(report_percentile(buckets, 990), -1);
    buckets[3] = 1;
    assert_int_equal(report_percentile(buckets, 0), 3);
    assert_int_equal(report_percentile(buckets, 500), 3);
    assert_int_equal(report_percentile(buckets, 1000), 3);
}

/* --- the audit -----------------------------------------------------------------------------------
 */

static struct report_audit audit;

static void feed(struct world *world)
{
    const struct overlay *rows = world->store->live;

    memset(&audit, 0, sizeof audit);
    for (row_ref next = world->store->open.first; next != 0;) {
        const struct row *row = overlay_row(rows, next);
        const void *value = overlay_value(rows, row);
        struct message_row message;
        next = row->next_changed;
        if (row->table == TABLE_REPORT)
            report_audit_row(&audit, row_key(row), row->key_size, value, row->value_size);
        else if (row->table == TABLE_MESSAGE && message_row_read(value, row->value_size, &message))
            report_audit_message(&audit, &message);
    }
}

static void change_counts(struct world *world, int status, int messages, int64_t money)
{
    struct report_key key = key_of(world, "a", MESSAGE_KIND_NOTICE);
    struct report_row row = counts(world, "a");
    char bytes[REPORT_KEY_SIZE];
    struct txn *txn;

    report_key_put(bytes, &key);
    row.messages[status - 1] += (uint64_t)messages;
    row.charged += money;
    txn = store_begin(world->store);
    txn_put(txn, TABLE_REPORT, bytes, sizeof bytes, &row, offsetof(struct report_row, buckets));
    store_commit(txn);
}

static void the_audit_names_the_day_that_is_wrong(void **state)
{
    struct world *world = *state;
    uint32_t day;

    submit(world, notice());
    feed(world);
    assert_true(report_audit_finish(&audit, &day));
    change_counts(world, MESSAGE_QUEUED, 1, 0);
    feed(world);
    assert_false(report_audit_finish(&audit, &day));
    assert_int_equal(day, world->now_ms / DAY_MS);
    audit.first_day = day + 1; /* its messages were dropped */
    assert_true(report_audit_finish(&audit, &day));
    change_counts(world, MESSAGE_QUEUED, -1, 1);
    feed(world);
    assert_false(report_audit_finish(&audit, &day));
    change_counts(world, MESSAGE_QUEUED, 0, -1);
    feed(world);
    assert_true(report_audit_finish(&audit, &day));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_messages, teardown_messages)
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_counted_as_what_it_is_at_each_step),
        TEST(parts_are_counted_with_their_message),
        TEST(a_test_is_not_counted),
        TEST(what_comes_back_is_refunded),
        TEST(a_refused_submit_is_not_counted),
        TEST(a_message_that_goes_by_another_product_is_counted_there),
        TEST(a_failover_within_a_command_is_counted_once),
        TEST(days_companies_and_kinds_are_apart),
        TEST(what_ends_the_next_day_is_counted_the_day_it_was_made),
        TEST(time_to_delivery_begins_with_the_message),
        TEST(a_scheduled_message_is_as_quick_as_one_that_goes_at_once),
        TEST(the_audit_names_the_day_that_is_wrong),
        cmocka_unit_test(buckets_follow_one_another_without_a_gap),
        cmocka_unit_test(a_percentile_is_within_a_quarter_of_the_true_one),
        cmocka_unit_test(the_middle_of_three_is_the_second),
        cmocka_unit_test(one_time_is_every_percentile),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
