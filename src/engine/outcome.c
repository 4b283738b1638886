/* The rows of outcome.def as a table. */
#include "engine/outcome.h"

const struct outcome_info outcome_infos[OUTCOME_COUNT] = {
#define OUTCOME(name, number, status, code, title) [OUTCOME_##name] = {status, code, title},
#include "engine/outcome.def"
#undef OUTCOME
};

bool outcome_is_kept(enum outcome outcome)
{
    int status = outcome_infos[outcome].status;

    return status < 500 && status != 422 && status != 429;
}
