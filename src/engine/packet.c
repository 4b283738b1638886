/* Rows of packets. What a grab touches is one small row (struct packet_row), apart from seed, texts
 * and the list of shares, which lies in pieces of up to 1,024 shares: a send of 10,000 shares is
 * ten rows, and a grab reads one number of one of them. */
#include "engine/packet.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/due.h"
#include "engine/handler.h"

static const void *get(struct txn *txn, enum table table, uint64_t number, size_t *size)
{
    char key[8];

    bytes_put_u64_be(key, number);
    return txn_get(txn, table, key, sizeof key, size);
}

bool packet_find(struct txn *txn, uint64_t number, struct packet_row *row)
{
    size_t size;
    const void *value = get(txn, TABLE_PACKET, number, &size);

    if (value == NULL)
        return false;
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == PACKET_ROW_VERSION && row->number == number);
    return true;
}

void packet_store(struct engine *engine, const struct packet_row *row)
{
    char key[8];

    assert(row->opened <= row->taken && row->taken <= row->count);
    assert(packet_contents(row) >= 0);
    bytes_put_u64_be(key, row->number);
    txn_put(engine->txn, TABLE_PACKET, key, sizeof key, row, sizeof *row);
}

void packet_terms_find(struct txn *txn, uint64_t number, struct packet_terms *terms)
{
    size_t size;
    const char *value = get(txn, TABLE_PACKET_TERMS, number, &size);

    assert(value != NULL && size >= sizeof terms->row);
    memcpy(&terms->row, value, sizeof terms->row);
    assert(terms->row.version == PACKET_TERMS_ROW_VERSION);
    assert(size == sizeof terms->row + terms->row.group_size + terms->row.greeting_size);
    memcpy(terms->group, value + sizeof terms->row, terms->row.group_size);
    memcpy(terms->greeting, value + sizeof terms->row + terms->row.group_size,
           terms->row.greeting_size);
}

int64_t packet_contents(const struct packet_row *row)
{
    return row->amount - row->credited - row->refunded;
}

enum packet_status packet_status_at(const struct packet_row *row, int64_t now_ms)
{
    return row->closed_ms == 0 && now_ms >= row->expires_ms ? PACKET_STATUS_EXPIRED
                                                            : (enum packet_status)row->status;
}

/* The only ways from one status to another. */
static const struct {
    enum packet_status from, to;
} transitions[] = {
    {PACKET_STATUS_OPEN, PACKET_STATUS_EMPTY},
    {PACKET_STATUS_OPEN, PACKET_STATUS_EXPIRED},
    {PACKET_STATUS_EMPTY, PACKET_STATUS_EXPIRED}, /* with shares that were never opened */
    {PACKET_STATUS_EXPIRED, PACKET_STATUS_REFUNDED},
};

void packet_set_status(struct packet_row *row, enum packet_status status)
{
    bool is_allowed = false;

    for (size_t i = 0; i < sizeof transitions / sizeof *transitions; i++)
        is_allowed =
            is_allowed || (transitions[i].from == row->status && transitions[i].to == status);
    assert(is_allowed);
    row->status = (uint8_t)status;
}

void packet_commitment(const struct packet_row *row, const struct packet_terms *terms,
                       uint8_t commitment[SHA256_SIZE])
{
    struct split split = {(enum split_rule)row->split, row->amount, row->count};

    split_commitment(&split, terms->row.seed, commitment);
}

/* --- shares --------------------------------------------------------------------------------------
 */

void packet_place_key(char key[PACKET_PLACE_KEY_SIZE], uint64_t packet, uint32_t place)
{
    uint32_t swapped = __builtin_bswap32(place);

    bytes_put_u64_be(key, packet);
    memcpy(key + 8, &swapped, sizeof swapped);
}

uint32_t packet_share(struct txn *txn, const struct packet_row *row, uint32_t place)
{
    char key[PACKET_PLACE_KEY_SIZE];
    uint32_t share;
    size_t size, at = place % PACKET_SHARES_PER_PIECE * sizeof share;
    const char *value;

    assert(place < row->count);
    packet_place_key(key, row->number, place / PACKET_SHARES_PER_PIECE);
    value = txn_get(txn, TABLE_PACKET_SHARES, key, sizeof key, &size);
    assert(value != NULL && at + sizeof share <= size);
    memcpy(&share, value + at, sizeof share);
    return share;
}

/* --- lists ---------------------------------------------------------------------------------------
 */

size_t packet_list_key(char key[PACKET_LIST_KEY_MAX], uint64_t by, uint64_t packet)
{
    bytes_put_u64_be(key, by);
    bytes_put_u64_be(key + 8, packet);
    return 16;
}

/* The size goes first, so that no group's keys lie among another's. */
size_t packet_group_key(char key[PACKET_LIST_KEY_MAX], struct text group, uint64_t packet)
{
    assert(group.size > 0 && group.size <= PACKET_GROUP_MAX);
    key[0] = (char)group.size;
    memcpy(key + 1, group.data, group.size);
    bytes_put_u64_be(key + 1 + group.size, packet);
    return 1 + group.size + 8;
}

/* --- what every handler does ---------------------------------------------------------------------
 */

uint32_t packet_sender_open(struct engine *engine, uint64_t account)
{
    struct packet_sender_row row;
    size_t size;
    const void *value = get(engine->txn, TABLE_PACKET_SENDER, account, &size);

    if (value == NULL)
        return 0;
    assert(size == sizeof row);
    memcpy(&row, value, sizeof row);
    assert(row.version == PACKET_SENDER_ROW_VERSION);
    return row.open;
}

void packet_sender_add(struct engine *engine, uint64_t account, int change)
{
    struct packet_sender_row row = {.version = PACKET_SENDER_ROW_VERSION};
    char key[8];

    row.open = packet_sender_open(engine, account);
    assert(change > 0 || row.open > 0);
    row.open += (uint32_t)change;
    bytes_put_u64_be(key, account);
    txn_put(engine->txn, TABLE_PACKET_SENDER, key, sizeof key, &row, sizeof row);
}

void packet_forget_due(struct engine *engine, struct packet_row *row)
{
    char key[PACKET_LIST_KEY_MAX];
    size_t size = packet_list_key(key, (uint64_t)row->expires_ms, row->number);
    bool was_there = txn_delete(engine->txn, TABLE_PACKET_UNFINISHED, key, size);

    assert(was_there && row->due_ms != 0);
    due_delete(engine, row->due_ms, DUE_PACKET_EXPIRY, row->number);
    row->due_ms = 0;
}

void packet_close(struct engine *engine, struct packet_row *row)
{
    assert(row->closed_ms == 0);
    row->closed_ms = engine->command->now_ms;
    packet_sender_add(engine, row->sender, -1);
}

bool packet_is_forgotten(struct txn *txn, uint64_t number, int64_t now_ms)
{
    struct packet_row row;

    return packet_find(txn, number, &row) && row.due_ms != 0 && row.due_ms <= now_ms &&
           !due_is_there(txn, row.due_ms, DUE_PACKET_EXPIRY, number);
}
