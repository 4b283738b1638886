/* See workload.h. The rows are few, so that they are changed again and again, and their number per
 * batch differs from one to hundreds, so that batches take one block or many. */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 48, CHANGES_MAX = 60, VALUE_MAX = 1024 };

static const enum table written_tables[] = {TABLE_ACCOUNT, TABLE_ACCOUNT_NUMBER, TABLE_IDEMPOTENCY,
                                            TABLE_ENTRY};
enum { TABLES = sizeof written_tables / sizeof *written_tables };

struct change {
    int table, key;
    bool is_delete;
    size_t value_size;
};

struct store_options workload_options(const char *directory)
{
    return (struct store_options){
        .data_dir = directory,
        .overlay_bytes_max = 1 << 20,
        .journal_bytes_max = 6 * (96 << 10),
        .journal_segment_bytes = 96 << 10,
        .checkpoint_pages_max = 4,
        .checkpoint_interval_ms = 3600 * 1000,
        .map_bytes_max = 64 << 20,
    };
}

static uint64_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 33;
    value *= UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ value >> 33;
}

static int change_count(uint64_t batch)
{
    uint64_t kind = mix(batch) % 10;
    return kind < 6 ? 1 + (int)(mix(batch + 1) % 5) : kind < 9 ? 20 : CHANGES_MAX;
}

static struct change change_of(uint64_t batch, int i)
{
    uint64_t random = mix(batch * 1000 + (uint64_t)i);
    struct change change = {.table = (int)(random % TABLES),
                            .key = (int)((random >> 8) % KEYS),
                            .is_delete = (random >> 20) % 4 == 0};
    size_t largest = table_infos[written_tables[change.table]].value_bytes_max;
    change.value_size = (random >> 30) % (largest + 1);
    return change;
}

static void value_of(uint64_t batch, const struct change *change, unsigned char *value)
{
    for (size_t i = 0; i < change->value_size; i++)
        value[i] = (unsigned char)(mix(batch * 77 + i / 8) >> i % 8 * 8);
}

static size_t key_of(int key, char text[32])
{
    return (size_t)snprintf(text, 32, "key-%04d", key);
}

void workload_write(struct store *store, uint64_t batch)
{
    unsigned char value[VALUE_MAX];
    char key[32];
    struct txn *txn = store_begin(store);
    for (int i = 0; i < change_count(batch); i++) {
        struct change change = change_of(batch, i);
        size_t key_size = key_of(change.key, key);
        value_of(batch, &change, value);
        if (change.is_delete)
            txn_delete(txn, written_tables[change.table], key, key_size);
        else
            txn_put(txn, written_tables[change.table], key, key_size, value, change.value_size);
        if (i % 7 == 6) {
            store_commit(txn);
            txn = store_begin(store);
        }
    }
    txn_put(txn, TABLE_META, "batch", 5, &batch, sizeof batch);
    store_commit(txn);
}

static bool check_row(struct txn *txn, int table, int number, uint64_t batch,
                      const struct change *change)
{
    unsigned char expected[VALUE_MAX];
    char key[32];
    size_t size = 0;
    const void *value = txn_get(txn, written_tables[table], key, key_of(number, key), &size);
    bool exists = batch != 0 && !change->is_delete;
    if (exists)
        value_of(batch, change, expected);
    if ((value != NULL) != exists ||
        (exists && (size != change->value_size || memcmp(value, expected, size) != 0))) {
        fprintf(stderr, "table %d, key %d: %s, should be %s of batch %llu\n",
                (int)written_tables[table], number, value == NULL ? "absent" : "another value",
                exists ? "that" : "absent", (unsigned long long)batch);
        return false;
    }
    return true;
}

static bool check_walk(struct txn *txn, int rows)
{
    struct txn_walk *walk = txn_walk(txn, TABLE_ACCOUNT_NUMBER, WALK_UP, NULL, 0);
    while (txn_walk_next(walk))
        rows--;
    txn_walk_end(walk);
    if (rows != 0)
        fprintf(stderr, "a walk meets %d rows too few\n", rows);
    return rows == 0;
}

bool workload_check(struct store *store, uint64_t batches)
{
    static struct change last[TABLES][KEYS];
    static uint64_t changed_by[TABLES][KEYS];
    bool is_right = true;
    uint64_t found = 0;
    size_t size = 0;
    int ordered_rows = 0;

    memset(changed_by, 0, sizeof changed_by);
    for (uint64_t batch = 1; batch <= batches; batch++)
        for (int i = 0; i < change_count(batch); i++) {
            struct change change = change_of(batch, i);
            last[change.table][change.key] = change;
            changed_by[change.table][change.key] = batch;
        }
    struct txn *txn = store_begin(store);
    const void *value = txn_get(txn, TABLE_META, "batch", 5, &size);
    if (value != NULL)
        memcpy(&found, value, sizeof found);
    if (found != batches) {
        fprintf(stderr, "the last batch is %llu, should be %llu\n", (unsigned long long)found,
                (unsigned long long)batches);
        is_right = false;
    }
    for (int table = 0; table < TABLES; table++)
        for (int key = 0; key < KEYS; key++) {
            is_right &= check_row(txn, table, key, changed_by[table][key], &last[table][key]);
            ordered_rows +=
                table == 1 && changed_by[table][key] != 0 && !last[table][key].is_delete;
        }
    is_right &= check_walk(txn, ordered_rows);
    store_commit(txn);
    return is_right;
}
