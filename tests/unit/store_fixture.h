/* For the store's tests: a directory that goes away, options small enough that segments fill and
 * checkpoints happen, and rows that can be told from each other. */
#ifndef SMSD_TESTS_STORE_FIXTURE_H
#define SMSD_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/store.h"

enum { FIXTURE_PATH_MAX = 4096, FIXTURE_SEGMENT_BYTES = 256 << 10 };

struct fixture {
    char directory[FIXTURE_PATH_MAX]; /* holds the data directory */
    char data[FIXTURE_PATH_MAX];
    struct store_options options;
    struct store *store;
    struct buffer why;
};

__attribute__((unused)) static int fixture_remove_one(const char *path, const struct stat *stat,
                                                      int kind, struct FTW *walk)
{
    (void)stat, (void)kind, (void)walk;
    return remove(path);
}

__attribute__((unused)) static void fixture_remove(const char *path)
{
    nftw(path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

__attribute__((unused)) static void fixture_path(char to[FIXTURE_PATH_MAX], const char *directory,
                                                 const char *name)
{
    int size = snprintf(to, FIXTURE_PATH_MAX, "%s/%s", directory, name);
    assert_true(size > 0 && size < FIXTURE_PATH_MAX);
}

/* From here on, directories are made in memory where there is a file system for that: for tests
 * that make thousands, or that do not depend on a disk. */
__attribute__((unused)) static void fixture_use_memory(void)
{
    if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
}

__attribute__((unused)) static void fixture_init(struct fixture *fixture)
{
    const char *parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    memset(fixture, 0, sizeof *fixture);
    log_open(NULL, LOG_WARNING);
    fixture_path(fixture->directory, parent, "smsd-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture_path(fixture->data, fixture->directory, "data");
    buffer_init(&fixture->why);
    fixture->options = (struct store_options){
        .data_dir = fixture->data,
        .overlay_bytes_max = 1 << 20,
        .journal_bytes_max = 8 * FIXTURE_SEGMENT_BYTES,
        .journal_segment_bytes = FIXTURE_SEGMENT_BYTES,
        .checkpoint_interval_ms = 3600 * 1000,
        .map_bytes_max = (size_t)1 << 30,
    };
}

__attribute__((unused)) static const char *fixture_why(struct fixture *fixture)
{
    buffer_append(&fixture->why, "", 1);
    return fixture->why.data;
}

__attribute__((unused)) static int fixture_try_open(struct fixture *fixture)
{
    fixture->why.size = 0;
    return store_open(&fixture->store, &fixture->options, &fixture->why);
}

__attribute__((unused)) static void fixture_open(struct fixture *fixture)
{
    int error = fixture_try_open(fixture);
    if (error != 0)
        fail_msg("store_open: %s: %s", error_text(error), fixture_why(fixture));
}

__attribute__((unused)) static void fixture_close(struct fixture *fixture, bool checkpoint)
{
    store_close(fixture->store, checkpoint);
    fixture->store = NULL;
}

__attribute__((unused)) static void fixture_release(struct fixture *fixture)
{
    if (fixture->store != NULL)
        fixture_close(fixture, false);
    buffer_release(&fixture->why);
    fixture_remove(fixture->directory);
}

/* Ticks until nothing is left in memory. */
__attribute__((unused)) static void fixture_checkpoint(struct fixture *fixture)
{
    store_flush(fixture->store);
    for (int i = 0;; i++) {
        store_request_checkpoint(fixture->store);
        store_tick(fixture->store, clock_monotonic_ns());
        if (metric_get(METRIC_OVERLAY_ROWS) == 0)
            break;
        assert_true(i < 20000);
        usleep(200);
    }
}

__attribute__((unused)) static void fixture_put(struct fixture *fixture, enum table table,
                                                const char *key, const void *value, size_t size)
{
    struct txn *txn = store_begin(fixture->store);
    txn_put(txn, table, key, strlen(key), value, size);
    store_commit(txn);
}

/* The row's value is `text`; NULL: there is no such row. */
__attribute__((unused)) static void fixture_expect(struct fixture *fixture, enum table table,
                                                   const char *key, const char *text)
{
    size_t size = 0;
    struct txn *txn = store_begin(fixture->store);
    const void *value = txn_get(txn, table, key, strlen(key), &size);
    if (text == NULL) {
        assert_null(value);
    } else {
        assert_non_null(value);
        assert_int_equal(size, strlen(text));
        assert_memory_equal(value, text, size);
    }
    store_commit(txn);
}

#endif
