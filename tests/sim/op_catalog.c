/* From an op's plain numbers to a change of the catalogue that messages are sent by. There are few
 * things of each kind, so that they change under messages that are on their way. */
#include <stdio.h>
#include <string.h>

#include "engine/catalog.h"
#include "engine/route.h"
#include "episode.h"

#define ID(string) ((struct text){(string), sizeof(string) - 1})

static const struct text country_ids[] = {{"CN", 2}, {"SG", 2}, {"US", 2}};
static const struct text ids[] = {{"x0", 2}, {"x1", 2}, {"x2", 2}, {"x3", 2},
                                  {"x4", 2}, {"x5", 2}, {"x6", 2}, {"x7", 2}};

enum { COUNTRIES = 3, COMPANIES = 2, CHANNELS = 2, PRODUCTS = 4, TEMPLATES = 4, ROUTES = 8 };

/* What is put now: the command points to it. */
static struct catalog_draft draft;

/* The settings of verifications, so that few codes suffice to come to every limit. */
static const struct {
    struct text id;
    uint32_t most;
} settings[] = {
    {{"verification_per_minute", 23}, 3},       {{"verification_per_hour", 21}, 8},
    {{"verification_per_day", 20}, 12},         {{"verification_address_per_hour", 29}, 9},
    {{"verification_prefix_per_hour", 28}, 12}, {{"verification_prefix_tail", 24}, 5},
    {{"verification_pumping_unused", 27}, 5},   {{"verification_pumping_percent", 28}, 99},
    {{"verification_pumping_minutes", 28}, 60}, {{"verification_attempts", 21}, 6},
    {{"verification_wrong_per_day", 26}, 15},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

static void put_setting(uint32_t place, uint32_t number)
{
    static char value[12];
    int size = snprintf(value, sizeof value, "%u", 1 + number % settings[place % SETTINGS].most);

    catalog_draft_text(&draft, SETTING_VALUE, (struct text){value, (size_t)size});
}

static uint32_t count_of(enum catalog_kind kind)
{
    static const uint32_t counts[CATALOG_KIND_COUNT] = {
        [CATALOG_COMPANY] = COMPANIES, [CATALOG_COUNTRY] = COUNTRIES,  [CATALOG_CHANNEL] = CHANNELS,
        [CATALOG_PRODUCT] = PRODUCTS,  [CATALOG_TEMPLATE] = TEMPLATES, [CATALOG_ROUTE] = ROUTES,
        [CATALOG_SETTING] = SETTINGS};

    return counts[kind];
}

static struct text id_of(enum catalog_kind kind, uint32_t place)
{
    if (kind == CATALOG_SETTING)
        return settings[place % SETTINGS].id;
    return kind == CATALOG_COUNTRY ? country_ids[place % COUNTRIES] : ids[place % count_of(kind)];
}

static void put_country(uint32_t place)
{
    static const int64_t codes[] = {86, 65, 1};
    static const char *const zones[][2] = {{"Asia/Shanghai\nCST-8", NULL},
                                           {"92=Asia/Singapore\n<+08>-8", "Asia/Dubai\n<+04>-4"},
                                           {"America/New_York\nEST5EDT,M3.2.0,M11.1.0",
                                            "America/Los_Angeles\nPST8PDT,M3.2.0,M11.1.0"}};
    struct text texts[2];
    size_t count = 0;

    catalog_draft_text(&draft, COUNTRY_NAME, ID("country"));
    catalog_draft_int(&draft, COUNTRY_CALLING_CODE, codes[place % COUNTRIES]);
    catalog_draft_int(&draft, COUNTRY_SIGNATURE_REQUIRED, place % COUNTRIES == 0);
    for (; count < 2 && zones[place % COUNTRIES][count] != NULL; count++)
        texts[count] =
            (struct text){zones[place % COUNTRIES][count], strlen(zones[place % COUNTRIES][count])};
    catalog_draft_texts(&draft, COUNTRY_TIMEZONES, texts, count);
}

static void put_company(uint32_t place, uint32_t number)
{
    catalog_draft_text(&draft, COMPANY_NAME, ID("company"));
    catalog_draft_text(&draft, COMPANY_ACCOUNT, op_account_id((uint8_t)(place % COMPANIES)));
    if (number % 4 != 0)
        catalog_draft_text(&draft, COMPANY_SIGNATURE, ID("Acme"));
    if (number % 8 == 1)
        catalog_draft_texts(&draft, COMPANY_COUNTRIES, country_ids, 2);
}

static void put_channel(uint32_t number)
{
    catalog_draft_text(&draft, CHANNEL_NAME, ID("channel"));
    catalog_draft_int(&draft, CHANNEL_SIGNATURE_SUPPORTED, number % 4 != 0);
}

static void put_product(uint32_t place, uint32_t number)
{
    catalog_draft_text(&draft, PRODUCT_CHANNEL, id_of(CATALOG_CHANNEL, place));
    catalog_draft_text(&draft, PRODUCT_GATEWAY, ID("{\"type\":\"sandbox\"}"));
    catalog_draft_int(&draft, PRODUCT_PRICE, number % 8 == 0 ? 0 : number % 9);
    catalog_draft_int(&draft, PRODUCT_LOW_WARN, number / 16 % 40);
    catalog_draft_int(&draft, PRODUCT_LOW_SWITCH, number / 32 % 20);
    catalog_draft_int(&draft, PRODUCT_ON_UNKNOWN, 1 + number / 64 % 3);
    if (number % 16 == 3)
        catalog_draft_texts(&draft, PRODUCT_COUNTRIES, country_ids + 1, 2);
    if (number % 16 == 5)
        catalog_draft_int(&draft, PRODUCT_PART_LENGTH, 40 + number / 128 % 100);
}

static void put_template(uint32_t place, uint32_t number)
{
    catalog_draft_text(&draft, TEMPLATE_CONTENT,
                       place % 2 == 1                      ? ID("{name}: {code}")
                       : place % 4 == 2 && number % 4 == 0 ? ID("{city}: {code}")
                       : number % 2 == 0                   ? ID("Your code is {code}.")
                                                           : ID("{code} \xe2\x82\xac"));
    catalog_draft_int(&draft, TEMPLATE_KIND, 1 + place % 3);
}

static void put_route(uint32_t place, uint32_t number)
{
    catalog_draft_text(&draft, ROUTE_COMPANY, id_of(CATALOG_COMPANY, place));
    catalog_draft_text(&draft, ROUTE_COUNTRY, country_ids[number % 8 == 0 ? 1 : 0]);
    catalog_draft_int(&draft, ROUTE_KIND, number / 4 % 3 == 0 ? 1 : 2);
    catalog_draft_text(&draft, ROUTE_PRODUCT, id_of(CATALOG_PRODUCT, number / 16));
    catalog_draft_int(&draft, ROUTE_WEIGHT, 1 + number / 64 % 5);
    catalog_draft_int(&draft, ROUTE_SORT, number / 512 % 2);
    catalog_draft_int(&draft, ROUTE_FAILOVER_ON_UNDELIVERED, number / 1024 % 2);
}

static void catalog_put(enum catalog_kind kind, uint32_t place, uint32_t number,
                        struct command *command)
{
    catalog_draft_init(&draft, kind);
    switch (kind) {
    case CATALOG_COUNTRY:
        put_country(place);
        break;
    case CATALOG_COMPANY:
        put_company(place, number);
        break;
    case CATALOG_CHANNEL:
        put_channel(number);
        break;
    case CATALOG_PRODUCT:
        put_product(place, number);
        break;
    case CATALOG_TEMPLATE:
        put_template(place, number);
        break;
    case CATALOG_SETTING:
        put_setting(place, number);
        break;
    default:
        put_route(place, number);
        break;
    }
    *command = (struct command){.type = COMMAND_CATALOG_PUT};
    command->of.catalog_put = (struct catalog_put_command){id_of(kind, place), &draft, 0};
}

/* Seldom for ever, and mostly back to normal. */
static enum catalog_status status_of(uint32_t number)
{
    if (number % 64 == 0)
        return CATALOG_VOID;
    return number % 6 == 0 ? CATALOG_DISABLED : CATALOG_ENABLED;
}

void op_catalog_command(const struct op *op, struct command *command)
{
    static const enum catalog_kind kinds[] = {
        CATALOG_PRODUCT, CATALOG_ROUTE,   CATALOG_ROUTE,   CATALOG_ROUTE,   CATALOG_TEMPLATE,
        CATALOG_CHANNEL, CATALOG_COMPANY, CATALOG_COUNTRY, CATALOG_PRODUCT, CATALOG_SETTING};
    enum catalog_kind kind = kinds[op->pick % (sizeof kinds / sizeof *kinds)];
    struct catalog_status_command *status = &command->of.catalog_status;

    switch (command->type) {
    case COMMAND_CATALOG_PUT:
        catalog_put(kind, op->pick / 16, op->number, command);
        break;
    case COMMAND_CATALOG_STATUS:
        *status = (struct catalog_status_command){kind, id_of(kind, op->pick / 16),
                                                  status_of(op->number), 0};
        break;
    default:
        command->of.quota_change = (struct quota_change_command){
            .product = id_of(CATALOG_PRODUCT, op->pick),
            .delta = op->number % 4 == 0 ? -(int64_t)(op->number % 50) : 1 + op->number % 200,
            .reason = ID("bought")};
        break;
    }
}

/* What there is before the first message, of all kinds: false when that is all. */
bool op_catalog_setup(uint32_t step, uint32_t number, struct command *command)
{
    static const enum catalog_kind kinds[] = {CATALOG_COUNTRY, CATALOG_CHANNEL,  CATALOG_COMPANY,
                                              CATALOG_PRODUCT, CATALOG_TEMPLATE, CATALOG_ROUTE,
                                              CATALOG_SETTING};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (step < count_of(kinds[i])) {
            catalog_put(kinds[i], step, number, command);
            return true;
        }
        step -= count_of(kinds[i]);
    }
    if (step >= PRODUCTS - 1) /* the last one is not counted */
        return false;
    *command = (struct command){.type = COMMAND_QUOTA_CHANGE};
    command->of.quota_change =
        (struct quota_change_command){ids[step], 20 + number % 200, ID("bought"), 0};
    return true;
}
