/* Sorting the rows of a generation. Ordered tables are: their skip list is walked. The others are
 * taken in the order they came and sorted by radix on eight bytes of the key, those behind what all
 * keys of the table share ("user-000…" would sort nothing), then the few runs of equal heads by the
 * whole key: qsort by whole keys misses the cache at each compare. */
#include "store/sorted_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "store/key_order.h"

enum { RADIX_BITS = 8, RADIX = 1 << RADIX_BITS, RADIX_ROWS_MIN = 256 };

static void count_tables(struct sorted_rows *sorted)
{
    const struct overlay *overlay = sorted->overlay;
    size_t counts[TABLE_NUMBER_MAX + 1] = {0};
    size_t begin = 0;

    for (row_ref ref = overlay->newest; ref != 0; ref = overlay_row(overlay, ref)->older)
        counts[overlay_row(overlay, ref)->table]++;
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++) {
        sorted->begins[table] = begin;
        begin += counts[table];
    }
    sorted->begins[TABLE_NUMBER_MAX + 1] = begin;
}

static void collect(struct sorted_rows *sorted)
{
    const struct overlay *overlay = sorted->overlay;
    size_t at[TABLE_NUMBER_MAX + 1];

    memcpy(at, sorted->begins, sizeof at);
    for (row_ref ref = overlay->newest; ref != 0; ref = overlay_row(overlay, ref)->older) {
        unsigned table = overlay_row(overlay, ref)->table;
        if (!table_infos[table].is_ordered)
            sorted->rows[at[table]++].row = ref;
    }
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++)
        if (table_infos[table].is_ordered)
            for (row_ref ref = overlay_first(overlay, table); ref != 0;
                 ref = overlay_next(overlay, overlay_row(overlay, ref)))
                sorted->rows[at[table]++].row = ref;
}

static size_t shared_size(const struct sorted_rows *sorted, size_t begin, size_t end)
{
    const struct row *first = sorted_rows_at(sorted, begin);
    const unsigned char *key = row_key(first);
    size_t shared = first->key_size;
    for (size_t i = begin + 1; i < end; i++) {
        const struct row *row = sorted_rows_at(sorted, i);
        if (row->key_size < shared)
            shared = row->key_size;
        const unsigned char *other = row_key(row);
        size_t size = 0;
        while (size < shared && other[size] == key[size])
            size++;
        shared = size;
    }
    return shared;
}

static void fill_heads(struct sorted_rows *sorted, size_t begin, size_t end, size_t shared)
{
    for (size_t i = begin; i < end; i++) {
        const struct row *row = sorted_rows_at(sorted, i);
        const char *key = row_key(row);
        size_t left = row->key_size - shared;
        unsigned char head[8] = {0};
        memcpy(head, key + shared, left < sizeof head ? left : sizeof head);
        sorted->rows[i].head = bytes_get_u64_be(head);
    }
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

static void sort_table(struct sorted_rows *sorted, struct sorted_row *spare, size_t begin,
                       size_t end)
{
    fill_heads(sorted, begin, end, shared_size(sorted, begin, end));
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
    sorted->overlay = overlay;
    /* The rows, and as much again to sort with. Not by malloc, which would keep it. */
    sorted->mapped_bytes = 2 * (overlay->rows + 1) * sizeof *sorted->rows;
    sorted->rows = mmap(NULL, sorted->mapped_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sorted->rows == MAP_FAILED)
        log_fatal("out of memory", NULL, ENOMEM);
    count_tables(sorted);
    collect(sorted);
    for (unsigned table = 0; table <= TABLE_NUMBER_MAX; table++) {
        size_t begin = sorted->begins[table], end = sorted->begins[table + 1];
        if (end - begin > 1 && !table_infos[table].is_ordered)
            sort_table(sorted, sorted->rows + overlay->rows + 1, begin, end);
    }
}

void sorted_rows_release(struct sorted_rows *sorted)
{
    munmap(sorted->rows, sorted->mapped_bytes);
}
