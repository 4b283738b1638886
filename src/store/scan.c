/* Scans. One asks for a checkpoint and waits until the generation that was live is in LMDB; the
 * checkpoint thread then takes the snapshot for it, since a moment later it may be writing the
 * next. */
#include "store/scan.h"

#include <assert.h>

#include "base/error.h"
#include "store/sorted_rows.h"
#include "store/store_struct.h"

static bool has_prefix(const struct store_scan *asked, const void *key, size_t key_size)
{
    return asked->prefix_size == 0 ||
           (key_size >= asked->prefix_size && memcmp(key, asked->prefix, asked->prefix_size) == 0);
}

static int scan_table(struct scans *scans, struct tree_reader *reader,
                      const struct store_scan *asked, enum table table)
{
    struct tree_row row;
    struct tree_cursor *cursor = tree_cursor_open(reader, table);
    if (cursor == NULL)
        return 0;
    int result = tree_cursor_seek(cursor, true, asked->prefix_size == 0 ? NULL : asked->prefix,
                                  asked->prefix_size, &row);
    while (result == 1) {
        if (!has_prefix(asked, row.key, row.key_size)) {
            result = 0;
            break;
        }
        result =
            asked->on_row(asked->context, table, row.key, row.key_size, row.value, row.value_size);
        if (result == 0 && atomic_load_explicit(&scans->stops, memory_order_relaxed))
            result = ERR_IO;
        if (result != 0)
            break;
        result = tree_cursor_move(cursor, true, &row);
    }
    tree_cursor_close(cursor);
    return result;
}

/* Waits for the snapshot; NULL and `*error` if there is none to come. */
static struct tree_reader *wait_for_snapshot(struct scans *scans, int *error)
{
    struct store *store = scans->store;
    scans->snapshot = NULL;
    scans->snapshot_error = 0;
    scans->needs = atomic_load(&store->checkpoint.live_number);
    pthread_mutex_unlock(&scans->mutex);
    store_request_checkpoint(store);
    if (store->options.on_wake != NULL)
        store->options.on_wake(store->options.context);
    pthread_mutex_lock(&scans->mutex);
    while (scans->snapshot == NULL && scans->snapshot_error == 0 && !scans->stops)
        pthread_cond_wait(&scans->wakes, &scans->mutex);
    scans->needs = 0;
    *error = scans->snapshot != NULL ? 0 : scans->stops ? ERR_IO : scans->snapshot_error;
    return scans->snapshot;
}

/* The first in line. Called and returns with the mutex locked. */
static void run_first(struct scans *scans)
{
    struct scan scan = scans->queue[0];
    int error = ERR_IO;
    struct tree_reader *reader = scans->stops ? NULL : wait_for_snapshot(scans, &error);

    pthread_mutex_unlock(&scans->mutex);
    scan.asked.prefix = scan.prefix;
    for (int i = 0; i < scan.asked.table_count && error == 0; i++)
        error = scan_table(scans, reader, &scan.asked, scan.tables[i]);
    tree_reader_end(reader);
    scan.asked.on_end(scan.asked.context, error);
    pthread_mutex_lock(&scans->mutex);
    scans->snapshot = NULL;
    scans->count--;
    memmove(&scans->queue[0], &scans->queue[1], (size_t)scans->count * sizeof scans->queue[0]);
}

static void *run(void *context)
{
    struct scans *scans = context;
    pthread_setname_np(pthread_self(), "scan");
    pthread_mutex_lock(&scans->mutex);
    for (;;) {
        if (scans->count > 0)
            run_first(scans);
        else if (scans->stops)
            break;
        else
            pthread_cond_wait(&scans->wakes, &scans->mutex);
    }
    pthread_mutex_unlock(&scans->mutex);
    return NULL;
}

void scans_init(struct scans *scans, struct store *store)
{
    scans->store = store;
    pthread_mutex_init(&scans->mutex, NULL);
    pthread_cond_init(&scans->wakes, NULL);
}

void scans_release(struct scans *scans)
{
    assert(!scans->runs);
    pthread_mutex_destroy(&scans->mutex);
    pthread_cond_destroy(&scans->wakes);
}

int scans_start(struct scans *scans, struct buffer *why)
{
    int error = pthread_create(&scans->thread, NULL, run, scans);
    if (error != 0) {
        buffer_append_format(why, "cannot start a thread: %s", strerror(error));
        return ERR_NO_MEMORY;
    }
    scans->runs = true;
    return 0;
}

void scans_stop(struct scans *scans)
{
    if (!scans->runs)
        return;
    pthread_mutex_lock(&scans->mutex);
    scans->stops = true;
    pthread_cond_signal(&scans->wakes);
    pthread_mutex_unlock(&scans->mutex);
    pthread_join(scans->thread, NULL);
    scans->runs = false;
}

void scans_offer(struct scans *scans, uint64_t number)
{
    pthread_mutex_lock(&scans->mutex);
    if (scans->needs != 0 && scans->needs <= number && scans->snapshot == NULL) {
        scans->snapshot_error = tree_reader_begin(scans->store->tree, &scans->snapshot);
        pthread_cond_signal(&scans->wakes);
    }
    pthread_mutex_unlock(&scans->mutex);
}

/* In memory there is nobody to read beside the loop: the scan runs here and now. */
static void scan_memory(struct store *store, const struct store_scan *asked)
{
    struct sorted_rows sorted;
    int error = 0;
    sorted_rows_init(&sorted, store->live);
    for (int t = 0; t < asked->table_count && error == 0; t++) {
        enum table table = asked->tables[t];
        for (size_t i = sorted.begins[table]; i < sorted.begins[table + 1] && error == 0; i++) {
            const struct row *row = sorted_rows_at(&sorted, i);
            if (!row->is_deleted && has_prefix(asked, row_key(row), row->key_size))
                error = asked->on_row(asked->context, table, row_key(row), row->key_size,
                                      overlay_value(store->live, row), row->value_size);
        }
    }
    sorted_rows_release(&sorted);
    asked->on_end(asked->context, error);
}

int store_scan(struct store *store, const struct store_scan *asked)
{
    struct scans *scans = &store->scans;
    assert(asked->prefix_size <= KEY_BYTES_MAX);
    if (asked->table_count < 0 || asked->table_count > TABLE_NUMBER_MAX)
        return -1;
    if (store->tree == NULL) {
        scan_memory(store, asked);
        return 0;
    }
    pthread_mutex_lock(&scans->mutex);
    bool has_room = scans->count < SCANS_MAX && !scans->stops;
    if (has_room) {
        struct scan *scan = &scans->queue[scans->count++];
        scan->asked = *asked;
        if (asked->prefix_size > 0)
            memcpy(scan->prefix, asked->prefix, asked->prefix_size);
        memcpy(scan->tables, asked->tables, (size_t)asked->table_count * sizeof *asked->tables);
        pthread_cond_signal(&scans->wakes);
    }
    pthread_mutex_unlock(&scans->mutex);
    return has_room ? 0 : -1;
}
