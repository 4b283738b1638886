/* Every row that is there or goes is counted once, by the same function for one change and for all
 * rows. A packet that is touched is then looked at as a whole: its shares, who has them, its money,
 * what it waits for, its places in lists. */
#include "invariant.h"

#include <string.h>

#include "base/bytes.h"
#include "engine/due.h"
#include "engine/exception.h"
#include "engine/packet.h"
#include "wrong.h"

enum { SENDERS_MAX = 32 };

static bool is_waiting(const struct packet_row *row)
{
    return row->due_ms != 0;
}

static int currency_of(struct invariant_sums *sums, const char currency[3])
{
    int i = 0;

    while (sums->of[i].currency[0] != '\0' && memcmp(sums->of[i].currency, currency, 3) != 0)
        must(++i < INVARIANT_CURRENCIES);
    memcpy(sums->of[i].currency, currency, 3);
    return i;
}

static void count_account(struct invariant_sums *sums, int sign, const char *id, const void *value)
{
    struct account_row row;
    int i;

    memcpy(&row, value, sizeof row);
    i = currency_of(sums, row.currency);
    /* @world may be anywhere: the sum is only right as a whole. */
    sums->of[i].money =
        (int64_t)((uint64_t)sums->of[i].money + (uint64_t)(sign < 0 ? -row.balance : row.balance));
    if (memcmp(id, "@p", 2) == 0)
        sums->of[i].packets += sign * row.balance;
}

static void count_packet(struct invariant_sums *sums, int sign, const void *value)
{
    struct packet_row row;

    memcpy(&row, value, sizeof row);
    sums->packets += sign;
    sums->waiting += is_waiting(&row) ? sign : 0;
    sums->taken += sign * (int64_t)row.taken;
    sums->of[currency_of(sums, row.currency)].contained +=
        sign * (row.amount - row.credited - row.refunded);
}

/* `sign` -1: it is no longer there, or is counted anew. */
static void count(struct invariant_sums *sums, int sign, enum table table, const void *key,
                  const void *value)
{
    const char *bytes = key;
    struct packet_terms_row terms;

    switch (table) {
    case TABLE_ACCOUNT:
        count_account(sums, sign, key, value);
        break;
    case TABLE_PACKET:
        count_packet(sums, sign, value);
        break;
    case TABLE_PACKET_TERMS:
        memcpy(&terms, value, sizeof terms);
        sums->grouped += terms.group_size > 0 ? sign : 0;
        break;
    case TABLE_PACKET_SENT:
        sums->sent_rows += sign;
        break;
    case TABLE_PACKET_GROUP:
        sums->group_rows += sign;
        break;
    case TABLE_PACKET_UNFINISHED:
        sums->unfinished_rows += sign;
        break;
    case TABLE_DUE:
        sums->due_rows += bytes[8] == DUE_PACKET_EXPIRY ? sign : 0;
        break;
    case TABLE_GRAB:
        sums->grab_rows += sign;
        break;
    case TABLE_GRAB_PLACE:
        sums->place_rows += sign;
        break;
    default:
        break;
    }
}

static void check_sums(const struct invariant_sums *sums)
{
    for (int i = 0; i < INVARIANT_CURRENCIES; i++) {
        if (sums->of[i].money != 0)
            wrong("the balances in %s sum to %lld", sums->of[i].currency,
                  (long long)sums->of[i].money);
        if (sums->of[i].packets != sums->of[i].contained)
            wrong("@packets has %lld in %s, packets contain %lld", (long long)sums->of[i].packets,
                  sums->of[i].currency, (long long)sums->of[i].contained);
    }
    must(sums->sent_rows == sums->packets && sums->group_rows == sums->grouped);
    if (sums->unfinished_rows != sums->waiting || sums->due_rows != sums->waiting)
        wrong("%lld packets wait, %lld are listed as unfinished, %lld are due",
              (long long)sums->waiting, (long long)sums->unfinished_rows,
              (long long)sums->due_rows);
    must(sums->grab_rows == sums->taken && sums->place_rows == sums->taken);
}

/* --- one packet ----------------------------------------------------------------------------------
 */

/* PKT-3: all together the amount, none below 1. */
static void check_shares(struct txn *txn, const struct packet_row *row)
{
    int64_t sum = 0;
    uint32_t count = 0;

    for (uint32_t piece = 0; count < row->count; piece++) {
        char key[PACKET_PLACE_KEY_SIZE];
        uint32_t share;
        size_t size;
        const char *value;
        packet_place_key(key, row->number, piece);
        value = txn_get(txn, TABLE_PACKET_SHARES, key, sizeof key, &size);
        must(value != NULL && size % sizeof share == 0 && size > 0);
        for (size_t at = 0; at < size; at += sizeof share) {
            memcpy(&share, value + at, sizeof share);
            must(share >= 1);
            sum += share;
            count++;
        }
    }
    must(count == row->count && sum == row->amount);
}

/* PKT-5, PKT-9: each place that is taken has one user, each of these users that one place; what was
 * credited is what they opened. */
static void check_grabs(struct txn *txn, const struct packet_row *row)
{
    struct grab_row best = {.amount = 0};
    int64_t credited = 0;
    uint32_t opened = 0;

    for (uint32_t place = 0; place < row->taken; place++) {
        uint64_t account = grab_taker(txn, row->number, place);
        struct grab_row grab;
        must(account != 0 && grab_find(txn, account, row->number, &grab));
        must(grab.share == place && grab.amount == packet_share(txn, row, place));
        if (!grab.is_opened)
            continue;
        opened++;
        credited += grab.amount;
        if (grab.amount > best.amount)
            best = grab;
    }
    must(row->taken == row->count || grab_taker(txn, row->number, row->taken) == 0);
    must(row->opened == opened && row->credited == credited);
    must(row->best_amount == best.amount && (opened == 0 || row->best_share == best.share));
}

/* What a status means, and what is still to come: nothing, or exactly one thing. */
static void check_status(struct txn *txn, const struct packet_row *row)
{
    bool is_all_opened = row->opened == row->count;
    int64_t contents = row->amount - row->credited - row->refunded;
    struct exception_row exception = {.status = 0};

    must(contents >= 0 && row->opened <= row->taken && row->taken <= row->count);
    must((row->emptied_ms != 0) == (row->taken == row->count));
    must((row->closed_ms != 0) == (is_all_opened || row->status == PACKET_STATUS_EXPIRED ||
                                   row->status == PACKET_STATUS_REFUNDED));
    must(row->exception == 0 || exception_find(txn, row->exception, &exception));
    switch ((enum packet_status)row->status) {
    case PACKET_STATUS_OPEN:
        must(row->taken < row->count && row->refunded == 0 && row->due_ms == row->expires_ms);
        break;
    case PACKET_STATUS_EMPTY:
        must(row->taken == row->count && row->refunded == 0);
        must(is_all_opened ? contents == 0 && row->due_ms == 0 : row->due_ms == row->expires_ms);
        break;
    case PACKET_STATUS_EXPIRED: /* tried again until it is done or given up */
        must(contents > 0 && row->refunded == 0 && exception.subject == row->number);
        must(exception.status == (row->due_ms != 0 ? EXCEPTION_OPEN : EXCEPTION_CLOSED));
        break;
    case PACKET_STATUS_REFUNDED:
        must(contents == 0 && row->refunded > 0 && row->due_ms == 0);
        must(row->exception == 0 || exception.status == EXCEPTION_RESOLVED);
        break;
    default:
        wrong("a packet has status %d", row->status);
    }
}

static bool is_listed(struct txn *txn, enum table table, const char *key, size_t key_size)
{
    size_t size;

    return txn_get(txn, table, key, key_size, &size) != NULL;
}

static void check_lists(struct txn *txn, const struct packet_row *row)
{
    char key[PACKET_LIST_KEY_MAX];
    struct packet_terms terms;
    size_t size = packet_list_key(key, row->sender, row->number);

    must(is_listed(txn, TABLE_PACKET_SENT, key, size));
    size = packet_list_key(key, (uint64_t)row->expires_ms, row->number);
    must(is_listed(txn, TABLE_PACKET_UNFINISHED, key, size) == is_waiting(row));
    if (is_waiting(row))
        must(due_is_there(txn, row->due_ms, DUE_PACKET_EXPIRY, row->number));
    packet_terms_find(txn, row->number, &terms);
    if (terms.row.group_size == 0)
        return;
    size = packet_group_key(key, (struct text){terms.group, terms.row.group_size}, row->number);
    must(is_listed(txn, TABLE_PACKET_GROUP, key, size));
}

static void check_packet(struct txn *txn, uint64_t number, bool with_shares)
{
    struct packet_row row;

    must(packet_find(txn, number, &row));
    if (with_shares)
        check_shares(txn, &row);
    check_grabs(txn, &row);
    check_status(txn, &row);
    check_lists(txn, &row);
}

/* --- from one command to the next ----------------------------------------------------------------
 */

/* A command may be two steps: expiry and refund are one. */
static bool may_become(int from, int to)
{
    switch (from) {
    case PACKET_STATUS_OPEN:
        return to != PACKET_STATUS_OPEN;
    case PACKET_STATUS_EMPTY:
        return to == PACKET_STATUS_EXPIRED || to == PACKET_STATUS_REFUNDED;
    case PACKET_STATUS_EXPIRED:
        return to == PACKET_STATUS_REFUNDED;
    default:
        return false;
    }
}

static void check_change(const void *before, const void *after)
{
    struct packet_row old, new;

    memcpy(&old, before, sizeof old);
    memcpy(&new, after, sizeof new);
    if (old.status != new.status && !may_become(old.status, new.status))
        wrong("a packet went from status %d to %d", old.status, new.status);
    must(old.kind == new.kind &&old.split == new.split &&old.sender == new.sender);
    must(old.amount == new.amount &&old.count == new.count &&old.expires_ms == new.expires_ms);
    must(memcmp(old.currency, new.currency, 3) == 0);
    must(new.taken >= old.taken &&new.opened >= old.opened);
    must(new.credited >= old.credited &&new.refunded >= old.refunded);
    must(old.refunded == 0 || old.refunded == new.refunded); /* PKT-10: once */
    must(old.closed_ms == 0 ||
         (old.closed_ms == new.closed_ms &&old.taken == new.taken &&old.opened == new.opened));
}

/* The packet that a row is of; 0: none. */
static uint64_t packet_of(const struct change *change)
{
    const char *key = (const char *)change->key;

    switch (change->table) {
    case TABLE_PACKET:
    case TABLE_PACKET_TERMS:
    case TABLE_PACKET_SHARES:
    case TABLE_GRAB_PLACE:
        return bytes_get_u64_be(key);
    case TABLE_PACKET_SENT:
    case TABLE_PACKET_GROUP:
    case TABLE_PACKET_UNFINISHED:
    case TABLE_GRAB:
        return bytes_get_u64_be(key + change->key_size - 8);
    case TABLE_DUE:
        return key[8] == DUE_PACKET_EXPIRY ? bytes_get_u64_be(key + 9) : 0;
    default:
        return 0;
    }
}

void invariant_step(struct invariant_sums *sums, struct world *world)
{
    uint64_t checked = 0;

    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        const void *before = world->changes.values.data + change->value_at;
        uint64_t packet = packet_of(change);
        size_t size;
        const void *after =
            txn_get(world->txn, change->table, change->key, change->key_size, &size);
        if (change->was_there)
            count(sums, -1, change->table, change->key, before);
        if (after != NULL)
            count(sums, 1, change->table, change->key, after);
        if (change->table == TABLE_PACKET && change->was_there) {
            must(after != NULL);
            check_change(before, after);
        }
        if (packet != 0 && packet != checked)
            check_packet(world->txn, packet, change->table == TABLE_PACKET && !change->was_there);
        checked = packet != 0 ? packet : checked;
    }
    check_sums(sums);
}

/* --- all of it -----------------------------------------------------------------------------------
 */

struct whole {
    struct world *world;
    struct invariant_sums sums;
    uint64_t senders[SENDERS_MAX];
    uint32_t open[SENDERS_MAX], said[SENDERS_MAX];
};

static int sender_of(struct whole *whole, uint64_t account)
{
    int i = 0;

    while (whole->senders[i] != 0 && whole->senders[i] != account)
        must(++i < SENDERS_MAX);
    whole->senders[i] = account;
    return i;
}

static void on_row(void *context, enum table table, const void *key, size_t key_size,
                   const void *value, size_t value_size)
{
    struct whole *whole = context;
    struct packet_sender_row sender;
    struct packet_row row;

    (void)key_size, (void)value_size;
    count(&whole->sums, 1, table, key, value);
    if (table == TABLE_PACKET) {
        memcpy(&row, value, sizeof row);
        check_packet(whole->world->txn, row.number, true);
        whole->open[sender_of(whole, row.sender)] += row.closed_ms == 0;
    } else if (table == TABLE_PACKET_SENDER) {
        memcpy(&sender, value, sizeof sender);
        whole->said[sender_of(whole, bytes_get_u64_be(key))] = sender.open;
    }
}

void invariant_all(const struct invariant_sums *sums, struct world *world)
{
    static struct whole whole;

    whole = (struct whole){.world = world};
    world_rows(world, on_row, &whole);
    check_sums(&whole.sums);
    must(whole.sums.packets == sums->packets && whole.sums.waiting == sums->waiting);
    must(whole.sums.taken == sums->taken && whole.sums.grouped == sums->grouped);
    must(memcmp(whole.open, whole.said, sizeof whole.open) == 0);
}
