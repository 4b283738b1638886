/* GET /v1/traces: for a mobile what was seen, decided and sent, and why (CITY-10). */
#include <string.h>

#include "api/page.h"
#include "base/id.h"
#include "engine/city_index.h"
#include "engine/city_message.h"
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

/* A key of a company sees what its own cities have decided, and those that send for nobody. */
static bool may_see(const struct call *call, struct txn *txn, uint32_t city)
{
    struct text own = call_company(call);
    struct city_message message;

    return own.data == NULL || !city_message_find(txn, city, &message) ||
           text_equals(own, message.company);
}

struct trace_query {
    struct json_text mobile;
};

static const struct json_field trace_parameters[] = {
    {.name = "mobile",
     .kind = JSON_TEXT,
     .offset = offsetof(struct trace_query, mobile),
     .is_required = true,
     .min = 1,
     .max = MOBILE_TEXT_MAX}};

/* A + that is not written %2B is a space in a query. */
static bool parse_mobile(struct json_text text, uint64_t *mobile)
{
    char spelled[MOBILE_TEXT_MAX];

    if (text.data == NULL)
        return false;
    memcpy(spelled, text.data, text.size);
    if (spelled[0] == ' ')
        spelled[0] = '+';
    return mobile_parse((struct text){spelled, text.size}, mobile);
}

void api_trace_list(struct call *call)
{
    const struct city_index *cities = pipeline_cities(call->api->pipeline);
    struct trace_query query = {.mobile = {NULL, 0}};
    struct trace_row row = {.count = 0};
    struct json_writer w;
    struct txn *txn;
    uint64_t mobile;

    if (!call_bind_query(call, trace_parameters, FIELD_COUNT(trace_parameters), &query))
        return;
    if (!parse_mobile(query.mobile, &mobile)) {
        call_refuse_field(call, "/mobile", "must be + and 7 to 15 digits");
        return;
    }
    txn = pipeline_read_begin(call->api->pipeline);
    trace_find(txn, mobile, &row);
    w = call_begin_list(call);
    for (uint32_t i = 0; i < row.count; i++) {
        const struct trace_item *item = &row.items[i];
        if (may_see(call, txn, item->city))
            write_item(&w, cities->cities[item->city], txn, mobile, item);
    }
    call_read_end(call, txn);
    call_end_list(&w, 0);
}
