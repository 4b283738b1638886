/* Inside the engine: what every handler works with, and the handlers, one for each row of
 * command.def. A handler checks everything first and then writes; what it returns but OUTCOME_OK is
 * as if it had written nothing. */
#ifndef SMSD_ENGINE_HANDLER_H
#define SMSD_ENGINE_HANDLER_H

#include "engine/engine.h"

struct visit_log;

struct engine {
    struct txn *txn;
    const struct command *command;
    struct engine_effect *effect;
    struct visit_log *visit_log; /* NULL, or where visits that change are gathered */
};

/* The number for the first thing the command makes is command->number; each further one comes from
 * here. */
uint64_t engine_next_number(struct engine *engine);

#define COMMAND(name, member, payload, kept)                                                       \
    enum outcome engine_##member(struct engine *engine, const struct payload##_command *command,   \
                                 struct result *answer);
#include "engine/command.def"
#undef COMMAND

/* engine/idempotency.c: true if the key was used before; `answer` then is the first answer, or the
 * refusal of a key that is used for something else. */
bool idempotency_replay(struct engine *engine, struct result *answer, size_t result_size);
void idempotency_keep(struct engine *engine, const struct result *answer, size_t result_size);

#endif
