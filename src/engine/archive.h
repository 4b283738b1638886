/* The archive (SMS-19): messages that are done with leave the rows for history (store/history.h), a
 * record each, in which is all that rows said of it.
 *
 * A message may go when it has finished longer ago than operators want it at hand, and nothing is
 * owed: what its account could not be given back stays, for an operator's retry. It goes in two
 * steps, and is never in neither place: first its record is made from its rows (archive_encode) and
 * becomes durable in history; then MESSAGES_ARCHIVED deletes the rows of those that are still as
 * they were. In between it is in both: rows are right then. A kill there leaves it so, and the next
 * run of the archive makes the same record again.
 *
 * What TABLE_HISTORY_DAY sums up is what left the rows for good: so the audit knows what messages
 * of history were charged without reading them, and verify knows every record that must be there.
 *
 * A receipt that comes later still finds nobody: it is kept for an hour, as any that is not known,
 * and counted. */
#ifndef SMSD_ENGINE_ARCHIVE_H
#define SMSD_ENGINE_ARCHIVE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/message.h"
#include "engine/receipt.h"

struct buffer;

/* A message whose record was made. */
struct archived_message {
    uint64_t number, to, company;
    uint32_t row_crc;    /* of its row in TABLE_MESSAGE, as the record has it */
    uint32_t record_crc; /* of the record */
};

/* A record in hand. */
enum { ARCHIVE_IDS_MAX = 64 }; /* shown of a message; it has fewer */
struct archive_record {
    struct message_row row;
    struct message_text text;
    size_t event_count;
    struct message_event events[MESSAGE_EVENTS_MAX];
    size_t id_count;
    struct message_id ids[ARCHIVE_IDS_MAX]; /* their texts point into the record */
};

/* Has it finished before that, and is nothing owed? */
bool archive_may_take(const struct message_row *row, int64_t before_ms);
/* Appends the record of a message that is in rows. False: it is not, or may not go. */
bool archive_encode(struct txn *txn, uint64_t number, int64_t before_ms, struct buffer *to,
                    struct archived_message *archived);
/* Any thread. False: it is no record. */
bool archive_decode(const void *value, size_t size, struct archive_record *record);
/* Only what lists look at. */
bool archive_decode_row(const void *value, size_t size, struct message_row *row);
/* message_history of a record. */
size_t archive_history(const struct archive_record *record,
                       struct message_event events[MESSAGE_HISTORY_MAX]);

/* TABLE_HISTORY_DAY: what of the messages made on that day is history. The sums are modulo 2^64,
 * of hashes that engine/audit.h has: what is in history cannot change without their saying so. */
struct history_day_row {
    uint8_t version;
    uint8_t zero[3];
    uint32_t before;   /* of the row of dropped days: all before this one were dropped */
    uint64_t messages; /* how many */
    uint64_t charged;  /* sum over what each was charged */
    uint64_t records;  /* sum over the checksum of each record */
};
static_assert(sizeof(struct history_day_row) == 32, "stored layout");

/* Its keys are days since 1970, UTC. */
enum { HISTORY_DAY_KEY_SIZE = 4, HISTORY_DAYS_DROPPED = 0 };
bool history_day_read(const void *key, size_t key_size, const void *value, size_t size,
                      uint32_t *day, struct history_day_row *row);
bool history_day_find(struct txn *txn, uint32_t day, struct history_day_row *row);

#endif
