/* One uv timer for all jobs, set to the next that is due; a job's own timer only while it runs in
 * slices. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

struct waiter {
    void (*on_done)(void *context);
    void *context;
    struct waiter *next;
};

/* Several waiters' common end: jobs_run_due waits for every job that is due. */
struct countdown {
    int left;
    void (*on_done)(void *context);
    void *context;
};

enum trigger { TRIGGER_TIMER, TRIGGER_DUE, TRIGGER_START };

static const struct {
    const char *name, *description;
    enum trigger trigger;
    int64_t interval_ms;
    void (*run)(struct job *job);
} infos[] = {
#define JOB(name, trigger, interval_ms, description)                                               \
    {#name, description, TRIGGER_##trigger, interval_ms, job_##name},
#include "jobs/job.def"
#undef JOB
};

enum { JOB_COUNT = sizeof infos / sizeof *infos };

#define TELL_AGAIN_NS (UINT64_C(60) * 60 * 1000000000)
#define RETRY_MS_MAX  (INT64_C(20) * 60 * 1000) /* a run that failed is not left for a day */

struct jobs {
    struct pipeline *pipeline;
    uv_timer_t timer;
    struct jobs_options options;
    struct job items[JOB_COUNT];
    bool is_stopped;
};

static void on_timer(uv_timer_t *timer);

static void set_timer(struct jobs *jobs)
{
    int64_t now_ms = pipeline_now_ms(jobs->pipeline), next_ms = INT64_MAX;

    if (jobs->is_stopped)
        return;
    for (int i = 0; i < JOB_COUNT; i++) {
        const struct job_status *status = &jobs->items[i].status;
        if (!status->is_running && status->next_run_ms < next_ms)
            next_ms = status->next_run_ms;
    }
    if (next_ms == INT64_MAX)
        uv_timer_stop(&jobs->timer);
    else
        uv_timer_start(&jobs->timer, on_timer, next_ms > now_ms ? (uint64_t)(next_ms - now_ms) : 0,
                       0);
}

static void job_start(struct job *job)
{
    int index = (int)(job - job->jobs->items);

    if (job->status.is_running)
        return;
    job->status.is_running = true;
    job->status.last_run_ms = pipeline_now_ms(job->pipeline);
    job->status.next_run_ms = job->status.last_run_ms + job->status.interval_ms;
    infos[index].run(job);
}

static void start_due(struct jobs *jobs)
{
    int64_t now_ms = pipeline_now_ms(jobs->pipeline);

    for (int i = 0; i < JOB_COUNT; i++) {
        if (jobs->items[i].status.next_run_ms <= now_ms)
            job_start(&jobs->items[i]);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct jobs *jobs = timer->data;

    start_due(jobs);
    set_timer(jobs);
}

static void wait_for(struct job *job, void (*on_done)(void *context), void *context)
{
    struct waiter *waiter = malloc(sizeof *waiter);

    assert(waiter != NULL);
    *waiter = (struct waiter){on_done, context, job->waiters};
    job->waiters = waiter;
}

bool job_tells(const struct job *job)
{
    return !job->has_failed || clock_monotonic_ns() - job->told_ns >= TELL_AGAIN_NS;
}

static void log_end(struct job *job, uint64_t done, bool is_failed)
{
    bool is_told = is_failed && job_tells(job);

    log_event(is_told ? LOG_WARNING : LOG_DEBUG, "job_ended", LOG_TEXT("job", job->status.name),
              LOG_NUMBER("done", done), LOG_NUMBER("failed", is_failed));
    if (is_told)
        job->told_ns = clock_monotonic_ns();
    job->has_failed = is_failed;
    metric_add(METRIC_JOB_FAILURES, is_failed);
}

void job_finish(struct job *job, uint64_t done, bool is_failed)
{
    struct waiter *waiter = job->waiters, *next;

    assert(job->status.is_running);
    job->status.is_running = false;
    job->status.done += done;
    job->status.failed += is_failed;
    job->waiters = NULL;
    log_end(job, done, is_failed);
    if (is_failed && job->status.interval_ms > RETRY_MS_MAX)
        job->status.next_run_ms = job->status.last_run_ms + RETRY_MS_MAX;
    set_timer(job->jobs);
    for (; waiter != NULL; waiter = next) {
        next = waiter->next;
        waiter->on_done(waiter->context);
        free(waiter);
    }
}

static void on_slice(uv_timer_t *timer)
{
    struct job *job = timer->data;

    job->next(job);
}

static void on_turn(uv_idle_t *idle)
{
    struct job *job = idle->data;

    uv_idle_stop(idle);
    job->next(job);
}

void job_continue(struct job *job, uint64_t after_ms, void (*next)(struct job *job))
{
    job->next = next;
    if (after_ms == 0)
        uv_idle_start(&job->turn, on_turn);
    else
        uv_timer_start(&job->slice, on_slice, after_ms, 0);
}

static void on_thread(void *context)
{
    struct job *job = context;

    job->work(job);
    uv_async_send(&job->errand_end);
}

void job_errand(struct job *job, void (*work)(struct job *job), void (*next)(struct job *job))
{
    assert(!job->has_errand);
    job->next = next;
    job->work = work;
    job->has_errand = true;
    int error = uv_thread_create(&job->errand, on_thread, job);
    if (error != 0)
        log_fatal("cannot start a thread", NULL, -error);
}

static void end_errand(struct job *job)
{
    uv_thread_join(&job->errand);
    job->has_errand = false;
    job->next(job);
}

static void on_errand_end(uv_async_t *async)
{
    struct job *job = async->data;

    if (job->has_errand)
        end_errand(job);
}

static void on_one_done(void *context)
{
    struct countdown *countdown = context;

    if (--countdown->left > 0)
        return;
    countdown->on_done(countdown->context);
    free(countdown);
}

void jobs_run_due(struct jobs *jobs, void (*on_done)(void *context), void *context)
{
    struct countdown *countdown = malloc(sizeof *countdown);
    int64_t now_ms = pipeline_now_ms(jobs->pipeline);

    assert(countdown != NULL);
    *countdown = (struct countdown){1, on_done, context};
    for (int i = 0; i < JOB_COUNT; i++) {
        struct job *job = &jobs->items[i];
        if (infos[i].trigger == TRIGGER_DUE && !job->status.is_running)
            job->status.next_run_ms = now_ms;
        if (job->status.next_run_ms <= now_ms || job->status.is_running) {
            countdown->left++;
            wait_for(job, on_one_done, countdown);
        }
    }
    start_due(jobs);
    set_timer(jobs);
    on_one_done(countdown);
}

void jobs_run(struct jobs *jobs, int index, void (*on_done)(void *context), void *context)
{
    struct job *job = &jobs->items[index];

    wait_for(job, on_done, context);
    job_start(job);
}

/* The pipeline knows of something that is due now. */
static void on_due(void *context)
{
    struct jobs *jobs = context;

    for (int i = 0; i < JOB_COUNT && !jobs->is_stopped; i++) {
        if (infos[i].trigger == TRIGGER_DUE)
            job_start(&jobs->items[i]);
    }
    set_timer(jobs);
}

const struct jobs_options *jobs_options(const struct jobs *jobs)
{
    return &jobs->options;
}

void jobs_set_options(struct jobs *jobs, const struct jobs_options *options)
{
    jobs->options = *options;
}

struct jobs *jobs_new(struct pipeline *pipeline, struct gateways *gateways, uv_loop_t *loop,
                      const struct jobs_options *options)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    int64_t now_ms = pipeline_now_ms(pipeline);

    assert(jobs != NULL);
    jobs->pipeline = pipeline;
    jobs->options = *options;
    uv_timer_init(loop, &jobs->timer);
    uv_unref((uv_handle_t *)&jobs->timer);
    jobs->timer.data = jobs;
    for (int i = 0; i < JOB_COUNT; i++) {
        struct job *job = &jobs->items[i];
        *job = (struct job){.jobs = jobs,
                            .pipeline = pipeline,
                            .gateways = gateways,
                            .status = {.name = infos[i].name,
                                       .description = infos[i].description,
                                       .interval_ms = infos[i].interval_ms,
                                       .next_run_ms = now_ms + infos[i].interval_ms}};
        if (infos[i].trigger == TRIGGER_START)
            job->status.next_run_ms = now_ms;
        uv_idle_init(loop, &job->turn);
        uv_unref((uv_handle_t *)&job->turn);
        job->turn.data = job;
        uv_timer_init(loop, &job->slice);
        uv_unref((uv_handle_t *)&job->slice);
        job->slice.data = job;
        uv_async_init(loop, &job->errand_end, on_errand_end);
        uv_unref((uv_handle_t *)&job->errand_end);
        job->errand_end.data = job;
    }
    pipeline_watch_due(pipeline, on_due, jobs);
    pipeline_wait_due(pipeline, now_ms); /* what became due while smsd was down */
    set_timer(jobs);
    return jobs;
}

void jobs_stop(struct jobs *jobs)
{
    jobs->is_stopped = true;
    uv_close((uv_handle_t *)&jobs->timer, NULL);
    for (int i = 0; i < JOB_COUNT; i++) {
        struct job *job = &jobs->items[i];
        bool is_waiting =
            uv_is_active((uv_handle_t *)&job->slice) || uv_is_active((uv_handle_t *)&job->turn);
        job->is_stopped = true;
        uv_close((uv_handle_t *)&job->slice, NULL);
        if (job->has_errand)
            end_errand(job); /* as below */
        uv_close((uv_handle_t *)&job->errand_end, NULL);
        uv_close((uv_handle_t *)&job->turn, NULL);
        if (is_waiting)
            job->next(job); /* sees is_stopped and finishes */
    }
}

void jobs_free(struct jobs *jobs)
{
    for (int i = 0; jobs != NULL && i < JOB_COUNT; i++)
        free(jobs->items[i].kept);
    free(jobs);
}

int jobs_count(void)
{
    return JOB_COUNT;
}

int jobs_find(struct text name)
{
    for (int i = 0; i < JOB_COUNT; i++) {
        if (text_equals((struct text){infos[i].name, strlen(infos[i].name)}, name))
            return i;
    }
    return -1;
}

void jobs_status(const struct jobs *jobs, int job, struct job_status *status)
{
    *status = jobs->items[job].status;
}
