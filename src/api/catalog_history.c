/* What was done to things of the catalogue, newest first: …/changes of each (who and when), and
 * /v1/products/{id}/quota, where an operator also changes it (SMS-3). */
#include <assert.h>
#include <string.h>

#include "api/catalog.h"
#include "api/page.h"
#include "base/bytes.h"
#include "base/id.h"
#include "engine/route.h"

/* --- a list of a thing's -------------------------------------------------------------------------
 */

struct history {
    enum table table; /* number of a thing, number of the row (u64 each) -> the row */
    void (*write)(struct json_writer *w, const struct catalog_thing *thing, uint64_t number,
                  const char *value, size_t size);
};

struct history_list {
    const struct history *history;
    struct catalog_thing thing;
    struct json_writer writer;
};

static bool take_row(void *context, struct txn *txn, uint64_t number, const struct txn_walk *at)
{
    struct history_list *list = context;

    (void)txn;
    list->history->write(&list->writer, &list->thing, number, at->value, at->value_size);
    return true;
}

static void list_history(struct call *call, const struct history *history)
{
    enum catalog_kind kind = call_catalog_kind(call);
    struct history_list list = {.history = history};
    struct page_walk walk = {.table = history->table,
                             .direction = WALK_DOWN,
                             .prefix_size = 8,
                             .after = UINT64_MAX,
                             .take = take_row,
                             .context = &list};
    struct page page;
    struct txn *txn;
    bool is_found;

    if (!call_may_see_kind(call, kind) || !call_bind_page(call, &page) ||
        !call_page_after(call, &page, &walk.after))
        return;
    txn = pipeline_read_begin(call->api->pipeline);
    is_found =
        catalog_find(txn, kind, call->params[0], &list.thing) && call_sees(call, &list.thing);
    if (is_found) {
        walk.limit = page.limit;
        bytes_put_u64_be(walk.key, list.thing.number);
        list.writer = call_begin_list(call);
        call_end_list(&list.writer, page_walk(txn, &walk));
    }
    call_read_end(call, txn);
    if (!is_found)
        call_refuse(call, catalog_kind_infos[kind].not_found, NULL);
}

/* --- changes -------------------------------------------------------------------------------------
 */

static void write_change(struct json_writer *w, const struct catalog_thing *thing, uint64_t number,
                         const char *value, size_t size)
{
    static const char *const actions[] = {[CATALOG_CREATED] = "created",
                                          [CATALOG_CHANGED] = "changed",
                                          [CATALOG_STATUS_SET] = "status"};
    struct catalog_change_row row;

    assert(size == sizeof row);
    memcpy(&row, value, sizeof row);
    json_object_begin(w, NULL);
    json_id(w, "id", "chn_", number);
    json_string(w, "action", actions[row.action]);
    json_array_begin(w, "fields");
    for (int i = 0; i < CATALOG_FIELD_COUNT; i++) {
        const struct catalog_field_info *info = &catalog_field_infos[i];
        if (info->kind == thing->kind && (row.fields >> info->number & 1))
            json_string(w, NULL, info->json);
    }
    json_array_end(w);
    json_string(w, "status", catalog_status_text((enum catalog_status)row.status));
    json_id_or_null(w, "changed_by", "key_", row.by);
    json_time(w, "created_at", id_time_ms(number));
    json_object_end(w);
}

void api_catalog_changes(struct call *call)
{
    static const struct history changes = {TABLE_CATALOG_CHANGE, write_change};

    list_history(call, &changes);
}

/* --- quota ---------------------------------------------------------------------------------------
 */

static void write_quota(struct json_writer *w, struct text product, uint64_t number,
                        const struct quota_row *row, struct text reason)
{
    static const char *const causes[] = {
#define QUOTA_CAUSE(name, number, text) [QUOTA_##name] = text,
#include "engine/quota_cause.def"
#undef QUOTA_CAUSE
    };

    json_object_begin(w, NULL);
    json_id(w, "id", "quo_", number);
    json_text(w, "product", product.data, product.size);
    json_string(w, "cause", causes[row->cause]);
    json_int(w, "before", row->before);
    json_int(w, "delta", row->delta);
    json_int(w, "after", row->after);
    if (row->cause == QUOTA_CHANGE)
        json_text(w, "reason", reason.data, reason.size);
    else
        json_null(w, "reason");
    json_id_or_null(w, "changed_by", "key_", row->by);
    json_time(w, "created_at", id_time_ms(number));
    json_object_end(w);
}

static void write_quota_row(struct json_writer *w, const struct catalog_thing *thing,
                            uint64_t number, const char *value, size_t size)
{
    struct quota_row row;

    assert(size >= sizeof row);
    memcpy(&row, value, sizeof row);
    write_quota(w, thing->id, number, &row, (struct text){value + sizeof row, row.reason_size});
}

void api_quota_list(struct call *call)
{
    static const struct history quota = {TABLE_QUOTA, write_quota_row};

    list_history(call, &quota);
}

struct quota_body {
    int64_t delta;
    struct json_text reason;
};

static const struct json_field quota_fields[] = {
    {.name = "delta",
     .kind = JSON_INT,
     .offset = offsetof(struct quota_body, delta),
     .is_required = true,
     .min = -AMOUNT_MAX,
     .max = AMOUNT_MAX},
    {.name = "reason",
     .kind = JSON_TEXT,
     .offset = offsetof(struct quota_body, reason),
     .is_required = true,
     .min = 1,
     .max = QUOTA_REASON_MAX},
};

void api_quota_change(struct call *call)
{
    struct quota_body body;
    struct command command = {.type = COMMAND_QUOTA_CHANGE};
    struct json_writer w;
    struct result result;
    uint64_t given;

    if (!call_may_change_catalog(call) ||
        !call_bind(call, quota_fields, FIELD_COUNT(quota_fields), &body, &given))
        return;
    if (body.delta == 0) {
        call_refuse_field(call, "/delta", "must not be 0");
        return;
    }
    command.of.quota_change = (struct quota_change_command){.product = call->params[0],
                                                            .delta = body.delta,
                                                            .reason = text_of(body.reason),
                                                            .by = call->key->row.number};
    if (!call_run(call, &command, &result))
        return;
    w = call_answer(call);
    write_quota(&w, call->params[0], result.number, &result.of.quota.row, text_of(body.reason));
}
