/* Sweeps, see sweep.h. `found` is the scan thread's until the scan has ended, then the loop's. */
#include "jobs/sweep.h"

#include <assert.h>
#include <stdlib.h>

enum { RETRY_MS = 100 };

void sweep_note(struct sweep *sweep, const void *found, size_t size)
{
    if (sweep->found.size + size <= sweep->kind->found_bytes_max)
        buffer_append(&sweep->found, found, size);
}

static void finish(struct sweep *sweep, bool is_failed)
{
    struct job *job = sweep->job;
    uint64_t done = sweep->done;

    if (sweep->kind->on_end != NULL)
        sweep->kind->on_end(sweep, is_failed);
    buffer_release(&sweep->found);
    free(sweep);
    job->run = NULL;
    job_finish(job, done, is_failed);
}

static void go_on(struct job *job)
{
    struct sweep *sweep = job->run;
    size_t left = sweep->found.size - sweep->taken, taken;

    if (left == 0 || job->is_stopped) {
        finish(sweep, false);
        return;
    }
    taken = sweep->kind->do_slice(sweep, sweep->found.data + sweep->taken, left);
    assert(taken <= left);
    sweep->taken += taken;
    job_continue(job, taken > 0 ? 0 : RETRY_MS, go_on);
}

static void on_scan_end(void *context, int error)
{
    struct sweep *sweep = context;
    bool is_failed = error != 0 && error != SWEEP_ENOUGH;

    if (is_failed)
        finish(sweep, true);
    else
        go_on(sweep->job);
}

void sweep_begin(struct job *job, const struct sweep_kind *kind, void *own)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    struct pipeline_scan scan = {.tables = kind->tables,
                                 .table_count = kind->table_count,
                                 .on_row = kind->on_row,
                                 .on_end = on_scan_end,
                                 .context = sweep};

    assert(sweep != NULL && job->run == NULL);
    sweep->kind = kind;
    sweep->job = job;
    sweep->now_ms = pipeline_now_ms(job->pipeline);
    sweep->own = own;
    buffer_init(&sweep->found);
    job->run = sweep;
    if (pipeline_scan(job->pipeline, &scan) != 0)
        finish(sweep, true);
}
