/* Counters of messages: one row read and written a step.
 * What is hard about it: a message changes several times within a command (undelivered, then by
 * another route; accepted, then a receipt that came early) and is stored when that is over, so
 * nothing is told of the steps: what it is counted as lies in its row, and is compared. */
#include "engine/report.h"

#include <string.h>

#include "base/bytes.h"
#include "base/id.h"
#include "engine/handler.h"
#include "engine/message.h"

enum { BUCKETS_PER_DOUBLING = 4 };

/* --- keys and rows -------------------------------------------------------------------------------
 */

void report_key_put(char to[REPORT_KEY_SIZE], const struct report_key *key)
{
    bytes_put_u32_be(to, key->day);
    bytes_put_u64_be(to + 4, key->company);
    bytes_put_u64_be(to + 12, key->product);
    memcpy(to + 20, key->country, 2);
    to[22] = (char)key->kind;
}

bool report_key_read(const void *key, size_t size, struct report_key *to)
{
    const uint8_t *at = key;

    if (size != REPORT_KEY_SIZE)
        return false;
    *to = (struct report_key){.day = (uint32_t)(bytes_get_u64_be(at) >> 32),
                              .company = bytes_get_u64_be(at + 4),
                              .product = bytes_get_u64_be(at + 12),
                              .country = {(char)at[20], (char)at[21]},
                              .kind = at[22]};
    return true;
}

struct report_key report_key_of(const struct message_row *row, uint64_t product)
{
    return (struct report_key){.day = id_day(row->number),
                               .company = row->company,
                               .product = product,
                               .country = {row->country[0], row->country[1]},
                               .kind = row->kind};
}

static size_t row_size(const struct report_row *row)
{
    return offsetof(struct report_row, buckets) + row->bucket_count * sizeof *row->buckets;
}

bool report_row_read(const void *value, size_t size, struct report_row *row)
{
    if (size < offsetof(struct report_row, buckets) || size > sizeof *row)
        return false;
    memcpy(row, value, size);
    return row->version == REPORT_ROW_VERSION && row->bucket_count <= REPORT_BUCKETS &&
           size == row_size(row);
}

/* --- times ---------------------------------------------------------------------------------------
 */

size_t report_bucket(int64_t ms)
{
    uint64_t time = ms < 0 ? 0 : (uint64_t)ms;
    unsigned doublings;
    size_t bucket;

    if (time < BUCKETS_PER_DOUBLING)
        return (size_t)time;
    doublings = 63 - (unsigned)__builtin_clzll(time);
    bucket = BUCKETS_PER_DOUBLING * (size_t)(doublings - 1) +
             (size_t)(time >> (doublings - 2)) % BUCKETS_PER_DOUBLING;
    return bucket < REPORT_BUCKETS ? bucket : REPORT_BUCKETS - 1;
}

void report_bucket_times(size_t bucket, int64_t *first_ms, int64_t *width)
{
    size_t doublings = bucket / BUCKETS_PER_DOUBLING + 1;

    *first_ms = (int64_t)bucket;
    *width = 1;
    if (bucket < BUCKETS_PER_DOUBLING)
        return;
    *width = INT64_C(1) << (doublings - 2);
    *first_ms = (int64_t)(BUCKETS_PER_DOUBLING + bucket % BUCKETS_PER_DOUBLING) * *width;
}

int64_t report_percentile(const uint64_t buckets[REPORT_BUCKETS], unsigned permille)
{
    uint64_t total = 0, rank, before = 0;
    int64_t first_ms, width;
    size_t i = 0;

    for (size_t b = 0; b < REPORT_BUCKETS; b++)
        total += buckets[b];
    if (total == 0)
        return -1;
    rank = (total * permille + 999) / 1000;
    rank = rank == 0 ? 1 : rank;
    for (; before + buckets[i] < rank; i++)
        before += buckets[i];
    report_bucket_times(i, &first_ms, &width);
    /* The middle of the rank's place among those of the bucket. */
    return first_ms +
           (int64_t)((double)width * ((double)(rank - before) - 0.5) / (double)buckets[i]);
}

/* --- counting ------------------------------------------------------------------------------------
 */

static void get(struct engine *engine, const char key[REPORT_KEY_SIZE], struct report_row *row)
{
    size_t size;
    const void *value = txn_get(engine->txn, TABLE_REPORT, key, REPORT_KEY_SIZE, &size);
    bool is_whole = value == NULL || report_row_read(value, size, row);

    assert(is_whole);
    if (value == NULL) {
        memset(row, 0, offsetof(struct report_row, buckets));
        row->version = REPORT_ROW_VERSION;
    }
}

static void put(struct engine *engine, const char key[REPORT_KEY_SIZE],
                const struct report_row *row)
{
    txn_put(engine->txn, TABLE_REPORT, key, REPORT_KEY_SIZE, row, row_size(row));
}

static void add(struct report_row *counts, const struct message_row *row, uint8_t status)
{
    counts->messages[status - 1]++;
    counts->parts[status - 1] += row->parts;
}

static void subtract(struct report_row *counts, const struct message_row *row, uint8_t status)
{
    assert(counts->messages[status - 1] > 0 && counts->parts[status - 1] >= row->parts);
    counts->messages[status - 1]--;
    counts->parts[status - 1] -= row->parts;
}

/* An ordinary life leaves no event, and was not scheduled: then its number says when it began. */
static int64_t took_ms(struct engine *engine, const struct message_row *row)
{
    int64_t begun_ms = id_time_ms(row->number);
    struct message_text_row text;

    if (row->event_count > 0) {
        message_text_row_find(engine->txn, row->number, &text);
        begun_ms = text.send_at_ms > begun_ms ? text.send_at_ms : begun_ms;
    }
    return row->finished_ms - begun_ms;
}

static void count_time(struct engine *engine, const struct message_row *row,
                       struct report_row *counts)
{
    size_t bucket = report_bucket(took_ms(engine, row));

    for (; counts->bucket_count <= bucket; counts->bucket_count++)
        counts->buckets[counts->bucket_count] = 0;
    counts->buckets[bucket] += counts->buckets[bucket] < UINT32_MAX;
}

/* It goes by another product than it is counted under: its place in `tried` says which that is. */
static void leave_product(struct engine *engine, const struct message_row *row)
{
    struct report_key key = report_key_of(row, row->tried[row->counted_tried]);
    char bytes[REPORT_KEY_SIZE];
    struct report_row counts;

    report_key_put(bytes, &key);
    get(engine, bytes, &counts);
    subtract(&counts, row, row->counted_status);
    counts.charged -= row->charged;
    put(engine, bytes, &counts);
}

void report_count(struct engine *engine, struct message_row *row)
{
    bool is_new = row->counted_status == 0;
    bool has_left = !is_new && row->counted_tried != row->tried_count;
    struct report_key key = report_key_of(row, row->product);
    char bytes[REPORT_KEY_SIZE];
    struct report_row counts;

    if ((row->flags & MESSAGE_IS_TEST) || (row->counted_status == row->status && !has_left))
        return;
    if (has_left)
        leave_product(engine, row);
    report_key_put(bytes, &key);
    get(engine, bytes, &counts);
    if (is_new || has_left)
        counts.charged += row->charged;
    else
        subtract(&counts, row, row->counted_status);
    add(&counts, row, row->status);
    if (row->status == MESSAGE_DELIVERED)
        count_time(engine, row, &counts);
    put(engine, bytes, &counts);
    row->counted_status = row->status;
    row->counted_tried = row->tried_count;
}

void report_refund(struct engine *engine, struct message_row *row)
{
    struct report_key key = report_key_of(row, row->product);
    char bytes[REPORT_KEY_SIZE];
    struct report_row counts;

    if (row->flags & MESSAGE_IS_TEST)
        return;
    report_count(engine, row);
    report_key_put(bytes, &key);
    get(engine, bytes, &counts);
    counts.refunded += row->charged;
    put(engine, bytes, &counts);
}
