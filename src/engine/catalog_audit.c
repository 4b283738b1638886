/* Each thing is hashed with what should be kept of it beside it, and so is what is kept; if both
 * sums are equal, nothing is missing, wrong or too much (up to 2^-64). Whether a product's channel
 * is enabled lies in another row and is left out. */
#include "engine/catalog_audit.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "engine/catalog_index.h"
#include "engine/row.h"

static const struct hash_key token_key = {0x736d736420636174, 0x616c6f6720746f6b};

static void fault(struct catalog_audit *audit, const char *what)
{
    if (audit->fault == NULL)
        audit->fault = what;
}

/* --- tokens: each from a struct without gaps, zeroed ---------------------------------------------
 */

static uint64_t number_token(uint64_t number, char kind, struct text id)
{
    char said[9 + CATALOG_ID_MAX];

    bytes_put_u64_be(said, number);
    said[8] = kind;
    memcpy(said + 9, id.data, id.size);
    return hash64(&token_key, said, 9 + id.size);
}

static uint64_t route_token(const char *key, size_t key_size, const struct route_member *member)
{
    char said[ROUTE_KEY_MAX + 24];
    uint64_t flags = member->flags;

    memcpy(said, &member->route, 8);
    memcpy(said + 8, &member->sort, 4);
    memcpy(said + 12, &member->weight, 4);
    memcpy(said + 16, &flags, 8);
    memcpy(said + 24, key, key_size);
    return hash64(&token_key, said, 24 + key_size);
}

static uint64_t product_token(const struct product_row *row)
{
    struct product_row said = *row;

    said.quota = 0;
    said.quota_last = 0;
    said.flags &= PRODUCT_SERVES_ALL;
    return hash64(&token_key, &said, sizeof said);
}

static uint64_t country_token(const struct catalog_calling *calling)
{
    return hash64(&token_key, calling, sizeof *calling);
}

static uint64_t quota_token(uint64_t product, uint64_t number)
{
    uint64_t said[2] = {product, number};

    return hash64(&token_key, said, sizeof said);
}

/* --- what things say -----------------------------------------------------------------------------
 */

static uint64_t said_of_route(const struct catalog_thing *route)
{
    char key[ROUTE_KEY_MAX];
    size_t key_size =
        route_group_key(key, catalog_int(route, ROUTE_KIND), catalog_text(route, ROUTE_COUNTRY),
                        catalog_text(route, ROUTE_COMPANY));
    struct route_member member = route_member_of(route, 0);

    return route_token(key, key_size, &member);
}

static uint64_t said_of_product(const struct catalog_thing *product)
{
    struct product_row row = product_row_of(product);

    return product_token(&row);
}

static uint64_t said_of_country(const struct catalog_thing *country)
{
    struct catalog_calling calling = catalog_calling_of(country);

    return country_token(&calling);
}

static void add_thing(struct catalog_audit *audit, const void *value, size_t size)
{
    struct catalog_thing thing;

    if (!catalog_view(&thing, value, size)) {
        fault(audit, "a thing of the catalogue has a row that cannot be read");
        return;
    }
    audit->things++;
    audit->numbers_said += number_token(thing.number, (char)thing.kind, thing.id);
    if (thing.kind == CATALOG_PRODUCT)
        audit->products_said += said_of_product(&thing);
    if (thing.kind == CATALOG_ROUTE && thing.status != CATALOG_VOID)
        audit->routes_said += said_of_route(&thing);
    if (thing.kind == CATALOG_COUNTRY && thing.status != CATALOG_VOID)
        audit->countries_said += said_of_country(&thing);
}

/* --- what is kept --------------------------------------------------------------------------------
 */

static void add_number(struct catalog_audit *audit, const char *key, size_t key_size,
                       const void *id, size_t id_size)
{
    if (key_size != 9 || id_size > CATALOG_ID_MAX)
        fault(audit, "a number of the catalogue has a row that cannot be read");
    else
        audit->numbers_kept +=
            number_token(bytes_get_u64_be(key + 1), key[0], (struct text){id, id_size});
}

static void add_group(struct catalog_audit *audit, const char *key, size_t key_size,
                      const char *value, size_t size)
{
    struct route_member member;

    if (key_size > ROUTE_KEY_MAX || size % sizeof member != 0) {
        fault(audit, "a group of routes has a row that cannot be read");
        return;
    }
    for (size_t at = 0; at < size; at += sizeof member) {
        memcpy(&member, value + at, sizeof member);
        audit->routes_kept += route_token(key, key_size, &member);
    }
}

static void add_product(struct catalog_audit *audit, const void *value, size_t size)
{
    struct product_row row;

    if (size != sizeof row) {
        fault(audit, "a product has a row that cannot be read");
        return;
    }
    memcpy(&row, value, sizeof row);
    audit->products_kept += product_token(&row);
    if (row.quota < 0)
        fault(audit, "a product has a quota below zero");
    if (row.quota_last != 0)
        audit->quotas_said += quota_token(row.number, row.quota_last);
}

static void add_countries(struct catalog_audit *audit, const char *value, size_t size)
{
    struct catalog_calling calling;

    if (size % sizeof calling != 0) {
        fault(audit, "a calling code has a row that cannot be read");
        return;
    }
    for (size_t at = 0; at < size; at += sizeof calling) {
        memcpy(&calling, value + at, sizeof calling);
        audit->countries_kept += country_token(&calling);
    }
}

static void end_product(struct catalog_audit *audit)
{
    if (audit->last.number != 0)
        audit->quotas_kept += quota_token(audit->last.product, audit->last.number);
}

/* Rows of one product follow each other, by number. */
static void add_quota(struct catalog_audit *audit, const char *key, size_t key_size,
                      const void *value, size_t size)
{
    struct quota_row row;
    uint64_t product = key_size == 16 ? bytes_get_u64_be(key) : 0;

    if (product == 0 || size < sizeof row) {
        fault(audit, "a change of a quota has a row that cannot be read");
        return;
    }
    memcpy(&row, value, sizeof row);
    if (row.before + row.delta != row.after)
        fault(audit, "a change of a quota does not add up");
    if (product != audit->last.product)
        end_product(audit);
    audit->last.product = product;
    audit->last.number = bytes_get_u64_be(key + 8);
}

void catalog_audit_row(struct catalog_audit *audit, enum table table, const void *key,
                       size_t key_size, const void *value, size_t value_size)
{
    switch (table) {
    case TABLE_CATALOG:
        add_thing(audit, value, value_size);
        break;
    case TABLE_CATALOG_NUMBER:
        add_number(audit, key, key_size, value, value_size);
        break;
    case TABLE_ROUTE:
        add_group(audit, key, key_size, value, value_size);
        break;
    case TABLE_PRODUCT:
        add_product(audit, value, value_size);
        break;
    case TABLE_CALLING_CODE:
        add_countries(audit, value, value_size);
        break;
    case TABLE_QUOTA:
        add_quota(audit, key, key_size, value, value_size);
        break;
    default: /* not the catalogue's */
        break;
    }
}

const char *catalog_audit_finish(struct catalog_audit *audit)
{
    end_product(audit);
    if (audit->numbers_said != audit->numbers_kept)
        fault(audit, "the catalogue's list of numbers is not that of its things");
    if (audit->routes_said != audit->routes_kept)
        fault(audit, "groups of routes are not what the routes say");
    if (audit->products_said != audit->products_kept)
        fault(audit, "rows of products are not what the products say");
    if (audit->countries_said != audit->countries_kept)
        fault(audit, "calling codes are not those of the countries");
    if (audit->quotas_said != audit->quotas_kept)
        fault(audit, "changes of a quota are missing or too many");
    return audit->fault;
}
