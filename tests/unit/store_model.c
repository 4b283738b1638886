/* The store against a model of it: an array of rows. Random transactions, savepoints, aborts,
 * walks, checkpoints and reopenings; after each, both must hold the same. SEED=n replays a failure.
 */
#include "store_fixture.h"

#include <inttypes.h>

enum { KEYS = 250, VALUE_MAX = 1024, STEPS = 1500 };

static const enum table tables[] = {TABLE_ACCOUNT, TABLE_ACCOUNT_NUMBER, TABLE_ENTRY,
                                    TABLE_IDEMPOTENCY, TABLE_API_KEY_NUMBER};
enum { TABLES = sizeof tables / sizeof *tables };

struct model_row {
    bool exists;
    uint16_t size;
    unsigned char value[VALUE_MAX];
};

struct model {
    struct model_row rows[TABLES][KEYS];
};

struct run {
    struct fixture fixture;
    struct model *model;
    uint64_t random;
    uint64_t now_ns;
    long rows_compared;
};

static uint64_t draw(struct run *run, uint64_t below)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return (run->random >> 11) % below;
}

/* Keys of one table ascend with their number; they differ in length and share a long head. */
static size_t key_of(int table, int number, unsigned char key[KEY_BYTES_MAX])
{
    if (tables[table] == TABLE_ACCOUNT_NUMBER) {
        memset(key, 0, 8);
        key[6] = (unsigned char)(number >> 8);
        key[7] = (unsigned char)number;
        return 8;
    }
    int size =
        snprintf((char *)key, KEY_BYTES_MAX, "%suser-%06d%.*s", table == 3 ? "tenant-of-many-" : "",
                 number, number % 40, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    return (size_t)size;
}

static void expect_row(struct run *run, struct txn *txn, int table, int number)
{
    unsigned char key[KEY_BYTES_MAX];
    size_t size = 0;
    const struct model_row *row = &run->model->rows[table][number];
    size_t key_size = key_of(table, number, key);
    const void *value = txn_get(txn, tables[table], key, key_size, &size);
    assert_int_equal(value != NULL, row->exists);
    if (value != NULL) {
        assert_int_equal(size, row->size);
        assert_memory_equal(value, row->value, size);
    }
    run->rows_compared++;
}

static void expect_walk(struct run *run, struct txn *txn, int table, bool up, int from, int most)
{
    unsigned char key[KEY_BYTES_MAX];
    size_t key_size = from >= 0 ? key_of(table, from, key) : 0;
    if (from >= 0 && draw(run, 3) == 0 && key_size + 1 < KEY_BYTES_MAX) {
        key[key_size++] = 0; /* a bound that is no key: just behind it */
        if (up)
            from++;
    }
    struct txn_walk *walk = txn_walk(txn, tables[table], up ? WALK_UP : WALK_DOWN,
                                     from >= 0 || key_size > 0 ? key : NULL, key_size);
    int at = from >= 0 ? from : up ? 0 : KEYS - 1;
    for (; most > 0; most--) {
        while (at >= 0 && at < KEYS && !run->model->rows[table][at].exists)
            at += up ? 1 : -1;
        bool more = txn_walk_next(walk);
        assert_int_equal(more, at >= 0 && at < KEYS);
        if (!more)
            break;
        unsigned char expected[KEY_BYTES_MAX];
        size_t expected_size = key_of(table, at, expected);
        assert_int_equal(walk->key_size, expected_size);
        assert_memory_equal(walk->key, expected, expected_size);
        assert_int_equal(walk->value_size, run->model->rows[table][at].size);
        assert_memory_equal(walk->value, run->model->rows[table][at].value, walk->value_size);
        at += up ? 1 : -1;
        run->rows_compared++;
    }
    txn_walk_end(walk);
}

static void put(struct run *run, struct txn *txn)
{
    int table = (int)draw(run, TABLES), number = (int)draw(run, KEYS);
    unsigned char key[KEY_BYTES_MAX];
    struct model_row *row = &run->model->rows[table][number];
    size_t largest = table_infos[tables[table]].value_bytes_max;
    row->exists = true;
    row->size = (uint16_t)draw(run, draw(run, 4) == 0 ? largest + 1 : largest / 8 + 1);
    for (size_t i = 0; i < row->size; i++)
        row->value[i] = (unsigned char)draw(run, 256);
    txn_put(txn, tables[table], key, key_of(table, number, key), row->value, row->size);
}

static void delete (struct run *run, struct txn *txn)
{
    int table = (int)draw(run, TABLES), number = (int)draw(run, KEYS);
    unsigned char key[KEY_BYTES_MAX];
    struct model_row *row = &run->model->rows[table][number];
    assert_int_equal(txn_delete(txn, tables[table], key, key_of(table, number, key)), row->exists);
    row->exists = false;
}

static int ordered_table(struct run *run)
{
    return draw(run, 2) == 0 ? 1 : 4;
}

static void change(struct run *run, struct txn *txn, int depth);

/* Changes that are taken back. */
static void savepoint(struct run *run, struct txn *txn, int depth)
{
    struct model *before = malloc(sizeof *before);
    *before = *run->model;
    size_t point = txn_savepoint(txn);
    change(run, txn, depth + 1);
    if (draw(run, 3) > 0) {
        txn_rollback(txn, point);
        *run->model = *before;
    }
    free(before);
}

static void change(struct run *run, struct txn *txn, int depth)
{
    for (uint64_t left = 1 + draw(run, 25); left > 0; left--) {
        uint64_t kind = draw(run, 100);
        if (kind < 45)
            put(run, txn);
        else if (kind < 65)
            delete (run, txn);
        else if (kind < 85)
            expect_row(run, txn, (int)draw(run, TABLES), (int)draw(run, KEYS));
        else if (kind < 95)
            expect_walk(run, txn, ordered_table(run), draw(run, 2) == 0,
                        (int)draw(run, KEYS + 1) - 1, (int)draw(run, 20));
        else if (depth < 3)
            savepoint(run, txn, depth);
    }
}

static void transact(struct run *run)
{
    struct model *before = malloc(sizeof *before);
    *before = *run->model;
    struct txn *txn = store_begin(run->fixture.store);
    change(run, txn, 0);
    if (draw(run, 4) == 0) {
        store_abort(txn);
        *run->model = *before;
    } else {
        store_commit(txn);
    }
    free(before);
}

static void compare_all(struct run *run)
{
    struct txn *txn = store_begin(run->fixture.store);
    for (int table = 0; table < TABLES; table++)
        for (int number = 0; number < KEYS; number++)
            expect_row(run, txn, table, number);
    for (int table = 1; table <= 4; table += 3) {
        expect_walk(run, txn, table, true, -1, KEYS + 1);
        expect_walk(run, txn, table, false, -1, KEYS + 1);
    }
    store_commit(txn);
}

static void step(struct run *run, bool on_disk)
{
    struct fixture *fixture = &run->fixture;
    uint64_t kind = draw(run, 100);
    if (kind < 70) {
        while (store_admits(fixture->store) != STORE_ADMITS) {
            store_submit(fixture->store);
            store_tick(fixture->store, run->now_ns);
            usleep(100);
        }
        transact(run);
    } else if (kind < 85) {
        store_submit(fixture->store);
    } else if (kind < 92) {
        run->now_ns += draw(run, 2) * UINT64_C(1000000000);
        store_tick(fixture->store, run->now_ns);
    } else if (kind < 95) {
        store_request_checkpoint(fixture->store);
        store_tick(fixture->store, run->now_ns);
    } else if (kind < 97) {
        compare_all(run);
    } else if (kind == 97) {
        uint64_t visible = store_visible(fixture->store);
        store_flush(fixture->store);
        assert_int_equal(store_durable(fixture->store), visible);
        assert_int_equal(store_visible(fixture->store), visible);
    } else if (kind == 98 && on_disk) {
        store_flush(fixture->store);
        uint64_t durable = store_durable(fixture->store);
        fixture_close(fixture, draw(run, 2) == 0);
        fixture_open(fixture);
        assert_int_equal(store_durable(fixture->store), durable);
        assert_int_equal(store_visible(fixture->store), durable);
        compare_all(run);
    }
}

static void run_model(bool on_disk)
{
    struct run run = {.now_ns = 1};
    const char *seed = getenv("SEED");
    uint64_t chosen = seed != NULL ? strtoull(seed, NULL, 10) : clock_monotonic_ns();
    print_message("# SEED=%" PRIu64 "\n", chosen);
    run.random = chosen | 1;
    run.model = calloc(1, sizeof *run.model);
    fixture_init(&run.fixture);
    run.fixture.options.checkpoint_interval_ms = 3000;
    if (!on_disk) {
        run.fixture.options.data_dir = NULL;
        run.fixture.options.overlay_bytes_max = 64 << 20;
    }
    fixture_open(&run.fixture);
    for (int i = 0; i < STEPS; i++)
        step(&run, on_disk);
    compare_all(&run);
    assert_true(run.rows_compared > STEPS);
    fixture_release(&run.fixture);
    free(run.model);
}

static void a_store_holds_what_a_model_of_it_holds(void **state)
{
    (void)state;
    run_model(true);
}

static void rows_in_memory_only_are_the_same_to_a_transaction(void **state)
{
    (void)state;
    run_model(false);
}

static void expect_next(struct txn_walk *walk, const char *key)
{
    bool more = txn_walk_next(walk);
    assert_int_equal(more, key != NULL);
    if (more) {
        assert_int_equal(walk->key_size, strlen(key));
        assert_memory_equal(walk->key, key, walk->key_size);
    }
}

static void a_walk_goes_on_after_the_row_it_stood_on_was_rolled_back(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_put(&fixture, TABLE_ACCOUNT_NUMBER, "a", "1", 1);
    fixture_checkpoint(&fixture);
    fixture_put(&fixture, TABLE_ACCOUNT_NUMBER, "c", "1", 1);
    struct txn *txn = store_begin(fixture.store);
    size_t savepoint = txn_savepoint(txn);
    txn_put(txn, TABLE_ACCOUNT_NUMBER, "b", 1, "1", 1);
    struct txn_walk *up = txn_walk(txn, TABLE_ACCOUNT_NUMBER, WALK_UP, NULL, 0);
    struct txn_walk *down = txn_walk(txn, TABLE_ACCOUNT_NUMBER, WALK_DOWN, "bb", 2);
    expect_next(up, "a");
    expect_next(up, "b");
    expect_next(down, "b");
    txn_rollback(txn, savepoint);
    txn_put(txn, TABLE_ACCOUNT_NUMBER, "0", 1, "1", 1); /* where b lay */
    expect_next(up, "c");
    expect_next(up, NULL);
    expect_next(down, "a");
    expect_next(down, "0");
    expect_next(down, NULL);
    txn_walk_end(up);
    txn_walk_end(down);
    store_commit(txn);
    fixture_release(&fixture);
}

/* Also where those at the bound are deleted, or are in LMDB. */
static void a_walk_ends_where_it_is_told_to(void **state)
{
    static const char *const keys[] = {"a", "b1", "b2", "b3", "b4", "c"};
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    for (int i = 0; i < 6; i++) {
        fixture_put(&fixture, TABLE_ACCOUNT_NUMBER, keys[i], "1", 1);
        if (i == 3)
            fixture_checkpoint(&fixture);
    }
    struct txn *txn = store_begin(fixture.store);
    txn_delete(txn, TABLE_ACCOUNT_NUMBER, "b3", 2);
    struct txn_walk *until = txn_walk(txn, TABLE_ACCOUNT_NUMBER, WALK_UP, "b2", 2);
    struct txn_walk *down_until = txn_walk(txn, TABLE_ACCOUNT_NUMBER, WALK_DOWN, NULL, 0);
    struct txn_walk *within = txn_walk(txn, TABLE_ACCOUNT_NUMBER, WALK_UP, "b2", 2);
    struct txn_walk *down_within = txn_walk(txn, TABLE_ACCOUNT_NUMBER, WALK_DOWN, "b3x", 3);
    struct txn_walk *none = txn_walk(txn, TABLE_ACCOUNT_NUMBER, WALK_UP, "b3", 2);
    txn_walk_until(until, "b3", 2);
    txn_walk_until(down_until, "b4", 2);
    txn_walk_within(within, 1);
    txn_walk_within(down_within, 1);
    txn_walk_within(none, 2);
    expect_next(until, "b2");
    expect_next(until, NULL);
    expect_next(down_until, "c");
    expect_next(down_until, "b4");
    expect_next(down_until, NULL);
    expect_next(within, "b2");
    expect_next(within, "b4");
    expect_next(within, NULL);
    expect_next(down_within, "b2");
    expect_next(down_within, "b1");
    expect_next(down_within, NULL);
    expect_next(none, NULL);
    txn_walk_end(until);
    txn_walk_end(down_until);
    txn_walk_end(within);
    txn_walk_end(down_within);
    txn_walk_end(none);
    store_commit(txn);
    fixture_release(&fixture);
}

static void an_aborted_transaction_leaves_no_byte_behind(void **state)
{
    struct fixture fixture;
    char value[160] = {0};
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_put(&fixture, TABLE_ACCOUNT, "a", "1", 1);
    store_tick(fixture.store, 1);
    int64_t before = metric_get(METRIC_OVERLAY_BYTES);
    struct txn *txn = store_begin(fixture.store);
    txn_put(txn, TABLE_ACCOUNT, "a", 1, value, sizeof value);
    txn_put(txn, TABLE_ACCOUNT, "b", 1, value, sizeof value);
    txn_put(txn, TABLE_ACCOUNT, "a", 1, value, 3);
    txn_delete(txn, TABLE_ACCOUNT, "b", 1);
    store_abort(txn);
    store_tick(fixture.store, 2);
    assert_int_equal(metric_get(METRIC_OVERLAY_BYTES), before);
    fixture_expect(&fixture, TABLE_ACCOUNT, "a", "1");
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_holds_what_a_model_of_it_holds),
        cmocka_unit_test(a_walk_goes_on_after_the_row_it_stood_on_was_rolled_back),
        cmocka_unit_test(a_walk_ends_where_it_is_told_to),
        cmocka_unit_test(an_aborted_transaction_leaves_no_byte_behind),
        cmocka_unit_test(rows_in_memory_only_are_the_same_to_a_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
