/* A sweep, what several jobs are: a scan off the loop notes what may have to be done; then, on the
 * loop, commands do it, a slice a turn. Between the two, and between slices, everything may change:
 * each command, or who asks for it, looks again. A slice that is not admitted is tried again; what
 * is left when smsd stops is found by a later run.
 *
 * A job declares its struct sweep_kind and calls sweep_begin; the rest, the job's end included, is
 * here. */
#ifndef SMSD_JOBS_SWEEP_H
#define SMSD_JOBS_SWEEP_H

#include "base/buffer.h"
#include "jobs/job.h"
#include "pipeline/pipeline.h"

struct sweep;

struct sweep_kind {
    const enum table *tables; /* to be scanned; static */
    int table_count;
    size_t found_bytes_max; /* what is beyond waits for the next run */
    /* On the scan's thread, `context` being the struct sweep: for each row, in the order of tables
     * and keys. Calls sweep_note. SWEEP_ENOUGH ends the scan: nothing more is wanted. */
    int (*on_row)(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size);
    /* On the loop: does the first of what was noted and is not done yet, well within a millisecond
     * or two. Returns how many bytes of it those were; 0: nothing is admitted now. */
    size_t (*do_slice)(struct sweep *sweep, const char *found, size_t size);
    /* On the loop, before it goes; NULL: nothing is left to do. */
    void (*on_end)(struct sweep *sweep, bool is_failed);
};

enum { SWEEP_ON, SWEEP_ENOUGH };

struct sweep {
    const struct sweep_kind *kind;
    struct job *job;
    int64_t now_ms; /* when it began */
    void *own;      /* the kind's */
    uint64_t done;  /* what the job says that it has done: the kind counts */
    struct buffer found;
    size_t taken; /* bytes of `found` */
};

/* Begins the job's run, whose end is the sweep's. */
void sweep_begin(struct job *job, const struct sweep_kind *kind, void *own);
/* On the scan's thread. The first thing noted is aligned as malloc aligns; the others lie behind it
 * without gaps. */
void sweep_note(struct sweep *sweep, const void *found, size_t size);

#endif
