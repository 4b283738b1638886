/* Files, see file.h. EINTR is tried again, short counts are gone on with: only errors come back. */
#include "store/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"

enum { PIECES_MAX = 8 };

int file_error(int errno_value)
{
    switch (errno_value) {
    case 0:
        return 0;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_PERMISSION;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case ENOENT:
        return ERR_NOT_FOUND;
    default:
        return ERR_IO;
    }
}

int file_fail(struct buffer *why, const char *verb, const char *path, int errno_value)
{
    buffer_append_format(why, "cannot %s %s: %s", verb, path,
                         errno_value == ENODATA ? "it ends too early" : strerror(errno_value));
    return file_error(errno_value);
}

void file_path(char path[FILE_PATH_MAX], const char *directory, const char *name)
{
    int size = snprintf(path, FILE_PATH_MAX, "%s/%s", directory, name);
    if (size < 0 || size >= FILE_PATH_MAX)
        log_fatal("path too long", directory, ENAMETOOLONG);
}

int file_read_at(int fd, void *to, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno != EINTR)
            return errno;
        if (got == 0)
            return ENODATA;
        if (got > 0)
            done += (size_t)got;
    }
    return 0;
}

int file_write_at(int fd, const struct iovec *pieces, int count, uint64_t offset)
{
    struct iovec left[PIECES_MAX];
    int at = 0;

    assert(count <= PIECES_MAX);
    memcpy(left, pieces, (size_t)count * sizeof *pieces);
    while (at < count) {
        ssize_t put = pwritev(fd, left + at, count - at, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno;
        offset += (uint64_t)put;
        size_t done = (size_t)put;
        while (at < count && done >= left[at].iov_len)
            done -= left[at++].iov_len;
        if (at < count) {
            left[at].iov_base = (char *)left[at].iov_base + done;
            left[at].iov_len -= done;
        }
    }
    return 0;
}

int file_sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = fsync(fd) != 0 ? errno : 0;
    close(fd);
    return error;
}

int file_make_directory(const char *path)
{
    char parent[FILE_PATH_MAX];

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return errno;
    int error = file_sync_directory(path);
    if (error != 0)
        return error;
    /* Also when it was there: the run that made it may have been cut off before this. */
    file_path(parent, path, "..");
    return file_sync_directory(parent);
}
