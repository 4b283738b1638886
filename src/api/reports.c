/* GET /v1/reports/messages (SMS-21): counters summed into lines, a slice of rows a turn of the
 * loop, however many days, companies and countries there are. What is hard: messages move while it
 * is read. A row is never half changed, but a message that goes to another product in between may
 * be seen at both or at neither; a report of days gone by does not move. */
#include "api/reports.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/catalog.h"
#include "api/deferred.h"
#include "api/messages.h"
#include "api/page.h"
#include "api/report_groups.h"
#include "base/time_text.h"
#include "engine/catalog.h"

enum { ROWS_PER_TURN = 256, DAY_TEXT_SIZE = 10 };

/* --- the days ------------------------------------------------------------------------------------
 */

static bool day_parse(const char *data, size_t size, uint32_t *day)
{
    char text[TIME_TEXT_SIZE] = "0000-00-00T00:00:00.000Z";
    int64_t time_ms;

    if (size == DAY_TEXT_SIZE) {
        memcpy(text, data, DAY_TEXT_SIZE);
        data = text;
        size = sizeof text;
    }
    if (!time_parse(data, size, &time_ms) || time_ms % REPORT_DAY_MS != 0)
        return false;
    *day = (uint32_t)(time_ms / REPORT_DAY_MS);
    return true;
}

bool is_day(const char *data, size_t size)
{
    uint32_t day;

    return day_parse(data, size, &day);
}

bool call_period(struct call *call, struct json_text from, struct json_text to,
                 struct period *period)
{
    period->end = (uint32_t)(pipeline_now_ms(call->api->pipeline) / REPORT_DAY_MS) + 1;
    if (to.data != NULL)
        day_parse(to.data, to.size, &period->end);
    period->first = period->end > PERIOD_DAYS_DEFAULT ? period->end - PERIOD_DAYS_DEFAULT : 0;
    if (from.data != NULL)
        day_parse(from.data, from.size, &period->first);
    if (period->first < period->end && period->end - period->first <= PERIOD_DAYS_MAX)
        return true;
    call_refuse_field(call, "/created_from",
                      "must be 1 to 400 days before created_to, which is tomorrow if not given");
    return false;
}

void write_period(struct json_writer *writer, const struct period *period)
{
    json_time(writer, "created_from", period->first * REPORT_DAY_MS);
    json_time(writer, "created_to", period->end * REPORT_DAY_MS);
}

/* --- what is asked -------------------------------------------------------------------------------
 */

struct report_query {
    struct page page;
    struct json_text by, company, product, country, kind, created_from, created_to;
};

static bool is_by(const char *data, size_t size)
{
    unsigned by;

    return report_by_parse((struct text){data, size}, &by);
}

static bool is_country(const char *data, size_t size)
{
    return catalog_id_is_valid(CATALOG_COUNTRY, (struct text){data, size});
}

static bool is_kind(const char *data, size_t size)
{
    return message_kind_parse((struct text){data, size}) != 0;
}

static const struct json_field report_parameters[] = {
    PAGE_FIELDS(struct report_query, page),
    QUERY_FIELD(struct report_query, by, is_by,
                "must be some of day,company,product,country,kind,status"),
    QUERY_ID_FIELD(struct report_query, company),
    QUERY_ID_FIELD(struct report_query, product),
    QUERY_FIELD(struct report_query, country, is_country, "must be two capital letters"),
    QUERY_FIELD(struct report_query, kind, is_kind, "must be verification, notice or marketing"),
    QUERY_FIELD(struct report_query, created_from, is_day, DAY_RULE),
    QUERY_FIELD(struct report_query, created_to, is_day, DAY_RULE),
};

struct report_call {
    struct api *api;
    struct deferred deferred;
    struct period period;
    uint64_t company, product; /* numbers; 0: any */
    char country[2];           /* 0: any */
    uint8_t kind;              /* likewise */
    struct report_groups groups;
    char at[REPORT_KEY_SIZE]; /* the walk goes on from there, */
    bool is_begun;            /* behind it */
};

/* --- the cursor: a line's key --------------------------------------------------------------------
 */

static bool cursor_read(struct json_text text, char key[REPORT_GROUP_KEY_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    if (text.size != 2 * REPORT_GROUP_KEY_SIZE)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        const char *digit = memchr(digits, text.data[i], 16);
        if (digit == NULL)
            return false;
        key[i / 2] = (char)((unsigned)key[i / 2] << 4 | (unsigned)(digit - digits));
    }
    return true;
}

/* --- answering -----------------------------------------------------------------------------------
 */

static void write_key(struct json_writer *w, struct txn *txn, unsigned by,
                      const struct report_key *key, uint8_t status)
{
    char day[TIME_TEXT_SIZE];

    if (by & REPORT_BY_DAY) {
        time_format(day, key->day * REPORT_DAY_MS);
        json_text(w, "day", day, DAY_TEXT_SIZE);
    }
    if (by & REPORT_BY_COMPANY)
        catalog_write_id(w, "company", txn, CATALOG_COMPANY, key->company);
    if (by & REPORT_BY_PRODUCT)
        catalog_write_id(w, "product", txn, CATALOG_PRODUCT, key->product);
    if (by & REPORT_BY_COUNTRY)
        json_text(w, "country", key->country, sizeof key->country);
    if (by & REPORT_BY_KIND)
        json_string(w, "kind", message_kind_text((enum message_kind)key->kind));
    if (by & REPORT_BY_STATUS)
        json_string(w, "status", message_status_text((enum message_status)status));
}

static uint64_t sum_of(const uint64_t counts[REPORT_STATUSES])
{
    uint64_t sum = 0;

    for (size_t i = 0; i < REPORT_STATUSES; i++)
        sum += counts[i];
    return sum;
}

/* Of what providers have taken. */
static void write_rate(struct json_writer *w, const uint64_t messages[REPORT_STATUSES])
{
    uint64_t delivered = messages[MESSAGE_DELIVERED - 1];
    uint64_t taken = delivered + messages[MESSAGE_SENT - 1] + messages[MESSAGE_UNDELIVERED - 1];

    if (taken == 0)
        json_null(w, "delivery_rate");
    else
        json_decimal(w, "delivery_rate", (int64_t)((delivered * 10000 + taken / 2) / taken), 4);
}

static void write_percentile(struct json_writer *w, const char *name,
                             const struct report_group *group, unsigned permille)
{
    int64_t ms = report_percentile(group->buckets, permille);

    if (ms < 0)
        json_null(w, name);
    else
        json_int(w, name, ms);
}

static void write_sums(struct json_writer *w, const struct report_group *group)
{
    json_object_begin(w, "counts");
    for (int status = 1; status <= REPORT_STATUSES; status++)
        json_int(w, message_status_text((enum message_status)status),
                 (int64_t)group->messages[status - 1]);
    json_object_end(w);
    json_int(w, "parts_taken",
             (int64_t)(group->parts[MESSAGE_SENT - 1] + group->parts[MESSAGE_DELIVERED - 1] +
                       group->parts[MESSAGE_UNDELIVERED - 1]));
    json_int(w, "charged", group->charged);
    json_int(w, "refunded", group->refunded);
    write_rate(w, group->messages);
    write_percentile(w, "delivery_p50_ms", group, 500);
    write_percentile(w, "delivery_p90_ms", group, 900);
    write_percentile(w, "delivery_p99_ms", group, 990);
}

static void write_report(struct buffer *body, struct txn *txn, const struct report_call *report)
{
    const struct report_groups *groups = &report->groups;
    struct json_writer w = json_writer(body);
    struct report_key key;
    uint8_t status;

    json_object_begin(&w, NULL);
    write_period(&w, &report->period);
    json_array_begin(&w, "data");
    for (size_t i = 0; i < groups->count; i++) {
        const struct report_group *group = &groups->items[i];
        report_group_key_read(group->key, &key, &status);
        json_object_begin(&w, NULL);
        write_key(&w, txn, groups->by, &key, status);
        json_int(&w, "total", (int64_t)sum_of(group->messages));
        json_int(&w, "parts", (int64_t)sum_of(group->parts));
        if (!(groups->by & REPORT_BY_STATUS))
            write_sums(&w, group);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_hex(&w, "next", groups->has_more ? groups->items[groups->count - 1].key : NULL,
             REPORT_GROUP_KEY_SIZE);
    json_object_end(&w);
}

static void finish(struct report_call *report)
{
    struct txn *txn = pipeline_read_begin(report->api->pipeline);
    struct buffer body;
    uint64_t hold;

    buffer_init(&body);
    write_report(&body, txn, report);
    hold = pipeline_read_end(report->api->pipeline, txn);
    deferred_hold(&report->deferred, hold);
    deferred_answer(&report->deferred, &body);
    buffer_release(&body);
    report_groups_release(&report->groups);
    assert(report->api->batch_count > 0);
    report->api->batch_count--;
    free(report);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static bool is_asked_for(const struct report_call *report, const struct report_key *key)
{
    return (report->company == 0 || key->company == report->company) &&
           (report->product == 0 || key->product == report->product) &&
           (report->kind == 0 || key->kind == report->kind) &&
           (report->country[0] == '\0' || memcmp(key->country, report->country, 2) == 0);
}

/* False: all that can be in the page is. */
static bool take_row(struct report_call *report, const struct txn_walk *walk)
{
    struct report_key key;
    struct report_row row;
    bool is_whole = report_key_read(walk->key, walk->key_size, &key) &&
                    report_row_read(walk->value, walk->value_size, &row);

    assert(is_whole);
    if (key.day < report->period.first || report_groups_are_done(&report->groups, key.day))
        return false;
    memcpy(report->at, walk->key, sizeof report->at);
    if (is_asked_for(report, &key))
        report_groups_add(&report->groups, &key, &row);
    return true;
}

static void on_turn(void *context)
{
    struct report_call *report = context;
    struct txn *txn = pipeline_read_begin(report->api->pipeline);
    struct txn_walk *walk = txn_walk(txn, TABLE_REPORT, WALK_DOWN, report->at, sizeof report->at);
    bool has_more = true;
    uint64_t hold;

    for (int rows = 0; rows < ROWS_PER_TURN && has_more; rows++) {
        has_more = txn_walk_next(walk);
        if (has_more && report->is_begun && memcmp(walk->key, report->at, sizeof report->at) == 0)
            continue;
        has_more = has_more && take_row(report, walk);
    }
    txn_walk_end(walk);
    hold = pipeline_read_end(report->api->pipeline, txn);
    deferred_hold(&report->deferred, hold);
    report->is_begun = true;
    if (has_more)
        pipeline_continue(report->api->pipeline, on_turn, report);
    else
        finish(report);
}

/* --- beginning -----------------------------------------------------------------------------------
 */

/* A company or product that is not there has no messages. */
static void take_filters(struct report_call *report, const struct report_query *query)
{
    struct txn *txn = pipeline_read_begin(report->api->pipeline);

    if (!page_thing(txn, CATALOG_COMPANY, query->company, &report->company))
        report->company = UINT64_MAX;
    if (!page_thing(txn, CATALOG_PRODUCT, query->product, &report->product))
        report->product = UINT64_MAX;
    deferred_hold(&report->deferred, pipeline_read_end(report->api->pipeline, txn));
    if (query->country.data != NULL)
        memcpy(report->country, query->country.data, sizeof report->country);
    if (query->kind.data != NULL)
        report->kind = (uint8_t)message_kind_parse(text_of(query->kind));
}

/* From the newest day, or that of the line before the page. */
static void set_out(struct report_call *report)
{
    struct report_key key = {.day = report->period.end - 1}, after;
    uint8_t status;

    if (report->groups.has_after && (report->groups.by & REPORT_BY_DAY)) {
        report_group_key_read(report->groups.after, &after, &status);
        key.day = after.day < key.day ? after.day : key.day;
    }
    report_key_put(report->at, &key);
    memset(report->at + 4, 0xff, sizeof report->at - 4);
}

static bool has_room(struct call *call)
{
    if (call->api->batch_count < call->api->options.batches_max)
        return true;
    call_refuse(call, OUTCOME_OVERLOADED, "too many reports and batches are under way");
    return false;
}

void api_report_messages(struct call *call)
{
    struct report_query query = {.page = PAGE_DEFAULT};
    char after[REPORT_GROUP_KEY_SIZE] = {0};
    struct report_call *report;
    struct period period;
    unsigned by = 0;

    if (!call_bind_query(call, report_parameters, FIELD_COUNT(report_parameters), &query) ||
        !call_period(call, query.created_from, query.created_to, &period) ||
        !call_take_company(call, &query.company) || !has_room(call))
        return;
    if (query.page.after.data != NULL && !cursor_read(query.page.after, after)) {
        call_refuse_field(call, "/after", "is not a cursor that a report returned");
        return;
    }
    report = calloc(1, sizeof *report);
    assert(report != NULL);
    report->api = call->api;
    report->period = period;
    if (query.by.data != NULL)
        report_by_parse(text_of(query.by), &by);
    report_groups_init(&report->groups, by, (size_t)query.page.limit);
    report->groups.has_after = query.page.after.data != NULL;
    memcpy(report->groups.after, after, sizeof after);
    take_filters(report, &query);
    set_out(report);
    call->api->batch_count++;
    call_defer(call, &report->deferred);
    on_turn(report);
}
