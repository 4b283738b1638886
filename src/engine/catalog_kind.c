/* What the rows of catalog_kind.def, catalog_field.def, catalog_rule.def, catalog_choice.def and
 * setting.def declare, as tables, and what a text must be to pass a rule. */
#include <assert.h>
#include <string.h>

#include "engine/catalog.h"
#include "engine/ledger.h"
#include "engine/quiet_hours.h"
#include "engine/row.h"
#include "engine/signature.h"
#include "engine/stop_word.h"
#include "engine/template.h"
#include "engine/webhook.h"

#define YES  true
#define NO   false
#define NONE CATALOG_NONE

const struct catalog_field_info catalog_field_infos[CATALOG_FIELD_COUNT] = {
#define FIELD(kind, name, number, json, type, rule, required, min, max, fallback, prose)           \
    [kind##_##name] = {CATALOG_##kind, number, json,  CATALOG_##type, CATALOG_RULE_##rule,         \
                       required,       (min),  (max), (fallback)},
#include "engine/catalog_field.def"
#undef FIELD
};

#define FIELD(kind, name, number, json, type, rule, required, min, max, fallback, prose)           \
    static_assert((number) > 0 && (number) < CATALOG_FIELDS_MAX, "number of " #kind "_" #name);
#include "engine/catalog_field.def"
#undef FIELD

#undef NONE

const struct catalog_kind_info catalog_kind_infos[CATALOG_KIND_COUNT] = {
#define KIND(name, number, path, singular, outcome, seen, prose)                                   \
    [CATALOG_##name] = {path, singular, OUTCOME_##outcome, CATALOG_SEEN_##seen},
#include "engine/catalog_kind.def"
#undef KIND
};

static const struct {
    enum catalog_kind refers;
    const char *text;
} rules[] = {
#define RULE(name, refers, prose) [CATALOG_RULE_##name] = {refers, prose},
#include "engine/catalog_rule.def"
#undef RULE
};

static const struct {
    enum catalog_rule list;
    int64_t number;
    struct text text;
} choices[] = {
#define CHOICE(list, number, text) {CATALOG_RULE_##list, (number), {(text), sizeof(text) - 1}},
#include "engine/catalog_choice.def"
#undef CHOICE
};

enum { CHOICES = sizeof choices / sizeof *choices };

const struct setting_info setting_infos[SETTING_COUNT] = {
#define SETTING(name, text, type, min, max, fallback, prose)                                       \
    [SETTING_##name] = {{(text), sizeof(text) - 1}, SETTING_TYPE_##type, (min), (max), (fallback)},
#include "engine/setting.def"
#undef SETTING
};

/* --- rules ---------------------------------------------------------------------------------------
 */

const char *catalog_rule_text(enum catalog_rule rule)
{
    return rules[rule].text;
}

enum catalog_kind catalog_field_refers(enum catalog_field field)
{
    return rules[catalog_field_infos[field].rule].refers;
}

bool catalog_id_is_valid(enum catalog_kind kind, struct text id)
{
    static_assert((int)CATALOG_ID_MAX == (int)ACCOUNT_ID_MAX, "ids that clients name are alike");
    if (kind == CATALOG_COUNTRY)
        return id.size == 2 && id.data[0] >= 'A' && id.data[0] <= 'Z' && id.data[1] >= 'A' &&
               id.data[1] <= 'Z';
    return account_id_is_valid(id.data, id.size);
}

static bool is_digits(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.size > 0 && text.size <= 14;
}

static bool is_timezone(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("_/+-", c) != NULL)))
            return false;
    }
    return text.size > 0 && text.data[0] != '/';
}

static bool is_allowed(enum catalog_rule rule, struct text text)
{
    struct quiet_hours hours;
    struct quiet_zone zone;

    if (rules[rule].refers != 0)
        return catalog_id_is_valid(rules[rule].refers, text);
    switch (rule) {
    case CATALOG_RULE_ACCOUNT:
        return account_id_is_valid(text.data, text.size);
    case CATALOG_RULE_SIGNATURE:
        return signature_check(text);
    case CATALOG_RULE_DIGITS:
        return is_digits(text);
    case CATALOG_RULE_TIMEZONE:
        return is_timezone(text);
    case CATALOG_RULE_ZONE:
        return quiet_zone_read(text, &zone) && zone.rule.data == NULL;
    case CATALOG_RULE_QUIET_HOURS:
        return quiet_hours_parse(text, &hours);
    default: /* anything, or a choice, which is parsed */
        return true;
    }
}

const char *catalog_rule_fault(enum catalog_rule rule, struct text text)
{
    if (rule == CATALOG_RULE_TEMPLATE) {
        enum template_fault fault = template_check(text, NULL, NULL);
        return fault == TEMPLATE_OK ? NULL : template_fault_text(fault);
    }
    return is_allowed(rule, text) ? NULL : catalog_rule_text(rule);
}

bool catalog_rule_allows_int(enum catalog_rule rule, int64_t number)
{
    return rule != CATALOG_RULE_LENGTH || (number >= 1 && number <= 15);
}

int64_t catalog_choice_parse(enum catalog_rule list, struct text text)
{
    for (int i = 0; i < CHOICES; i++) {
        if (choices[i].list == list && text_equals(choices[i].text, text))
            return choices[i].number;
    }
    return 0;
}

const char *catalog_choice_text(enum catalog_rule list, int64_t number)
{
    for (int i = 0; i < CHOICES; i++) {
        if (choices[i].list == list && choices[i].number == number)
            return choices[i].text.data;
    }
    assert(!"a choice that nobody declared");
    return NULL;
}

/* --- settings ------------------------------------------------------------------------------------
 */

enum setting setting_find(struct text id)
{
    int setting = 0;

    while (setting < SETTING_COUNT && !text_equals(setting_infos[setting].id, id))
        setting++;
    return (enum setting)setting;
}

bool setting_value_is_valid(enum setting setting, struct text value)
{
    const struct setting_info *info = &setting_infos[setting];
    struct quiet_hours hours;
    int64_t number = 0;

    if (info->type == SETTING_TYPE_URL)
        return webhook_url_is_valid(value.data, value.size);
    if (info->type == SETTING_TYPE_HOURS)
        return quiet_hours_parse(value, &hours);
    if (info->type == SETTING_TYPE_WORDS)
        return stop_words_are_valid(value);
    if (!is_digits(value))
        return false;
    for (size_t i = 0; i < value.size; i++)
        number = number * 10 + (value.data[i] - '0');
    return number >= info->min && number <= info->max;
}

const char *setting_rule_text(enum setting setting)
{
    static const char *const rules_of_types[] = {
        [SETTING_TYPE_URL] = "must be an http or https URL",
        [SETTING_TYPE_NUMBER] = "must be a whole number, as a text",
        [SETTING_TYPE_HOURS] = "must be HH:MM-HH:MM with two different times, or none",
        [SETTING_TYPE_WORDS] =
            "must be words with commas between, each of 1 to 32 letters or digits"};

    return rules_of_types[setting_infos[setting].type];
}
