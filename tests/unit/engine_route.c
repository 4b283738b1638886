/* engine/route.c: which route a message takes (SMS-2), and how evenly over any messages in a row.
 */
#include "catalog_world.h"

enum { ROUTES_MAX = 12, WINDOW = 1000, HISTORY = 5000 };

/* --- choosing, a message at a time ---------------------------------------------------------------
 */

static enum outcome choose_among(struct world *world, const char *company, const char *country,
                                 enum route_kind kind, const uint64_t *tried, size_t tried_count,
                                 struct route_choice *choice)
{
    struct engine engine = begin(world);
    enum outcome outcome =
        route_choose(&engine, text_of(company), text_of(country), kind, tried, tried_count, choice);

    end(world, &engine);
    return outcome;
}

/* The product of the next general message of acme to China; 0: no route. */
static uint64_t next_but(struct world *world, const uint64_t *tried, size_t tried_count)
{
    struct route_choice choice;
    enum outcome outcome =
        choose_among(world, "acme", "CN", ROUTE_KIND_GENERAL, tried, tried_count, &choice);

    if (outcome != OUTCOME_OK)
        assert_int_equal(outcome, OUTCOME_NO_ROUTE);
    return outcome == OUTCOME_OK ? choice.product : 0;
}

static void expect_next(struct world *world, const char *product)
{
    uint64_t wanted = product == NULL ? 0 : number_of(world, CATALOG_PRODUCT, product);

    for (int i = 0; i < 5; i++)
        assert_int_equal(next_but(world, NULL, 0), wanted);
}

static void without_a_route_there_is_none(void **state)
{
    struct world *world = *state;
    struct route_choice choice;

    put_product(world, "a", (struct product){0});
    expect_next(world, NULL);
    put_route(world, "r", (struct route){.product = "a"});
    expect_next(world, "a");
    assert_int_equal(choose_among(world, "other", "CN", ROUTE_KIND_GENERAL, NULL, 0, &choice),
                     OUTCOME_NO_ROUTE);
    assert_int_equal(choose_among(world, "acme", "SG", ROUTE_KIND_GENERAL, NULL, 0, &choice),
                     OUTCOME_NO_ROUTE);
    assert_int_equal(choose_among(world, "acme", "CN", ROUTE_KIND_VERIFICATION, NULL, 0, &choice),
                     OUTCOME_NO_ROUTE);
}

static void a_choice_says_route_product_price_and_failover(void **state)
{
    struct world *world = *state;
    struct route_choice choice;

    put_product(world, "a", (struct product){.price = 45});
    put_route(
        world, "r",
        (struct route){.product = "a", .kind = ROUTE_KIND_VERIFICATION, .has_failover = true});
    assert_int_equal(choose_among(world, "acme", "CN", ROUTE_KIND_VERIFICATION, NULL, 0, &choice),
                     OUTCOME_OK);
    assert_int_equal(choice.route, number_of(world, CATALOG_ROUTE, "r"));
    assert_int_equal(choice.product, number_of(world, CATALOG_PRODUCT, "a"));
    assert_int_equal(choice.price, 45);
    assert_true(choice.failover_on_undelivered);
    put_product(world, "a", (struct product){.price = 46});
    put_route(world, "r", (struct route){.product = "a", .kind = ROUTE_KIND_VERIFICATION});
    choose_among(world, "acme", "CN", ROUTE_KIND_VERIFICATION, NULL, 0, &choice);
    assert_int_equal(choice.price, 46);
    assert_false(choice.failover_on_undelivered);
}

static void a_choice_says_how_the_product_counts_and_whether_it_takes_signatures(void **state)
{
    struct world *world = *state;
    struct catalog_draft draft;
    struct route_choice choice;

    put_product(world, "a", (struct product){.part_length = 67});
    put_product(world, "b", (struct product){0});
    put_route(world, "ra", (struct route){.product = "a"});
    put_route(world, "rb", (struct route){.product = "b", .country = "SG"});
    choose_among(world, "acme", "CN", ROUTE_KIND_GENERAL, NULL, 0, &choice);
    assert_true(choice.part_length == 67 && choice.is_signature_supported);
    catalog_draft_init(&draft, CATALOG_CHANNEL);
    catalog_draft_text(&draft, CHANNEL_NAME, TEXT("channel"));
    catalog_draft_int(&draft, CHANNEL_SIGNATURE_SUPPORTED, false);
    assert_int_equal(put(world, "channel", &draft), OUTCOME_OK);
    choose_among(world, "acme", "CN", ROUTE_KIND_GENERAL, NULL, 0, &choice);
    assert_true(choice.part_length == 67 && !choice.is_signature_supported);
    choose_among(world, "acme", "SG", ROUTE_KIND_GENERAL, NULL, 0, &choice);
    assert_true(choice.part_length == 0 && !choice.is_signature_supported);
}

static void the_lowest_sort_goes_first(void **state)
{
    struct world *world = *state;

    put_product(world, "a", (struct product){0});
    put_product(world, "b", (struct product){0});
    put_route(world, "ra", (struct route){.product = "a", .sort = 2, .weight = 1000});
    put_route(world, "rb", (struct route){.product = "b", .sort = 1});
    expect_next(world, "b");
    put_route(world, "rb", (struct route){.product = "b", .sort = 3});
    expect_next(world, "a");
}

static void what_is_not_enabled_is_left_out(void **state)
{
    static const struct {
        enum catalog_kind kind;
        const char *id;
    } things[] = {{CATALOG_ROUTE, "ra"}, {CATALOG_PRODUCT, "a"}};
    struct world *world = *state;

    put_product(world, "a", (struct product){0});
    put_product(world, "b", (struct product){0});
    put_route(world, "ra", (struct route){.product = "a"});
    put_route(world, "rb", (struct route){.product = "b", .sort = 1});
    for (size_t i = 0; i < 2; i++) {
        set_status(world, things[i].kind, things[i].id, CATALOG_DISABLED);
        expect_next(world, "b");
        set_status(world, things[i].kind, things[i].id, CATALOG_ENABLED);
        expect_next(world, "a");
    }
    set_status(world, CATALOG_CHANNEL, "channel", CATALOG_DISABLED);
    expect_next(world, NULL);
    set_status(world, CATALOG_CHANNEL, "channel", CATALOG_ENABLED);
    set_status(world, CATALOG_PRODUCT, "a", CATALOG_VOID);
    expect_next(world, "b");
    set_status(world, CATALOG_ROUTE, "rb", CATALOG_VOID);
    expect_next(world, NULL);
}

static void a_product_is_used_for_the_countries_it_serves(void **state)
{
    struct world *world = *state;

    put_product(world, "a", (struct product){.country = "SG"});
    put_product(world, "b", (struct product){.country = "CN"});
    put_route(world, "ra", (struct route){.product = "a"});
    put_route(world, "rb", (struct route){.product = "b", .sort = 1});
    expect_next(world, "b");
    put_product(world, "a", (struct product){0});
    expect_next(world, "a");
}

static void what_was_tried_is_left_out(void **state)
{
    struct world *world = *state;
    uint64_t tried[2];

    put_product(world, "a", (struct product){0});
    put_product(world, "b", (struct product){0});
    put_route(world, "ra", (struct route){.product = "a"});
    put_route(world, "rb", (struct route){.product = "b"});
    tried[0] = number_of(world, CATALOG_PRODUCT, "a");
    tried[1] = number_of(world, CATALOG_PRODUCT, "b");
    for (int i = 0; i < 5; i++)
        assert_int_equal(next_but(world, tried, 1), tried[1]);
    assert_int_equal(next_but(world, tried, 2), 0);
}

static void a_route_that_moves_is_found_where_it_went(void **state)
{
    struct world *world = *state;
    struct route_choice choice;

    put_product(world, "a", (struct product){0});
    put_route(world, "r", (struct route){.product = "a"});
    put_route(world, "r", (struct route){.product = "a", .country = "SG", .company = "other"});
    expect_next(world, NULL);
    assert_int_equal(choose_among(world, "other", "SG", ROUTE_KIND_GENERAL, NULL, 0, &choice),
                     OUTCOME_OK);
}

static void a_preview_changes_nothing(void **state)
{
    struct world *world = *state;
    struct route_choice seen, chosen;

    put_product(world, "a", (struct product){0});
    put_product(world, "b", (struct product){0});
    put_route(world, "ra", (struct route){.product = "a", .weight = 3});
    put_route(world, "rb", (struct route){.product = "b", .weight = 2});
    for (int i = 0; i < 20; i++) {
        for (int j = 0; j < 3; j++) {
            struct txn *txn = store_begin(world->store);
            route_preview(txn, TEXT("acme"), TEXT("CN"), ROUTE_KIND_GENERAL, NULL, 0, &seen);
            store_abort(txn);
        }
        choose_among(world, "acme", "CN", ROUTE_KIND_GENERAL, NULL, 0, &chosen);
        assert_int_equal(seen.route, chosen.route);
    }
}

static void a_group_has_an_end(void **state)
{
    struct world *world = *state;
    char id[40];

    put_product(world, "a", (struct product){0});
    for (int i = 0; i < 64; i++) {
        snprintf(id, sizeof id, "r%d", i);
        put_route(world, id, (struct route){.product = "a"});
    }
    assert_int_equal(try_route(world, "r64", (struct route){.product = "a"}),
                     OUTCOME_TOO_MANY_ROUTES);
    put_route(world, "r63", (struct route){.product = "a", .weight = 9});
    set_status(world, CATALOG_ROUTE, "r0", CATALOG_VOID);
    put_route(world, "r64", (struct route){.product = "a"});
    expect_next(world, "a");
}

/* --- quotas --------------------------------------------------------------------------------------
 */

static void take(struct world *world, const char *product, uint32_t parts, enum outcome wanted)
{
    uint64_t number = number_of(world, CATALOG_PRODUCT, product);
    struct engine engine = begin(world);

    assert_int_equal(quota_take(&engine, number, parts), wanted);
    end(world, &engine);
}

/* SMS-3 */
static void below_low_switch_the_next_one_is_used_while_there_is_one(void **state)
{
    struct world *world = *state;

    put_product(world, "a", (struct product){.low_switch = 10});
    put_product(world, "b", (struct product){.low_switch = 10});
    put_route(world, "ra", (struct route){.product = "a"});
    put_route(world, "rb", (struct route){.product = "b", .sort = 5});
    change_quota(world, "a", 11);
    change_quota(world, "b", 11);
    take(world, "a", 1, OUTCOME_OK);
    expect_next(world, "a"); /* ten are not below ten */
    take(world, "a", 1, OUTCOME_OK);
    expect_next(world, "b");
    take(world, "b", 2, OUTCOME_OK);
    expect_next(world, "a"); /* all are low: by sort again */
    take(world, "a", 9, OUTCOME_OK);
    expect_next(world, "b"); /* nothing is left of a */
    take(world, "b", 9, OUTCOME_OK);
    expect_next(world, NULL);
    change_quota(world, "b", 1);
    expect_next(world, "b");
}

static void routes_of_spared_products_share_by_sort_and_weight(void **state)
{
    struct world *world = *state;
    int count = 0;

    put_product(world, "a", (struct product){.low_switch = 100});
    put_product(world, "b", (struct product){.low_switch = 100});
    put_product(world, "c", (struct product){.low_switch = 100});
    put_route(world, "ra", (struct route){.product = "a", .weight = 3});
    put_route(world, "rb", (struct route){.product = "b", .weight = 1});
    put_route(world, "rc", (struct route){.product = "c", .weight = 1, .sort = 1});
    change_quota(world, "a", 50);
    change_quota(world, "b", 50);
    change_quota(world, "c", 50);
    for (int i = 0; i < 40; i++)
        count += next_but(world, NULL, 0) == number_of(world, CATALOG_PRODUCT, "a");
    assert_in_range(count, 28, 32);
}

/* --- proportions ---------------------------------------------------------------------------------
 */

struct tally {
    size_t routes;
    uint64_t products[ROUTES_MAX];
    double shares[ROUTES_MAX]; /* of the next message */
    double expected[HISTORY + 1][ROUTES_MAX];
    int counts[HISTORY + 1][ROUTES_MAX];
    size_t messages;
};

static uint64_t draws = 88172645463325252;

static uint64_t draw(uint64_t bound)
{
    draws ^= draws << 13;
    draws ^= draws >> 7;
    draws ^= draws << 17;
    return draws % bound;
}

static void weigh(struct world *world, struct tally *tally, const char *company,
                  const int64_t *weights)
{
    double total = 0;
    char id[80], product[40];

    for (size_t i = 0; i < tally->routes; i++)
        total += (double)weights[i];
    for (size_t i = 0; i < tally->routes; i++) {
        snprintf(product, sizeof product, "p%zu", i);
        snprintf(id, sizeof id, "%s.%zu", company, i);
        put_route(world, id,
                  (struct route){.company = company, .product = product, .weight = weights[i]});
        tally->products[i] = number_of(world, CATALOG_PRODUCT, product);
        tally->shares[i] = (double)weights[i] / total;
    }
}

static void count_one(struct world *world, struct tally *tally, const char *company)
{
    struct route_choice choice;
    size_t n = tally->messages++;

    assert_true(n < HISTORY);
    assert_int_equal(choose_among(world, company, "CN", ROUTE_KIND_GENERAL, NULL, 0, &choice),
                     OUTCOME_OK);
    for (size_t i = 0; i < tally->routes; i++) {
        tally->expected[n + 1][i] = tally->expected[n][i] + tally->shares[i];
        tally->counts[n + 1][i] = tally->counts[n][i] + (choice.product == tally->products[i]);
    }
}

/* Over any WINDOW messages in a row, each route has what its weight says, to within `slack`. */
static void expect_proportions(const struct tally *tally, double slack)
{
    for (size_t n = WINDOW; n <= tally->messages; n++) {
        for (size_t i = 0; i < tally->routes; i++) {
            double wanted = tally->expected[n][i] - tally->expected[n - WINDOW][i];
            int counted = tally->counts[n][i] - tally->counts[n - WINDOW][i];
            if (counted > wanted + slack || counted < wanted - slack)
                fail_msg("route %zu had %d of messages %zu to %zu, its share is %.2f", i, counted,
                         n - WINDOW, n, wanted);
        }
    }
}

static void add_products(struct world *world, size_t count)
{
    char id[40];

    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof id, "p%zu", i);
        put_product(world, id, (struct product){0});
    }
}

/* SMS-2: to within 1 % of 1,000, and much better. */
static void any_thousand_in_a_row_have_the_proportion_of_the_weights(void **state)
{
    static const int64_t weights[][ROUTES_MAX] = {
        {1, 1},
        {1, 999},
        {7, 3},
        {70, 30},
        {1, 1, 1},
        {50, 30, 20},
        {999983, 999979},
        {1000000, 1},
        {1000000, 999999, 999983, 7},
        {97, 89, 83, 79, 73, 71, 67, 61, 59, 53, 47, 43},
        {1000000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
        {512, 256, 128, 64, 32, 16, 8, 4, 2, 1},
    };
    struct world *world = *state;
    char company[40];

    add_products(world, ROUTES_MAX);
    for (size_t c = 0; c < sizeof weights / sizeof *weights; c++) {
        struct tally *tally = calloc(1, sizeof *tally);
        assert_non_null(tally);
        while (tally->routes < ROUTES_MAX && weights[c][tally->routes] != 0)
            tally->routes++;
        snprintf(company, sizeof company, "company%zu", c);
        put_plain(world, CATALOG_COMPANY, company);
        weigh(world, tally, company, weights[c]);
        for (int i = 0; i < 2500; i++)
            count_one(world, tally, company);
        expect_proportions(tally, 2.01);
        free(tally);
    }
}

/* SMS-2 */
static void made_up_weights_hold_their_proportion_too(void **state)
{
    struct world *world = *state;
    char company[40];

    add_products(world, ROUTES_MAX);
    for (int c = 0; c < 25; c++) {
        struct tally *tally = calloc(1, sizeof *tally);
        int64_t weights[ROUTES_MAX];
        assert_non_null(tally);
        tally->routes = 2 + draw(ROUTES_MAX - 1);
        for (size_t i = 0; i < tally->routes; i++)
            weights[i] = 1 + (int64_t)draw(draw(2) ? 1000000 : 20);
        snprintf(company, sizeof company, "company%d", c);
        put_plain(world, CATALOG_COMPANY, company);
        weigh(world, tally, company, weights);
        for (int i = 0; i < 1500; i++)
            count_one(world, tally, company);
        expect_proportions(tally, 2.01);
        free(tally);
    }
}

/* SMS-2: each message counts by the weights of its moment. */
static void changes_of_weights_do_not_disturb_the_proportion(void **state)
{
    struct world *world = *state;
    struct tally *tally = calloc(1, sizeof *tally);

    assert_non_null(tally);
    add_products(world, ROUTES_MAX);
    tally->routes = 5;
    for (int i = 0; i < HISTORY; i++) {
        if (i % 100 == 0) {
            int64_t weights[5];
            for (int j = 0; j < 5; j++)
                weights[j] = 1 + (int64_t)draw(draw(2) ? 1000000 : 10);
            weigh(world, tally, "acme", weights);
        }
        count_one(world, tally, "acme");
    }
    expect_proportions(tally, 10);
    free(tally);
}

/* SMS-2: a group does not know of another, and failures of single messages disturb none. */
static void interleaved_groups_and_retries_keep_their_proportions(void **state)
{
    static const int64_t weights[2][3] = {{70, 29, 1}, {1, 2, 3}};
    struct world *world = *state;
    struct tally *tallies[2];
    struct route_choice choice;

    add_products(world, 3);
    for (int i = 0; i < 2; i++) {
        tallies[i] = calloc(1, sizeof *tallies[i]);
        assert_non_null(tallies[i]);
        tallies[i]->routes = 3;
        weigh(world, tallies[i], i == 0 ? "acme" : "other", weights[i]);
    }
    while (tallies[0]->messages < 3000 && tallies[1]->messages < 3000) {
        uint64_t which = draw(2);
        count_one(world, tallies[which], which == 0 ? "acme" : "other");
        if (draw(3) == 0)
            choose_among(world, "acme", "CN", ROUTE_KIND_GENERAL, &tallies[0]->products[draw(3)], 1,
                         &choice);
    }
    expect_proportions(tallies[0], 2.01);
    expect_proportions(tallies[1], 2.01);
    free(tallies[0]);
    free(tallies[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_route_there_is_none),
        TEST(a_choice_says_route_product_price_and_failover),
        TEST(a_choice_says_how_the_product_counts_and_whether_it_takes_signatures),
        TEST(the_lowest_sort_goes_first),
        TEST(what_is_not_enabled_is_left_out),
        TEST(a_product_is_used_for_the_countries_it_serves),
        TEST(what_was_tried_is_left_out),
        TEST(a_route_that_moves_is_found_where_it_went),
        TEST(a_preview_changes_nothing),
        TEST(a_group_has_an_end),
        TEST(below_low_switch_the_next_one_is_used_while_there_is_one),
        TEST(routes_of_spared_products_share_by_sort_and_weight),
        TEST(any_thousand_in_a_row_have_the_proportion_of_the_weights),
        TEST(made_up_weights_hold_their_proportion_too),
        TEST(changes_of_weights_do_not_disturb_the_proportion),
        TEST(interleaved_groups_and_retries_keep_their_proportions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
