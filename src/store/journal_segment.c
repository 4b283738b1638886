/* The local journal: appending. A batch gets its place on the loop's thread, where what room is
 * left is known at once, and is written by the writer thread: one pwritev, one fdatasync, then
 * on_durable. The next is not begun before that, so at most the last batch of a journal can be
 * torn.
 *
 * Room: a batch that was admitted must find its place. Admission goes on only while the spare
 * segment is ready, or while what is left of the current one takes a batch of the largest size; a
 * batch is handed over whole, so nothing else can come between. Two of the largest fit into one
 * segment, so right after a switch, with no spare yet, there is room again.
 *
 * The header of a segment is durable before its first batch is written: a batch behind a bad header
 * is damage, never a torn tail. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/crash_point.h"
#include "store/journal_struct.h"

enum { SEGMENT_BATCHES_MIN = 2, JOURNAL_SEGMENTS_MIN = 4 };

void journal_path(const struct local_journal *journal, char path[FILE_PATH_MAX], uint64_t number)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(name, number);
    file_path(path, journal->path, name);
}

_Noreturn static void append_fatal(const struct local_journal *journal, const char *what,
                                   uint64_t number, int error)
{
    char path[FILE_PATH_MAX];
    journal_path(journal, path, number);
    log_fatal(what, path, error);
}

/* The writer thread */

static void write_header(struct local_journal *journal, const struct append *append)
{
    unsigned char block[JOURNAL_BLOCK_BYTES];
    struct segment_header header = {
        .journal = journal->identity,
        .number = append->file.number,
        .bytes = append->file.bytes,
        .epoch = journal->epoch,
        .first_sequence = append->sequence,
        .chain = journal->durable.crc,
    };
    segment_header_seal(&header, block);
    crash_point("journal.switch.before_header");
    const struct iovec piece = {block, sizeof block};
    int error = file_write_at(append->file.fd, &piece, 1, 0);
    if (error != 0)
        append_fatal(journal, "cannot write the journal", append->file.number, error);
    crash_point("journal.switch.after_header_write");
    if (fdatasync(append->file.fd) != 0)
        append_fatal(journal, "cannot sync the journal", append->file.number, errno);
    crash_point("journal.switch.after_header_sync");
    if (append->retired_fd >= 0)
        close(append->retired_fd);
}

static void *drop_const(const void *pointer)
{
    void *plain;
    memcpy(&plain, &pointer, sizeof plain);
    return plain;
}

/* Returns the chain's value behind the batch. */
static uint32_t write_batch(struct local_journal *journal, const struct append *append)
{
    static const unsigned char zeros[JOURNAL_BLOCK_BYTES];
    uint64_t on_disk = segment_batch_bytes(append->payload_bytes);
    size_t padding = on_disk - append->payload_bytes - sizeof(struct batch_header);
    struct batch_header header = {
        .journal = journal->identity,
        .sequence = append->sequence,
        .epoch = journal->epoch,
        .payload_bytes = (uint32_t)append->payload_bytes,
        .previous_chain = journal->durable.crc,
    };
    batch_header_seal(&header, append->payload, padding);
    const struct iovec pieces[] = {
        {&header, sizeof header},
        {drop_const(append->payload), append->payload_bytes},
        {drop_const(zeros), padding},
    };
    crash_point("journal.append.before_write");
    int error = file_write_at(append->file.fd, pieces, 3, append->offset);
    if (error != 0)
        append_fatal(journal, "cannot write the journal", append->file.number, error);
    crash_point("journal.append.after_write");
    if (fdatasync(append->file.fd) != 0)
        append_fatal(journal, "cannot sync the journal", append->file.number, errno);
    crash_point("journal.append.after_sync");
    metric_add(METRIC_JOURNAL_BATCHES, 1);
    metric_add(METRIC_JOURNAL_BYTES, on_disk);
    return header.chain;
}

static void *write_batches(void *context)
{
    struct local_journal *journal = context;
    pthread_setname_np(pthread_self(), "journal");
    pthread_mutex_lock(&journal->mutex);
    for (;;) {
        while (!journal->is_appending && !journal->stops)
            pthread_cond_wait(&journal->writer_wakes, &journal->mutex);
        if (!journal->is_appending)
            break;
        pthread_mutex_unlock(&journal->mutex);
        /* Nobody else touches the append under way, nor the durable position. */
        const struct append append = journal->append;
        uint64_t since = clock_monotonic_ns();
        if (append.begins_segment)
            write_header(journal, &append);
        uint32_t chain = write_batch(journal, &append);
        metric_observe(METRIC_JOURNAL_SYNC, clock_monotonic_ns() - since);
        pthread_mutex_lock(&journal->mutex);
        journal->durable = (struct journal_position){
            .sequence = append.sequence,
            .segment = append.file.number,
            .offset = append.offset + segment_batch_bytes(append.payload_bytes),
            .crc = chain,
        };
        journal->is_appending = false;
        pthread_mutex_unlock(&journal->mutex);
        journal->journal.on_durable(journal->journal.context, append.sequence);
        pthread_mutex_lock(&journal->mutex);
    }
    pthread_mutex_unlock(&journal->mutex);
    return NULL;
}

/* The loop's thread */

uint64_t journal_files(const struct local_journal *journal)
{
    uint64_t used = journal->current.number < journal->oldest
                        ? 0
                        : journal->current.number - journal->oldest + 1;
    return used + journal->pool_count + (journal->spare.number != 0 ? 1 : 0);
}

static uint64_t remainder_bytes(const struct local_journal *journal)
{
    return journal->current.bytes - journal->offset;
}

void journal_update_room(struct local_journal *journal)
{
    enum journal_room room = JOURNAL_HAS_ROOM;
    if (journal->spare.number == 0 &&
        remainder_bytes(journal) < segment_batch_bytes(journal->batch_bytes_max))
        room = journal->preparing_failed ? JOURNAL_STORAGE_FULL : JOURNAL_WAITS;
    atomic_store_explicit(&journal->room, (int)room, memory_order_relaxed);
}

static void switch_segment(struct local_journal *journal)
{
    if (journal->spare.number == 0)
        log_fatal("a batch was admitted without room for it", journal->path, 0);
    journal->append.begins_segment = true;
    journal->append.retired_fd = journal->current.number != 0 ? journal->current.fd : -1;
    journal->current = journal->spare;
    journal->spare.number = 0;
    journal->offset = JOURNAL_BLOCK_BYTES;
    metric_set(METRIC_JOURNAL_SEGMENTS, (int64_t)(journal->current.number - journal->oldest) + 1);
    pthread_cond_signal(&journal->preparer_wakes);
}

static void append(struct journal *base, uint64_t sequence, const void *payload, size_t size)
{
    struct local_journal *journal = local_journal(base);
    uint64_t on_disk = segment_batch_bytes(size);

    assert(journal->runs && size <= journal->batch_bytes_max);
    pthread_mutex_lock(&journal->mutex);
    assert(!journal->is_appending && sequence == journal->durable.sequence + 1);
    journal->append.begins_segment = false;
    if (journal->current.number == 0 || remainder_bytes(journal) < on_disk)
        switch_segment(journal);
    journal->append.sequence = sequence;
    journal->append.payload = payload;
    journal->append.payload_bytes = size;
    journal->append.file = journal->current;
    journal->append.offset = journal->offset;
    journal->offset += on_disk;
    journal_update_room(journal);
    journal->is_appending = true;
    pthread_cond_signal(&journal->writer_wakes);
    pthread_mutex_unlock(&journal->mutex);
}

static void position(struct journal *base, struct journal_position *position)
{
    struct local_journal *journal = local_journal(base);
    pthread_mutex_lock(&journal->mutex);
    *position = journal->durable;
    pthread_mutex_unlock(&journal->mutex);
}

void journal_pool_add(struct local_journal *journal, uint64_t number)
{
    uint64_t *pool = realloc(journal->pool, (journal->pool_count + 1) * sizeof *pool);
    if (pool == NULL)
        log_fatal("out of memory", NULL, ENOMEM);
    pool[journal->pool_count++] = number;
    journal->pool = pool;
}

static void release(struct journal *base, const struct journal_position *covered)
{
    struct local_journal *journal = local_journal(base);
    pthread_mutex_lock(&journal->mutex);
    /* The segment that holds the position stays: recovery starts in it. */
    for (; journal->oldest < covered->segment; journal->oldest++)
        journal_pool_add(journal, journal->oldest);
    if (covered->segment == journal->oldest)
        journal->covered_offset = covered->offset;
    metric_set(METRIC_JOURNAL_SEGMENTS,
               (int64_t)journal->current.number - (int64_t)journal->oldest + 1);
    pthread_cond_signal(&journal->preparer_wakes);
    pthread_mutex_unlock(&journal->mutex);
}

static uint64_t bytes(struct journal *base)
{
    struct local_journal *journal = local_journal(base);
    pthread_mutex_lock(&journal->mutex);
    uint64_t whole = journal->current.number < journal->oldest
                         ? 0
                         : (journal->current.number - journal->oldest) * journal->segment_bytes +
                               journal->offset;
    uint64_t left = whole < journal->covered_offset ? 0 : whole - journal->covered_offset;
    pthread_mutex_unlock(&journal->mutex);
    return left;
}

static enum journal_room room(struct journal *base)
{
    return (enum journal_room)atomic_load_explicit(&local_journal(base)->room,
                                                   memory_order_relaxed);
}

static size_t batch_bytes_max(const struct journal *base)
{
    return ((const struct local_journal *)(const void *)base)->batch_bytes_max;
}

/* Opening and closing */

static int fail_thread(struct buffer *why, int error)
{
    buffer_append_format(why, "cannot start a thread: %s", strerror(error));
    return ERR_NO_MEMORY;
}

int journal_start(struct local_journal *journal, struct buffer *why)
{
    int error = pthread_create(&journal->writer, NULL, write_batches, journal);
    if (error != 0)
        return fail_thread(why, error);
    error = pthread_create(&journal->preparer, NULL, segment_preparer, journal);
    if (error != 0) {
        pthread_mutex_lock(&journal->mutex);
        journal->stops = true;
        pthread_cond_signal(&journal->writer_wakes);
        pthread_mutex_unlock(&journal->mutex);
        pthread_join(journal->writer, NULL);
        return fail_thread(why, error);
    }
    journal->runs = true;
    /* So that the first writes find room: wait for the spare, or for what is in its way. */
    pthread_mutex_lock(&journal->mutex);
    while (journal->spare.number == 0 && journal->preparations == 0 &&
           journal_files(journal) < journal->files_max)
        pthread_cond_wait(&journal->preparer_tried, &journal->mutex);
    journal_update_room(journal);
    pthread_mutex_unlock(&journal->mutex);
    metric_set(METRIC_JOURNAL_SEGMENTS,
               (int64_t)journal->current.number - (int64_t)journal->oldest + 1);
    return 0;
}

static void close_journal(struct journal *base)
{
    struct local_journal *journal = local_journal(base);
    if (journal->runs) {
        pthread_mutex_lock(&journal->mutex);
        journal->stops = true;
        pthread_cond_signal(&journal->writer_wakes);
        pthread_cond_signal(&journal->preparer_wakes);
        pthread_mutex_unlock(&journal->mutex);
        pthread_join(journal->writer, NULL);
        pthread_join(journal->preparer, NULL);
    }
    if (journal->current.number != 0)
        close(journal->current.fd);
    if (journal->spare.number != 0)
        close(journal->spare.fd);
    pthread_mutex_destroy(&journal->mutex);
    pthread_cond_destroy(&journal->writer_wakes);
    pthread_cond_destroy(&journal->preparer_wakes);
    pthread_cond_destroy(&journal->preparer_tried);
    free(journal->pool);
    free(journal);
}

static const struct journal_ops local_ops = {
    .recover = journal_recover,
    .append = append,
    .position = position,
    .release = release,
    .bytes = bytes,
    .room = room,
    .batch_bytes_max = batch_bytes_max,
    .close = close_journal,
};

static void init_threading(struct local_journal *journal)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&journal->mutex, NULL);
    pthread_cond_init(&journal->writer_wakes, NULL);
    pthread_cond_init(&journal->preparer_wakes, &attributes);
    pthread_cond_init(&journal->preparer_tried, NULL);
    pthread_condattr_destroy(&attributes);
}

int journal_segment_open(struct journal **opened, const struct journal_options *options,
                         struct buffer *why)
{
    struct local_journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL)
        return ERR_NO_MEMORY;
    journal->journal.ops = &local_ops;
    file_path(journal->path, options->directory, "");
    journal->path[strlen(journal->path) - 1] = '\0';
    journal->segment_bytes =
        options->segment_bytes != 0 ? options->segment_bytes : JOURNAL_SEGMENT_BYTES;
    journal->files_max =
        options->bytes_max != 0 ? options->bytes_max / journal->segment_bytes : UINT64_MAX;
    journal->batch_bytes_max =
        journal->segment_bytes / SEGMENT_BATCHES_MIN - 2 * JOURNAL_BLOCK_BYTES;
    if (journal->batch_bytes_max > JOURNAL_BATCH_BYTES_MAX)
        journal->batch_bytes_max = JOURNAL_BATCH_BYTES_MAX;
    journal->read_only = options->read_only;
    journal->summary = options->summary;
    if (journal->segment_bytes % JOURNAL_BLOCK_BYTES != 0 ||
        journal->segment_bytes < 16 * JOURNAL_BLOCK_BYTES ||
        journal->files_max < JOURNAL_SEGMENTS_MIN) {
        free(journal);
        buffer_append_text(why, "the journal's bound must hold at least four segments");
        return ERR_INVALID;
    }
    init_threading(journal);
    *opened = &journal->journal;
    return 0;
}
