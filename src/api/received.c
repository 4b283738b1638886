/* GET /v1/messages/received (SMS-18): what people have written to us. A list goes down by number
 * over the messages of one sender, or all; what else is asked for is looked at row by row, so many
 * a page at the most: then the page may have fewer than its limit, and a cursor all the same. */
#include <string.h>

#include "api/messages.h"
#include "base/bytes.h"
#include "base/id.h"
#include "base/time_text.h"
#include "engine/catalog.h"
#include "engine/mobile.h"
#include "engine/received.h"

enum { EXAMINED_MAX = 2000 };

static void write_thing(struct json_writer *w, const char *name, struct txn *txn,
                        enum catalog_kind kind, uint64_t number)
{
    struct catalog_thing thing;

    if (number != 0 && catalog_find_number(txn, kind, number, &thing))
        json_text(w, name, thing.id.data, thing.id.size);
    else
        json_null(w, name);
}

static void write_received(struct json_writer *w, struct txn *txn, const struct received *received)
{
    const struct received_row *row = &received->row;
    const char *action = received_action_text((enum received_action)row->action);
    char from[MOBILE_TEXT_MAX];

    json_object_begin(w, NULL);
    json_id(w, "id", "rcv_", row->number);
    write_thing(w, "product", txn, CATALOG_PRODUCT, row->product);
    write_thing(w, "company", txn, CATALOG_COMPANY, row->company);
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

static bool may_see(const struct call *call, struct txn *txn, const struct received_row *row)
{
    struct text own = call_company(call);
    struct catalog_thing company;

    return own.data == NULL || (row->company != 0 &&
                                catalog_find_number(txn, CATALOG_COMPANY, row->company, &company) &&
                                text_equals(company.id, own));
}

void api_received_get(struct call *call)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct received received;
    struct json_writer w;
    uint64_t number;
    bool is_seen = id_parse(call->params[0].data, call->params[0].size, "rcv_", &number) &&
                   received_find(txn, number, &received) && may_see(call, txn, &received.row);

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

static bool is_mobile(const char *data, size_t size)
{
    uint64_t mobile;

    return mobile_of_parameter((struct text){data, size}, &mobile);
}

static bool is_id(const char *data, size_t size)
{
    return catalog_id_is_valid(CATALOG_COMPANY, (struct text){data, size});
}

static bool is_time(const char *data, size_t size)
{
    int64_t time_ms;

    return time_parse(data, size, &time_ms);
}

#define QUERY_FIELD(field, checked, text)                                                          \
    {                                                                                              \
        .name = #field, .kind = JSON_TEXT, .offset = offsetof(struct received_query, field),       \
        .min = 1, .max = 64, .check = (checked), .rule = (text)                                    \
    }

static const struct json_field received_parameters[] = {
    PAGE_FIELDS(struct received_query, page),
    QUERY_FIELD(from, is_mobile, MOBILE_RULE),
    QUERY_FIELD(company, is_id, "must be an id"),
    QUERY_FIELD(product, is_id, "must be an id"),
    QUERY_FIELD(created_from, is_time, "must be a time as RFC 3339 writes it"),
    QUERY_FIELD(created_to, is_time, "must be a time as RFC 3339 writes it"),
};

struct received_list {
    enum table table;
    char from[RECEIVED_FROM_KEY_SIZE];
    size_t prefix_size;
    uint64_t first;            /* none before it */
    uint64_t company, product; /* numbers; 0: any */
    int64_t limit;
};

/* False: there is no such thing, and nothing in the list. */
static bool take_thing(struct txn *txn, enum catalog_kind kind, struct text id, uint64_t *number)
{
    struct catalog_thing thing;

    if (id.data == NULL)
        return true;
    if (!catalog_find(txn, kind, id, &thing))
        return false;
    *number = thing.number;
    return true;
}

/* From the message `last`. False: there is nothing in it. */
static bool list_init(struct received_list *list, struct txn *txn,
                      const struct received_query *query, uint64_t last)
{
    uint64_t from;

    *list = (struct received_list){.table = TABLE_RECEIVED, .limit = query->page.limit};
    if (query->from.data != NULL && mobile_of_parameter(text_of(query->from), &from)) {
        list->table = TABLE_RECEIVED_INDEX;
        received_from_key(list->from, from, last);
        list->prefix_size = RECEIVED_FROM_KEY_SIZE - 8;
    } else {
        bytes_put_u64_be(list->from, last);
    }
    return take_thing(txn, CATALOG_COMPANY, text_of(query->company), &list->company) &&
           take_thing(txn, CATALOG_PRODUCT, text_of(query->product), &list->product);
}

static bool write_listed(struct json_writer *w, struct txn *txn, const struct received_list *list,
                         uint64_t number)
{
    struct received received;

    if (!received_find(txn, number, &received) ||
        (list->company != 0 && received.row.company != list->company) ||
        (list->product != 0 && received.row.product != list->product))
        return false;
    write_received(w, txn, &received);
    return true;
}

static uint64_t write_list(struct json_writer *w, struct txn *txn, const struct received_list *list)
{
    struct txn_walk *walk =
        txn_walk(txn, list->table, WALK_DOWN, list->from, list->prefix_size + 8);
    uint64_t last = 0, next = 0;
    int64_t count = 0;

    for (int examined = 0; txn_walk_next(walk); examined++) {
        const char *key = walk->key;
        if (memcmp(key, list->from, list->prefix_size) != 0 ||
            bytes_get_u64_be(key + list->prefix_size) < list->first)
            break;
        if (count == list->limit || examined == EXAMINED_MAX) {
            next = last;
            break;
        }
        last = bytes_get_u64_be(key + list->prefix_size);
        count += write_listed(w, txn, list, last);
    }
    txn_walk_end(walk);
    return next;
}

static uint64_t number_at(struct json_text time, uint64_t fallback)
{
    int64_t time_ms;

    return time.data != NULL && time_parse(time.data, time.size, &time_ms) ? id_at(time_ms)
                                                                           : fallback;
}

void api_received_list(struct call *call)
{
    struct received_query query = {.page = PAGE_DEFAULT};
    uint64_t after = UINT64_MAX, end, next = 0;
    struct text own = call_company(call);
    struct received_list list;
    struct json_writer w;
    struct txn *txn;

    if (!call_bind_query(call, received_parameters, FIELD_COUNT(received_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    if (query.company.data == NULL && own.size > 0)
        query.company = (struct json_text){own.data, own.size};
    if (own.size > 0 && !call_may_act_for(call, text_of(query.company)))
        return;
    end = number_at(query.created_to, UINT64_MAX);
    end = after < end ? after : end;
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_array_begin(&w, "data");
    txn = pipeline_read_begin(call->api->pipeline);
    if (end > 0 && list_init(&list, txn, &query, end - 1)) {
        list.first = number_at(query.created_from, 0);
        next = write_list(&w, txn, &list);
    }
    call_read_end(call, txn);
    call_end_list(&w, next);
}
