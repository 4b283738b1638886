/* See disk_image.h. What was written is read in another life, mostly: the rows say which file is
 * good, and it must be there however the one before has ended. */
#include "disk_image.h"

#include <signal.h>
#include <string.h>

#include "engine/visit_log.h"
#include "jobs/image_file.h"
#include "wrong.h"

static void append(struct image_file *file, const char *data, size_t size)
{
    struct buffer bytes;

    buffer_init(&bytes);
    buffer_append(&bytes, data, size);
    must(image_file_append(file, &bytes) == 0);
    buffer_release(&bytes);
}

void disk_image_write(const char *data_dir, const struct sim_image *image, uint64_t kept, bool dies)
{
    static struct image_file file;
    size_t half = image->bytes.size / 2;

    must(image_file_create(&file, data_dir, image->number, kept) == 0);
    append(&file, image->bytes.data, half);
    if (dies)
        raise(SIGKILL);
    append(&file, image->bytes.data + half, image->bytes.size - half);
    must(image_file_finish(&file) == 0);
}

static void read_file(const char *data_dir, uint64_t number, struct buffer *to)
{
    char path[IMAGE_PATH_MAX];
    struct image_bytes bytes;

    image_path(path, data_dir, number, "");
    if (image_bytes_open(&bytes, path) != 0)
        wrong("disk: the image that rows name is not there");
    buffer_append(to, bytes.data, bytes.size);
    image_bytes_close(&bytes);
}

bool disk_image_read(const char *data_dir, struct cities *cities, struct txn *txn, int64_t now_ms,
                     uint32_t damage)
{
    struct city_image_row row;
    struct buffer bytes;
    const char *reason;
    char *byte, bit = (char)(1 << damage % 8);

    if (cities->index.count == 0 || !city_image_find(txn, &row) || row.image == 0)
        return false;
    buffer_init(&bytes);
    read_file(data_dir, row.image, &bytes);
    byte = &bytes.data[damage / 8 % bytes.size];
    *byte = (char)(*byte ^ bit);
    if (images_load(cities, txn, now_ms, &row, bytes.data, bytes.size) == NULL)
        wrong("disk: a damaged image was read");
    *byte = (char)(*byte ^ bit);
    reason = images_load(cities, txn, now_ms, &row, bytes.data, bytes.size);
    buffer_release(&bytes);
    if (reason != NULL && strcmp(reason, IMAGE_WINDOW_TOO_SHORT) != 0)
        wrong("disk: a good image is not read: %s", reason);
    if (reason != NULL)
        return false;
    must(city_build_catch_up(&cities->index, 1));
    cities_adopt(cities);
    return true;
}
