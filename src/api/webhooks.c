/* GET /v1/webhooks: what clients are to be told of and was not delivered yet, newest first. */
#include "api/call.h"
#include "base/bytes.h"
#include "base/id.h"
#include "engine/webhook.h"
#include "gateway/webhook_payload.h"

static void write_webhook(struct json_writer *w, uint64_t number, const struct webhook *webhook)
{
    json_object_begin(w, NULL);
    json_id(w, "id", "whk_", number);
    json_string(w, "type", webhook_type_text(webhook));
    json_time(w, "created_at", id_time_ms(number));
    webhook_write_data(w, webhook);
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
        struct webhook webhook;
        uint64_t number = bytes_get_u64_be(walk->key);
        if (count++ == query.page.limit) {
            has_more = true;
        } else {
            webhook_read(txn, number, walk->value, walk->value_size, &webhook);
            write_webhook(&w, number, &webhook);
            last = number;
        }
    }
    txn_walk_end(walk);
    call->reply->hold = pipeline_read_end(call->api->pipeline, txn);
    call_end_list(&w, has_more ? last : 0);
}
