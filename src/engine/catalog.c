/* Finding things of the catalogue, and looking into them. A view is made by one pass over the
 * fields, which notes where each lies; asking for one is then an index into a small array. Written
 * to be cheap: a message being accepted looks at four things. */
#include "engine/catalog.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/catalog_index.h"
#include "engine/row.h"
#include "store/txn.h"

enum { CATALOG_ROW_VERSION = 1, FIELD_HEAD = 3 };

/* Notes where the fields lie that begin at `at`. False: they do not fill the value. */
static bool view_fields(struct catalog_thing *thing, size_t at)
{
    const char *value = thing->value.data;

    memset(thing->fields, 0, sizeof thing->fields);
    while (at + FIELD_HEAD <= thing->value.size) {
        uint8_t number = (uint8_t)value[at];
        uint16_t size;
        memcpy(&size, value + at + 1, sizeof size);
        at += FIELD_HEAD;
        if (number >= CATALOG_FIELDS_MAX)
            return false;
        thing->fields[number].offset = (uint16_t)at;
        thing->fields[number].size = size;
        at += size;
    }
    return at == thing->value.size;
}

bool catalog_view(struct catalog_thing *thing, const void *value, size_t size)
{
    struct catalog_row row;

    if (size < sizeof row)
        return false;
    memcpy(&row, value, sizeof row);
    if (row.version != CATALOG_ROW_VERSION || row.id_size > size - sizeof row)
        return false;
    thing->number = row.number;
    thing->changed_by = row.changed_by;
    thing->updated_ms = row.updated_ms;
    thing->kind = (enum catalog_kind)row.kind;
    thing->status = (enum catalog_status)row.status;
    thing->id = (struct text){(const char *)value + sizeof row, row.id_size};
    thing->value = (struct text){value, size};
    return view_fields(thing, sizeof row + row.id_size);
}

void catalog_draft_view(const struct catalog_draft *draft, struct catalog_thing *thing)
{
    *thing = (struct catalog_thing){.kind = draft->kind, .value = {draft->fields, draft->size}};
    if (!view_fields(thing, 0))
        assert(!"a draft is made of whole fields");
}

bool catalog_find(struct txn *txn, enum catalog_kind kind, struct text id,
                  struct catalog_thing *thing)
{
    char key[1 + CATALOG_ID_MAX];
    size_t size;
    const char *value;

    if (id.size == 0 || id.size > CATALOG_ID_MAX)
        return false;
    key[0] = (char)kind;
    memcpy(key + 1, id.data, id.size);
    value = txn_get(txn, TABLE_CATALOG, key, 1 + id.size, &size);
    if (value == NULL)
        return false;
    if (!catalog_view(thing, value, size))
        assert(!"a thing that cannot be read");
    return true;
}

bool catalog_find_number(struct txn *txn, enum catalog_kind kind, uint64_t number,
                         struct catalog_thing *thing)
{
    char key[9];
    size_t size;
    const char *id;

    key[0] = (char)kind;
    bytes_put_u64_be(key + 1, number);
    id = txn_get(txn, TABLE_CATALOG_NUMBER, key, sizeof key, &size);
    return id != NULL && catalog_find(txn, kind, (struct text){id, size}, thing);
}

void catalog_copy(struct catalog_thing *thing, void *to)
{
    memcpy(to, thing->value.data, thing->value.size);
    thing->id.data = (char *)to + (thing->id.data - thing->value.data);
    thing->value.data = to;
}

/* --- fields --------------------------------------------------------------------------------------
 */

struct text catalog_field_bytes(const struct catalog_thing *thing, enum catalog_field field)
{
    const struct catalog_field_info *info = &catalog_field_infos[field];

    assert(info->kind == thing->kind);
    if (thing->fields[info->number].offset == 0)
        return (struct text){NULL, 0};
    return (struct text){thing->value.data + thing->fields[info->number].offset,
                         thing->fields[info->number].size};
}

bool catalog_has(const struct catalog_thing *thing, enum catalog_field field)
{
    return catalog_field_bytes(thing, field).data != NULL;
}

struct text catalog_text(const struct catalog_thing *thing, enum catalog_field field)
{
    enum catalog_type type = catalog_field_infos[field].type;

    assert(type == CATALOG_TEXT || type == CATALOG_OBJECT);
    return catalog_field_bytes(thing, field);
}

int64_t catalog_int(const struct catalog_thing *thing, enum catalog_field field)
{
    const struct catalog_field_info *info = &catalog_field_infos[field];
    struct text bytes = catalog_field_bytes(thing, field);
    int64_t number;

    assert(info->type == CATALOG_INT || info->type == CATALOG_BOOL || info->type == CATALOG_CHOICE);
    if (bytes.data == NULL)
        return info->fallback == CATALOG_NONE ? 0 : info->fallback;
    assert(bytes.size == sizeof number);
    memcpy(&number, bytes.data, sizeof number);
    return number;
}

bool catalog_texts_next(const struct catalog_thing *thing, enum catalog_field field, size_t *at,
                        struct text *text)
{
    struct text bytes = catalog_field_bytes(thing, field);

    assert(catalog_field_infos[field].type == CATALOG_TEXTS);
    if (*at >= bytes.size)
        return false;
    *text = (struct text){bytes.data + *at + 1, (uint8_t)bytes.data[*at]};
    *at += 1 + text->size;
    return true;
}

bool catalog_ints_next(const struct catalog_thing *thing, enum catalog_field field, size_t *at,
                       int64_t *number)
{
    struct text bytes = catalog_field_bytes(thing, field);

    assert(catalog_field_infos[field].type == CATALOG_INTS);
    if (*at >= bytes.size)
        return false;
    memcpy(number, bytes.data + *at, sizeof *number);
    *at += sizeof *number;
    return true;
}

bool catalog_texts_have(const struct catalog_thing *thing, enum catalog_field field,
                        struct text text)
{
    size_t at = 0;
    struct text one;

    while (catalog_texts_next(thing, field, &at, &one)) {
        if (text_equals(one, text))
            return true;
    }
    return !catalog_has(thing, field);
}

/* --- settings ------------------------------------------------------------------------------------
 */

struct text setting_text(struct txn *txn, enum setting setting)
{
    struct catalog_thing thing;

    if (!catalog_find(txn, CATALOG_SETTING, setting_infos[setting].id, &thing) ||
        thing.status != CATALOG_ENABLED)
        return (struct text){NULL, 0};
    return catalog_text(&thing, SETTING_VALUE);
}

int64_t setting_int(struct txn *txn, enum setting setting)
{
    struct text text = setting_text(txn, setting);
    int64_t number = 0;

    assert(setting_infos[setting].type == SETTING_TYPE_NUMBER);
    if (text.data == NULL)
        return setting_infos[setting].fallback;
    for (size_t i = 0; i < text.size; i++)
        number = number * 10 + (text.data[i] - '0');
    return number;
}
