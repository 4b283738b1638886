/* History: messages that are done with, out of the way of those that are not (SMS-19). One LMDB
 * file for each UTC day on which messages were made, DATA/history/YYYY-MM-DD.mdb; a record's number
 * says its day (base/id.h). What lies in a record is the engine's affair; here it has a number, by
 * which it is found, and a recipient and a company, by which it is listed.
 *
 * One thread, "history", owns all files: it appends, reads and drops, a step of a request at a
 * time, so that a long one does not hold up the others. Requests come in line, HISTORY_REQUESTS_MAX
 * at the most; their `on_record` and `on_end` run on that thread. A request is its owner's memory
 * and must stay until `on_end` was called.
 *
 * Durable when: what HISTORY_APPEND has marked is_kept was synced before `on_end`. Dropped when
 * `on_end` of HISTORY_DROP comes with 0.
 *
 * Failure: a request ends with an enum error, and smsd goes on: a day that cannot be read is that
 * day's affair. Without room on disk an append changes nothing. Both are logged. */
#ifndef SMSD_STORE_HISTORY_H
#define SMSD_STORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct history;

enum {
    HISTORY_REQUESTS_MAX = 64,
    HISTORY_APPEND_MAX = 4096, /* records of one request, all in memory until it is synced */
    HISTORY_DAYS_MAX = 8192,
};

/* Days are those of id_day (base/id.h). "2026-11-22" and a NUL. */
enum { HISTORY_DAY_TEXT_SIZE = 11 };
void history_day_text(char to[HISTORY_DAY_TEXT_SIZE], uint32_t day);

enum history_index { HISTORY_BY_NUMBER, HISTORY_BY_TO, HISTORY_BY_COMPANY };

struct history_record {
    uint64_t number, to, company;
    const void *value;
    size_t value_size;
    bool is_kept; /* answered: it is there, durably */
};

enum history_kind {
    HISTORY_APPEND, /* `records`, in the order of their numbers; one that is there is replaced */
    HISTORY_READ,   /* from `last` down to `first`, all or those of `by` */
    HISTORY_SCAN,   /* from `first` up to `last`, all */
    HISTORY_DROP,   /* `day`, which may not be there */
};

struct history_request {
    enum history_kind kind;
    struct history_record *records;
    size_t record_count;
    enum history_index index;
    uint64_t by;           /* recipient's digits or company */
    uint64_t first, last;  /* numbers, both included */
    uint32_t examined_max; /* records that a READ shows */
    uint32_t days_max;     /* days that it looks through: each is a file to open */
    uint32_t day;
    /* Non-zero ends it: 1 well, an enum error with that. `value` is valid during the call. */
    int (*on_record)(void *context, uint64_t number, const void *value, size_t value_size);
    void *context; /* of on_record */
    void (*on_end)(void *end_context, int error);
    void *end_context;
    /* Answered by a READ that ends well: everything from here to `last` was shown. It is above
     * `first` only where there may be more. */
    uint64_t reached;

    /* The history's own. */
    size_t appended;
    uint32_t examined, days;
    int error;
    struct history_request *behind;
};

struct history_options {
    const char *directory; /* made if it is missing */
    size_t map_bytes_max;  /* of a day's file */
};

/* 0 or an enum error with a sentence in `why`. Opens no file yet. */
int history_open(struct history **history, const struct history_options *options,
                 struct buffer *why);
/* No further requests; those in line end with ERR_IO. */
void history_stop(struct history *history);
/* After history_stop. */
void history_close(struct history *history);

/* Puts it in line. -1: too many are, and nothing is called. Any thread, as the following. */
int history_ask(struct history *history, struct history_request *request);
/* Is there a file of any of these days? */
bool history_has(struct history *history, uint32_t day_first, uint32_t day_last);
/* The days there are, ascending; returns how many. */
size_t history_days(struct history *history, uint32_t days[HISTORY_DAYS_MAX]);

/* Offline: reads every record of every day, and holds the lists against them. `on_record` says by
 * what the record is listed: its recipient and its company. 0 or an enum error with a sentence in
 * `why`. No history is no error. */
typedef int history_verify_record(void *context, uint64_t number, const void *value,
                                  size_t value_size, uint64_t *to, uint64_t *company);
int history_verify(const char *directory, struct buffer *summary, struct buffer *why,
                   history_verify_record *on_record, void *context);

#endif
