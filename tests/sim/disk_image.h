/* Files of images of the cities' memory in the data directory (CITY-7). */
#ifndef SMSD_TESTS_SIM_DISK_IMAGE_H
#define SMSD_TESTS_SIM_DISK_IMAGE_H

#include "images.h"

/* As the job writes it; `dies`: and is killed half way. */
void disk_image_write(const char *data_dir, const struct sim_image *image, uint64_t kept,
                      bool dies);
/* As at a start: what the rows name is there, and whole. `damage` picks a bit which, if it were
 * another, would be noticed. True: the cities are of the image. */
bool disk_image_read(const char *data_dir, struct cities *cities, struct txn *txn, int64_t now_ms,
                     uint32_t damage);

#endif
