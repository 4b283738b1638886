/* The checkpoint thread, see checkpoint.h. The position moves only with the last of its LMDB
 * transactions: a crash before that leaves rows that replay of the journal writes again, all of
 * them. */
#include "store/checkpoint.h"

#include <errno.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/crash_point.h"
#include "store/sorted_rows.h"
#include "store/store_struct.h"

enum { BACKOFF_MAX_S = 30, ROWS_AHEAD = 8 };

static int write_row(const struct checkpoint *checkpoint, struct tree_writer *writer,
                     const struct overlay *overlay, const struct row *row, struct buffer *why)
{
    if (row->is_deleted)
        tree_writer_delete(writer, row->table, row_key(row), row->key_size);
    else
        tree_writer_put(writer, row->table, row_key(row), row->key_size,
                        overlay_value(overlay, row), row->value_size);
    if (!tree_writer_is_full(writer))
        return 0;
    crash_point("checkpoint.before_commit");
    int error = tree_writer_commit(writer, NULL, why);
    if (error != 0)
        return error;
    crash_point("checkpoint.after_commit");
    if (checkpoint->stops)
        return ERR_IO; /* the store is closing */
    tree_writer_begin(writer);
    return 0;
}

static int write_generation(struct checkpoint *checkpoint, const struct overlay *overlay,
                            const struct journal_position *position, struct buffer *why)
{
    struct sorted_rows sorted;
    struct tree_writer *writer =
        tree_writer_new(checkpoint->store->tree, checkpoint->store->options.checkpoint_pages_max);
    int error = 0;

    crash_point("checkpoint.before_write");
    sorted_rows_init(&sorted, overlay);
    tree_writer_begin(writer);
    for (size_t i = 0; i < overlay->rows && error == 0; i++) {
        if (i + ROWS_AHEAD < overlay->rows)
            sorted_rows_fetch(&sorted, i + ROWS_AHEAD);
        error = write_row(checkpoint, writer, overlay, sorted_rows_at(&sorted, i), why);
    }
    if (error == 0) {
        crash_point("checkpoint.before_last_commit");
        error = tree_writer_commit(writer, position, why);
    }
    if (error == 0) {
        crash_point("checkpoint.after_last_commit");
        filters_add(&checkpoint->store->filters, overlay);
    }
    tree_writer_free(writer);
    sorted_rows_release(&sorted);
    return error;
}

/* Called and returns with the mutex locked. */
static void write_it(struct checkpoint *checkpoint)
{
    const struct overlay *overlay = checkpoint->overlay;
    const struct journal_position position = checkpoint->position;
    struct tree_index *index = NULL;
    struct buffer why;

    pthread_mutex_unlock(&checkpoint->mutex);
    buffer_init(&why);
    int error = write_generation(checkpoint, overlay, &position, &why);
    if (error == 0) {
        metric_add(METRIC_CHECKPOINTS, 1);
        metric_observe(METRIC_CHECKPOINT_DURATION, clock_monotonic_ns() - checkpoint->frozen_ns);
        scans_offer(&checkpoint->store->scans, overlay->number);
        index = tree_index_new(checkpoint->store->tree, checkpoint->store->reader);
    } else if (!checkpoint->stops) {
        metric_add(METRIC_CHECKPOINT_FAILURES, 1);
        buffer_append(&why, "", 1);
        log_event(LOG_ERROR, "checkpoint_failed", LOG_TEXT("reason", why.data));
    }
    buffer_release(&why);
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->error = error;
    if (error == 0) {
        tree_index_free(checkpoint->index);
        checkpoint->index = index;
    }
    checkpoint->failures = error == 0 ? 0 : checkpoint->failures + 1;
    checkpoint->is_done = error == 0;
    pthread_cond_broadcast(&checkpoint->changed);
    if (error == 0 && checkpoint->store->options.on_wake != NULL)
        checkpoint->store->options.on_wake(checkpoint->store->options.context);
}

static void back_off(struct checkpoint *checkpoint)
{
    struct timespec until;
    unsigned wait_s = checkpoint->failures < 6 ? 1U << (checkpoint->failures - 1) : BACKOFF_MAX_S;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_s < BACKOFF_MAX_S ? wait_s : BACKOFF_MAX_S;
    while (!checkpoint->stops && !checkpoint->hurries &&
           pthread_cond_timedwait(&checkpoint->wakes, &checkpoint->mutex, &until) != ETIMEDOUT)
        continue;
    checkpoint->hurries = false;
}

/* Where little changes, memory is given back. */
static bool is_worth_keeping(const struct overlay *overlay)
{
    return overlay->is_prepared && overlay_fullness(overlay) >= CHECKPOINT_SPARE_FULLNESS;
}

/* A freeze may have waited for this: nothing else would bring the loop to look again before
 * checkpoint_interval_ms is over. */
static void tell_tidied(struct checkpoint *checkpoint)
{
    const struct store *store = checkpoint->store;

    checkpoint->is_tidying = false;
    if (store->options.on_wake != NULL)
        store->options.on_wake(store->options.context);
}

static void tidy_retired(struct checkpoint *checkpoint)
{
    struct overlay *retired = checkpoint->retired, *unused = NULL;
    struct tree_index *index = checkpoint->retired_index;
    bool is_kept = is_worth_keeping(retired) && checkpoint->spare == NULL && !checkpoint->stops;
    if (overlay_fullness(retired) < CHECKPOINT_SPARE_FULLNESS) {
        unused = checkpoint->spare;
        checkpoint->spare = NULL;
    }
    checkpoint->retired = NULL;
    checkpoint->retired_index = NULL;
    checkpoint->is_tidying = true;
    pthread_mutex_unlock(&checkpoint->mutex);
    if (is_kept)
        overlay_reset(retired);
    else
        overlay_free(retired);
    overlay_free(unused);
    tree_index_free(index);
    pthread_mutex_lock(&checkpoint->mutex);
    if (is_kept)
        checkpoint->spare = retired;
    tell_tidied(checkpoint);
}

static void prepare_spare(struct checkpoint *checkpoint)
{
    const struct store *store = checkpoint->store;
    checkpoint->spare_wanted = false;
    if (checkpoint->spare != NULL)
        return;
    checkpoint->is_tidying = true;
    pthread_mutex_unlock(&checkpoint->mutex);
    struct overlay *spare = overlay_new(store->options.overlay_bytes_max, store->txn_bytes_max);
    if (spare != NULL)
        overlay_prepare(spare);
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->spare = spare;
    tell_tidied(checkpoint);
}

static void make_index(struct checkpoint *checkpoint)
{
    struct store *store = checkpoint->store;
    checkpoint->index_wanted = false;
    pthread_mutex_unlock(&checkpoint->mutex);
    struct tree_index *index = tree_index_new(store->tree, store->reader);
    pthread_mutex_lock(&checkpoint->mutex);
    tree_index_free(checkpoint->index);
    checkpoint->index = index;
    if (store->options.on_wake != NULL)
        store->options.on_wake(store->options.context);
}

static void *run(void *context)
{
    struct checkpoint *checkpoint = context;
    pthread_setname_np(pthread_self(), "checkpoint");
    pthread_mutex_lock(&checkpoint->mutex);
    while (!checkpoint->stops) {
        if (checkpoint->retired != NULL) {
            tidy_retired(checkpoint);
        } else if (checkpoint->index_wanted) {
            make_index(checkpoint);
        } else if (checkpoint->overlay != NULL && checkpoint->has_position &&
                   !checkpoint->is_done) {
            write_it(checkpoint);
            if (checkpoint->failures > 0)
                back_off(checkpoint);
        } else if (checkpoint->spare_wanted) {
            prepare_spare(checkpoint);
        } else {
            pthread_cond_wait(&checkpoint->wakes, &checkpoint->mutex);
        }
    }
    if (checkpoint->retired != NULL)
        tidy_retired(checkpoint);
    pthread_mutex_unlock(&checkpoint->mutex);
    return NULL;
}

int checkpoint_start(struct checkpoint *checkpoint, struct store *store, struct buffer *why)
{
    pthread_condattr_t attributes;
    checkpoint->store = store;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&checkpoint->mutex, NULL);
    pthread_cond_init(&checkpoint->wakes, &attributes);
    pthread_cond_init(&checkpoint->changed, NULL);
    pthread_condattr_destroy(&attributes);
    int error = pthread_create(&checkpoint->thread, NULL, run, checkpoint);
    if (error != 0) {
        buffer_append_format(why, "cannot start a thread: %s", strerror(error));
        return ERR_NO_MEMORY;
    }
    checkpoint->runs = true;
    return 0;
}

void checkpoint_stop(struct checkpoint *checkpoint)
{
    if (!checkpoint->runs)
        return;
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->stops = true;
    pthread_cond_signal(&checkpoint->wakes);
    pthread_mutex_unlock(&checkpoint->mutex);
    pthread_join(checkpoint->thread, NULL);
    pthread_mutex_destroy(&checkpoint->mutex);
    pthread_cond_destroy(&checkpoint->wakes);
    pthread_cond_destroy(&checkpoint->changed);
    tree_index_free(checkpoint->index);
    overlay_free(checkpoint->spare);
    checkpoint->runs = false;
}

void checkpoint_begin(struct checkpoint *checkpoint, const struct overlay *overlay,
                      uint64_t sequence)
{
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->overlay = overlay;
    checkpoint->sequence = sequence;
    checkpoint->has_position = false;
    checkpoint->is_done = false;
    checkpoint->failures = 0;
    checkpoint->error = 0;
    checkpoint->frozen_ns = clock_monotonic_ns();
    pthread_mutex_unlock(&checkpoint->mutex);
}

void checkpoint_note_durable(struct checkpoint *checkpoint, const struct journal_position *position)
{
    pthread_mutex_lock(&checkpoint->mutex);
    if (checkpoint->overlay != NULL && !checkpoint->has_position &&
        checkpoint->sequence == position->sequence) {
        checkpoint->position = *position;
        checkpoint->has_position = true;
        pthread_cond_signal(&checkpoint->wakes);
    }
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->mutex);
}

bool checkpoint_take(struct checkpoint *checkpoint, struct journal_position *position,
                     struct tree_index **index)
{
    pthread_mutex_lock(&checkpoint->mutex);
    bool is_done = checkpoint->overlay != NULL && checkpoint->is_done;
    if (is_done) {
        checkpoint->overlay = NULL;
        *position = checkpoint->position;
        *index = checkpoint->index;
        checkpoint->index = NULL;
    }
    pthread_mutex_unlock(&checkpoint->mutex);
    return is_done;
}

void checkpoint_want_index(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->index_wanted = true;
    pthread_cond_signal(&checkpoint->wakes);
    pthread_mutex_unlock(&checkpoint->mutex);
}

struct tree_index *checkpoint_take_index(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    /* That of a checkpoint is taken with it. */
    struct tree_index *index = checkpoint->overlay == NULL ? checkpoint->index : NULL;
    if (index != NULL)
        checkpoint->index = NULL;
    pthread_mutex_unlock(&checkpoint->mutex);
    return index;
}

void checkpoint_retire(struct checkpoint *checkpoint, struct overlay *overlay,
                       struct tree_index *index)
{
    pthread_mutex_lock(&checkpoint->mutex);
    /* Not freed yet: rare, as a generation takes seconds to fill. */
    struct overlay *before = checkpoint->retired;
    struct tree_index *index_before = checkpoint->retired_index;
    checkpoint->retired = overlay;
    checkpoint->retired_index = index;
    pthread_cond_signal(&checkpoint->wakes);
    pthread_mutex_unlock(&checkpoint->mutex);
    overlay_free(before);
    tree_index_free(index_before);
}

void checkpoint_want_spare(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->spare_wanted = true;
    pthread_cond_signal(&checkpoint->wakes);
    pthread_mutex_unlock(&checkpoint->mutex);
}

struct overlay *checkpoint_take_spare(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    struct overlay *spare = checkpoint->spare;
    checkpoint->spare = NULL;
    pthread_mutex_unlock(&checkpoint->mutex);
    return spare;
}

bool checkpoint_is_tidying(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    bool is = checkpoint->is_tidying || checkpoint->retired != NULL;
    pthread_mutex_unlock(&checkpoint->mutex);
    return is;
}

int checkpoint_wait(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    unsigned failures = checkpoint->failures;
    checkpoint->hurries = failures > 0;
    pthread_cond_signal(&checkpoint->wakes);
    while (!checkpoint->is_done && checkpoint->failures == failures)
        pthread_cond_wait(&checkpoint->changed, &checkpoint->mutex);
    int error = checkpoint->is_done ? 0 : checkpoint->error;
    pthread_mutex_unlock(&checkpoint->mutex);
    return error;
}
