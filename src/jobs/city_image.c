/* Writes an image of the cities' memory (CITY-7): pieces are copied on the loop, in turns of about
 * 1 MiB, and written by a thread. What changes meanwhile is in the log of visits; when the image is
 * durable a command says so, and the log from before its beginning is deleted in slices. If memory
 * is replaced under it, or anything fails, the image before stays the good one. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/id.h"
#include "base/log.h"
#include "base/metric.h"
#include "engine/city_image.h"
#include "engine/visit_log.h"
#include "jobs/city_figures.h"
#include "jobs/image_file.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

enum {
    LOG_SHARE = 16, /* so much of the visits may be in the log only */
    RETRY_MS = 100,
    DURABLE_MS = 2,
    STEP_BYTES = 1 << 20, /* copied at once */
};

struct saving {
    struct job *job;
    struct city_image_writing writing;
    struct buffer chunk;
    const char *data_dir;
    struct image_file file;
    bool is_created, is_last;
    uint64_t number, kept; /* of this image, and of the one before */
    int error;
    uint64_t visits;
    uint64_t forgotten; /* the log is deleted up to there */
    uint64_t hold;      /* of the command that says that it is good */
};

static void finish(struct saving *saving, bool is_failed)
{
    struct job *job = saving->job;
    uint64_t visits = saving->visits;

    if (is_failed && saving->error != 0 && job_tells(job))
        log_event(LOG_ERROR, "city_image_failed", LOG_TEXT("reason", strerror(saving->error)));
    buffer_release(&saving->chunk);
    free(saving);
    job->run = NULL;
    job_finish(job, visits, is_failed);
}

/* The next image begins by deleting all files but this one's: rows must not name another by then,
 * not even after a kill. */
static void finish_durably(struct job *job)
{
    struct saving *saving = job->run;

    if (job->is_stopped || pipeline_durable(job->pipeline) >= saving->hold)
        finish(saving, false);
    else
        job_continue(job, DURABLE_MS, finish_durably);
}

static void forget_slice(struct job *job)
{
    struct saving *saving = job->run;
    struct command command = {
        .type = COMMAND_CITY_IMAGE,
        .of.city_image = {.step = CITY_IMAGE_FORGET, .image = saving->forgotten}};
    struct result result;

    if (job->is_stopped) {
        finish(saving, false);
        return;
    }
    pipeline_run(job->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OK && result.of.city_image.next == 0) {
        finish_durably(job);
        return;
    }
    if (result.outcome == OUTCOME_OK)
        saving->forgotten = result.of.city_image.next;
    job_continue(job, result.outcome == OUTCOME_OK ? 0 : RETRY_MS, forget_slice);
}

/* An image's number is when it was begun. */
static void show_image(uint64_t image)
{
    metric_set(METRIC_CITY_IMAGE, image == 0 ? 0 : id_time_ms(image) / 1000);
}

static void tell(struct job *job)
{
    struct saving *saving = job->run;
    struct command command = {.type = COMMAND_CITY_IMAGE,
                              .of.city_image = {.step = CITY_IMAGE_DONE,
                                                .image = saving->number,
                                                .bytes = saving->writing.bytes,
                                                .crc = saving->writing.crc}};
    struct result result;

    if (job->is_stopped) {
        finish(saving, false);
        return;
    }
    saving->hold = pipeline_run(job->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OVERLOADED || result.outcome == OUTCOME_STORAGE_FULL) {
        job_continue(job, RETRY_MS, tell);
        return;
    }
    if (result.outcome == OUTCOME_OK)
        show_image(saving->number);
    forget_slice(job);
}

/* On a thread of its own. */
static void write_chunk(struct job *job)
{
    struct saving *saving = job->run;

    if (!saving->is_created)
        saving->error =
            image_file_create(&saving->file, saving->data_dir, saving->number, saving->kept);
    saving->is_created = true;
    if (saving->error == 0)
        saving->error = image_file_append(&saving->file, &saving->chunk);
    if (saving->error == 0 && saving->is_last)
        saving->error = image_file_finish(&saving->file);
}

static void on_written(struct job *job);

static void give_up(struct saving *saving)
{
    if (saving->is_created && !saving->is_last)
        image_file_abandon(&saving->file);
    finish(saving, saving->error != 0);
}

static void next_chunk(struct job *job)
{
    struct saving *saving = job->run;
    enum city_image_progress progress;

    if (job->is_stopped) {
        give_up(saving);
        return;
    }
    progress = city_image_next(&saving->writing, STEP_BYTES, &saving->chunk);
    if (progress == CITY_IMAGE_VOID) {
        give_up(saving);
        return;
    }
    saving->is_last = progress == CITY_IMAGE_END;
    job_errand(job, write_chunk, on_written);
}

static void on_written(struct job *job)
{
    struct saving *saving = job->run;

    saving->chunk.size = 0;
    if (saving->error != 0) {
        image_file_abandon(&saving->file);
        finish(saving, true);
    } else if (saving->is_last) {
        tell(job);
    } else {
        next_chunk(job);
    }
}

static uint64_t count_visits(const struct city_index *cities, bool *are_whole)
{
    uint64_t visits = 0;

    *are_whole = true;
    for (uint32_t i = 0; i < cities->count; i++) {
        const struct city *city = cities->cities[i];
        *are_whole = *are_whole && city->is_whole;
        visits += city->is_whole ? city->memory.table.count : 0;
    }
    return visits;
}

static bool is_needed(struct saving *saving)
{
    struct pipeline *pipeline = saving->job->pipeline;
    struct city_image_row row = {.image = 0};
    struct txn *txn = pipeline_read_begin(pipeline);
    bool are_whole;

    city_image_find(txn, &row);
    pipeline_read_end(pipeline, txn);
    saving->kept = row.image;
    show_image(row.image);
    city_figures_show(pipeline_cities(pipeline));
    saving->visits = count_visits(pipeline_cities(pipeline), &are_whole);
    return are_whole && saving->visits > 0 &&
           (row.image == 0 || row.log_entries >= saving->visits / LOG_SHARE + 1);
}

void job_city_image(struct job *job)
{
    struct city_index *cities = pipeline_cities(job->pipeline);
    struct saving *saving = calloc(1, sizeof *saving);
    struct command command = {.type = COMMAND_CITY_IMAGE,
                              .of.city_image = {.step = CITY_IMAGE_BEGIN}};
    struct result result;

    assert(saving != NULL && job->run == NULL);
    saving->job = job;
    saving->data_dir = pipeline_data_dir(job->pipeline);
    buffer_init(&saving->chunk);
    job->run = saving;
    if (saving->data_dir == NULL || !is_needed(saving)) {
        saving->visits = 0;
        finish(saving, false);
        return;
    }
    pipeline_run(job->pipeline, &command, &result);
    if (result.outcome != OUTCOME_OK) {
        finish(saving, true);
        return;
    }
    saving->number = command.number;
    city_image_begin(&saving->writing, cities, saving->number, &saving->chunk);
    next_chunk(job);
}
