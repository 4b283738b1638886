/* The thread that keeps the next segment of the journal ready before it is needed, so that a full
 * disk shows while there is still room, and a switch costs nothing.
 *
 * A new segment is written full of zeros and synced, so that later syncs of batches have no
 * metadata to write, and renamed to its number when it is whole. An old one is only renamed: what
 * it holds are batches of lower sequences than any it will get, under the same identity; recovery
 * accepts a batch only as the direct continuation of the chain, and only a header of a higher
 * sequence counts as a sign of damage. Its own header tells its old number, so it does not count as
 * begun either. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include "base/log.h"
#include "base/metric.h"
#include "store/crash_point.h"
#include "store/journal_struct.h"

enum { RETRY_S = 1, FILL_BYTES = 1 << 20 };

#define PREPARING_NAME "preparing"

static int fill(int fd, uint64_t bytes)
{
    int error = 0;
    /* Contiguous, and refused at once if the disk is too full. Not every file system can. */
    if (fallocate(fd, 0, 0, (off_t)bytes) != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return errno;
    char *zeros = calloc(1, FILL_BYTES);
    if (zeros == NULL)
        return ENOMEM;
    for (uint64_t at = 0; at < bytes && error == 0; at += FILL_BYTES) {
        const struct iovec piece = {zeros, bytes - at < FILL_BYTES ? bytes - at : FILL_BYTES};
        error = file_write_at(fd, &piece, 1, at);
    }
    free(zeros);
    return error;
}

/* A new segment of `number`; its descriptor in `*fd`. 0 or an errno value. */
static int create(struct local_journal *journal, uint64_t number, int *fd)
{
    char first_name[FILE_PATH_MAX], path[FILE_PATH_MAX];
    file_path(first_name, journal->path, PREPARING_NAME);
    journal_path(journal, path, number);
    crash_point("journal.prepare.before_create");
    *fd = open(first_name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (*fd < 0)
        return errno;
    int error = fill(*fd, journal->segment_bytes);
    if (error == 0)
        crash_point("journal.prepare.after_fill");
    if (error == 0 && fsync(*fd) != 0)
        error = errno;
    if (error == 0)
        crash_point("journal.prepare.after_sync");
    if (error == 0 && rename(first_name, path) != 0)
        error = errno;
    if (error == 0)
        crash_point("journal.prepare.after_rename");
    if (error == 0)
        error = file_sync_directory(journal->path);
    if (error == 0) {
        crash_point("journal.prepare.after_directory_sync");
        return 0;
    }
    unlink(first_name);
    close(*fd);
    return error;
}

static int recycle(struct local_journal *journal, uint64_t old_number, uint64_t number, int *fd)
{
    char old_path[FILE_PATH_MAX], path[FILE_PATH_MAX];
    journal_path(journal, old_path, old_number);
    journal_path(journal, path, number);
    *fd = open(old_path, O_RDWR | O_CLOEXEC);
    if (*fd < 0)
        return errno;
    crash_point("journal.recycle.before_rename");
    if (rename(old_path, path) != 0) {
        int error = errno;
        close(*fd);
        return error;
    }
    crash_point("journal.recycle.after_rename");
    int error = file_sync_directory(journal->path);
    if (error != 0)
        log_fatal("cannot sync the journal's directory", journal->path, error);
    return 0;
}

static bool is_over_bound(const struct local_journal *journal)
{
    return journal->pool_count > 0 && journal_files(journal) > journal->files_max;
}

static bool can_prepare(const struct local_journal *journal)
{
    return journal->spare.number == 0 &&
           (journal->pool_count > 0 || journal_files(journal) < journal->files_max);
}

/* The bound was lowered since the last run. */
static void drop_one(struct local_journal *journal)
{
    char path[FILE_PATH_MAX];
    journal_path(journal, path, journal->pool[--journal->pool_count]);
    pthread_mutex_unlock(&journal->mutex);
    unlink(path);
    pthread_mutex_lock(&journal->mutex);
}

static void note_result(struct local_journal *journal, int error)
{
    if (error != 0 && !journal->preparing_failed)
        log_event(LOG_ERROR, "journal_segment_failed", LOG_TEXT("directory", journal->path),
                  LOG_TEXT("reason", strerror(error)));
    if (error == 0 && journal->preparing_failed)
        log_event(LOG_INFO, "journal_segment_healed", LOG_TEXT("directory", journal->path));
    journal->preparing_failed = error != 0;
    journal->preparations++;
    journal_update_room(journal);
    metric_set(METRIC_JOURNAL_STORAGE_FULL, error != 0);
    pthread_cond_broadcast(&journal->preparer_tried);
}

/* Unlocks while it works; the current segment's number cannot move meanwhile, for want of a spare.
 */
static void prepare(struct local_journal *journal)
{
    uint64_t number = journal->current.number + 1;
    uint64_t old_number = journal->pool_count > 0 ? journal->pool[journal->pool_count - 1] : 0;
    int fd = -1;

    pthread_mutex_unlock(&journal->mutex);
    int error =
        old_number != 0 ? recycle(journal, old_number, number, &fd) : create(journal, number, &fd);
    pthread_mutex_lock(&journal->mutex);
    if (error == 0) {
        assert(journal->spare.number == 0 && journal->current.number + 1 == number);
        if (old_number != 0) {
            /* Others may have been added behind it. */
            size_t i = 0;
            while (journal->pool[i] != old_number)
                i++;
            journal->pool[i] = journal->pool[--journal->pool_count];
        }
        journal->spare = (struct segment_file){number, fd, journal->segment_bytes};
    }
    note_result(journal, error);
}

static void wait_a_second(struct local_journal *journal)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_S;
    pthread_cond_timedwait(&journal->preparer_wakes, &journal->mutex, &until);
}

void *segment_preparer(void *context)
{
    struct local_journal *journal = context;
    pthread_setname_np(pthread_self(), "segments");
    pthread_mutex_lock(&journal->mutex);
    while (!journal->stops) {
        if (is_over_bound(journal)) {
            drop_one(journal);
            continue;
        }
        if (!can_prepare(journal)) {
            pthread_cond_wait(&journal->preparer_wakes, &journal->mutex);
            continue;
        }
        prepare(journal);
        if (journal->preparing_failed && !journal->stops)
            wait_a_second(journal);
    }
    pthread_mutex_unlock(&journal->mutex);
    return NULL;
}
