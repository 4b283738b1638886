/* Making the fields of a thing: each is appended as it is stored. What does not fit is noted and
 * left out; nobody stores a draft that is too large. */
#include <assert.h>
#include <string.h>

#include "engine/catalog.h"
#include "engine/catalog_index.h"
#include "engine/ledger.h"

enum { FIELD_HEAD = 3 };

void catalog_draft_init(struct catalog_draft *draft, enum catalog_kind kind)
{
    draft->kind = kind;
    draft->is_too_large = false;
    draft->size = 0;
}

/* Begins a field of `size` bytes, which go where this returns; NULL: they do not fit. */
static char *begin(struct catalog_draft *draft, enum catalog_field field, size_t size)
{
    const struct catalog_field_info *info = &catalog_field_infos[field];
    char *to = draft->fields + draft->size;
    uint16_t stored = (uint16_t)size;

    assert(info->kind == draft->kind);
    if (size > sizeof draft->fields - draft->size ||
        size + FIELD_HEAD > sizeof draft->fields - draft->size) {
        draft->is_too_large = true;
        return NULL;
    }
    to[0] = (char)info->number;
    memcpy(to + 1, &stored, sizeof stored);
    draft->size += FIELD_HEAD + size;
    return to + FIELD_HEAD;
}

void catalog_draft_text(struct catalog_draft *draft, enum catalog_field field, struct text text)
{
    char *to = begin(draft, field, text.size);

    assert(catalog_field_infos[field].type == CATALOG_TEXT ||
           catalog_field_infos[field].type == CATALOG_OBJECT);
    if (to != NULL && text.size > 0)
        memcpy(to, text.data, text.size);
}

void catalog_draft_int(struct catalog_draft *draft, enum catalog_field field, int64_t number)
{
    char *to = begin(draft, field, sizeof number);

    if (to != NULL)
        memcpy(to, &number, sizeof number);
}

void catalog_draft_texts(struct catalog_draft *draft, enum catalog_field field,
                         const struct text *texts, size_t count)
{
    size_t size = 0;
    char *to;

    assert(catalog_field_infos[field].type == CATALOG_TEXTS);
    for (size_t i = 0; i < count; i++) {
        assert(texts[i].size > 0 && texts[i].size <= UINT8_MAX);
        size += 1 + texts[i].size;
    }
    to = begin(draft, field, size);
    for (size_t i = 0; i < count && to != NULL; i++) {
        *to++ = (char)texts[i].size;
        memcpy(to, texts[i].data, texts[i].size);
        to += texts[i].size;
    }
}

void catalog_draft_ints(struct catalog_draft *draft, enum catalog_field field,
                        const int64_t *numbers, size_t count)
{
    char *to = begin(draft, field, count * sizeof *numbers);

    assert(catalog_field_infos[field].type == CATALOG_INTS);
    if (to != NULL && count > 0)
        memcpy(to, numbers, count * sizeof *numbers);
}

/* --- references ----------------------------------------------------------------------------------
 */

static bool is_there(struct txn *txn, enum catalog_field field, struct text id)
{
    enum catalog_kind refers = catalog_field_refers(field);
    struct catalog_thing thing;
    struct account account;

    if (catalog_field_infos[field].rule == CATALOG_RULE_ACCOUNT)
        return !account_id_is_system(id) && account_find(txn, id, &account);
    return refers == 0 || (catalog_find(txn, refers, id, &thing) && thing.status != CATALOG_VOID);
}

static void check(struct txn *txn, enum catalog_field field, size_t place, struct text id,
                  struct catalog_missing *missing, size_t *count)
{
    if (*count < CATALOG_MISSING_MAX && !is_there(txn, field, id))
        missing[(*count)++] = (struct catalog_missing){field, place};
}

size_t catalog_draft_missing(struct txn *txn, const struct catalog_draft *draft,
                             struct catalog_missing missing[CATALOG_MISSING_MAX])
{
    struct catalog_thing thing;
    size_t count = 0;

    catalog_draft_view(draft, &thing);
    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        enum catalog_field field = (enum catalog_field)i;
        size_t at = 0;
        struct text text;
        if (catalog_field_infos[i].kind != draft->kind || !catalog_has(&thing, field))
            continue;
        if (catalog_field_infos[i].type == CATALOG_TEXT)
            check(txn, field, 0, catalog_text(&thing, field), missing, &count);
        if (catalog_field_infos[i].type != CATALOG_TEXTS)
            continue;
        for (size_t place = 0; catalog_texts_next(&thing, field, &at, &text); place++)
            check(txn, field, place, text, missing, &count);
    }
    return count;
}
