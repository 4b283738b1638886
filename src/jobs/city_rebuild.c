/* Makes the memory of all cities anew from the rows of visits (CITY-6): a scan off the loop, as of
 * one moment, while the old memory goes on answering and new visits are put on a list; then that
 * list, in slices; then the two are swapped, in one turn. Visits that no window asks for any more
 * are left out, and their rows deleted, some hundred a turn. It also runs at start, since this
 * memory is not kept on disk: until it is there rows are asked. */
#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "engine/city_index.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

enum {
    EXPIRED_MAX = 4 << 20, /* 64 MiB; what is beyond waits for the next run */
    SLICE_EXPIRED = 256,
    SLICE_NOTED = 2048,
    RETRY_MS = 100,
};

struct rebuild {
    struct job *job;
    struct city_build *build;
    struct visit_key *expired;
    size_t count, capacity, deleted;
    uint64_t visits;
};

static void note_expired(struct rebuild *rebuild, const struct visit_key *key)
{
    if (rebuild->count == EXPIRED_MAX)
        return;
    if (rebuild->count == rebuild->capacity) {
        rebuild->capacity = rebuild->capacity == 0 ? 1024 : rebuild->capacity * 2;
        rebuild->expired = realloc(rebuild->expired, rebuild->capacity * sizeof *rebuild->expired);
        assert(rebuild->expired != NULL);
    }
    rebuild->expired[rebuild->count++] = *key;
}

/* On the scan's thread. */
static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct rebuild *rebuild = context;
    struct visit_key visit = {.mobile = bytes_get_u64_be((const char *)key + 4)};
    struct visit_row row;

    (void)table;
    assert(key_size == VISIT_KEY_SIZE);
    memcpy(&visit.city, key, sizeof visit.city);
    visit.city = __builtin_bswap32(visit.city);
    visit_row_of(value, value_size, &row);
    rebuild->visits++;
    if (!city_build_row(rebuild->build, &visit, &row))
        note_expired(rebuild, &visit);
    return 0;
}

static void finish(struct rebuild *rebuild, bool is_failed)
{
    struct job *job = rebuild->job;
    uint64_t visits = rebuild->visits;

    free(rebuild->expired);
    free(rebuild);
    job->run = NULL;
    job_finish(job, visits, is_failed);
}

/* A window may have become longer since. */
static void take_windows(const struct city_index *cities, struct visit_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t window_days = cities->cities[keys[i].city]->view.row.window_days;
        if (window_days > keys[i].window_days)
            keys[i].window_days = window_days;
    }
}

static void delete_slice(struct job *job)
{
    struct rebuild *rebuild = job->run;
    size_t left = rebuild->count - rebuild->deleted;
    struct command command = {.type = COMMAND_VISIT_EXPIRE};
    struct result result;

    if (left == 0 || job->is_stopped) {
        finish(rebuild, false);
        return;
    }
    command.of.visit_expire.keys = rebuild->expired + rebuild->deleted;
    command.of.visit_expire.count = left < SLICE_EXPIRED ? left : SLICE_EXPIRED;
    take_windows(pipeline_cities(job->pipeline), rebuild->expired + rebuild->deleted,
                 command.of.visit_expire.count);
    pipeline_run(job->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OK)
        rebuild->deleted += command.of.visit_expire.count;
    job_continue(job, result.outcome == OUTCOME_OK ? 0 : RETRY_MS, delete_slice);
}

static void catch_up(struct job *job)
{
    struct city_index *cities = pipeline_cities(job->pipeline);

    if (job->is_stopped) {
        city_build_drop(cities);
        finish(job->run, false);
    } else if (city_build_catch_up(cities, SLICE_NOTED)) {
        city_build_adopt(cities);
        delete_slice(job);
    } else {
        job_continue(job, 0, catch_up);
    }
}

static void on_scan_end(void *context, int error)
{
    struct rebuild *rebuild = context;

    if (error == 0) {
        catch_up(rebuild->job);
        return;
    }
    city_build_drop(pipeline_cities(rebuild->job->pipeline));
    finish(rebuild, true);
}

void job_city_rebuild(struct job *job)
{
    static const enum table tables[] = {TABLE_VISIT};
    struct rebuild *rebuild = calloc(1, sizeof *rebuild);
    struct pipeline_scan scan = {.tables = tables,
                                 .table_count = 1,
                                 .on_row = on_row,
                                 .on_end = on_scan_end,
                                 .context = rebuild};

    assert(rebuild != NULL && job->run == NULL);
    rebuild->job = job;
    job->run = rebuild;
    if (pipeline_cities(job->pipeline)->count == 0) {
        finish(rebuild, false);
        return;
    }
    rebuild->build = city_build_new(pipeline_cities(job->pipeline), pipeline_now_ms(job->pipeline));
    if (pipeline_scan(job->pipeline, &scan) != 0) {
        city_build_drop(pipeline_cities(job->pipeline));
        finish(rebuild, true);
    }
}
