/* A hold counts into its account's `held` while it is open. It is closed once, by capture, release
 * or its expiry in the due index, and then stays as what it was. */
#include "engine/hold.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/due.h"
#include "engine/handler.h"
#include "engine/ledger.h"

enum { HOLD_ROW_VERSION = 1 };

bool hold_find(struct txn *txn, uint64_t number, struct hold_row *row)
{
    char key[8];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_HOLD, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == HOLD_ROW_VERSION);
    return true;
}

static void hold_store(struct engine *engine, const struct hold_row *row)
{
    char key[8];

    bytes_put_u64_be(key, row->number);
    txn_put(engine->txn, TABLE_HOLD, key, sizeof key, row, sizeof *row);
}

enum outcome engine_hold_create(struct engine *engine, const struct hold_create_command *command,
                                struct result *answer)
{
    struct account account;
    struct hold_row row;
    enum outcome outcome;

    if (!account_find(engine->txn, command->account, &account))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    outcome = ledger_may_pay(&account, command->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    row = (struct hold_row){.version = HOLD_ROW_VERSION,
                            .status = HOLD_OPEN,
                            .number = engine->command->number,
                            .account = account.row.number,
                            .amount = command->amount,
                            .expires_ms = engine->command->now_ms + command->expires_in_ms};
    hold_store(engine, &row);
    due_put(engine, row.expires_ms, DUE_HOLD_EXPIRY, row.number);
    account.row.held += command->amount;
    ledger_store(engine, &account);
    answer->of.hold.row = row;
    return OUTCOME_OK;
}

/* The hold and its account, if it is there and open. */
static enum outcome open_hold(struct engine *engine, uint64_t number, struct hold_row *row,
                              struct account *account)
{
    if (!hold_find(engine->txn, number, row))
        return OUTCOME_NOT_FOUND;
    if (row->status != HOLD_OPEN)
        return OUTCOME_HOLD_CLOSED;
    if (!account_find_number(engine->txn, row->account, account))
        assert(!"a hold without its account");
    assert(account->row.held >= row->amount);
    return OUTCOME_OK;
}

/* Closes it in both rows; the account's is the caller's to store. */
static void hold_close(struct engine *engine, struct hold_row *row, struct account *account,
                       enum hold_status status)
{
    due_delete(engine, row->expires_ms, DUE_HOLD_EXPIRY, row->number);
    account->row.held -= row->amount;
    row->status = (uint8_t)status;
    row->closed_ms = engine->command->now_ms;
    hold_store(engine, row);
}

enum outcome engine_hold_capture(struct engine *engine, const struct hold_capture_command *command,
                                 struct result *answer)
{
    struct account account;
    struct hold_row row;
    enum outcome outcome = open_hold(engine, command->hold, &row, &account);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (account.row.status == ACCOUNT_FROZEN)
        return OUTCOME_ACCOUNT_FROZEN;
    row.captured = command->has_amount ? command->amount : row.amount;
    if (row.captured > row.amount)
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    row.entry = engine->command->number;
    hold_close(engine, &row, &account, HOLD_CAPTURED);
    outcome = ledger_move(engine, &(struct movement){.type = ENTRY_CHARGE,
                                                     .account = &account,
                                                     .counter = SYSTEM_REVENUE,
                                                     .amount = -row.captured,
                                                     .entry = row.entry,
                                                     .source_type = SOURCE_HOLD,
                                                     .source = row.number,
                                                     .count = 1});
    answer->of.hold.row = row;
    return outcome;
}

enum outcome engine_hold_release(struct engine *engine, const struct hold_release_command *command,
                                 struct result *answer)
{
    struct account account;
    struct hold_row row;
    enum outcome outcome = open_hold(engine, command->hold, &row, &account);

    if (outcome != OUTCOME_OK)
        return outcome;
    hold_close(engine, &row, &account, HOLD_RELEASED);
    ledger_store(engine, &account);
    answer->of.hold.row = row;
    return OUTCOME_OK;
}

enum outcome engine_hold_expire(struct engine *engine, const struct due_command *command,
                                struct result *answer)
{
    struct account account;
    struct hold_row row;
    enum outcome outcome = open_hold(engine, command->number, &row, &account);

    (void)answer;
    assert(outcome == OUTCOME_OK && row.expires_ms == command->due_ms);
    hold_close(engine, &row, &account, HOLD_EXPIRED);
    ledger_store(engine, &account);
    return outcome;
}
