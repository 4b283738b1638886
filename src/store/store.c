/* The store's own: opening and closing, the open batch on its way to the journal, generations on
 * theirs to LMDB. Everything here runs on the loop's thread and waits for nothing, but opening,
 * flushing and closing.
 *
 * A generation is frozen only while the open batch is empty, so that each batch lies in one
 * generation: the frozen one is then all rows up to a batch's end, which is what a journal position
 * is. */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/batch.h"
#include "store/crash_point.h"
#include "store/store_struct.h"

enum {
    FREEZE_FULLNESS = 875, /* thousandths: the rest is for what is under way */
    WAITING_FULLNESS_MAX = 950,
    JOURNAL_SHARE =
        3, /* of the journal's bound for one generation: two exist during a checkpoint */
    PAYLOAD_KEPT = 1 << 20,
    TXNS_PER_BATCH_MIN = 2,
    NS_PER_MS = 1000000,
};

/* Opening */

static void on_batch_durable(void *context, uint64_t sequence)
{
    struct store *store = context;
    struct journal_position position;
    store->journal->ops->position(store->journal, &position);
    assert(position.sequence == sequence);
    atomic_store(&store->durable, sequence);
    checkpoint_note_durable(&store->checkpoint, &position);
    if (store->options.on_durable != NULL)
        store->options.on_durable(store->options.context);
}

static int open_parts(struct store *store, struct buffer *why)
{
    const struct store_options *options = &store->options;
    const struct journal_options journal = {
        .directory = store->dir.journal,
        .bytes_max = options->journal_bytes_max,
        .segment_bytes = options->journal_segment_bytes,
    };
    int error = tree_open(&store->tree, store->dir.rows, options->map_bytes_max, false, why);
    if (error == 0 && (error = tree_reader_begin(store->tree, &store->reader)) != 0)
        buffer_append_text(why, "cannot read the stored rows");
    if (error == 0)
        error = journal_segment_open(&store->journal, &journal, why);
    if (error == 0) {
        store->journal->on_durable = on_batch_durable;
        store->journal->context = store;
        store->batch_bytes_max = store->journal->ops->batch_bytes_max(store->journal);
    }
    return error;
}

static struct overlay *new_generation(struct store *store)
{
    struct overlay *overlay = overlay_new(store->options.overlay_bytes_max, store->txn_bytes_max);
    if (overlay == NULL)
        log_fatal("no address space for a generation of rows", NULL, ENOMEM);
    return overlay;
}

static void number_live(struct store *store, uint64_t number)
{
    store->live->number = number;
    atomic_store(&store->checkpoint.live_number, number);
}

static int open_on_disk(struct store *store, struct buffer *why)
{
    int error = data_dir_open(&store->dir, store->options.data_dir, false, why);
    if (error == 0)
        error = open_parts(store, why);
    if (error != 0)
        return error;
    store->txn_bytes_max = store->batch_bytes_max / TXNS_PER_BATCH_MIN;
    store->live = new_generation(store);
    number_live(store, 1);
    error = filters_start(&store->filters, store, why);
    if (error == 0)
        error = checkpoint_start(&store->checkpoint, store, why);
    if (error == 0)
        error = store_recover(store, why);
    if (error == 0 && store->dir.is_new)
        error = data_dir_finish(&store->dir, why);
    if (error == 0)
        error = scans_start(&store->scans, why);
    if (error == 0)
        error = history_open(
            &store->history,
            &(struct history_options){store->dir.history, store->options.map_bytes_max}, why);
    return error;
}

struct history *store_history(struct store *store)
{
    return store->history;
}

void store_stop_history(struct store *store)
{
    history_stop(store->history);
}

static void free_store(struct store *store)
{
    history_stop(store->history);
    history_close(store->history);
    scans_stop(&store->scans);
    if (store->journal != NULL)
        store->journal->ops->close(store->journal);
    checkpoint_stop(&store->checkpoint);
    filters_stop(&store->filters);
    scans_release(&store->scans);
    tree_reader_end(store->reader);
    tree_close(store->tree);
    overlay_free(store->live);
    overlay_free(store->frozen);
    txn_release(&store->txn);
    buffer_release(&store->payloads[0]);
    buffer_release(&store->payloads[1]);
    data_dir_close(&store->dir);
    free(store);
}

int store_open(struct store **opened, const struct store_options *options, struct buffer *why)
{
    struct store *store = calloc(1, sizeof *store);
    int error = 0;
    if (store == NULL)
        return ERR_NO_MEMORY;
    store->options = *options;
    if (store->options.overlay_bytes_max < OVERLAY_BYTES_MIN)
        store->options.overlay_bytes_max = OVERLAY_BYTES_MIN;
    store->dir.lock_fd = -1;
    txn_init(&store->txn, store);
    scans_init(&store->scans, store);
    buffer_init(&store->payloads[0]);
    buffer_init(&store->payloads[1]);
    if (getrandom(&store->seed, sizeof store->seed, 0) != (ssize_t)sizeof store->seed)
        log_fatal("no random numbers", NULL, errno);
    if (options->data_dir != NULL) {
        error = open_on_disk(store, why);
    } else {
        store->batch_bytes_max = JOURNAL_BATCH_BYTES_MAX;
        store->txn_bytes_max = JOURNAL_BATCH_BYTES_MAX / TXNS_PER_BATCH_MIN;
        store->live = new_generation(store);
        number_live(store, 1);
    }
    if (error != 0) {
        free_store(store);
        return error;
    }
    *opened = store;
    return 0;
}

/* Batches */

enum store_admission store_admits(const struct store *store)
{
    if (overlay_is_full(store->live) ||
        store->open.bytes > store->batch_bytes_max - store->txn_bytes_max)
        return STORE_OVERLOADED;
    if (store->journal == NULL)
        return STORE_ADMITS;
    switch (store->journal->ops->room(store->journal)) {
    case JOURNAL_HAS_ROOM:
        return STORE_ADMITS;
    case JOURNAL_WAITS:
        return STORE_OVERLOADED;
    case JOURNAL_STORAGE_FULL:
        break;
    }
    return STORE_STORAGE_FULL;
}

unsigned store_fullness(const struct store *store)
{
    return overlay_fullness(store->live);
}

uint64_t store_visible(const struct store *store)
{
    return store->submitted + (store->open.rows > 0 ? 1 : 0);
}

uint64_t store_durable(const struct store *store)
{
    return atomic_load(&store->durable);
}

static void give_back_payload(struct buffer *payload, size_t wanted)
{
    if (payload->capacity > PAYLOAD_KEPT && payload->capacity / 4 > wanted)
        buffer_release(payload);
}

void store_submit(struct store *store)
{
    assert(!store->txn.is_open);
    if (store->open.rows == 0 || store->submitted != store_durable(store))
        return;
    if (store->journal == NULL) {
        atomic_store(&store->durable, ++store->submitted);
        store->open = (struct open_batch){0};
        if (store->options.on_durable != NULL)
            store->options.on_durable(store->options.context);
        return;
    }
    struct buffer *payload = &store->payloads[store->payload];
    store->payload ^= 1;
    give_back_payload(payload, store->open.bytes);
    payload->size = 0;
    size_t rows = batch_encode(payload, store->live, store->open.first);
    assert(rows == store->open.rows && payload->size <= store->open.bytes);
    store->open = (struct open_batch){0};
    store->live_journal_bytes += payload->size + JOURNAL_BLOCK_BYTES;
    store->submitted++;
    store->journal->ops->append(store->journal, store->submitted, payload->data, payload->size);
    if (store->freeze_wanted)
        store_freeze(store);
}

void store_flush(struct store *store)
{
    struct checkpoint *checkpoint = &store->checkpoint;
    assert(!store->txn.is_open);
    while (store_durable(store) < store_visible(store)) {
        store_submit(store);
        if (store->journal == NULL)
            return;
        pthread_mutex_lock(&checkpoint->mutex);
        while (store_durable(store) < store->submitted)
            pthread_cond_wait(&checkpoint->changed, &checkpoint->mutex);
        pthread_mutex_unlock(&checkpoint->mutex);
    }
}

/* Generations */

static void show_metrics(const struct store *store)
{
    size_t bytes = overlay_bytes(store->live), rows = store->live->rows;
    if (store->frozen != NULL) {
        bytes += overlay_bytes(store->frozen);
        rows += store->frozen->rows;
    }
    metric_set(METRIC_OVERLAY_BYTES, (int64_t)bytes);
    metric_set(METRIC_OVERLAY_ROWS, (int64_t)rows);
}

void store_next_generation(struct store *store)
{
    assert(store->frozen == NULL);
    store->frozen = store->live;
    store->live = checkpoint_take_spare(&store->checkpoint);
    if (store->live == NULL)
        store->live = new_generation(store);
    number_live(store, store->frozen->number + 1);
    store->spare_wanted = false;
}

void store_freeze(struct store *store)
{
    struct journal_position position;
    assert(store->frozen == NULL && store->open.rows == 0 && !store->txn.is_open);
    store->freeze_wanted = false;
    atomic_store(&store->checkpoint.is_requested, false);
    store_next_generation(store);
    store->live_since_ns = 0;
    store->live_journal_bytes = 0;
    checkpoint_begin(&store->checkpoint, store->frozen, store->submitted);
    /* The last batch may be durable already; if not, on_batch_durable tells. */
    store->journal->ops->position(store->journal, &position);
    checkpoint_note_durable(&store->checkpoint, &position);
}

bool store_adopt(struct store *store, struct journal_position *position)
{
    struct tree_index *index = NULL;
    if (atomic_load_explicit(&store->filters.has_new, memory_order_relaxed))
        filters_show(&store->filters);
    if (store->frozen == NULL || !checkpoint_take(&store->checkpoint, position, &index))
        return false;
    filters_show(&store->filters); /* what was written is in them */
    struct tree_index *before = tree_reader_use(store->reader, NULL);
    tree_reader_renew(store->reader);
    store->index_wanted = false;
    tree_index_free(tree_reader_use(store->reader, index)); /* one that cannot be used */
    checkpoint_retire(&store->checkpoint, store->frozen, before);
    store->frozen = NULL;
    return true;
}

static void adopt_and_release(struct store *store)
{
    struct journal_position position;
    if (!store_adopt(store, &position))
        return;
    crash_point("checkpoint.before_release");
    store->journal->ops->release(store->journal, &position);
    if (store->submitted == store_durable(store)) {
        give_back_payload(&store->payloads[0], 0);
        give_back_payload(&store->payloads[1], 0);
    }
}

void store_request_checkpoint(struct store *store)
{
    atomic_store(&store->checkpoint.is_requested, true);
}

static bool wants_freeze(const struct store *store, uint64_t now_ns)
{
    if (atomic_load_explicit(&store->checkpoint.is_requested, memory_order_relaxed) ||
        overlay_fullness(store->live) >= FREEZE_FULLNESS)
        return true;
    if (store->live->rows == 0)
        return false;
    return now_ns - store->live_since_ns >=
               (uint64_t)store->options.checkpoint_interval_ms * NS_PER_MS ||
           (store->options.journal_bytes_max != 0 &&
            store->live_journal_bytes >= store->options.journal_bytes_max / JOURNAL_SHARE) ||
           store->journal->ops->room(store->journal) != JOURNAL_HAS_ROOM;
}

/* One made for the tables that are looked up in, without waiting for a checkpoint. */
static void adopt_index(struct store *store)
{
    if (!tree_reader_wants_index(store->reader))
        return;
    if (!store->index_wanted) {
        store->index_wanted = true;
        checkpoint_want_index(&store->checkpoint);
        return;
    }
    struct tree_index *index = checkpoint_take_index(&store->checkpoint);
    if (index == NULL)
        return;
    store->index_wanted = false;
    tree_index_free(tree_reader_use(store->reader, index));
}

/* Memory for the next generation, while there is time. */
static void prepare_next(struct store *store)
{
    if (store->spare_wanted || overlay_fullness(store->live) < CHECKPOINT_SPARE_FULLNESS)
        return;
    store->spare_wanted = true;
    checkpoint_want_spare(&store->checkpoint);
}

/* A generation's memory is a moment from being ready, and there is still room. */
static bool waits_for_spare(struct store *store)
{
    unsigned fullness = overlay_fullness(store->live);
    return fullness >= CHECKPOINT_SPARE_FULLNESS && fullness < WAITING_FULLNESS_MAX &&
           checkpoint_is_tidying(&store->checkpoint);
}

int store_tick(struct store *store, uint64_t now_ns)
{
    assert(!store->txn.is_open);
    if (store->journal == NULL) {
        show_metrics(store);
        return -1;
    }
    adopt_and_release(store);
    if (store->live->rows > 0 && store->live_since_ns == 0)
        store->live_since_ns = now_ns;
    prepare_next(store);
    if (store->frozen == NULL && wants_freeze(store, now_ns) && !waits_for_spare(store)) {
        if (store->open.rows == 0)
            store_freeze(store);
        else
            store->freeze_wanted = true; /* with the next submit */
    }
    if (store->frozen == NULL)
        adopt_index(store);
    show_metrics(store);
    if (store->frozen != NULL || store->freeze_wanted || store->live->rows == 0)
        return -1;
    uint64_t age_ms = (now_ns - store->live_since_ns) / NS_PER_MS;
    return age_ms >= store->options.checkpoint_interval_ms
               ? 0
               : (int)(store->options.checkpoint_interval_ms - age_ms);
}

/* Closing */

static void write_last_checkpoint(struct store *store)
{
    if (store->frozen != NULL) {
        if (checkpoint_wait(&store->checkpoint) != 0)
            return;
        adopt_and_release(store);
    }
    if (store->live->rows == 0)
        return;
    store_freeze(store);
    if (checkpoint_wait(&store->checkpoint) == 0)
        adopt_and_release(store);
}

void store_close(struct store *store, bool checkpoint)
{
    store_flush(store);
    if (store->journal != NULL && checkpoint)
        write_last_checkpoint(store); /* failing is logged; the journal holds everything */
    free_store(store);
}
