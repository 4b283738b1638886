/* A product's row: what its thing in the catalogue says that routing looks at, and its quota
 * (SMS-3). A row of history is written for each change by an operator and for the message with
 * which the quota falls below a threshold; not for each message. What was warned of is warned of
 * again only after an operator has lifted it: parts that come back from failed messages would
 * otherwise make it cross again and again. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/catalog.h"
#include "engine/catalog_index.h"
#include "engine/handler.h"
#include "engine/route.h"
#include "engine/webhook.h"

enum { PRODUCT_ROW_VERSION = 1, QUOTA_ROW_VERSION = 1 };

bool product_find(struct txn *txn, uint64_t number, struct product_row *row)
{
    char key[8];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_PRODUCT, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == PRODUCT_ROW_VERSION);
    return true;
}

void product_store(struct engine *engine, const struct product_row *row)
{
    char key[8];

    bytes_put_u64_be(key, row->number);
    txn_put(engine->txn, TABLE_PRODUCT, key, sizeof key, row, sizeof *row);
}

/* --- from the catalogue --------------------------------------------------------------------------
 */

unsigned country_bit(struct text country)
{
    assert(catalog_id_is_valid(CATALOG_COUNTRY, country));
    return (unsigned)(26 * (country.data[0] - 'A') + (country.data[1] - 'A'));
}

static void set_flag(struct product_row *row, enum product_flag flag, bool is_set)
{
    row->flags = (uint8_t)(is_set ? row->flags | flag : row->flags & ~(unsigned)flag);
}

struct product_row product_row_of(const struct catalog_thing *product)
{
    struct product_row row = {.version = PRODUCT_ROW_VERSION,
                              .number = product->number,
                              .part_length = (uint16_t)catalog_int(product, PRODUCT_PART_LENGTH),
                              .price = catalog_int(product, PRODUCT_PRICE),
                              .low_warn = catalog_int(product, PRODUCT_LOW_WARN),
                              .low_switch = catalog_int(product, PRODUCT_LOW_SWITCH)};
    size_t at = 0;
    struct text country;

    set_flag(&row, PRODUCT_SERVES_ALL, !catalog_has(product, PRODUCT_COUNTRIES));
    while (catalog_texts_next(product, PRODUCT_COUNTRIES, &at, &country)) {
        unsigned bit = country_bit(country);
        row.countries[bit / 8] |= (uint8_t)(1U << bit % 8);
    }
    return row;
}

/* Setting a threshold is no crossing of it. */
static void keep_quota(struct product_row *row, const struct product_row *before)
{
    bool is_counted = before->flags & PRODUCT_IS_COUNTED;

    row->quota = before->quota;
    row->quota_last = before->quota_last;
    row->flags |= before->flags & (PRODUCT_IS_COUNTED | PRODUCT_IS_LOW | PRODUCT_IS_SPARED);
    if (row->low_warn != before->low_warn)
        set_flag(row, PRODUCT_IS_LOW, is_counted && row->quota < row->low_warn);
    if (row->low_switch != before->low_switch)
        set_flag(row, PRODUCT_IS_SPARED, is_counted && row->quota < row->low_switch);
}

void product_change(struct engine *engine, const struct catalog_thing *product)
{
    struct product_row row = product_row_of(product), before;
    struct catalog_thing channel;

    if (!catalog_find(engine->txn, CATALOG_CHANNEL, catalog_text(product, PRODUCT_CHANNEL),
                      &channel))
        assert(!"a product without its channel");
    if (product_find(engine->txn, product->number, &before))
        keep_quota(&row, &before);
    set_flag(&row, PRODUCT_IS_ENABLED,
             product->status == CATALOG_ENABLED && channel.status == CATALOG_ENABLED);
    set_flag(&row, PRODUCT_HAS_SIGNATURE, catalog_int(&channel, CHANNEL_SIGNATURE_SUPPORTED));
    product_store(engine, &row);
}

/* --- quota ---------------------------------------------------------------------------------------
 */

bool quota_find(struct txn *txn, uint64_t product, uint64_t number, struct quota_row *row,
                struct text *reason)
{
    char key[16];
    size_t size;
    const char *value;

    bytes_put_u64_be(key, product);
    bytes_put_u64_be(key + 8, number);
    value = txn_get(txn, TABLE_QUOTA, key, sizeof key, &size);
    if (value == NULL)
        return false;
    memcpy(row, value, sizeof *row);
    assert(row->version == QUOTA_ROW_VERSION && size == sizeof *row + row->reason_size);
    *reason = (struct text){value + sizeof *row, row->reason_size};
    return true;
}

static void quota_store(struct engine *engine, struct product_row *product, uint64_t number,
                        struct quota_row *row, struct text reason)
{
    char key[16], value[sizeof *row + QUOTA_REASON_MAX];

    assert(reason.size <= QUOTA_REASON_MAX);
    row->version = QUOTA_ROW_VERSION;
    row->reason_size = (uint8_t)reason.size;
    bytes_put_u64_be(key, product->number);
    bytes_put_u64_be(key + 8, number);
    memcpy(value, row, sizeof *row);
    if (reason.size > 0)
        memcpy(value + sizeof *row, reason.data, reason.size);
    txn_put(engine->txn, TABLE_QUOTA, key, sizeof key, value, sizeof *row + reason.size);
    product->quota_last = number;
}

static bool falls_below(const struct product_row *product, enum product_flag flag,
                        int64_t threshold)
{
    return !(product->flags & flag) && product->quota < threshold;
}

static void warn(struct engine *engine, struct product_row *product)
{
    struct catalog_thing thing;
    char id[CATALOG_ID_MAX];

    set_flag(product, PRODUCT_IS_LOW, true);
    if (!catalog_find_number(engine->txn, CATALOG_PRODUCT, product->number, &thing))
        assert(!"a quota of no product");
    memcpy(id, thing.id.data, thing.id.size);
    webhook_put(engine, &(struct webhook_event){.type = WEBHOOK_PRODUCT_LOW,
                                                .subject = product->number,
                                                .values = {product->quota, product->low_warn},
                                                .texts = {{id, thing.id.size}}});
}

/* After parts were taken by a message. */
static void note_crossings(struct engine *engine, struct product_row *product, int64_t delta)
{
    struct quota_row row = {
        .before = product->quota - delta, .delta = delta, .after = product->quota};

    if (falls_below(product, PRODUCT_IS_LOW, product->low_warn)) {
        warn(engine, product);
        row.cause = QUOTA_LOW_WARN;
        quota_store(engine, product, engine_next_number(engine), &row, (struct text){NULL, 0});
    }
    if (falls_below(product, PRODUCT_IS_SPARED, product->low_switch)) {
        set_flag(product, PRODUCT_IS_SPARED, true);
        row.cause = QUOTA_LOW_SWITCH;
        quota_store(engine, product, engine_next_number(engine), &row, (struct text){NULL, 0});
    }
}

enum outcome quota_take(struct engine *engine, uint64_t product, uint32_t parts)
{
    struct product_row row;

    if (!product_find(engine->txn, product, &row))
        assert(!"a product that nobody made");
    if (!(row.flags & PRODUCT_IS_COUNTED))
        return OUTCOME_OK;
    if (row.quota < parts)
        return OUTCOME_NO_ROUTE;
    row.quota -= parts;
    note_crossings(engine, &row, -(int64_t)parts);
    product_store(engine, &row);
    return OUTCOME_OK;
}

void quota_return(struct engine *engine, uint64_t product, uint32_t parts)
{
    struct product_row row;

    if (!product_find(engine->txn, product, &row))
        assert(!"a product that nobody made");
    if (!(row.flags & PRODUCT_IS_COUNTED))
        return;
    row.quota += parts;
    product_store(engine, &row);
}

/* The first change makes the quota one that is counted, from nothing. */
enum outcome engine_quota_change(struct engine *engine, const struct quota_change_command *command,
                                 struct result *answer)
{
    struct catalog_thing thing;
    struct product_row product;
    struct quota_row row = {.cause = QUOTA_CHANGE, .by = command->by, .delta = command->delta};

    if (!catalog_find(engine->txn, CATALOG_PRODUCT, command->product, &thing) ||
        !product_find(engine->txn, thing.number, &product))
        return OUTCOME_PRODUCT_NOT_FOUND;
    if (thing.status == CATALOG_VOID)
        return OUTCOME_VOID;
    row.before = product.quota;
    row.after = product.quota + command->delta;
    if (row.after < 0)
        return OUTCOME_QUOTA_BELOW_ZERO;
    if (row.after > AMOUNT_MAX)
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    product.quota = row.after;
    set_flag(&product, PRODUCT_IS_COUNTED, true);
    set_flag(&product, PRODUCT_IS_SPARED, product.quota < product.low_switch);
    if (product.quota >= product.low_warn)
        set_flag(&product, PRODUCT_IS_LOW, false);
    else if (falls_below(&product, PRODUCT_IS_LOW, product.low_warn))
        warn(engine, &product);
    quota_store(engine, &product, engine->command->number, &row, command->reason);
    product_store(engine, &product);
    answer->of.quota.row = row;
    return OUTCOME_OK;
}
