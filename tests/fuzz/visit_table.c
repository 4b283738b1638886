/* Operations as the bytes say, over the table of visits beside a plain list: every answer is the
 * list's, and in the end the walk meets each visit once. Three bytes are an operation: what, and
 * two of the mobile, which may also be far from its neighbours. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine/visit_table.h"

enum { MOBILES = 1 << 16, OPERATION_BYTES = 3 };

static const struct hash_key secret = {1, 2};
static uint8_t there[MOBILES]; /* 0: no; otherwise its value + 1 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t mobile_of(uint32_t i)
{
    return (i & 1) != 0 ? VISIT_MOBILE_MAX - ((uint64_t)i << 33) / 2 : (uint64_t)i << (i >> 12);
}

static void put(struct visit_table *table, uint32_t i, uint8_t value)
{
    bool is_new = visit_table_put(table, mobile_of(i), value);
    assert(is_new == (there[i] == 0));
    there[i] = (uint8_t)(value + 1);
}

static void take(struct visit_table *table, uint32_t i)
{
    bool was_there = visit_table_delete(table, mobile_of(i));
    assert(was_there == (there[i] != 0));
    there[i] = 0;
}

static void look(const struct visit_table *table, uint32_t i)
{
    uint32_t value = 0;
    bool is_there = visit_table_find(table, mobile_of(i), &value);
    assert(is_there == (there[i] != 0) && (!is_there || value == there[i] - 1U));
}

/* One byte may stand for many in a row: growth needs many. */
static void operate(struct visit_table *table, uint8_t what, uint32_t i)
{
    uint32_t count = 1U << (what >> 2 & 15) >> 4;

    for (uint32_t end = i + (count == 0 ? 1 : count); i < end; i++) {
        uint32_t at = i % MOBILES;
        if ((what & 3) < 2)
            put(table, at, what & 127);
        else if ((what & 3) == 2)
            take(table, at);
        else
            look(table, at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct visit_table table;
    struct visit_walk walk = {0};
    uint64_t count = 0;

    memset(there, 0, sizeof there);
    visit_table_init(&table, &secret);
    for (; size >= OPERATION_BYTES; data += OPERATION_BYTES, size -= OPERATION_BYTES)
        operate(&table, data[0], (uint32_t)data[1] << 8 | data[2]);
    for (uint32_t i = 0; i < MOBILES; i++)
        look(&table, i);
    while (visit_walk_next(&table, &walk))
        count++;
    assert(count == table.count);
    visit_table_release(&table);
    return 0;
}
