/* Money in, money out, and from one user to another. */
#include <string.h>

#include "engine/handler.h"
#include "engine/ledger.h"

enum outcome engine_topup(struct engine *engine, const struct money_command *command,
                          struct result *answer)
{
    struct account account;
    enum outcome outcome;

    if (!account_find(engine->txn, command->account, &account))
        ledger_open_account(engine, &account, command->account, CURRENCY_DEFAULT);
    answer->number = engine_next_number(engine);
    outcome = ledger_move(engine, &(struct movement){.type = ENTRY_TOPUP,
                                                     .account = &account,
                                                     .counter = SYSTEM_WORLD,
                                                     .amount = command->amount,
                                                     .entry = answer->number,
                                                     .count = 1,
                                                     .reference = command->reference});
    answer->of.entry.balance = account.row.balance;
    return outcome;
}

enum outcome engine_payout(struct engine *engine, const struct money_command *command,
                           struct result *answer)
{
    struct account account;
    enum outcome outcome;

    if (!account_find(engine->txn, command->account, &account))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    outcome = ledger_may_pay(&account, command->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    answer->number = engine_next_number(engine);
    outcome = ledger_move(engine, &(struct movement){.type = ENTRY_PAYOUT,
                                                     .account = &account,
                                                     .counter = SYSTEM_WORLD,
                                                     .amount = -command->amount,
                                                     .entry = answer->number,
                                                     .count = 1,
                                                     .reference = command->reference});
    answer->of.entry.balance = account.row.balance;
    return outcome;
}

enum outcome engine_transfer(struct engine *engine, const struct transfer_command *command,
                             struct result *answer)
{
    struct account from, to;
    enum outcome outcome;
    uint64_t entry;

    if (!account_find(engine->txn, command->from, &from))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    if (!account_find(engine->txn, command->to, &to))
        ledger_open_account(engine, &to, command->to, from.row.currency);
    if (memcmp(from.row.currency, to.row.currency, CURRENCY_SIZE) != 0)
        return OUTCOME_CURRENCY_MISMATCH;
    outcome = ledger_may_pay(&from, command->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    entry = engine_next_number(engine);
    engine_next_number(engine);
    outcome = ledger_transfer(engine, &from, &to, command->amount, engine->command->number, entry,
                              command->reference);
    answer->of.transfer.from_balance = from.row.balance;
    answer->of.transfer.to_balance = to.row.balance;
    return outcome;
}
