/* For tests of the engine: one over a store, commands run in it at a time that a test sets, and
 * what falls due. A test that says nothing else has its rows in memory only. */
#ifndef SMSD_TESTS_ENGINE_WORLD_H
#define SMSD_TESTS_ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/id.h"
#include "engine/due.h"
#include "engine/engine.h"
#include "store/store.h"

struct world {
    struct store *store;
    int64_t now_ms;
    uint64_t number_last;
};

/* What the last command did besides. */
static struct engine_effect effect;

__attribute__((unused)) static struct store *open_store_in_memory(size_t overlay_bytes_max)
{
    struct store_options options = {.overlay_bytes_max = overlay_bytes_max};
    struct store *store;
    struct buffer why;

    buffer_init(&why);
    assert_int_equal(store_open(&store, &options, &why), 0);
    buffer_release(&why);
    return store;
}

__attribute__((unused)) static struct result apply(struct world *world, struct command *command)
{
    struct txn *txn = store_begin(world->store);
    struct result result;

    command->number = id_next(world->number_last, world->now_ms);
    command->now_ms = world->now_ms;
    engine_apply(txn, command, &result, &effect);
    world->number_last = effect.number_last;
    store_commit(txn);
    return result;
}

/* Everything due by now, as the due job runs it. */
__attribute__((unused)) static int run_due(struct world *world)
{
    for (int count = 0;; count++) {
        struct txn *txn = store_begin(world->store);
        struct command command;
        struct due due;
        bool is_due =
            due_first(txn, &(struct due){0}, INT64_MAX, &due) && due.due_ms <= world->now_ms;
        store_abort(txn);
        if (!is_due)
            return count;
        due_command(&due, &command);
        assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
    }
}

__attribute__((unused)) static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

__attribute__((unused)) static void topup(struct world *world, const char *account, int64_t amount)
{
    struct command command = {.type = COMMAND_TOPUP};

    command.of.topup = (struct money_command){.account = text_of(account), .amount = amount};
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
}

__attribute__((unused)) static void pay_out(struct world *world, const char *account,
                                            int64_t amount)
{
    struct command command = {.type = COMMAND_PAYOUT};

    command.of.payout = (struct money_command){.account = text_of(account), .amount = amount};
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
}

#endif
