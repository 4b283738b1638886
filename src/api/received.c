/* GET /v1/messages/received (SMS-18): what people have written to us. A list goes down by number
 * over the messages of one sender, or all; what else is asked for is looked at row by row. */
#include <string.h>

#include "api/catalog.h"
#include "api/messages.h"
#include "api/page.h"
#include "base/id.h"
#include "engine/catalog.h"
#include "engine/mobile.h"
#include "engine/received.h"

static void write_received(struct json_writer *w, struct txn *txn, const struct received *received)
{
    const struct received_row *row = &received->row;
    const char *action = received_action_text((enum received_action)row->action);
    char from[MOBILE_TEXT_MAX];

    json_object_begin(w, NULL);
    json_id(w, "id", "rcv_", row->number);
    catalog_write_id(w, "product", txn, CATALOG_PRODUCT, row->product);
    catalog_write_id(w, "company", txn, CATALOG_COMPANY, row->company);
    json_text(w, "from", from, mobile_put(from, row->from));
    json_text_or_null(w, "to", received->to.data, received->to.size);
    json_text(w, "content", received->content.data, received->content.size);
    json_string(w, "action", action);
    json_id_or_null(w, "in_reply_to", "msg_", row->message);
    json_text_or_null(w, "provider_id", received->provider_id.data, received->provider_id.size);
    json_time(w, "received_at", id_time_ms(row->number));
    json_object_end(w);
}

/* --- one -----------------------------------------------------------------------------------------
 */

void api_received_get(struct call *call)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct received received;
    struct json_writer w;
    uint64_t number;
    bool is_seen = id_parse(call->params[0].data, call->params[0].size, "rcv_", &number) &&
                   received_find(txn, number, &received) &&
                   call_may_see_company(call, txn, received.row.company);

    if (is_seen) {
        w = call_answer(call);
        write_received(&w, txn, &received);
    }
    call_read_end(call, txn);
    if (!is_seen)
        call_refuse(call, OUTCOME_NOT_FOUND, "There is no such received message");
}

/* --- the list ------------------------------------------------------------------------------------
 */

struct received_query {
    struct page page;
    struct json_text from, company, product, created_from, created_to;
};

static const struct json_field received_parameters[] = {
    PAGE_FIELDS(struct received_query, page),
    QUERY_MOBILE_FIELD(struct received_query, from),
    QUERY_ID_FIELD(struct received_query, company),
    QUERY_ID_FIELD(struct received_query, product),
    QUERY_TIME_FIELD(struct received_query, created_from),
    QUERY_TIME_FIELD(struct received_query, created_to),
};

struct received_list {
    struct page_walk walk;
    uint64_t company, product; /* numbers; 0: any */
    struct json_writer writer;
};

static bool take_received(void *context, struct txn *txn, uint64_t number,
                          const struct txn_walk *row)
{
    struct received_list *list = context;
    struct received received;

    (void)row;
    if (!received_find(txn, number, &received) ||
        (list->company != 0 && received.row.company != list->company) ||
        (list->product != 0 && received.row.product != list->product))
        return false;
    write_received(&list->writer, txn, &received);
    return true;
}

/* False: there is nothing in it. */
static bool list_init(struct received_list *list, struct txn *txn,
                      const struct received_query *query, uint64_t after)
{
    uint64_t from, end;

    *list = (struct received_list){.walk = {.table = TABLE_RECEIVED,
                                            .direction = WALK_DOWN,
                                            .limit = query->page.limit,
                                            .examined_max = PAGE_EXAMINED_MAX,
                                            .take = take_received,
                                            .context = list}};
    page_span(query->created_from, query->created_to, &list->walk.first, &end);
    list->walk.after = after < end ? after : end;
    if (query->from.data != NULL && mobile_of_parameter(text_of(query->from), &from)) {
        list->walk.table = TABLE_RECEIVED_INDEX;
        received_from_key(list->walk.key, from, 0);
        list->walk.prefix_size = RECEIVED_FROM_KEY_SIZE - 8;
    }
    return page_thing(txn, CATALOG_COMPANY, query->company, &list->company) &&
           page_thing(txn, CATALOG_PRODUCT, query->product, &list->product);
}

void api_received_list(struct call *call)
{
    struct received_query query = {.page = PAGE_DEFAULT};
    uint64_t after = UINT64_MAX, next = 0;
    struct received_list list;
    struct txn *txn;

    if (!call_bind_query(call, received_parameters, FIELD_COUNT(received_parameters), &query) ||
        !call_page_after(call, &query.page, &after) || !call_take_company(call, &query.company))
        return;
    txn = pipeline_read_begin(call->api->pipeline);
    bool has_any = list_init(&list, txn, &query, after);
    list.writer = call_begin_list(call);
    if (has_any)
        next = page_walk(txn, &list.walk);
    call_read_end(call, txn);
    call_end_list(&list.writer, next);
}
