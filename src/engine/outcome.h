/* Outcomes: the business answers a command can have, as rows of outcome.def. */
#ifndef SMSD_ENGINE_OUTCOME_H
#define SMSD_ENGINE_OUTCOME_H

#include <stdbool.h>

enum outcome {
#define OUTCOME(name, number, status, code, title) OUTCOME_##name = (number),
#include "engine/outcome.def"
#undef OUTCOME
};

/* Above every number of outcome.def. */
enum { OUTCOME_COUNT = 128 };

struct outcome_info {
    int status; /* HTTP; 0: success */
    const char *code;
    const char *title;
};

/* Indexed by enum outcome; `code` is NULL where there is none of that number. */
extern const struct outcome_info outcome_infos[OUTCOME_COUNT];

/* Is this answer kept under its idempotency key and replayed? Successes are, and refusals other
 * than 422 and 429; what was never processed is not. */
bool outcome_is_kept(enum outcome outcome);

#endif
