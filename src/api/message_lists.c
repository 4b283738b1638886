/* GET /v1/messages/{id} and the list. A list goes down by number over the recipient's messages, the
 * company's, or all; what else is asked for is looked at row by row, so many a page at the most:
 * then the page may have fewer than its limit, and a cursor all the same. */
#include <string.h>

#include "api/messages.h"
#include "base/bytes.h"
#include "base/id.h"
#include "base/time_text.h"
#include "engine/catalog.h"
#include "engine/mobile.h"
#include "engine/parts.h"

enum { EXAMINED_MAX = 2000 };

/* --- one -----------------------------------------------------------------------------------------
 */

static void write_text(struct json_writer *w, const char *name, struct text text)
{
    if (text.size == 0)
        json_null(w, name);
    else
        json_text(w, name, text.data, text.size);
}

static void write_time(struct json_writer *w, const char *name, int64_t time_ms)
{
    if (time_ms == 0)
        json_null(w, name);
    else
        json_time(w, name, time_ms);
}

void write_message(struct json_writer *w, struct txn *txn, const struct message_view *view)
{
    const char *error = message_error_text(view->error);
    struct catalog_thing product;
    char mobile[MOBILE_TEXT_MAX];

    json_id(w, "id", "msg_", view->number);
    json_text(w, "company", view->company.data, view->company.size);
    json_text(w, "to", mobile, mobile_put(mobile, view->to));
    json_text(w, "country", view->country, sizeof view->country);
    json_string(w, "status", message_status_text(view->status));
    json_string(w, "kind", message_kind_text(view->kind));
    json_int(w, "parts", view->parts);
    json_string(w, "encoding", parts_encoding_text((enum parts_encoding)view->encoding));
    json_int(w, "price", view->price);
    json_int(w, "amount", view->price * view->parts);
    if (catalog_find_number(txn, CATALOG_PRODUCT, view->product, &product))
        json_text(w, "product", product.id.data, product.id.size);
    json_int(w, "attempts", view->attempts);
    write_text(w, "client_reference", view->client_reference);
    json_bool(w, "test", view->is_test);
    json_text(w, "error", error, error == NULL ? 0 : strlen(error));
    json_time(w, "created_at", id_time_ms(view->number));
    write_time(w, "send_at", view->send_at_ms);
    write_time(w, "expire_at", view->expire_at_ms);
    write_time(w, "sent_at", view->sent_ms);
    write_time(w, "finished_at", view->finished_ms);
}

void write_message_rows(struct json_writer *w, struct txn *txn, const struct message_row *row,
                        const struct message_text *text)
{
    struct message_view view = {.number = row->number,
                                .client_reference = text->client_reference,
                                .country = {row->country[0], row->country[1]},
                                .status = (enum message_status)row->status,
                                .kind = (enum message_kind)row->kind,
                                .error = (enum message_error)row->error,
                                .encoding = row->encoding,
                                .parts = row->parts,
                                .attempts = row->attempts,
                                .to = text->row.to,
                                .product = row->product,
                                .price = text->row.price,
                                .is_test = (row->flags & MESSAGE_IS_TEST) != 0,
                                .send_at_ms = text->row.send_at_ms,
                                .expire_at_ms = text->row.expire_at_ms,
                                .sent_ms = row->sent_ms,
                                .finished_ms = row->finished_ms};
    struct catalog_thing company;

    if (catalog_find_number(txn, CATALOG_COMPANY, row->company, &company))
        view.company = company.id;
    write_message(w, txn, &view);
}

static void write_events(struct json_writer *w, struct txn *txn, const struct message_row *row,
                         int64_t send_at_ms)
{
    struct message_event events[MESSAGE_HISTORY_MAX];
    size_t count = message_history(txn, row, send_at_ms, events);

    json_array_begin(w, "events");
    for (size_t i = 0; i < count; i++) {
        const char *error = message_error_text(events[i].error);
        json_object_begin(w, NULL);
        json_time(w, "at", events[i].at_ms);
        json_string(w, "status", message_status_text(events[i].status));
        json_text(w, "error", error, error == NULL ? 0 : strlen(error));
        write_text(w, "detail", (struct text){events[i].detail, events[i].detail_size});
        json_object_end(w);
    }
    json_array_end(w);
}

static bool may_see(const struct call *call, struct txn *txn, const struct message_row *row)
{
    struct catalog_thing company;

    return call->key->row.company_size == 0 ||
           (catalog_find_number(txn, CATALOG_COMPANY, row->company, &company) &&
            call_may_use_company(call, company.id));
}

bool call_message(struct call *call, uint64_t *number)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct message_row row;
    bool is_seen = id_parse(call->params[0].data, call->params[0].size, "msg_", number) &&
                   message_find(txn, *number, &row) && may_see(call, txn, &row);

    call->reply->hold = pipeline_read_end(call->api->pipeline, txn);
    if (!is_seen)
        call_refuse(call, OUTCOME_MESSAGE_NOT_FOUND, NULL);
    return is_seen;
}

/* A code is for its recipient's eyes. */
static void write_content(struct json_writer *w, const struct message_row *row,
                          const struct message_text *text)
{
    write_text(w, "template", text->template_id);
    if (row->kind == MESSAGE_KIND_VERIFICATION)
        json_null(w, "content");
    else
        json_text(w, "content", text->content.data, text->content.size);
    write_text(w, "callback_url", text->callback_url);
}

void api_message_get(struct call *call)
{
    struct message_row row;
    struct message_text text;
    struct json_writer w;
    struct txn *txn;
    uint64_t number;

    if (!call_message(call, &number))
        return;
    w = call_answer(call);
    txn = pipeline_read_begin(call->api->pipeline);
    json_object_begin(&w, NULL);
    if (message_find(txn, number, &row) && message_text_find(txn, number, &text)) {
        write_message_rows(&w, txn, &row, &text);
        write_content(&w, &row, &text);
        write_events(&w, txn, &row, text.row.send_at_ms);
    }
    json_object_end(&w);
    call->reply->hold = pipeline_read_end(call->api->pipeline, txn);
}

/* --- the list ------------------------------------------------------------------------------------
 */

struct message_query {
    struct page page;
    struct json_text to, status, company, product, created_from, created_to;
};

bool mobile_of_parameter(struct text text, uint64_t *mobile)
{
    char plus[MOBILE_TEXT_MAX] = {'+'};
    bool has_sign = text.size > 0 && (text.data[0] == '+' || text.data[0] == ' ');
    size_t digits = text.size - has_sign;

    if (digits == 0 || digits > MOBILE_DIGITS_MAX)
        return false;
    memcpy(plus + 1, text.data + has_sign, digits);
    return mobile_parse((struct text){plus, 1 + digits}, mobile);
}

static bool is_mobile(const char *data, size_t size)
{
    uint64_t mobile;

    return mobile_of_parameter((struct text){data, size}, &mobile);
}

static bool is_status(const char *data, size_t size)
{
    return message_status_parse((struct text){data, size}) != 0;
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
        .name = #field, .kind = JSON_TEXT, .offset = offsetof(struct message_query, field),        \
        .min = 1, .max = 64, .check = (checked), .rule = (text)                                    \
    }

static const struct json_field message_parameters[] = {
    PAGE_FIELDS(struct message_query, page),
    QUERY_FIELD(to, is_mobile, MOBILE_RULE),
    QUERY_FIELD(status, is_status, "must be a message's status"),
    QUERY_FIELD(company, is_id, "must be an id"),
    QUERY_FIELD(product, is_id, "must be an id"),
    QUERY_FIELD(created_from, is_time, "must be a time as RFC 3339 writes it"),
    QUERY_FIELD(created_to, is_time, "must be a time as RFC 3339 writes it"),
};

struct message_list {
    enum table table;
    char from[MESSAGE_LIST_KEY_SIZE];
    size_t prefix_size;
    uint64_t first; /* none before it */
    enum message_status status;
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

/* From the message before `last`. False: there is nothing in it. */
static bool list_init(struct message_list *list, struct txn *txn, const struct message_query *query,
                      uint64_t last)
{
    uint64_t by;

    *list = (struct message_list){.table = TABLE_MESSAGE_TEXT, .limit = query->page.limit};
    if (query->status.data != NULL)
        list->status = message_status_parse(text_of(query->status));
    if (!take_thing(txn, CATALOG_COMPANY, text_of(query->company), &list->company) ||
        !take_thing(txn, CATALOG_PRODUCT, text_of(query->product), &list->product))
        return false;
    if (query->to.data != NULL && mobile_of_parameter(text_of(query->to), &by)) {
        list->table = TABLE_MESSAGE_TO;
    } else if (list->company != 0) {
        list->table = TABLE_MESSAGE_COMPANY;
        by = list->company;
    }
    if (list->table == TABLE_MESSAGE_TEXT) {
        bytes_put_u64_be(list->from, last);
    } else {
        message_list_key(list->from, by, last);
        list->prefix_size = 8;
    }
    return true;
}

static bool is_asked_for(const struct message_list *list, const struct message_row *row)
{
    return (list->status == 0 || row->status == list->status) &&
           (list->product == 0 || row->product == list->product) &&
           (list->company == 0 || row->company == list->company);
}

/* True: it was asked for. */
static bool write_listed(struct json_writer *w, struct txn *txn, const struct message_list *list,
                         uint64_t number)
{
    struct message_row row;
    struct message_text text;

    if (!message_find(txn, number, &row) || !is_asked_for(list, &row))
        return false;
    message_text_find(txn, number, &text);
    json_object_begin(w, NULL);
    write_message_rows(w, txn, &row, &text);
    json_object_end(w);
    return true;
}

static uint64_t write_list(struct json_writer *w, struct txn *txn, const struct message_list *list)
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

void api_message_list(struct call *call)
{
    struct message_query query = {.page = PAGE_DEFAULT};
    uint64_t after = UINT64_MAX, end, next = 0;
    struct text own = {call->key->company, call->key->row.company_size};
    struct message_list list;
    struct json_writer w;
    struct txn *txn;

    if (!call_bind_query(call, message_parameters, FIELD_COUNT(message_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    if (query.company.data == NULL && own.size > 0)
        query.company = (struct json_text){own.data, own.size};
    if (own.size > 0 && !call_may_use_company(call, text_of(query.company))) {
        call_refuse(call, OUTCOME_FORBIDDEN, "The API key is another company's");
        return;
    }
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
    call->reply->hold = pipeline_read_end(call->api->pipeline, txn);
    call_end_list(&w, next);
}
