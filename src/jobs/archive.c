/* The archive (SMS-19): what has finished long enough ago moves to history, and days of it that are
 * past their time are dropped.
 *
 * First the oldest day that is to be dropped, one a run: enough where time goes its way, and where
 * the clock was set forward by years history is not gone before somebody looks. Then, by chunks:
 * records are made of rows, a millisecond of two; history makes the chunk durable, off the loop;
 * then commands delete the rows. One chunk is in memory at a time. What history could not take
 * stays in rows until the next run, and a day that fails does not hold up the others. A kill
 * between any two of these steps leaves what the next run does again (engine/archive.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metric.h"
#include "engine/archive.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

#define DAY_MS INT64_C(86400000)

enum {
    CHUNK_MESSAGES = HISTORY_APPEND_MAX,
    CHUNK_BYTES = 4 << 20,
    SLICE_NS = 1000000,
    REST_MS = 1, /* after each slice: nobody waits for the archive */
    DELETED_AT_ONCE = 16,
    RETRY_MS = 100,
    DURABLE_MS = 2,
};
static_assert((int)DELETED_AT_ONCE <= (int)MESSAGES_ARCHIVED_MAX, "one command's");

struct encoded {
    struct archived_message message;
    size_t begin, size; /* in `records` */
};

struct archive_run {
    struct job *job;
    int64_t before_ms;
    uint32_t drop_before;
    char from[MESSAGE_FINISHED_KEY_SIZE]; /* where the walk over the finished goes on */
    bool is_walked, is_failed;
    uint64_t done;

    struct buffer records;
    struct encoded encoded[CHUNK_MESSAGES];
    struct history_record asked[CHUNK_MESSAGES];
    struct archived_message kept[CHUNK_MESSAGES]; /* that are history now */
    size_t count, kept_count, deleted;

    struct history_request request;
    uint32_t days[HISTORY_DAYS_MAX];
    size_t day_count, day_next;
    uint64_t hold;
};

static void finish(struct archive_run *run)
{
    struct job *job = run->job;
    uint64_t done = run->done;
    bool is_failed = run->is_failed;

    if (!is_failed && !job->is_stopped)
        metric_set(METRIC_ARCHIVE_SUCCESS, pipeline_now_ms(job->pipeline) / 1000);
    buffer_release(&run->records);
    free(run);
    job->run = NULL;
    job_finish(job, done, is_failed);
}

/* True: it has to stop, and did. */
static bool stops(struct archive_run *run)
{
    if (!run->job->is_stopped)
        return false;
    finish(run);
    return true;
}

static void ask(struct job *job)
{
    struct archive_run *run = job->run;

    if (!stops(run) && pipeline_history(job->pipeline, &run->request) != 0)
        job_continue(job, RETRY_MS, ask);
}

/* --- dropping ------------------------------------------------------------------------------------
 *
 * Before anything is archived: it makes room. */

static void begin_chunk(struct job *job);
static void drop_next(struct job *job);

static void on_dropped(void *context, int error)
{
    struct archive_run *run = context;

    if (stops(run))
        return;
    if (error == 0) {
        char text[HISTORY_DAY_TEXT_SIZE];
        history_day_text(text, run->request.day);
        log_event(LOG_INFO, "history_dropped", LOG_TEXT("day", text));
        begin_chunk(run->job);
    } else {
        run->is_failed = true;
        drop_next(run->job);
    }
}

/* Its sums are kept before it goes: durably, or verify would miss it after a kill. */
static void drop_file(struct job *job)
{
    struct archive_run *run = job->run;

    if (stops(run))
        return;
    if (pipeline_durable(job->pipeline) < run->hold) {
        job_continue(job, DURABLE_MS, drop_file);
        return;
    }
    run->request = (struct history_request){.kind = HISTORY_DROP,
                                            .day = run->days[run->day_next++],
                                            .on_end = on_dropped,
                                            .end_context = run};
    ask(job);
}

static void drop_next(struct job *job)
{
    struct archive_run *run = job->run;
    struct command command = {.type = COMMAND_HISTORY_DROP};
    struct result result;

    if (stops(run))
        return;
    if (run->day_next == run->day_count || run->days[run->day_next] >= run->drop_before) {
        begin_chunk(job);
        return;
    }
    command.of.history_drop.day = run->days[run->day_next];
    run->hold = pipeline_run(job->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OK)
        drop_file(job);
    else
        job_continue(job, RETRY_MS, drop_next);
}

static bool has_file(const struct archive_run *run, uint32_t day)
{
    for (size_t i = 0; i < run->day_count; i++) {
        if (run->days[i] == day)
            return true;
    }
    return false;
}

/* One line, however many there are. */
static void tell_missing(struct archive_run *run, uint32_t day, uint64_t count)
{
    char text[HISTORY_DAY_TEXT_SIZE];

    history_day_text(text, day);
    if (job_tells(run->job))
        log_event(LOG_ERROR, "history_missing", LOG_TEXT("day", text), LOG_NUMBER("days", count));
    run->is_failed = true;
}

/* A day that rows speak of and that is not there was taken away by somebody. */
static void look_for_missing(struct archive_run *run)
{
    struct txn *txn = pipeline_read_begin(run->job->pipeline);
    struct txn_walk *walk = txn_walk(txn, TABLE_HISTORY_DAY, WALK_UP, NULL, 0);
    struct history_day_row row;
    uint32_t day, first = 0;
    uint64_t count = 0;

    while (txn_walk_next(walk)) {
        if (!history_day_read(walk->key, walk->key_size, walk->value, walk->value_size, &day,
                              &row) ||
            day == HISTORY_DAYS_DROPPED || has_file(run, day))
            continue;
        if (count++ == 0)
            first = day;
    }
    txn_walk_end(walk);
    pipeline_read_end(run->job->pipeline, txn);
    if (count > 0)
        tell_missing(run, first, count);
}

static void begin_drops(struct archive_run *run)
{
    run->day_count = history_days(store_history(pipeline_store(run->job->pipeline)), run->days);
    look_for_missing(run);
    drop_next(run->job);
}

/* --- chunks --------------------------------------------------------------------------------------
 */

static void gather(struct job *job);

static void begin_chunk(struct job *job)
{
    struct archive_run *run = job->run;

    run->count = 0;
    run->records.size = 0;
    gather(job);
}

static void delete_slice(struct job *job)
{
    struct archive_run *run = job->run;
    uint64_t begun_ns = clock_monotonic_ns();

    if (stops(run))
        return;
    while (run->deleted < run->kept_count && clock_monotonic_ns() - begun_ns < SLICE_NS) {
        size_t left = run->kept_count - run->deleted;
        size_t count = left < DELETED_AT_ONCE ? left : DELETED_AT_ONCE;
        struct command command = {.type = COMMAND_MESSAGES_ARCHIVED};
        struct result result;
        command.of.messages_archived =
            (struct messages_archived_command){run->kept + run->deleted, count};
        if (pipeline_has_room(job->pipeline))
            pipeline_run(job->pipeline, &command, &result);
        else
            result.outcome = OUTCOME_OVERLOADED;
        if (result.outcome != OUTCOME_OK) {
            job_continue(job, RETRY_MS, delete_slice);
            return;
        }
        run->deleted += count;
        run->done += result.of.messages_archived.archived;
        metric_add(METRIC_MESSAGES_ARCHIVED, result.of.messages_archived.archived);
    }
    job_continue(job, REST_MS, run->deleted < run->kept_count ? delete_slice : begin_chunk);
}

/* With no record taken, be it for want of room, there is nothing to be had by going on; but a day
 * that is damaged is only that. */
static void on_appended(void *context, int error)
{
    struct archive_run *run = context;

    if (stops(run))
        return;
    run->is_failed = run->is_failed || error != 0;
    run->kept_count = run->deleted = 0;
    for (size_t i = 0; i < run->count; i++) {
        if (run->asked[i].is_kept)
            run->kept[run->kept_count++] = run->encoded[i].message;
    }
    if (run->kept_count == 0 && error != 0 && error != ERR_DAMAGED)
        finish(run);
    else
        delete_slice(run->job);
}

static int compare_encoded(const void *a, const void *b)
{
    const struct encoded *x = a, *y = b;

    return (x->message.number > y->message.number) - (x->message.number < y->message.number);
}

static void append(struct archive_run *run)
{
    qsort(run->encoded, run->count, sizeof *run->encoded, compare_encoded);
    for (size_t i = 0; i < run->count; i++) {
        const struct encoded *one = &run->encoded[i];
        run->asked[i] = (struct history_record){.number = one->message.number,
                                                .to = one->message.to,
                                                .company = one->message.company,
                                                .value = run->records.data + one->begin,
                                                .value_size = one->size};
    }
    run->request = (struct history_request){.kind = HISTORY_APPEND,
                                            .records = run->asked,
                                            .record_count = run->count,
                                            .on_end = on_appended,
                                            .end_context = run};
    ask(run->job);
}

static bool is_full(const struct archive_run *run)
{
    return run->count == CHUNK_MESSAGES || run->records.size >= CHUNK_BYTES;
}

static void encode(struct archive_run *run, struct txn *txn, uint64_t number)
{
    struct encoded *one = &run->encoded[run->count];

    one->begin = run->records.size;
    if (!archive_encode(txn, number, run->before_ms, &run->records, &one->message))
        return; /* something is owed: it stays */
    one->size = run->records.size - one->begin;
    run->count++;
}

/* Of those that have finished, the next. Rows that were deleted lie in memory until a checkpoint:
 * the walk goes on from where it was. */
static void gather_slice(struct archive_run *run, struct txn *txn)
{
    uint64_t begun_ns = clock_monotonic_ns();
    struct txn_walk *walk =
        txn_walk(txn, TABLE_MESSAGE_FINISHED, WALK_UP, run->from, sizeof run->from);
    bool goes_on = true;

    while (goes_on && !is_full(run) && clock_monotonic_ns() - begun_ns < SLICE_NS) {
        goes_on = txn_walk_next(walk) && (int64_t)bytes_get_u64_be(walk->key) < run->before_ms;
        if (!goes_on)
            break;
        memcpy(run->from, walk->key, sizeof run->from);
        encode(run, txn, bytes_get_u64_be(run->from + 8));
        bytes_put_u64_be(run->from + 8, bytes_get_u64_be(run->from + 8) + 1);
    }
    run->is_walked = !goes_on;
    txn_walk_end(walk);
}

static void gather(struct job *job)
{
    struct archive_run *run = job->run;
    struct txn *txn;

    if (stops(run))
        return;
    if (!run->is_walked && !is_full(run)) {
        txn = pipeline_read_begin(job->pipeline);
        gather_slice(run, txn);
        pipeline_read_end(job->pipeline, txn);
    }
    if (!run->is_walked && !is_full(run))
        job_continue(job, REST_MS, gather);
    else if (run->count > 0)
        append(run);
    else
        finish(run);
}

void job_archive(struct job *job)
{
    struct archive_run *run;
    int64_t now_ms = pipeline_now_ms(job->pipeline);
    const struct jobs_options *options = jobs_options(job->jobs);

    if (store_history(pipeline_store(job->pipeline)) == NULL) {
        job_finish(job, 0, false); /* rows in memory only */
        return;
    }
    assert(job->run == NULL);
    run = calloc(1, sizeof *run);
    assert(run != NULL);
    run->job = job;
    run->before_ms = now_ms - options->archive_after_ms;
    run->drop_before = (uint32_t)(now_ms / DAY_MS - options->history_days);
    buffer_init(&run->records);
    job->run = run;
    begin_drops(run);
}
