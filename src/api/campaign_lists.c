/* A campaign's recipients and its errors, in pages. Errors can be downloaded too, as lines or as
 * CSV by what the client accepts: DOWNLOAD_MAX of them an answer, which is a few milliseconds'
 * work, with a Link to the next ones (RFC 8288). */
#include <stdio.h>
#include <string.h>

#include "api/campaigns.h"
#include "base/bytes.h"
#include "base/id.h"
#include "base/time_text.h"
#include "engine/mobile.h"

enum { DOWNLOAD_MAX = 2000 };

/* --- recipients ----------------------------------------------------------------------------------
 */

static void write_recipient(struct json_writer *w, const struct campaign_recipient *recipient)
{
    static const char *const turns[] = {[CAMPAIGN_TO_COME] = "pending",
                                        [CAMPAIGN_SUBMITTED] = "submitted",
                                        [CAMPAIGN_REFUSED] = "refused",
                                        [CAMPAIGN_ASLEEP] = "asleep"};
    const struct campaign_recipient_row *row = &recipient->row;
    char mobile[MOBILE_TEXT_MAX];

    json_object_begin(w, NULL);
    json_text(w, "to", mobile, mobile_put(mobile, recipient->to));
    json_string(w, "status", turns[row->turn]);
    json_string(w, "code", row->outcome == 0 ? NULL : outcome_infos[row->outcome].code);
    json_int(w, "parts", row->parts);
    json_int(w, "amount", row->amount);
    if (row->turn != CAMPAIGN_SUBMITTED)
        json_null(w, "message");
    else
        json_id(w, "message", "msg_", row->message);
    json_object_end(w);
}

static const struct json_field page_parameters[] = {PAGE_FIELDS(struct page_query, page)};

/* In the order in which they have their turns: by number. */
void api_campaign_recipient_list(struct call *call)
{
    struct page_query query = {PAGE_DEFAULT};
    struct campaign_recipient recipient;
    uint64_t after = 0, last = 0;
    char from[CAMPAIGN_KEY_SIZE];
    struct campaign_row row;
    struct txn_walk *walk;
    struct json_writer w;
    struct txn *txn;
    int64_t count = 0;
    bool has_more = false;

    if (!call_campaign(call, &row) ||
        !call_bind_query(call, page_parameters, FIELD_COUNT(page_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_array_begin(&w, "data");
    campaign_key(from, row.number, after + (after < UINT64_MAX));
    txn = pipeline_read_begin(call->api->pipeline);
    walk = txn_walk(txn, TABLE_CAMPAIGN_RECIPIENT, WALK_UP, from, sizeof from);
    while (!has_more && txn_walk_next(walk) && memcmp(walk->key, from, 8) == 0) {
        has_more = count++ == query.page.limit;
        if (has_more || !campaign_recipient_read(walk->key, walk->key_size, walk->value,
                                                 walk->value_size, &recipient))
            break;
        write_recipient(&w, &recipient);
        last = recipient.to;
    }
    txn_walk_end(walk);
    call_read_end(call, txn);
    call_end_list(&w, has_more ? last : 0);
}

/* --- errors --------------------------------------------------------------------------------------
 */

static struct text detail_of(const struct campaign_error *error)
{
    const char *title = outcome_infos[error->row.outcome].title;

    return error->detail.size > 0 ? error->detail : (struct text){title, strlen(title)};
}

void write_campaign_error(struct json_writer *w, const struct campaign_error *error)
{
    struct text detail = detail_of(error);

    json_object_begin(w, NULL);
    if (error->row.line == 0)
        json_null(w, "line");
    else
        json_int(w, "line", (int64_t)error->row.line);
    json_text(w, "to", error->to.size > 0 ? error->to.data : NULL, error->to.size);
    json_string(w, "code", outcome_infos[error->row.outcome].code);
    json_text(w, "field", error->field.size > 0 ? error->field.data : NULL, error->field.size);
    json_text(w, "detail", detail.data, detail.size);
    json_time(w, "at", id_time_ms(error->number));
    json_object_end(w);
}

/* Would a spreadsheet take it for more than a text or a number? */
static bool is_formula(struct text text)
{
    static const char digits[] = "0123456789";

    if (text.size == 0 || memchr("=+-@\t\r", text.data[0], 6) == NULL)
        return false;
    for (size_t i = 1; i < text.size; i++) {
        if (memchr(digits, text.data[i], sizeof digits - 1) == NULL)
            return true;
    }
    return text.data[0] != '+';
}

/* RFC 4180; a formula is marked as text. */
static void write_csv(struct buffer *to, struct text text)
{
    buffer_append_literal(to, "\"");
    if (is_formula(text))
        buffer_append_literal(to, "'");
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            buffer_append_literal(to, "\"");
        buffer_append(to, text.data + i, 1);
    }
    buffer_append_literal(to, "\"");
}

static void write_csv_error(struct buffer *to, const struct campaign_error *error)
{
    char number[24], at[TIME_TEXT_SIZE];
    const char *code = outcome_infos[error->row.outcome].code;

    if (error->row.line != 0)
        buffer_append(
            to, number,
            (size_t)snprintf(number, sizeof number, "%llu", (unsigned long long)error->row.line));
    buffer_append_literal(to, ",");
    write_csv(to, error->to);
    buffer_append_literal(to, ",");
    buffer_append_text(to, code);
    buffer_append_literal(to, ",");
    write_csv(to, error->field);
    buffer_append_literal(to, ",");
    write_csv(to, detail_of(error));
    buffer_append_literal(to, ",");
    time_format(at, id_time_ms(error->number));
    buffer_append(to, at, sizeof at);
    buffer_append_literal(to, "\r\n");
}

enum form { FORM_LIST, FORM_LINES, FORM_CSV };

static enum form form_of(const struct call *call)
{
    struct http_span accept = call->request->accept;

    if (accept.data == NULL)
        return FORM_LIST;
    if (memmem(accept.data, accept.size, "text/csv", 8) != NULL)
        return FORM_CSV;
    return memmem(accept.data, accept.size, "application/x-ndjson", 20) != NULL ? FORM_LINES
                                                                                : FORM_LIST;
}

static void write_error(struct call *call, struct json_writer *w, enum form form,
                        const struct campaign_error *error)
{
    if (form == FORM_CSV) {
        write_csv_error(call->reply->body, error);
        return;
    }
    if (form == FORM_LINES)
        *w = json_writer(call->reply->body);
    write_campaign_error(w, error);
    if (form == FORM_LINES)
        buffer_append_literal(call->reply->body, "\n");
}

/* Newest first as lists are, oldest first as a download. Returns where it goes on; 0: nowhere. */
static uint64_t write_errors(struct call *call, struct json_writer *w, enum form form,
                             uint64_t campaign, uint64_t after, int64_t limit)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct campaign_error error;
    char from[CAMPAIGN_KEY_SIZE];
    struct txn_walk *walk;
    uint64_t last = 0;
    int64_t count = 0;
    bool has_more = false;

    if (form == FORM_LIST)
        campaign_key(from, campaign, after - (after > 0));
    else
        campaign_key(from, campaign, after + (after < UINT64_MAX));
    walk = txn_walk(txn, TABLE_CAMPAIGN_ERROR, form == FORM_LIST ? WALK_DOWN : WALK_UP, from,
                    sizeof from);
    while (txn_walk_next(walk) && memcmp(walk->key, from, 8) == 0) {
        has_more = count++ == limit;
        if (has_more ||
            !campaign_error_read(walk->key, walk->key_size, walk->value, walk->value_size, &error))
            break;
        write_error(call, w, form, &error);
        last = error.number;
    }
    txn_walk_end(walk);
    call_read_end(call, txn);
    return has_more ? last : 0;
}

static void download(struct call *call, const struct campaign_row *row, enum form form,
                     uint64_t after)
{
    char cursor[ID_TEXT_MAX];
    struct json_writer w = call_answer(call);
    uint64_t next;

    call->reply->content_type =
        form == FORM_CSV ? "text/csv; charset=utf-8" : "application/x-ndjson";
    if (form == FORM_CSV && after == 0)
        buffer_append_literal(call->reply->body, "line,to,code,field,detail,at\r\n");
    next = write_errors(call, &w, form, row->number, after, DOWNLOAD_MAX);
    if (next == 0)
        return;
    buffer_append_literal(call->reply->headers, "Link: <?after=");
    buffer_append(call->reply->headers, cursor, id_format(cursor, "", next));
    buffer_append_literal(call->reply->headers, ">; rel=\"next\"\r\n");
}

void api_campaign_error_list(struct call *call)
{
    struct page_query query = {PAGE_DEFAULT};
    enum form form = form_of(call);
    uint64_t after = form == FORM_LIST ? UINT64_MAX : 0, next;
    struct campaign_row row;
    struct json_writer w;

    if (!call_campaign(call, &row) ||
        !call_bind_query(call, page_parameters, FIELD_COUNT(page_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    if (form != FORM_LIST) {
        download(call, &row, form, after);
        return;
    }
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_array_begin(&w, "data");
    next = write_errors(call, &w, form, row.number, after, query.page.limit);
    call_end_list(&w, next);
}
