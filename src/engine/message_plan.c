/* Checks in the order in which they make sense, each noting what is wrong and going on, so that a
 * client learns everything at once. What depends on the product (how it counts parts, whether its
 * channel carries signatures) comes after the route, which is only chosen for what may be sent. */
#include "engine/message_plan.h"

#include <assert.h>
#include <string.h>

#include "engine/blocklist.h"
#include "engine/catalog.h"
#include "engine/message.h"
#include "engine/mobile.h"
#include "engine/quiet_hours.h"
#include "engine/signature.h"
#include "engine/template.h"

/* How far ahead a message may be scheduled, and wait. */
#define AHEAD_MAX_MS (INT64_C(366) * 24 * 60 * 60 * 1000)

static const int64_t expiries_ms[] = {
#define MESSAGE_KIND(name, number, text, expiry_ms, backoff_ms) [number] = (expiry_ms),
#include "engine/message_kind.def"
#undef MESSAGE_KIND
};

static void fault(struct message_plan *plan, enum outcome outcome, const char *field,
                  struct text param, const char *detail)
{
    if (plan->fault_count < MESSAGE_FAULTS_MAX)
        plan->faults[plan->fault_count++] = (struct message_fault){outcome, field, param, detail};
}

static void field_fault(struct message_plan *plan, enum outcome outcome, const char *field,
                        const char *detail)
{
    fault(plan, outcome, field, (struct text){NULL, 0}, detail);
}

/* The first one counts. */
static void refuse(struct message_plan *plan, enum outcome outcome)
{
    if (plan->refusal == OUTCOME_OK)
        plan->refusal = outcome;
}

enum outcome message_plan_outcome(const struct message_plan *plan)
{
    enum outcome outcome = OUTCOME_OK;

    if (plan->refusal != OUTCOME_OK && outcome_infos[plan->refusal].status == 404)
        return plan->refusal;
    for (size_t i = 0; i < plan->fault_count; i++) {
        if (i > 0 && plan->faults[i].outcome != outcome)
            return OUTCOME_INVALID;
        outcome = plan->faults[i].outcome;
    }
    return outcome != OUTCOME_OK ? outcome : plan->refusal;
}

/* --- whose ---------------------------------------------------------------------------------------
 */

/* False: there is none that may send. */
static bool take_company(struct message_plan *plan, struct txn *txn, struct catalog_thing *company)
{
    struct text signature, account;

    if (!catalog_find(txn, CATALOG_COMPANY, plan->command->company, company) ||
        company->status != CATALOG_ENABLED) {
        refuse(plan, OUTCOME_COMPANY_NOT_FOUND);
        return false;
    }
    plan->company = company->number;
    account = catalog_text(company, COMPANY_ACCOUNT);
    assert(account.data != NULL && account.size <= sizeof plan->account_bytes);
    memcpy(plan->account_bytes, account.data, account.size);
    plan->account = (struct text){plan->account_bytes, account.size};
    signature = catalog_text(company, COMPANY_SIGNATURE);
    assert(signature.size <= sizeof plan->company_signature);
    plan->has_company_signature = signature.data != NULL;
    plan->company_signature_size = signature.size;
    if (signature.data != NULL)
        memcpy(plan->company_signature, signature.data, signature.size);
    return true;
}

/* --- where to ------------------------------------------------------------------------------------
 */

/* Of one country what mobile_match looks at: of its prefixes only the longest that the number has,
 * and of those that it has not the first, so that there is one. */
struct rule {
    struct mobile_rule rule;
    struct text prefix;
};

static void read_rule(const struct catalog_thing *country, uint32_t code, struct text national,
                      struct rule *rule)
{
    struct text prefix;
    int64_t length;
    size_t at = 0;

    *rule = (struct rule){.rule = {.calling_code = code}};
    while (catalog_ints_next(country, COUNTRY_NUMBER_LENGTHS, &at, &length))
        rule->rule.lengths |= 1U << length;
    at = 0;
    while (catalog_texts_next(country, COUNTRY_NUMBER_PREFIXES, &at, &prefix)) {
        bool fits =
            prefix.size <= national.size && memcmp(prefix.data, national.data, prefix.size) == 0;
        if (rule->rule.prefixes_count == 0 || (fits && prefix.size > rule->prefix.size))
            rule->prefix = prefix;
        else if (!fits)
            continue;
        rule->rule.prefixes_count = 1;
    }
}

static size_t code_digits(uint32_t code)
{
    size_t digits = 1;

    while (code >= 10) {
        code /= 10;
        digits++;
    }
    return digits;
}

static void match_country(struct message_plan *plan, struct txn *txn, struct text digits,
                          struct catalog_thing *country)
{
    struct catalog_calling found[CATALOG_CALLING_MAX];
    struct rule rules[CATALOG_CALLING_MAX];
    struct mobile_rule matched[CATALOG_CALLING_MAX];
    size_t count = catalog_countries_calling(txn, digits, found), place;
    enum mobile_match match;

    for (size_t i = 0; i < count; i++) {
        size_t code = code_digits(found[i].code);
        if (!catalog_find(txn, CATALOG_COUNTRY, (struct text){found[i].country, 2}, country))
            assert(!"a calling code of no country");
        read_rule(country, found[i].code, (struct text){digits.data + code, digits.size - code},
                  &rules[i]);
        rules[i].rule.prefixes = &rules[i].prefix;
        matched[i] = rules[i].rule;
    }
    match = mobile_match(plan->to, matched, count, &place);
    if (match == MOBILE_NO_COUNTRY)
        field_fault(plan, OUTCOME_INVALID_NUMBER, "to", "has no country's calling code");
    else if (match == MOBILE_BAD_PREFIX)
        field_fault(plan, OUTCOME_INVALID_NUMBER, "to", "does not begin as its country's mobiles");
    else if (match == MOBILE_BAD_LENGTH)
        field_fault(plan, OUTCOME_INVALID_NUMBER, "to", "has not as many digits as its country's");
    else
        memcpy(plan->country, found[place].country, sizeof plan->country);
}

static void take_recipient(struct message_plan *plan, struct txn *txn)
{
    struct catalog_thing thing;
    struct text to = plan->command->to;

    if (!mobile_parse(to, &plan->to)) {
        field_fault(plan, OUTCOME_INVALID_NUMBER, "to", "must be + and 7 to 15 digits (E.164)");
        return;
    }
    match_country(plan, txn, (struct text){to.data + 1, to.size - 1}, &thing);
    if (plan->country[0] == '\0')
        return;
    if (!catalog_find(txn, CATALOG_COUNTRY, (struct text){plan->country, 2}, &thing))
        assert(!"a country that was there");
    plan->is_signature_required = catalog_int(&thing, COUNTRY_SIGNATURE_REQUIRED) != 0;
    if (thing.status != CATALOG_ENABLED)
        refuse(plan, OUTCOME_COUNTRY_NOT_ALLOWED);
}

/* --- what ----------------------------------------------------------------------------------------
 */

static void take_render_faults(struct message_plan *plan, const struct template_refusal *refusal)
{
    for (size_t i = 0; i < refusal->missing.count; i++)
        fault(plan, OUTCOME_MISSING_PARAMETER, "params", refusal->missing.names[i],
              "is a placeholder of the template and missing");
    for (size_t i = 0; i < refusal->unknown.count; i++)
        fault(plan, OUTCOME_UNKNOWN_PARAMETER, "params", refusal->unknown.names[i],
              "is no placeholder of the template");
}

static void take_template(struct message_plan *plan, struct txn *txn)
{
    const struct message_submit_command *command = plan->command;
    struct template_refusal refusal;
    struct catalog_thing template;

    if (!catalog_find(txn, CATALOG_TEMPLATE, command->template, &template) ||
        template.status != CATALOG_ENABLED ||
        !catalog_texts_have(&template, TEMPLATE_COMPANIES, command->company)) {
        refuse(plan, OUTCOME_TEMPLATE_NOT_FOUND);
        return;
    }
    plan->template = template.number;
    plan->kind = (enum message_kind)catalog_int(&template, TEMPLATE_KIND);
    switch (template_render(catalog_text(&template, TEMPLATE_CONTENT), command->params,
                            command->param_count, plan->body, sizeof plan->body, &plan->body_size,
                            &refusal)) {
    case TEMPLATE_RENDERED:
        break;
    case TEMPLATE_TOO_LONG:
        field_fault(plan, OUTCOME_TOO_LONG, "params", "make the text longer than a message can be");
        break;
    case TEMPLATE_MISSING:
    case TEMPLATE_UNKNOWN:
        take_render_faults(plan, &refusal);
        break;
    }
}

static void take_content(struct message_plan *plan)
{
    struct text content = plan->command->content;

    plan->kind = plan->command->kind;
    if (content.size > sizeof plan->body) {
        field_fault(plan, OUTCOME_TOO_LONG, "content", "is longer than a message can be");
        return;
    }
    memcpy(plan->body, content.data, content.size);
    plan->body_size = content.size;
}

static void take_times(struct message_plan *plan)
{
    const struct message_submit_command *command = plan->command;
    int64_t begin_ms = plan->now_ms, latest_ms = plan->now_ms + AHEAD_MAX_MS;

    if (command->send_at_ms > begin_ms)
        plan->send_at_ms = begin_ms = command->send_at_ms;
    if (command->send_at_ms > latest_ms)
        field_fault(plan, OUTCOME_INVALID, "send_at", "is more than 366 days ahead");
    plan->expire_at_ms = begin_ms + expiries_ms[plan->kind];
    if (command->expire_at_ms == 0)
        return;
    plan->expire_at_ms = command->expire_at_ms;
    if (command->expire_at_ms <= begin_ms)
        field_fault(plan, OUTCOME_INVALID, "expire_at", "must be later than now and send_at");
    if (command->expire_at_ms > latest_ms)
        field_fault(plan, OUTCOME_INVALID, "expire_at", "is more than 366 days ahead");
}

/* SMS-18: as if the client had asked for the end of the recipient's quiet hours. */
static void take_quiet_hours(struct message_plan *plan, struct txn *txn)
{
    int64_t begin_ms = plan->send_at_ms != 0 ? plan->send_at_ms : plan->now_ms, end_ms;
    bool is_expiry_given = plan->command->expire_at_ms != 0;

    if (plan->kind != MESSAGE_KIND_MARKETING || plan->country[0] == '\0')
        return;
    end_ms = quiet_hours_of_number(txn, plan->country, plan->to, begin_ms);
    if (end_ms == begin_ms)
        return;
    if (end_ms == INT64_MAX || (is_expiry_given && end_ms >= plan->expire_at_ms)) {
        refuse(plan, OUTCOME_QUIET_HOURS);
        return;
    }
    plan->send_at_ms = end_ms;
    if (!is_expiry_given)
        plan->expire_at_ms = end_ms + expiries_ms[plan->kind];
}

void message_plan_begin(struct message_plan *plan, struct txn *txn,
                        const struct message_submit_command *command, int64_t now_ms)
{
    struct catalog_thing company;
    bool has_company;

    memset(plan, 0, offsetof(struct message_plan, account_bytes));
    plan->command = command;
    plan->now_ms = now_ms;
    has_company = take_company(plan, txn, &company);
    if (command->template.data != NULL)
        take_template(plan, txn);
    else
        take_content(plan);
    take_recipient(plan, txn);
    if (plan->country[0] != '\0' && has_company &&
        !catalog_texts_have(&company, COMPANY_COUNTRIES, (struct text){plan->country, 2}))
        refuse(plan, OUTCOME_COUNTRY_NOT_ALLOWED);
    if (plan->to != 0 && plan->kind != 0 && blocklist_stops(txn, plan->to, plan->kind))
        refuse(plan, OUTCOME_BLOCKED_NUMBER);
    if (plan->kind != 0) {
        take_times(plan);
        take_quiet_hours(plan, txn);
    }
}

/* --- how -----------------------------------------------------------------------------------------
 */

static bool choose_route(struct message_plan *plan, struct txn *txn, struct engine *engine,
                         const uint64_t *tried, size_t tried_count)
{
    struct text country = {plan->country, sizeof plan->country};
    enum route_kind kind =
        plan->kind == MESSAGE_KIND_VERIFICATION ? ROUTE_KIND_VERIFICATION : ROUTE_KIND_GENERAL;
    enum outcome outcome = engine != NULL ? route_choose(engine, plan->command->company, country,
                                                         kind, tried, tried_count, &plan->route)
                                          : route_preview(txn, plan->command->company, country,
                                                          kind, tried, tried_count, &plan->route);

    if (outcome != OUTCOME_OK)
        refuse(plan, outcome);
    return outcome == OUTCOME_OK;
}

static void take_text(struct message_plan *plan, uint32_t part_length, bool is_signature_supported)
{
    const char *field = plan->command->template.data != NULL ? "params" : "content";
    struct text own = {plan->company_signature, plan->company_signature_size};
    struct text body = {plan->body, plan->body_size};
    size_t size;

    if (!plan->has_company_signature)
        own = (struct text){NULL, 0};
    /* Kept also where the text does not carry it: the provider may want it beside the text. */
    if (signature_choose(plan->command->signature, own, plan->is_signature_required, true,
                         &plan->signature) == SIGNATURE_REQUIRED) {
        field_fault(plan, OUTCOME_SIGNATURE_REQUIRED, "signature", "is required by the country");
        return;
    }
    if (is_signature_supported && plan->signature.size > 0) {
        if (!signature_write(plan->signature, body, (struct text){plan->country, 2}, plan->bytes,
                             sizeof plan->bytes, &size)) {
            field_fault(plan, OUTCOME_TOO_LONG, field, "is too long with its signature");
            return;
        }
        body = (struct text){plan->bytes, size};
    }
    plan->content = body;
    if (!parts_count(body, part_length, MESSAGE_PARTS_MAX, &plan->parts))
        field_fault(plan, OUTCOME_TOO_LONG, field, "makes more than 10 parts");
}

void message_plan_finish(struct message_plan *plan, struct txn *txn, struct engine *engine,
                         const uint64_t *tried, size_t tried_count)
{
    bool is_signature_supported = true;
    uint32_t part_length = 0;

    if (message_plan_outcome(plan) == OUTCOME_OK &&
        choose_route(plan, txn, engine, tried, tried_count)) {
        part_length = plan->route.part_length;
        is_signature_supported = plan->route.is_signature_supported;
        plan->price = plan->route.price;
    }
    if (plan->body_size == 0 && plan->fault_count > 0)
        return; /* there is no text to count */
    take_text(plan, part_length, is_signature_supported);
    plan->amount = plan->price * plan->parts.count;
}

void message_plan_preview(struct message_plan *plan, struct txn *txn,
                          const struct message_submit_command *command, int64_t now_ms)
{
    message_plan_begin(plan, txn, command, now_ms);
    message_plan_finish(plan, txn, NULL, NULL, 0);
}
