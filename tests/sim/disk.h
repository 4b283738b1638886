/* The same episode over a store on disk with small bounds, closed and opened again, and killed. */
#ifndef SMSD_TESTS_SIM_DISK_H
#define SMSD_TESTS_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "op.h"

struct mirror;

struct mirror_options {
    const char *data_dir;
    uint64_t seed;
    /* What is known of a run that was killed: commits that must be there, that may be there. */
    uint32_t durable, begun;
    uint32_t lives_for; /* commits, then it kills itself; 0: to the end */
};

struct mirror *mirror_new(const struct mirror_options *options);
void mirror_free(struct mirror *mirror);

#endif
