/* Counters of messages (SMS-21): how many of a day's messages are in which status, what they have
 * cost, and how long delivery took. A row changes in the same commit as the message that it counts,
 * so that a report is read from as many rows as it has lines, and is never behind.
 *
 * A message is counted under the day of its creation (UTC), its company, the product that it goes
 * or went through last, the recipient's country and its kind; under its present status, so that it
 * leaves one count for another when it moves, and one product for another with everything it has.
 * Tests (MESSAGE_IS_TEST) are never counted. Counters outlive their messages: what is archived or
 * dropped stays counted. A message's row says as what it is counted (counted_status,
 * counted_tried), so nothing but that row and the counters is looked at.
 *
 * Time to delivery begins when the message was accepted, or was to be sent if that was later. It is
 * kept in buckets, four to a doubling, which a percentile is told from: it is off by a quarter at
 * the most. */
#ifndef SMSD_ENGINE_REPORT_H
#define SMSD_ENGINE_REPORT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/row.h"

struct engine;

enum {
    REPORT_ROW_VERSION = 1,
    REPORT_STATUSES = MESSAGE_REJECTED, /* the i-th count is of status i + 1 */
    REPORT_BUCKETS = 112,               /* the last one has what took six days and longer */
    REPORT_KEY_SIZE = 23,
};

#define REPORT_DAY_MS (INT64_C(24) * 60 * 60 * 1000)

/* TABLE_REPORT: what is counted together. Sorts by day first. */
struct report_key {
    uint32_t day;              /* since 1970-01-01, UTC */
    uint64_t company, product; /* numbers of the catalogue */
    char country[2];
    uint8_t kind; /* enum message_kind */
};
void report_key_put(char to[REPORT_KEY_SIZE], const struct report_key *key);
/* False: it is none. */
bool report_key_read(const void *key, size_t size, struct report_key *to);
/* Under which a message is counted that is, or was, at `product`. */
struct report_key report_key_of(const struct message_row *row, uint64_t product);

/* TABLE_REPORT -> this, as far as `bucket_count` of `buckets`. A bucket that is full stays so. */
struct report_row {
    uint8_t version;
    uint8_t zero;
    uint16_t bucket_count;
    uint8_t zero2[4];
    uint64_t messages[REPORT_STATUSES];
    uint64_t parts[REPORT_STATUSES];
    int64_t charged;                  /* by all of them, whatever came back; minor units */
    int64_t refunded;                 /* of that */
    uint32_t buckets[REPORT_BUCKETS]; /* those that were delivered, by the time that it took */
};
static_assert(sizeof(struct report_row) == 24 + 16 * REPORT_STATUSES + 4 * REPORT_BUCKETS,
              "stored layout");
/* False: it is none. What lies behind `bucket_count` is not set. Any thread. */
bool report_row_read(const void *value, size_t size, struct report_row *row);

/* The bucket of a time, and the times of a bucket: `width` ones from `first_ms` on. */
size_t report_bucket(int64_t ms);
void report_bucket_times(size_t bucket, int64_t *first_ms, int64_t *width);
/* What `permille` of the times do not exceed, laid evenly into their bucket; -1: there are none. */
int64_t report_percentile(const uint64_t buckets[REPORT_BUCKETS], unsigned permille);

/* --- in handlers ---------------------------------------------------------------------------------
 */

/* Counts the message as its row has it now; before the row is stored. Once more changes nothing. */
void report_count(struct engine *engine, struct message_row *row);
/* The account has got back row->charged, which is still in the row. */
void report_refund(struct engine *engine, struct message_row *row);

/* --- the audit -----------------------------------------------------------------------------------
 */

/* Are the counters what the messages say? Fed with both, in any order. Of a day whose messages were
 * dropped only the counters are left: such days, all before `first_day`, are not held against
 * anything. Any thread. */
enum { REPORT_AUDIT_DAYS = 16384 }; /* from 2020-01-01 on */
struct report_audit {
    uint64_t differences[REPORT_AUDIT_DAYS]; /* of tokens, counters less messages: zero */
    uint32_t first_day;                      /* 0: every day is whole */
    bool has_stranger; /* a row that is none, or whose times are not those of what it has delivered
                        */
};
void report_audit_row(struct report_audit *audit, const void *key, size_t key_size,
                      const void *value, size_t value_size);
void report_audit_message(struct report_audit *audit, const struct message_row *row);
/* True: every rule holds. Otherwise `*day` is the first on which the counts are wrong; 0: a row is
 * wrong in itself. */
bool report_audit_finish(const struct report_audit *audit, uint32_t *day);

#endif
