/* Reclaims the rows of idempotency keys that are past their age. Whether a key still counts is not
 * decided here but at each look-up, by its age: the sweep only gives room back, and may be late. */
#include <assert.h>

#include "jobs/sweep.h"

enum {
    KEY_BYTES = sizeof(struct hash128),
    FOUND_BYTES_MAX = 64 << 20,
    SLICE_KEYS = 256, /* deleted in one command: well under a millisecond */
};

static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct sweep *sweep = context;

    (void)table;
    assert(key_size == KEY_BYTES);
    if (idempotency_is_expired(value, value_size, sweep->now_ms))
        sweep_note(sweep, key, key_size);
    return SWEEP_ON;
}

static size_t delete_slice(struct sweep *sweep, const char *found, size_t size)
{
    size_t left = size / KEY_BYTES, count = left < SLICE_KEYS ? left : SLICE_KEYS;
    struct command command = {.type = COMMAND_IDEMPOTENCY_EXPIRE};
    struct result result;

    command.of.idempotency_expire.keys = (const struct hash128 *)(const void *)found;
    command.of.idempotency_expire.count = count;
    pipeline_run(sweep->job->pipeline, &command, &result);
    if (result.outcome != OUTCOME_OK)
        return 0;
    sweep->done += count;
    return count * KEY_BYTES;
}

void job_idempotency_sweep(struct job *job)
{
    static const enum table tables[] = {TABLE_IDEMPOTENCY};
    static const struct sweep_kind kind = {.tables = tables,
                                           .table_count = 1,
                                           .found_bytes_max = FOUND_BYTES_MAX,
                                           .on_row = on_row,
                                           .do_slice = delete_slice};

    sweep_begin(job, &kind, NULL);
}
