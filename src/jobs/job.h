/* Inside the room: one job, and what its run is given. */
#ifndef SMSD_JOBS_JOB_H
#define SMSD_JOBS_JOB_H

#include <uv.h>

#include "jobs/jobs.h"

struct waiter;

struct job {
    struct jobs *jobs;
    struct pipeline *pipeline;
    uv_timer_t slice; /* for a run that goes on in a later turn */
    struct job_status status;
    struct waiter *waiters;
    void (*next)(struct job *job); /* what job_continue asked for */
    void *run;                     /* the run's own state */
    bool is_stopped;               /* finish at the next chance */
};

#define JOB(name, trigger, interval_ms, description) void job_##name(struct job *job);
#include "jobs/job.def"
#undef JOB

/* Goes on with `next` in a later turn of the loop, after what came in meanwhile. */
void job_continue(struct job *job, uint64_t after_ms, void (*next)(struct job *job));
/* Ends the run, which did `done` things, or failed. */
void job_finish(struct job *job, uint64_t done, bool is_failed);

#endif
