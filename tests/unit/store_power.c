/* Power cuts (OPS-7, BILL-1): a child writes batches while a recorder takes down each change to its
 * files. Then the power is cut after every one of them, over and over: what was not synced is kept,
 * lost or torn, and a store opened on what is left must hold every batch that was acknowledged, and
 * none by half. Some of these states are written on, and cut again.
 *
 *     SMSD_POWER=all   every state instead of a sample (minutes)
 *     SEED=n           another choice of states, or that of a failure
 *
 * One translation unit: the recorder must lie in the program that it watches. */
#include "store_fixture.h"

#include <sys/mman.h>
#include <time.h>

#include "../power/disk.c"     /* NOLINT(bugprone-suspicious-include) */
#include "../power/record.c"   /* NOLINT(bugprone-suspicious-include) */
#include "../power/workload.c" /* NOLINT(bugprone-suspicious-include) */

enum {
    BATCHES = 160,
    BATCHES_AGAIN = 24,
    SAMPLES = 3500,
    SAMPLES_AGAIN = 250,
    ROUNDS_AGAIN = 8,
    ROUNDS_KILLED = 15,
    CUTS_KILLED = 160,
    WORKERS = 2
};

struct cut {
    size_t at; /* records before it are played */
    enum disk_loss loss;
};

struct shared {
    struct cut cut; /* under way, for the message should a child die */
    bool failed;
};

struct trial {
    struct record_log *log;
    uint64_t random;
    uint64_t first; /* batches that are there before the log begins, acknowledged */
    size_t from;    /* cuts before this record are not tried, */
    size_t to;      /* nor after this; 0: to the end */
};

/* What a child writes. */
struct plan {
    struct record_log *log;
    const char *directory;
    uint64_t last; /* batch */
    bool closes;
    bool goes_on; /* with the log of a process that was killed */
    enum record_kind kill_kind;
    size_t kill_after; /* records of that kind; 0: lives on */
};

static struct store *recorded_store;

static void mark_durable(void *context)
{
    (void)context;
    if (recorded_store != NULL)
        record_mark(store_durable(recorded_store));
}

static void tick_until_written(struct store *store)
{
    for (int i = 0; i < 20; i++) {
        store_tick(store, clock_monotonic_ns());
        usleep(100);
    }
}

/* In a child: writes batches, recording. */
static void write_batches_and_exit(const struct plan *plan)
{
    struct store_options options = workload_options(plan->directory);
    struct buffer why;
    buffer_init(&why);
    options.on_durable = mark_durable;
    if (plan->goes_on)
        record_go_on(plan->log);
    else
        record_start(plan->log, plan->directory);
    record_kill_after(plan->kill_kind, plan->kill_after);
    if (store_open(&recorded_store, &options, &why) != 0)
        _exit(1);
    record_mark(store_durable(recorded_store));
    for (uint64_t batch = store_durable(recorded_store) + 1; batch <= plan->last; batch++) {
        while (store_admits(recorded_store) != STORE_ADMITS)
            tick_until_written(recorded_store);
        workload_write(recorded_store, batch);
        if (batch % 11 == 5) /* with the batch open: frozen at its submit */
            store_request_checkpoint(recorded_store);
        store_tick(recorded_store, clock_monotonic_ns());
        store_submit(recorded_store);
        if (batch % 13 == 0)
            store_request_checkpoint(recorded_store);
        while (store_durable(recorded_store) < batch)
            store_tick(recorded_store, clock_monotonic_ns());
    }
    if (plan->closes) {
        struct store *store = recorded_store;
        recorded_store = NULL;
        store_close(store, true);
    }
    record_stop();
    _exit(0);
}

static void record_run(const struct plan *plan)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        write_batches_and_exit(plan);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (plan->kill_after != 0)
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    else
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* What was acknowledged, and what was handed over, before the cut. */
static void bounds_at(const struct trial *trial, size_t at, uint64_t *acknowledged)
{
    *acknowledged = trial->first;
    for (size_t i = 0; i < at; i++) {
        struct record record = record_get(trial->log, i);
        if (record.kind == RECORD_MARK && record.offset > *acknowledged)
            *acknowledged = record.offset;
    }
}

static bool check_state(const char *directory, uint64_t acknowledged, bool verifies)
{
    const struct store_options options = workload_options(directory);
    struct store *store = NULL;
    struct buffer why;
    buffer_init(&why);
    int error = verifies ? store_verify(directory, NULL, &why, NULL, NULL) : 0;
    if (error == ERR_NOT_FOUND && acknowledged == 0)
        error = 0; /* not yet a store */
    if (error == 0)
        error = store_open(&store, &options, &why);
    if (error != 0) {
        fprintf(stderr, "%s: %.*s\n", error_text(error), (int)why.size, why.data);
        return false;
    }
    uint64_t durable = store_durable(store);
    bool is_right = workload_check(store, durable);
    /* One batch may be under way, written and not yet acknowledged. */
    if (durable < acknowledged || durable > acknowledged + 1) {
        fprintf(stderr, "%llu batches are there, %llu were acknowledged\n",
                (unsigned long long)durable, (unsigned long long)acknowledged);
        is_right = false;
    }
    store_close(store, false);
    buffer_release(&why);
    return is_right;
}

/* In a child: every `stride`th of the cuts from `first` on. */
static void check_cuts_and_exit(const struct trial *trial, const char *directory,
                                struct shared *shared, size_t first, size_t stride, double share)
{
    char state[FIXTURE_PATH_MAX];
    uint64_t random = trial->random + first * 7919 + 1;
    uint64_t acknowledged = trial->first;
    struct disk *disk = disk_new(trial->log);
    size_t count = record_count(trial->log);
    bool has_begun = false; /* what was there before is played */
    assert_true(stride > 0);
    log_open(NULL, LOG_ERROR);
    fixture_path(state, directory, first == 0 ? "a" : "b");
    for (size_t at = 0; at <= count; at++) {
        for (int loss = 0; loss < DISK_LOSSES; loss++) {
            uint64_t luck = disk_draw(&random);
            if (!has_begun || at < trial->from || (trial->to != 0 && at > trial->to) ||
                at % stride != first || (double)(luck % 100000) >= share * 100000)
                continue;
            shared->cut = (struct cut){at, (enum disk_loss)loss};
            disk_build(disk, (enum disk_loss)loss, &random, state);
            if (!check_state(state, acknowledged, luck % 3 == 0)) {
                shared->failed = true;
                _exit(1);
            }
            fixture_remove(state);
        }
        if (at == count)
            break;
        struct record record = record_get(trial->log, at);
        has_begun = has_begun || record.kind == RECORD_MARK;
        if (record.kind == RECORD_MARK && record.offset > acknowledged)
            acknowledged = record.offset;
        disk_play(disk, at);
    }
    disk_free(disk);
    _exit(0);
}

static void check_cuts(const struct trial *trial, const char *directory, size_t samples)
{
    struct shared *shared = mmap(NULL, sizeof *shared * WORKERS, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t end = trial->to != 0 ? trial->to : record_count(trial->log);
    size_t states = (end + 1 - trial->from) * DISK_LOSSES;
    double share = getenv("SMSD_POWER") != NULL ? 1.0 : (double)samples / (double)states;
    pid_t children[WORKERS];
    for (size_t i = 0; i < WORKERS; i++) {
        children[i] = fork();
        if (children[i] == 0)
            check_cuts_and_exit(trial, directory, &shared[i], i, WORKERS, share);
    }
    bool failed = false;
    for (size_t i = 0; i < WORKERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            continue;
        fprintf(stderr, "cut at record %zu of %zu, loss %d: %s\n", shared[i].cut.at,
                record_count(trial->log), (int)shared[i].cut.loss,
                shared[i].failed ? "wrong" : "the process died");
        failed = true;
    }
    munmap(shared, sizeof *shared * WORKERS);
    assert_false(failed);
}

static uint64_t chosen_seed(void)
{
    const char *seed = getenv("SEED");
    uint64_t chosen = seed != NULL ? strtoull(seed, NULL, 10) : clock_monotonic_ns();
    print_message("# SEED=%llu\n", (unsigned long long)chosen);
    return chosen | 1;
}

static int count_file(const char *path, uint64_t *sum)
{
    char bytes[4096];
    uint64_t position = 0;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    for (ssize_t size; (size = read(fd, bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < size; i++)
            *sum = *sum * 31 + (unsigned char)bytes[i] + position++;
    close(fd);
    return 0;
}

static char sum_root[FIXTURE_PATH_MAX];
static uint64_t files_sum;

static int sum_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    uint64_t sum = 0;
    (void)stat, (void)walk;
    size_t size = strlen(path);
    if (kind != FTW_F || strcmp(path + size - 4, "lock") == 0 ||
        (size > 8 && strcmp(path + size - 8, "lock.mdb") == 0))
        return 0;
    for (const char *c = path + strlen(sum_root); *c != '\0'; c++)
        sum = sum * 131 + (unsigned char)*c;
    assert_int_equal(count_file(path, &sum), 0);
    files_sum += sum; /* in whatever order they come */
    return 0;
}

static uint64_t sum_of(const char *directory)
{
    files_sum = 0;
    snprintf(sum_root, sizeof sum_root, "%s", directory);
    nftw(directory, sum_one, 16, FTW_PHYS);
    return files_sum;
}

static void the_recorder_misses_nothing(void **state)
{
    struct fixture fixture;
    char played[FIXTURE_PATH_MAX];
    uint64_t random = 1;
    (void)state;
    fixture_use_memory();
    fixture_init(&fixture);
    struct record_log *log = record_new();
    record_run(
        &(struct plan){.log = log, .directory = fixture.data, .last = BATCHES, .closes = true});
    struct disk *disk = disk_new(log);
    for (size_t i = 0; i < record_count(log); i++)
        disk_play(disk, i);
    fixture_path(played, fixture.directory, "played");
    disk_build(disk, DISK_LOSES_NONE, &random, played);
    assert_int_equal(sum_of(played), sum_of(fixture.data));
    disk_free(disk);
    record_free(log);
    fixture_release(&fixture);
}

static void after_a_power_cut_every_acknowledged_batch_is_there_and_none_by_half(void **state)
{
    struct fixture fixture;
    struct trial trial = {.log = record_new(), .random = chosen_seed()};
    (void)state;
    fixture_use_memory();
    fixture_init(&fixture);
    record_run(&(struct plan){
        .log = trial.log, .directory = fixture.data, .last = BATCHES, .closes = true});
    check_cuts(&trial, fixture.directory, SAMPLES);
    print_message("# %zu changes and syncs, %llu batches\n", record_count(trial.log),
                  (unsigned long long)BATCHES);
    record_free(trial.log);
    fixture_release(&fixture);
}

/* Power fails; the store recovers, writes on, and the power fails again, at any point of the
 * recovery, too. */
static void the_same_after_a_second_power_cut(void **state)
{
    struct fixture fixture;
    char again[FIXTURE_PATH_MAX];
    struct record_log *log = record_new();
    struct trial trial = {.log = record_new(), .random = chosen_seed()};
    (void)state;
    fixture_use_memory();
    fixture_init(&fixture);
    record_run(&(struct plan){.log = log, .directory = fixture.data, .last = BATCHES});
    fixture_path(again, fixture.directory, "again");
    for (int round = 0; round < ROUNDS_AGAIN; round++) {
        const struct trial first = {.log = log};
        size_t at = disk_draw(&trial.random) % record_count(log);
        struct disk *disk = disk_new(log);
        for (size_t i = 0; i < at; i++)
            disk_play(disk, i);
        disk_build(disk, round % 2 == 0 ? DISK_LOSES_SECTORS : DISK_LOSES_WRITES, &trial.random,
                   again);
        disk_free(disk);
        bounds_at(&first, at, &trial.first);
        record_run(&(struct plan){
            .log = trial.log, .directory = again, .last = trial.first + BATCHES_AGAIN});
        fixture_remove(again);
        check_cuts(&trial, fixture.directory, SAMPLES_AGAIN);
    }
    record_free(trial.log);
    record_free(log);
    fixture_release(&fixture);
}

/* The process is killed: what it had not synced is seen by the next one, which builds on it, and is
 * lost when the power fails. */
static void the_same_after_a_kill_and_a_power_cut(void **state)
{
    struct trial trial = {.log = record_new(), .random = chosen_seed()};
    (void)state;
    fixture_use_memory();
    for (int round = 0; round < ROUNDS_KILLED; round++) {
        struct fixture fixture;
        fixture_init(&fixture);
        struct plan plan = {.log = trial.log, .directory = fixture.data, .last = BATCHES};
        plan.kill_kind = round % 3 == 0 ? RECORD_RENAME : RECORD_WRITE;
        plan.kill_after = 1 + disk_draw(&trial.random) % (round % 3 == 0   ? 8
                                                          : round % 3 == 1 ? 60
                                                                           : 200);
        record_run(&plan);
        trial.from = record_count(trial.log);
        trial.to = trial.from + CUTS_KILLED;
        uint64_t acknowledged;
        bounds_at(&trial, trial.from, &acknowledged);
        plan.goes_on = true;
        plan.kill_after = 0;
        plan.last = acknowledged + BATCHES_AGAIN;
        record_run(&plan);
        check_cuts(&trial, fixture.directory, CUTS_KILLED * DISK_LOSSES / 2);
        fixture_release(&fixture);
    }
    record_free(trial.log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recorder_misses_nothing),
        cmocka_unit_test(after_a_power_cut_every_acknowledged_batch_is_there_and_none_by_half),
        cmocka_unit_test(the_same_after_a_second_power_cut),
        cmocka_unit_test(the_same_after_a_kill_and_a_power_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
