/* Recovery: replays the journal behind the last checkpoint into the live generation. Whenever that
 * is as full as it may become in running it is frozen and checkpointed as then, while replay goes
 * on with the next, so recovery needs no more memory than running, and what it has done once it
 * need not do again. */
#include <errno.h>

#include "base/error.h"
#include "base/log.h"
#include "store/batch.h"
#include "store/crash_point.h"
#include "store/store_struct.h"

enum { RECOVERY_FULLNESS = 875 };

struct replay {
    struct store *store;
    struct buffer *why;
    struct journal_position covered; /* by checkpoints, these included */
};

static int checkpoint_replayed(struct replay *replay, const struct journal_position *end)
{
    struct store *store = replay->store;
    if (store->frozen != NULL) {
        int error = checkpoint_wait(&store->checkpoint);
        if (error != 0) {
            buffer_append_text(replay->why,
                               "recovery needs a checkpoint, which fails: see the log");
            return error;
        }
        store_adopt(store, &replay->covered);
    }
    crash_point("recovery.before_checkpoint");
    store_next_generation(store);
    checkpoint_begin(&store->checkpoint, store->frozen, end->sequence);
    checkpoint_note_durable(&store->checkpoint, end);
    return 0;
}

static int replay_batch(void *context, const struct journal_position *end, const void *payload,
                        size_t size)
{
    struct replay *replay = context;
    struct store *store = replay->store;
    const unsigned char *at = payload, *stop = at + size;
    struct batch_row row;
    int more;

    while ((more = batch_next(&at, stop, &row)) == 1)
        overlay_put(store->live, store_hash(store, row.table, row.key, row.key_size), row.table,
                    row.key, row.key_size, row.value, row.value_size, row.is_deleted);
    if (more != 0) {
        buffer_append_format(replay->why,
                             "the journal's batch %llu holds rows this version does not know",
                             (unsigned long long)end->sequence);
        return ERR_FORMAT_VERSION;
    }
    store->submitted = end->sequence;
    store->live_journal_bytes += size + JOURNAL_BLOCK_BYTES;
    if (overlay_fullness(store->live) >= RECOVERY_FULLNESS)
        return checkpoint_replayed(replay, end);
    return 0;
}

int store_recover(struct store *store, struct buffer *why)
{
    struct replay replay = {.store = store, .why = why};
    struct journal *journal = store->journal;
    struct journal_position from;

    int error = tree_position(store->reader, &from);
    if (error != 0) {
        buffer_append_text(why, "cannot read the last checkpoint's position");
        return error;
    }
    replay.covered = from;
    store->submitted = from.sequence;
    error = journal->ops->recover(journal, &from, replay_batch, &replay, why);
    if (error != 0)
        return error;
    crash_point("recovery.after_replay");
    atomic_store(&store->durable, store->submitted);
    if (replay.covered.sequence != from.sequence)
        journal->ops->release(journal, &replay.covered);
    if (store->submitted != from.sequence)
        log_event(LOG_INFO, "journal_replayed",
                  LOG_NUMBER("batches", store->submitted - from.sequence),
                  LOG_NUMBER("last_batch", store->submitted));
    return 0;
}
