/* Grabbing and opening (PKT-5, PKT-7, PKT-8, PKT-9). A grab takes the next place of the list;
 * share, mark, credit, entry and history are rows of one commit. The mark is the row of (user,
 * packet), so a second share for a user cannot be; the same rows are the user's list.
 *
 * A credit that the account cannot take (its balance would pass AMOUNT_MAX) is an exception: the
 * share stays reserved for the user, who may open it later, as an operator may. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/exception.h"
#include "engine/handler.h"
#include "engine/ledger.h"
#include "engine/packet.h"

bool grab_find(struct txn *txn, uint64_t account, uint64_t packet, struct grab_row *row)
{
    char key[PACKET_LIST_KEY_MAX];
    size_t size, key_size = packet_list_key(key, account, packet);
    const void *value = txn_get(txn, TABLE_GRAB, key, key_size, &size);

    if (value == NULL)
        return false;
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == GRAB_ROW_VERSION);
    return true;
}

static void grab_store(struct engine *engine, uint64_t account, uint64_t packet,
                       const struct grab_row *row)
{
    char key[PACKET_LIST_KEY_MAX];
    size_t size = packet_list_key(key, account, packet);

    txn_put(engine->txn, TABLE_GRAB, key, size, row, sizeof *row);
}

uint64_t grab_taker(struct txn *txn, uint64_t packet, uint32_t place)
{
    char key[PACKET_PLACE_KEY_SIZE];
    uint64_t account;
    size_t size;
    const void *value;

    packet_place_key(key, packet, place);
    value = txn_get(txn, TABLE_GRAB_PLACE, key, sizeof key, &size);
    if (value == NULL)
        return 0;
    assert(size == sizeof account);
    memcpy(&account, value, size);
    return account;
}

static bool is_recipient(struct engine *engine, const struct packet_row *row, struct text user)
{
    char key[8 + ACCOUNT_ID_MAX];
    size_t size;

    if (row->kind != PACKET_EXCLUSIVE)
        return true;
    bytes_put_u64_be(key, row->number);
    memcpy(key + 8, user.data, user.size);
    return txn_get(engine->txn, TABLE_PACKET_RECIPIENT, key, 8 + user.size, &size) != NULL;
}

/* The first checks of PKT-7. `*has_account`: the user has one already. */
static enum outcome may_take(struct engine *engine, uint64_t number, struct text user,
                             struct packet_row *row, struct account *account, bool *has_account)
{
    if (!packet_find(engine->txn, number, row))
        return OUTCOME_PACKET_NOT_FOUND;
    if (engine->command->now_ms >= row->expires_ms)
        return OUTCOME_PACKET_EXPIRED;
    if (!is_recipient(engine, row, user))
        return OUTCOME_NOT_A_RECIPIENT;
    *has_account = account_find(engine->txn, user, account);
    if (!*has_account)
        return OUTCOME_OK;
    if (account->row.flags & ACCOUNT_PACKETS_BLOCKED)
        return OUTCOME_ACCOUNT_BLOCKED;
    if (memcmp(account->row.currency, row->currency, CURRENCY_SIZE) != 0)
        return OUTCOME_CURRENCY_MISMATCH;
    return OUTCOME_OK;
}

static void answer_grab(struct result *answer, enum grab_outcome outcome,
                        const struct packet_row *row, const struct grab_row *grab,
                        const struct account *account)
{
    answer->of.grab = (struct grab_result){.outcome = (uint16_t)outcome,
                                           .share = grab->share,
                                           .amount = grab->amount,
                                           .balance = account->row.balance,
                                           .grabbed_ms = grab->grabbed_ms,
                                           .expires_ms = row->expires_ms,
                                           .count = row->count,
                                           .kind = row->kind};
    memcpy(answer->of.grab.currency, row->currency, sizeof row->currency);
}

/* The packet's side of a credit. The last one closes it. */
static void count_opened(struct engine *engine, struct packet_row *row, const struct grab_row *grab)
{
    row->opened++;
    row->credited += grab->amount;
    if (grab->amount > row->best_amount ||
        (grab->amount == row->best_amount && grab->share < row->best_share)) {
        row->best_amount = grab->amount;
        row->best_share = grab->share;
    }
    if (row->opened == row->count) {
        packet_forget_due(engine, row);
        packet_close(engine, row);
    }
}

/* Credits a share that is taken: rows in hand change, the caller stores packet and grab. */
static enum outcome open_share(struct engine *engine, struct packet_row *row, struct grab_row *grab,
                               struct account *account)
{
    enum outcome outcome =
        ledger_move(engine, &(struct movement){.type = ENTRY_PACKET_GRAB,
                                               .account = account,
                                               .counter = SYSTEM_PACKETS,
                                               .amount = grab->amount,
                                               .entry = engine_next_number(engine),
                                               .source_type = SOURCE_PACKET,
                                               .source = row->number,
                                               .count = 1});

    if (outcome != OUTCOME_OK) {
        grab->exception = exception_note(engine, grab->exception, EXCEPTION_PACKET_GRAB,
                                         row->number, account->row.number, grab->amount, outcome);
        return outcome;
    }
    grab->is_opened = 1;
    exception_end(engine, grab->exception, EXCEPTION_RESOLVED);
    count_opened(engine, row, grab);
    return OUTCOME_OK;
}

/* The next share of the list is the user's. */
static void take_share(struct engine *engine, struct packet_row *row, uint64_t account,
                       struct grab_row *grab)
{
    char key[PACKET_PLACE_KEY_SIZE];

    *grab = (struct grab_row){.version = GRAB_ROW_VERSION,
                              .share = row->taken,
                              .amount = packet_share(engine->txn, row, row->taken),
                              .grabbed_ms = engine->command->now_ms};
    packet_place_key(key, row->number, grab->share);
    txn_put(engine->txn, TABLE_GRAB_PLACE, key, sizeof key, &account, sizeof account);
    if (++row->taken == row->count) {
        row->emptied_ms = engine->command->now_ms;
        packet_set_status(row, PACKET_STATUS_EMPTY);
    }
}

enum outcome engine_packet_grab(struct engine *engine, const struct packet_grab_command *command,
                                struct result *answer)
{
    enum grab_outcome grab_outcome = GRAB_RESERVED;
    struct packet_row row;
    struct account account;
    struct grab_row grab;
    bool has_account = false;
    enum outcome outcome =
        may_take(engine, command->packet, command->user, &row, &account, &has_account);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (has_account && grab_find(engine->txn, account.row.number, row.number, &grab)) {
        answer_grab(answer, grab.is_opened ? GRAB_ALREADY_GRABBED : GRAB_RESERVED, &row, &grab,
                    &account);
        return OUTCOME_OK;
    }
    if (row.taken == row.count)
        return OUTCOME_PACKET_EMPTY;
    if (!has_account)
        ledger_open_account(engine, &account, command->user, row.currency);
    take_share(engine, &row, account.row.number, &grab);
    if (command->is_open && open_share(engine, &row, &grab, &account) == OUTCOME_OK)
        grab_outcome = GRAB_GRABBED;
    else if (!has_account)
        ledger_store(engine, &account);
    grab_store(engine, account.row.number, row.number, &grab);
    packet_store(engine, &row);
    answer_grab(answer, grab_outcome, &row, &grab, &account);
    answer->of.grab.is_new = 1;
    return OUTCOME_OK;
}

enum outcome engine_packet_open(struct engine *engine, const struct packet_open_command *command,
                                struct result *answer)
{
    enum grab_outcome grab_outcome = GRAB_ALREADY_GRABBED;
    struct packet_row row;
    struct account account;
    struct grab_row grab;
    bool has_account = false;
    enum outcome outcome =
        may_take(engine, command->packet, command->user, &row, &account, &has_account);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (!has_account || !grab_find(engine->txn, account.row.number, row.number, &grab))
        return OUTCOME_NOT_RESERVED;
    if (!grab.is_opened) {
        outcome = open_share(engine, &row, &grab, &account);
        grab_outcome = outcome == OUTCOME_OK ? GRAB_GRABBED : GRAB_RESERVED;
        grab_store(engine, account.row.number, row.number, &grab);
        packet_store(engine, &row);
    }
    answer_grab(answer, grab_outcome, &row, &grab, &account);
    return OUTCOME_OK;
}

void packet_credit_again(struct engine *engine, uint64_t packet, uint64_t user, uint64_t exception)
{
    struct packet_row row;
    struct account account;
    struct grab_row grab;
    bool is_there = packet_find(engine->txn, packet, &row) &&
                    account_find_number(engine->txn, user, &account) &&
                    grab_find(engine->txn, user, packet, &grab);

    assert(is_there && grab.exception == exception && !grab.is_opened);
    if (row.closed_ms != 0 || engine->command->now_ms >= row.expires_ms) {
        exception_end(engine, exception, EXCEPTION_CLOSED); /* the share is the sender's again */
        return;
    }
    open_share(engine, &row, &grab, &account);
    grab_store(engine, user, packet, &grab);
    packet_store(engine, &row);
}
