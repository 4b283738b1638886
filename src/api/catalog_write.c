/* A thing of the catalogue as JSON: its id, its fields in the order of catalog_field.def, and what
 * each thing has: status, who changed it last, when. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/catalog.h"
#include "base/id.h"
#include "engine/route.h"

static void write_texts(struct json_writer *w, const char *name, const struct catalog_thing *thing,
                        enum catalog_field field)
{
    size_t at = 0;
    struct text text;

    json_array_begin(w, name);
    while (catalog_texts_next(thing, field, &at, &text)) {
        /* Of a time zone its name, not the rule behind it. */
        const char *line = memchr(text.data, '\n', text.size);
        json_text(w, NULL, text.data, line == NULL ? text.size : (size_t)(line - text.data));
    }
    json_array_end(w);
}

static void write_ints(struct json_writer *w, const char *name, const struct catalog_thing *thing,
                       enum catalog_field field)
{
    size_t at = 0;
    int64_t number;

    json_array_begin(w, name);
    while (catalog_ints_next(thing, field, &at, &number))
        json_int(w, NULL, number);
    json_array_end(w);
}

static void write_field(struct json_writer *w, const char *name, const struct catalog_thing *thing,
                        enum catalog_field field, struct arena *scratch)
{
    const struct catalog_field_info *info = &catalog_field_infos[field];
    struct text text;

    if (!catalog_has(thing, field) && info->fallback == CATALOG_NONE) {
        json_null(w, name);
        return;
    }
    switch (info->type) {
    case CATALOG_TEXT:
        text = catalog_text(thing, field);
        json_text(w, name, text.data, text.size);
        break;
    case CATALOG_INT:
        json_int(w, name, catalog_int(thing, field));
        break;
    case CATALOG_BOOL:
        json_bool(w, name, catalog_int(thing, field));
        break;
    case CATALOG_TEXTS:
        write_texts(w, name, thing, field);
        break;
    case CATALOG_INTS:
        write_ints(w, name, thing, field);
        break;
    case CATALOG_CHOICE:
        json_string(w, name, catalog_choice_text(info->rule, catalog_int(thing, field)));
        break;
    case CATALOG_OBJECT:
        catalog_config_write(w, name, catalog_text(thing, field), scratch);
        break;
    }
}

/* Fields of an object within stand together; returns the last of them. */
static enum catalog_field write_object(struct json_writer *w, const struct catalog_thing *thing,
                                       enum catalog_field field, struct arena *scratch)
{
    const char *json = catalog_field_infos[field].json;
    size_t size = (size_t)(strchr(json, '.') - json);
    char name[32];

    snprintf(name, sizeof name, "%.*s", (int)size, json);
    json_object_begin(w, name);
    for (; field < CATALOG_FIELD_COUNT && catalog_field_infos[field].kind == thing->kind &&
           strncmp(catalog_field_infos[field].json, json, size + 1) == 0;
         field++)
        write_field(w, catalog_field_infos[field].json + size + 1, thing, field, scratch);
    json_object_end(w);
    return field - 1;
}

static void write_quota(struct json_writer *w, struct txn *txn, uint64_t product)
{
    struct product_row row;

    if (!product_find(txn, product, &row))
        assert(!"a product without its row");
    if (row.flags & PRODUCT_IS_COUNTED)
        json_int(w, "quota", row.quota);
    else
        json_null(w, "quota");
}

static const char *const statuses[] = {
    [CATALOG_ENABLED] = "enabled", [CATALOG_DISABLED] = "disabled", [CATALOG_VOID] = "void"};

const char *catalog_status_text(enum catalog_status status)
{
    return statuses[status];
}

enum catalog_status catalog_status_parse(struct text text)
{
    for (size_t i = 1; i < sizeof statuses / sizeof *statuses; i++) {
        if (text_equals((struct text){statuses[i], strlen(statuses[i])}, text))
            return (enum catalog_status)i;
    }
    return 0;
}

void catalog_write(struct json_writer *w, struct txn *txn, const struct catalog_thing *thing,
                   struct arena *scratch)
{

    json_object_begin(w, NULL);
    json_text(w, "id", thing->id.data, thing->id.size);
    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        enum catalog_field field = (enum catalog_field)i;
        if (catalog_field_infos[i].kind != thing->kind)
            continue;
        if (strchr(catalog_field_infos[i].json, '.') != NULL)
            i = (int)write_object(w, thing, field, scratch);
        else
            write_field(w, catalog_field_infos[i].json, thing, field, scratch);
    }
    if (thing->kind == CATALOG_PRODUCT)
        write_quota(w, txn, thing->number);
    json_string(w, "status", catalog_status_text(thing->status));
    json_id_or_null(w, "changed_by", "key_", thing->changed_by);
    json_time(w, "created_at", id_time_ms(thing->number));
    json_time(w, "updated_at", thing->updated_ms);
    json_object_end(w);
}

void catalog_write_id(struct json_writer *w, const char *name, struct txn *txn,
                      enum catalog_kind kind, uint64_t number)
{
    struct catalog_thing thing;

    if (catalog_find_number(txn, kind, number, &thing))
        json_text(w, name, thing.id.data, thing.id.size);
    else
        json_null(w, name);
}
