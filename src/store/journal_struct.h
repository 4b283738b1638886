/* What the local journal consists of; for journal_segment.c, journal_recovery.c and
 * segment_preparer.c. */
#ifndef SMSD_STORE_JOURNAL_STRUCT_H
#define SMSD_STORE_JOURNAL_STRUCT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/file.h"
#include "store/journal.h"
#include "store/segment.h"

struct segment_file {
    uint64_t number; /* 0: none */
    int fd;
    uint64_t bytes;
};

/* A batch on its way. */
struct append {
    uint64_t sequence;
    const void *payload;
    size_t payload_bytes;
    struct segment_file file;
    uint64_t offset;
    bool begins_segment; /* its header comes first */
    int retired_fd;      /* then: of the segment before, or -1 */
};

struct local_journal {
    struct journal journal; /* first */
    char path[FILE_PATH_MAX];
    uint64_t segment_bytes;
    uint64_t files_max;
    size_t batch_bytes_max;
    bool read_only;
    struct buffer *summary;
    atomic_int room; /* enum journal_room; written under the mutex, read at any time */
    uint64_t identity;
    uint64_t epoch;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t writer_wakes, preparer_wakes, preparer_tried;
    pthread_t writer, preparer;
    bool runs, stops;

    struct segment_file current; /* where batches go; number 0 before the first */
    uint64_t offset;             /* of the next batch in it */
    struct segment_file spare;   /* number current + 1, once ready */
    uint64_t oldest;             /* the first segment that recovery needs */
    uint64_t covered_offset;     /* where recovery begins in it */
    uint64_t *pool;              /* numbers of segments that hold nothing needed */
    size_t pool_count;
    bool preparing_failed;
    uint64_t preparations; /* tried, well or not */

    bool is_appending;
    struct append append;
    struct journal_position durable;
};

static inline struct local_journal *local_journal(struct journal *journal)
{
    return (struct local_journal *)(void *)journal;
}

/* journal_recovery.c */
int journal_recover(struct journal *journal, const struct journal_position *from,
                    int (*on_batch)(void *context, const struct journal_position *end,
                                    const void *payload, size_t size),
                    void *context, struct buffer *why);
/* journal_segment.c: begins appending behind `durable`, at `current` and `offset`. */
int journal_start(struct local_journal *journal, struct buffer *why);
void journal_path(const struct local_journal *journal, char path[FILE_PATH_MAX], uint64_t number);
void journal_pool_add(struct local_journal *journal, uint64_t number);
/* To be called after whatever room depends on has changed. */
void journal_update_room(struct local_journal *journal);
uint64_t journal_files(const struct local_journal *journal);
/* segment_preparer.c: the thread that keeps the spare segment ready. */
void *segment_preparer(void *journal);

#endif
