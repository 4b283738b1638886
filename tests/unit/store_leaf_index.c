/* Look-ups through the index of LMDB's leaf pages: in builds for tests each is held against LMDB's
 * own, so that what is to be done here is to look up much, in tables of every shape. */
#include "store_fixture.h"

#include "base/bytes.h"

enum { ROWS = 12000, LOOK_UPS = 30000, ROUNDS = 4 };

static uint64_t state_of_draw = 88172645463325252U;

static uint64_t draw(uint64_t below)
{
    state_of_draw ^= state_of_draw << 13;
    state_of_draw ^= state_of_draw >> 7;
    state_of_draw ^= state_of_draw << 17;
    return (state_of_draw >> 11) % below;
}

/* Keys of one kind; all differ. */
static size_t key_of(int kind, uint64_t number, char key[KEY_BYTES_MAX])
{
    uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15);
    switch (kind) {
    case 0: /* ascending numbers */
        bytes_put_u64_be(key, number);
        return 8;
    case 1: /* as if hashed */
        memcpy(key, &mixed, 8);
        memcpy(key + 8, &number, 8);
        return 16;
    case 2: /* texts of one length */
        return (size_t)snprintf(key, KEY_BYTES_MAX, "user-%010llu", (unsigned long long)number);
    case 3: /* texts of many lengths, one the beginning of another */
        return (size_t)snprintf(key, KEY_BYTES_MAX, "%llu", (unsigned long long)number);
    default: /* long runs that differ only far behind the eighth byte */
        return (size_t)snprintf(key, KEY_BYTES_MAX, "%c-the-same-for-all-of-them-%llu",
                                'a' + (int)(number % 3), (unsigned long long)number);
    }
}

static const enum table tables[] = {TABLE_ENTRY, TABLE_IDEMPOTENCY, TABLE_ACCOUNT, TABLE_API_KEY,
                                    TABLE_ACCOUNT_NUMBER};

static void put_rows(struct fixture *fixture, int kind, uint64_t from, uint64_t to, uint64_t step)
{
    char key[KEY_BYTES_MAX], value[64];
    for (uint64_t i = from; i < to; i += step) {
        memset(value, (int)i, sizeof value);
        memcpy(value, &i, sizeof i);
        struct txn *txn = store_begin(fixture->store);
        txn_put(txn, tables[kind], key, key_of(kind, i, key), value, 8 + draw(sizeof value - 8));
        store_commit(txn);
        if (i % 500 == 0)
            store_flush(fixture->store);
    }
}

static void look_up(struct fixture *fixture, int kind, uint64_t rows)
{
    char key[KEY_BYTES_MAX];
    struct txn *txn = store_begin(fixture->store);
    for (int i = 0; i < LOOK_UPS / ROUNDS; i++) {
        uint64_t number = draw(rows * 5 / 4);
        size_t value_size;
        const void *value = txn_get(txn, tables[kind], key, key_of(kind, number, key), &value_size);
        assert_int_equal(value != NULL, number < rows);
        if (value != NULL)
            assert_memory_equal(value, &number, sizeof number);
        /* Nearly a key: */
        size_t size = key_of(kind, number, key);
        key[draw(size)] ^= (char)(1 << draw(7));
        txn_get(txn, tables[kind], key, 1 + draw(size), &value_size);
    }
    store_commit(txn);
}

static void look_ups_find_what_lmdb_finds(void **state)
{
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture);
    fixture.options.overlay_bytes_max = (size_t)64 << 20;
    fixture.options.journal_segment_bytes = (size_t)4 << 20;
    fixture.options.journal_bytes_max = (size_t)64 << 20;
    fixture_open(&fixture);
    for (int round = 1; round <= ROUNDS; round++) {
        for (int kind = 0; kind < 5; kind++)
            put_rows(&fixture, kind, 0, (uint64_t)ROWS * (uint64_t)round / ROUNDS,
                     round == 1 ? 1 : 3);
        for (int kind = 0; kind < 5; kind++)
            put_rows(&fixture, kind, (uint64_t)ROWS * (uint64_t)(round - 1) / ROUNDS,
                     (uint64_t)ROWS * (uint64_t)round / ROUNDS, 1);
        fixture_checkpoint(&fixture);
        for (int kind = 0; kind < 5; kind++)
            look_up(&fixture, kind, (uint64_t)ROWS * (uint64_t)round / ROUNDS);
        /* The tables that were asked for get an index with the next checkpoint. */
        fixture_put(&fixture, TABLE_META, "round", "1", 1);
        fixture_checkpoint(&fixture);
        for (int kind = 0; kind < 5; kind++)
            look_up(&fixture, kind, (uint64_t)ROWS * (uint64_t)round / ROUNDS);
    }
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(look_ups_find_what_lmdb_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
