/* Dispatch: one row of command.def, one handler, with the idempotency key around it. */
#include "engine/engine.h"

#include <assert.h>
#include <string.h>

#include "base/id.h"
#include "engine/handler.h"

struct command_info {
    enum outcome (*run)(struct engine *engine, const struct command *command,
                        struct result *answer);
    size_t result_size;
};

#define COMMAND(name, member, payload, kept)                                                       \
    static enum outcome run_##member(struct engine *engine, const struct command *command,         \
                                     struct result *answer)                                        \
    {                                                                                              \
        return engine_##member(engine, &command->of.member, answer);                               \
    }
#include "engine/command.def"
#undef COMMAND

static const struct command_info command_infos[COMMAND_COUNT] = {
#define COMMAND(name, member, payload, kept)                                                       \
    [COMMAND_##name] = {run_##member, sizeof(struct kept##_result)},
#include "engine/command.def"
#undef COMMAND
};

uint64_t engine_next_number(struct engine *engine)
{
    return ++engine->number_last;
}

uint64_t engine_apply(struct txn *txn, const struct command *command, struct result *result)
{
    struct engine engine = {txn, command, command->number};
    const struct command_info *info;
    size_t savepoint;

    assert(command->type < COMMAND_COUNT);
    info = &command_infos[command->type];
    result->is_replayed = false;
    result->number = command->number;
    if (command->has_key && idempotency_replay(&engine, result, info->result_size))
        return engine.number_last;
    savepoint = txn_savepoint(txn);
    result->outcome = info->run(&engine, command, result);
    if (result->outcome != OUTCOME_OK)
        txn_rollback(txn, savepoint);
    if (command->has_key && outcome_is_kept(result->outcome))
        idempotency_keep(&engine, result, info->result_size);
    return engine.number_last;
}

enum outcome engine_refusal(struct engine *engine, const struct refusal_command *command,
                            struct result *answer)
{
    (void)engine;
    (void)answer;
    assert(command->outcome != OUTCOME_OK);
    return command->outcome;
}
