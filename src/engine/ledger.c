/* Movements: both rows and the entry, checked before anything is written. */
#include "engine/ledger.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/handler.h"

enum { ENTRY_ROW_VERSION = 1 };

static const struct text system_texts[] = {
#define SYSTEM_ACCOUNT(name, number, text) [number] = {text, sizeof(text) - 1},
#include "engine/system_account.def"
#undef SYSTEM_ACCOUNT
};

static struct text system_id(enum system_account system, const char currency[CURRENCY_SIZE],
                             char to[ACCOUNT_ID_MAX])
{
    struct text text = system_texts[system];

    if (memcmp(currency, CURRENCY_DEFAULT, CURRENCY_SIZE) == 0)
        return text;
    memcpy(to, text.data, text.size);
    to[text.size] = '.';
    memcpy(to + text.size + 1, currency, CURRENCY_SIZE);
    return (struct text){to, text.size + 1 + CURRENCY_SIZE};
}

static void system_open(struct engine *engine, enum system_account system,
                        const char currency[CURRENCY_SIZE], struct account *account)
{
    char space[ACCOUNT_ID_MAX];

    ledger_open_account(engine, account, system_id(system, currency, space), currency);
    account->row.flags |= ACCOUNT_IS_SYSTEM;
    account->row.number = memcmp(currency, CURRENCY_DEFAULT, CURRENCY_SIZE) == 0
                              ? (uint64_t)system
                              : engine_next_number(engine);
}

void ledger_create_system_accounts(struct engine *engine)
{
    static const enum system_account systems[] = {
#define SYSTEM_ACCOUNT(name, number, text) SYSTEM_##name,
#include "engine/system_account.def"
#undef SYSTEM_ACCOUNT
    };

    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        struct account account;
        system_open(engine, systems[i], CURRENCY_DEFAULT, &account);
        ledger_store(engine, &account);
    }
}

enum outcome ledger_may_pay(const struct account *account, int64_t amount)
{
    if (account->row.status == ACCOUNT_FROZEN)
        return OUTCOME_ACCOUNT_FROZEN;
    if (account_available(&account->row) < amount)
        return OUTCOME_INSUFFICIENT_FUNDS;
    return OUTCOME_OK;
}

static void entry_store(struct engine *engine, const struct movement *movement, uint64_t counter)
{
    const struct account_row *account = &movement->account->row;
    struct {
        struct entry_row row;
        char reference[REFERENCE_MAX];
    } value = {.row = {.version = ENTRY_ROW_VERSION,
                       .type = (uint8_t)movement->type,
                       .reference_size = (uint8_t)movement->reference.size,
                       .count = movement->count,
                       .account = account->number,
                       .counter = counter,
                       .source = movement->source,
                       .previous = account->entry_last,
                       .amount = movement->amount,
                       .balance = account->balance}};
    char key[8];

    assert(movement->reference.size <= REFERENCE_MAX);
    if (movement->reference.size > 0)
        memcpy(value.reference, movement->reference.data, movement->reference.size);
    bytes_put_u64_be(key, movement->entry);
    txn_put(engine->txn, TABLE_ENTRY, key, sizeof key, &value,
            sizeof value.row + movement->reference.size);
}

enum outcome ledger_move(struct engine *engine, const struct movement *movement)
{
    struct account *account = movement->account;
    struct account counter;
    char space[ACCOUNT_ID_MAX];
    int64_t balance, counter_balance;

    assert(movement->amount != 0 && movement->entry != 0);
    if (!account_find(engine->txn, system_id(movement->counter, account->row.currency, space),
                      &counter))
        system_open(engine, movement->counter, account->row.currency, &counter);
    if (__builtin_add_overflow(account->row.balance, movement->amount, &balance) ||
        balance > AMOUNT_MAX || balance < -AMOUNT_MAX ||
        __builtin_sub_overflow(counter.row.balance, movement->amount, &counter_balance))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    account->row.balance = balance;
    entry_store(engine, movement, counter.row.number);
    account->row.entry_last = movement->entry;
    account->row.entry_count++;
    counter.row.balance = counter_balance;
    ledger_store(engine, account);
    ledger_store(engine, &counter);
    return OUTCOME_OK;
}

enum outcome engine_topup(struct engine *engine, const struct money_command *command,
                          struct result *answer)
{
    struct account account;
    enum outcome outcome;

    if (!account_find(engine->txn, command->account, &account))
        ledger_open_account(engine, &account, command->account, CURRENCY_DEFAULT);
    outcome = ledger_move(engine, &(struct movement){.type = ENTRY_TOPUP,
                                                     .account = &account,
                                                     .counter = SYSTEM_WORLD,
                                                     .amount = command->amount,
                                                     .entry = engine_next_number(engine),
                                                     .count = 1,
                                                     .reference = command->reference});
    answer->number = engine->number_last;
    answer->of.entry.balance = account.row.balance;
    return outcome;
}

/* A debit: the account must exist and be able to pay. */
static enum outcome pay(struct engine *engine, const struct money_command *command,
                        enum entry_type type, enum system_account counter, uint64_t source,
                        struct result *answer)
{
    struct account account;
    enum outcome outcome;

    if (!account_find(engine->txn, command->account, &account))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    outcome = ledger_may_pay(&account, command->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = ledger_move(engine, &(struct movement){.type = type,
                                                     .account = &account,
                                                     .counter = counter,
                                                     .amount = -command->amount,
                                                     .entry = engine->command->number,
                                                     .source = source,
                                                     .count = 1,
                                                     .reference = command->reference});
    answer->of.entry.balance = account.row.balance;
    return outcome;
}

enum outcome engine_payout(struct engine *engine, const struct money_command *command,
                           struct result *answer)
{
    return pay(engine, command, ENTRY_PAYOUT, SYSTEM_WORLD, 0, answer);
}

/* A charge that is settled at once and its entry are one row with one number. */
enum outcome engine_charge(struct engine *engine, const struct money_command *command,
                           struct result *answer)
{
    return pay(engine, command, ENTRY_CHARGE, SYSTEM_REVENUE, engine->command->number, answer);
}

bool entry_find(struct txn *txn, uint64_t number, struct entry *entry)
{
    char key[8];
    size_t size;
    const char *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_ENTRY, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size >= sizeof entry->row);
    memcpy(&entry->row, value, sizeof entry->row);
    assert(entry->row.version == ENTRY_ROW_VERSION);
    assert(size == sizeof entry->row + entry->row.reference_size);
    memcpy(entry->reference, value + sizeof entry->row, entry->row.reference_size);
    entry->number = number;
    return true;
}
