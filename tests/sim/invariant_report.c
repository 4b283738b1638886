/* Counters as engine/report.h says (SMS-21): after each command what is counted under whatever it
 * changed is what a recount of the messages says. The recount is carried along, message by message,
 * and at the end is made anew. What of a message was deleted stays counted. */
#include <string.h>

#include "archive.h"
#include "base/bytes.h"
#include "base/id.h"
#include "engine/message.h"
#include "engine/report.h"
#include "invariant.h"
#include "wrong.h"

/* A message in hand: its row, and what it costs and when it was to be sent. */
struct told {
    struct message_row row;
    int64_t price, send_at_ms;
};

/* What one message adds: under which key, and what. False: nothing. */
static bool told_by(const struct told *told, char key[REPORT_KEY_SIZE], struct report_row *counts,
                    size_t *bucket)
{
    const struct message_row *row = &told->row;
    int64_t begun_ms = id_time_ms(row->number), price = told->price * row->parts;
    struct report_key named = report_key_of(row, row->product);

    if (row->flags & MESSAGE_IS_TEST)
        return false;
    begun_ms = told->send_at_ms > begun_ms ? told->send_at_ms : begun_ms;
    report_key_put(key, &named);
    *counts = (struct report_row){.charged = price, .refunded = price - row->charged};
    counts->messages[row->status - 1] = 1;
    counts->parts[row->status - 1] = row->parts;
    *bucket = row->status == MESSAGE_DELIVERED ? report_bucket(row->finished_ms - begun_ms)
                                               : REPORT_BUCKETS;
    return true;
}

static struct invariant_report *find(struct invariant_reports *reports,
                                     const char key[REPORT_KEY_SIZE])
{
    uint32_t i = 0;

    while (i < reports->count && memcmp(reports->of[i].key, key, REPORT_KEY_SIZE) != 0)
        i++;
    if (i == reports->count) {
        must(reports->count < INVARIANT_REPORTS);
        memset(&reports->of[i], 0, sizeof reports->of[i]);
        memcpy(reports->of[i].key, key, REPORT_KEY_SIZE);
        reports->count++;
    }
    return &reports->of[i];
}

/* `sign` -1: it is counted anew. Returns what it is counted under; NULL: nothing. */
static struct invariant_report *count_told(struct invariant_reports *reports, int sign,
                                           const struct told *of)
{
    struct invariant_report *report;
    struct report_row told;
    char key[REPORT_KEY_SIZE];
    size_t bucket;

    if (!told_by(of, key, &told, &bucket))
        return NULL;
    report = find(reports, key);
    for (int i = 0; i < REPORT_STATUSES; i++) {
        report->counts.messages[i] += (uint64_t)sign * told.messages[i];
        report->counts.parts[i] += (uint64_t)sign * told.parts[i];
    }
    report->counts.charged += sign * told.charged;
    report->counts.refunded += sign * told.refunded;
    if (bucket < REPORT_BUCKETS)
        report->counts.buckets[bucket] += (uint32_t)sign;
    return report;
}

static struct invariant_report *count(struct invariant_reports *reports, struct txn *txn, int sign,
                                      const void *value, size_t size)
{
    struct message_text_row text;
    struct told told;

    must(message_row_read(value, size, &told.row));
    message_text_row_find(txn, told.row.number, &text);
    told.price = text.price;
    told.send_at_ms = text.send_at_ms;
    return count_told(reports, sign, &told);
}

/* A row that is not there counts nothing. */
static void check(struct txn *txn, const struct invariant_report *report)
{
    struct report_row counts = {.version = 0};
    size_t size;
    const void *value = txn_get(txn, TABLE_REPORT, report->key, REPORT_KEY_SIZE, &size);

    if (value != NULL)
        must(report_row_read(value, size, &counts));
    must(memcmp(counts.messages, report->counts.messages, sizeof counts.messages) == 0);
    must(memcmp(counts.parts, report->counts.parts, sizeof counts.parts) == 0);
    if (counts.charged != report->counts.charged || counts.refunded != report->counts.refunded)
        wrong("%lld were charged and %lld refunded; counted: %lld, %lld",
              (long long)report->counts.charged, (long long)report->counts.refunded,
              (long long)counts.charged, (long long)counts.refunded);
    memset(counts.buckets + counts.bucket_count, 0,
           (REPORT_BUCKETS - counts.bucket_count) * sizeof *counts.buckets);
    must(memcmp(counts.buckets, report->counts.buckets, sizeof counts.buckets) == 0);
}

void invariant_report_step(struct invariant_reports *reports, struct world *world)
{
    struct invariant_report *touched[2];

    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        const void *before = world->changes.values.data + change->value_at;
        size_t size;
        const void *after =
            txn_get(world->txn, change->table, change->key, change->key_size, &size);
        touched[0] = touched[1] = NULL;
        if (change->table == TABLE_REPORT)
            must(after != NULL);
        if (change->table != TABLE_MESSAGE || after == NULL)
            continue;
        touched[1] = count(reports, world->txn, 1, after, size);
        if (change->was_there)
            touched[0] = count(reports, world->txn, -1, before, change->value_size);
        for (int t = 0; t < 2; t++) {
            if (touched[t] != NULL)
                touched[t]->is_changed = true;
        }
    }
    for (uint32_t i = 0; i < reports->count; i++) {
        if (reports->of[i].is_changed)
            check(world->txn, &reports->of[i]);
        reports->of[i].is_changed = false;
    }
}

/* --- all of it -----------------------------------------------------------------------------------
 */

struct whole {
    struct world *world;
    struct invariant_reports *reports; /* the messages', anew */
    uint32_t rows;
};

static void on_row(void *context, enum table table, const void *key, size_t key_size,
                   const void *value, size_t value_size)
{
    struct whole *whole = context;

    (void)key;
    if (table == TABLE_MESSAGE)
        count(whole->reports, whole->world->txn, 1, value, value_size);
    if (table == TABLE_REPORT) {
        must(key_size == REPORT_KEY_SIZE);
        whole->rows++;
    }
}

/* SMS-19: what is history is counted as before, and so is what was dropped. */
static void count_archived(struct invariant_reports *reports, const struct archive *archive)
{
    static struct archive_record record;

    for (uint32_t i = 0; i < archive->count; i++) {
        const struct sim_record *one = &archive->of[i];
        if (!one->is_alone)
            continue;
        must(archive_decode(archive_bytes(archive, one), one->size, &record));
        count_told(reports, 1,
                   &(struct told){record.row, record.text.row.price, record.text.row.send_at_ms});
    }
}

void invariant_report_all(const struct invariant_reports *reports, struct world *world,
                          const struct archive *archive)
{
    static struct invariant_reports anew;
    struct whole whole = {.world = world, .reports = &anew};

    anew.count = 0;
    world_rows(world, on_row, &whole);
    count_archived(&anew, archive);
    must(whole.rows == reports->count);
    for (uint32_t i = 0; i < reports->count; i++)
        check(world->txn, &reports->of[i]);
    for (uint32_t i = 0; i < anew.count; i++)
        check(world->txn, &anew.of[i]);
}
