/* For tests of what the catalogue leads to: an engine over a store in memory, things put by a line
 * each, and calls inside of a handler. */
#ifndef SMSD_TESTS_CATALOG_WORLD_H
#define SMSD_TESTS_CATALOG_WORLD_H

#include "engine_world.h"

#include "engine/catalog.h"
#include "engine/handler.h"
#include "engine/route.h"

/* Begins what a handler of some command would do; `end` makes it last. */
__attribute__((unused)) static struct engine begin(struct world *world)
{
    static struct command command;
    static struct engine_effect begun;

    command.number = id_next(world->number_last, world->now_ms);
    command.now_ms = world->now_ms;
    begun = (struct engine_effect){.number_last = command.number, .due_first_ms = INT64_MAX};
    return (struct engine){.txn = store_begin(world->store), .command = &command, .effect = &begun};
}

__attribute__((unused)) static void end(struct world *world, struct engine *engine)
{
    world->number_last = engine->effect->number_last;
    store_commit(engine->txn);
}

__attribute__((unused)) static enum outcome put(struct world *world, const char *id,
                                                const struct catalog_draft *draft)
{
    struct command command = {.type = COMMAND_CATALOG_PUT};

    command.of.catalog_put =
        (struct catalog_put_command){.id = text_of(id), .draft = draft, .by = 77};
    return apply(world, &command).outcome;
}

__attribute__((unused)) static void set_status(struct world *world, enum catalog_kind kind,
                                               const char *id, enum catalog_status status)
{
    struct command command = {.type = COMMAND_CATALOG_STATUS};

    command.of.catalog_status = (struct catalog_status_command){kind, text_of(id), status, 77};
    assert_int_equal(apply(world, &command).outcome, OUTCOME_OK);
}

/* A company, country, channel or scene, which need little. */
__attribute__((unused)) static void put_plain(struct world *world, enum catalog_kind kind,
                                              const char *id)
{
    struct catalog_draft draft;

    catalog_draft_init(&draft, kind);
    if (kind == CATALOG_COMPANY) {
        catalog_draft_text(&draft, COMPANY_NAME, text_of(id));
        catalog_draft_text(&draft, COMPANY_ACCOUNT, TEXT("purse"));
    } else if (kind == CATALOG_COUNTRY) {
        catalog_draft_text(&draft, COUNTRY_NAME, text_of(id));
        catalog_draft_int(&draft, COUNTRY_CALLING_CODE, 86);
    } else {
        catalog_draft_text(&draft, kind == CATALOG_CHANNEL ? CHANNEL_NAME : SCENE_NAME,
                           text_of(id));
    }
    assert_int_equal(put(world, id, &draft), OUTCOME_OK);
}

struct product {
    const char *country; /* NULL: it serves all */
    int64_t low_warn, low_switch, price;
    int64_t part_length; /* 0: not given */
};

__attribute__((unused)) static void put_product(struct world *world, const char *id,
                                                struct product product)
{
    struct catalog_draft draft;

    catalog_draft_init(&draft, CATALOG_PRODUCT);
    catalog_draft_text(&draft, PRODUCT_CHANNEL, TEXT("channel"));
    catalog_draft_text(&draft, PRODUCT_GATEWAY, TEXT("{\"type\":\"sandbox\"}"));
    catalog_draft_int(&draft, PRODUCT_PRICE, product.price);
    catalog_draft_int(&draft, PRODUCT_LOW_WARN, product.low_warn);
    catalog_draft_int(&draft, PRODUCT_LOW_SWITCH, product.low_switch);
    if (product.part_length != 0)
        catalog_draft_int(&draft, PRODUCT_PART_LENGTH, product.part_length);
    if (product.country != NULL)
        catalog_draft_texts(&draft, PRODUCT_COUNTRIES, &(struct text){product.country, 2}, 1);
    assert_int_equal(put(world, id, &draft), OUTCOME_OK);
}

struct route {
    const char *company, *country, *product; /* NULL: "acme", "CN" */
    int64_t weight, sort;
    enum route_kind kind; /* 0: general */
    bool has_failover;
};

__attribute__((unused)) static enum outcome try_route(struct world *world, const char *id,
                                                      struct route route)
{
    struct catalog_draft draft;

    catalog_draft_init(&draft, CATALOG_ROUTE);
    catalog_draft_text(&draft, ROUTE_COMPANY,
                       text_of(route.company != NULL ? route.company : "acme"));
    catalog_draft_text(&draft, ROUTE_COUNTRY,
                       text_of(route.country != NULL ? route.country : "CN"));
    catalog_draft_int(&draft, ROUTE_KIND, route.kind != 0 ? route.kind : ROUTE_KIND_GENERAL);
    catalog_draft_text(&draft, ROUTE_PRODUCT, text_of(route.product));
    if (route.weight != 0)
        catalog_draft_int(&draft, ROUTE_WEIGHT, route.weight);
    catalog_draft_int(&draft, ROUTE_SORT, route.sort);
    catalog_draft_int(&draft, ROUTE_FAILOVER_ON_UNDELIVERED, route.has_failover);
    return put(world, id, &draft);
}

__attribute__((unused)) static void put_route(struct world *world, const char *id,
                                              struct route route)
{
    assert_int_equal(try_route(world, id, route), OUTCOME_OK);
}

__attribute__((unused)) static uint64_t number_of(struct world *world, enum catalog_kind kind,
                                                  const char *id)
{
    struct txn *txn = store_begin(world->store);
    struct catalog_thing thing;

    assert_true(catalog_find(txn, kind, text_of(id), &thing));
    store_abort(txn);
    return thing.number;
}

__attribute__((unused)) static enum outcome change_quota(struct world *world, const char *product,
                                                         int64_t delta)
{
    struct command command = {.type = COMMAND_QUOTA_CHANGE};

    command.of.quota_change = (struct quota_change_command){
        .product = text_of(product), .delta = delta, .reason = TEXT("bought"), .by = 77};
    return apply(world, &command).outcome;
}

__attribute__((unused)) static struct product_row product_row_of(struct world *world,
                                                                 const char *product)
{
    uint64_t number = number_of(world, CATALOG_PRODUCT, product);
    struct txn *txn = store_begin(world->store);
    struct product_row row;

    assert_true(product_find(txn, number, &row));
    store_abort(txn);
    return row;
}

/* Companies acme and other, countries CN and SG, a channel; no product yet. */
__attribute__((unused)) static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct command command = {.type = COMMAND_BOOTSTRAP};

    assert_non_null(world);
    world->now_ms = ID_EPOCH_MS + 1000;
    world->store = open_store_in_memory((size_t)64 << 20);
    apply(world, &command);
    topup(world, "purse", 100);
    put_plain(world, CATALOG_COUNTRY, "CN");
    put_plain(world, CATALOG_COUNTRY, "SG");
    put_plain(world, CATALOG_COMPANY, "acme");
    put_plain(world, CATALOG_COMPANY, "other");
    put_plain(world, CATALOG_CHANNEL, "channel");
    *state = world;
    return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
    struct world *world = *state;

    store_close(world->store, false);
    free(world);
    return 0;
}

#endif
