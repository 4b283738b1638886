/* Reclaims the rows of idempotency keys that are past their age: a scan off the loop finds up to
 * KEYS_MAX of them, then commands delete them, some hundred a turn. Whether a key still counts is
 * not decided here but at each look-up, by its age: the sweep only gives room back, and may be
 * late. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/job.h"
#include "pipeline/pipeline.h"

enum {
    KEYS_MAX = 4 << 20, /* 64 MiB; what is beyond waits for the next run */
    SLICE_KEYS = 256,   /* deleted in one command: well under a millisecond */
    RETRY_MS = 100,
};

struct sweep {
    struct job *job;
    int64_t now_ms;
    struct hash128 *keys;
    size_t count, capacity, deleted;
};

static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct sweep *sweep = context;

    (void)table;
    if (sweep->count == KEYS_MAX || !idempotency_is_expired(value, value_size, sweep->now_ms))
        return 0;
    assert(key_size == sizeof *sweep->keys);
    if (sweep->count == sweep->capacity) {
        sweep->capacity = sweep->capacity == 0 ? 1024 : sweep->capacity * 2;
        sweep->keys = realloc(sweep->keys, sweep->capacity * sizeof *sweep->keys);
        assert(sweep->keys != NULL);
    }
    memcpy(&sweep->keys[sweep->count++], key, key_size);
    return 0;
}

static void finish(struct sweep *sweep, bool is_failed)
{
    struct job *job = sweep->job;
    uint64_t deleted = sweep->deleted;

    free(sweep->keys);
    free(sweep);
    job->run = NULL;
    job_finish(job, deleted, is_failed);
}

static void delete_slice(struct job *job)
{
    struct sweep *sweep = job->run;
    size_t left = sweep->count - sweep->deleted;
    struct command command = {.type = COMMAND_IDEMPOTENCY_EXPIRE};
    struct result result;

    if (left == 0 || job->is_stopped) {
        finish(sweep, false);
        return;
    }
    command.of.idempotency_expire.keys = sweep->keys + sweep->deleted;
    command.of.idempotency_expire.count = left < SLICE_KEYS ? left : SLICE_KEYS;
    pipeline_run(job->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OK)
        sweep->deleted += command.of.idempotency_expire.count;
    job_continue(job, result.outcome == OUTCOME_OK ? 0 : RETRY_MS, delete_slice);
}

static void on_scan_end(void *context, int error)
{
    struct sweep *sweep = context;

    if (error != 0 || sweep->job->is_stopped)
        finish(sweep, error != 0);
    else
        delete_slice(sweep->job);
}

void job_idempotency_sweep(struct job *job)
{
    static const enum table tables[] = {TABLE_IDEMPOTENCY};
    struct sweep *sweep = calloc(1, sizeof *sweep);
    struct pipeline_scan scan = {.tables = tables,
                                 .table_count = 1,
                                 .on_row = on_row,
                                 .on_end = on_scan_end,
                                 .context = sweep};

    assert(sweep != NULL && job->run == NULL);
    sweep->job = job;
    sweep->now_ms = pipeline_now_ms(job->pipeline);
    job->run = sweep;
    if (pipeline_scan(job->pipeline, &scan) != 0)
        finish(sweep, true);
}
