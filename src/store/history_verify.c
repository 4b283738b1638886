/* Offline verification of history, see history.h: every record's checksum and day, every list's
 * rows against the records. What the rows of the store say of history is not known here:
 * `on_record` compares. */
#include "store/history.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"
#include "store/history_day.h"

struct verified {
    const char *directory;
    struct buffer *summary, *why;
    history_verify_record *on_record;
    void *context;
};

static int compare_days(const void *a, const void *b)
{
    uint32_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int find_days(const struct verified *verified, uint32_t *days, size_t *count)
{
    DIR *directory = opendir(verified->directory);
    struct dirent *entry;

    *count = 0;
    if (directory == NULL)
        return errno == ENOENT ? 0 : file_fail(verified->why, "read", verified->directory, errno);
    while ((entry = readdir(directory)) != NULL && *count < HISTORY_DAYS_MAX)
        *count += history_day_of_name(entry->d_name, &days[*count]);
    closedir(directory);
    qsort(days, *count, sizeof *days, compare_days);
    return 0;
}

static int fail_record(const struct verified *verified, uint32_t day, uint64_t number,
                       const char *what)
{
    char text[HISTORY_DAY_TEXT_SIZE];

    history_day_text(text, day);
    buffer_append_format(verified->why, "history of %s: %s, message number %llu", text, what,
                         (unsigned long long)number);
    return ERR_DAMAGED;
}

static int verify_record(const struct verified *verified, struct history_day *file, uint32_t day,
                         uint64_t number, const void *value, size_t size)
{
    uint64_t to, company;
    int error;

    if (id_day(number) != day)
        return fail_record(verified, day, number, "a record is of another day");
    error = verified->on_record(verified->context, number, value, size, &to, &company);
    if (error != 0)
        return verified->why->size > 0
                   ? error
                   : fail_record(verified, day, number, "a record cannot be read");
    if (history_day_lists(file, HISTORY_BY_TO, to, number) != 1)
        return fail_record(verified, day, number, "its recipient's list lacks it");
    if (history_day_lists(file, HISTORY_BY_COMPANY, company, number) != 1)
        return fail_record(verified, day, number, "its company's list lacks it");
    return 0;
}

static int verify_records(const struct verified *verified, struct history_day *file, uint32_t day,
                          uint64_t *records)
{
    struct history_cursor *cursor;
    uint64_t number = 0;
    const void *value;
    size_t size;
    int result = history_cursor_open(&cursor, file, HISTORY_BY_NUMBER, 0, true, 0);

    if (result != 0)
        return fail_record(verified, day, 0, "LMDB cannot read it");
    while ((result = history_cursor_next(cursor, &number, &value, &size)) == 1) {
        result = verify_record(verified, file, day, number, value, size);
        if (result != 0)
            break;
        ++*records;
    }
    history_cursor_close(cursor);
    if (result < 0 && verified->why->size == 0)
        return fail_record(verified, day, number, "the checksum of a record is wrong");
    return result;
}

/* A list has nothing that is no record: each record was found in it, and it has no more rows. */
static int verify_counts(const struct verified *verified, struct history_day *file, uint32_t day,
                         uint64_t records)
{
    for (int i = HISTORY_BY_NUMBER; i <= HISTORY_BY_COMPANY; i++) {
        uint64_t rows = 0;
        if (history_day_count(file, (enum history_index)i, &rows) != 0 || rows != records)
            return fail_record(verified, day, 0, "a list has other messages than there are");
    }
    return 0;
}

static int verify_day(const struct verified *verified, uint32_t day)
{
    char text[HISTORY_DAY_TEXT_SIZE];
    struct history_day *file;
    uint64_t records = 0;
    int error =
        history_day_open(&file, verified->directory, day, HISTORY_DAY_READ_ONLY, 0, verified->why);

    if (error != 0)
        return error;
    error = verify_records(verified, file, day, &records);
    if (error == 0)
        error = verify_counts(verified, file, day, records);
    history_day_close(file);
    history_day_text(text, day);
    if (error == 0 && verified->summary != NULL)
        buffer_append_format(verified->summary, "history of %s: %llu messages\n", text,
                             (unsigned long long)records);
    return error;
}

int history_verify(const char *directory, struct buffer *summary, struct buffer *why,
                   history_verify_record *on_record, void *context)
{
    const struct verified verified = {directory, summary, why, on_record, context};
    uint32_t *days = malloc(HISTORY_DAYS_MAX * sizeof *days);
    size_t count;
    int error;

    if (days == NULL)
        return ERR_NO_MEMORY;
    error = find_days(&verified, days, &count);
    for (size_t i = 0; i < count && error == 0; i++)
        error = verify_day(&verified, days[i]);
    free(days);
    return error;
}
