/* The checkpoint thread: writes a frozen generation to LMDB once all of it is durable in the
 * journal, and frees it when readers have moved on, or, where changes come fast enough to fill
 * generations, keeps its memory for the next. A failure is tried again, after 1 s, then longer, up
 * to 30 s; until it succeeds the generation stays where it is. */
#ifndef SMSD_STORE_CHECKPOINT_H
#define SMSD_STORE_CHECKPOINT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/journal.h"

struct overlay;
struct store;
struct tree_index;

enum {
    /* Thousandths: a live generation that is so full will be followed by one with its memory ready,
     * and one that was not, when it was frozen, gives its memory back. */
    CHECKPOINT_SPARE_FULLNESS = 16,
};

struct checkpoint {
    struct store *store;
    pthread_t thread;
    bool runs;
    atomic_bool is_requested;         /* begin one at the next tick */
    atomic_uint_fast64_t live_number; /* of the generation a change made now goes to */
    atomic_bool stops;

    pthread_mutex_t mutex;         /* guards all below */
    pthread_cond_t wakes;          /* the thread has something to do */
    pthread_cond_t changed;        /* is_done, failures, or the store's durable sequence */
    bool hurries;                  /* somebody waits: try again at once */
    const struct overlay *overlay; /* to be written; NULL: none */
    uint64_t sequence;             /* the last batch it holds rows of */
    bool has_position;             /* that batch is durable, and ended at `position` */
    struct journal_position position;
    uint64_t frozen_ns;
    bool is_done;
    unsigned failures; /* of this one, in a row */
    int error;         /* the last one's */
    bool index_wanted;
    struct tree_index *index; /* of what was written, taken with it; or what was wanted */
    struct overlay *retired;  /* to be freed, or to become the spare */
    struct tree_index *retired_index;
    bool is_tidying; /* the thread is about one that was retired, or prepares a spare */
    bool spare_wanted;
    struct overlay *spare; /* empty and prepared, for the generation to come; NULL: none */
};

int checkpoint_start(struct checkpoint *checkpoint, struct store *store, struct buffer *why);
/* Finishes nothing: what is under way is given up at the next commit to LMDB. */
void checkpoint_stop(struct checkpoint *checkpoint);

/* Loop's thread: hands over a frozen generation. */
void checkpoint_begin(struct checkpoint *checkpoint, const struct overlay *overlay,
                      uint64_t sequence);
/* Any thread: the batch at whose end `position` lies is durable. */
void checkpoint_note_durable(struct checkpoint *checkpoint,
                             const struct journal_position *position);
/* Loop's thread: true once what was begun is in LMDB; then `position` is what it covers, and
 * `index` (or NULL) the caller's. */
bool checkpoint_take(struct checkpoint *checkpoint, struct journal_position *position,
                     struct tree_index **index);
/* Asks for an index of what LMDB holds, as it is then. on_wake says that it is ready. */
void checkpoint_want_index(struct checkpoint *checkpoint);
/* NULL: none was asked for, or it is not ready. */
struct tree_index *checkpoint_take_index(struct checkpoint *checkpoint);
/* Gives a generation, and an index, that nobody reads any more to the thread to free. */
void checkpoint_retire(struct checkpoint *checkpoint, struct overlay *overlay,
                       struct tree_index *index);
/* The live generation is filling: the next one's memory is to be ready in time. */
void checkpoint_want_spare(struct checkpoint *checkpoint);
/* An empty generation, the caller's; NULL: none is ready. */
struct overlay *checkpoint_take_spare(struct checkpoint *checkpoint);
/* Is a generation being emptied or prepared, so that there will be a spare in a moment? */
bool checkpoint_is_tidying(struct checkpoint *checkpoint);
/* Waits until the one begun is done (0) or has failed once more (an enum error). */
int checkpoint_wait(struct checkpoint *checkpoint);

#endif
