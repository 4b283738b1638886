/* The catalogue of the message platform (SMS-1): companies, countries, channels, products,
 * templates, routes, scenes and settings, each a thing with an id, a status and fields that are
 * declared in catalog_kind.def and catalog_field.def.
 *
 * A thing is one row: a header, its id, then its fields as (number, size, bytes), so that a new
 * field is a new row of the .def file and old rows stay readable. A change is a PUT of the whole
 * thing or a new status. Things are never deleted: a void one stays for what refers to it, takes no
 * change any more, and is used for nothing.
 *
 * Finding one costs a look-up and one pass over its fields; nothing is copied. */
#ifndef SMSD_ENGINE_CATALOG_H
#define SMSD_ENGINE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "engine/outcome.h"

struct txn;

enum {
    CATALOG_ID_MAX = 64,
    CATALOG_FIELDS_MAX = 16,     /* of a kind; their numbers are below it */
    CATALOG_FIELDS_BYTES = 3968, /* all fields of a thing together, 3 bytes each included */
};

enum catalog_kind {
#define KIND(name, number, path, singular, outcome, seen, prose) CATALOG_##name = (number),
#include "engine/catalog_kind.def"
#undef KIND
    CATALOG_KIND_COUNT
};

enum catalog_status { CATALOG_ENABLED = 1, CATALOG_DISABLED = 2, CATALOG_VOID = 3 };

/* COMPANY_NAME, … ROUTE_WEIGHT, …: a field, with its kind. */
enum catalog_field {
#define FIELD(kind, name, number, json, type, rule, required, min, max, fallback, prose)           \
    kind##_##name,
#include "engine/catalog_field.def"
#undef FIELD
    CATALOG_FIELD_COUNT
};

/* What PRODUCT_ON_UNKNOWN is. */
enum on_unknown { ON_UNKNOWN_DROP = 1, ON_UNKNOWN_QUERY = 2, ON_UNKNOWN_RESEND = 3 };

/* --- finding -------------------------------------------------------------------------------------
 */

/* A view: id and fields point into the row's value, and are valid until the next change of a row;
 * catalog_copy keeps one longer. */
struct catalog_thing {
    uint64_t number;     /* its creation */
    uint64_t changed_by; /* the number of the API key that changed it last */
    int64_t updated_ms;
    enum catalog_kind kind;
    enum catalog_status status;
    struct text id;
    struct text value; /* the whole row */
    struct {
        uint16_t offset, size; /* in `value`; offset 0: not given */
    } fields[CATALOG_FIELDS_MAX];
};

bool catalog_find(struct txn *txn, enum catalog_kind kind, struct text id,
                  struct catalog_thing *thing);
bool catalog_find_number(struct txn *txn, enum catalog_kind kind, uint64_t number,
                         struct catalog_thing *thing);
/* The same thing over a copy of its row in `to`, which has VALUE_BYTES_MAX bytes (store/table.h).
 */
void catalog_copy(struct catalog_thing *thing, void *to);

/* What a thing has. The field must be one of its kind, and of the type that is asked for. */
bool catalog_has(const struct catalog_thing *thing, enum catalog_field field);
/* A TEXT or OBJECT; data NULL: not given. */
struct text catalog_text(const struct catalog_thing *thing, enum catalog_field field);
/* An INT, BOOL or CHOICE; if it was not given its fallback, 0 where there is none. */
int64_t catalog_int(const struct catalog_thing *thing, enum catalog_field field);
/* Is `text` one of the TEXTS? True also if none were given: a list that is not there limits
 * nothing. */
bool catalog_texts_have(const struct catalog_thing *thing, enum catalog_field field,
                        struct text text);
/* The TEXTS one after the other, the INTS by place: `*at` begins as 0. False: no more. */
bool catalog_texts_next(const struct catalog_thing *thing, enum catalog_field field, size_t *at,
                        struct text *text);
bool catalog_ints_next(const struct catalog_thing *thing, enum catalog_field field, size_t *at,
                       int64_t *number);

/* Countries, void ones left out, whose calling code the number (E.164 without the plus) begins
 * with, the longest code first; in no order where several share one. Returns how many, at most
 * CATALOG_CALLING_MAX. Their statuses and rules are the caller's to look at. */
enum { CATALOG_CALLING_MAX = 64 };
struct catalog_calling {
    uint32_t code;
    char country[2];
    char zero[2];
};
size_t catalog_countries_calling(struct txn *txn, struct text digits,
                                 struct catalog_calling found[CATALOG_CALLING_MAX]);

/* --- settings ------------------------------------------------------------------------------------
 */

enum setting {
#define SETTING(name, text, type, min, max, fallback, prose) SETTING_##name,
#include "engine/setting.def"
#undef SETTING
    SETTING_COUNT
};
enum setting_type {
    SETTING_TYPE_URL,
    SETTING_TYPE_NUMBER,
    SETTING_TYPE_HOURS, /* engine/quiet_hours.h */
    SETTING_TYPE_WORDS, /* engine/stop_word.h */
};
struct setting_info {
    struct text id;
    enum setting_type type;
    int64_t min, max, fallback;
};
extern const struct setting_info setting_infos[SETTING_COUNT];

/* As set, if it is enabled; data NULL otherwise. Valid as a view is. */
struct text setting_text(struct txn *txn, enum setting setting);
int64_t setting_int(struct txn *txn, enum setting setting);
/* SETTING_COUNT: there is none of that name. */
enum setting setting_find(struct text id);
bool setting_value_is_valid(enum setting setting, struct text value);
/* Of a setting that is no number: what its value must be. */
const char *setting_rule_text(enum setting setting);

/* --- the declarations ----------------------------------------------------------------------------
 */

enum catalog_type {
    CATALOG_TEXT,
    CATALOG_INT,
    CATALOG_BOOL,
    CATALOG_TEXTS,
    CATALOG_INTS,
    CATALOG_CHOICE,
    CATALOG_OBJECT, /* the text of a JSON object */
};

enum catalog_rule {
#define RULE(name, refers, prose) CATALOG_RULE_##name,
#include "engine/catalog_rule.def"
#undef RULE
};

/* Who sees things of a kind, of the API keys that are of a company. */
enum catalog_seen { CATALOG_SEEN_ALL, CATALOG_SEEN_OWN, CATALOG_SEEN_NONE };

struct catalog_kind_info {
    const char *path, *singular;
    enum outcome not_found;
    enum catalog_seen seen;
};
extern const struct catalog_kind_info catalog_kind_infos[CATALOG_KIND_COUNT];

#define CATALOG_NONE INT64_MIN /* a field without fallback */

struct catalog_field_info {
    enum catalog_kind kind;
    uint8_t number;
    const char *json;
    enum catalog_type type;
    enum catalog_rule rule;
    bool is_required;
    int64_t min, max, fallback;
};
extern const struct catalog_field_info catalog_field_infos[CATALOG_FIELD_COUNT];

/* For an error: what the rule asks for. */
const char *catalog_rule_text(enum catalog_rule rule);
/* What is wrong with the text; NULL if it looks as the rule asks. Whether there is what it refers
 * to is another question. */
const char *catalog_rule_fault(enum catalog_rule rule, struct text text);
bool catalog_rule_allows_int(enum catalog_rule rule, int64_t number);
/* What the text or texts of a field refer to; 0: to nothing in the catalogue. */
enum catalog_kind catalog_field_refers(enum catalog_field field);
/* The number of a CHOICE's text, 0 if it is none; and the text of its number. */
int64_t catalog_choice_parse(enum catalog_rule list, struct text text);
const char *catalog_choice_text(enum catalog_rule list, int64_t number);
/* 1 to CATALOG_ID_MAX letters, digits or any of _.:+-@, not beginning with @; a country's: two
 * capital letters. */
bool catalog_id_is_valid(enum catalog_kind kind, struct text id);

/* --- changing ------------------------------------------------------------------------------------
 */

/* The fields of a thing to be, for a CATALOG_PUT command. Each field is put once; one that is not
 * put is not given. */
struct catalog_draft {
    enum catalog_kind kind;
    bool is_too_large; /* they do not fit: CATALOG_FIELDS_BYTES */
    size_t size;
    char fields[CATALOG_FIELDS_BYTES];
};
void catalog_draft_init(struct catalog_draft *draft, enum catalog_kind kind);
void catalog_draft_text(struct catalog_draft *draft, enum catalog_field field, struct text text);
void catalog_draft_int(struct catalog_draft *draft, enum catalog_field field, int64_t number);
void catalog_draft_texts(struct catalog_draft *draft, enum catalog_field field,
                         const struct text *texts, size_t count);
void catalog_draft_ints(struct catalog_draft *draft, enum catalog_field field,
                        const int64_t *numbers, size_t count);

/* What the draft refers to and is not there, or is void. Returns how many, at most
 * CATALOG_MISSING_MAX; a PUT with any is refused with OUTCOME_INVALID. */
enum { CATALOG_MISSING_MAX = 32 };
struct catalog_missing {
    enum catalog_field field;
    size_t place; /* in TEXTS */
};
size_t catalog_draft_missing(struct txn *txn, const struct catalog_draft *draft,
                             struct catalog_missing missing[CATALOG_MISSING_MAX]);

#endif
