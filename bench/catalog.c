/* What a message being accepted asks of the catalogue, in instructions: finding a thing by its id,
 * by its number, choosing a route, taking from a quota, and of marketing its quiet hours; over the
 * store in memory, with as many things as a large company has. Run under callgrind by `make
 * instructions`, which counts what lies inside of the functions named there.
 *
 *     build/bench/catalog COUNT */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/id.h"
#include "engine/catalog.h"
#include "engine/engine.h"
#include "engine/handler.h"
#include "engine/quiet_hours.h"
#include "engine/route.h"
#include "store/store.h"

enum { COMPANIES = 200, PRODUCTS = 30 };

static struct {
    struct store *store;
    uint64_t number_last;
    int64_t now_ms;
    struct catalog_draft draft;
    struct command command;
} bench = {.now_ms = ID_EPOCH_MS + 1000};

/* The names that callgrind looks for. */
bool find_thing(struct txn *txn, enum catalog_kind kind, struct text id,
                struct catalog_thing *thing);
bool find_by_number(struct txn *txn, uint64_t number, struct catalog_thing *thing);
enum outcome choose_route(struct engine *engine, struct text company, struct text country,
                          struct route_choice *choice);
enum outcome take_quota(struct engine *engine, uint64_t product);
int64_t quiet_until(struct txn *txn, struct text country, int64_t at_ms);

__attribute__((noinline, noipa)) bool find_thing(struct txn *txn, enum catalog_kind kind,
                                                 struct text id, struct catalog_thing *thing)
{
    return catalog_find(txn, kind, id, thing);
}

__attribute__((noinline, noipa)) bool find_by_number(struct txn *txn, uint64_t number,
                                                     struct catalog_thing *thing)
{
    return catalog_find_number(txn, CATALOG_PRODUCT, number, thing);
}

__attribute__((noinline, noipa)) enum outcome choose_route(struct engine *engine,
                                                           struct text company, struct text country,
                                                           struct route_choice *choice)
{
    return route_choose(engine, company, country, ROUTE_KIND_GENERAL, NULL, 0, choice);
}

__attribute__((noinline, noipa)) enum outcome take_quota(struct engine *engine, uint64_t product)
{
    return quota_take(engine, product, 1);
}

__attribute__((noinline, noipa)) int64_t quiet_until(struct txn *txn, struct text country,
                                                     int64_t at_ms)
{
    return quiet_hours_of_number(txn, country.data, UINT64_C(8613812345678), at_ms);
}

static void run(void)
{
    struct txn *txn = store_begin(bench.store);
    struct engine_effect effect;
    struct result result;

    bench.command.number = id_next(bench.number_last, bench.now_ms);
    bench.command.now_ms = bench.now_ms;
    engine_apply(txn, &bench.command, &result, &effect);
    if (result.outcome != OUTCOME_OK) {
        fprintf(stderr, "a command was answered %s\n", outcome_infos[result.outcome].code);
        exit(1);
    }
    bench.number_last = effect.number_last;
    store_commit(txn);
    store_submit(bench.store);
}

static struct text name(char to[32], const char *prefix, int number)
{
    return (struct text){to, (size_t)snprintf(to, 32, "%s%d", prefix, number)};
}

static void put(struct text id)
{
    bench.command = (struct command){.type = COMMAND_CATALOG_PUT};
    bench.command.of.catalog_put = (struct catalog_put_command){.id = id, .draft = &bench.draft};
    run();
}

static struct catalog_draft *draft(enum catalog_kind kind)
{
    catalog_draft_init(&bench.draft, kind);
    return &bench.draft;
}

static void put_products(void)
{
    static const char gateway[] =
        "{\"type\":\"http\",\"url\":\"https://provider.example/v2/messages\",\"method\":\"POST\","
        "\"token\":\"0123456789abcdef0123456789abcdef\",\"body\":{\"to\":\"{to}\",\"text\":\"{text}"
        "\"}}";
    char id[32];

    for (int i = 0; i < PRODUCTS; i++) {
        struct catalog_draft *product = draft(CATALOG_PRODUCT);
        catalog_draft_text(product, PRODUCT_CHANNEL, TEXT("channel"));
        catalog_draft_text(product, PRODUCT_NAME, TEXT("An account at a provider"));
        catalog_draft_texts(product, PRODUCT_COUNTRIES, (struct text[]){TEXT("CN"), TEXT("SG")}, 2);
        catalog_draft_text(product, PRODUCT_GATEWAY, (struct text){gateway, sizeof gateway - 1});
        catalog_draft_int(product, PRODUCT_PRICE, 45);
        catalog_draft_int(product, PRODUCT_RATE_PER_SECOND, 500);
        catalog_draft_int(product, PRODUCT_LOW_WARN, 1000);
        catalog_draft_int(product, PRODUCT_LOW_SWITCH, 100);
        put(name(id, "product", i));
        bench.command = (struct command){.type = COMMAND_QUOTA_CHANGE};
        bench.command.of.quota_change = (struct quota_change_command){
            .product = name(id, "product", i), .delta = 1000000000, .reason = TEXT("bought")};
        run();
    }
}

static void put_route(const char *prefix, int company, const char *country, int product, int weight)
{
    struct catalog_draft *route = draft(CATALOG_ROUTE);
    char id[32], name_of[2][32];

    catalog_draft_text(route, ROUTE_COMPANY, name(name_of[0], "company", company));
    catalog_draft_text(route, ROUTE_COUNTRY, (struct text){country, 2});
    catalog_draft_int(route, ROUTE_KIND, ROUTE_KIND_GENERAL);
    catalog_draft_text(route, ROUTE_PRODUCT, name(name_of[1], "product", product % PRODUCTS));
    catalog_draft_int(route, ROUTE_WEIGHT, weight);
    put(name(id, prefix, company));
}

/* To China each company has three routes that share, to Singapore one. */
static void put_companies(void)
{
    char id[32];

    for (int i = 0; i < COMPANIES; i++) {
        struct catalog_draft *company = draft(CATALOG_COMPANY);
        catalog_draft_text(company, COMPANY_NAME, TEXT("A company with limited liability"));
        catalog_draft_text(company, COMPANY_ACCOUNT, TEXT("purse"));
        catalog_draft_text(company, COMPANY_SIGNATURE, TEXT("company"));
        put(name(id, "company", i));
        put_route("cn.first.", i, "CN", i, 60);
        put_route("cn.second.", i, "CN", i + 1, 30);
        put_route("cn.third.", i, "CN", i + 2, 10);
        put_route("sg.", i, "SG", i + 3, 1);
    }
}

#define ZONE(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* CN has one zone, SG here as many as the USA. */
static void put_country(const char *alpha2, int64_t code)
{
    static const struct text one[] = {ZONE("Asia/Shanghai\nCST-8")};
    static const struct text six[] = {ZONE("America/New_York\nEST5EDT,M3.2.0,M11.1.0"),
                                      ZONE("America/Chicago\nCST6CDT,M3.2.0,M11.1.0"),
                                      ZONE("America/Denver\nMST7MDT,M3.2.0,M11.1.0"),
                                      ZONE("America/Los_Angeles\nPST8PDT,M3.2.0,M11.1.0"),
                                      ZONE("America/Anchorage\nAKST9AKDT,M3.2.0,M11.1.0"),
                                      ZONE("Pacific/Honolulu\nHST10")};
    struct catalog_draft *country = draft(CATALOG_COUNTRY);

    catalog_draft_text(country, COUNTRY_NAME, TEXT("A country"));
    catalog_draft_int(country, COUNTRY_CALLING_CODE, code);
    catalog_draft_texts(country, COUNTRY_TIMEZONES, alpha2[0] == 'C' ? one : six,
                        alpha2[0] == 'C' ? 1 : 6);
    put((struct text){alpha2, 2});
}

static void fill(void)
{
    bench.command = (struct command){.type = COMMAND_BOOTSTRAP};
    run();
    bench.command = (struct command){.type = COMMAND_TOPUP};
    bench.command.of.topup = (struct money_command){TEXT("purse"), 1, {NULL, 0}};
    run();
    put_country("CN", 86);
    put_country("SG", 65);
    catalog_draft_text(draft(CATALOG_CHANNEL), CHANNEL_NAME, TEXT("A provider"));
    put(TEXT("channel"));
    put_products();
    put_companies();
}

/* At night and by day in turns, over a year. */
static int64_t at(int i)
{
    return bench.now_ms + i * INT64_C(31) * 1013 * 1000;
}

static void ask(int i, struct text country)
{
    struct engine_effect effect = {.number_last = bench.number_last, .due_first_ms = INT64_MAX};
    struct engine engine = {
        .txn = store_begin(bench.store), .command = &bench.command, .effect = &effect};
    struct catalog_thing thing;
    struct route_choice choice;
    char id[32];

    if (!find_thing(engine.txn, CATALOG_COMPANY, name(id, "company", i % COMPANIES), &thing) ||
        choose_route(&engine, thing.id, country, &choice) != OUTCOME_OK ||
        take_quota(&engine, choice.product) != OUTCOME_OK ||
        !find_by_number(engine.txn, choice.product, &thing) ||
        quiet_until(engine.txn, country, at(i)) < at(i))
        abort();
    store_commit(engine.txn);
}

int main(int argc, char **argv)
{
    struct store_options options = {.overlay_bytes_max = (size_t)1 << 30};
    int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000;
    struct text country = argc > 2 ? TEXT("SG") : TEXT("CN");
    struct buffer why;
    int error;

    buffer_init(&why);
    error = store_open(&bench.store, &options, &why);
    assert(error == 0);
    fill();
    for (int i = 0; i < count; i++)
        ask(i, country);
    store_close(bench.store, false);
    buffer_release(&why);
    return 0;
}
