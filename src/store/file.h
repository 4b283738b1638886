/* Files: whole reads and writes at an offset, durable directories, errors as enum error with a
 * sentence. */
#ifndef SMSD_STORE_FILE_H
#define SMSD_STORE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buffer;

enum { FILE_PATH_MAX = 4096 };

/* The enum error that an errno value is. */
int file_error(int errno_value);
/* Says "cannot VERB PATH: why" and returns the error. */
int file_fail(struct buffer *why, const char *verb, const char *path, int errno_value);

/* Joins with a slash; paths longer than FILE_PATH_MAX stop the process. */
void file_path(char path[FILE_PATH_MAX], const char *directory, const char *name);

/* Until all is done or an error: 0 or an errno value (ENODATA: the file ends before). */
int file_read_at(int fd, void *to, size_t size, uint64_t offset);
struct iovec;
int file_write_at(int fd, const struct iovec *pieces, int count, uint64_t offset);

/* Makes entries of the directory durable. 0 or an errno value. */
int file_sync_directory(const char *path);
/* Makes the directory (mode 0700) if it is missing, and its entry durable. 0 or an errno value. */
int file_make_directory(const char *path);

#endif
