/* Runs what the due index says is due, in slices of a millisecond, until nothing is. A row goes
 * with the command it asks for, in one commit: nothing is run twice, and nothing is forgotten. When
 * a great many are due it waits before memory is full, so that requests still find room. */
#include <assert.h>

#include "base/clock.h"
#include "engine/due.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

enum { SLICE_NS = 1000000, RETRY_MS = 100 };

static void run_slice(struct job *job)
{
    uint64_t end_ns = clock_monotonic_ns() + SLICE_NS;
    struct due due;

    while (!job->is_stopped) {
        struct command command;
        struct result result;
        if (!pipeline_has_room(job->pipeline)) {
            job_continue(job, RETRY_MS, run_slice);
            return;
        }
        if (!pipeline_first_due(job->pipeline, &due) || due.due_ms > pipeline_now_ms(job->pipeline))
            break;
        due_command(&due, &command);
        pipeline_run(job->pipeline, &command, &result);
        if (result.outcome == OUTCOME_OVERLOADED || result.outcome == OUTCOME_STORAGE_FULL) {
            job_continue(job, RETRY_MS, run_slice);
            return;
        }
        assert(result.outcome == OUTCOME_OK); /* else its row would still be there, for ever */
        job->status.done++;
        if (clock_monotonic_ns() >= end_ns) {
            job_continue(job, 0, run_slice);
            return;
        }
    }
    if (!job->is_stopped)
        pipeline_wait_due(job->pipeline,
                          pipeline_first_due(job->pipeline, &due) ? due.due_ms : INT64_MAX);
    job_finish(job, 0, false);
}

void job_due(struct job *job)
{
    run_slice(job);
}
