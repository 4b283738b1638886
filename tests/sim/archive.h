/* The archive beside a simulated world (SMS-19): what the job does, without its threads, and
 * history as a list of records in place of files. A message moves in two steps, with whatever else
 * happens between them: its record is made of its rows and kept, and a command deletes the rows. */
#ifndef SMSD_TESTS_SIM_ARCHIVE_H
#define SMSD_TESTS_SIM_ARCHIVE_H

#include "base/buffer.h"
#include "engine/archive.h"
#include "op.h"
#include "world.h"

enum { ARCHIVE_CHUNK_MAX = 16 };

struct sim_record {
    struct archived_message message;
    size_t at, size;                       /* in the archive's `bytes` */
    bool is_kept;                          /* history has it */
    bool is_alone;                         /* the rows have gone, for good */
    uint64_t charge_weight, record_weight; /* in the sums of its day */
};

struct archive {
    struct buffer bytes;
    struct sim_record of[OPS_MAX]; /* the last that was made of each message */
    uint32_t count;
    /* Kept, and their rows are not deleted yet. */
    struct archived_message chunk[ARCHIVE_CHUNK_MAX];
    uint32_t chunk_count;
    uint32_t dropped_before; /* 0: no day was dropped */
};

void archive_init(struct archive *archive);
void archive_release(struct archive *archive);
/* NULL: none was ever made of this message. */
struct sim_record *archive_find(struct archive *archive, uint64_t number);
const char *archive_bytes(const struct archive *archive, const struct sim_record *record);

/* The first step, of those that have finished before that: up to `max` of them become a chunk. */
void archive_gather(struct archive *archive, struct txn *txn, int64_t before_ms, uint32_t max);
/* Behind the second: all of the chunk that was unchanged has moved, and nothing else. */
void archive_moved(struct archive *archive, struct world *world, const struct result *result,
                   const bool was_unchanged[ARCHIVE_CHUNK_MAX]);
/* Which messages of the chunk are as their records say? */
void archive_look(struct archive *archive, struct txn *txn, bool is_unchanged[ARCHIVE_CHUNK_MAX]);
/* The first day that history has; false: none. */
bool archive_first_day(const struct archive *archive, uint32_t *day);
void archive_dropped(struct archive *archive, struct world *world, uint32_t day);

/* A message is a row or history, or both only where the second step is to come; and the rows of
 * days say exactly what has moved. */
void archive_check(struct archive *archive, struct txn *txn);
/* As it is read: from rows, else from history. False: it was dropped. */
bool archive_read(struct archive *archive, struct txn *txn, uint64_t number);

#endif
