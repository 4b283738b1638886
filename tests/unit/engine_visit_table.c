/* engine/visit_table (CITY-3): never wrong. Made-up operations beside a plain model, with mobiles
 * as they are and at the edges of what is allowed; growth from nothing to many shards; deletion;
 * the walk. Seeds are numbered: each run does the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/visit_table.h"

static const struct hash_key secret = {UINT64_C(0x5eed5eed5eed5eed), UINT64_C(0x7ab1e7ab1e7ab1e7)};

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = random_state;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The model: every mobile that may occur, by its place in a list. */
struct model {
    uint64_t (*mobile)(uint64_t i);
    uint32_t size;
    bool *is_there;
    uint16_t *value;
    uint64_t count;
};

static void model_init(struct model *model, uint64_t (*mobile)(uint64_t i), uint32_t size)
{
    *model = (struct model){.mobile = mobile,
                            .size = size,
                            .is_there = calloc(size, sizeof(bool)),
                            .value = calloc(size, sizeof(uint16_t))};
}

static void model_release(struct model *model)
{
    free(model->is_there);
    free(model->value);
}

static uint64_t in_a_row(uint64_t i)
{
    return UINT64_C(8613800000000) + i;
}

static uint64_t at_the_edges(uint64_t i)
{
    return i % 2 == 0 ? i / 2 : VISIT_MOBILE_MAX - i / 2;
}

static uint64_t of_one_bit_each(uint64_t i)
{
    return (UINT64_C(1) << (i % 50)) ^ (i / 50);
}

static uint64_t with_equal_ends(uint64_t i)
{
    return i << 25;
}

static void assert_same(const struct visit_table *table, const struct model *model, uint32_t i)
{
    uint32_t value = 0;
    bool is_there = visit_table_find(table, model->mobile(i), &value);

    assert_true(is_there == model->is_there[i]);
    if (is_there)
        assert_int_equal(value, model->value[i]);
}

static void put(struct visit_table *table, struct model *model, uint32_t i)
{
    uint16_t value = (uint16_t)(next_random() & VISIT_VALUE_MAX);

    assert_true(visit_table_put(table, model->mobile(i), value) == !model->is_there[i]);
    model->count += !model->is_there[i];
    model->is_there[i] = true;
    model->value[i] = value;
}

static void take(struct visit_table *table, struct model *model, uint32_t i)
{
    assert_true(visit_table_delete(table, model->mobile(i)) == model->is_there[i]);
    model->count -= model->is_there[i];
    model->is_there[i] = false;
}

/* What the walk says is what the model has: as many, each with its value. */
static void assert_all_same(const struct visit_table *table, const struct model *model)
{
    struct visit_walk walk = {0};
    struct visit_table seen;
    uint64_t count = 0;
    uint32_t value;

    assert_true(table->count == model->count);
    visit_table_init(&seen, &secret);
    while (visit_walk_next(table, &walk)) {
        assert_true(visit_table_find(table, walk.mobile, &value) && value == walk.value);
        assert_true(visit_table_put(&seen, walk.mobile, 0)); /* none twice */
        count++;
    }
    assert_true(count == model->count);
    for (uint32_t i = 0; i < model->size; i++)
        assert_same(table, model, i);
    visit_table_release(&seen);
}

/* `puts` and `takes` of 16 operations; the rest are look-ups. */
static void run(struct visit_table *table, struct model *model, uint32_t operations, uint32_t puts,
                uint32_t takes)
{
    for (uint32_t n = 0; n < operations; n++) {
        uint64_t random = next_random();
        uint32_t i = (uint32_t)(random >> 32) % model->size, what = random & 15;
        if (what < puts)
            put(table, model, i);
        else if (what < puts + takes)
            take(table, model, i);
        else
            assert_same(table, model, i);
    }
}

static void run_all(uint64_t (*mobile)(uint64_t i), uint32_t size, uint32_t operations)
{
    struct visit_table table;
    struct model model;

    random_state = size;
    visit_table_init(&table, &secret);
    model_init(&model, mobile, size);
    run(&table, &model, operations, 10, 1);
    assert_all_same(&table, &model);
    run(&table, &model, operations, 6, 6);
    assert_all_same(&table, &model);
    run(&table, &model, operations, 1, 10);
    assert_all_same(&table, &model);
    run(&table, &model, operations, 10, 1);
    assert_all_same(&table, &model);
    model_release(&model);
    visit_table_release(&table);
}

static void it_is_the_model_for_mobiles_in_a_row(void **state)
{
    (void)state;
    run_all(in_a_row, 200000, 500000);
}

static void it_is_the_model_for_mobiles_at_the_edges(void **state)
{
    (void)state;
    run_all(at_the_edges, 40000, 100000);
}

static void it_is_the_model_for_mobiles_that_differ_in_a_bit(void **state)
{
    (void)state;
    run_all(of_one_bit_each, 50, 5000);
    run_all(with_equal_ends, 30000, 100000);
}

static void it_is_the_model_for_few(void **state)
{
    (void)state;
    for (uint32_t size = 1; size < 700; size += 1 + size / 4)
        run_all(in_a_row, size, 2000);
}

static void nothing_is_lost_at_any_size_it_grows_through(void **state)
{
    struct visit_table table;
    uint32_t value;

    (void)state;
    visit_table_init(&table, &secret);
    for (uint32_t n = 0; n < 60000; n++) {
        assert_true(visit_table_put(&table, in_a_row(n), n & VISIT_VALUE_MAX));
        uint32_t old = (uint32_t)(next_random() % (n + 1));
        assert_true(visit_table_find(&table, in_a_row(old), &value));
        assert_int_equal(value, old & VISIT_VALUE_MAX);
        assert_false(visit_table_find(&table, in_a_row(n + 1), &value));
    }
    assert_true(table.depth >= 3); /* it has been split */
    for (uint32_t n = 0; n < 60000; n++)
        assert_true(visit_table_delete(&table, in_a_row(n)));
    assert_true(table.count == 0);
    visit_table_release(&table);
}

/* Once a city has some size; the more visits, the fewer bytes each (bench/visits.c: 20 million). */
static void a_visit_takes_at_most_eight_bytes(void **state)
{
    struct visit_table table;
    double worst = 0, sum = 0;
    uint32_t samples = 0;

    (void)state;
    visit_table_init(&table, &secret);
    for (uint32_t n = 1; n <= 600000; n++) {
        visit_table_put(&table, in_a_row(n), 1);
        if (n < 200000 || n % 1000 != 0)
            continue;
        double bytes = (double)table.bytes / n;
        worst = bytes > worst ? bytes : worst;
        sum += bytes;
        samples++;
    }
    printf("# 200,000 to 600,000 visits: %.2f bytes each in the mean, %.2f at the worst\n",
           sum / samples, worst);
    assert_true(sum / samples < 7.5 && worst < 8);
    visit_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_model_for_mobiles_in_a_row),
        cmocka_unit_test(it_is_the_model_for_mobiles_at_the_edges),
        cmocka_unit_test(it_is_the_model_for_mobiles_that_differ_in_a_bit),
        cmocka_unit_test(it_is_the_model_for_few),
        cmocka_unit_test(nothing_is_lost_at_any_size_it_grows_through),
        cmocka_unit_test(a_visit_takes_at_most_eight_bytes),
    };
    return cmocka_run_group_tests_name("engine_visit_table", tests, NULL, NULL);
}
