/* /v1/jobs (OPS-9): the timers, when they ran, when they run next, and running one now. */
#include <assert.h>
#include <stdlib.h>

#include "api/deferred.h"
#include "api/page.h"
#include "jobs/jobs.h"

static void write_job(struct json_writer *w, const struct job_status *job)
{
    json_object_begin(w, NULL);
    json_string(w, "name", job->name);
    json_string(w, "description", job->description);
    json_int(w, "interval_ms", job->interval_ms);
    json_time_or_null(w, "last_run_at", job->last_run_ms);
    json_time(w, "next_run_at", job->next_run_ms);
    json_bool(w, "running", job->is_running);
    json_int(w, "done", (int64_t)job->done);
    json_int(w, "failed", (int64_t)job->failed);
    json_object_end(w);
}

/* In the order in which they are declared: a cursor is how many were shown before. */
void api_job_list(struct call *call)
{
    uint64_t next = 0, count = (uint64_t)jobs_count();
    struct json_writer w;
    struct page page;

    if (!call_bind_page(call, &page) || !call_page_after(call, &page, &next))
        return;
    w = call_begin_list(call);
    for (; next < count && page.limit > 0; next++, page.limit--) {
        struct job_status status;
        jobs_status(call->api->jobs, (int)next, &status);
        write_job(&w, &status);
    }
    call_end_list(&w, next < count ? next : 0);
}

struct run {
    struct api *api;
    struct deferred deferred;
    int job;
};

static void on_done(void *context)
{
    struct run *run = context;
    struct job_status status;
    struct buffer body;
    struct json_writer w;

    buffer_init(&body);
    w = json_writer(&body);
    jobs_status(run->api->jobs, run->job, &status);
    write_job(&w, &status);
    deferred_answer(&run->deferred, &body);
    buffer_release(&body);
    free(run);
}

void api_job_run(struct call *call)
{
    int job = jobs_find(call->params[0]);
    struct run *run;

    if (job < 0) {
        call_refuse(call, OUTCOME_NOT_FOUND, NULL);
        return;
    }
    run = calloc(1, sizeof *run);
    assert(run != NULL);
    run->api = call->api;
    run->job = job;
    call_defer(call, &run->deferred);
    jobs_run(call->api->jobs, job, on_done, run);
}
