/* The cities' memory as bytes, for a file (CITY-7): of each city its filter (city_filter_image.h)
 * and its table. An image is good if the row of TABLE_CITY_IMAGE names it by number, size and
 * CRC-32C, and together with the log of visits since (visit_log.h) it then says what the rows say.
 * Any other (cut, changed in any byte, older or newer than the rows, of another directory) is not
 * read.
 *
 * It is written in steps while signals go on: COMMAND_CITY_IMAGE with CITY_IMAGE_BEGIN, whose
 * number is the image's; city_image_begin and city_image_next until it says CITY_IMAGE_END; the
 * bytes made durable; then CITY_IMAGE_DONE. What a step has passed and changes afterwards is in the
 * log. */
#ifndef SMSD_ENGINE_CITY_IMAGE_H
#define SMSD_ENGINE_CITY_IMAGE_H

#include "engine/city_filter_image.h"
#include "engine/city_index.h"

struct city_image_writing {
    const struct city_index *index;
    uint64_t replaced; /* index->replaced at the beginning */
    uint32_t city, city_count;
    struct city_filter_writing filter;
    bool is_in_city, is_in_table;
    uint64_t place; /* in its table */
    uint64_t number, bytes;
    uint32_t crc;
};

/* Appends the first bytes. All cities must be whole. */
void city_image_begin(struct city_image_writing *writing, const struct city_index *index,
                      uint64_t number, struct buffer *to);
/* Appends some more: `bytes`, or up to 1 MiB beyond. */
enum city_image_progress {
    CITY_IMAGE_MORE,
    CITY_IMAGE_END,
    CITY_IMAGE_VOID /* memory was replaced meanwhile: it is to be begun again */
};
enum city_image_progress city_image_next(struct city_image_writing *writing, size_t bytes,
                                         struct buffer *to);

/* Puts the image into a build of all cities. NULL; or what is wrong, and the build is of no use but
 * to be dropped. Any one thread. */
const char *city_image_load(struct city_build *build, const struct city_image_row *row,
                            const void *image, size_t size);

#endif
