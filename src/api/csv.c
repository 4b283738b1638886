/* A byte at a time through five states; a record's fields lie one behind the other in one buffer,
 * with where each ends. What is hard is where input breaks off: a byte order mark, a doubled quote
 * and CRLF may each be cut in two by the end of a piece. */
#include "api/csv.h"

#include <assert.h>

enum state {
    FIELD_BEGIN,
    PLAIN,
    QUOTED,
    QUOTE,    /* within quotes came one: the end of them, or the first of two */
    TOO_LONG, /* up to the next line end */
};

static const unsigned char byte_order_mark[] = {0xef, 0xbb, 0xbf};
enum { MARK_BYTES = sizeof byte_order_mark };

void csv_init(struct csv *csv,
              void (*on_record)(void *context, uint64_t line, const struct text *fields,
                                size_t count),
              void *context)
{
    csv->on_record = on_record;
    csv->context = context;
    csv->state = FIELD_BEGIN;
    csv->mark = 0;
    csv->line = csv->begin = 1;
    csv->size = csv->count = 0;
    csv->was_quoted = false;
}

static void begin_record(struct csv *csv)
{
    csv->state = FIELD_BEGIN;
    csv->size = csv->count = 0;
    csv->was_quoted = false;
    csv->begin = csv->line;
}

static void append(struct csv *csv, char byte)
{
    if (csv->size == CSV_RECORD_BYTES_MAX)
        csv->state = TOO_LONG;
    else
        csv->bytes[csv->size++] = byte;
}

static void end_field(struct csv *csv)
{
    if (csv->count < CSV_FIELDS_MAX)
        csv->ends[csv->count++] = (uint16_t)csv->size;
    csv->state = FIELD_BEGIN;
    csv->was_quoted = false;
}

static void tell(struct csv *csv)
{
    struct text fields[CSV_FIELDS_MAX];
    size_t begin = 0;

    assert(csv->count > 0);
    for (size_t i = 0; i < csv->count; i++) {
        fields[i] = (struct text){csv->bytes + begin, csv->ends[i] - begin};
        begin = csv->ends[i];
    }
    if (csv->count > 1 || csv->size > 0)
        csv->on_record(csv->context, csv->begin, fields, csv->count);
}

/* The CR in front of the LF is not the field's. */
static void end_record(struct csv *csv)
{
    if (csv->state == TOO_LONG) {
        csv->on_record(csv->context, csv->begin, NULL, 0);
        return;
    }
    if (!csv->was_quoted && csv->state == PLAIN && csv->size > 0 &&
        csv->bytes[csv->size - 1] == '\r')
        csv->size--;
    end_field(csv);
    tell(csv);
}

/* Outside of quotes. */
static void take_plain(struct csv *csv, char byte)
{
    if (byte == ',') {
        end_field(csv);
    } else if (byte == '"' && csv->state == FIELD_BEGIN) {
        csv->state = QUOTED;
        csv->was_quoted = true;
    } else {
        csv->state = PLAIN;
        append(csv, byte);
    }
}

static void take(struct csv *csv, char byte)
{
    switch ((enum state)csv->state) {
    case QUOTED:
        if (byte == '"')
            csv->state = QUOTE;
        else
            append(csv, byte);
        break;
    case QUOTE:
        if (byte == '"') {
            csv->state = QUOTED;
            append(csv, byte);
        } else if (byte != '\r') {
            csv->state = PLAIN;
            take_plain(csv, byte);
        }
        break;
    case TOO_LONG:
        break;
    case FIELD_BEGIN:
    case PLAIN:
        take_plain(csv, byte);
        break;
    }
}

/* True: the byte is of the mark, and gone. What only looked like one is given back. */
static bool is_mark(struct csv *csv, char byte)
{
    int seen = csv->mark;

    assert(seen < MARK_BYTES);
    if (seen < 0)
        return false;
    if ((unsigned char)byte == byte_order_mark[seen]) {
        csv->mark = seen + 1 == MARK_BYTES ? -1 : seen + 1;
        return true;
    }
    csv->mark = -1;
    for (int i = 0; i < seen; i++)
        take(csv, (char)byte_order_mark[i]);
    return false;
}

void csv_feed(struct csv *csv, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (is_mark(csv, data[i]))
            continue;
        if (data[i] != '\n') {
            take(csv, data[i]);
            continue;
        }
        csv->line++;
        if (csv->state == QUOTED) {
            append(csv, '\n');
            if (csv->state == QUOTED)
                continue;
        }
        end_record(csv);
        begin_record(csv);
    }
}

void csv_end(struct csv *csv)
{
    if (csv->state != FIELD_BEGIN || csv->count > 0)
        end_record(csv);
    begin_record(csv);
}
