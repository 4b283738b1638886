/* What follows from a change of the catalogue, by kind. Countries are found by the first digit of
 * their calling code: one row has all of those, a few dozen at the most, so finding a number's
 * country is one look-up and a pass. */
#include "engine/catalog_index.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/handler.h"

enum { CALLING_ROW_MAX = 4096 / sizeof(struct catalog_calling) };

struct calling_row {
    size_t count;
    struct catalog_calling countries[CALLING_ROW_MAX];
};

/* Of a code, which has up to seven digits. */
static unsigned digits_of(uint32_t code)
{
    unsigned count = 1;

    while ((code /= 10) != 0)
        count++;
    return count;
}

static char first_digit(uint32_t code)
{
    while (code >= 10)
        code /= 10;
    return (char)('0' + code);
}

static void calling_read(struct txn *txn, char digit, struct calling_row *row)
{
    size_t size;
    const void *value = txn_get(txn, TABLE_CALLING_CODE, &digit, 1, &size);

    row->count = 0;
    if (value == NULL)
        return;
    assert(size % sizeof *row->countries == 0 && size <= sizeof row->countries);
    memcpy(row->countries, value, size);
    row->count = size / sizeof *row->countries;
}

static void calling_store(struct txn *txn, char digit, const struct calling_row *row)
{
    if (row->count == 0)
        txn_delete(txn, TABLE_CALLING_CODE, &digit, 1);
    else
        txn_put(txn, TABLE_CALLING_CODE, &digit, 1, row->countries,
                row->count * sizeof *row->countries);
}

struct catalog_calling catalog_calling_of(const struct catalog_thing *country)
{
    struct catalog_calling calling = {.code = (uint32_t)catalog_int(country, COUNTRY_CALLING_CODE)};

    assert(country->id.size == sizeof calling.country);
    memcpy(calling.country, country->id.data, sizeof calling.country);
    return calling;
}

static void calling_leave(struct txn *txn, const struct catalog_thing *country)
{
    struct catalog_calling calling = catalog_calling_of(country);
    char digit = first_digit(calling.code);
    struct calling_row row;
    size_t kept = 0;

    calling_read(txn, digit, &row);
    for (size_t i = 0; i < row.count; i++) {
        if (memcmp(row.countries[i].country, calling.country, sizeof calling.country) != 0)
            row.countries[kept++] = row.countries[i];
    }
    row.count = kept;
    calling_store(txn, digit, &row);
}

/* False: the row is full, which no world's countries make it. */
static bool calling_join(struct txn *txn, const struct catalog_thing *country)
{
    struct catalog_calling calling = catalog_calling_of(country);
    char digit = first_digit(calling.code);
    struct calling_row row;

    calling_read(txn, digit, &row);
    if (row.count == CALLING_ROW_MAX)
        return false;
    row.countries[row.count++] = calling;
    calling_store(txn, digit, &row);
    return true;
}

static enum outcome country_change(struct txn *txn, const struct catalog_thing *before,
                                   const struct catalog_thing *after)
{
    if (before != NULL)
        calling_leave(txn, before);
    if (after->status != CATALOG_VOID && !calling_join(txn, after))
        return OUTCOME_CONFLICT;
    return OUTCOME_OK;
}

size_t catalog_countries_calling(struct txn *txn, struct text digits,
                                 struct catalog_calling found[CATALOG_CALLING_MAX])
{
    uint32_t prefixes[8] = {0}; /* the first n digits */
    struct calling_row row;
    size_t count = 0;

    for (size_t n = 1; n < 8 && n <= digits.size; n++)
        prefixes[n] = prefixes[n - 1] * 10 + (uint32_t)(digits.data[n - 1] - '0');
    if (digits.size == 0)
        return 0;
    calling_read(txn, digits.data[0], &row);
    for (size_t i = 0; i < row.count && count < CATALOG_CALLING_MAX; i++) {
        size_t at = count;
        uint32_t code = row.countries[i].code;
        if (prefixes[digits_of(code)] != code)
            continue;
        for (count++; at > 0 && found[at - 1].code < code; at--)
            found[at] = found[at - 1];
        found[at] = row.countries[i];
    }
    return count;
}

/* A product is used only while its channel is. */
static void channel_change(struct engine *engine, const struct catalog_thing *channel)
{
    static const char from[] = {CATALOG_PRODUCT};
    struct txn_walk *walk = txn_walk(engine->txn, TABLE_CATALOG_NUMBER, WALK_UP, from, sizeof from);

    while (txn_walk_next(walk) && *(const char *)walk->key == CATALOG_PRODUCT) {
        struct catalog_thing product;
        if (!catalog_find(engine->txn, CATALOG_PRODUCT,
                          (struct text){walk->value, walk->value_size}, &product))
            assert(!"a number without its thing");
        if (text_equals(catalog_text(&product, PRODUCT_CHANNEL), channel->id))
            product_change(engine, &product);
    }
    txn_walk_end(walk);
}

enum outcome catalog_index_change(struct engine *engine, const struct catalog_thing *before,
                                  const struct catalog_thing *after)
{
    if (after->kind == CATALOG_COUNTRY)
        return country_change(engine->txn, before, after);
    if (after->kind == CATALOG_ROUTE)
        return route_group_change(engine, before, after);
    if (after->kind == CATALOG_PRODUCT)
        product_change(engine, after);
    else if (after->kind == CATALOG_CHANNEL && before != NULL)
        channel_change(engine, after);
    return OUTCOME_OK;
}
