/* GET /v1/webhooks: what clients are to be told of and was not delivered yet, newest first. */
#include <string.h>

#include "api/billing.h"
#include "base/bytes.h"
#include "base/id.h"

static const char *const types[] = {
#define WEBHOOK_TYPE(name, number, text) [number] = text,
#include "engine/webhook_type.def"
#undef WEBHOOK_TYPE
};

static void write_low_balance(struct json_writer *w, struct txn *txn, const struct webhook_row *row)
{
    struct account account;

    if (account_find_number(txn, row->subject, &account))
        json_text(w, "account", account.id, account.id_size);
    json_int(w, "balance", row->values[0]);
    json_int(w, "low_balance", row->values[1]);
}

static void write_low_quota(struct json_writer *w, struct txn *txn, const struct webhook_row *row)
{
    struct catalog_thing product;

    if (catalog_find_number(txn, CATALOG_PRODUCT, row->subject, &product))
        json_text(w, "product", product.id.data, product.id.size);
    json_int(w, "quota", row->values[0]);
    json_int(w, "low_warn", row->values[1]);
}

static void write_webhook(struct json_writer *w, struct txn *txn, uint64_t number,
                          const struct webhook_row *row)
{
    json_object_begin(w, NULL);
    json_id(w, "id", "whk_", number);
    json_string(w, "type", types[row->type]);
    json_time(w, "created_at", id_time_ms(number));
    json_object_begin(w, "data");
    if (row->type == WEBHOOK_PRODUCT_LOW)
        write_low_quota(w, txn, row);
    else
        write_low_balance(w, txn, row);
    json_object_end(w);
    json_object_end(w);
}

static const struct json_field list_parameters[] = {PAGE_FIELDS(struct page_query, page)};

void api_webhook_list(struct call *call)
{
    struct page_query query = {PAGE_DEFAULT};
    uint64_t after = UINT64_MAX, last = 0;
    struct json_writer w;
    struct txn_walk *walk;
    struct txn *txn;
    char from[8];
    int64_t count = 0;
    bool has_more = false;

    if (!call_bind_query(call, list_parameters, FIELD_COUNT(list_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_array_begin(&w, "data");
    bytes_put_u64_be(from, after - (after > 0));
    txn = pipeline_read_begin(call->api->pipeline);
    walk = txn_walk(txn, TABLE_WEBHOOK, WALK_DOWN, from, sizeof from);
    while (!has_more && txn_walk_next(walk)) {
        struct webhook_row row;
        uint64_t number = bytes_get_u64_be(walk->key);
        if (count++ == query.page.limit) {
            has_more = true;
        } else {
            memcpy(&row, walk->value, sizeof row);
            write_webhook(&w, txn, number, &row);
            last = number;
        }
    }
    txn_walk_end(walk);
    call->reply->hold = pipeline_read_end(call->api->pipeline, txn);
    call_end_list(&w, has_more ? last : 0);
}
