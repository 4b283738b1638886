/* A day's file, see history_day.h. What is hard about it: LMDB maps the file and has no checksums
 * of its own, so a file that ends too early is refused before it is looked at (else it would be a
 * SIGBUS); and a file is under its name only once it is whole, since LMDB does not open one whose
 * making was cut off. */
#include "store/history_day.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/id.h"
#include "base/time_text.h"
#include "store/crash_point.h"
#include "store/lmdb_row.h"

enum {
    LIST_KEY_SIZE = 16,
    INDEXES = 3,
    DAY_MS = 86400000,
    META_PAGES = 2,
    ROOM_BYTES_MIN = 1 << 20, /* less is none */
};

static const char *const names[INDEXES] = {"records", "to", "company"};

struct history_day {
    MDB_env *env;
    MDB_dbi databases[INDEXES];
    char path[FILE_PATH_MAX];
};

struct history_cursor {
    struct history_day *day;
    MDB_txn *txn;
    MDB_cursor *cursor;
    enum history_index index;
    bool up, has_begun;
    unsigned char key[LIST_KEY_SIZE]; /* where it begins */
    size_t key_size;
};

/* --- days and names ------------------------------------------------------------------------------
 */

void history_day_text(char to[HISTORY_DAY_TEXT_SIZE], uint32_t day)
{
    char time[TIME_TEXT_SIZE];

    time_format(time, (int64_t)day * DAY_MS);
    memcpy(to, time, HISTORY_DAY_TEXT_SIZE - 1);
    to[HISTORY_DAY_TEXT_SIZE - 1] = '\0';
}

bool history_day_of_name(const char *name, uint32_t *day)
{
    char time[] = "0000-00-00T00:00:00.000Z";
    int64_t time_ms;

    if (strlen(name) != 14 || strcmp(name + 10, ".mdb") != 0)
        return false;
    memcpy(time, name, HISTORY_DAY_TEXT_SIZE - 1);
    if (!time_parse(time, sizeof time - 1, &time_ms) || time_ms < 0)
        return false;
    *day = (uint32_t)(time_ms / DAY_MS);
    return true;
}

void history_day_path(char path[FILE_PATH_MAX], const char *directory, uint32_t day)
{
    char name[HISTORY_DAY_TEXT_SIZE + 4];

    history_day_text(name, day);
    memcpy(name + HISTORY_DAY_TEXT_SIZE - 1, ".mdb", 5);
    file_path(path, directory, name);
}

/* --- opening -------------------------------------------------------------------------------------
 */

/* What LMDB itself finds wrong is wrong with this file: other days may be good. */
static int error_of(int error)
{
    int meant = lmdb_error(error);

    return error < 0 && meant != ERR_NO_SPACE ? ERR_DAMAGED : meant;
}

static int fail(struct buffer *why, const char *verb, const struct history_day *day, int error)
{
    lmdb_fail(why, verb, day->path, error);
    return error_of(error);
}

static int check_size(struct history_day *day, size_t bytes_min, struct buffer *why)
{
    struct stat stat_of;

    if (stat(day->path, &stat_of) != 0)
        return file_fail(why, "read", day->path, errno);
    if ((size_t)stat_of.st_size >= bytes_min)
        return 0;
    buffer_append_format(why, "%s ends too early", day->path);
    return ERR_DAMAGED;
}

static int open_databases(struct history_day *day, bool read_only, bool makes, struct buffer *why)
{
    MDB_txn *txn = NULL;
    int error = mdb_txn_begin(day->env, NULL, read_only || !makes ? MDB_RDONLY : 0, &txn);

    if (error != 0)
        return fail(why, "begin a transaction in", day, error);
    for (int i = 0; i < INDEXES && error == 0; i++)
        error = mdb_dbi_open(txn, names[i], makes ? MDB_CREATE : 0, &day->databases[i]);
    if (error != 0) {
        mdb_txn_abort(txn);
        return fail(why, "open a database in", day, error);
    }
    error = mdb_txn_commit(txn);
    return error != 0 ? fail(why, "commit to", day, error) : 0;
}

/* All pages that its last commit speaks of must be there. */
static int check_whole(struct history_day *day, struct buffer *why)
{
    MDB_envinfo info;
    MDB_stat stat_of;

    if (mdb_env_info(day->env, &info) != 0 || mdb_env_stat(day->env, &stat_of) != 0)
        return fail(why, "read", day, MDB_CORRUPTED);
    return check_size(day, (info.me_last_pgno + 1) * stat_of.ms_psize, why);
}

static int open_file(struct history_day *day, bool read_only, bool makes, size_t map_bytes_max,
                     struct buffer *why)
{
    unsigned flags =
        MDB_NOSUBDIR | MDB_NOTLS | MDB_NOLOCK | MDB_NORDAHEAD | (read_only ? MDB_RDONLY : 0);
    int error = makes ? 0 : check_size(day, (size_t)META_PAGES * (size_t)getpagesize(), why);

    if (error != 0)
        return error;
    error = lmdb_open(&day->env, day->path, flags, map_bytes_max, INDEXES);
    if (error != 0)
        return fail(why, "open", day, error);
    error = makes ? 0 : check_whole(day, why);
    return error != 0 ? error : open_databases(day, read_only, makes, why);
}

/* Under its first name it may be of a making that was cut off, and is made anew. */
static int make_file(struct history_day *day, const char *directory, size_t map_bytes_max,
                     struct buffer *why)
{
    static const char end[] = ".new";
    char path[FILE_PATH_MAX];
    int error;

    memcpy(path, day->path, sizeof path);
    if (strlen(path) + sizeof end > sizeof day->path)
        return file_fail(why, "make", path, ENAMETOOLONG);
    memcpy(day->path + strlen(path), end, sizeof end);
    if (unlink(day->path) != 0 && errno != ENOENT)
        return file_fail(why, "remove", day->path, errno);
    error = open_file(day, false, true, map_bytes_max, why);
    if (error != 0) {
        unlink(day->path);
        return error;
    }
    crash_point("history.make.before_rename");
    if (rename(day->path, path) != 0)
        return file_fail(why, "rename", day->path, errno);
    crash_point("history.make.after_rename");
    memcpy(day->path, path, sizeof path);
    error = file_sync_directory(directory);
    return error != 0 ? file_fail(why, "sync", directory, error) : 0;
}

int history_day_open(struct history_day **opened, const char *directory, uint32_t number,
                     enum history_day_mode mode, size_t map_bytes_max, struct buffer *why)
{
    struct history_day *day = calloc(1, sizeof *day);
    int error;

    assert(day != NULL);
    history_day_path(day->path, directory, number);
    error = mode == HISTORY_DAY_MAKE
                ? make_file(day, directory, map_bytes_max, why)
                : open_file(day, mode == HISTORY_DAY_READ_ONLY, false, map_bytes_max, why);
    if (error != 0) {
        history_day_close(day);
        return error;
    }
    *opened = day;
    return 0;
}

void history_day_close(struct history_day *day)
{
    if (day == NULL)
        return;
    if (day->env != NULL)
        mdb_env_close(day->env);
    free(day);
}

size_t history_day_bytes(const struct history_day *day)
{
    struct stat stat_of;

    return stat(day->path, &stat_of) == 0 ? (size_t)stat_of.st_size : 0;
}

int history_day_count(struct history_day *day, enum history_index index, uint64_t *rows)
{
    MDB_stat stat_of;
    MDB_txn *txn;
    int error = mdb_txn_begin(day->env, NULL, MDB_RDONLY, &txn);

    if (error != 0)
        return error_of(error);
    error = mdb_stat(txn, day->databases[index], &stat_of);
    mdb_txn_abort(txn);
    *rows = stat_of.ms_entries;
    return error_of(error);
}

/* --- writing -------------------------------------------------------------------------------------
 */

/* Behind the last key it is appended, which fills pages. */
static int put(MDB_cursor *cursor, enum history_index index, MDB_val *key, const void *value,
               size_t size)
{
    MDB_val last, data;
    int error = mdb_cursor_get(cursor, &last, &data, MDB_LAST);
    bool is_last = error == MDB_NOTFOUND || (error == 0 && last.mv_size == key->mv_size &&
                                             memcmp(last.mv_data, key->mv_data, key->mv_size) < 0);

    if (error != 0 && error != MDB_NOTFOUND)
        return error;
    return lmdb_put(cursor, index, key, value, size, is_last, &data);
}

static int put_records(struct history_day *day, MDB_txn *txn, const struct history_record *records,
                       size_t count)
{
    MDB_cursor *cursor;
    int error = mdb_cursor_open(txn, day->databases[HISTORY_BY_NUMBER], &cursor);

    if (error != 0)
        return error;
    for (size_t i = 0; i < count && error == 0; i++) {
        unsigned char bytes[8];
        MDB_val key = {sizeof bytes, bytes};
        bytes_put_u64_be(bytes, records[i].number);
        error = put(cursor, HISTORY_BY_NUMBER, &key, records[i].value, records[i].value_size);
    }
    mdb_cursor_close(cursor);
    return error;
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, LIST_KEY_SIZE);
}

static void list_key(unsigned char *key, uint64_t by, uint64_t number)
{
    bytes_put_u64_be(key, by);
    bytes_put_u64_be(key + 8, number);
}

/* In the order of their keys, so that what is on one page is written there at once. */
static int put_list(struct history_day *day, MDB_txn *txn, enum history_index index,
                    const struct history_record *records, size_t count)
{
    unsigned char(*keys)[LIST_KEY_SIZE] = malloc(count * sizeof *keys);
    MDB_cursor *cursor;
    int error = mdb_cursor_open(txn, day->databases[index], &cursor);

    assert(keys != NULL);
    if (error != 0) {
        free(keys);
        return error;
    }
    for (size_t i = 0; i < count; i++)
        list_key(keys[i], index == HISTORY_BY_TO ? records[i].to : records[i].company,
                 records[i].number);
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0; i < count && error == 0; i++) {
        MDB_val key = {sizeof keys[i], keys[i]};
        error = put(cursor, index, &key, "", 0);
    }
    mdb_cursor_close(cursor);
    free(keys);
    return error;
}

/* LMDB takes a write that was cut short for one that has failed: mostly there was no room. */
static int fail_write(struct buffer *why, const struct history_day *day, int error)
{
    struct statvfs stat_of;

    if (error == EIO && statvfs(day->path, &stat_of) == 0 &&
        stat_of.f_bavail * stat_of.f_frsize < ROOM_BYTES_MIN)
        error = ENOSPC;
    return fail(why, "write to", day, error);
}

int history_day_append(struct history_day *day, const struct history_record *records, size_t count,
                       struct buffer *why)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(day->env, NULL, 0, &txn);

    if (error != 0)
        return fail(why, "begin a transaction in", day, error);
    error = put_records(day, txn, records, count);
    for (int i = HISTORY_BY_TO; i < INDEXES && error == 0; i++)
        error = put_list(day, txn, (enum history_index)i, records, count);
    if (error != 0) {
        mdb_txn_abort(txn);
        return fail_write(why, day, error);
    }
    crash_point("history.append.before_commit");
    error = mdb_txn_commit(txn); /* which frees it, whatever comes of it */
    if (error != 0)
        return fail_write(why, day, error);
    crash_point("history.append.after_commit");
    return 0;
}

/* --- reading -------------------------------------------------------------------------------------
 */

int history_cursor_open(struct history_cursor **opened, struct history_day *day,
                        enum history_index index, uint64_t by, bool up, uint64_t from)
{
    struct history_cursor *cursor = calloc(1, sizeof *cursor);
    int error;

    assert(cursor != NULL);
    cursor->day = day;
    cursor->index = index;
    cursor->up = up;
    cursor->key_size = index == HISTORY_BY_NUMBER ? 8 : LIST_KEY_SIZE;
    if (index == HISTORY_BY_NUMBER)
        bytes_put_u64_be(cursor->key, from);
    else
        list_key(cursor->key, by, from);
    error = mdb_txn_begin(day->env, NULL, MDB_RDONLY, &cursor->txn);
    if (error == 0)
        error = mdb_cursor_open(cursor->txn, day->databases[index], &cursor->cursor);
    if (error != 0) {
        history_cursor_close(cursor);
        return error_of(error);
    }
    *opened = cursor;
    return 0;
}

void history_cursor_close(struct history_cursor *cursor)
{
    if (cursor == NULL)
        return;
    if (cursor->cursor != NULL)
        mdb_cursor_close(cursor->cursor);
    if (cursor->txn != NULL)
        mdb_txn_abort(cursor->txn);
    free(cursor);
}

/* The record that a list names. */
static int find_record(struct history_cursor *cursor, MDB_val *key, MDB_val *data)
{
    key->mv_data = (char *)key->mv_data + 8;
    key->mv_size = 8;
    return mdb_get(cursor->txn, cursor->day->databases[HISTORY_BY_NUMBER], key, data);
}

int history_cursor_next(struct history_cursor *cursor, uint64_t *number, const void **value,
                        size_t *value_size)
{
    MDB_val key = lmdb_key(cursor->key, cursor->key_size), data;
    int error = !cursor->has_begun
                    ? lmdb_seek(cursor->cursor, cursor->up, &key, &data)
                    : mdb_cursor_get(cursor->cursor, &key, &data, cursor->up ? MDB_NEXT : MDB_PREV);

    cursor->has_begun = true;
    if (error == MDB_NOTFOUND)
        return 0;
    if (error != 0 || key.mv_size != cursor->key_size)
        return error > 0 ? file_error(error) : ERR_DAMAGED;
    if (cursor->index != HISTORY_BY_NUMBER) {
        if (memcmp(key.mv_data, cursor->key, 8) != 0)
            return 0;
        if (!lmdb_open_value(cursor->index, &key, &data, value_size) ||
            find_record(cursor, &key, &data) != 0)
            return ERR_DAMAGED;
    }
    *number = bytes_get_u64_be(key.mv_data);
    if (!lmdb_open_value(HISTORY_BY_NUMBER, &key, &data, value_size))
        return ERR_DAMAGED;
    *value = data.mv_data;
    return 1;
}

int history_day_lists(struct history_day *day, enum history_index index, uint64_t by,
                      uint64_t number)
{
    unsigned char bytes[LIST_KEY_SIZE];
    MDB_val key = {sizeof bytes, bytes}, data;
    MDB_txn *txn;
    size_t size;
    int error = mdb_txn_begin(day->env, NULL, MDB_RDONLY, &txn);

    if (error != 0)
        return error_of(error);
    list_key(bytes, by, number);
    error = mdb_get(txn, day->databases[index], &key, &data);
    if (error == 0 && !lmdb_open_value(index, &key, &data, &size))
        error = MDB_CORRUPTED;
    mdb_txn_abort(txn);
    return error == 0 ? 1 : error == MDB_NOTFOUND ? 0 : error_of(error);
}
