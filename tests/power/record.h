/* The recorder of the power-cut test: every call that changes files below one directory, with its
 * data, in order, and every sync. It is linked into the program it watches: definitions of write(2)
 * and its kin in the program go before libc's, for the store and for LMDB, which is linked
 * statically. That it misses nothing is checked by replaying the whole log and comparing the files.
 *
 * The log lies in memory shared with children, so that one can be recorded and its parent read it.
 */
#ifndef SMSD_TESTS_RECORD_H
#define SMSD_TESTS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind {
    RECORD_WRITE,      /* inode, offset, size, data */
    RECORD_TRUNCATE,   /* inode, size */
    RECORD_ALLOCATE,   /* inode, size: the file is at least that long */
    RECORD_CREATE,     /* inode, name */
    RECORD_DIRECTORY,  /* inode, name */
    RECORD_RENAME,     /* name, other name behind it */
    RECORD_UNLINK,     /* name */
    RECORD_SYNC_BEGIN, /* inode */
    RECORD_SYNC_END,   /* inode, `offset` is the log's index of its begin */
    RECORD_MARK,       /* `offset` is the mark: a batch was acknowledged */
};

struct record {
    enum record_kind kind;
    bool is_durable; /* a write through O_DSYNC */
    uint32_t inode;  /* numbers of our own, from 1, in the order of first sight */
    uint64_t offset;
    uint64_t size; /* of the data, names with their NULs included */
    const char *data;
};

struct record_log;

struct record_log *record_new(void);
void record_free(struct record_log *log);
/* From here on, calls that touch what is below `directory` are recorded. What lies there already is
 * recorded first, as durable; then comes mark 0. */
void record_start(struct record_log *log, const char *directory);
/* Goes on with a log whose process was killed: what was not synced then still is not. */
void record_go_on(struct record_log *log);
/* Kills the process, as by kill -9, after the `count`th record of a kind. */
void record_kill_after(enum record_kind kind, size_t count);
void record_stop(void);
void record_mark(uint64_t mark);

size_t record_count(const struct record_log *log);
struct record record_get(const struct record_log *log, size_t index);
/* The path, relative to the directory. */
const char *record_directory(const struct record_log *log);

#endif
