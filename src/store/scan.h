/* The scan thread: reads whole tables as of one moment, one scan at a time, for store_scan.
 * `on_row` and `on_end` are called on it. At most SCANS_MAX wait, the one that runs among them. */
#ifndef SMSD_STORE_SCAN_H
#define SMSD_STORE_SCAN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store/store.h"

struct tree_reader;

struct scan {
    enum table tables[TABLE_NUMBER_MAX + 1];
    char prefix[KEY_BYTES_MAX];
    struct store_scan asked; /* its `tables` and `prefix` are those above */
};

struct scans {
    struct store *store;
    pthread_t thread;
    bool runs;
    atomic_bool stops;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t wakes;
    struct scan queue[SCANS_MAX]; /* the first is the one that runs */
    int count;
    uint64_t needs; /* the generation that must be in LMDB for the one that waits; 0: none waits */
    struct tree_reader *snapshot;
    int snapshot_error;
};

/* Before the checkpoint thread starts, and after it has ended. */
void scans_init(struct scans *scans, struct store *store);
void scans_release(struct scans *scans);
int scans_start(struct scans *scans, struct buffer *why);
/* Those in line and the one that runs end with ERR_IO. */
void scans_stop(struct scans *scans);
/* Checkpoint thread, before anything newer is written: generation `number` and all before are in
 * LMDB. */
void scans_offer(struct scans *scans, uint64_t number);

#endif
