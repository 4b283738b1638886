/* Files of images of the cities' memory, DATA_DIR/filters/NUMBER.image. All of this waits for the
 * disk: it is for a job's errands. Errors are errno values. */
#ifndef SMSD_JOBS_IMAGE_FILE_H
#define SMSD_JOBS_IMAGE_FILE_H

#include <stddef.h>
#include <stdint.h>

struct buffer;

enum { IMAGE_PATH_MAX = 4096 };

/* `number` 0: the directory itself. */
void image_path(char path[IMAGE_PATH_MAX], const char *data_dir, uint64_t number,
                const char *suffix);

/* One being written: it has another name until all of it is durable. */
struct image_file {
    char directory[IMAGE_PATH_MAX], path[IMAGE_PATH_MAX], path_new[IMAGE_PATH_MAX];
    int fd;
};
/* Makes the directory if need be, and deletes all images in it but that of `kept`. */
int image_file_create(struct image_file *file, const char *data_dir, uint64_t number,
                      uint64_t kept);
int image_file_append(struct image_file *file, const struct buffer *bytes);
/* All of it is durable, under its name. */
int image_file_finish(struct image_file *file);
void image_file_abandon(struct image_file *file);

/* One being read. */
struct image_bytes {
    void *data;
    size_t size;
};
int image_bytes_open(struct image_bytes *bytes, const char *path);
void image_bytes_close(struct image_bytes *bytes);

#endif
