/* What may leave and when: holds, pieces, and the memory behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metric.h"
#include "http/outgoing.h"

static void append(struct http_outgoing *outgoing, size_t size, uint64_t hold, uint64_t read_ns)
{
    memset(buffer_reserve(&outgoing->bytes, size), 'x', size);
    outgoing->bytes.size += size;
    http_outgoing_hold(outgoing, hold, read_ns, 1);
}

static void replies_leave_up_to_the_first_that_is_held(void **state)
{
    (void)state;
    struct http_outgoing_pool pool = {0};
    struct http_outgoing *outgoing = http_outgoing_take(&pool);
    append(outgoing, 10, 0, 1);
    append(outgoing, 10, 3, 1);
    append(outgoing, 10, 0, 1); /* behind a held one */
    append(outgoing, 10, 2, 1); /* a smaller hold behind a larger */
    append(outgoing, 10, 5, 1);
    assert_int_equal(http_outgoing_end(outgoing, 0), 10);
    assert_int_equal(http_outgoing_end(outgoing, 2), 10);
    assert_int_equal(http_outgoing_end(outgoing, 3), 40);
    assert_int_equal(http_outgoing_end(outgoing, 4), 40);
    assert_int_equal(http_outgoing_end(outgoing, 5), 50);
    assert_int_equal(outgoing->held_count, 3); /* those that leave together are one */
    http_outgoing_give(&pool, outgoing);
    http_outgoing_pool_release(&pool);
}

static void a_reply_counts_as_sent_when_its_last_byte_is(void **state)
{
    (void)state;
    struct http_outgoing_pool pool = {0};
    struct http_outgoing *outgoing = http_outgoing_take(&pool);
    int64_t before = metric_get(METRIC_HTTP_DURATION);
    append(outgoing, 10, 0, 100);
    append(outgoing, 10, 0, 100);
    append(outgoing, 10, 0, 200);
    http_outgoing_left(outgoing, 19, 300);
    assert_int_equal(metric_get(METRIC_HTTP_DURATION), before);
    http_outgoing_left(outgoing, 1, 300);
    assert_int_equal(metric_get(METRIC_HTTP_DURATION), before + 2);
    http_outgoing_left(outgoing, 10, 300);
    assert_int_equal(metric_get(METRIC_HTTP_DURATION), before + 3);
    assert_int_equal(http_outgoing_size(outgoing), 0);
    http_outgoing_give(&pool, outgoing);
    http_outgoing_pool_release(&pool);
}

/* A client that always leaves something unread. */
static void memory_is_bounded_however_long_it_never_empties(void **state)
{
    (void)state;
    struct http_outgoing_pool pool = {0};
    struct http_outgoing *outgoing = http_outgoing_take(&pool);
    append(outgoing, 1000, 1, 1);
    for (uint64_t i = 2; i < 20000; i++) {
        append(outgoing, 1000, i, i);
        size_t end = http_outgoing_end(outgoing, i - 1);
        http_outgoing_left(outgoing, end - outgoing->sent, i);
        assert_int_equal(http_outgoing_size(outgoing), 1000);
    }
    assert_in_range(outgoing->bytes.capacity, 1, 300000);
    assert_in_range(outgoing->held_capacity, 1, 16);
    http_outgoing_give(&pool, outgoing);
    http_outgoing_pool_release(&pool);
}

static void many_holds_are_kept_in_order(void **state)
{
    (void)state;
    struct http_outgoing_pool pool = {0};
    struct http_outgoing *outgoing = http_outgoing_take(&pool);
    for (uint64_t i = 1; i <= 1000; i++)
        append(outgoing, i, i, i);
    size_t sum = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        sum += i;
        assert_int_equal(http_outgoing_end(outgoing, i), sum);
    }
    http_outgoing_give(&pool, outgoing);
    http_outgoing_pool_release(&pool);
}

static void what_is_given_back_is_lent_again_empty(void **state)
{
    (void)state;
    struct http_outgoing_pool pool = {0};
    struct http_outgoing *first = http_outgoing_take(&pool);
    append(first, 10, 7, 1);
    http_outgoing_give(&pool, first);
    struct http_outgoing *again = http_outgoing_take(&pool);
    assert_ptr_equal(again, first);
    assert_int_equal(http_outgoing_size(again), 0);
    assert_int_equal(http_outgoing_end(again, UINT64_MAX), 0);
    append(again, 10, 1, 1);
    assert_int_equal(http_outgoing_end(again, 1), 10);
    append(again, 1000000, 1, 1);
    http_outgoing_give(&pool, again); /* too large to keep */
    assert_int_equal(pool.count, 0);
    http_outgoing_pool_release(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_leave_up_to_the_first_that_is_held),
        cmocka_unit_test(a_reply_counts_as_sent_when_its_last_byte_is),
        cmocka_unit_test(memory_is_bounded_however_long_it_never_empties),
        cmocka_unit_test(many_holds_are_kept_in_order),
        cmocka_unit_test(what_is_given_back_is_lent_again_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
