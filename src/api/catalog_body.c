/* PUT's body: bound by the rows of catalog_field.def. A field that has a full stop in its name is
 * one of an object within the body. All that is wrong is said at once: shapes first, then what
 * texts must be, then whether what they refer to is there. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/catalog.h"
#include "api/zone.h"
#include "gateway/config.h"

/* What one field was given. */
struct slot {
    union {
        struct json_text text;
        const struct json_value *any;
        int64_t number;
        uint8_t flag;
    } of;
};

enum { FLAG_NOT_GIVEN = 2, SLOT_OF_OBJECT = 0 }; /* field numbers begin at 1 */

struct binding {
    struct call *call;
    struct catalog_draft *draft;
    struct json_errors *errors;
    struct slot slots[CATALOG_FIELDS_MAX];
    struct text kept_config;
};

static const char *point(struct binding *b, enum catalog_field field)
{
    const char *json = catalog_field_infos[field].json, *stop = strchr(json, '.');
    const char *pointer = "";

    if (stop != NULL) {
        pointer = json_pointer_name(b->call->arena, pointer,
                                    arena_copy(b->call->arena, json, (size_t)(stop - json)));
        json = stop + 1;
    }
    return json_pointer_name(b->call->arena, pointer, json);
}

static void refuse(struct binding *b, enum catalog_field field, const char *detail)
{
    json_errors_add(b->call->arena, b->errors, point(b, field), detail);
}

static void refuse_item(struct binding *b, enum catalog_field field, size_t place,
                        const char *detail)
{
    json_errors_add(b->call->arena, b->errors,
                    json_pointer_index(b->call->arena, point(b, field), place), detail);
}

/* --- shapes --------------------------------------------------------------------------------------
 */

static const enum json_kind json_kinds[] = {
    [CATALOG_TEXT] = JSON_TEXT,  [CATALOG_INT] = JSON_INT,  [CATALOG_BOOL] = JSON_BOOL,
    [CATALOG_TEXTS] = JSON_ANY,  [CATALOG_INTS] = JSON_ANY, [CATALOG_CHOICE] = JSON_TEXT,
    [CATALOG_OBJECT] = JSON_ANY,
};

static struct json_field declare(const struct catalog_field_info *info)
{
    const char *stop = strchr(info->json, '.');
    struct json_field field = {.name = stop == NULL ? info->json : stop + 1,
                               .kind = json_kinds[info->type],
                               .offset = info->number * sizeof(struct slot),
                               .is_required = info->is_required,
                               .is_nullable = !info->is_required,
                               .min = info->min,
                               .max = info->max};

    if (info->type == CATALOG_CHOICE)
        field.rule = catalog_rule_text(info->rule);
    return field;
}

/* The fields of the body itself (`object` NULL), or of the object within; returns how many, and
 * sets `*inner` to the name of an object within, if there is one. */
static size_t declare_fields(enum catalog_kind kind, const char *object,
                             struct json_field fields[CATALOG_FIELDS_MAX], char inner[32])
{
    size_t count = 0;

    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        const struct catalog_field_info *info = &catalog_field_infos[i];
        const char *stop = strchr(info->json, '.');
        if (info->kind != kind)
            continue;
        if ((stop == NULL) == (object == NULL))
            fields[count++] = declare(info);
        else if (stop != NULL)
            snprintf(inner, 32, "%.*s", (int)(stop - info->json), info->json);
    }
    return count;
}

static void bind_shapes(struct binding *b)
{
    struct json_field fields[CATALOG_FIELDS_MAX];
    char inner[32] = "";
    size_t count = declare_fields(b->draft->kind, NULL, fields, inner);
    const struct json_value *object;
    uint64_t given;

    if (inner[0] != '\0')
        fields[count++] = (struct json_field){.name = inner,
                                              .kind = JSON_ANY,
                                              .offset = SLOT_OF_OBJECT * sizeof(struct slot),
                                              .is_nullable = true};
    json_bind(b->call->arena, b->call->json, fields, count, b->slots, &given, "", b->errors);
    object = b->slots[SLOT_OF_OBJECT].of.any;
    if (object == NULL)
        return;
    count = declare_fields(b->draft->kind, inner, fields, inner);
    json_bind(b->call->arena, object, fields, count, b->slots, &given,
              json_pointer_name(b->call->arena, "", inner), b->errors);
}

static void clear_slots(struct binding *b)
{
    memset(b->slots, 0, sizeof b->slots);
    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        const struct catalog_field_info *info = &catalog_field_infos[i];
        if (info->kind == b->draft->kind && info->type == CATALOG_INT)
            b->slots[info->number].of.number = CATALOG_NONE;
        if (info->kind == b->draft->kind && info->type == CATALOG_BOOL)
            b->slots[info->number].of.flag = FLAG_NOT_GIVEN;
    }
}

/* --- what texts must be --------------------------------------------------------------------------
 */

static void take_text(struct binding *b, enum catalog_field field, const struct json_text *text)
{
    const char *fault;

    if (text->data == NULL)
        return;
    fault = catalog_rule_fault(catalog_field_infos[field].rule, text_of(*text));
    if (fault == NULL)
        catalog_draft_text(b->draft, field, text_of(*text));
    else
        refuse(b, field, fault);
}

static void take_choice(struct binding *b, enum catalog_field field, const struct json_text *text)
{
    enum catalog_rule list = catalog_field_infos[field].rule;
    int64_t number;

    if (text->data == NULL)
        return;
    number = catalog_choice_parse(list, text_of(*text));
    if (number != 0)
        catalog_draft_int(b->draft, field, number);
    else
        refuse(b, field, catalog_rule_text(list));
}

/* Is it an array with as many items as the field may have? */
static bool is_list(struct binding *b, enum catalog_field field, const struct json_value *array)
{
    const struct catalog_field_info *info = &catalog_field_infos[field];
    int64_t count = (int64_t)json_array_size(array);
    char detail[64];

    if (json_is_array(array) && count >= info->min && count <= info->max)
        return true;
    snprintf(detail, sizeof detail, "must be an array of %lld to %lld", (long long)info->min,
             (long long)info->max);
    refuse(b, field, detail);
    return false;
}

/* As it is kept: a time zone's name with its rule behind (engine/quiet_hours.h). False: refused. */
static bool keep_item(struct binding *b, enum catalog_rule rule, struct text *item)
{
    if (rule == CATALOG_RULE_ZONE)
        *item = zone_with_rule(b->call->arena, *item);
    return item->data != NULL;
}

static void take_texts(struct binding *b, enum catalog_field field, const struct json_value *array)
{
    enum catalog_rule rule = catalog_field_infos[field].rule;
    size_t count = 0, place = 0;
    const struct json_value *item;
    struct text *texts;

    if (array == NULL || !is_list(b, field, array))
        return;
    texts = arena_alloc(b->call->arena, json_array_size(array) * sizeof *texts);
    for (item = json_array_first(array); item != NULL; item = json_next(item), place++) {
        struct json_text text;
        if (json_get_text(item, &text) && text.size > 0 && text.size <= CATALOG_ID_MAX &&
            catalog_rule_fault(rule, text_of(text)) == NULL) {
            texts[count] = text_of(text);
            if (keep_item(b, rule, &texts[count])) {
                count++;
                continue;
            }
        }
        refuse_item(b, field, place, catalog_rule_text(rule));
    }
    if (count == place)
        catalog_draft_texts(b->draft, field, texts, count);
}

static void take_ints(struct binding *b, enum catalog_field field, const struct json_value *array)
{
    enum catalog_rule rule = catalog_field_infos[field].rule;
    size_t count = 0, place = 0;
    const struct json_value *item;
    int64_t *numbers;

    if (array == NULL || !is_list(b, field, array))
        return;
    numbers = arena_alloc(b->call->arena, json_array_size(array) * sizeof *numbers);
    for (item = json_array_first(array); item != NULL; item = json_next(item), place++) {
        int64_t number;
        if (json_get_int(item, &number) && catalog_rule_allows_int(rule, number))
            numbers[count++] = number;
        else
            refuse_item(b, field, place, catalog_rule_text(rule));
    }
    if (count == place)
        catalog_draft_ints(b->draft, field, numbers, count);
}

/* A gateway's configuration. */
static void take_object(struct binding *b, enum catalog_field field,
                        const struct json_value *object)
{
    size_t errors_before = b->errors->count_all;
    struct text text;

    if (object == NULL)
        return;
    if (!json_is_object(object)) {
        refuse(b, field, "must be an object");
        return;
    }
    gateway_check_config(b->call->arena, object, b->errors);
    if (b->errors->count_all > errors_before)
        return;
    text = catalog_config_take(b->call->arena, object, b->kept_config, b->errors);
    if ((int64_t)text.size > catalog_field_infos[field].max)
        refuse(b, field, "is too large");
    else
        catalog_draft_text(b->draft, field, text);
}

static void take(struct binding *b, enum catalog_field field)
{
    const struct slot *slot = &b->slots[catalog_field_infos[field].number];

    switch (catalog_field_infos[field].type) {
    case CATALOG_TEXT:
        take_text(b, field, &slot->of.text);
        break;
    case CATALOG_INT:
        if (slot->of.number != CATALOG_NONE)
            catalog_draft_int(b->draft, field, slot->of.number);
        break;
    case CATALOG_BOOL:
        if (slot->of.flag != FLAG_NOT_GIVEN)
            catalog_draft_int(b->draft, field, slot->of.flag);
        break;
    case CATALOG_TEXTS:
        take_texts(b, field, slot->of.any);
        break;
    case CATALOG_INTS:
        take_ints(b, field, slot->of.any);
        break;
    case CATALOG_CHOICE:
        take_choice(b, field, &slot->of.text);
        break;
    case CATALOG_OBJECT:
        take_object(b, field, slot->of.any);
        break;
    }
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static void check_references(struct binding *b, struct txn *txn)
{
    struct catalog_missing missing[CATALOG_MISSING_MAX];
    size_t count = catalog_draft_missing(txn, b->draft, missing);

    for (size_t i = 0; i < count; i++) {
        enum catalog_kind kind = catalog_field_refers(missing[i].field);
        char detail[64];
        snprintf(detail, sizeof detail, "there is no such %s",
                 kind == 0 ? "account" : catalog_kind_infos[kind].singular);
        if (catalog_field_infos[missing[i].field].type == CATALOG_TEXTS)
            refuse_item(b, missing[i].field, missing[i].place, detail);
        else
            refuse(b, missing[i].field, detail);
    }
}

static void check_setting(struct binding *b, struct text id)
{
    enum setting setting = setting_find(id);
    struct text value = text_of(b->slots[catalog_field_infos[SETTING_VALUE].number].of.text);
    char detail[96];

    assert(setting != SETTING_COUNT);
    if (value.data == NULL || setting_value_is_valid(setting, value))
        return;
    if (setting_infos[setting].type != SETTING_TYPE_NUMBER)
        snprintf(detail, sizeof detail, "%s", setting_rule_text(setting));
    else
        snprintf(detail, sizeof detail, "must be a whole number from %lld to %lld, as a text",
                 (long long)setting_infos[setting].min, (long long)setting_infos[setting].max);
    refuse(b, SETTING_VALUE, detail);
}

void catalog_bind(struct call *call, struct txn *txn, struct text id,
                  const struct catalog_thing *before, struct catalog_draft *draft,
                  struct json_errors *errors)
{
    struct binding b = {.call = call, .draft = draft, .errors = errors};

    if (!catalog_id_is_valid(draft->kind, id))
        json_errors_add(call->arena, errors, "/id",
                        draft->kind == CATALOG_COUNTRY
                            ? "must be two capital letters"
                            : "must be 1 to 64 letters, digits or any of _.:+-@, not beginning "
                              "with @");
    if (draft->kind == CATALOG_PRODUCT && before != NULL)
        b.kept_config = catalog_text(before, PRODUCT_GATEWAY);
    clear_slots(&b);
    bind_shapes(&b);
    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        if (catalog_field_infos[i].kind == draft->kind)
            take(&b, (enum catalog_field)i);
    }
    if (draft->kind == CATALOG_SETTING)
        check_setting(&b, id);
    check_references(&b, txn);
    if (draft->is_too_large)
        json_errors_add(call->arena, errors, "", "all fields together are too large");
}
