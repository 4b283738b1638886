/* The commands of cities and signals: a part of engine/command.h, whose rules hold here, too. One
 * command carries up to SIGNALS_MAX signals, and is one transaction. */
#ifndef SMSD_ENGINE_CITY_COMMAND_H
#define SMSD_ENGINE_CITY_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "engine/city_row.h"

struct template_param;

enum {
    CITY_CODE_MAX = 64,
    CITY_NAME_MAX = 128,
    CITY_LABELS_MAX = 16,
    CITY_LABEL_MAX = 64,
    CITY_AREAS_MAX = 200,
    CITY_PARAMS_BYTES_MAX = 3072, /* names and values of its message's parameters together */
    SIGNALS_MAX = 128,            /* in one command */
};

struct city_put_command {
    struct text code;
    struct text name, group; /* group may be absent */
    uint64_t capacity, misjudgement;
    const struct city_area_row *areas;
    size_t area_count;
    const struct text *labels;
    size_t label_count;
    struct text company, template; /* both, or data NULL: it sends nothing */
    const struct template_param *params;
    size_t param_count;
    enum city_basis basis;
    uint16_t window_days;
    uint8_t rollout_percent;
    bool is_enabled;
};

/* One sighting, its city found already. */
struct signal {
    uint64_t mobile;
    uint32_t city;    /* its index, or CITY_NONE: a position in no city */
    bool is_labelled; /* it has a label that the city is open to, or the city is open to all */
    int64_t at_ms;    /* 0: now */
};

struct city_index;

struct signals_command {
    const struct signal *signals;
    size_t count;             /* up to SIGNALS_MAX */
    struct city_index *index; /* what the rows say, in memory: it changes with them */
    uint8_t tries_max;        /* of each message */
};

struct visit_key {
    uint64_t mobile;
    uint32_t city;
    uint32_t window_days; /* the city's, for VISIT_EXPIRE */
};

struct visit_expire_command {
    const struct visit_key *keys; /* deleted where they are older than their city's window */
    size_t count;
};

/* A mobile's trace, or, with a group, what the group has sent it. */
struct welcome_key {
    struct text group; /* size 0: the trace */
    uint64_t mobile;
};

/* Deletes the rows that are as old as welcome_row_is_expired says. */
struct welcome_expire_command {
    const struct welcome_key *keys;
    size_t count;
};

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
