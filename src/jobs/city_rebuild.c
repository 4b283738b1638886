/* Makes the memory of cities anew from the rows of visits (CITY-6): a scan off the loop, as of one
 * moment, while the old memory goes on answering and new visits are put on a list; then that list,
 * in slices; then the two are swapped, in one turn. Visits that no window asks for any more are
 * left out, and their rows deleted, some hundred a turn. It makes all cities anew, or, one after
 * the other, those that somebody wants it of.
 *
 * At the start there is nothing in memory. An image may hold it (CITY-7), read on a thread of its
 * own, and the log of visits since is scanned instead of the visits; what is wrong with the image
 * is logged, and the visits are. Until either is done rows are asked. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/log.h"
#include "engine/city_image.h"
#include "engine/visit_log.h"
#include "jobs/city_figures.h"
#include "jobs/image_file.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

enum {
    EXPIRED_BYTES_MAX = 64 << 20, /* what is beyond waits for the next run */
    SLICE_EXPIRED = 256,
    SLICE_NOTED = 2048,
    RETRY_MS = 100,
};

struct rebuild {
    struct job *job;
    struct city_build *build;
    struct buffer expired; /* struct visit_key */
    size_t deleted;        /* of these */
    uint64_t visits;
    struct city_image_row image; /* of what is loaded */
    char path[IMAGE_PATH_MAX];
    const char *wrong;
};

static void begin_scan(struct rebuild *rebuild, uint32_t city);
static void on_image(struct job *job);

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
    if (!city_build_row(rebuild->build, &visit, &row) && rebuild->expired.size < EXPIRED_BYTES_MAX)
        buffer_append(&rebuild->expired, &visit, sizeof visit);
    return 0;
}

/* The same, where an image was loaded: what was changed before it may still be in the log. */
static int on_log_row(void *context, enum table table, const void *key, size_t key_size,
                      const void *value, size_t value_size)
{
    struct rebuild *rebuild = context;

    (void)table;
    assert(key_size == sizeof(uint64_t));
    if (bytes_get_u64_be(key) > rebuild->image.log_from)
        city_build_log(rebuild->build, value, value_size);
    return 0;
}

static void finish(struct rebuild *rebuild, bool is_failed)
{
    struct job *job = rebuild->job;
    uint64_t visits = rebuild->visits;

    buffer_release(&rebuild->expired);
    free(rebuild);
    job->run = NULL;
    job_finish(job, visits, is_failed);
}

static uint32_t find_wanted(const struct city_index *cities)
{
    for (uint32_t i = 0; i < cities->count; i++) {
        if (cities->cities[i]->is_rebuild_wanted)
            return i;
    }
    return CITY_NONE;
}

/* What somebody has asked for meanwhile. */
static void go_on(struct rebuild *rebuild)
{
    uint32_t wanted = find_wanted(pipeline_cities(rebuild->job->pipeline));

    if (wanted == CITY_NONE || rebuild->job->is_stopped)
        finish(rebuild, false);
    else
        begin_scan(rebuild, wanted);
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
    size_t left = rebuild->expired.size / sizeof(struct visit_key) - rebuild->deleted;
    struct command command = {.type = COMMAND_VISIT_EXPIRE};
    struct visit_key *keys;
    struct result result;
    size_t count;

    if (left == 0 || job->is_stopped) {
        go_on(rebuild);
        return;
    }
    keys = (struct visit_key *)(void *)rebuild->expired.data + rebuild->deleted;
    count = left < SLICE_EXPIRED ? left : SLICE_EXPIRED;
    take_windows(pipeline_cities(job->pipeline), keys, count);
    command.of.visit_expire = (struct visit_expire_command){keys, count};
    pipeline_run(job->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OK)
        rebuild->deleted += count;
    job_continue(job, result.outcome == OUTCOME_OK ? 0 : RETRY_MS, delete_slice);
}

static bool is_old(struct job *job)
{
    return pipeline_now_ms(job->pipeline) - pipeline_cities(job->pipeline)->rebuilt_ms >= DAY_MS;
}

static void drop_overrun(struct rebuild *rebuild)
{
    if (job_tells(rebuild->job))
        log_event(LOG_WARNING, "city_rebuild_overrun", LOG_NUMBER("visits", rebuild->visits));
    city_build_drop(pipeline_cities(rebuild->job->pipeline));
    finish(rebuild, true);
}

static void catch_up(struct job *job)
{
    struct city_index *cities = pipeline_cities(job->pipeline);
    struct rebuild *rebuild = job->run;

    if (job->is_stopped) {
        city_build_drop(cities);
        finish(rebuild, false);
    } else if (city_build_is_overrun(cities->build)) {
        drop_overrun(rebuild);
    } else if (!city_build_catch_up(cities, SLICE_NOTED)) {
        job_continue(job, 0, catch_up);
    } else {
        city_build_adopt(cities);
        city_figures_show(cities);
        if (rebuild->image.image != 0 && is_old(job))
            begin_scan(rebuild, CITY_NONE);
        else
            delete_slice(job);
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

static void scan(struct rebuild *rebuild, const struct pipeline_scan *scan)
{
    struct pipeline *pipeline = rebuild->job->pipeline;

    if (pipeline_scan(pipeline, scan) == 0)
        return;
    city_build_drop(pipeline_cities(pipeline));
    finish(rebuild, true);
}

static void begin_build(struct rebuild *rebuild, uint32_t city)
{
    struct pipeline *pipeline = rebuild->job->pipeline;
    struct city_index *cities = pipeline_cities(pipeline);

    for (uint32_t i = 0; i < cities->count; i++) {
        if (city == CITY_NONE || city == i)
            cities->cities[i]->is_rebuild_wanted = false;
    }
    rebuild->build = city_build_new(cities, pipeline_now_ms(pipeline), city);
}

static void begin_scan(struct rebuild *rebuild, uint32_t city)
{
    static const enum table tables[] = {TABLE_VISIT};
    uint32_t prefix = __builtin_bswap32(city); /* of a visit's key */

    rebuild->expired.size = rebuild->deleted = 0;
    rebuild->image = (struct city_image_row){.image = 0};
    begin_build(rebuild, city);
    scan(rebuild, &(struct pipeline_scan){.tables = tables,
                                          .table_count = 1,
                                          .prefix = &prefix,
                                          .prefix_size = city == CITY_NONE ? 0 : sizeof prefix,
                                          .on_row = on_row,
                                          .on_end = on_scan_end,
                                          .context = rebuild});
}

/* --- from an image -------------------------------------------------------------------------------
 */

/* On a thread of its own. */
static void load_image(struct job *job)
{
    struct rebuild *rebuild = job->run;
    struct image_bytes bytes;
    int error = image_bytes_open(&bytes, rebuild->path);

    if (error != 0) {
        rebuild->wrong = strerror(error);
        return;
    }
    rebuild->wrong = city_image_load(rebuild->build, &rebuild->image, bytes.data, bytes.size);
    image_bytes_close(&bytes);
}

static void on_image(struct job *job)
{
    static const enum table tables[] = {TABLE_VISIT_LOG};
    struct rebuild *rebuild = job->run;

    log_event(rebuild->wrong == NULL ? LOG_INFO : LOG_WARNING,
              rebuild->wrong == NULL ? "city_image_read" : "city_image_refused",
              LOG_TEXT("file", rebuild->path), LOG_TEXT("reason", rebuild->wrong));
    if (rebuild->wrong != NULL || job->is_stopped) {
        city_build_drop(pipeline_cities(job->pipeline));
        if (job->is_stopped)
            finish(rebuild, false);
        else
            begin_scan(rebuild, CITY_NONE);
        return;
    }
    scan(rebuild, &(struct pipeline_scan){.tables = tables,
                                          .table_count = 1,
                                          .on_row = on_log_row,
                                          .on_end = on_scan_end,
                                          .context = rebuild});
}

/* False: there is none. */
static bool begin_image(struct rebuild *rebuild)
{
    struct pipeline *pipeline = rebuild->job->pipeline;
    struct txn *txn = pipeline_read_begin(pipeline);
    bool is_there = city_image_find(txn, &rebuild->image);

    pipeline_read_end(pipeline, txn);
    if (!is_there || rebuild->image.image == 0 || pipeline_data_dir(pipeline) == NULL)
        return false;
    image_path(rebuild->path, pipeline_data_dir(pipeline), rebuild->image.image, "");
    begin_build(rebuild, CITY_NONE);
    job_errand(rebuild->job, load_image, on_image);
    return true;
}

void job_city_rebuild(struct job *job)
{
    struct city_index *cities = pipeline_cities(job->pipeline);
    struct rebuild *rebuild = calloc(1, sizeof *rebuild);
    bool is_start = job->kept == NULL; /* what is kept is only that there was one */

    assert(rebuild != NULL && job->run == NULL);
    rebuild->job = job;
    buffer_init(&rebuild->expired);
    job->run = rebuild;
    if (is_start)
        job->kept = calloc(1, 1);
    if (cities->count == 0) {
        cities->rebuilt_ms = pipeline_now_ms(job->pipeline);
        finish(rebuild, false);
    } else if (!is_start || !begin_image(rebuild)) {
        begin_scan(rebuild, is_old(job) ? CITY_NONE : find_wanted(cities));
    }
}
