/* Deletes what nobody asks for any more: traces older than thirty days, and what groups of cities
 * have sent, once no window reaches back to it (CITY-8, CITY-10). A scan off the loop finds them,
 * then commands delete them, some hundred a turn. Nothing depends on when. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "engine/city.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

enum {
    FOUND_BYTES_MAX = 64 << 20, /* what is beyond waits for the next run */
    SLICE_KEYS = 256,
    RETRY_MS = 100,
};

struct trace_sweep {
    struct job *job;
    int64_t now_ms;
    struct buffer found;  /* each: size of the group (u8), group, mobile (u64) */
    size_t taken, latest; /* bytes that are deleted, or are by the slice under way */
    uint64_t deleted;
};

/* On the scan's thread. */
static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct trace_sweep *sweep = context;
    struct welcome_key expired;
    char size;

    if (sweep->found.size >= FOUND_BYTES_MAX ||
        !welcome_row_is_expired(table, key, key_size, value, value_size, sweep->now_ms, &expired))
        return 0;
    size = (char)expired.group.size;
    buffer_append(&sweep->found, &size, 1);
    buffer_append(&sweep->found, expired.group.data, expired.group.size);
    buffer_append(&sweep->found, &expired.mobile, sizeof expired.mobile);
    return 0;
}

static void finish(struct trace_sweep *sweep, bool is_failed)
{
    struct job *job = sweep->job;
    uint64_t deleted = sweep->deleted;

    buffer_release(&sweep->found);
    free(sweep);
    job->run = NULL;
    job_finish(job, deleted, is_failed);
}

static size_t take_slice(struct trace_sweep *sweep, struct welcome_key keys[SLICE_KEYS])
{
    size_t count = 0;

    for (sweep->latest = sweep->taken; count < SLICE_KEYS && sweep->latest < sweep->found.size;
         count++) {
        const char *at = sweep->found.data + sweep->latest;
        size_t size = (unsigned char)*at;
        keys[count].group = (struct text){at + 1, size};
        memcpy(&keys[count].mobile, at + 1 + size, sizeof keys[count].mobile);
        sweep->latest += 1 + size + sizeof keys[count].mobile;
    }
    return count;
}

static void delete_slice(struct job *job)
{
    struct trace_sweep *sweep = job->run;
    struct command command = {.type = COMMAND_WELCOME_EXPIRE};
    struct welcome_key keys[SLICE_KEYS];
    size_t count = take_slice(sweep, keys);
    struct result result;

    if (count == 0 || job->is_stopped) {
        finish(sweep, false);
        return;
    }
    command.of.welcome_expire = (struct welcome_expire_command){keys, count};
    pipeline_run(job->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OK) {
        sweep->taken = sweep->latest;
        sweep->deleted += count;
    }
    job_continue(job, result.outcome == OUTCOME_OK ? 0 : RETRY_MS, delete_slice);
}

static void on_scan_end(void *context, int error)
{
    struct trace_sweep *sweep = context;

    if (error != 0 || sweep->job->is_stopped)
        finish(sweep, error != 0);
    else
        delete_slice(sweep->job);
}

void job_trace_sweep(struct job *job)
{
    static const enum table tables[] = {TABLE_TRACE, TABLE_GROUP_WELCOME};
    struct trace_sweep *sweep = calloc(1, sizeof *sweep);
    struct pipeline_scan scan = {.tables = tables,
                                 .table_count = 2,
                                 .on_row = on_row,
                                 .on_end = on_scan_end,
                                 .context = sweep};

    assert(sweep != NULL && job->run == NULL);
    sweep->job = job;
    sweep->now_ms = pipeline_now_ms(job->pipeline);
    buffer_init(&sweep->found);
    job->run = sweep;
    if (pipeline_scan(job->pipeline, &scan) != 0)
        finish(sweep, true);
}
