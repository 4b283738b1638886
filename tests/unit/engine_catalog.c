/* engine/catalog…, engine/product.c: what calls over the wire do not show: views, countries by
 * calling code, quotas as messages take them (SMS-3), and rows that follow from others. */
#include "catalog_world.h"

#include "engine/catalog_audit.h"
#include "store/table.h"

/* --- finding -------------------------------------------------------------------------------------
 */

static void a_thing_is_found_by_id_and_by_number(void **state)
{
    struct world *world = *state;
    uint64_t number = number_of(world, CATALOG_COMPANY, "acme");
    struct txn *txn = store_begin(world->store);
    struct catalog_thing thing;

    assert_true(catalog_find_number(txn, CATALOG_COMPANY, number, &thing));
    assert_true(text_equals(thing.id, TEXT("acme")));
    assert_int_equal(thing.number, number);
    assert_int_equal(thing.changed_by, 77);
    assert_int_equal(thing.status, CATALOG_ENABLED);
    assert_true(text_equals(catalog_text(&thing, COMPANY_ACCOUNT), TEXT("purse")));
    assert_null(catalog_text(&thing, COMPANY_SIGNATURE).data);
    assert_false(catalog_find_number(txn, CATALOG_COUNTRY, number, &thing));
    assert_false(catalog_find(txn, CATALOG_COUNTRY, TEXT("acme"), &thing));
    assert_false(catalog_find(txn, CATALOG_COMPANY, TEXT("acm"), &thing));
    assert_false(catalog_find(txn, CATALOG_COMPANY, TEXT(""), &thing));
    store_abort(txn);
}

static void what_was_not_given_has_its_fallback_and_lists_that_limit_nothing(void **state)
{
    struct world *world = *state;
    struct txn *txn;
    struct catalog_thing thing;

    put_product(world, "a", (struct product){.price = 7});
    put_product(world, "b", (struct product){.country = "CN"});
    txn = store_begin(world->store);
    assert_true(catalog_find(txn, CATALOG_PRODUCT, TEXT("a"), &thing));
    assert_int_equal(catalog_int(&thing, PRODUCT_PRICE), 7);
    assert_int_equal(catalog_int(&thing, PRODUCT_ON_UNKNOWN), ON_UNKNOWN_QUERY);
    assert_int_equal(catalog_int(&thing, PRODUCT_PART_LENGTH), 0);
    assert_false(catalog_has(&thing, PRODUCT_COUNTRIES));
    assert_true(catalog_texts_have(&thing, PRODUCT_COUNTRIES, TEXT("SG")));
    assert_true(catalog_find(txn, CATALOG_PRODUCT, TEXT("b"), &thing));
    assert_true(catalog_texts_have(&thing, PRODUCT_COUNTRIES, TEXT("CN")));
    assert_false(catalog_texts_have(&thing, PRODUCT_COUNTRIES, TEXT("SG")));
    store_abort(txn);
}

static void a_copy_outlives_a_change(void **state)
{
    struct world *world = *state;
    char value[VALUE_BYTES_MAX];
    struct engine engine = begin(world);
    struct catalog_thing thing;

    assert_true(catalog_find(engine.txn, CATALOG_COMPANY, TEXT("acme"), &thing));
    catalog_copy(&thing, value);
    txn_put(engine.txn, TABLE_META, "name", 4, "value", 5);
    assert_true(text_equals(thing.id, TEXT("acme")));
    assert_true(text_equals(catalog_text(&thing, COMPANY_NAME), TEXT("acme")));
    assert_true(thing.id.data > value && thing.id.data < value + sizeof value);
    end(world, &engine);
}

static void what_a_draft_refers_to_must_be_there_and_not_void(void **state)
{
    struct world *world = *state;
    struct catalog_draft draft;
    struct text countries[3] = {TEXT("CN"), TEXT("XX"), TEXT("SG")};
    struct catalog_missing missing[CATALOG_MISSING_MAX];
    struct txn *txn;

    set_status(world, CATALOG_COUNTRY, "SG", CATALOG_VOID);
    catalog_draft_init(&draft, CATALOG_COMPANY);
    catalog_draft_text(&draft, COMPANY_NAME, TEXT("x"));
    catalog_draft_text(&draft, COMPANY_ACCOUNT, TEXT("@world"));
    catalog_draft_texts(&draft, COMPANY_COUNTRIES, countries, 3);
    txn = store_begin(world->store);
    assert_int_equal(catalog_draft_missing(txn, &draft, missing), 3);
    assert_int_equal(missing[0].field, COMPANY_ACCOUNT);
    assert_true(missing[1].field == COMPANY_COUNTRIES && missing[1].place == 1);
    assert_true(missing[2].field == COMPANY_COUNTRIES && missing[2].place == 2);
    store_abort(txn);
    assert_int_equal(put(world, "x", &draft), OUTCOME_INVALID);
}

static void a_draft_that_is_too_large_says_so_and_is_refused(void **state)
{
    struct world *world = *state;
    static char text[CATALOG_FIELDS_BYTES];
    struct catalog_draft draft;

    memset(text, 'x', sizeof text);
    catalog_draft_init(&draft, CATALOG_SCENE);
    catalog_draft_text(&draft, SCENE_NAME, (struct text){text, sizeof text - 3});
    assert_false(draft.is_too_large);
    assert_int_equal(put(world, "x", &draft), OUTCOME_OK);
    catalog_draft_init(&draft, CATALOG_SCENE);
    catalog_draft_text(&draft, SCENE_NAME, (struct text){text, sizeof text - 2});
    assert_true(draft.is_too_large);
    assert_int_equal(put(world, "y", &draft), OUTCOME_INVALID);
}

/* --- countries by calling code -------------------------------------------------------------------
 */

static enum outcome try_country(struct world *world, const char *id, int64_t code)
{
    struct catalog_draft draft;

    catalog_draft_init(&draft, CATALOG_COUNTRY);
    catalog_draft_text(&draft, COUNTRY_NAME, text_of(id));
    catalog_draft_int(&draft, COUNTRY_CALLING_CODE, code);
    return put(world, id, &draft);
}

static void put_country(struct world *world, const char *id, int64_t code)
{
    assert_int_equal(try_country(world, id, code), OUTCOME_OK);
}

/* `wanted`: the countries one behind the other, "" for none. */
static void expect_calling(struct world *world, const char *digits, const char *wanted)
{
    struct catalog_calling found[CATALOG_CALLING_MAX];
    struct txn *txn = store_begin(world->store);
    size_t count = catalog_countries_calling(txn, text_of(digits), found);

    store_abort(txn);
    assert_int_equal(count, strlen(wanted) / 2);
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(found[i].country, wanted + 2 * i, 2);
}

static void countries_are_found_by_calling_code_the_longest_first(void **state)
{
    struct world *world = *state;

    put_country(world, "CN", 86);
    put_country(world, "SG", 65);
    put_country(world, "US", 1);
    put_country(world, "JM", 1876);
    put_country(world, "TW", 886);
    expect_calling(world, "8613812345678", "CN");
    expect_calling(world, "886912345678", "TW");
    expect_calling(world, "18761234567", "JMUS");
    expect_calling(world, "12025550123", "US");
    expect_calling(world, "491511234567", "");
    expect_calling(world, "8", "");
    expect_calling(world, "", "");
}

static void a_country_that_changes_its_calling_code_is_found_by_the_new_one(void **state)
{
    struct world *world = *state;

    put_country(world, "SG", 999);
    expect_calling(world, "6591234567", "");
    expect_calling(world, "9991234567", "SG");
    set_status(world, CATALOG_COUNTRY, "SG", CATALOG_DISABLED);
    expect_calling(world, "9991234567", "SG");
    set_status(world, CATALOG_COUNTRY, "SG", CATALOG_VOID);
    expect_calling(world, "9991234567", "");
}

/* No world has so many. */
static void more_countries_than_fit_are_refused_and_leave_nothing(void **state)
{
    struct world *world = *state;
    struct catalog_thing thing;
    struct txn *txn;
    char id[3] = "";
    int count = 0;

    for (id[0] = 'A'; id[0] <= 'Z' && count < 512; id[0]++) {
        for (id[1] = 'A'; id[1] <= 'Z' && count < 512; id[1]++, count++)
            put_country(world, id, 7);
    }
    assert_int_equal(try_country(world, "ZZ", 799), OUTCOME_CONFLICT);
    txn = store_begin(world->store);
    assert_false(catalog_find(txn, CATALOG_COUNTRY, TEXT("ZZ"), &thing));
    store_abort(txn);
    put_country(world, "ZZ", 99);
    put_country(world, "AA", 799); /* one that is there may change */
    expect_calling(world, "998", "ZZ");
}

/* --- quotas --------------------------------------------------------------------------------------
 */

static enum outcome take(struct world *world, const char *product, uint32_t parts)
{
    uint64_t number = number_of(world, CATALOG_PRODUCT, product);
    struct engine engine = begin(world);
    enum outcome outcome = quota_take(&engine, number, parts);

    end(world, &engine);
    return outcome;
}

static void give_back(struct world *world, const char *product, uint32_t parts)
{
    uint64_t number = number_of(world, CATALOG_PRODUCT, product);
    struct engine engine = begin(world);

    quota_return(&engine, number, parts);
    end(world, &engine);
}

static int count_rows(struct world *world, enum table table)
{
    struct txn *txn = store_begin(world->store);
    struct txn_walk *walk = txn_walk(txn, table, WALK_UP, NULL, 0);
    int count = 0;

    while (txn_walk_next(walk))
        count++;
    txn_walk_end(walk);
    store_abort(txn);
    return count;
}

/* SMS-3: one webhook a crossing, not one a message. */
static void expect_rows(struct world *world, int webhooks, int history)
{
    assert_int_equal(count_rows(world, TABLE_WEBHOOK), webhooks);
    assert_int_equal(count_rows(world, TABLE_QUOTA), history);
}

static void what_is_not_counted_is_never_used_up(void **state)
{
    struct world *world = *state;

    put_product(world, "a", (struct product){.low_warn = 100, .low_switch = 100});
    for (int i = 0; i < 10; i++)
        assert_int_equal(take(world, "a", UINT32_MAX), OUTCOME_OK);
    give_back(world, "a", 5);
    assert_int_equal(product_row_of(world, "a").quota, 0);
    expect_rows(world, 0, 0);
}

/* SMS-3 */
static void parts_are_taken_while_there_are_enough(void **state)
{
    struct world *world = *state;

    put_product(world, "a", (struct product){0});
    change_quota(world, "a", 10);
    assert_int_equal(take(world, "a", 4), OUTCOME_OK);
    assert_int_equal(take(world, "a", 7), OUTCOME_NO_ROUTE);
    assert_int_equal(product_row_of(world, "a").quota, 6);
    assert_int_equal(take(world, "a", 6), OUTCOME_OK);
    assert_int_equal(take(world, "a", 1), OUTCOME_NO_ROUTE);
    give_back(world, "a", 2);
    assert_int_equal(take(world, "a", 2), OUTCOME_OK);
    expect_rows(world, 0, 1);
}

/* SMS-3 */
static void a_warning_is_given_once_until_an_operator_lifts_the_quota(void **state)
{
    struct world *world = *state;

    put_product(world, "a", (struct product){.low_warn = 10, .low_switch = 5});
    change_quota(world, "a", 12);
    take(world, "a", 2);
    expect_rows(world, 0, 1); /* ten are not below ten */
    for (int i = 0; i < 5; i++)
        take(world, "a", 1);
    expect_rows(world, 1, 2);
    take(world, "a", 1);
    expect_rows(world, 1, 3); /* below low_switch, too */
    give_back(world, "a", 8);
    take(world, "a", 8);
    expect_rows(world, 1, 3); /* messages that failed and others are no recovery */
    change_quota(world, "a", 3);
    take(world, "a", 1);
    expect_rows(world, 1, 4);
    change_quota(world, "a", 8);
    expect_rows(world, 1, 5);
    take(world, "a", 6);
    expect_rows(world, 2, 6);
}

static void a_message_that_crosses_leaves_a_row_of_what_it_did(void **state)
{
    struct world *world = *state;
    uint64_t product;
    struct product_row row;
    struct quota_row quota;
    struct text reason;
    struct txn *txn;

    put_product(world, "a", (struct product){.low_warn = 10});
    change_quota(world, "a", 12);
    take(world, "a", 3);
    product = number_of(world, CATALOG_PRODUCT, "a");
    row = product_row_of(world, "a");
    txn = store_begin(world->store);
    assert_true(quota_find(txn, product, row.quota_last, &quota, &reason));
    assert_int_equal(quota.cause, QUOTA_LOW_WARN);
    assert_true(quota.before == 12 && quota.delta == -3 && quota.after == 9 && quota.by == 0);
    assert_int_equal(reason.size, 0);
    store_abort(txn);
}

static void setting_a_threshold_is_no_crossing(void **state)
{
    struct world *world = *state;

    put_product(world, "a", (struct product){0});
    change_quota(world, "a", 50);
    put_product(world, "a", (struct product){.low_warn = 100});
    take(world, "a", 1);
    expect_rows(world, 0, 1);
    put_product(world, "a", (struct product){.low_warn = 40});
    take(world, "a", 10);
    expect_rows(world, 1, 2);
}

static void a_put_keeps_the_quota(void **state)
{
    struct world *world = *state;

    put_product(world, "a", (struct product){.price = 1});
    change_quota(world, "a", 50);
    put_product(world, "a", (struct product){.price = 2});
    assert_int_equal(product_row_of(world, "a").quota, 50);
    assert_int_equal(product_row_of(world, "a").price, 2);
    assert_int_equal(change_quota(world, "a", -51), OUTCOME_QUOTA_BELOW_ZERO);
    assert_int_equal(change_quota(world, "b", 1), OUTCOME_PRODUCT_NOT_FOUND);
}

/* --- settings ------------------------------------------------------------------------------------
 */

static void a_setting_is_what_it_was_set_to_while_it_is_enabled(void **state)
{
    struct world *world = *state;
    struct catalog_draft draft;
    struct txn *txn = store_begin(world->store);

    assert_null(setting_text(txn, SETTING_WEBHOOK_URL).data);
    store_abort(txn);
    catalog_draft_init(&draft, CATALOG_SETTING);
    catalog_draft_text(&draft, SETTING_VALUE, TEXT("https://acme.example"));
    assert_int_equal(put(world, "webhook_url", &draft), OUTCOME_OK);
    assert_int_equal(put(world, "webhook_uri", &draft), OUTCOME_SETTING_NOT_FOUND);
    txn = store_begin(world->store);
    assert_true(text_equals(setting_text(txn, SETTING_WEBHOOK_URL), TEXT("https://acme.example")));
    store_abort(txn);
    set_status(world, CATALOG_SETTING, "webhook_url", CATALOG_DISABLED);
    txn = store_begin(world->store);
    assert_null(setting_text(txn, SETTING_WEBHOOK_URL).data);
    store_abort(txn);
}

/* --- the audit -----------------------------------------------------------------------------------
 */

static void feed(struct txn *txn, struct catalog_audit *audit, enum table table, const void *key,
                 size_t key_size)
{
    size_t size;
    const void *value = txn_get(txn, table, key, key_size, &size);

    if (value != NULL)
        catalog_audit_row(audit, table, key, key_size, value, size);
}

/* Each row that is found by a number, and the numbers themselves. */
static void feed_walked(struct txn *txn, struct catalog_audit *audit, enum table table)
{
    struct txn_walk *walk = txn_walk(txn, table, WALK_UP, NULL, 0);

    while (txn_walk_next(walk))
        catalog_audit_row(audit, table, walk->key, walk->key_size, walk->value, walk->value_size);
    txn_walk_end(walk);
}

enum { PLACE_MAX = 80 };

struct place {
    enum table table;
    char key[PLACE_MAX];
    size_t key_size;
};

static const char *const things[] = {"\1acme",    "\1other", "\2CN", "\2SG",
                                     "\3channel", "\4a",     "\6r"};

/* Of the world that `audited` makes. */
static const char *fault_of(struct txn *txn, const struct place *product)
{
    struct catalog_audit audit = {0};

    for (size_t i = 0; i < sizeof things / sizeof *things; i++)
        feed(txn, &audit, TABLE_CATALOG, things[i], strlen(things[i]));
    feed_walked(txn, &audit, TABLE_CATALOG_NUMBER);
    feed_walked(txn, &audit, TABLE_QUOTA);
    feed(txn, &audit, TABLE_ROUTE, "\2CNacme", 7);
    feed(txn, &audit, TABLE_PRODUCT, product->key, product->key_size);
    feed(txn, &audit, TABLE_CALLING_CODE, "8", 1);
    return catalog_audit_finish(&audit);
}

static struct place place_of(enum table table, const void *key, size_t key_size)
{
    struct place place = {.table = table, .key_size = key_size};

    assert_true(key_size <= sizeof place.key);
    memcpy(place.key, key, key_size);
    return place;
}

/* With `place` deleted, or one byte of its value changed. */
static void expect_fault(struct world *world, const struct place *product,
                         const struct place *place, size_t byte, bool is_deleted)
{
    struct txn *txn = store_begin(world->store);
    char value[VALUE_BYTES_MAX];
    size_t size;
    const void *found = txn_get(txn, place->table, place->key, place->key_size, &size);

    assert_non_null(found);
    memcpy(value, found, size);
    assert_true(byte < size);
    value[byte] ^= 1;
    if (is_deleted)
        txn_delete(txn, place->table, place->key, place->key_size);
    else
        txn_put(txn, place->table, place->key, place->key_size, value, size);
    assert_non_null(fault_of(txn, product));
    store_abort(txn);
}

/* OPS-5: `smsd verify` holds what follows from things against the things. */
static void the_audit_finds_what_does_not_follow(void **state)
{
    struct world *world = *state;
    struct product_row row;
    struct place product, quota, number;
    char key[16];
    struct txn *txn;

    put_product(world, "a", (struct product){.country = "CN", .low_warn = 3});
    put_route(world, "r", (struct route){.product = "a"});
    change_quota(world, "a", 5);
    take(world, "a", 4);
    row = product_row_of(world, "a");
    bytes_put_u64_be(key, row.number);
    bytes_put_u64_be(key + 8, row.quota_last);
    product = place_of(TABLE_PRODUCT, key, 8);
    quota = place_of(TABLE_QUOTA, key, 16);
    memmove(key + 1, key, 8);
    key[0] = CATALOG_PRODUCT;
    number = place_of(TABLE_CATALOG_NUMBER, key, 9);
    txn = store_begin(world->store);
    assert_null(fault_of(txn, &product));
    store_abort(txn);
    for (int i = 0; i < 2; i++) {
        struct place group = place_of(TABLE_ROUTE, "\2CNacme", 7);
        struct place code = place_of(TABLE_CALLING_CODE, "8", 1);
        struct place thing = place_of(TABLE_CATALOG, "\6r", 2);
        expect_fault(world, &product, &number, 0, i == 0);
        expect_fault(world, &product, &quota, offsetof(struct quota_row, after), i == 0);
        expect_fault(world, &product, &product, offsetof(struct product_row, price), i == 0);
        expect_fault(world, &product, &product, offsetof(struct product_row, countries), i == 0);
        expect_fault(world, &product, &group, offsetof(struct route_member, weight), i == 0);
        expect_fault(world, &product, &group, offsetof(struct route_member, flags), i == 0);
        expect_fault(world, &product, &code, offsetof(struct catalog_calling, code), i == 0);
        expect_fault(world, &product, &thing, offsetof(struct catalog_row, status), i == 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_thing_is_found_by_id_and_by_number),
        TEST(what_was_not_given_has_its_fallback_and_lists_that_limit_nothing),
        TEST(a_copy_outlives_a_change),
        TEST(what_a_draft_refers_to_must_be_there_and_not_void),
        TEST(a_draft_that_is_too_large_says_so_and_is_refused),
        TEST(countries_are_found_by_calling_code_the_longest_first),
        TEST(a_country_that_changes_its_calling_code_is_found_by_the_new_one),
        TEST(more_countries_than_fit_are_refused_and_leave_nothing),
        TEST(what_is_not_counted_is_never_used_up),
        TEST(parts_are_taken_while_there_are_enough),
        TEST(a_warning_is_given_once_until_an_operator_lifts_the_quota),
        TEST(a_message_that_crosses_leaves_a_row_of_what_it_did),
        TEST(setting_a_threshold_is_no_crossing),
        TEST(a_put_keeps_the_quota),
        TEST(the_audit_finds_what_does_not_follow),
        TEST(a_setting_is_what_it_was_set_to_while_it_is_enabled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
