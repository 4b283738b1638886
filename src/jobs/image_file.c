/* Written in order, synced, renamed, and the directory synced: a file under its name is whole as
 * far as the disk keeps its word, and where it does not, the image's checksum says so. */
#include "jobs/image_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"

void image_path(char path[IMAGE_PATH_MAX], const char *data_dir, uint64_t number,
                const char *suffix)
{
    if (number == 0)
        snprintf(path, IMAGE_PATH_MAX, "%s/filters", data_dir);
    else
        snprintf(path, IMAGE_PATH_MAX, "%s/filters/%016" PRIx64 ".image%s", data_dir, number,
                 suffix);
}

/* A number in 16 digits, and what image_path puts behind it: nothing else in there is ours. */
static bool is_image(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");

    return digits == 16 &&
           (strcmp(name + digits, ".image") == 0 || strcmp(name + digits, ".image.new") == 0);
}

static void delete_others(const char *directory, const char *kept)
{
    char path[IMAGE_PATH_MAX];
    DIR *dir = opendir(directory);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (!is_image(entry->d_name))
            continue;
        int size = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (size > 0 && (size_t)size < sizeof path && strcmp(path, kept) != 0)
            unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
}

int image_file_create(struct image_file *file, const char *data_dir, uint64_t number, uint64_t kept)
{
    image_path(file->directory, data_dir, 0, "");
    file->fd = -1;
    if (mkdir(file->directory, 0700) != 0 && errno != EEXIST)
        return errno;
    image_path(file->path, data_dir, kept, "");
    delete_others(file->directory, file->path);
    image_path(file->path, data_dir, number, "");
    image_path(file->path_new, data_dir, number, ".new");
    file->fd = open(file->path_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return file->fd >= 0 ? 0 : errno;
}

int image_file_append(struct image_file *file, const struct buffer *bytes)
{
    for (size_t at = 0; at < bytes->size;) {
        ssize_t written = write(file->fd, bytes->data + at, bytes->size - at);
        if (written < 0 && errno != EINTR)
            return errno;
        at += written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static int sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) != 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return error;
}

int image_file_finish(struct image_file *file)
{
    int error = fdatasync(file->fd) == 0 ? 0 : errno;

    if (close(file->fd) != 0 && error == 0)
        error = errno;
    file->fd = -1;
    if (error == 0 && rename(file->path_new, file->path) != 0)
        error = errno;
    return error == 0 ? sync_directory(file->directory) : error;
}

void image_file_abandon(struct image_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    unlink(file->path_new);
}

int image_bytes_open(struct image_bytes *bytes, const char *path)
{
    struct stat stat = {.st_size = 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 || fstat(fd, &stat) != 0 ? errno : 0;

    if (error == 0 && stat.st_size == 0)
        error = ENODATA;
    if (error == 0) {
        bytes->size = (size_t)stat.st_size;
        bytes->data = mmap(NULL, bytes->size, PROT_READ, MAP_PRIVATE, fd, 0);
        error = bytes->data == MAP_FAILED ? errno : 0;
    }
    if (fd >= 0)
        close(fd);
    return error;
}

void image_bytes_close(struct image_bytes *bytes)
{
    munmap(bytes->data, bytes->size);
}
