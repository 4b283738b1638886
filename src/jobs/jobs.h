/* The timers, as rows of job.def. A job runs when its time has come by smsd's own clock, never
 * twice at once; what it changes it changes by commands. After a run that failed the next is twenty
 * minutes later at the latest. Loop thread only. */
#ifndef SMSD_JOBS_JOBS_H
#define SMSD_JOBS_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct gateways;
struct jobs;
struct pipeline;
struct uv_loop_s;

struct jobs_options {
    int64_t archive_after_ms; /* messages stay rows for so long after they have finished */
    int64_t history_days;     /* kept of history */
};

struct jobs *jobs_new(struct pipeline *pipeline, struct gateways *gateways, struct uv_loop_s *loop,
                      const struct jobs_options *options);
/* From the next run of each job on. */
void jobs_set_options(struct jobs *jobs, const struct jobs_options *options);
/* No further runs. What is under way ends early, or when the pipeline closes. Then the loop must
 * run until the handles are closed. */
void jobs_stop(struct jobs *jobs);
void jobs_free(struct jobs *jobs);

/* Runs what is due by now and calls `on_done` when it has ended (at once if nothing is). */
void jobs_run_due(struct jobs *jobs, void (*on_done)(void *context), void *context);
/* Runs one now; if it is running already, waits for that run. */
void jobs_run(struct jobs *jobs, int job, void (*on_done)(void *context), void *context);

struct job_status {
    const char *name, *description;
    int64_t interval_ms;
    int64_t last_run_ms; /* 0: not yet since the start */
    int64_t next_run_ms;
    uint64_t done, failed; /* things done by it since the start, and runs that failed */
    bool is_running;
};
int jobs_count(void);
int jobs_find(struct text name); /* -1: none of that name */
void jobs_status(const struct jobs *jobs, int job, struct job_status *status);

#endif
