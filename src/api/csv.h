/* CSV as RFC 4180 has it, while it arrives: quotes, quotes within them doubled, commas and line
 * ends inside of quotes, CRLF or LF, a byte order mark in front. Lenient where files are: a quote
 * that does not begin a field is a character, and what stands behind a closing one belongs to the
 * field. Memory is one record of CSV_RECORD_BYTES_MAX. A longer one is told as such, and is over at
 * the next line end, quotes or not: what a forgotten quote swallows is bounded. */
#ifndef SMSD_API_CSV_H
#define SMSD_API_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum {
    CSV_RECORD_BYTES_MAX = 4096,
    CSV_FIELDS_MAX = 64, /* further ones of a record are left out */
};

struct csv {
    /* `line` is where the record begins, from 1. `fields` NULL: it was too long. Lines with nothing
     * on them are no records. */
    void (*on_record)(void *context, uint64_t line, const struct text *fields, size_t count);
    void *context;
    int state;
    int mark;             /* bytes of the byte order mark seen; negative: there is none any more */
    uint64_t line, begin; /* the present one, and where the record began */
    size_t size, count;   /* of the record: bytes, fields that are whole */
    uint16_t ends[CSV_FIELDS_MAX];
    bool was_quoted; /* the field under way: an end of line behind it is not its own */
    char bytes[CSV_RECORD_BYTES_MAX];
};

void csv_init(struct csv *csv,
              void (*on_record)(void *context, uint64_t line, const struct text *fields,
                                size_t count),
              void *context);
void csv_feed(struct csv *csv, const char *data, size_t size);
/* After the last byte: what has no line end is a record, too. */
void csv_end(struct csv *csv);

#endif
