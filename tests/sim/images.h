/* Images of the cities' memory beside a simulated world (CITY-7): what the job city_image does, a
 * step at a time while signals go on, and the file that it leaves; and what city_rebuild makes of
 * that at a start. */
#ifndef SMSD_TESTS_SIM_IMAGES_H
#define SMSD_TESTS_SIM_IMAGES_H

#include "cities.h"
#include "engine/city_image.h"
#include "model.h"

/* Why a good image may be refused. */
#define IMAGE_WINDOW_TOO_SHORT "visits are left out in it that count now"

enum image_stage { IMAGE_NONE, IMAGE_WRITING, IMAGE_WRITTEN, IMAGE_GOOD };
enum { IMAGES_KEPT = 2 };

struct sim_image {
    uint64_t number; /* 0: there is no such file */
    struct buffer bytes;
};

struct images {
    enum image_stage stage;
    struct city_image_writing writing;
    struct sim_image made;               /* not whole yet */
    struct sim_image files[IMAGES_KEPT]; /* the good one, and the one that is to be */
    uint64_t forgotten;                  /* the log is deleted up to there */
};

void images_init(struct images *images);
void images_release(struct images *images);
/* Whoever was writing is gone, with what has no name yet. */
void images_kill(struct images *images);
/* NULL: there is none of that number. */
const struct sim_image *images_find(const struct images *images, uint64_t number);

/* The file `made` is begun: all others but that of `kept` go; and is whole under its name. */
void images_begin(struct images *images, const struct city_index *index, uint64_t number,
                  uint64_t kept);
void images_finish(struct images *images);

/* As at a start, into cities that were just loaded and are not whole: the image that the rows name,
 * maybe damaged, and the log since; else the rows. True: it was of the image, and is adopted once
 * it is caught up. */
bool images_restart(const struct images *images, struct cities *cities, struct world *world,
                    uint32_t damage);
/* The same from bytes in hand: NULL, or what is wrong with them. */
const char *images_load(struct cities *cities, struct txn *txn, int64_t now_ms,
                        const struct city_image_row *row, const void *bytes, size_t size);
/* All that is asked for is known as it is where memory was made of rows. */
void images_compare(struct model *model, struct cities *cities, struct world *world);

#endif
