/* Changing the catalogue: a thing is put whole or given a status, and in the same commit everything
 * that follows from it changes too, and a row says who did it. A put that changes nothing writes
 * nothing. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/catalog_index.h"
#include "engine/handler.h"

enum { CATALOG_ROW_VERSION = 1, CATALOG_CHANGE_ROW_VERSION = 1 };

/* Fields of the draft that the thing has not, or has otherwise, or has and the draft has not. */
static uint32_t difference(const struct catalog_thing *before, const struct catalog_thing *after)
{
    uint32_t fields = 0;

    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        enum catalog_field field = (enum catalog_field)i;
        struct text a, b;
        if (catalog_field_infos[i].kind != after->kind)
            continue;
        a = catalog_field_bytes(before, field);
        b = catalog_field_bytes(after, field);
        if ((a.data == NULL) != (b.data == NULL) || (a.data != NULL && !text_equals(a, b)))
            fields |= UINT32_C(1) << catalog_field_infos[i].number;
    }
    return fields;
}

static void store_row(struct engine *engine, struct catalog_row *row, struct text id,
                      struct text fields)
{
    char key[1 + CATALOG_ID_MAX], value[VALUE_BYTES_MAX];
    size_t size = sizeof *row;

    static_assert(sizeof *row + CATALOG_ID_MAX + CATALOG_FIELDS_BYTES <= sizeof value, "it fits");
    key[0] = (char)row->kind;
    memcpy(key + 1, id.data, id.size);
    row->version = CATALOG_ROW_VERSION;
    row->id_size = (uint8_t)id.size;
    row->updated_ms = engine->command->now_ms;
    memcpy(value, row, sizeof *row);
    memcpy(value + size, id.data, id.size);
    size += id.size;
    if (fields.size > 0)
        memcpy(value + size, fields.data, fields.size);
    txn_put(engine->txn, TABLE_CATALOG, key, 1 + id.size, value, size + fields.size);
}

static void store_number(struct engine *engine, const struct catalog_row *row, struct text id)
{
    char key[9];

    key[0] = (char)row->kind;
    bytes_put_u64_be(key + 1, row->number);
    txn_put(engine->txn, TABLE_CATALOG_NUMBER, key, sizeof key, id.data, id.size);
}

static void store_change(struct engine *engine, const struct catalog_row *row,
                         enum catalog_action action, uint32_t fields)
{
    struct catalog_change_row change = {.version = CATALOG_CHANGE_ROW_VERSION,
                                        .action = (uint8_t)action,
                                        .status = row->status,
                                        .fields = fields,
                                        .by = row->changed_by};
    char key[16];

    bytes_put_u64_be(key, row->number);
    bytes_put_u64_be(key + 8, engine->command->number);
    txn_put(engine->txn, TABLE_CATALOG_CHANGE, key, sizeof key, &change, sizeof change);
}

/* `before` is a copy, or NULL for a new thing. */
static enum outcome change_indexes(struct engine *engine, const struct catalog_thing *before,
                                   enum catalog_kind kind, struct text id)
{
    struct catalog_thing after;
    char value[VALUE_BYTES_MAX];

    if (!catalog_find(engine->txn, kind, id, &after))
        assert(!"it was stored just now");
    catalog_copy(&after, value);
    return catalog_index_change(engine, before, &after);
}

static bool may_be_put(struct txn *txn, const struct catalog_put_command *command)
{
    struct catalog_missing missing[CATALOG_MISSING_MAX];

    return !command->draft->is_too_large &&
           catalog_draft_missing(txn, command->draft, missing) == 0;
}

enum outcome engine_catalog_put(struct engine *engine, const struct catalog_put_command *command,
                                struct result *answer)
{
    enum catalog_kind kind = command->draft->kind;
    struct catalog_thing before, draft;
    struct text fields = {command->draft->fields, command->draft->size};
    char value[VALUE_BYTES_MAX];
    bool is_new = !catalog_find(engine->txn, kind, command->id, &before);
    struct catalog_row row = {.kind = (uint8_t)kind,
                              .status = CATALOG_ENABLED,
                              .number = engine->command->number,
                              .changed_by = command->by};
    uint32_t changed = UINT32_MAX;

    assert(catalog_id_is_valid(kind, command->id));
    if (kind == CATALOG_SETTING && setting_find(command->id) == SETTING_COUNT)
        return OUTCOME_SETTING_NOT_FOUND;
    if (!is_new && before.status == CATALOG_VOID)
        return OUTCOME_VOID;
    if (!may_be_put(engine->txn, command))
        return OUTCOME_INVALID;
    answer->of.catalog.is_new = is_new;
    catalog_draft_view(command->draft, &draft);
    if (!is_new) {
        catalog_copy(&before, value);
        row.status = (uint8_t)before.status;
        row.number = before.number;
        changed = difference(&before, &draft);
    }
    if (changed == 0)
        return OUTCOME_OK;
    store_row(engine, &row, command->id, fields);
    if (is_new)
        store_number(engine, &row, command->id);
    store_change(engine, &row, is_new ? CATALOG_CREATED : CATALOG_CHANGED, is_new ? 0 : changed);
    return change_indexes(engine, is_new ? NULL : &before, kind, command->id);
}

enum outcome engine_catalog_status(struct engine *engine,
                                   const struct catalog_status_command *command,
                                   struct result *answer)
{
    struct catalog_thing before;
    struct catalog_row row = {.kind = (uint8_t)command->kind,
                              .status = (uint8_t)command->status,
                              .changed_by = command->by};
    struct text fields;
    char value[VALUE_BYTES_MAX];

    answer->of.catalog.is_new = false;
    if (!catalog_find(engine->txn, command->kind, command->id, &before))
        return catalog_kind_infos[command->kind].not_found;
    if (before.status == command->status)
        return OUTCOME_OK;
    if (before.status == CATALOG_VOID)
        return OUTCOME_VOID;
    catalog_copy(&before, value);
    row.number = before.number;
    fields.data = before.id.data + before.id.size;
    fields.size = before.value.size - (size_t)(fields.data - before.value.data);
    store_row(engine, &row, before.id, fields);
    store_change(engine, &row, CATALOG_STATUS_SET, 0);
    return change_indexes(engine, &before, command->kind, before.id);
}
