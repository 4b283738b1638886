/* Accounts: making, changing, finding. Balances are the ledger's affair. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/charge.h"
#include "engine/handler.h"
#include "engine/ledger.h"

enum { ACCOUNT_ROW_VERSION = 1 };

int64_t account_available(const struct account_row *row)
{
    /* Each part is within AMOUNT_MAX of zero: no overflow. */
    return row->balance + row->credit_limit - row->held - row->pending;
}

bool account_id_is_system(struct text id)
{
    return id.size > 0 && id.data[0] == '@';
}

bool account_id_is_valid(const char *id, size_t size)
{
    if (size == 0 || size > ACCOUNT_ID_MAX || id[0] == '@')
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = id[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("_.:+-@", c) != NULL)))
            return false;
    }
    return true;
}

bool account_find(struct txn *txn, struct text id, struct account *account)
{
    size_t size;
    const void *value;

    if (id.size == 0 || id.size > ACCOUNT_ID_MAX)
        return false;
    value = txn_get(txn, TABLE_ACCOUNT, id.data, id.size, &size);
    if (value == NULL)
        return false;
    assert(size == sizeof account->row);
    memcpy(&account->row, value, size);
    assert(account->row.version == ACCOUNT_ROW_VERSION);
    memcpy(account->id, id.data, id.size);
    account->id_size = (uint8_t)id.size;
    return true;
}

bool account_find_number(struct txn *txn, uint64_t number, struct account *account)
{
    char key[8], id[ACCOUNT_ID_MAX];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_ACCOUNT_NUMBER, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size <= sizeof id);
    memcpy(id, value, size);
    return account_find(txn, (struct text){id, size}, account);
}

void ledger_open_account(struct engine *engine, struct account *account, struct text id,
                         const char currency[CURRENCY_SIZE])
{
    *account = (struct account){.id_size = (uint8_t)id.size,
                                .row = {.version = ACCOUNT_ROW_VERSION,
                                        .status = ACCOUNT_ACTIVE,
                                        .number = engine->command->number}};
    assert(id.size <= ACCOUNT_ID_MAX);
    memcpy(account->id, id.data, id.size);
    memcpy(account->row.currency, currency, CURRENCY_SIZE);
}

void ledger_store(struct engine *engine, struct account *account)
{
    bool is_new = account->row.updated_ms == 0;

    account->row.updated_ms = engine->command->now_ms;
    txn_put(engine->txn, TABLE_ACCOUNT, account->id, account->id_size, &account->row,
            sizeof account->row);
    if (is_new && !(account->row.flags & ACCOUNT_IS_SYSTEM)) {
        char key[8];
        bytes_put_u64_be(key, account->row.number);
        txn_put(engine->txn, TABLE_ACCOUNT_NUMBER, key, sizeof key, account->id, account->id_size);
    }
}

static void change_flag(struct account_row *row, enum account_flag flag, bool is_set)
{
    row->flags = (uint8_t)(is_set ? row->flags | flag : row->flags & ~(unsigned)flag);
}

/* Setting a threshold is no crossing of it. */
static void set_low_balance(struct account_row *row, bool has_low_balance, int64_t low_balance)
{
    row->low_balance = has_low_balance ? low_balance : 0;
    change_flag(row, ACCOUNT_HAS_LOW_BALANCE, has_low_balance);
    change_flag(row, ACCOUNT_IS_LOW, has_low_balance && row->balance < low_balance);
}

enum outcome engine_account_create(struct engine *engine,
                                   const struct account_create_command *command,
                                   struct result *answer)
{
    struct account account;

    if (account_find(engine->txn, command->id, &account))
        return OUTCOME_ACCOUNT_EXISTS;
    ledger_open_account(engine, &account, command->id, command->currency);
    account.row.credit_limit = command->credit_limit;
    set_low_balance(&account.row, command->has_low_balance, command->low_balance);
    ledger_store(engine, &account);
    answer->of.account.row = account.row;
    return OUTCOME_OK;
}

enum outcome engine_account_update(struct engine *engine,
                                   const struct account_update_command *command,
                                   struct result *answer)
{
    struct account account;

    if (!account_find(engine->txn, command->id, &account))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    if (account.row.flags & ACCOUNT_IS_SYSTEM)
        return OUTCOME_CONFLICT;
    if (command->has_status)
        account.row.status = (uint8_t)command->status;
    if (command->has_credit_limit)
        account.row.credit_limit = command->credit_limit;
    if (command->has_low_balance)
        set_low_balance(&account.row, !command->is_low_balance_cleared, command->low_balance);
    if (command->has_packets_blocked)
        change_flag(&account.row, ACCOUNT_PACKETS_BLOCKED, command->packets_blocked);
    if (account.row.status == ACCOUNT_ACTIVE)
        charge_queue_resume(engine, account.row.number);
    ledger_store(engine, &account);
    answer->of.account.row = account.row;
    return OUTCOME_OK;
}
