/* GET /v1/traces: for a mobile what was seen, decided and sent, and why (CITY-10). */
#include "api/cities.h"
#include "api/messages.h"
#include "api/page.h"
#include "base/id.h"
#include "engine/city_index.h"
#include "engine/message.h"
#include "engine/mobile.h"

static const struct {
    const char *text, *reason;
} decisions[] = {
#define DECISION(name, number, text, reason) [number] = {text, reason},
#include "engine/city_decision.def"
#undef DECISION
};

/* A message that is in history has the status that it had in the end; where it had none, nothing
 * was heard of it after it was sent. */
static enum message_status status_of(struct txn *txn, const struct trace_item *item)
{
    struct message_row row;

    if (message_find(txn, item->message, &row))
        return (enum message_status)row.status;
    return item->status != 0 ? (enum message_status)item->status : MESSAGE_SENT;
}

static void write_last_seen(struct json_writer *w, struct txn *txn, uint32_t city, uint64_t mobile)
{
    struct visit_row visit;

    if (visit_find(txn, city, mobile, &visit))
        json_time(w, "last_seen_at", (int64_t)visit.last_s * 1000);
    else
        json_null(w, "last_seen_at");
}

static void write_item(struct json_writer *w, const struct city *city, struct txn *txn,
                       uint64_t mobile, const struct trace_item *item)
{
    json_object_begin(w, NULL);
    json_time(w, "at", item->at_ms);
    json_text(w, "city", city->code, city->code_size);
    json_string(w, "decision", decisions[item->decision].text);
    json_string(w, "reason", decisions[item->decision].reason);
    if (item->outcome == OUTCOME_OK)
        json_null(w, "code");
    else
        json_string(w, "code", outcome_infos[item->outcome].code);
    if (item->message == 0) {
        json_null(w, "message");
        json_null(w, "message_status");
    } else {
        json_id(w, "message", "msg_", item->message);
        json_string(w, "message_status", message_status_text(status_of(txn, item)));
    }
    write_last_seen(w, txn, item->city, mobile);
    json_time(w, "decided_at", item->decided_ms);
    json_object_end(w);
}

struct trace_query {
    struct page page;
    struct json_text mobile;
};

static const struct json_field trace_parameters[] = {
    {.name = "mobile",
     .kind = JSON_TEXT,
     .offset = offsetof(struct trace_query, mobile),
     .min = 1,
     .max = MOBILE_TEXT_MAX},
    PAGE_FIELDS(struct trace_query, page),
};

/* What a page goes on behind: when it was decided, and how many of that millisecond are older. */
static uint64_t place_of(const struct trace_row *row, uint32_t i)
{
    uint64_t place = (uint64_t)row->items[i].decided_ms * TRACE_ITEMS_MAX;

    for (uint32_t j = i + 1; j < row->count && row->items[j].decided_ms == row->items[i].decided_ms;
         j++)
        place++;
    return place;
}

/* Returns what the next page goes on behind; 0: there is none. */
static uint64_t write_items(const struct call *call, struct json_writer *w, struct txn *txn,
                            uint64_t mobile, const struct trace_row *row, uint64_t after,
                            int64_t limit)
{
    const struct city_index *cities = pipeline_cities(call->api->pipeline);
    uint64_t last = 0;

    for (uint32_t i = 0; i < row->count; i++) {
        const struct trace_item *item = &row->items[i];
        uint64_t place = place_of(row, i);
        if (place >= after || !call_may_see_city(call, txn, item->city))
            continue;
        if (limit-- == 0)
            return last;
        write_item(w, cities->cities[item->city], txn, mobile, item);
        last = place;
    }
    return 0;
}

void api_trace_list(struct call *call)
{
    struct trace_query query = {PAGE_DEFAULT, {NULL, 0}};
    struct trace_row row = {.count = 0};
    uint64_t mobile, next, after = UINT64_MAX;
    struct json_writer w;
    struct txn *txn;

    if (!call_bind_query(call, trace_parameters, FIELD_COUNT(trace_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    if (!mobile_of_parameter(text_of(query.mobile), &mobile)) {
        call_refuse_field(call, "/mobile", MOBILE_RULE);
        return;
    }
    txn = pipeline_read_begin(call->api->pipeline);
    trace_find(txn, mobile, &row);
    w = call_begin_list(call);
    next = write_items(call, &w, txn, mobile, &row, after, query.page.limit);
    call_read_end(call, txn);
    call_end_list(&w, next);
}
