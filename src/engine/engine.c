/* Dispatch: one row of command.def, one handler, with the idempotency key around it. A handler that
 * refuses is rolled back to the savepoint before it, effect and all; only the refusal is kept. */
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
    return ++engine->effect->number_last;
}

static void apply(struct engine *engine, struct result *result)
{
    const struct command *command = engine->command;
    const struct command_info *info = &command_infos[command->type];
    size_t savepoint;

    if (command->has_key && idempotency_replay(engine, result, info->result_size))
        return;
    savepoint = txn_savepoint(engine->txn);
    result->outcome = info->run(engine, command, result);
    if (result->outcome != OUTCOME_OK) {
        txn_rollback(engine->txn, savepoint);
        *engine->effect = (struct engine_effect){.number_last = engine->effect->number_last,
                                                 .due_first_ms = INT64_MAX};
    }
    if (command->has_key && outcome_is_kept(result->outcome))
        idempotency_keep(engine, result, info->result_size);
}

void engine_apply(struct txn *txn, const struct command *command, struct result *result,
                  struct engine_effect *effect)
{
    struct engine engine = {.txn = txn, .command = command, .effect = effect};

    assert(command->type < COMMAND_COUNT);
    result->is_replayed = false;
    result->number = command->number;
    *effect = (struct engine_effect){.number_last = command->number, .due_first_ms = INT64_MAX};
    apply(&engine, result);
}

/* Those that come by the thousand. */
void engine_expect(const struct txn *txn, const struct command *command, enum txn_distance distance)
{
    struct text account = {NULL, 0};

    if (command->type == COMMAND_CHARGE)
        account = command->of.charge.account;
    else if (command->type == COMMAND_CHARGE_QUEUE)
        account = command->of.charge_queue.account;
    if (account.size > 0 && account.size <= ACCOUNT_ID_MAX)
        txn_expect(txn, TABLE_ACCOUNT, account.data, account.size, distance);
    if (command->has_key)
        txn_expect(txn, TABLE_IDEMPOTENCY, &command->key, sizeof command->key, distance);
}

enum outcome engine_refusal(struct engine *engine, const struct refusal_command *command,
                            struct result *answer)
{
    (void)engine;
    (void)answer;
    assert(command->outcome != OUTCOME_OK);
    return command->outcome;
}

/* A batch's own key keeps nothing but that it was used, and for what: each item has its own. */
enum outcome engine_batch(struct engine *engine, const struct batch_command *command,
                          struct result *answer)
{
    (void)engine;
    (void)command;
    (void)answer;
    return OUTCOME_OK;
}

static void keep_for(struct engine *engine, const struct command *command,
                     const struct result *answer)
{
    struct engine keeper = *engine;

    keeper.command = command;
    idempotency_keep(&keeper, answer, command_infos[command->type].result_size);
}

/* The batch's own key, kept as used when it began, says from now on that it failed; what its items
 * were answered lies under keys of their own, whatever the answer was: some that would not be kept
 * if they were requests are part of one that is. */
enum outcome engine_batch_fail(struct engine *engine, const struct batch_fail_command *command,
                               struct result *answer)
{
    struct command batch = *engine->command;

    batch.type = COMMAND_BATCH;
    batch.key = command->key;
    batch.fingerprint = command->fingerprint;
    for (size_t i = 0; i < command->count; i++) {
        if (command->items[i].has_key)
            keep_for(engine, &command->items[i], &command->answers[i]);
    }
    answer->outcome = OUTCOME_BATCH_FAILED;
    keep_for(engine, &batch, answer);
    return OUTCOME_OK;
}
