/* The store alone under charges: how many a second, and where the time goes.
 *
 *     make build/bench/store_charge
 *     build/bench/store_charge DIRECTORY [accounts] [seconds] [overlay MiB] [charges a batch]
 *         [charges a second, 0: all]
 *
 * Loads the accounts if the directory is new, then charges random ones: get account, get
 * idempotency (a miss), put account, put entry, put idempotency; one transaction each, a submit
 * every so many, a tick after each. What the loop's thread spends is told apart from what passes
 * while it waits. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/store.h"

enum { ACCOUNT_BYTES = 128, ENTRY_BYTES = 120, ANSWER_BYTES = 220, LOAD_PER_BATCH = 20000 };

struct bench {
    struct store *store;
    char directory[4000];
    uint64_t accounts, seconds, overlay_mib, per_batch, per_second;
    uint64_t random;
    uint64_t entry;
    uint64_t waited_ns; /* for the store to admit */
    uint64_t longest_wait_ns;
};

static uint64_t draw(struct bench *bench)
{
    bench->random ^= bench->random << 13;
    bench->random ^= bench->random >> 7;
    bench->random ^= bench->random << 17;
    return bench->random * UINT64_C(0x2545F4914F6CDD1D);
}

static uint64_t thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* "user-0000001234"; by hand, since it is part of each charge. */
static size_t account_key(char key[16], uint64_t number)
{
    memcpy(key, "user-0000000000", 15);
    for (int i = 14; number > 0; i--, number /= 10)
        key[i] = (char)('0' + number % 10);
    return 15;
}

static void wait_for_admission(struct bench *bench)
{
    uint64_t since = clock_monotonic_ns();
    while (store_admits(bench->store) != STORE_ADMITS) {
        store_submit(bench->store);
        store_tick(bench->store, clock_monotonic_ns());
        usleep(50);
    }
    uint64_t waited = clock_monotonic_ns() - since;
    bench->waited_ns += waited;
    if (waited > bench->longest_wait_ns)
        bench->longest_wait_ns = waited;
}

static void turn(struct bench *bench)
{
    store_submit(bench->store);
    store_tick(bench->store, clock_monotonic_ns());
}

/* Until nothing is left in memory. */
static void checkpoint(struct bench *bench)
{
    store_flush(bench->store);
    do {
        store_request_checkpoint(bench->store);
        store_tick(bench->store, clock_monotonic_ns());
        usleep(1000);
    } while (metric_get(METRIC_OVERLAY_ROWS) > 0);
}

static void load(struct bench *bench)
{
    unsigned char value[ACCOUNT_BYTES] = {1};
    char key[16];
    uint64_t since = clock_monotonic_ns();
    for (uint64_t i = 0; i < bench->accounts; i++) {
        if (store_admits(bench->store) != STORE_ADMITS)
            wait_for_admission(bench);
        struct txn *txn = store_begin(bench->store);
        size_t size = account_key(key, i);
        txn_put(txn, TABLE_ACCOUNT, key, size, value, sizeof value);
        store_commit(txn);
        if (i % LOAD_PER_BATCH == 0)
            turn(bench);
    }
    checkpoint(bench);
    printf("loaded %" PRIu64 " accounts in %.1f s\n", bench->accounts,
           (double)(clock_monotonic_ns() - since) / 1e9);
}

static void charge(struct bench *bench)
{
    unsigned char account[ACCOUNT_BYTES], entry[ENTRY_BYTES] = {2}, answer[ANSWER_BYTES] = {3};
    unsigned char entry_key[8];
    uint64_t idempotency_key[2] = {draw(bench), draw(bench)};
    char key[16];
    size_t value_size;
    size_t key_size = account_key(key, draw(bench) % bench->accounts);
    struct txn *txn = store_begin(bench->store);

    const void *value = txn_get(txn, TABLE_ACCOUNT, key, key_size, &value_size);
    if (value == NULL || value_size != sizeof account)
        abort();
    memcpy(account, value, sizeof account);
    if (txn_get(txn, TABLE_IDEMPOTENCY, idempotency_key, sizeof idempotency_key, &value_size) !=
        NULL)
        abort();
    account[1]++;
    bytes_put_u64_be(entry_key, bench->entry++);
    txn_put(txn, TABLE_ACCOUNT, key, key_size, account, sizeof account);
    txn_put(txn, TABLE_ENTRY, entry_key, sizeof entry_key, entry, sizeof entry);
    txn_put(txn, TABLE_IDEMPOTENCY, idempotency_key, sizeof idempotency_key, answer, sizeof answer);
    store_commit(txn);
}

__attribute__((noinline)) static uint64_t run_charges(struct bench *bench)
{
    uint64_t charges = 0, until = clock_monotonic_ns() + bench->seconds * 1000000000;
    uint64_t since = clock_monotonic_ns();
    while (clock_monotonic_ns() < until) {
        for (uint64_t i = 0; i < bench->per_batch; i++, charges++) {
            if (store_admits(bench->store) != STORE_ADMITS)
                wait_for_admission(bench);
            charge(bench);
        }
        turn(bench);
        while (bench->per_second != 0 &&
               charges * 1000000000 / bench->per_second > clock_monotonic_ns() - since)
            usleep(100);
    }
    return charges;
}

static long anonymous_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    if (status != NULL)
        fclose(status);
    return kib;
}

static void report(struct bench *bench, uint64_t charges, uint64_t wall_ns, uint64_t cpu_ns)
{
    struct buffer metrics;
    struct stat stat_of;
    char path[4096];
    snprintf(path, sizeof path, "%s/rows/data.mdb", bench->directory);
    uint64_t file = stat(path, &stat_of) == 0 ? (uint64_t)stat_of.st_size : 0;
    printf("%" PRIu64 " charges, %.0f a second; %.2f us of the loop's thread each, %.0f a second "
           "of it\n",
           charges, (double)charges * 1e9 / (double)wall_ns, (double)cpu_ns / 1e3 / (double)charges,
           (double)charges * 1e9 / (double)cpu_ns);
    printf("waited %.2f s for admission, at the longest %.3f s; %" PRId64 " batches; "
           "anonymous memory %ld MiB; LMDB's file %" PRIu64 " MiB\n",
           (double)bench->waited_ns / 1e9, (double)bench->longest_wait_ns / 1e9,
           metric_get(METRIC_JOURNAL_BATCHES), anonymous_kib() >> 10, file >> 20);
    buffer_init(&metrics);
    metrics_render(&metrics);
    buffer_append(&metrics, "", 1);
    for (char *line = metrics.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        if ((strncmp(line, "smsd_checkpoint", 15) == 0 ||
             strncmp(line, "smsd_journal_sync", 17) == 0) &&
            strstr(line, "bucket") == NULL)
            printf("  %.*s\n", (int)(end - line), line);
    buffer_release(&metrics);
}

int main(int argc, char **argv)
{
    struct bench bench = {.random = clock_monotonic_ns() | 1};
    struct buffer why;
    buffer_init(&why);
    if (argc < 2)
        return 64;
    snprintf(bench.directory, sizeof bench.directory, "%s", argv[1]);
    bench.accounts = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
    bench.seconds = argc > 3 ? strtoull(argv[3], NULL, 10) : 20;
    bench.overlay_mib = argc > 4 ? strtoull(argv[4], NULL, 10) : 256;
    bench.per_batch = argc > 5 ? strtoull(argv[5], NULL, 10) : 100;
    bench.per_second = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
    const struct store_options options = {
        .data_dir = bench.directory,
        .overlay_bytes_max = bench.overlay_mib << 20,
        .journal_bytes_max = (size_t)(bench.overlay_mib * 4 < 1024 ? 1024 : bench.overlay_mib * 4)
                             << 20,
        .checkpoint_interval_ms = 5000,
        .map_bytes_max = (size_t)1 << 35,
    };
    uint64_t since = clock_monotonic_ns();
    if (store_open(&bench.store, &options, &why) != 0) {
        fprintf(stderr, "%.*s\n", (int)why.size, why.data);
        return 1;
    }
    printf("opened in %.3f s\n", (double)(clock_monotonic_ns() - since) / 1e9);
    struct txn *txn = store_begin(bench.store);
    char key[16];
    size_t size, key_size = account_key(key, bench.accounts - 1);
    bool is_loaded = txn_get(txn, TABLE_ACCOUNT, key, key_size, &size) != NULL;
    store_commit(txn);
    if (!is_loaded)
        load(&bench);
    bench.entry = (uint64_t)time(NULL) << 32;
    bench.waited_ns = bench.longest_wait_ns = 0;
    since = clock_monotonic_ns();
    uint64_t cpu = thread_ns();
    uint64_t charges = run_charges(&bench);
    cpu = thread_ns() - cpu;
    report(&bench, charges, clock_monotonic_ns() - since, cpu);
    checkpoint(&bench);
    usleep(200000);
    printf("after a checkpoint, idle: anonymous memory %ld MiB\n", anonymous_kib() >> 10);
    since = clock_monotonic_ns();
    store_close(bench.store, false);
    printf("closed in %.3f s\n", (double)(clock_monotonic_ns() - since) / 1e9);
    buffer_release(&why);
    return 0;
}
