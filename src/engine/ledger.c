/* Movements: both sides and the entries, checked before anything is written. */
#include "engine/ledger.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/entry.h"
#include "engine/handler.h"
#include "engine/webhook.h"

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
    if (memcmp(currency, CURRENCY_DEFAULT, CURRENCY_SIZE) == 0)
        account->row.number = (uint64_t)system;
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

/* BILL-14: told once when the balance falls below the threshold, and again only after it was back.
 */
static void check_low_balance(struct engine *engine, struct account *account)
{
    struct account_row *row = &account->row;
    bool is_low = (row->flags & ACCOUNT_HAS_LOW_BALANCE) && row->balance < row->low_balance;

    if (is_low && !(row->flags & ACCOUNT_IS_LOW))
        webhook_put(engine, &(struct webhook_event){.type = WEBHOOK_LOW_BALANCE,
                                                    .subject = row->number,
                                                    .values = {row->balance, row->low_balance},
                                                    .texts = {{account->id, account->id_size}}});
    row->flags =
        (uint8_t)(is_low ? row->flags | ACCOUNT_IS_LOW : row->flags & ~(unsigned)ACCOUNT_IS_LOW);
}

static bool add_balance(int64_t balance, int64_t amount, int64_t *sum)
{
    return !__builtin_add_overflow(balance, amount, sum) && *sum <= AMOUNT_MAX &&
           *sum >= -AMOUNT_MAX;
}

enum outcome ledger_move(struct engine *engine, const struct movement *movement)
{
    struct account *account = movement->account;
    struct account counter;
    struct entry_row entry;
    char space[ACCOUNT_ID_MAX];
    int64_t balance, counter_balance;

    assert(movement->amount != 0 && !(account->row.flags & ACCOUNT_IS_SYSTEM));
    if (!account_find(engine->txn, system_id(movement->counter, account->row.currency, space),
                      &counter))
        system_open(engine, movement->counter, account->row.currency, &counter);
    if (!add_balance(account->row.balance, movement->amount, &balance) ||
        __builtin_sub_overflow(counter.row.balance, movement->amount, &counter_balance))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    account->row.balance = balance;
    counter.row.balance = counter_balance;
    entry = (struct entry_row){.type = (uint8_t)movement->type,
                               .count = movement->count,
                               .counter = counter.row.number,
                               .source_type = (uint8_t)movement->source_type,
                               .source = movement->source,
                               .amount = movement->amount,
                               .balance = balance};
    entry_append(engine, account, movement->entry, &entry, movement->reference);
    check_low_balance(engine, account);
    ledger_store(engine, account);
    ledger_store(engine, &counter);
    return OUTCOME_OK;
}

static void transfer_side(struct engine *engine, struct account *account,
                          const struct account *counter, int64_t amount, uint64_t source,
                          uint64_t number, struct text reference)
{
    struct entry_row entry = {.type = ENTRY_TRANSFER,
                              .count = 1,
                              .counter = counter->row.number,
                              .source_type = SOURCE_TRANSFER,
                              .source = source,
                              .amount = amount,
                              .balance = account->row.balance};

    entry_append(engine, account, number, &entry, reference);
    check_low_balance(engine, account);
    ledger_store(engine, account);
}

enum outcome ledger_transfer(struct engine *engine, struct account *from, struct account *to,
                             int64_t amount, uint64_t source, uint64_t entry, struct text reference)
{
    int64_t from_balance, to_balance;

    assert(from->row.number != to->row.number);
    assert(memcmp(from->row.currency, to->row.currency, CURRENCY_SIZE) == 0);
    if (!add_balance(from->row.balance, -amount, &from_balance) ||
        !add_balance(to->row.balance, amount, &to_balance))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    from->row.balance = from_balance;
    to->row.balance = to_balance;
    transfer_side(engine, from, to, -amount, source, entry, reference);
    transfer_side(engine, to, from, amount, source, entry + 1, reference);
    return OUTCOME_OK;
}
