/* Inside the engine: what every handler works with. */
#ifndef SMSD_ENGINE_HANDLER_H
#define SMSD_ENGINE_HANDLER_H

#include "engine/command.h"
#include "store/txn.h"

struct engine {
    struct txn *txn;
    const struct command *command;
    uint64_t number_last;
    int64_t due_first_ms; /* the earliest row put into TABLE_DUE; INT64_MAX: none */
    /* See struct engine_effect. */
    uint64_t outbox_product;
    enum message_kind outbox_lane;
    int64_t outbox_due_ms;
    enum message_status message_status;
    bool is_message_new, is_receipt_forgotten;
    uint64_t webhook_endpoint; /* as in struct engine_effect */
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
