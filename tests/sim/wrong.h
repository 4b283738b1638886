/* Where a run is, and how it ends when something is not as it must be. */
#ifndef SMSD_TESTS_SIM_WRONG_H
#define SMSD_TESTS_SIM_WRONG_H

#include <stdbool.h>
#include <stdint.h>

/* In memory that a run shares with the process that started it, so that it is known however the run
 * ends. */
struct where {
    uint64_t seed;
    uint32_t episode;
    uint32_t op;      /* of the episode's plan */
    uint64_t steps;   /* commands run so far, over all episodes */
    uint32_t commits; /* of this episode */
    uint32_t durable; /* of these, on disk for certain */
    char what[256];   /* the sentence */
};

extern struct where *where;

/* Notes the sentence and ends the process with status 1. */
_Noreturn void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for a condition that must hold; the text is the condition's. */
#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            wrong("%s:%d: not so: %s", __FILE__, __LINE__, #condition);                            \
    } while (0)

#endif
