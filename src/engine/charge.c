/* A charge that is settled at once and its entry are one row with one number. A queued one has a
 * row of its own, is counted into its account's `pending`, so that the queue can never overdraw it,
 * and joins the last of the account's drains, until that is full. Draining is then one entry for
 * the sum of the first drain, whatever its count: no charge is touched again, each finds its entry
 * through its drain. */
#include "engine/charge.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/due.h"
#include "engine/entry.h"
#include "engine/handler.h"
#include "engine/ledger.h"

enum {
    CHARGE_ROW_VERSION = 1,
    CHARGE_REFUND_ROW_VERSION = 1,
    DRAIN_ROW_VERSION = 1,
    QUEUE_ROW_VERSION = 1,
};

static bool get(struct txn *txn, enum table table, uint64_t number, void *row, size_t row_size)
{
    char key[8];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, table, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size >= row_size);
    memcpy(row, value, row_size);
    assert(*(const uint8_t *)row == 1); /* the only version of each of these rows so far */
    return true;
}

static void put(struct txn *txn, enum table table, uint64_t number, const void *row,
                size_t row_size)
{
    char key[8];

    bytes_put_u64_be(key, number);
    txn_put(txn, table, key, sizeof key, row, row_size);
}

enum outcome engine_charge(struct engine *engine, const struct money_command *command,
                           struct result *answer)
{
    struct account account;
    enum outcome outcome;

    if (!account_find(engine->txn, command->account, &account))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    outcome = ledger_may_pay(&account, command->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = ledger_move(engine, &(struct movement){.type = ENTRY_CHARGE,
                                                     .account = &account,
                                                     .counter = SYSTEM_REVENUE,
                                                     .amount = -command->amount,
                                                     .entry = engine->command->number,
                                                     .source_type = SOURCE_CHARGE,
                                                     .source = engine->command->number,
                                                     .count = 1,
                                                     .reference = command->reference});
    answer->of.entry.balance = account.row.balance;
    return outcome;
}

/* --- queueing ------------------------------------------------------------------------------------
 */

static void charge_store(struct engine *engine, uint64_t account, uint64_t drain,
                         const struct charge_queue_command *command)
{
    struct {
        struct charge_row row;
        char reference[REFERENCE_MAX];
    } value = {.row = {.version = CHARGE_ROW_VERSION,
                       .reference_size = (uint8_t)command->reference.size,
                       .account = account,
                       .amount = command->amount,
                       .drain = drain}};

    assert(command->reference.size <= REFERENCE_MAX);
    if (command->reference.size > 0)
        memcpy(value.reference, command->reference.data, command->reference.size);
    put(engine->txn, TABLE_CHARGE, engine->command->number, &value,
        sizeof value.row + command->reference.size);
}

/* The drain that the charge joins: the queue's last, or a new one behind it, or a new queue's
 * first. */
static void drain_to_join(struct engine *engine, const struct charge_queue_command *command,
                          uint64_t account, struct queue_row *queue, struct drain_row *drain)
{
    uint64_t number = engine->command->number;

    if (!get(engine->txn, TABLE_QUEUE, account, queue, sizeof *queue)) {
        *queue = (struct queue_row){.version = QUEUE_ROW_VERSION, .first = number, .last = number};
        queue->due_ms = engine->command->now_ms + command->interval_ms;
        due_put(engine, queue->due_ms, DUE_CHARGE_DRAIN, account);
    } else {
        bool is_there = get(engine->txn, TABLE_DRAIN, queue->last, drain, sizeof *drain);
        assert(is_there && drain->entry == 0);
        if (drain->count < command->count_max)
            return;
        drain->next = number;
        put(engine->txn, TABLE_DRAIN, queue->last, drain, sizeof *drain);
        queue->last = number;
    }
    put(engine->txn, TABLE_QUEUE, account, queue, sizeof *queue);
    *drain = (struct drain_row){.version = DRAIN_ROW_VERSION, .account = account};
}

enum outcome engine_charge_queue(struct engine *engine, const struct charge_queue_command *command,
                                 struct result *answer)
{
    struct account account;
    struct queue_row queue;
    struct drain_row drain;
    enum outcome outcome;

    if (!account_find(engine->txn, command->account, &account))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    outcome = ledger_may_pay(&account, command->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    drain_to_join(engine, command, account.row.number, &queue, &drain);
    drain.count++;
    drain.amount += command->amount;
    drain.last = engine->command->number;
    put(engine->txn, TABLE_DRAIN, queue.last, &drain, sizeof drain);
    charge_store(engine, account.row.number, queue.last, command);
    account.row.pending += command->amount;
    ledger_store(engine, &account);
    answer->of.entry.balance = account.row.balance;
    return OUTCOME_OK;
}

/* --- draining ------------------------------------------------------------------------------------
 */

/* A queue of more than one drain is behind: the next one goes at once. */
static void queue_advance(struct engine *engine, uint64_t account, struct queue_row *queue,
                          uint64_t next)
{
    char key[8];

    if (next == 0) {
        bytes_put_u64_be(key, account);
        txn_delete(engine->txn, TABLE_QUEUE, key, sizeof key);
        return;
    }
    queue->first = next;
    queue->due_ms = engine->command->now_ms;
    due_put(engine, queue->due_ms, DUE_CHARGE_DRAIN, account);
    put(engine->txn, TABLE_QUEUE, account, queue, sizeof *queue);
}

enum outcome engine_charge_drain(struct engine *engine, const struct due_command *command,
                                 struct result *answer)
{
    struct account account;
    struct queue_row queue;
    struct drain_row drain;
    enum outcome outcome;
    bool is_there;

    (void)answer;
    due_delete(engine, command->due_ms, DUE_CHARGE_DRAIN, command->number);
    is_there = get(engine->txn, TABLE_QUEUE, command->number, &queue, sizeof queue) &&
               get(engine->txn, TABLE_DRAIN, queue.first, &drain, sizeof drain) &&
               account_find_number(engine->txn, command->number, &account);
    assert(is_there && queue.due_ms == command->due_ms);
    assert(account.row.pending >= drain.amount);
    account.row.pending -= drain.amount;
    outcome = account.row.status == ACCOUNT_FROZEN ? OUTCOME_ACCOUNT_FROZEN : OUTCOME_OK;
    if (outcome == OUTCOME_OK)
        outcome = ledger_move(engine, &(struct movement){.type = ENTRY_CHARGE,
                                                         .account = &account,
                                                         .counter = SYSTEM_REVENUE,
                                                         .amount = -drain.amount,
                                                         .entry = engine->command->number,
                                                         .source_type = SOURCE_CHARGE,
                                                         .source = queue.first,
                                                         .count = drain.count});
    if (outcome != OUTCOME_OK) {
        /* Frozen, or @revenue would pass 2^63: the queue waits, until charge_queue_resume. */
        queue.due_ms = 0;
        put(engine->txn, TABLE_QUEUE, command->number, &queue, sizeof queue);
        return OUTCOME_OK;
    }
    drain.entry = engine->command->number;
    put(engine->txn, TABLE_DRAIN, queue.first, &drain, sizeof drain);
    queue_advance(engine, command->number, &queue, drain.next);
    return OUTCOME_OK;
}

void charge_queue_resume(struct engine *engine, uint64_t account)
{
    struct queue_row queue;

    if (!get(engine->txn, TABLE_QUEUE, account, &queue, sizeof queue) || queue.due_ms != 0)
        return;
    queue.due_ms = engine->command->now_ms;
    due_put(engine, queue.due_ms, DUE_CHARGE_DRAIN, account);
    put(engine->txn, TABLE_QUEUE, account, &queue, sizeof queue);
}

/* --- finding and refunding -----------------------------------------------------------------------
 */

static bool find_queued(struct txn *txn, uint64_t number, struct charge *charge)
{
    struct {
        struct charge_row row;
        char reference[REFERENCE_MAX];
    } value;
    struct drain_row drain;
    struct entry entry;
    char key[8];
    size_t size;
    const void *found;

    bytes_put_u64_be(key, number);
    found = txn_get(txn, TABLE_CHARGE, key, sizeof key, &size);
    if (found == NULL)
        return false;
    assert(size >= sizeof value.row && size <= sizeof value);
    memcpy(&value, found, size);
    assert(size == sizeof value.row + value.row.reference_size);
    if (!get(txn, TABLE_DRAIN, value.row.drain, &drain, sizeof drain))
        assert(!"a queued charge without its drain");
    *charge = (struct charge){.number = number,
                              .account = value.row.account,
                              .amount = value.row.amount,
                              .entry = drain.entry,
                              .reference_size = value.row.reference_size};
    memcpy(charge->reference, value.reference, value.row.reference_size);
    if (drain.entry != 0 && entry_find(txn, drain.entry, &entry))
        charge->balance = entry.row.balance;
    return true;
}

static bool find_settled(struct txn *txn, uint64_t number, struct charge *charge)
{
    struct entry entry;

    if (!entry_find(txn, number, &entry) || entry.row.type != ENTRY_CHARGE ||
        entry.row.source != number)
        return false;
    *charge = (struct charge){.number = number,
                              .account = entry.row.account,
                              .amount = -entry.row.amount,
                              .entry = number,
                              .balance = entry.row.balance,
                              .reference_size = entry.row.reference_size};
    memcpy(charge->reference, entry.reference, entry.row.reference_size);
    return true;
}

bool charge_find(struct txn *txn, uint64_t number, struct charge *charge)
{
    struct charge_refund_row refund;

    if (!find_settled(txn, number, charge) && !find_queued(txn, number, charge))
        return false;
    if (get(txn, TABLE_CHARGE_REFUND, number, &refund, sizeof refund))
        charge->refunded = refund.refunded;
    return true;
}

enum outcome engine_refund(struct engine *engine, const struct refund_command *command,
                           struct result *answer)
{
    struct charge_refund_row refund = {.version = CHARGE_REFUND_ROW_VERSION};
    struct account account;
    struct charge charge;
    enum outcome outcome;
    int64_t left, amount;

    if (!charge_find(engine->txn, command->charge, &charge))
        return OUTCOME_NOT_FOUND;
    if (charge.entry == 0)
        return OUTCOME_CONFLICT;
    left = charge.amount - charge.refunded;
    amount = command->has_amount ? command->amount : left;
    if (left == 0)
        return OUTCOME_ALREADY_REFUNDED;
    if (amount > left)
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    if (!account_find_number(engine->txn, charge.account, &account))
        assert(!"a charge without its account");
    answer->number = engine_next_number(engine);
    outcome = ledger_move(engine, &(struct movement){.type = ENTRY_REFUND,
                                                     .account = &account,
                                                     .counter = SYSTEM_REVENUE,
                                                     .amount = amount,
                                                     .entry = answer->number,
                                                     .source_type = SOURCE_CHARGE,
                                                     .source = command->charge,
                                                     .count = 1});
    refund.refunded = charge.refunded + amount;
    put(engine->txn, TABLE_CHARGE_REFUND, command->charge, &refund, sizeof refund);
    answer->of.refund = (struct refund_result){account.row.balance, amount, account.row.number};
    return outcome;
}
