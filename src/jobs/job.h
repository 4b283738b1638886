/* Inside the room: one job, and what its run is given. A run is a chain of slices on the loop's
 * thread, each of about a millisecond, which ends with job_finish; only a job_errand is on a thread
 * of its own. */
#ifndef SMSD_JOBS_JOB_H
#define SMSD_JOBS_JOB_H

#include <uv.h>

#include "jobs/jobs.h"

struct waiter;

struct job {
    struct jobs *jobs;
    struct pipeline *pipeline;
    struct gateways *gateways;
    /* For a run that goes on in a later turn: in the next one, or after some time. The next turn is
     * not a timer's affair: one set to "at once" by its own callback runs again before the loop
     * looks at anything else (libuv 1.44). */
    uv_idle_t turn;
    uv_timer_t slice;
    struct job_status status;
    struct waiter *waiters;
    void (*next)(struct job *job); /* what job_continue asked for */
    void *run;                     /* the run's own state */
    uv_thread_t errand;            /* while has_errand */
    bool has_errand;
    void (*work)(struct job *job);
    uv_async_t errand_end;
    void *kept;       /* what the next run is to know; freed in the end */
    bool is_stopped;  /* finish at the next chance */
    bool has_failed;  /* the run before, */
    uint64_t told_ns; /* and this is when it was logged that they do */
};

const struct jobs_options *jobs_options(const struct jobs *jobs);

#define JOB(name, trigger, interval_ms, description) void job_##name(struct job *job);
#include "jobs/job.def"
#undef JOB

/* Goes on with `next` in a later turn of the loop, after what came in meanwhile. */
void job_continue(struct job *job, uint64_t after_ms, void (*next)(struct job *job));
/* Does `work` on a thread of its own: reading and writing files. It may touch nothing but job->run.
 * Then `next`, on the loop; when jobs stop, that waits for it. */
void job_errand(struct job *job, void (*work)(struct job *job), void (*next)(struct job *job));
/* Is it to be logged why this run fails? Of several in a row the first is, and one an hour. */
bool job_tells(const struct job *job);
/* Ends the run, which did `done` things, or failed. */
void job_finish(struct job *job, uint64_t done, bool is_failed);

#endif
