/* What COMMAND_CITY_IMAGE is given and answers: command.h's rules hold here, too. */
#ifndef SMSD_ENGINE_CITY_COMMAND_H
#define SMSD_ENGINE_CITY_COMMAND_H

#include <stdint.h>

/* An image of the cities' memory, in a file (engine/city_image.h). */
enum city_image_step {
    CITY_IMAGE_BEGIN, /* one is made of memory as it is from here on: visits go to the log, too */
    CITY_IMAGE_DONE,  /* it is there, durably */
    CITY_IMAGE_FORGET /* deletes a slice of the log that nobody asks for any more */
};

struct city_image_command {
    enum city_image_step step;
    uint64_t image; /* DONE: the number of BEGIN; FORGET: where to go on, 0 at first */
    uint64_t bytes;
    uint32_t crc;
};

struct city_image_result {
    uint64_t next; /* FORGET: where to go on; 0: nothing is left to delete */
};

#endif
