/* Sorting the rows of a generation. Ordered tables are: their skip list is walked. The others are
 * taken in the order they came, which is all for keys that are numbers given out, or sorted by
 * radix on eight bytes of the key, those behind what all keys of the table share ("user-000…" would
 * sort nothing), then the few runs of equal heads by the whole key: qsort by whole keys misses the
 * cache at each compare. */
#include "store/sorted_rows.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "store/key_order.h"

enum { RADIX_BITS = 8, RADIX = 1 << RADIX_BITS, RADIX_ROWS_MIN = 256 };

static void begin_tables(struct sorted_rows *sorted)
{
    size_t begin = 0;

    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++) {
        sorted->begins[table] = begin;
        begin += sorted->overlay->table_rows[table];
    }
    sorted->begins[TABLE_NUMBER_MAX + 1] = begin;
    assert(begin == sorted->overlay->rows);
}

/* What the keys of a table have in common, as far as they have been seen. */
struct prefix {
    const unsigned char *key;
    size_t size;
};

static void narrow(struct prefix *prefix, const struct row *row)
{
    const unsigned char *key = row_key(row);
    size_t size = 0;

    if (prefix->key == NULL)
        *prefix = (struct prefix){key, row->key_size};
    if (prefix->size > row->key_size)
        prefix->size = row->key_size;
    if (memcmp(key, prefix->key, prefix->size) == 0)
        return;
    while (key[size] == prefix->key[size])
        size++;
    prefix->size = size;
}

/* Rows of unordered tables, in the order they came: the list begins with the newest. */
static void collect(struct sorted_rows *sorted, struct prefix prefixes[TABLE_NUMBER_MAX + 1])
{
    const struct overlay *overlay = sorted->overlay;
    size_t ends[TABLE_NUMBER_MAX + 1];

    memcpy(ends, sorted->begins + 1, sizeof ends);
    for (row_ref ref = overlay->newest; ref != 0;) {
        const struct row *row = overlay_row(overlay, ref);
        if (!table_infos[row->table].is_ordered) {
            sorted->rows[--ends[row->table]].row = ref;
            narrow(&prefixes[row->table], row);
        }
        ref = row->older;
    }
}

static void collect_ordered(struct sorted_rows *sorted, enum table table)
{
    const struct overlay *overlay = sorted->overlay;
    size_t at = sorted->begins[table];

    for (row_ref ref = overlay_first(overlay, table); ref != 0;
         ref = overlay_next(overlay, overlay_row(overlay, ref)))
        sorted->rows[at++].row = ref;
    assert(at == sorted->begins[table + 1]);
}

/* True if the heads turn out to be sorted, each different from the one before: keys that are
 * numbers come in order. */
static bool fill_heads(struct sorted_rows *sorted, size_t begin, size_t end, size_t shared)
{
    bool is_sorted = true;

    for (size_t i = begin; i < end; i++) {
        const struct row *row = sorted_rows_at(sorted, i);
        const char *key = row_key(row);
        size_t left = row->key_size - shared;
        unsigned char head[8] = {0};
        memcpy(head, key + shared, left < sizeof head ? left : sizeof head);
        sorted->rows[i].head = bytes_get_u64_be(head);
        is_sorted = is_sorted && (i == begin || sorted->rows[i - 1].head < sorted->rows[i].head);
    }
    return is_sorted;
}

/* One pass over eight bits; false if all rows have the same there. */
static bool radix_pass(const struct sorted_row *from, struct sorted_row *to, size_t count,
                       unsigned shift)
{
    size_t places[RADIX] = {0};
    size_t place = 0;
    for (size_t i = 0; i < count; i++)
        places[from[i].head >> shift & (RADIX - 1)]++;
    if (places[from[0].head >> shift & (RADIX - 1)] == count)
        return false;
    for (unsigned digit = 0; digit < RADIX; digit++) {
        size_t here = places[digit];
        places[digit] = place;
        place += here;
    }
    for (size_t i = 0; i < count; i++)
        to[places[from[i].head >> shift & (RADIX - 1)]++] = from[i];
    return true;
}

static void radix_sort(struct sorted_row *rows, struct sorted_row *spare, size_t count)
{
    struct sorted_row *from = rows, *to = spare;
    for (unsigned shift = 0; shift < 64; shift += RADIX_BITS) {
        if (!radix_pass(from, to, count, shift))
            continue;
        struct sorted_row *other = from;
        from = to;
        to = other;
    }
    if (from != rows)
        memcpy(rows, from, count * sizeof *rows);
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct sorted_row *left = a, *right = b;
    if (left->head != right->head)
        return left->head < right->head ? -1 : 1;
    const struct row *left_row = overlay_row(context, left->row);
    const struct row *right_row = overlay_row(context, right->row);
    return key_compare(row_key(left_row), left_row->key_size, row_key(right_row),
                       right_row->key_size);
}

static void sort_run(struct sorted_rows *sorted, size_t begin, size_t end)
{
    union {
        const struct overlay *overlay;
        void *context;
    } in = {.overlay = sorted->overlay};
    qsort_r(sorted->rows + begin, end - begin, sizeof *sorted->rows, compare_rows, in.context);
}

static void sort_table(struct sorted_rows *sorted, struct sorted_row *spare, enum table table,
                       size_t shared)
{
    size_t begin = sorted->begins[table], end = sorted->begins[table + 1];

    if (fill_heads(sorted, begin, end, shared))
        return;
    if (end - begin < RADIX_ROWS_MIN) {
        sort_run(sorted, begin, end);
        return;
    }
    radix_sort(sorted->rows + begin, spare, end - begin);
    for (size_t run = begin, i = begin + 1; i <= end; i++) {
        if (i < end && sorted->rows[i].head == sorted->rows[run].head)
            continue;
        if (i - run > 1)
            sort_run(sorted, run, i);
        run = i;
    }
}

void sorted_rows_init(struct sorted_rows *sorted, const struct overlay *overlay)
{
    struct prefix prefixes[TABLE_NUMBER_MAX + 1] = {{NULL, 0}};

    sorted->overlay = overlay;
    /* The rows, and as much again to sort with, touched where it is needed. Not by malloc, which
     * would keep it. */
    sorted->mapped_bytes = 2 * (overlay->rows + 1) * sizeof *sorted->rows;
    sorted->rows = mmap(NULL, sorted->mapped_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sorted->rows == MAP_FAILED)
        log_fatal("out of memory", NULL, ENOMEM);
    begin_tables(sorted);
    collect(sorted, prefixes);
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++) {
        if (table_infos[table].is_ordered)
            collect_ordered(sorted, table);
        else if (overlay->table_rows[table] > 1)
            sort_table(sorted, sorted->rows + overlay->rows + 1, table, prefixes[table].size);
    }
}

void sorted_rows_release(struct sorted_rows *sorted)
{
    munmap(sorted->rows, sorted->mapped_bytes);
}
