/* One day of history: an LMDB file of three databases, "records" by number, "to" and "company" by
 * the 16 bytes of both numbers. Behind each value lie 4 bytes of CRC-32C over the database's place,
 * key and value, checked whenever it is read; a list's value is nothing else.
 *
 * Opened without LMDB's lock file: one thread of one process has the file, and no reader of its
 * outlives a call to history_day_append. */
#ifndef SMSD_STORE_HISTORY_DAY_H
#define SMSD_STORE_HISTORY_DAY_H

#include "store/file.h"
#include "store/history.h"

struct history_day;
struct history_cursor;

/* Of "2026-11-22.mdb". False: it is no day's file. */
bool history_day_of_name(const char *name, uint32_t *day);
void history_day_path(char path[FILE_PATH_MAX], const char *directory, uint32_t day);

enum history_day_mode {
    HISTORY_DAY_READ_ONLY, /* not a byte is changed */
    HISTORY_DAY_WRITE,
    HISTORY_DAY_MAKE, /* there is none yet: made under another name, then renamed, durably */
};
int history_day_open(struct history_day **day, const char *directory, uint32_t number,
                     enum history_day_mode mode, size_t map_bytes_max, struct buffer *why);
void history_day_close(struct history_day *day);
size_t history_day_bytes(const struct history_day *day);
/* Rows of one of its databases. */
int history_day_count(struct history_day *day, enum history_index index, uint64_t *rows);

/* All or none, synced when it returns 0; ascending by number, all of this day. */
int history_day_append(struct history_day *day, const struct history_record *records, size_t count,
                       struct buffer *why);

/* Steps over records: up from the first number >= `from`, or down from the last <= `from`, all or
 * those that `index` lists under `by`. `next` answers 1 with a record, 0 behind the last,
 * ERR_DAMAGED for a record that is not as it was written. */
int history_cursor_open(struct history_cursor **cursor, struct history_day *day,
                        enum history_index index, uint64_t by, bool up, uint64_t from);
int history_cursor_next(struct history_cursor *cursor, uint64_t *number, const void **value,
                        size_t *value_size);
void history_cursor_close(struct history_cursor *cursor);

/* Is this record in the list? 1, 0 or an enum error. */
int history_day_lists(struct history_day *day, enum history_index index, uint64_t by,
                      uint64_t number);

#endif
