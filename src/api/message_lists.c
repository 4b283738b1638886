/* GET /v1/messages/{id} and the list. A list goes down by number over the recipient's messages, the
 * company's, or all; what else is asked for is looked at row by row, so many a page at the most:
 * then the page may have fewer than its limit, and a cursor all the same. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/message_lists.h"
#include "base/bytes.h"
#include "base/id.h"
#include "base/time_text.h"
#include "engine/archive.h"
#include "engine/catalog.h"
#include "engine/mobile.h"
#include "engine/parts.h"

/* --- one -----------------------------------------------------------------------------------------
 */

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
    json_text_or_null(w, "client_reference", view->client_reference.data,
                      view->client_reference.size);
    json_bool(w, "test", view->is_test);
    json_string(w, "error", error);
    json_time(w, "created_at", id_time_ms(view->number));
    json_time_or_null(w, "send_at", view->send_at_ms);
    json_time_or_null(w, "expire_at", view->expire_at_ms);
    json_time_or_null(w, "sent_at", view->sent_ms);
    json_time_or_null(w, "finished_at", view->finished_ms);
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

static void write_events(struct json_writer *w, const struct message_event *events, size_t count)
{
    json_array_begin(w, "events");
    for (size_t i = 0; i < count; i++) {
        const char *error = message_error_text(events[i].error);
        json_object_begin(w, NULL);
        json_time(w, "at", events[i].at_ms);
        json_string(w, "status", message_status_text(events[i].status));
        json_string(w, "error", error);
        json_text_or_null(w, "detail", events[i].detail, events[i].detail_size);
        json_object_end(w);
    }
    json_array_end(w);
}

/* Archived messages may be of any day of which there is history. */
static bool may_be_history(struct api *api, uint64_t first, uint64_t last)
{
    return pipeline_has_history(api->pipeline, id_day(first), id_day(last));
}

enum message_place call_message(struct call *call, uint64_t *number)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is_message = id_parse(call->params[0].data, call->params[0].size, "msg_", number);
    struct message_row row;
    bool is_row = is_message && message_find(txn, *number, &row);
    bool is_seen = is_row && call_may_see_company(call, txn, row.company);

    call_read_end(call, txn);
    if (is_seen)
        return MESSAGE_IS_ROW;
    if (is_message && !is_row && may_be_history(call->api, *number, *number))
        return MESSAGE_MAY_BE_HISTORY;
    call_refuse(call, OUTCOME_MESSAGE_NOT_FOUND, NULL);
    return MESSAGE_IS_NOWHERE;
}

/* A code is for its recipient's eyes. */
static void write_content(struct json_writer *w, const struct message_row *row,
                          const struct message_text *text)
{
    json_text_or_null(w, "template", text->template_id.data, text->template_id.size);
    if (row->kind == MESSAGE_KIND_VERIFICATION)
        json_null(w, "content");
    else
        json_text(w, "content", text->content.data, text->content.size);
    json_text_or_null(w, "callback_url", text->callback_url.data, text->callback_url.size);
}

void write_message_whole(struct json_writer *w, struct txn *txn, const struct message_row *row,
                         const struct message_text *text, const struct message_event *events,
                         size_t event_count)
{
    json_object_begin(w, NULL);
    write_message_rows(w, txn, row, text);
    write_content(w, row, text);
    write_events(w, events, event_count);
    json_object_end(w);
}

static void answer_row(struct call *call, uint64_t number)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct message_event events[MESSAGE_HISTORY_MAX];
    struct json_writer w = call_answer(call);
    struct message_text text;
    struct message_row row;
    bool is_there = message_find(txn, number, &row) && message_text_find(txn, number, &text);

    assert(is_there);
    write_message_whole(&w, txn, &row, &text, events,
                        message_history(txn, &row, text.row.send_at_ms, events));
    call_read_end(call, txn);
}

void api_message_get(struct call *call)
{
    uint64_t number;

    switch (call_message(call, &number)) {
    case MESSAGE_IS_ROW:
        answer_row(call, number);
        break;
    case MESSAGE_MAY_BE_HISTORY:
        call_message_history(call, number, NULL);
        break;
    case MESSAGE_IS_NOWHERE:
        break;
    }
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

bool is_mobile(const char *data, size_t size)
{
    uint64_t mobile;

    return mobile_of_parameter((struct text){data, size}, &mobile);
}

static bool is_status(const char *data, size_t size)
{
    return message_status_parse((struct text){data, size}) != 0;
}

static const struct json_field message_parameters[] = {
    PAGE_FIELDS(struct message_query, page),
    QUERY_MOBILE_FIELD(struct message_query, to),
    QUERY_FIELD(struct message_query, status, is_status, "must be a message's status"),
    QUERY_ID_FIELD(struct message_query, company),
    QUERY_ID_FIELD(struct message_query, product),
    QUERY_TIME_FIELD(struct message_query, created_from),
    QUERY_TIME_FIELD(struct message_query, created_to),
};

/* False: there is nothing in it. */
static bool list_init(struct message_list *list, struct txn *txn, const struct message_query *query)
{
    list->table = TABLE_MESSAGE_TEXT;
    list->limit = query->page.limit;
    if (query->status.data != NULL)
        list->status = message_status_parse(text_of(query->status));
    if (!page_thing(txn, CATALOG_COMPANY, query->company, &list->company) ||
        !page_thing(txn, CATALOG_PRODUCT, query->product, &list->product))
        return false;
    if (query->to.data != NULL && mobile_of_parameter(text_of(query->to), &list->by)) {
        list->table = TABLE_MESSAGE_TO;
    } else if (list->company != 0) {
        list->table = TABLE_MESSAGE_COMPANY;
        list->by = list->company;
    }
    return true;
}

bool message_list_asks_for(const struct message_list *list, const struct message_row *row)
{
    return (list->status == 0 || row->status == list->status) &&
           (list->product == 0 || row->product == list->product) &&
           (list->company == 0 || row->company == list->company);
}

struct rows {
    const struct message_list *list;
    struct message_page *page;
};

static bool take_message(void *context, struct txn *txn, uint64_t number, const struct txn_walk *at)
{
    const struct rows *rows = context;
    struct message_page *page = rows->page;
    struct listed_message *item = &page->items[page->count];
    struct json_writer w = json_writer(&page->json);
    struct message_row row;
    struct message_text text;

    (void)at;
    if (!message_find(txn, number, &row) || !message_list_asks_for(rows->list, &row))
        return false;
    message_text_find(txn, number, &text);
    *item = (struct listed_message){.number = number, .begin = page->json.size};
    json_object_begin(&w, NULL);
    write_message_rows(&w, txn, &row, &text);
    json_object_end(&w);
    item->end = page->json.size;
    page->count++;
    return true;
}

static void take_page(struct message_page *page, struct txn *txn, const struct message_list *list)
{
    struct rows rows = {list, page};
    struct page_walk walk = {.table = list->table,
                             .direction = WALK_DOWN,
                             .prefix_size = list->by != 0 ? 8 : 0,
                             .after = list->last + 1,
                             .first = list->first,
                             .limit = list->limit,
                             .examined_max = PAGE_EXAMINED_MAX,
                             .take = take_message,
                             .context = &rows};
    uint64_t next;

    bytes_put_u64_be(walk.key, list->by);
    next = page_walk(txn, &walk);
    page->has_more = next != 0;
    page->reached = page->has_more ? next : list->first;
}

static void answer_page(struct call *call, const struct message_page *page)
{
    struct json_writer w = call_begin_list(call);

    for (size_t i = 0; i < page->count; i++)
        json_raw(&w, NULL, page->json.data + page->items[i].begin,
                 page->items[i].end - page->items[i].begin);
    call_end_list(&w, page->has_more ? page->reached : 0);
}

/* With nothing in history that could belong to the page, rows are all there is. */
static bool needs_history(struct call *call, const struct message_list *list,
                          const struct message_page *page)
{
    return may_be_history(call->api, page->has_more ? page->reached : list->first, list->last);
}

static void answer_list(struct call *call, struct message_list *list,
                        const struct message_query *query)
{
    struct message_page *page = malloc(sizeof *page);
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool has_any = list->first <= list->last && list_init(list, txn, query);

    assert(page != NULL);
    *page = (struct message_page){.count = 0};
    buffer_init(&page->json);
    if (has_any)
        take_page(page, txn, list);
    call_read_end(call, txn);
    if (has_any && needs_history(call, list, page)) {
        call_list_history(call, list, page);
        return;
    }
    answer_page(call, page);
    buffer_release(&page->json);
    free(page);
}

void api_message_list(struct call *call)
{
    struct message_query query = {.page = PAGE_DEFAULT};
    struct text own = {call->key->company, call->key->row.company_size};
    uint64_t after = UINT64_MAX, end;
    struct message_list list = {.limit = 0};

    if (!call_bind_query(call, message_parameters, FIELD_COUNT(message_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    if (query.company.data == NULL && own.size > 0)
        query.company = (struct json_text){own.data, own.size};
    if (own.size > 0 && !call_may_use_company(call, text_of(query.company))) {
        call_refuse(call, OUTCOME_FORBIDDEN, OTHERS_KEY);
        return;
    }
    page_span(query.created_from, query.created_to, &list.first, &end);
    end = after < end ? after : end;
    list.last = end - (end > 0); /* nothing has the number 0 */
    answer_list(call, &list, &query);
}
