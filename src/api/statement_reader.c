/* Three ways in (a record of CSV, an object of a line, one too long) that end in take_values, where
 * ids, statuses and parts are checked alike. A line that is wrong is counted, and told while there
 * is room; it never ends the statement. */
#include "api/statement_reader.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "engine/command.h"
#include "json/read.h"

enum {
    WORD_SHOWN_MAX = 64, /* bytes of what is told in an error */
    NO_COLUMN = -1,
    NUMBER_TEXT_MAX = 24,
};

/* --- what a line says ----------------------------------------------------------------------------
 */

static void note_error(struct statement_reader *reader, uint64_t line, const char *code,
                       const char *detail)
{
    struct statement_error *error = &reader->errors[reader->error_count];

    if (reader->error_count == STATEMENT_ERRORS_MAX)
        return;
    reader->error_count++;
    error->line = line;
    error->code = code;
    snprintf(error->detail, sizeof error->detail, "%s", detail);
}

static void refuse_line(struct statement_reader *reader, uint64_t line, const char *code,
                        const char *detail)
{
    reader->invalid++;
    note_error(reader, line, code, detail);
}

static struct text trimmed(struct text text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static bool is_word(struct text text, const char *word, size_t size)
{
    return text.size == size && strncasecmp(text.data, word, size) == 0;
}

/* Is it one of a list with commas? */
static bool is_listed(const char *words, struct text word)
{
    for (const char *at = words; *at != '\0';) {
        size_t size = strcspn(at, ",");
        struct text item = trimmed((struct text){at, size});
        if (item.size > 0 && is_word(word, item.data, item.size))
            return true;
        at += size + (at[size] == ',');
    }
    return false;
}

/* False: nobody knows the word. The request's own lists go first. */
static bool status_of(const struct statement_reader *reader, struct text word,
                      enum statement_status *status)
{
    static const char *const usual[STATEMENT_WORD_LISTS] = {
        "sent,accepted,acceptd,enroute,submitted", "delivered,delivrd",
        "undelivered,undeliv,expired,rejected,rejectd,failed,deleted"};

    *status = STATEMENT_SAYS_NOTHING;
    if (word.size == 0)
        return true;
    for (int own = 1; own >= 0; own--) {
        for (int i = 0; i < STATEMENT_WORD_LISTS; i++) {
            if (!is_listed(own ? reader->words[i] : usual[i], word))
                continue;
            *status = (enum statement_status)(STATEMENT_SENT + i);
            return true;
        }
    }
    return false;
}

static bool id_is_valid(struct text id)
{
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] < 0x20 || id.data[i] > 0x7e)
            return false;
    }
    return id.size > 0 && id.size <= PROVIDER_ID_MAX;
}

/* -1: not said; -2: no number of parts. */
static int parts_of(struct text text)
{
    int parts = 0;

    if (text.size == 0)
        return -1;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -2;
        parts = 10 * parts + (text.data[i] - '0');
        if (parts > STATEMENT_PARTS_MAX)
            return -2;
    }
    return parts;
}

/* The word itself, if it can be shown. */
static void note_unknown_status(struct statement_reader *reader, uint64_t line, struct text word)
{
    char shown[WORD_SHOWN_MAX + 1];
    size_t size = 0, length;

    while (size < word.size &&
           (length = utf8_length(word.data + size, word.data + word.size)) > 0 &&
           size + length <= WORD_SHOWN_MAX)
        size += length;
    memcpy(shown, word.data, size);
    shown[size] = '\0';
    reader->unknown_statuses++;
    note_error(reader, line, "unknown_status", shown);
}

static void take_values(struct statement_reader *reader, uint64_t line,
                        const struct text values[COLUMNS])
{
    struct text id = trimmed(values[COLUMN_ID]), word = trimmed(values[COLUMN_STATUS]);
    int parts = parts_of(trimmed(values[COLUMN_PARTS]));
    enum statement_status status;

    if (!id_is_valid(id)) {
        refuse_line(reader, line, "invalid", "the id must be 1 to 64 visible ASCII characters");
        return;
    }
    if (parts < -1) {
        refuse_line(reader, line, "invalid", "parts must be a number from 0 to 1000");
        return;
    }
    if (!status_of(reader, word, &status))
        note_unknown_status(reader, line, word);
    reader->is_full |= !statement_add(reader->statement, (uint32_t)line, id, status, parts);
}

/* --- CSV -----------------------------------------------------------------------------------------
 */

static bool is_column(const struct statement_reader *reader, enum statement_column column,
                      struct text name)
{
    static const char *const usual[COLUMNS] = {"provider_id,id", "status", "parts"};
    const char *own = reader->columns[column];

    return own[0] != '\0' ? is_word(name, own, strlen(own)) : is_listed(usual[column], name);
}

static void take_header(struct statement_reader *reader, const struct text *fields, size_t count)
{
    reader->has_header = true;
    for (int column = 0; column < COLUMNS; column++) {
        reader->places[column] = NO_COLUMN;
        for (size_t i = 0; i < count && reader->places[column] == NO_COLUMN; i++) {
            if (is_column(reader, (enum statement_column)column, trimmed(fields[i])))
                reader->places[column] = (int)i;
        }
    }
    reader->has_id_column = reader->places[COLUMN_ID] != NO_COLUMN;
}

static void on_record(void *context, uint64_t line, const struct text *fields, size_t count)
{
    struct statement_reader *reader = context;
    struct text values[COLUMNS] = {{NULL, 0}};

    if (reader->is_full)
        return;
    if (!reader->has_header) {
        take_header(reader, fields, count);
        return;
    }
    reader->lines++;
    if (fields == NULL) {
        refuse_line(reader, line, "invalid", "the line is too long");
        return;
    }
    for (int column = 0; column < COLUMNS; column++) {
        int place = reader->places[column];
        if (place != NO_COLUMN && (size_t)place < count)
            values[column] = fields[place];
    }
    take_values(reader, line, values);
}

/* --- NDJSON --------------------------------------------------------------------------------------
 */

/* A text, or a number as it is written. */
static struct text value_text(struct arena *arena, const struct json_value *value)
{
    struct json_text text;
    int64_t number;
    char *digits;

    if (json_get_text(value, &text))
        return (struct text){text.data, text.size};
    if (!json_get_int(value, &number))
        return (struct text){NULL, 0};
    digits = arena_alloc(arena, NUMBER_TEXT_MAX);
    return (struct text){digits,
                         (size_t)snprintf(digits, NUMBER_TEXT_MAX, "%lld", (long long)number)};
}

static void take_object(struct statement_reader *reader, const struct json_value *value)
{
    struct text values[COLUMNS] = {{NULL, 0}};

    for (const struct json_value *member = json_object_first(value); member != NULL;
         member = json_next(member)) {
        struct json_text named = json_name(member);
        struct text name = {named.data, named.size};
        for (int column = 0; column < COLUMNS; column++) {
            if (is_column(reader, (enum statement_column)column, name))
                values[column] = value_text(reader->arena, member);
        }
    }
    take_values(reader, reader->line, values);
}

static void take_json(struct statement_reader *reader, struct text text)
{
    const struct json_value *value;
    const char *why;

    if (text.size > 0 && text.data[text.size - 1] == '\r')
        text.size--;
    if (trimmed(text).size == 0)
        return;
    reader->lines++;
    value = json_parse(reader->arena, text.data, text.size, &why);
    if (value == NULL)
        refuse_line(reader, reader->line, "malformed_json", why);
    else if (!json_is_object(value))
        refuse_line(reader, reader->line, "invalid", "a line must be an object");
    else
        take_object(reader, value);
    arena_reset(reader->arena);
}

static void end_line(struct statement_reader *reader, const char *rest, size_t size)
{
    struct text text = {rest, size};

    reader->line++;
    if (reader->pending.size > 0) {
        buffer_append(&reader->pending, rest, size);
        text = (struct text){reader->pending.data, reader->pending.size};
    }
    if (reader->is_skipping || text.size > CSV_RECORD_BYTES_MAX) {
        reader->lines++;
        refuse_line(reader, reader->line, "invalid", "the line is too long");
    } else if (!reader->is_full) {
        take_json(reader, text);
    }
    reader->is_skipping = false;
    reader->pending.size = 0;
}

static void feed_lines(struct statement_reader *reader, const char *data, size_t size)
{
    const char *end = data + size, *stop;

    for (; (stop = memchr(data, '\n', (size_t)(end - data))) != NULL; data = stop + 1)
        end_line(reader, data, (size_t)(stop - data));
    if (reader->pending.size + (size_t)(end - data) > CSV_RECORD_BYTES_MAX)
        reader->is_skipping = true;
    else
        buffer_append(&reader->pending, data, (size_t)(end - data));
}

/* --- from begin to end ---------------------------------------------------------------------------
 */

void statement_reader_init(struct statement_reader *reader, struct statement *statement,
                           struct arena *arena, bool is_csv)
{
    memset(reader, 0, offsetof(struct statement_reader, csv));
    reader->statement = statement;
    reader->arena = arena;
    reader->is_csv = is_csv;
    reader->has_id_column = !is_csv;
    csv_init(&reader->csv, on_record, reader);
}

void statement_reader_release(struct statement_reader *reader)
{
    buffer_release(&reader->pending);
}

void statement_reader_feed(struct statement_reader *reader, const char *data, size_t size)
{
    if (reader->is_full)
        return;
    if (reader->is_csv)
        csv_feed(&reader->csv, data, size);
    else
        feed_lines(reader, data, size);
}

void statement_reader_end(struct statement_reader *reader)
{
    if (reader->is_csv)
        csv_end(&reader->csv);
    else if (reader->pending.size > 0 || reader->is_skipping)
        end_line(reader, "", 0);
}
