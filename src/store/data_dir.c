/* The data directory, see data_dir.h. What is hard about it: a directory must be told from one that
 * lost a part, so that a store is never opened empty where there was one. */
#include "store/data_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "store/crash_point.h"
#include "store/segment.h"

#define FORMAT_TEXT "smsd 1\n"

enum { FORMAT_BYTES_MAX = 64, LMDB_LOCK_BYTES = 8192 };

static int take_lock(struct data_dir *dir, bool read_only, struct buffer *why)
{
    char path[FILE_PATH_MAX];
    file_path(path, dir->path, "lock");
    dir->lock_fd =
        open(path, read_only ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (dir->lock_fd < 0 && read_only && errno == ENOENT)
        return 0; /* a copy without it; nobody can be using it */
    if (dir->lock_fd < 0)
        return file_fail(why, "open", path, errno);
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return file_fail(why, "lock", path, errno);
    buffer_append_format(why, "another smsd has %s in use (%s is locked)", dir->path, path);
    return ERR_LOCKED;
}

static int read_format(struct data_dir *dir, struct buffer *why)
{
    char path[FILE_PATH_MAX], text[FORMAT_BYTES_MAX];
    file_path(path, dir->path, "format");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    dir->is_new = fd < 0 && errno == ENOENT;
    if (dir->is_new)
        return 0;
    if (fd < 0)
        return file_fail(why, "open", path, errno);
    ssize_t size = read(fd, text, sizeof text);
    int error = size < 0 ? errno : 0;
    close(fd);
    if (error != 0)
        return file_fail(why, "read", path, error);
    if ((size_t)size == sizeof FORMAT_TEXT - 1 && memcmp(text, FORMAT_TEXT, (size_t)size) == 0)
        return 0;
    buffer_append_format(why,
                         "%s does not say \"%.*s\": the directory was written by another version",
                         path, (int)sizeof FORMAT_TEXT - 2, FORMAT_TEXT);
    return ERR_FORMAT_VERSION;
}

static int check_there(const char *directory, const char *name, struct buffer *why)
{
    char path[FILE_PATH_MAX];
    struct stat stat_of;
    file_path(path, directory, name);
    if (stat(path, &stat_of) == 0)
        return 0;
    buffer_append_format(why, "%s is missing from a data directory that was in use", path);
    return ERR_DAMAGED;
}

/* Without a format file there may be rows and empty segments of an interrupted first start, but no
 * batch. */
static int check_unused(struct data_dir *dir, struct buffer *why)
{
    DIR *directory = opendir(dir->journal);
    if (directory == NULL)
        return errno == ENOENT ? 0 : file_fail(why, "read", dir->journal, errno);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(directory)) != NULL;) {
        unsigned char block[JOURNAL_BLOCK_BYTES];
        struct segment_header header;
        char path[FILE_PATH_MAX];
        if (segment_number(entry->d_name) == 0)
            continue;
        file_path(path, dir->journal, entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            result = file_fail(why, "open", path, errno);
        else if (file_read_at(fd, block, sizeof block, 0) == 0 &&
                 segment_header_open(&header, block)) {
            buffer_append_format(why, "%s/format is missing, but the journal is in use", dir->path);
            result = ERR_DAMAGED;
        }
        if (fd >= 0)
            close(fd);
    }
    closedir(directory);
    return result;
}

/* LMDB's file of a start that was cut off may be half written, and LMDB would not open it. Put
 * aside rather than removed: should it be more than that after all, nothing is lost. */
static int put_rows_aside(struct data_dir *dir)
{
    char path[FILE_PATH_MAX], aside[FILE_PATH_MAX];
    file_path(path, dir->rows, "data.mdb");
    file_path(aside, dir->rows, "data.mdb.unfinished");
    return rename(path, aside) != 0 && errno != ENOENT && errno != ENOTDIR ? errno : 0;
}

/* LMDB writes its lock file through a mapping: without room for it that would be a SIGBUS, not an
 * error. */
static int allocate_lock(struct data_dir *dir, struct buffer *why)
{
    char path[FILE_PATH_MAX];
    file_path(path, dir->rows, "lock.mdb");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_fail(why, "open", path, errno);
    int error = fallocate(fd, 0, 0, LMDB_LOCK_BYTES) != 0 ? errno : 0;
    close(fd);
    if (error != 0 && error != EOPNOTSUPP && error != ENOSYS)
        return file_fail(why, "make room for", path, error);
    return 0;
}

static int make_parts(struct data_dir *dir, struct buffer *why)
{
    int error = put_rows_aside(dir);
    if (error == 0)
        error = file_make_directory(dir->rows);
    if (error != 0)
        return file_fail(why, "make", dir->rows, error);
    error = file_make_directory(dir->journal);
    return error != 0 ? file_fail(why, "make", dir->journal, error) : 0;
}

int data_dir_open(struct data_dir *dir, const char *path, bool read_only, struct buffer *why)
{
    dir->lock_fd = -1;
    file_path(dir->path, path, "");
    dir->path[strlen(dir->path) - 1] = '\0';
    file_path(dir->rows, path, "rows");
    file_path(dir->journal, path, "journal");
    file_path(dir->history, path, "history");
    int error = read_only ? 0 : file_make_directory(dir->path);
    if (error != 0)
        return file_fail(why, "make", dir->path, error);
    error = take_lock(dir, read_only, why);
    if (error == 0)
        error = read_format(dir, why);
    if (error == 0 && !dir->is_new) {
        error = check_there(dir->rows, "data.mdb", why);
        if (error == 0)
            error = check_there(dir->journal, "", why);
    } else if (error == 0) {
        error = check_unused(dir, why);
        if (error == 0 && read_only) {
            buffer_append_format(why, "there is no store in %s", dir->path);
            error = ERR_NOT_FOUND;
        } else if (error == 0) {
            error = make_parts(dir, why);
        }
    }
    if (error == 0 && !read_only)
        error = allocate_lock(dir, why);
    if (error != 0)
        data_dir_close(dir);
    return error;
}

static int write_format(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    char text[] = FORMAT_TEXT;
    const struct iovec piece = {text, sizeof text - 1};
    int error = file_write_at(fd, &piece, 1, 0);
    if (error == 0 && fsync(fd) != 0)
        error = errno;
    close(fd);
    return error;
}

int data_dir_finish(struct data_dir *dir, struct buffer *why)
{
    char first_name[FILE_PATH_MAX], path[FILE_PATH_MAX];
    file_path(first_name, dir->path, "format.new");
    file_path(path, dir->path, "format");
    crash_point("create.before_format");
    int error = file_sync_directory(dir->rows); /* LMDB does not */
    if (error == 0)
        error = write_format(first_name);
    if (error == 0 && rename(first_name, path) != 0)
        error = errno;
    if (error == 0)
        error = file_sync_directory(dir->path);
    if (error != 0)
        return file_fail(why, "write", path, error);
    crash_point("create.after_format");
    dir->is_new = false;
    return 0;
}

void data_dir_close(struct data_dir *dir)
{
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    dir->lock_fd = -1;
}
