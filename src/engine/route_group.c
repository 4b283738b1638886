/* Groups of routes: what a route's thing in the catalogue says, in the row that choosing reads. A
 * route that leaves its group takes the group's state with it, which begins anew; a change of
 * weight, sort or status does not touch the state. */
#include <assert.h>
#include <string.h>

#include "engine/catalog_index.h"
#include "engine/handler.h"
#include "engine/route.h"

enum { ROUTE_MEMBER_VERSION = 1 };

size_t route_group_key(char key[ROUTE_KEY_MAX], int64_t kind, struct text country,
                       struct text company)
{
    assert(country.size == 2 && company.size > 0 && company.size <= CATALOG_ID_MAX);
    key[0] = (char)kind;
    memcpy(key + 1, country.data, 2);
    memcpy(key + 3, company.data, company.size);
    return 3 + company.size;
}

void route_group_read(struct txn *txn, const char *key, size_t key_size, struct route_group *group)
{
    size_t size;
    const void *value = txn_get(txn, TABLE_ROUTE, key, key_size, &size);

    group->count = 0;
    if (value == NULL)
        return;
    assert(size % sizeof *group->members == 0 && size <= sizeof group->members);
    memcpy(group->members, value, size);
    group->count = size / sizeof *group->members;
    assert(group->members[0].version == ROUTE_MEMBER_VERSION);
}

static void store(struct txn *txn, const char *key, size_t key_size,
                  const struct route_group *group)
{
    if (group->count == 0)
        txn_delete(txn, TABLE_ROUTE, key, key_size);
    else
        txn_put(txn, TABLE_ROUTE, key, key_size, group->members,
                group->count * sizeof *group->members);
}

static size_t key_of(char key[ROUTE_KEY_MAX], const struct catalog_thing *route)
{
    return route_group_key(key, catalog_int(route, ROUTE_KIND), catalog_text(route, ROUTE_COUNTRY),
                           catalog_text(route, ROUTE_COMPANY));
}

static bool is_before(const struct route_member *a, const struct route_member *b)
{
    return a->sort != b->sort ? a->sort < b->sort : a->route < b->route;
}

static void take_out(struct route_group *group, uint64_t route)
{
    size_t kept = 0;

    for (size_t i = 0; i < group->count; i++) {
        if (group->members[i].route != route)
            group->members[kept++] = group->members[i];
    }
    group->count = kept;
}

static void put_in(struct route_group *group, const struct route_member *member)
{
    size_t at = group->count++;

    for (; at > 0 && is_before(member, &group->members[at - 1]); at--)
        group->members[at] = group->members[at - 1];
    group->members[at] = *member;
}

static void leave(struct txn *txn, const struct catalog_thing *route)
{
    char key[ROUTE_KEY_MAX];
    size_t key_size = key_of(key, route);
    struct route_group group;

    route_group_read(txn, key, key_size, &group);
    take_out(&group, route->number);
    store(txn, key, key_size, &group);
    txn_delete(txn, TABLE_ROUTE_STATE, key, key_size);
    key[0] |= ROUTE_STATE_OF_RETRIES;
    txn_delete(txn, TABLE_ROUTE_STATE, key, key_size);
}

struct route_member route_member_of(const struct catalog_thing *route, uint64_t product)
{
    unsigned flags = (route->status == CATALOG_ENABLED ? ROUTE_IS_ENABLED : 0) |
                     (catalog_int(route, ROUTE_FAILOVER_ON_UNDELIVERED) ? ROUTE_HAS_FAILOVER : 0);

    return (struct route_member){.version = ROUTE_MEMBER_VERSION,
                                 .flags = (uint8_t)flags,
                                 .route = route->number,
                                 .product = product,
                                 .sort = (uint32_t)catalog_int(route, ROUTE_SORT),
                                 .weight = (uint32_t)catalog_int(route, ROUTE_WEIGHT)};
}

static enum outcome join(struct txn *txn, const struct catalog_thing *route)
{
    char key[ROUTE_KEY_MAX];
    size_t key_size = key_of(key, route);
    struct catalog_thing product;
    struct route_member member;
    struct route_group group;

    if (!catalog_find(txn, CATALOG_PRODUCT, catalog_text(route, ROUTE_PRODUCT), &product))
        assert(!"a route without its product");
    member = route_member_of(route, product.number);
    route_group_read(txn, key, key_size, &group);
    take_out(&group, route->number);
    if (group.count == ROUTES_PER_GROUP_MAX)
        return OUTCOME_TOO_MANY_ROUTES;
    put_in(&group, &member);
    store(txn, key, key_size, &group);
    return OUTCOME_OK;
}

static bool is_same_group(const struct catalog_thing *a, const struct catalog_thing *b)
{
    char keys[2][ROUTE_KEY_MAX];
    size_t sizes[2] = {key_of(keys[0], a), key_of(keys[1], b)};

    return text_equals((struct text){keys[0], sizes[0]}, (struct text){keys[1], sizes[1]});
}

enum outcome route_group_change(struct engine *engine, const struct catalog_thing *before,
                                const struct catalog_thing *after)
{
    bool is_void = after->status == CATALOG_VOID;

    if (before != NULL && (is_void || !is_same_group(before, after)))
        leave(engine->txn, before);
    return is_void ? OUTCOME_OK : join(engine->txn, after);
}
