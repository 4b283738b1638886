/* The ledger: accounts, and the only way money moves between them (BILL-12). Every movement takes
 * from one account what it gives to another, one of them a user's, the other a user's or a system
 * account; so the balances of all accounts sum to zero after every commit, in each currency.
 *
 * A user's side leaves an entry, chained to the account's entry before it (BILL-11). A system
 * account's side does not: each entry names its counter account, and a row per charge for @revenue
 * would say nothing more. */
#ifndef SMSD_ENGINE_LEDGER_H
#define SMSD_ENGINE_LEDGER_H

#include <stdbool.h>

#include "engine/command.h"

struct engine;
struct txn;

enum system_account {
#define SYSTEM_ACCOUNT(name, number, text) SYSTEM_##name = (number),
#include "engine/system_account.def"
#undef SYSTEM_ACCOUNT
};

enum { CURRENCY_SIZE = 3 };
#define CURRENCY_DEFAULT "CNY"

/* An account in hand: a copy of its row, and the id it is stored under. */
struct account {
    char id[ACCOUNT_ID_MAX];
    uint8_t id_size;
    struct account_row row;
};

/* --- accounts: engine/account.c ------------------------------------------------------------------
 */

/* False if there is no such account. */
bool account_find(struct txn *txn, struct text id, struct account *account);
bool account_find_number(struct txn *txn, uint64_t number, struct account *account);
int64_t account_available(const struct account_row *row);
/* 1 to ACCOUNT_ID_MAX letters, digits or any of _.:+-@, not beginning with @, which marks smsd's
 * own. */
bool account_id_is_valid(const char *id, size_t size);
bool account_id_is_system(struct text id);

/* A new account in hand, not stored yet. Takes a number of the command's for it. */
void ledger_open_account(struct engine *engine, struct account *account, struct text id,
                         const char currency[CURRENCY_SIZE]);
/* Stores a changed row, with the time of the command. */
void ledger_store(struct engine *engine, struct account *account);
void ledger_create_system_accounts(struct engine *engine);

/* --- movements: engine/ledger.c ------------------------------------------------------------------
 */

/* OUTCOME_OK, _ACCOUNT_FROZEN or _INSUFFICIENT_FUNDS. */
enum outcome ledger_may_pay(const struct account *account, int64_t amount);

struct movement {
    enum entry_type type;
    struct account *account;      /* changed, and stored */
    enum system_account counter;  /* the other side, in the account's currency */
    int64_t amount;               /* what the user's account gains; negative: pays */
    uint64_t entry;               /* the entry's number; above any that the account has */
    enum source_type source_type; /* what it comes from: see struct entry_row */
    uint64_t source;
    uint32_t count;
    struct text reference;
};
/* Between a user's account and a system account. OUTCOME_OK, or OUTCOME_AMOUNT_OUT_OF_RANGE with
 * nothing written and the account in hand as it was. Whether the account may pay is the caller's to
 * have checked. */
enum outcome ledger_move(struct engine *engine, const struct movement *movement);
/* Between two users' accounts of one currency: `from` pays `amount`; two entries, numbered `entry`
 * and one more. */
enum outcome ledger_transfer(struct engine *engine, struct account *from, struct account *to,
                             int64_t amount, uint64_t source, uint64_t entry,
                             struct text reference);

#endif
