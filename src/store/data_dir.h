/* The data directory: made, locked, of a format this version knows.
 *
 *     DATA/lock      flock'ed while a smsd has the directory
 *     DATA/format    written last: a directory without it was never finished, and nothing in it
 *                    acknowledged
 *     DATA/rows/     LMDB
 *     DATA/journal/  segments
 *     DATA/history/  a file a day */
#ifndef SMSD_STORE_DATA_DIR_H
#define SMSD_STORE_DATA_DIR_H

#include <stdbool.h>

#include "store/file.h"

struct data_dir {
    char path[FILE_PATH_MAX];
    char rows[FILE_PATH_MAX];
    char journal[FILE_PATH_MAX];
    char history[FILE_PATH_MAX]; /* made by history.c */
    int lock_fd;                 /* -1: not locked */
    bool is_new;                 /* has no format file yet */
};

/* Takes the lock; unless `read_only`, makes what is missing. 0 or an enum error with a sentence in
 * `why`. */
int data_dir_open(struct data_dir *dir, const char *path, bool read_only, struct buffer *why);
/* Everything else is there and durable: writes the format file. */
int data_dir_finish(struct data_dir *dir, struct buffer *why);
void data_dir_close(struct data_dir *dir);

#endif
