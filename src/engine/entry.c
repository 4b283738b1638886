/* Appending is two rows and one step of the hash chain; every ENTRIES_PER_MARK-th has a third, its
 * mark. */
#include "engine/entry.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/chain.h"
#include "engine/handler.h"
#include "engine/ledger.h"

#define META_CHAIN "entry_chain"

enum { ENTRY_ROW_VERSION = 1, ENTRIES_PER_MARK = 64, MARK_KEY_SIZE = 16 };

static_assert(sizeof(struct chain) == ENTRY_CHAIN_SIZE, "the head is the whole state");

static void chain_load(struct txn *txn, struct chain *chain)
{
    size_t size;
    const void *value = txn_get(txn, TABLE_META, META_CHAIN, strlen(META_CHAIN), &size);

    if (value == NULL) {
        chain_init(chain);
        return;
    }
    assert(size == sizeof *chain);
    memcpy(chain, value, size);
}

void entry_chain_head(struct txn *txn, uint8_t head[ENTRY_CHAIN_SIZE])
{
    struct chain chain;

    chain_load(txn, &chain);
    memcpy(head, &chain, sizeof chain);
}

static void mark(struct engine *engine, uint64_t account, uint64_t entry)
{
    char key[MARK_KEY_SIZE];

    bytes_put_u64_be(key, account);
    bytes_put_u64_be(key + 8, entry);
    txn_put(engine->txn, TABLE_ENTRY_MARK, key, sizeof key, "", 0);
}

void entry_append(struct engine *engine, struct account *account, uint64_t number,
                  struct entry_row *row, struct text reference)
{
    struct {
        struct entry_row row;
        char reference[REFERENCE_MAX];
    } value;
    struct chain chain;
    char key[8];

    assert(reference.size <= REFERENCE_MAX && number > account->row.entry_last);
    row->version = ENTRY_ROW_VERSION;
    row->account = account->row.number;
    row->previous = account->row.entry_last;
    row->reference_size = (uint8_t)reference.size;
    chain_load(engine->txn, &chain);
    row->chain = chain_step(&chain, number, row, reference.data);
    txn_put(engine->txn, TABLE_META, META_CHAIN, strlen(META_CHAIN), &chain, sizeof chain);
    value.row = *row;
    if (reference.size > 0)
        memcpy(value.reference, reference.data, reference.size);
    bytes_put_u64_be(key, number);
    txn_put(engine->txn, TABLE_ENTRY, key, sizeof key, &value, sizeof value.row + reference.size);
    account->row.entry_last = number;
    if (++account->row.entry_count % ENTRIES_PER_MARK == 0)
        mark(engine, account->row.number, number);
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

/* The first mark at or behind `end`, or the account's last entry: at most ENTRIES_PER_MARK steps
 * too far. */
static uint64_t mark_behind(struct txn *txn, const struct account *account, uint64_t end)
{
    uint64_t number = account->row.entry_last;
    char from[MARK_KEY_SIZE];
    struct txn_walk *walk;

    if (account->row.entry_count < ENTRIES_PER_MARK)
        return number;
    bytes_put_u64_be(from, account->row.number);
    bytes_put_u64_be(from + 8, end);
    walk = txn_walk(txn, TABLE_ENTRY_MARK, WALK_UP, from, sizeof from);
    if (txn_walk_next(walk) && memcmp(walk->key, from, 8) == 0)
        number = bytes_get_u64_be((const char *)walk->key + 8);
    txn_walk_end(walk);
    return number;
}

bool entry_find_before(struct txn *txn, const struct account *account, uint64_t end,
                       struct entry *entry)
{
    uint64_t number = mark_behind(txn, account, end);

    for (int steps = 0; number != 0; steps++) {
        bool is_there = entry_find(txn, number, entry);
        assert(is_there && steps <= 2 * ENTRIES_PER_MARK);
        if (number < end)
            return true;
        number = entry->row.previous;
    }
    return false;
}
