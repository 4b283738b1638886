/* The store: rows in tables, changed by transactions, gathered into batches that a journal makes
 * durable, moved into LMDB by checkpoints. src/README.md tells how the parts work together.
 *
 * Threads: every call here is for the loop's thread, except where said. The store has threads of
 * its own (journal writer, segment preparer, checkpoint and scan); callbacks named on_… come on
 * those threads and may only wake the loop.
 *
 * Durable when: a committed transaction is durable once store_durable() >= the sequence that
 * store_visible() returned after its commit. Until then no reply may show it.
 *
 * Failure: an error from write or fsync of the journal ends the process inside the store
 * (log_fatal). A checkpoint that fails is tried again. No room for the journal shows in
 * store_admits. */
#ifndef SMSD_STORE_STORE_H
#define SMSD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/history.h"
#include "store/table.h"
#include "store/txn.h"

struct store;
struct buffer;

struct store_options {
    const char *data_dir; /* made if missing (mode 0700); NULL: rows in memory only, no journal, no
                             LMDB, every batch durable at once (the simulator's store) */
    size_t overlay_bytes_max;     /* bound for one generation of rows in memory; two exist during a
                                     checkpoint */
    size_t journal_bytes_max;     /* bound for all segments together, at least four segments */
    size_t journal_segment_bytes; /* 0: JOURNAL_SEGMENT_BYTES. Smaller in tests. */
    size_t checkpoint_pages_max;  /* of LMDB changed in one of its transactions; 0: what is
                                     sensible. Smaller in tests. */
    uint32_t checkpoint_interval_ms;   /* oldest change that may wait for a checkpoint */
    size_t map_bytes_max;              /* LMDB's address space; only the bound of the file's size */
    void (*on_durable)(void *context); /* store_durable() has moved. Any thread. */
    void (*on_wake)(void *context);    /* store_tick() has something to do. Any thread. */
    void *context;
};

/* Opens, recovers (journal replayed, torn tail cut), starts the threads. 0 or an enum error, with
 * what is wrong and where in `why` (a sentence for the operator). Holds the directory's lock until
 * closed. */
int store_open(struct store **store, const struct store_options *options, struct buffer *why);
/* Makes everything durable, writes a last checkpoint if `checkpoint`, stops the threads, frees. */
void store_close(struct store *store, bool checkpoint);

/* May a command that writes begin? Ask before each; what is asked for is never half done. */
enum store_admission {
    STORE_ADMITS,
    STORE_OVERLOADED,   /* overlay or journal at its bound: a checkpoint must finish first */
    STORE_STORAGE_FULL, /* no room on disk for the next journal segment */
};
enum store_admission store_admits(const struct store *store);

/* How far memory is filled, in thousandths of where store_admits says STORE_OVERLOADED: for work
 * that can wait and should leave room to others. */
unsigned store_fullness(const struct store *store);

/* One transaction at a time. */
struct txn *store_begin(struct store *store);
/* For one that is made of many steps: may it grow by a further one, of STORE_STEP_BYTES_MAX? What
 * goes beyond the bound ends the process. */
enum { STORE_STEP_BYTES_MAX = 64 << 10 };
bool store_txn_has_room(const struct txn *txn);
void store_commit(struct txn *txn);
void store_abort(struct txn *txn);

/* Batches are numbered from 1, without gaps, across restarts. */
/* The last batch that holds anything a read could see by now (open, under way or durable). */
uint64_t store_visible(const struct store *store);
/* The last durable batch. */
uint64_t store_durable(const struct store *store);
/* Hands the open batch to the journal if it holds changes and no other batch is under way. Call at
 * the end of each turn of the loop and after each on_durable. */
void store_submit(struct store *store);
/* Submits and waits until all that is visible is durable. For start-up and shut-down. */
void store_flush(struct store *store);

/* Freezes the live generation when it is large or old enough, adopts a finished checkpoint, retries
 * a failed one. Call at the end of each turn, and when on_wake says so; `now_ns` is monotonic.
 * Returns the milliseconds after which it wants to be called again at the latest, or -1: only when
 * something changes. */
int store_tick(struct store *store, uint64_t now_ns);
/* Asks for a checkpoint now, whatever its age; it is begun by the next store_tick. */
void store_request_checkpoint(struct store *store);

/* Reads every row of one or more tables as they are at this moment, off the loop, without holding
 * anything up: the live generation is frozen and checkpointed, then the scan thread reads that LMDB
 * snapshot, table after table, in key order. `on_row` and `on_end` run on the scan thread; `on_end`
 * gets 0, or the enum error that ended it early (`on_row` returning non-zero ends it with that
 * value). One scan runs at a time, further ones wait in line (SCANS_MAX; then -1 is returned and
 * nothing is called). */
enum { SCANS_MAX = 16 };
struct store_scan {
    const enum table *tables;
    int table_count;
    int (*on_row)(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size);
    void (*on_end)(void *context, int error);
    void *context;
    const void *prefix; /* only keys that begin with it (copied) */
    size_t prefix_size; /* 0: all */
};
int store_scan(struct store *store, const struct store_scan *scan);

/* The history beside the rows (store/history.h); NULL where rows are in memory only. */
struct history *store_history(struct store *store);
/* Ends its requests, those in line with ERR_IO: before whoever has asked goes away. */
void store_stop_history(struct store *store);

/* Offline: reads everything a store holds, without changing a byte: format, LMDB's checksums of
 * every row, the journal's chain; then calls on_row for every row as recovery would leave it, table
 * after table, in key order (unordered tables too). 0, or an enum error with a sentence in `why`.
 * Refused while a smsd holds the directory. `summary` gets lines for the operator: rows by table,
 * journal segments and sequences. */
int store_verify(const char *data_dir, struct buffer *summary, struct buffer *why,
                 int (*on_row)(void *context, enum table table, const void *key, size_t key_size,
                               const void *value, size_t value_size),
                 void *context);
/* The same, and history: after the last row `on_record` gets every record of it, and says by what
 * it is listed; `is_row` tells that a row of `live` has its number as its key. */
struct store_verify {
    int (*on_row)(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size);
    int (*on_record)(void *context, uint64_t number, const void *value, size_t value_size,
                     bool is_row, uint64_t *to, uint64_t *company);
    enum table live;
    void *context;
};
int store_verify_all(const char *data_dir, struct buffer *summary, struct buffer *why,
                     const struct store_verify *asked);

#endif
