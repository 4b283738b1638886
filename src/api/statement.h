/* A provider's statement held against our messages (SMS-21): its lines in memory, the ids of ours
 * fed by, then our messages.
 *
 *     statement_add      each line
 *     statement_link     each id that the product has given a message
 *     statement_settle   once
 *     statement_message  each message that is in rows, in the order of their numbers
 *     statement_archived each that is history, in rows perhaps, too
 *     statement_finish   once
 *
 * A message is one however many parts and lines it has. What they say of it: undelivered if a line
 * does, delivered if all do; as many parts as its lines have together, a line without a number one
 * for its part, or all where the provider has one id for all. So what is on the statement twice is
 * different in parts.
 *
 * Ids are the same in another case and without leading zeros, as receipts have it
 * (engine/receipt.h). In the other radix a whole statement is, not a line: it is read in the way in
 * which most of its lines are found.
 *
 * What has gone on by another product since is looked for in the statement, not missed in it. Tests
 * (MESSAGE_IS_TEST) are found and counted, nothing else.
 *
 * Memory: STATEMENT_LINES_MAX lines of about 60 bytes and their ids; and the numbers of
 * STATEMENT_ROWS_MAX messages that are only ours, so that none is counted twice while it becomes
 * history. Any thread, one at a time. */
#ifndef SMSD_API_STATEMENT_H
#define SMSD_API_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/row.h"

enum {
    STATEMENT_LINES_MAX = 500000,
    STATEMENT_ITEMS_MAX = 1000, /* of each list; the counts go on */
    STATEMENT_PARTS_MAX = 1000, /* that a line may say */
    STATEMENT_ROWS_MAX = 1 << 22,
};

enum statement_status {
    STATEMENT_SAYS_NOTHING,
    STATEMENT_SENT,
    STATEMENT_DELIVERED,
    STATEMENT_UNDELIVERED,
};

/* How ids are read: as they are; theirs decimal where ours are hexadecimal; the other way round. */
enum statement_reading { READING_SAME, READING_DECIMAL, READING_HEXADECIMAL, READINGS };

struct statement_line {
    uint64_t messages[READINGS]; /* that it speaks of; 0: none */
    uint16_t attempts[READINGS]; /* of these */
    uint8_t parts_of[READINGS];  /* provider_id_row.part */
    uint8_t id_size;
    uint8_t status; /* enum statement_status */
    bool has_parts, is_met;
    uint16_t parts;
    uint32_t id_at; /* in the ids */
    uint32_t line;  /* of the file */
    uint32_t next;  /* with the same id: its place and 1; 0: none */
};

/* A message that is only ours, or is different. */
struct statement_item {
    uint64_t message;
    uint8_t status; /* enum message_status: ours */
    uint8_t said;   /* enum statement_status: theirs */
    uint16_t parts;
    uint32_t said_parts;
    uint32_t line; /* of their first line: its place; of one that is only ours nothing */
};

struct statement_list {
    uint64_t count;
    struct statement_item items[STATEMENT_ITEMS_MAX];
};

struct statement {
    struct hash_key secret;
    uint64_t product;         /* its number */
    uint64_t first, end;      /* numbers of messages: the period */
    int64_t begun_ms;         /* what was sent later is not missed: its id may not have been fed */
    struct buffer lines, ids; /* struct statement_line each; bytes */
    struct buffer slots, places; /* uint32_t each: by hash; by message, once settled */
    struct buffer rows; /* uint64_t each: messages in rows that are finished and only ours */
    bool is_rows_full;
    bool is_too_large; /* and therefore nothing is known of some that are history: no result */
    uint32_t line_count, slot_count, place_count;
    uint64_t linked[READINGS];
    enum statement_reading reading;
    uint64_t matched, tests; /* messages */
    uint64_t only_theirs;    /* lines, of which items are found by statement_only_theirs */
    struct statement_list only_ours, different;
};

void statement_init(struct statement *statement, const struct hash_key *secret, uint64_t product,
                    uint64_t first, uint64_t end, int64_t begun_ms);
void statement_release(struct statement *statement);

/* `id` has 1 to PROVIDER_ID_MAX bytes; `parts` -1: not said. False: there are too many. */
bool statement_add(struct statement *statement, uint32_t line, struct text id,
                   enum statement_status status, int parts);
/* An id of ours, in its form (provider_id_form), by which the product knows a part of a message. */
void statement_link(struct statement *statement, struct text form,
                    const struct provider_id_row *id);
void statement_settle(struct statement *statement);
void statement_message(struct statement *statement, const struct message_row *row);
void statement_archived(struct statement *statement, const struct message_row *row);
void statement_finish(struct statement *statement);

const struct statement_line *statement_line_at(const struct statement *statement, uint32_t place);
struct text statement_id(const struct statement *statement, const struct statement_line *line);
const char *statement_status_text(enum statement_status status); /* NULL: it says nothing */
/* What is ours, in their words, if they have any for it. */
enum statement_status statement_status_of(enum message_status status);

#endif
