/* The recorder, see record.h. System calls are made directly: what is defined here stands in for
 * libc's. */
#include "record.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    LOG_BYTES = 1 << 30,
    RECORDS_MAX = 1 << 18,
    INODES_MAX = 4096,
    FDS_MAX = 1024,
    NAME_MAX_ = 512
};

struct record_log {
    size_t count, bytes;
    struct record records[RECORDS_MAX]; /* `data` holds offsets into `data` below */
    uint32_t inodes;                    /* seen so far */
    struct {
        dev_t device;
        ino_t inode;
    } seen[INODES_MAX];
    char directory[NAME_MAX_];
    char data[];
};

static struct {
    pthread_mutex_t mutex;
    struct record_log *log; /* NULL: not recording */
    enum record_kind kill_kind;
    size_t kill_after; /* so many more of that kind; 0: never */
    bool kills;        /* now, at the end of the call */
    struct {
        uint32_t inode; /* 0: not of ours */
        bool is_durable;
    } fds[FDS_MAX];
} recorder = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct record_log *record_new(void)
{
    struct record_log *log = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(log != MAP_FAILED);
    return log;
}

void record_free(struct record_log *log)
{
    munmap(log, LOG_BYTES);
}

size_t record_count(const struct record_log *log)
{
    return log->count;
}

struct record record_get(const struct record_log *log, size_t index)
{
    struct record record = log->records[index];
    record.data = log->data + (uintptr_t)record.data;
    return record;
}

const char *record_directory(const struct record_log *log)
{
    return log->directory;
}

/* The functions below are called with the mutex locked. */

static void *add(enum record_kind kind, uint32_t inode, uint64_t offset, size_t size)
{
    struct record_log *log = recorder.log;
    assert(log->count < RECORDS_MAX && sizeof *log + log->bytes + size <= LOG_BYTES);
    log->records[log->count++] = (struct record){
        .kind = kind,
        .inode = inode,
        .offset = offset,
        .size = size,
        .data = (const char *)(uintptr_t)log->bytes, /* NOLINT(performance-no-int-to-ptr) */
    };
    char *data = log->data + log->bytes;
    log->bytes += size;
    if (recorder.kill_after != 0 && kind == recorder.kill_kind && --recorder.kill_after == 0)
        recorder.kills = true;
    return data;
}

/* The part of a path below the directory, or NULL; LMDB's and our own lock files are not looked at.
 */
static const char *name_below(const char *path)
{
    const struct record_log *log = recorder.log;
    size_t size = log == NULL ? 0 : strlen(log->directory);
    if (log == NULL || strncmp(path, log->directory, size) != 0)
        return NULL;
    path += size;
    while (*path == '/')
        path++;
    size_t end = strlen(path);
    if ((end >= 4 && strcmp(path + end - 4, "lock") == 0) ||
        (end >= 8 && strcmp(path + end - 8, "lock.mdb") == 0))
        return NULL;
    return path;
}

static uint32_t inode_of(int fd, bool *is_new)
{
    struct stat stat_of;
    struct record_log *log = recorder.log;
    *is_new = false;
    if (fstat(fd, &stat_of) != 0)
        return 0;
    for (uint32_t i = 0; i < log->inodes; i++)
        if (log->seen[i].device == stat_of.st_dev && log->seen[i].inode == stat_of.st_ino)
            return i + 1;
    assert(log->inodes < INODES_MAX);
    log->seen[log->inodes].device = stat_of.st_dev;
    log->seen[log->inodes].inode = stat_of.st_ino;
    *is_new = true;
    return ++log->inodes;
}

/* An inode's number is free for another file once its last name is gone. */
static void forget_inode(const char *path)
{
    struct stat stat_of;
    struct record_log *log = recorder.log;
    if (stat(path, &stat_of) != 0)
        return;
    for (uint32_t i = 0; i < log->inodes; i++)
        if (log->seen[i].device == stat_of.st_dev && log->seen[i].inode == stat_of.st_ino)
            log->seen[i].inode = 0;
}

static void note_name(enum record_kind kind, uint32_t inode, const char *name, const char *other)
{
    size_t size = strlen(name) + 1, other_size = other == NULL ? 0 : strlen(other) + 1;
    char *data = add(kind, inode, 0, size + other_size);
    memcpy(data, name, size);
    if (other != NULL)
        memcpy(data + size, other, other_size);
}

static void note_open(int fd, const char *path, int flags)
{
    const char *name = name_below(path);
    bool is_new;
    if (fd < 0 || fd >= FDS_MAX)
        return;
    recorder.fds[fd].inode = 0;
    if (name == NULL)
        return;
    uint32_t inode = inode_of(fd, &is_new);
    struct stat stat_of;
    fstat(fd, &stat_of);
    /* Names with .. in them are those of directories that are synced. */
    if (is_new && strstr(name, "..") == NULL)
        note_name(S_ISDIR(stat_of.st_mode) ? RECORD_DIRECTORY : RECORD_CREATE, inode, name, NULL);
    if ((flags & O_TRUNC) != 0)
        add(RECORD_TRUNCATE, inode, 0, 0);
    recorder.fds[fd].inode = inode;
    recorder.fds[fd].is_durable = (flags & O_DSYNC) != 0;
}

static uint32_t inode_of_fd(int fd)
{
    return recorder.log != NULL && fd >= 0 && fd < FDS_MAX ? recorder.fds[fd].inode : 0;
}

static void note_write(int fd, const struct iovec *pieces, int count, uint64_t offset, ssize_t done)
{
    uint32_t inode = inode_of_fd(fd);
    if (inode == 0 || done <= 0)
        return;
    char *data = add(RECORD_WRITE, inode, offset, (size_t)done);
    recorder.log->records[recorder.log->count - 1].is_durable = recorder.fds[fd].is_durable;
    for (int i = 0; i < count && done > 0; i++) {
        size_t size = pieces[i].iov_len < (size_t)done ? pieces[i].iov_len : (size_t)done;
        memcpy(data, pieces[i].iov_base, size);
        data += size;
        done -= (ssize_t)size;
    }
}

static void lock(void)
{
    pthread_mutex_lock(&recorder.mutex);
}

static void unlock(void)
{
    int saved = errno;
    /* With the mutex held: no other thread is within a call that changes files, or has half a
     * record. */
    if (recorder.kills)
        raise(SIGKILL);
    pthread_mutex_unlock(&recorder.mutex);
    errno = saved;
}

/* Starting: what is there already counts as durable. */

static void note_there(const char *path)
{
    struct stat stat_of;
    assert(stat(path, &stat_of) == 0);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
    note_open(fd, path, 0);
    uint32_t inode = inode_of_fd(fd);
    if (inode != 0 && S_ISREG(stat_of.st_mode)) {
        char *data = add(RECORD_WRITE, inode, 0, (size_t)stat_of.st_size);
        assert(pread(fd, data, (size_t)stat_of.st_size, 0) == stat_of.st_size);
        recorder.log->records[recorder.log->count - 1].is_durable = true;
    }
    syscall(SYS_close, fd);
    DIR *directory = S_ISDIR(stat_of.st_mode) ? opendir(path) : NULL;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        char below[NAME_MAX_ * 2];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        note_there(below);
    }
    if (directory != NULL)
        closedir(directory);
    if (inode != 0 && S_ISDIR(stat_of.st_mode)) {
        add(RECORD_SYNC_BEGIN, inode, 0, 0);
        add(RECORD_SYNC_END, inode, recorder.log->count - 1, 0);
    }
}

void record_start(struct record_log *log, const char *directory)
{
    struct stat stat_of;
    assert(strlen(directory) < NAME_MAX_);
    log->count = log->bytes = log->inodes = 0;
    memcpy(log->directory, directory, strlen(directory) + 1);
    memset(recorder.fds, 0, sizeof recorder.fds);
    recorder.log = log;
    if (stat(directory, &stat_of) == 0)
        note_there(directory);
    add(RECORD_MARK, 0, 0, 0);
}

void record_go_on(struct record_log *log)
{
    memset(recorder.fds, 0, sizeof recorder.fds);
    recorder.log = log;
}

void record_kill_after(enum record_kind kind, size_t count)
{
    recorder.kill_kind = kind;
    recorder.kill_after = count;
}

void record_stop(void)
{
    lock();
    recorder.log = NULL;
    unlock();
}

void record_mark(uint64_t mark)
{
    lock();
    if (recorder.log != NULL)
        add(RECORD_MARK, 0, mark, 0);
    unlock();
}

/* In place of libc's, whose headers may be told not to declare some of them. */
/* NOLINTBEGIN(readability-redundant-declaration) */
int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
int openat(int directory, const char *path, int flags, ...);
int close(int fd);
ssize_t write(int fd, const void *data, size_t size);
ssize_t writev(int fd, const struct iovec *pieces, int count);
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset);
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t offset);
int ftruncate(int fd, off_t size);
int ftruncate64(int fd, off_t size);
int fallocate(int fd, int mode, off_t offset, off_t size);
int fallocate64(int fd, int mode, off_t offset, off_t size);
int rename(const char *from, const char *to);
int unlink(const char *path);
int mkdir(const char *path, mode_t mode);
int fsync(int fd);
int fdatasync(int fd);
/* NOLINTEND(readability-redundant-declaration) */

static int record_open(const char *path, int flags, int mode)
{
    lock();
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (recorder.log != NULL) {
        int saved = errno;
        note_open(fd, path, flags);
        errno = saved;
    }
    unlock();
    return fd;
}

#define MODE_ARGUMENT(flags, mode)                                                                 \
    if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) {                                                \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        (mode) = va_arg(arguments, int);                                                           \
        va_end(arguments);                                                                         \
    }

int open(const char *path, int flags, ...)
{
    int mode = 0;
    MODE_ARGUMENT(flags, mode)
    return record_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    int mode = 0;
    MODE_ARGUMENT(flags, mode)
    return record_open(path, flags, mode);
}

int close(int fd)
{
    lock();
    if (fd >= 0 && fd < FDS_MAX)
        recorder.fds[fd].inode = 0;
    int result = (int)syscall(SYS_close, fd);
    unlock();
    return result;
}

static ssize_t record_write_at(int fd, const struct iovec *pieces, int count, off_t offset)
{
    lock();
    ssize_t done = syscall(SYS_pwritev, fd, pieces, count, (long)offset, 0L);
    note_write(fd, pieces, count, (uint64_t)offset, done);
    unlock();
    return done;
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    lock();
    off_t offset = inode_of_fd(fd) != 0 ? (off_t)syscall(SYS_lseek, fd, 0L, SEEK_CUR) : 0;
    ssize_t done = syscall(SYS_writev, fd, pieces, count);
    note_write(fd, pieces, count, (uint64_t)offset, done);
    unlock();
    return done;
}

static struct iovec piece_of(const void *data, size_t size)
{
    struct iovec piece = {.iov_len = size};
    memcpy(&piece.iov_base, &data, sizeof data);
    return piece;
}

ssize_t write(int fd, const void *data, size_t size)
{
    struct iovec piece = piece_of(data, size);
    return writev(fd, &piece, 1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    struct iovec piece = piece_of(data, size);
    return record_write_at(fd, &piece, 1, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite(fd, data, size, offset);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
    return record_write_at(fd, pieces, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t offset)
{
    return record_write_at(fd, pieces, count, offset);
}

int ftruncate(int fd, off_t size)
{
    lock();
    int result = (int)syscall(SYS_ftruncate, fd, size);
    if (result == 0 && inode_of_fd(fd) != 0)
        add(RECORD_TRUNCATE, inode_of_fd(fd), (uint64_t)size, 0);
    unlock();
    return result;
}

int ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    lock();
    assert(inode_of_fd(fd) == 0 || mode == 0);
    int result = (int)syscall(SYS_fallocate, fd, mode, offset, size);
    if (result == 0 && inode_of_fd(fd) != 0)
        add(RECORD_ALLOCATE, inode_of_fd(fd), (uint64_t)(offset + size), 0);
    unlock();
    return result;
}

int fallocate64(int fd, int mode, off_t offset, off_t size)
{
    return fallocate(fd, mode, offset, size);
}

int rename(const char *from, const char *to)
{
    lock();
    if (recorder.log != NULL)
        forget_inode(to);
    int result = (int)syscall(SYS_rename, from, to);
    if (result == 0 && recorder.log != NULL && name_below(from) != NULL)
        note_name(RECORD_RENAME, 0, name_below(from), name_below(to));
    unlock();
    return result;
}

int unlink(const char *path)
{
    lock();
    if (recorder.log != NULL)
        forget_inode(path);
    int result = (int)syscall(SYS_unlink, path);
    if (result == 0 && recorder.log != NULL && name_below(path) != NULL)
        note_name(RECORD_UNLINK, 0, name_below(path), NULL);
    unlock();
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    lock();
    int result = (int)syscall(SYS_mkdir, path, mode);
    if (result == 0 && recorder.log != NULL && name_below(path) != NULL) {
        /* It gets its number when it is opened to be synced; the name is known from here on. */
        int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
        note_open(fd, path, 0);
        recorder.fds[fd].inode = 0;
        syscall(SYS_close, fd);
    }
    unlock();
    return result;
}

static int record_sync(int fd, long number)
{
    lock();
    uint32_t inode = inode_of_fd(fd);
    size_t begin = recorder.log == NULL ? 0 : recorder.log->count;
    if (inode != 0)
        add(RECORD_SYNC_BEGIN, inode, 0, 0);
    unlock();
    int result = (int)syscall(number, fd);
    lock();
    if (inode != 0 && recorder.log != NULL && result == 0)
        add(RECORD_SYNC_END, inode, begin, 0);
    unlock();
    return result;
}

int fsync(int fd)
{
    return record_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return record_sync(fd, SYS_fdatasync);
}
