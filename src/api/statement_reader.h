/* Reads a statement's lines (api/statement.h) while they arrive: NDJSON or CSV. A statement is
 * somebody else's file: members and columns that are not asked for are passed over, the names of
 * those that are and the words of statuses are the caller's to say, and what is wrong with a line
 * is noted and the next one taken. Held of what came is a line of CSV_RECORD_BYTES_MAX. */
#ifndef SMSD_API_STATEMENT_READER_H
#define SMSD_API_STATEMENT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/csv.h"
#include "api/statement.h"
#include "base/arena.h"

enum {
    STATEMENT_ERRORS_MAX = 100,
    STATEMENT_DETAIL_MAX = 120,
    STATEMENT_WORDS_MAX = 512, /* bytes of a list of words */
    STATEMENT_COLUMN_MAX = 64, /* bytes of a column's name */
    STATEMENT_WORD_LISTS = STATEMENT_UNDELIVERED,
};

enum statement_column { COLUMN_ID, COLUMN_STATUS, COLUMN_PARTS, COLUMNS };

struct statement_error {
    uint64_t line;
    const char *code;
    char detail[STATEMENT_DETAIL_MAX];
};

struct statement_reader {
    /* Set by the caller after statement_reader_init: */
    char columns[COLUMNS][STATEMENT_COLUMN_MAX + 1];           /* "": the usual names */
    char words[STATEMENT_WORD_LISTS][STATEMENT_WORDS_MAX + 1]; /* with commas, for each status */
    /* Told: */
    bool is_full;                              /* of lines; what comes is not looked at */
    bool has_id_column;                        /* CSV: the first line names it; else always */
    uint64_t lines, invalid, unknown_statuses; /* lines that are not empty; and of these */
    struct statement_error errors[STATEMENT_ERRORS_MAX];
    size_t error_count;
    /* Its own: */
    struct statement *statement;
    struct arena *arena;
    bool is_csv, has_header;
    bool is_skipping; /* the rest of a line too long */
    uint64_t line;
    int places[COLUMNS];   /* of columns */
    struct buffer pending; /* NDJSON: the beginning of a line */
    struct csv csv;
};

/* `arena` is reset after each line. */
void statement_reader_init(struct statement_reader *reader, struct statement *statement,
                           struct arena *arena, bool is_csv);
void statement_reader_release(struct statement_reader *reader);
void statement_reader_feed(struct statement_reader *reader, const char *data, size_t size);
/* After the last byte: the last line may have no end. */
void statement_reader_end(struct statement_reader *reader);

#endif
