/* Opening, closing, what is refused; scans and verification; bounds. */
#include "store_fixture.h"

#include <pthread.h>
#include <semaphore.h>

#include "base/bytes.h"
#include "base/metric.h"

static void a_second_open_is_refused_while_the_first_lasts(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    struct store *first = fixture.store;
    assert_int_equal(fixture_try_open(&fixture), ERR_LOCKED);
    assert_non_null(strstr(fixture_why(&fixture), fixture.data));
    fixture.why.size = 0;
    assert_int_equal(store_verify(fixture.data, NULL, &fixture.why, NULL, NULL), ERR_LOCKED);
    fixture.store = first;
    fixture_close(&fixture, false);
    fixture_open(&fixture);
    fixture_release(&fixture);
}

static void another_format_version_is_refused(void **state)
{
    struct fixture fixture;
    char path[FIXTURE_PATH_MAX];
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_close(&fixture, true);
    fixture_path(path, fixture.data, "format");
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "smsd 2\n", 7), 7);
    close(fd);
    assert_int_equal(fixture_try_open(&fixture), ERR_FORMAT_VERSION);
    fixture.why.size = 0;
    assert_int_equal(store_verify(fixture.data, NULL, &fixture.why, NULL, NULL),
                     ERR_FORMAT_VERSION);
    fixture_release(&fixture);
}

static void a_directory_that_lost_a_part_is_refused_and_not_begun_anew(void **state)
{
    static const char *const parts[] = {"rows", "journal", "format", "rows/data.mdb"};
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct fixture fixture;
        char path[FIXTURE_PATH_MAX];
        fixture_init(&fixture);
        fixture_open(&fixture);
        fixture_put(&fixture, TABLE_META, "a", "1", 1);
        fixture_close(&fixture, true);
        fixture_path(path, fixture.data, parts[i]);
        fixture_remove(path);
        assert_int_equal(fixture_try_open(&fixture), ERR_DAMAGED);
        fixture_release(&fixture);
    }
}

static void rows_of_a_lost_lmdb_file_are_not_taken_for_a_new_store(void **state)
{
    struct fixture fixture, other;
    char path[FIXTURE_PATH_MAX], from[FIXTURE_PATH_MAX];
    (void)state;
    fixture_init(&fixture);
    fixture_init(&other);
    fixture_open(&other);
    fixture_close(&other, true);
    fixture_open(&fixture);
    for (int i = 0; i < 240; i++) { /* four segments, the first of them recycled */
        fixture_put(&fixture, TABLE_META, "a", "1", 1);
        store_flush(fixture.store);
        if (i % 20 == 0)
            fixture_checkpoint(&fixture);
    }
    fixture_close(&fixture, true);
    /* An LMDB file of an empty store in place of it: the journal begins behind what that has. */
    fixture_path(path, fixture.data, "rows/data.mdb");
    fixture_path(from, other.data, "rows/data.mdb");
    assert_int_equal(rename(from, path), 0);
    assert_int_equal(fixture_try_open(&fixture), ERR_DAMAGED);
    fixture_release(&fixture);
    fixture_release(&other);
}

static void rows_survive_with_and_without_a_last_checkpoint(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fixture_put(&fixture, TABLE_META, "a", "1", 1);
    fixture_put(&fixture, TABLE_META, "b", "", 0);
    fixture_close(&fixture, false);
    fixture_open(&fixture);
    fixture_expect(&fixture, TABLE_META, "a", "1");
    fixture_expect(&fixture, TABLE_META, "b", "");
    struct txn *txn = store_begin(fixture.store);
    assert_true(txn_delete(txn, TABLE_META, "a", 1));
    store_commit(txn);
    fixture_close(&fixture, true);
    fixture_open(&fixture);
    fixture_expect(&fixture, TABLE_META, "a", NULL);
    fixture_expect(&fixture, TABLE_META, "b", "");
    fixture_release(&fixture);
}

static void what_is_aborted_makes_no_batch(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    uint64_t visible = store_visible(fixture.store);
    struct txn *txn = store_begin(fixture.store);
    txn_put(txn, TABLE_META, "a", 1, "1", 1);
    txn_put(txn, TABLE_ACCOUNT_NUMBER, "12345678", 8, "1", 1);
    txn_delete(txn, TABLE_META, "a", 1);
    txn_put(txn, TABLE_META, "a", 1, "a longer value than before", 26);
    store_abort(txn);
    assert_int_equal(store_visible(fixture.store), visible);
    store_flush(fixture.store);
    assert_int_equal(store_durable(fixture.store), visible);
    fixture_expect(&fixture, TABLE_META, "a", NULL);
    fixture_release(&fixture);
}

/* A row that is changed often is written once a batch. */
static void a_hot_row_costs_a_batch_its_size_once(void **state)
{
    struct fixture fixture;
    char value[160] = {0};
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    int64_t before = metric_get(METRIC_JOURNAL_BYTES);
    for (int i = 0; i < 10000; i++)
        fixture_put(&fixture, TABLE_ACCOUNT, "hot", value, sizeof value);
    store_flush(fixture.store);
    assert_int_equal(metric_get(METRIC_JOURNAL_BYTES) - before, 4096);
    fixture_release(&fixture);
}

/* OPS-8: refused early, and nothing that was admitted is lost. */
static void writes_are_refused_at_the_bounds_and_admitted_again_after_a_checkpoint(void **state)
{
    struct fixture fixture;
    uint64_t refused = 0, rows = 0;
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    for (uint64_t i = 0; i < 30000; i++) {
        while (store_admits(fixture.store) != STORE_ADMITS) {
            refused++;
            store_submit(fixture.store);
            store_tick(fixture.store, clock_monotonic_ns());
            usleep(200);
        }
        char key[8], value[200] = {0};
        bytes_put_u64_be(key, i);
        struct txn *txn = store_begin(fixture.store);
        txn_put(txn, TABLE_ENTRY, key, 8, value, sizeof value);
        store_commit(txn);
        rows++;
        if (i % 100 == 0) {
            store_submit(fixture.store);
            store_tick(fixture.store, clock_monotonic_ns());
        }
    }
    assert_true(refused > 0);
    fixture_close(&fixture, false);
    fixture_open(&fixture);
    struct txn *txn = store_begin(fixture.store);
    for (uint64_t i = 0; i < rows; i++) {
        char key[8];
        size_t size;
        bytes_put_u64_be(key, i);
        assert_non_null(txn_get(txn, TABLE_ENTRY, key, 8, &size));
    }
    store_commit(txn);
    fixture_release(&fixture);
}

/* BILL-10: ten thousand charges in one transaction are one batch, with segments of the usual size.
 */
static void ten_thousand_charges_fit_into_one_transaction(void **state)
{
    struct fixture fixture;
    char value[1024] = {0};
    (void)state;
    fixture_init(&fixture);
    fixture.options.journal_segment_bytes = 0;
    fixture.options.journal_bytes_max = (size_t)512 << 20;
    fixture.options.overlay_bytes_max = (size_t)64 << 20;
    fixture_open(&fixture);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(store_admits(fixture.store), STORE_ADMITS);
        struct txn *txn = store_begin(fixture.store);
        for (uint32_t i = 0; i < 10000; i++) {
            char key[24];
            snprintf(key, sizeof key, "%d-%u", round, i);
            txn_put(txn, TABLE_ACCOUNT, key, strlen(key), value, 128);
            txn_put(txn, TABLE_ENTRY, key, strlen(key), value, 200);
            txn_put(txn, TABLE_IDEMPOTENCY, key, strlen(key), value, 900);
        }
        store_commit(txn);
        store_flush(fixture.store);
    }
    fixture_close(&fixture, false);
    fixture_open(&fixture);
    fixture_expect(&fixture, TABLE_ACCOUNT, "3-0", NULL);
    struct txn *txn = store_begin(fixture.store);
    size_t size;
    assert_non_null(txn_get(txn, TABLE_IDEMPOTENCY, "2-9999", 6, &size));
    assert_int_equal(size, 900);
    store_commit(txn);
    fixture_release(&fixture);
}

static void recovery_takes_no_more_memory_than_running(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture.options.overlay_bytes_max = (size_t)16 << 20;
    fixture.options.journal_bytes_max = (size_t)64 << 20;
    fixture.options.journal_segment_bytes = (size_t)1 << 20;
    fixture_open(&fixture);
    for (uint64_t i = 0; i < 50000; i++) {
        char key[8], value[200] = {0};
        bytes_put_u64_be(key, i * 7919 % 50000);
        struct txn *txn = store_begin(fixture.store);
        txn_put(txn, TABLE_ENTRY, key, 8, value, sizeof value);
        store_commit(txn);
        if (i % 500 == 0)
            store_flush(fixture.store);
        while (store_admits(fixture.store) != STORE_ADMITS)
            usleep(1000); /* for the next segment */
    }
    fixture_close(&fixture, false);
    fixture.options.overlay_bytes_max = (size_t)1 << 20; /* a sixteenth of what is to be replayed */
    int64_t checkpoints = metric_get(METRIC_CHECKPOINTS);
    fixture_open(&fixture);
    assert_true(metric_get(METRIC_CHECKPOINTS) - checkpoints >= 4);
    struct txn *txn = store_begin(fixture.store);
    for (uint64_t i = 0; i < 50000; i++) {
        char key[8];
        size_t size;
        bytes_put_u64_be(key, i);
        assert_non_null(txn_get(txn, TABLE_ENTRY, key, 8, &size));
    }
    store_commit(txn);
    fixture_release(&fixture);
}

/* Scans */

enum { ROUND_ROWS = 2000 };

struct counting {
    sem_t ended;
    int error;
    uint64_t rows, round;
    bool mixed, unordered;
    int stop_after;
    char last[KEY_BYTES_MAX];
};

static int count_row(void *context, enum table table, const void *key, size_t key_size,
                     const void *value, size_t value_size)
{
    struct counting *counting = context;
    uint64_t round;
    assert_true(table == TABLE_ACCOUNT_NUMBER && key_size == 8 && value_size == 8);
    memcpy(&round, value, 8);
    counting->mixed = counting->mixed || (counting->rows > 0 && round != counting->round);
    counting->unordered =
        counting->unordered || (counting->rows > 0 && memcmp(key, counting->last, 8) <= 0);
    counting->round = round;
    memcpy(counting->last, key, 8);
    counting->rows++;
    return counting->stop_after != 0 && --counting->stop_after == 0 ? ERR_INVALID : 0;
}

static void on_end(void *context, int error)
{
    struct counting *counting = context;
    counting->error = error;
    sem_post(&counting->ended);
}

static void write_round(struct fixture *fixture, uint64_t round)
{
    struct txn *txn = store_begin(fixture->store);
    for (uint64_t i = 0; i < ROUND_ROWS; i++) {
        char key[8];
        bytes_put_u64_be(key, i);
        txn_put(txn, TABLE_ACCOUNT_NUMBER, key, 8, &round, 8);
    }
    store_commit(txn);
}

static void scan(struct fixture *fixture, struct counting *counting)
{
    static const enum table tables[] = {TABLE_ACCOUNT_NUMBER};
    const struct store_scan scan = {.tables = tables,
                                    .table_count = 1,
                                    .on_row = count_row,
                                    .on_end = on_end,
                                    .context = counting};
    assert_int_equal(store_scan(fixture->store, &scan), 0);
}

static void a_scan_sees_one_moment_while_writes_go_on(void **state)
{
    struct fixture fixture;
    uint64_t round = 1;
    (void)state;
    fixture_init(&fixture);
    fixture.options.overlay_bytes_max = 8 << 20;
    fixture.options.journal_segment_bytes = 1 << 20;
    fixture.options.journal_bytes_max = 16 << 20;
    fixture_open(&fixture);
    write_round(&fixture, round);
    for (int i = 0; i < 10; i++) {
        struct counting counting = {0};
        sem_init(&counting.ended, 0, 0);
        scan(&fixture, &counting);
        uint64_t at_least = round;
        while (sem_trywait(&counting.ended) != 0) {
            if (store_admits(fixture.store) == STORE_ADMITS)
                write_round(&fixture, ++round);
            store_submit(fixture.store);
            store_tick(fixture.store, clock_monotonic_ns());
            usleep(500);
        }
        assert_int_equal(counting.error, 0);
        assert_int_equal(counting.rows, ROUND_ROWS);
        assert_false(counting.mixed);
        assert_false(counting.unordered);
        assert_true(counting.round >= at_least);
        sem_destroy(&counting.ended);
    }
    fixture_release(&fixture);
}

static void scans_wait_in_line_up_to_a_bound_and_end_with_the_store(void **state)
{
    struct fixture fixture;
    struct counting countings[SCANS_MAX] = {0};
    static const enum table tables[] = {TABLE_ACCOUNT_NUMBER};
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    for (int i = 0; i < SCANS_MAX; i++) {
        sem_init(&countings[i].ended, 0, 0);
        scan(&fixture, &countings[i]);
    }
    const struct store_scan one_more = {
        .tables = tables, .table_count = 1, .on_row = count_row, .on_end = on_end};
    assert_int_equal(store_scan(fixture.store, &one_more), -1);
    fixture_close(&fixture, false); /* without a tick: none could begin */
    for (int i = 0; i < SCANS_MAX; i++) {
        assert_int_equal(sem_trywait(&countings[i].ended), 0);
        assert_int_equal(countings[i].error, ERR_IO);
        sem_destroy(&countings[i].ended);
    }
    fixture_release(&fixture);
}

static void a_scan_ends_early_when_the_caller_says_so(void **state)
{
    struct fixture fixture;
    struct counting counting = {.stop_after = 10};
    (void)state;
    fixture_init(&fixture);
    fixture.options.data_dir = NULL;
    fixture.options.overlay_bytes_max = 16 << 20;
    fixture_open(&fixture);
    sem_init(&counting.ended, 0, 0);
    write_round(&fixture, 1);
    scan(&fixture, &counting);
    assert_int_equal(sem_trywait(&counting.ended), 0);
    assert_int_equal(counting.error, ERR_INVALID);
    assert_int_equal(counting.rows, 10);
    counting.rows = 0;
    scan(&fixture, &counting);
    assert_int_equal(counting.error, 0);
    assert_int_equal(counting.rows, ROUND_ROWS);
    sem_destroy(&counting.ended);
    fixture_release(&fixture);
}

/* Verification */

static int sum_rows(void *context, enum table table, const void *key, size_t key_size,
                    const void *value, size_t value_size)
{
    uint64_t *sum = context;
    const unsigned char *bytes = value;
    (void)key, (void)key_size;
    *sum += (uint64_t)table * 1000003;
    for (size_t i = 0; i < value_size; i++)
        *sum += bytes[i] * (i + 1);
    return 0;
}

static int verify(struct fixture *fixture, uint64_t *sum)
{
    *sum = 0;
    fixture->why.size = 0;
    return store_verify(fixture->data, NULL, &fixture->why, sum_rows, sum);
}

static void fill(struct fixture *fixture, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        char key[8], value[64];
        bytes_put_u64_be(key, i);
        memset(value, (int)i, sizeof value);
        memcpy(value, "FINDME:", 7);
        struct txn *txn = store_begin(fixture->store);
        txn_put(txn, TABLE_ENTRY, key, 8, value, sizeof value);
        txn_put(txn, TABLE_ACCOUNT_NUMBER, key, 8, value, 8);
        if (i % 3 == 0)
            txn_delete(txn, TABLE_ACCOUNT_NUMBER, key, 8);
        store_commit(txn);
        if (i % 20 == 0)
            store_flush(fixture->store);
    }
    store_flush(fixture->store);
}

static void verify_shows_rows_as_recovery_leaves_them_and_changes_nothing(void **state)
{
    struct fixture fixture;
    struct buffer summary;
    uint64_t sum, again;
    char path[FIXTURE_PATH_MAX];
    struct stat before, after;
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fill(&fixture, 0, 500);
    fixture_checkpoint(&fixture);
    fill(&fixture, 400, 800);
    fixture_close(&fixture, false);
    fixture_path(path, fixture.data, "rows/data.mdb");
    assert_int_equal(stat(path, &before), 0);
    buffer_init(&summary);
    assert_int_equal(store_verify(fixture.data, &summary, &fixture.why, sum_rows, (sum = 0, &sum)),
                     0);
    buffer_append(&summary, "", 1);
    assert_non_null(strstr(summary.data, "table entry: 800 rows"));
    assert_non_null(strstr(summary.data, "table account_number: 533 rows"));
    assert_int_equal(stat(path, &after), 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    buffer_release(&summary);
    fixture_open(&fixture); /* recovers, checkpoints */
    fixture_close(&fixture, true);
    assert_int_equal(verify(&fixture, &again), 0);
    assert_int_equal(sum, again);
    fixture_release(&fixture);
}

/* Flips a byte of each of the first `most` occurrences of "FINDME:" one after the other. */
static int flips_found(struct fixture *fixture, const char *name, int most)
{
    char path[FIXTURE_PATH_MAX];
    uint64_t sum;
    int found = 0;
    fixture_path(path, fixture->data, name);
    int fd = open(path, O_RDWR);
    off_t size = lseek(fd, 0, SEEK_END);
    char *bytes = malloc((size_t)size);
    assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
    for (off_t at = 0; at + 64 < size && most > 0; at++) {
        if (memcmp(bytes + at, "FINDME:", 7) != 0)
            continue;
        most--;
        char flipped = (char)(bytes[at + 3] ^ 4);
        assert_int_equal(pwrite(fd, &flipped, 1, at + 3), 1);
        found += verify(fixture, &sum) == ERR_DAMAGED;
        assert_int_equal(pwrite(fd, bytes + at + 3, 1, at + 3), 1);
    }
    free(bytes);
    close(fd);
    assert_int_equal(verify(fixture, &sum), 0);
    return found;
}

static void verify_finds_a_flipped_byte_in_a_row_and_in_the_journal(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fill(&fixture, 0, 300);
    fixture_close(&fixture, true);
    assert_int_equal(flips_found(&fixture, "rows/data.mdb", 50), 50);
    fixture_open(&fixture);
    fill(&fixture, 300, 400);
    fixture_close(&fixture, false);
    assert_true(flips_found(&fixture, "journal/0000000000000001.segment", 30) == 30);
    fixture_release(&fixture);
}

static void a_row_with_a_wrong_checksum_stops_the_process(void **state)
{
    struct fixture fixture;
    char path[FIXTURE_PATH_MAX], key[8] = {0};
    (void)state;
    fixture_init(&fixture);
    fixture_open(&fixture);
    fill(&fixture, 0, 1);
    fixture_close(&fixture, true);
    fixture_path(path, fixture.data, "rows/data.mdb");
    int fd = open(path, O_RDWR);
    char bytes[65536];
    ssize_t size = pread(fd, bytes, sizeof bytes, 0);
    for (ssize_t at = 0; at + 64 < size; at++)
        if (memcmp(bytes + at, "FINDME:", 7) == 0)
            assert_int_equal(pwrite(fd, "f", 1, at), 1);
    close(fd);
    pid_t child = fork();
    if (child == 0) {
        size_t value_size;
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        if (fixture_try_open(&fixture) != 0)
            _exit(1);
        txn_get(store_begin(fixture.store), TABLE_ENTRY, key, 8, &value_size);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 70);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_open_is_refused_while_the_first_lasts),
        cmocka_unit_test(another_format_version_is_refused),
        cmocka_unit_test(a_directory_that_lost_a_part_is_refused_and_not_begun_anew),
        cmocka_unit_test(rows_of_a_lost_lmdb_file_are_not_taken_for_a_new_store),
        cmocka_unit_test(rows_survive_with_and_without_a_last_checkpoint),
        cmocka_unit_test(what_is_aborted_makes_no_batch),
        cmocka_unit_test(a_hot_row_costs_a_batch_its_size_once),
        cmocka_unit_test(writes_are_refused_at_the_bounds_and_admitted_again_after_a_checkpoint),
        cmocka_unit_test(ten_thousand_charges_fit_into_one_transaction),
        cmocka_unit_test(recovery_takes_no_more_memory_than_running),
        cmocka_unit_test(a_scan_sees_one_moment_while_writes_go_on),
        cmocka_unit_test(scans_wait_in_line_up_to_a_bound_and_end_with_the_store),
        cmocka_unit_test(a_scan_ends_early_when_the_caller_says_so),
        cmocka_unit_test(verify_shows_rows_as_recovery_leaves_them_and_changes_nothing),
        cmocka_unit_test(verify_finds_a_flipped_byte_in_a_row_and_in_the_journal),
        cmocka_unit_test(a_row_with_a_wrong_checksum_stops_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
