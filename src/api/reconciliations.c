/* POST /v1/reports/reconciliations: reads the statement's lines, then has our ids read and our
 * messages, those in rows and those that are history, each off the loop, and answers with what
 * differs (SMS-21). The statement, NDJSON or CSV, is taken line by line as it comes, so that of the
 * body only what a line says is held; RECONCILIATIONS_MAX are under way at most. What is hard:
 * messages become history between one step and the next. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/body_stream.h"
#include "api/deferred.h"
#include "api/reports.h"
#include "api/statement_reader.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/id.h"
#include "base/metric.h"
#include "engine/archive.h"
#include "engine/catalog.h"
#include "engine/message.h"
#include "engine/receipt.h"
#include "engine/report.h"

/* Of history this much is looked at before the period. */
enum { RECONCILIATIONS_MAX = 2, DAYS_BEFORE = 7 };

enum step { STEP_IDS, STEP_ARCHIVED_IDS, STEP_MESSAGES, STEP_ARCHIVED_MESSAGES, STEPS };

#define CSV_TYPE "text/csv"
enum { CSV_TYPE_SIZE = sizeof CSV_TYPE - 1 };

struct reconciliation {
    struct body_stream stream; /* first */
    struct api *api;
    bool is_refused; /* what comes is not looked at */
    struct period period;
    struct text product_id; /* in product_bytes */
    char product_bytes[CATALOG_ID_MAX];
    struct statement_reader reader;
    struct statement statement;
    enum step step;
    struct archive_record record; /* in hand, on the history's thread */
    struct deferred deferred;
};

/* --- our side, on the threads of the scan and of history ---------------------------------------
 */

static int on_id(void *context, enum table table, const void *key, size_t key_size,
                 const void *value, size_t value_size)
{
    struct reconciliation *run = context;
    struct provider_id_row row;

    (void)table;
    if (key_size <= 8 || value_size < sizeof row || bytes_get_u64_be(key) != run->statement.product)
        return 0;
    memcpy(&row, value, sizeof row);
    statement_link(&run->statement, (struct text){(const char *)key + 8, key_size - 8}, &row);
    return 0;
}

static int on_archived_ids(void *context, uint64_t number, const void *value, size_t value_size)
{
    struct reconciliation *run = context;
    char form[PROVIDER_ID_MAX];

    if (!archive_decode(value, value_size, &run->record))
        return ERR_DAMAGED;
    for (size_t i = 0; i < run->record.id_count; i++) {
        const struct message_id *id = &run->record.ids[i];
        struct provider_id_row row = {.part = id->part, .attempt = id->attempt, .message = number};
        size_t size = provider_id_form(id->id, form);
        if (id->product == run->statement.product)
            statement_link(&run->statement, (struct text){form, size}, &row);
    }
    return 0;
}

static int on_message(void *context, enum table table, const void *key, size_t key_size,
                      const void *value, size_t value_size)
{
    struct reconciliation *run = context;
    struct message_row row;

    (void)table, (void)key, (void)key_size;
    if (!message_row_read(value, value_size, &row))
        return ERR_DAMAGED;
    statement_message(&run->statement, &row);
    return 0;
}

static int on_archived_message(void *context, uint64_t number, const void *value, size_t value_size)
{
    struct reconciliation *run = context;
    struct message_row row;

    (void)number;
    if (!archive_decode_row(value, value_size, &row))
        return ERR_DAMAGED;
    statement_archived(&run->statement, &row);
    return 0;
}

/* --- answering -----------------------------------------------------------------------------------
 */

static void write_said(struct json_writer *w, const char *name, const char *status, uint32_t parts)
{
    json_object_begin(w, name);
    json_string(w, "status", status);
    json_int(w, "parts", parts);
    json_object_end(w);
}

static void write_line(struct json_writer *w, const struct statement *statement,
                       const struct statement_line *line)
{
    struct text id = statement_id(statement, line);

    json_int(w, "line", line->line);
    json_text(w, "provider_id", id.data, id.size);
}

static void begin_list(struct json_writer *w, const char *name, uint64_t count)
{
    json_object_begin(w, name);
    json_int(w, "count", (int64_t)count);
    json_bool(w, "is_cut", count > STATEMENT_ITEMS_MAX);
    json_array_begin(w, "items");
}

static void end_list(struct json_writer *w)
{
    json_array_end(w);
    json_object_end(w);
}

static void write_only_theirs(struct json_writer *w, const struct statement *statement)
{
    uint32_t written = 0;

    begin_list(w, "only_theirs", statement->only_theirs);
    for (uint32_t i = 0; i < statement->line_count && written < STATEMENT_ITEMS_MAX; i++) {
        const struct statement_line *line = statement_line_at(statement, i);
        const char *status = statement_status_text((enum statement_status)line->status);
        if (line->is_met)
            continue;
        written++;
        json_object_begin(w, NULL);
        write_line(w, statement, line);
        json_string(w, "status", status);
        if (line->has_parts)
            json_int(w, "parts", line->parts);
        else
            json_null(w, "parts");
        json_object_end(w);
    }
    end_list(w);
}

static size_t listed(const struct statement_list *list)
{
    return list->count < STATEMENT_ITEMS_MAX ? (size_t)list->count : STATEMENT_ITEMS_MAX;
}

static void write_only_ours(struct json_writer *w, const struct statement *statement)
{
    const struct statement_list *list = &statement->only_ours;

    begin_list(w, "only_ours", list->count);
    for (size_t i = 0; i < listed(list); i++) {
        const struct statement_item *item = &list->items[i];
        json_object_begin(w, NULL);
        json_id(w, "message", "msg_", item->message);
        json_string(w, "status", message_status_text((enum message_status)item->status));
        json_int(w, "parts", item->parts);
        json_time(w, "created_at", id_time_ms(item->message));
        json_object_end(w);
    }
    end_list(w);
}

static void write_different(struct json_writer *w, const struct statement *statement)
{
    const struct statement_list *list = &statement->different;

    begin_list(w, "different", list->count);
    for (size_t i = 0; i < listed(list); i++) {
        const struct statement_item *item = &list->items[i];
        json_object_begin(w, NULL);
        write_line(w, statement, statement_line_at(statement, item->line));
        json_id(w, "message", "msg_", item->message);
        write_said(w, "ours", message_status_text((enum message_status)item->status), item->parts);
        write_said(w, "theirs", statement_status_text((enum statement_status)item->said),
                   item->said_parts);
        json_object_end(w);
    }
    end_list(w);
}

static void write_errors(struct json_writer *w, const struct reconciliation *run)
{
    json_array_begin(w, "errors");
    for (size_t i = 0; i < run->reader.error_count; i++) {
        json_object_begin(w, NULL);
        json_int(w, "line", (int64_t)run->reader.errors[i].line);
        json_string(w, "code", run->reader.errors[i].code);
        json_string(w, "detail", run->reader.errors[i].detail);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_answer(struct buffer *body, const struct reconciliation *run)
{
    const struct statement *statement = &run->statement;
    struct json_writer w = json_writer(body);

    json_object_begin(&w, NULL);
    json_text(&w, "product", run->product_id.data, run->product_id.size);
    write_period(&w, &run->period);
    json_int(&w, "lines", (int64_t)run->reader.lines);
    json_int(&w, "invalid", (int64_t)run->reader.invalid);
    json_int(&w, "unknown_statuses", (int64_t)run->reader.unknown_statuses);
    json_int(&w, "matched", (int64_t)statement->matched);
    json_int(&w, "tests", (int64_t)statement->tests);
    write_only_theirs(&w, statement);
    write_only_ours(&w, statement);
    write_different(&w, statement);
    write_errors(&w, run);
    json_object_end(&w);
}

static void reconciliation_free(struct reconciliation *run)
{
    assert(run->api->reconciliation_count > 0);
    run->api->reconciliation_count--;
    statement_release(&run->statement);
    statement_reader_release(&run->reader);
    deferred_release(&run->deferred);
    free(run);
}

static void refuse(struct reconciliation *run, enum outcome outcome, const char *detail)
{
    deferred_refuse(&run->deferred, outcome, detail);
    reconciliation_free(run);
}

static void answer(struct reconciliation *run)
{
    struct buffer body;

    buffer_init(&body);
    write_answer(&body, run);
    deferred_answer(&run->deferred, &body);
    buffer_release(&body);
    reconciliation_free(run);
}

static void answer_found(struct reconciliation *run)
{
    const struct statement *statement = &run->statement;

    metric_add(METRIC_RECONCILIATIONS, 1);
    metric_add(METRIC_RECONCILIATION_DIFFERENCES,
               statement->only_theirs + statement->only_ours.count + statement->different.count);
    answer(run);
}

static void finish(struct reconciliation *run)
{
    statement_finish(&run->statement);
    if (run->statement.is_too_large)
        refuse(run, OUTCOME_BODY_TOO_LARGE,
               "too many messages are not on the statement: ask for fewer days");
    else
        answer_found(run);
}

/* --- one step after the other --------------------------------------------------------------------
 */

static void on_step_end(void *context, int error);

static int scan_rows(struct reconciliation *run, const enum table *table,
                     int (*on_row)(void *context, enum table table, const void *key,
                                   size_t key_size, const void *value, size_t value_size))
{
    return pipeline_scan(run->api->pipeline, &(struct pipeline_scan){.tables = table,
                                                                     .table_count = 1,
                                                                     .on_row = on_row,
                                                                     .on_end = on_step_end,
                                                                     .context = run});
}

/* What goes out late was made some days before. */
static uint32_t first_day(const struct reconciliation *run)
{
    return run->period.first < DAYS_BEFORE ? 0 : run->period.first - DAYS_BEFORE;
}

static int scan_history(struct reconciliation *run,
                        int (*on_record)(void *context, uint64_t number, const void *value,
                                         size_t value_size))
{
    return pipeline_history_scan(run->api->pipeline,
                                 &(struct pipeline_history_scan){.day_first = first_day(run),
                                                                 .day_last = run->period.end,
                                                                 .on_record = on_record,
                                                                 .on_end = on_step_end,
                                                                 .context = run});
}

/* Rows before history each time: what becomes history meanwhile is seen in both, not in neither.
 * -1: too many wait. */
static int begin_step(struct reconciliation *run)
{
    static const enum table ids = TABLE_PROVIDER_ID, messages = TABLE_MESSAGE;
    bool is_of_history = run->step == STEP_ARCHIVED_IDS || run->step == STEP_ARCHIVED_MESSAGES;

    if (is_of_history && !pipeline_has_history(run->api->pipeline, first_day(run), run->period.end))
        run->step++;
    switch (run->step) {
    case STEP_IDS:
        return scan_rows(run, &ids, on_id);
    case STEP_ARCHIVED_IDS:
        return scan_history(run, on_archived_ids);
    case STEP_MESSAGES:
        statement_settle(&run->statement);
        return scan_rows(run, &messages, on_message);
    case STEP_ARCHIVED_MESSAGES:
        return scan_history(run, on_archived_message);
    case STEPS:
        finish(run);
        break;
    }
    return 0;
}

static void on_step_end(void *context, int error)
{
    struct reconciliation *run = context;

    run->step++;
    if (error != 0)
        refuse(run, OUTCOME_INTERNAL, "the messages could not be read");
    else if (begin_step(run) != 0)
        refuse(run, OUTCOME_OVERLOADED, "too many audits are under way");
}

/* --- what is asked -------------------------------------------------------------------------------
 */

struct reconciliation_query {
    struct json_text product, created_from, created_to;
    struct json_text columns[COLUMNS], words[STATEMENT_WORD_LISTS];
};

#define QUERY_FIELD(text, member, size, checked, said)                                             \
    {                                                                                              \
        .name = (text), .kind = JSON_TEXT,                                                         \
        .offset = offsetof(struct reconciliation_query, member), .min = 1, .max = (size),          \
        .check = (checked), .rule = (said)                                                         \
    }

static const struct json_field reconciliation_parameters[] = {
    QUERY_FIELD("product", product, CATALOG_ID_MAX, is_id, "must be an id"),
    QUERY_FIELD("created_from", created_from, STATEMENT_COLUMN_MAX, is_day, DAY_RULE),
    QUERY_FIELD("created_to", created_to, STATEMENT_COLUMN_MAX, is_day, DAY_RULE),
    QUERY_FIELD("id_column", columns[COLUMN_ID], STATEMENT_COLUMN_MAX, NULL, NULL),
    QUERY_FIELD("status_column", columns[COLUMN_STATUS], STATEMENT_COLUMN_MAX, NULL, NULL),
    QUERY_FIELD("parts_column", columns[COLUMN_PARTS], STATEMENT_COLUMN_MAX, NULL, NULL),
    QUERY_FIELD("sent", words[0], STATEMENT_WORDS_MAX, NULL, NULL),
    QUERY_FIELD("delivered", words[1], STATEMENT_WORDS_MAX, NULL, NULL),
    QUERY_FIELD("undelivered", words[2], STATEMENT_WORDS_MAX, NULL, NULL),
};

static void keep_text(char *to, struct json_text text)
{
    if (text.data != NULL)
        memcpy(to, text.data, text.size);
    to[text.data != NULL ? text.size : 0] = '\0';
}

/* False: there is none, and that is replied. */
static bool take_product(struct call *call, struct reconciliation *run, struct text id)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct catalog_thing product;
    bool is_there = catalog_find(txn, CATALOG_PRODUCT, id, &product);

    if (is_there) {
        memcpy(run->product_bytes, id.data, id.size);
        run->product_id = (struct text){run->product_bytes, id.size};
        statement_init(&run->statement, pipeline_secret(call->api->pipeline), product.number,
                       id_at(run->period.first * REPORT_DAY_MS),
                       id_at(run->period.end * REPORT_DAY_MS),
                       pipeline_now_ms(call->api->pipeline));
    }
    deferred_hold(&run->deferred, pipeline_read_end(call->api->pipeline, txn));
    if (!is_there)
        call_refuse(call, OUTCOME_PRODUCT_NOT_FOUND, NULL);
    return is_there;
}

/* What the query asks for. False: replied. */
static bool take_query(struct call *call, struct reconciliation *run)
{
    struct reconciliation_query query = {.product = {NULL, 0}};

    if (call_company(call).data != NULL) {
        call_refuse(call, OUTCOME_FORBIDDEN, "A statement is of all companies' messages");
        return false;
    }
    if (!call_bind_query(call, reconciliation_parameters, FIELD_COUNT(reconciliation_parameters),
                         &query))
        return false;
    if (query.product.data == NULL) {
        call_refuse_field(call, "/product", "is required");
        return false;
    }
    for (int i = 0; i < COLUMNS; i++)
        keep_text(run->reader.columns[i], query.columns[i]);
    for (int i = 0; i < STATEMENT_WORD_LISTS; i++)
        keep_text(run->reader.words[i], query.words[i]);
    return call_period(call, query.created_from, query.created_to, &run->period) &&
           take_product(call, run, text_of(query.product));
}

/* --- what api.c calls ----------------------------------------------------------------------------
 */

static struct body_stream *begin(struct call *call)
{
    struct http_span type = call->request->content_type;
    struct reconciliation *run;

    if (call->api->reconciliation_count >= RECONCILIATIONS_MAX)
        return NULL;
    run = calloc(1, sizeof *run);
    assert(run != NULL);
    call->api->reconciliation_count++;
    run->api = call->api;
    statement_reader_init(&run->reader, &run->statement, &call->api->arena,
                          type.size >= CSV_TYPE_SIZE &&
                              strncasecmp(type.data, CSV_TYPE, CSV_TYPE_SIZE) == 0);
    run->is_refused = !take_query(call, run);
    return &run->stream;
}

static void abandon(struct body_stream *stream)
{
    reconciliation_free((struct reconciliation *)stream);
}

static void feed(struct body_stream *stream, struct call *call, const char *data, size_t size)
{
    struct reconciliation *run = (struct reconciliation *)stream;

    (void)call;
    if (!run->is_refused)
        statement_reader_feed(&run->reader, data, size);
}

const struct body_stream_type reconciliation_stream = {
    .takes_csv = true,
    .bytes_max_at = offsetof(struct api_options, batch_bytes_max),
    .begin = begin,
    .feed = feed,
    .abandon = abandon,
};

/* False: it is of no use, and that is replied. */
static bool end_statement(struct call *call, struct reconciliation *run)
{
    statement_reader_end(&run->reader);
    if (run->reader.is_full)
        call_refuse(call, OUTCOME_BODY_TOO_LARGE,
                    "a statement has at most 500000 lines: send it in parts, by day");
    else if (!run->reader.has_id_column)
        call_refuse(call, OUTCOME_INVALID,
                    "the first line must name the columns, provider_id among them; id_column says "
                    "what it is called");
    else
        return true;
    return false;
}

static void answer_later(struct call *call, struct reconciliation *run)
{
    if (begin_step(run) != 0) {
        call_refuse(call, OUTCOME_OVERLOADED, "too many audits are under way");
        return;
    }
    call->stream = NULL; /* it outlives the call */
    call_defer(call, &run->deferred);
}

void api_reconciliation(struct call *call)
{
    bool is_begun = call->stream != NULL;
    struct reconciliation *run =
        (struct reconciliation *)call_take_stream(call, "too many reconciliations are under way");

    if (run == NULL)
        return;
    if (is_begun && run->is_refused && take_query(call, run)) /* the product was put meanwhile */
        call_refuse(call, OUTCOME_PRODUCT_NOT_FOUND, NULL);
    if (run->is_refused)
        return;
    feed(&run->stream, call, call->request->body.data, call->request->body.size);
    if (end_statement(call, run))
        answer_later(call, run);
}
