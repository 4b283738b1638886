/* Making and feeding filters, see filter.h. What is hard is to miss no key while one is made. A
 * checkpoint commits its rows first and feeds them to the filters then, the one being made among
 * them, if it is there by then; the builder first shows where it is to be fed, and takes its
 * snapshot then. So a row that the snapshot has not was committed after it, and is fed; and until
 * the loop has let go of the generation in memory, it finds the row there. */
#include "store/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/log.h"
#include "store/store_struct.h"

enum {
    BITS_PER_KEY = 12,
    BLOCK_BYTES = 64,
    ROWS_PER_LOCK = 256,
    KEYS_MIN = 1 << 20,
    GROWTH = 2,           /* room for as many keys again as there are */
    BLOCKS_MAX = 1 << 22, /* 256 MiB: 180 million keys; beyond them it is less sharp, never wrong */
};

static struct filter_bits *bits_new(uint64_t keys)
{
    struct filter_bits *bits = malloc(sizeof *bits);
    uint64_t capacity = keys * GROWTH < KEYS_MIN ? KEYS_MIN : keys * GROWTH;
    uint64_t blocks = capacity * BITS_PER_KEY / (8 * BLOCK_BYTES) + 1;
    void *words;

    if (bits == NULL)
        return NULL;
    if (blocks > BLOCKS_MAX)
        blocks = BLOCKS_MAX;
    words = mmap(NULL, blocks * BLOCK_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (words == MAP_FAILED) {
        free(bits);
        return NULL;
    }
    *bits = (struct filter_bits){.words = words, .blocks = blocks, .capacity = capacity};
    return bits;
}

static void bits_free(struct filter_bits *bits)
{
    if (bits == NULL)
        return;
    munmap(bits->words, bits->blocks * BLOCK_BYTES);
    free(bits);
}

static void bits_add(struct filter_bits *bits, uint64_t hash)
{
    const uint64_t pick = hash * UINT64_C(0x9e3779b97f4a7c15);
    atomic_uint_fast64_t *block = bits->words + (size_t)((hash >> 32) * bits->blocks >> 32) * 8;

    for (unsigned i = 0; i < 6; i++) {
        unsigned bit = (unsigned)(pick >> (10 + 9 * i)) & 511;
        atomic_fetch_or_explicit(&block[bit / 64], UINT64_C(1) << (bit % 64), memory_order_relaxed);
    }
}

static bool is_outgrown(const struct filter *filter)
{
    return filter->current == NULL || filter->current->keys > filter->current->capacity;
}

/* The lock is let go now and then: the loop may want it. */
static void add_generation(struct filters *filters, const struct overlay *overlay, enum table table)
{
    struct filter *filter = &filters->tables[table];
    unsigned count = 0;

    for (row_ref ref = overlay->newest; ref != 0;) {
        const struct row *row = overlay_row(overlay, ref);
        ref = row->older;
        if (row->table != table || row->is_deleted)
            continue;
        uint64_t hash = store_hash(filters->store, table, row_key(row), row->key_size);
        if (filter->current != NULL) {
            bits_add(filter->current, hash);
            filter->current->keys++;
        }
        if (filter->building != NULL)
            bits_add(filter->building, hash);
        if (++count % ROWS_PER_LOCK == 0) {
            pthread_mutex_unlock(&filters->mutex);
            pthread_mutex_lock(&filters->mutex);
        }
    }
}

void filters_add(struct filters *filters, const struct overlay *overlay)
{
    pthread_mutex_lock(&filters->mutex);
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++) {
        if (!table_infos[table].is_missed)
            continue;
        add_generation(filters, overlay, (enum table)table);
        if (is_outgrown(&filters->tables[table]))
            pthread_cond_signal(&filters->wakes);
    }
    pthread_mutex_unlock(&filters->mutex);
}

void filters_show(struct filters *filters)
{
    pthread_mutex_lock(&filters->mutex);
    filters->has_new = false;
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++) {
        struct filter *filter = &filters->tables[table];
        if (filter->shown == filter->current)
            continue;
        filter->shown = filter->current;
        pthread_cond_signal(&filters->wakes); /* the retired one may go */
    }
    pthread_mutex_unlock(&filters->mutex);
}

/* Adds every row of the table as of now. False: it could not be read whole. */
static bool add_rows(struct filters *filters, enum table table, struct filter_bits *bits,
                     struct tree_reader *reader)
{
    struct tree_row row;
    struct tree_cursor *cursor = tree_cursor_open(reader, table);
    if (cursor == NULL)
        return true; /* it has none */
    int result = tree_cursor_seek(cursor, true, NULL, 0, &row);
    while (result == 1 && !atomic_load_explicit(&filters->stops, memory_order_relaxed)) {
        bits_add(bits, store_hash(filters->store, table, row.key, row.key_size));
        bits->keys++;
        result = tree_cursor_move(cursor, true, &row);
    }
    tree_cursor_close(cursor);
    return result == 0;
}

static bool build_from_snapshot(struct filters *filters, enum table table, struct filter_bits *bits)
{
    struct tree_reader *reader;

    if (tree_reader_begin(filters->store->tree, &reader) != 0)
        return false;
    bool is_whole = add_rows(filters, table, bits, reader);
    tree_reader_end(reader);
    return is_whole;
}

static uint64_t count_rows(struct filters *filters, enum table table)
{
    struct tree_reader *reader;
    uint64_t rows = 0;

    if (tree_reader_begin(filters->store->tree, &reader) == 0) {
        (void)tree_count(reader, table, &rows);
        tree_reader_end(reader);
    }
    return rows;
}

/* Called and returns with the mutex locked. */
static void build(struct filters *filters, enum table table)
{
    struct filter *filter = &filters->tables[table];
    struct filter_bits *bits;
    bool is_whole;

    pthread_mutex_unlock(&filters->mutex);
    bits = bits_new(count_rows(filters, table));
    pthread_mutex_lock(&filters->mutex);
    if (bits == NULL)
        log_fatal("out of memory", NULL, ENOMEM);
    filter->building = bits;
    pthread_mutex_unlock(&filters->mutex);
    is_whole = build_from_snapshot(filters, table, bits);
    pthread_mutex_lock(&filters->mutex);
    filter->building = NULL;
    if (!is_whole) {
        bits_free(bits); /* closing, or rows that cannot be read: whoever needs one will say so */
        return;
    }
    filter->retired = filter->current;
    filter->current = bits;
    filters->has_new = true;
    if (filters->store->options.on_wake != NULL)
        filters->store->options.on_wake(filters->store->options.context);
}

/* One step of work, with the mutex locked; false if there is none. */
static bool step(struct filters *filters, enum table table)
{
    struct filter *filter = &filters->tables[table];

    if (!table_infos[table].is_missed)
        return false;
    if (filter->retired != NULL && filter->shown != filter->retired) {
        bits_free(filter->retired);
        filter->retired = NULL;
        return true;
    }
    if (filter->retired != NULL || !is_outgrown(filter) ||
        (filter->current != NULL && filter->current->blocks == BLOCKS_MAX))
        return false;
    build(filters, table);
    return true;
}

static void *run(void *context)
{
    struct filters *filters = context;

    pthread_setname_np(pthread_self(), "filter");
    pthread_mutex_lock(&filters->mutex);
    while (!filters->stops) {
        bool has_worked = false;
        for (unsigned table = 0; table <= TABLE_NUMBER_MAX && !filters->stops; table++)
            has_worked = step(filters, (enum table)table) || has_worked;
        if (!has_worked && !filters->stops)
            pthread_cond_wait(&filters->wakes, &filters->mutex);
    }
    pthread_mutex_unlock(&filters->mutex);
    return NULL;
}

/* A table without rows needs nobody to read it. */
static void start_empty(struct filters *filters)
{
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++) {
        struct filter *filter = &filters->tables[table];
        if (table_infos[table].is_missed && count_rows(filters, (enum table)table) == 0)
            filter->shown = filter->current = bits_new(0);
    }
}

int filters_start(struct filters *filters, struct store *store, struct buffer *why)
{
    filters->store = store;
    pthread_mutex_init(&filters->mutex, NULL);
    pthread_cond_init(&filters->wakes, NULL);
    start_empty(filters);
    int error = pthread_create(&filters->thread, NULL, run, filters);
    if (error != 0) {
        buffer_append_format(why, "cannot start a thread: %s", strerror(error));
        return ERR_NO_MEMORY;
    }
    filters->runs = true;
    return 0;
}

void filters_stop(struct filters *filters)
{
    if (filters->runs) {
        pthread_mutex_lock(&filters->mutex);
        filters->stops = true;
        pthread_cond_signal(&filters->wakes);
        pthread_mutex_unlock(&filters->mutex);
        pthread_join(filters->thread, NULL);
        filters->runs = false;
    }
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++) {
        bits_free(filters->tables[table].retired);
        bits_free(filters->tables[table].current);
        filters->tables[table] = (struct filter){0};
    }
}
