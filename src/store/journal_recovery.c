/* The local journal: reading it back at start, and finding its end.
 *
 * Batches are read from the covered position on, segment by segment, as long as each continues the
 * chain. Where one does not, either the next segment was begun with exactly that continuation (the
 * rest of this one was too small), or this is the end of the journal, or it is damaged. It is the
 * end only if nothing shows that more was durable once: no header of the batch after the missing
 * one (or later) in the rest of the segment, no batch at all in a later one, no later segment
 * begun. Since a batch is written only after the one before is durable, a torn write can only be
 * the missing batch itself.
 *
 * What was cut off is overwritten with zeros before anything is appended, and each opening appends
 * under a higher epoch: stale bytes can never be taken for a continuation, not even after another
 * power cut. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "store/crash_point.h"
#include "store/journal_struct.h"

enum { SYNCED_FIRST = 2, TAIL_BYTES = 1 << 20 };

/* A segment file as it was found. */
struct found {
    uint64_t number;
    uint64_t bytes;
    bool is_begun; /* header and name agree */
    struct segment_header header;
};

struct recovery {
    struct local_journal *journal;
    struct found *found; /* by number */
    size_t count;
    size_t at; /* the segment being read */
    struct segment_reader reader;
    char path[FILE_PATH_MAX]; /* of that segment */
    struct buffer payload;
    struct journal_position from;
    struct journal_position position; /* behind the last batch read */
    uint64_t batches;
    uint64_t covered_epoch; /* the highest of the batches before `from`, in its segment */
    struct buffer *why;
};

static int fail_damaged(struct recovery *recovery, const char *path, uint64_t offset,
                        const char *text)
{
    buffer_append_format(recovery->why, "the journal is damaged: %s at offset %llu: %s", path,
                         (unsigned long long)offset, text);
    return ERR_DAMAGED;
}

/* Finding the files */

static int compare_found(const void *a, const void *b)
{
    uint64_t left = ((const struct found *)a)->number, right = ((const struct found *)b)->number;
    return left < right ? -1 : left > right;
}

static int list_files(struct recovery *recovery)
{
    DIR *directory = opendir(recovery->journal->path);
    if (directory == NULL)
        return file_fail(recovery->why, "read", recovery->journal->path, errno);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        uint64_t number = segment_number(entry->d_name);
        if (number == 0)
            continue;
        struct found *found =
            realloc(recovery->found, (recovery->count + 1) * sizeof *recovery->found);
        if (found == NULL)
            log_fatal("out of memory", NULL, ENOMEM);
        recovery->found = found;
        memset(&found[recovery->count], 0, sizeof *found);
        found[recovery->count++].number = number;
    }
    closedir(directory);
    if (recovery->count > 0)
        qsort(recovery->found, recovery->count, sizeof *recovery->found, compare_found);
    return 0;
}

static int open_file(struct recovery *recovery, uint64_t number, int *fd)
{
    journal_path(recovery->journal, recovery->path, number);
    *fd = open(recovery->path, (recovery->journal->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    return *fd < 0 ? file_fail(recovery->why, "open", recovery->path, errno) : 0;
}

static int look_at(struct recovery *recovery, struct found *found, bool sync)
{
    unsigned char block[JOURNAL_BLOCK_BYTES];
    struct stat stat;
    int fd;
    int error = open_file(recovery, found->number, &fd);
    if (error != 0)
        return error;
    if (sync && fdatasync(fd) != 0)
        error = file_fail(recovery->why, "sync", recovery->path, errno);
    if (sync && error == 0)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (error == 0 && fstat(fd, &stat) != 0)
        error = file_fail(recovery->why, "stat", recovery->path, errno);
    if (error == 0) {
        found->bytes = (uint64_t)stat.st_size;
        int failure = found->bytes < sizeof block ? 0 : file_read_at(fd, block, sizeof block, 0);
        if (failure != 0)
            error = file_fail(recovery->why, "read", recovery->path, failure);
        found->is_begun = error == 0 && found->bytes >= sizeof block &&
                          segment_header_open(&found->header, block) &&
                          found->header.number == found->number;
    }
    close(fd);
    return error;
}

/* The newest files may hold what a killed process wrote and did not sync. It counts as durable from
 * here on, so it is made durable first; and read from the disk, not from a cache that might
 * remember what a failed sync lost. */
static int look_at_files(struct recovery *recovery)
{
    int error = list_files(recovery);
    for (size_t i = 0; i < recovery->count && error == 0; i++)
        error = look_at(recovery, &recovery->found[i],
                        !recovery->journal->read_only && i + SYNCED_FIRST >= recovery->count);
    return error;
}

static struct found *find_number(struct recovery *recovery, uint64_t number)
{
    for (size_t i = 0; i < recovery->count; i++)
        if (recovery->found[i].number == number)
            return &recovery->found[i];
    return NULL;
}

/* Where to begin */

static int enter(struct recovery *recovery, struct found *found)
{
    int fd;
    int error = open_file(recovery, found->number, &fd);
    if (error != 0)
        return error;
    if (found->bytes != found->header.bytes) {
        close(fd);
        return fail_damaged(recovery, recovery->path, found->bytes,
                            "the file's size is not the one its header tells");
    }
    if (recovery->reader.fd >= 0)
        close(recovery->reader.fd);
    recovery->at = (size_t)(found - recovery->found);
    recovery->reader.path = recovery->path;
    recovery->reader.fd = fd;
    recovery->reader.bytes = found->bytes;
    recovery->reader.journal = found->header.journal;
    recovery->reader.payload = &recovery->payload;
    if (found->header.epoch > recovery->reader.epoch)
        recovery->reader.epoch = found->header.epoch;
    recovery->position.segment = found->number;
    return 0;
}

/* What the checkpoint covers is not read, but the epoch to come must be above that of each batch
 * that stays in the segment: their headers tell. Behind one that is damaged nothing is known, and
 * nothing is needed. */
static int look_at_covered(struct recovery *recovery)
{
    uint64_t offset = JOURNAL_BLOCK_BYTES;
    struct batch_header header;

    while (offset < recovery->from.offset) {
        int error = file_read_at(recovery->reader.fd, &header, sizeof header, offset);
        if (error != 0)
            return file_fail(recovery->why, "read", recovery->path, error);
        if (!batch_header_is_whole(&header) || header.journal != recovery->reader.journal)
            break;
        if (header.epoch > recovery->covered_epoch)
            recovery->covered_epoch = header.epoch;
        offset += segment_batch_bytes(header.payload_bytes);
    }
    return 0;
}

static int begin(struct recovery *recovery)
{
    const struct journal_position *from = &recovery->from;
    uint64_t number = from->segment == 0 ? 1 : from->segment;
    struct found *first = find_number(recovery, number);

    recovery->position = *from;
    if (first == NULL || !first->is_begun) {
        bool is_new = from->segment == 0 && from->sequence == 0;
        for (size_t i = 0; i < recovery->count; i++)
            is_new = is_new && !recovery->found[i].is_begun;
        if (is_new)
            return 0;
        journal_path(recovery->journal, recovery->path, number);
        return fail_damaged(recovery, recovery->path, 0,
                            "the segment the last checkpoint points into is missing or not one");
    }
    if (from->segment == 0)
        recovery->position.offset = JOURNAL_BLOCK_BYTES;
    if (from->offset <= first->bytes) { /* all of it, also what the checkpoint covers: the last
                                         * batch's epoch is known from nowhere else */
        recovery->position.sequence = first->header.first_sequence - 1;
        recovery->position.offset = JOURNAL_BLOCK_BYTES;
        recovery->position.crc = first->header.chain;
    }
    if (first->header.first_sequence > from->sequence + 1 ||
        recovery->position.offset > first->bytes) {
        journal_path(recovery->journal, recovery->path, number);
        return fail_damaged(recovery, recovery->path, 0,
                            "the segment does not hold what the last checkpoint says");
    }
    int error = enter(recovery, first);
    return error == 0 ? look_at_covered(recovery) : error;
}

/* Reading on */

static int read_segment(struct recovery *recovery,
                        int (*on_batch)(void *, const struct journal_position *, const void *,
                                        size_t),
                        void *context)
{
    const struct journal_position *from = &recovery->from;
    for (;;) {
        int result = segment_read(&recovery->reader, &recovery->position, recovery->why);
        if (result != SEGMENT_BATCH)
            return result;
        recovery->batches++;
        if (recovery->position.sequence == from->sequence &&
            (recovery->position.offset != from->offset || recovery->position.crc != from->crc))
            return fail_damaged(recovery, recovery->path, recovery->position.offset,
                                "the batches do not agree with the last checkpoint");
        if (recovery->position.sequence <= from->sequence)
            continue;
        result = on_batch(context, &recovery->position, recovery->payload.data,
                          recovery->reader.payload_bytes);
        if (result != 0)
            return result;
    }
}

/* 1: the next segment goes on with this position and was entered; 0: it was not begun. */
static int go_on(struct recovery *recovery)
{
    struct found *next = find_number(recovery, recovery->position.segment + 1);
    if (next == NULL || !next->is_begun)
        return 0;
    if (next->header.journal != recovery->reader.journal ||
        next->header.first_sequence != recovery->position.sequence + 1 ||
        next->header.chain != recovery->position.crc || next->header.epoch < recovery->reader.epoch)
        return fail_damaged(recovery, recovery->path, recovery->position.offset,
                            "the next batch is not whole, and a later segment was begun");
    int error = enter(recovery, next);
    if (error != 0)
        return error;
    recovery->position.offset = JOURNAL_BLOCK_BYTES;
    return 1;
}

static int check_later_segment(struct recovery *recovery, struct found *found)
{
    struct segment_reader reader = {.bytes =
                                        found->bytes / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES,
                                    .journal = recovery->reader.journal};
    uint64_t offset;
    int error = open_file(recovery, found->number, &reader.fd);
    if (error != 0)
        return error;
    reader.path = recovery->path;
    error = found->is_begun ? 1
                            : segment_find_later(&reader, 0, recovery->position.sequence + 1,
                                                 &offset, recovery->why);
    close(reader.fd);
    if (error == 1)
        return fail_damaged(recovery, recovery->path, 0,
                            "the header is not right, but batches follow it");
    return error;
}

/* Nothing continues the chain: is that the end? */
static int check_end(struct recovery *recovery)
{
    uint64_t offset;
    if (recovery->reader.fd >= 0) {
        recovery->reader.bytes = recovery->reader.bytes / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
        int result = segment_find_later(&recovery->reader, recovery->position.offset,
                                        recovery->position.sequence + 2, &offset, recovery->why);
        if (result == 1)
            return fail_damaged(recovery, recovery->path, recovery->position.offset,
                                "the next batch is not whole, but later ones are there");
        if (result != 0)
            return result;
    }
    for (size_t i = 0; i < recovery->count; i++) {
        if (recovery->found[i].number <= recovery->position.segment)
            continue;
        int error = check_later_segment(recovery, &recovery->found[i]);
        if (error != 0)
            return error;
    }
    if (recovery->position.sequence < recovery->from.sequence)
        return fail_damaged(recovery, recovery->path, recovery->position.offset,
                            "the journal ends before the last checkpoint");
    return 0;
}

/* Making ready for appending */

/* Zeros from the end of the journal to that of its segment, where there are none yet. */
static int clear_tail(struct recovery *recovery)
{
    char *found = malloc(TAIL_BYTES), *zeros = calloc(1, TAIL_BYTES);
    uint64_t cleared = 0;
    int error = found == NULL || zeros == NULL ? ENOMEM : 0;
    uint64_t at = recovery->position.offset;

    while (at < recovery->reader.bytes && error == 0) {
        uint64_t left = recovery->reader.bytes - at;
        size_t size = left < TAIL_BYTES ? (size_t)left : TAIL_BYTES;
        error = file_read_at(recovery->reader.fd, found, size, at);
        if (error == 0 && memcmp(found, zeros, size) != 0) {
            const struct iovec piece = {zeros, size};
            if (cleared == 0)
                crash_point("journal.tail.before_zero");
            error = file_write_at(recovery->reader.fd, &piece, 1, at);
            cleared += size;
        }
        at += size;
    }
    if (error == 0 && cleared > 0) {
        crash_point("journal.tail.after_zero");
        error = fdatasync(recovery->reader.fd) != 0 ? errno : 0;
        log_event(LOG_INFO, "journal_tail_cleared", LOG_TEXT("segment", recovery->path),
                  LOG_NUMBER("offset", recovery->position.offset),
                  LOG_NUMBER("last_batch", recovery->position.sequence));
    }
    free(found);
    free(zeros);
    return error != 0 ? file_fail(recovery->why, "clear the tail of", recovery->path, error) : 0;
}

static int take_spare(struct recovery *recovery, const struct found *found)
{
    struct local_journal *journal = recovery->journal;
    int error = open_file(recovery, found->number, &journal->spare.fd);
    if (error != 0)
        return error;
    journal->spare.number = found->number;
    journal->spare.bytes = found->bytes;
    return 0;
}

/* Every file is the current segment, needed, the spare, or free for reuse. */
static int sort_files(struct recovery *recovery)
{
    struct local_journal *journal = recovery->journal;
    char path[FILE_PATH_MAX];
    for (size_t i = 0; i < recovery->count; i++) {
        const struct found *found = &recovery->found[i];
        bool is_whole = found->bytes == journal->segment_bytes;
        if (found->number >= journal->oldest && found->number <= journal->current.number)
            continue;
        if (is_whole && found->number == journal->current.number + 1) {
            int error = take_spare(recovery, found);
            if (error != 0)
                return error;
        } else if (is_whole && found->number < journal->oldest) {
            journal_pool_add(journal, found->number);
        } else {
            journal_path(journal, path, found->number);
            unlink(path);
        }
    }
    return 0;
}

static int become_current(struct recovery *recovery)
{
    struct local_journal *journal = recovery->journal;
    journal->identity = recovery->reader.journal;
    journal->epoch = (recovery->covered_epoch > recovery->reader.epoch ? recovery->covered_epoch
                                                                       : recovery->reader.epoch) +
                     1;
    journal->durable = recovery->position;
    journal->oldest = recovery->from.segment == 0 ? 1 : recovery->from.segment;
    journal->covered_offset = recovery->from.offset;
    /* A segment may have been renamed just before a kill: its name must last before it is written
     * to. */
    int error = file_sync_directory(journal->path);
    if (error != 0)
        return file_fail(recovery->why, "sync", journal->path, error);
    if (recovery->reader.fd < 0) {
        if (getrandom(&journal->identity, sizeof journal->identity, 0) !=
            (ssize_t)sizeof journal->identity)
            return ERR_IO;
        return 0;
    }
    error = clear_tail(recovery);
    if (error != 0)
        return error;
    journal->current.number = recovery->position.segment;
    journal->current.fd = recovery->reader.fd;
    journal->current.bytes = recovery->reader.bytes;
    journal->offset = recovery->position.offset;
    recovery->reader.fd = -1;
    return 0;
}

static void summarize(const struct recovery *recovery)
{
    struct buffer *summary = recovery->journal->summary;
    if (summary == NULL)
        return;
    buffer_append_format(summary, "journal: %llu batches read, up to sequence %llu",
                         (unsigned long long)recovery->batches,
                         (unsigned long long)recovery->position.sequence);
    if (recovery->reader.fd >= 0)
        buffer_append_format(
            summary, ", segments %llu to %llu",
            (unsigned long long)(recovery->from.segment == 0 ? 1 : recovery->from.segment),
            (unsigned long long)recovery->position.segment);
    buffer_append_format(summary, "; the last checkpoint covers %llu\n",
                         (unsigned long long)recovery->from.sequence);
}

int journal_recover(struct journal *base, const struct journal_position *from,
                    int (*on_batch)(void *context, const struct journal_position *end,
                                    const void *payload, size_t size),
                    void *context, struct buffer *why)
{
    struct recovery recovery = {
        .journal = local_journal(base), .from = *from, .why = why, .reader.fd = -1};
    assert(!recovery.journal->runs);
    buffer_init(&recovery.payload);
    int result = look_at_files(&recovery);
    if (result == 0)
        result = begin(&recovery);
    if (result == 0 && recovery.reader.fd >= 0)
        do {
            result = read_segment(&recovery, on_batch, context);
            if (result == 0)
                result = go_on(&recovery);
        } while (result == 1);
    if (result == 0)
        result = check_end(&recovery);
    if (result == 0 && recovery.journal->read_only)
        summarize(&recovery);
    if (result == 0 && !recovery.journal->read_only)
        result = become_current(&recovery);
    if (result == 0 && !recovery.journal->read_only)
        result = sort_files(&recovery);
    if (recovery.reader.fd >= 0)
        close(recovery.reader.fd);
    free(recovery.found);
    buffer_release(&recovery.payload);
    if (result == 0 && !recovery.journal->read_only)
        result = journal_start(recovery.journal, why);
    return result;
}
