/* A campaign's recipients and its errors, in pages. Errors can be downloaded too, as lines or as
 * CSV by what the client accepts: DOWNLOAD_MAX of them an answer, which is a few milliseconds'
 * work, with a Link to the next ones (RFC 8288). */
#include <stdio.h>
#include <string.h>

#include "api/campaigns.h"
#include "api/page.h"
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
    json_id_or_null(w, "message", "msg_", row->turn == CAMPAIGN_SUBMITTED ? row->message : 0);
    json_object_end(w);
}

static bool take_recipient(void *context, struct txn *txn, uint64_t number,
                           const struct txn_walk *at)
{
    struct campaign_recipient recipient;

    (void)txn, (void)number;
    if (!campaign_recipient_read(at->key, at->key_size, at->value, at->value_size, &recipient))
        return false;
    write_recipient(context, &recipient);
    return true;
}

/* In the order in which they have their turns: by number. */
void api_campaign_recipient_list(struct call *call)
{
    struct page_walk walk = {.table = TABLE_CAMPAIGN_RECIPIENT,
                             .direction = WALK_UP,
                             .prefix_size = CAMPAIGN_KEY_SIZE - 8,
                             .take = take_recipient};
    struct campaign_row row;
    struct json_writer w;
    struct page page;

    if (!call_campaign(call, &row) || !call_bind_page(call, &page) ||
        !call_page_after(call, &page, &walk.after))
        return;
    w = call_begin_list(call);
    campaign_key(walk.key, row.number, 0);
    walk.limit = page.limit;
    walk.context = &w;
    call_end_list(&w, call_walk_page(call, &walk));
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
    json_int_or_null(w, "line", (int64_t)error->row.line);
    json_text_or_null(w, "to", error->to.data, error->to.size);
    json_string(w, "code", outcome_infos[error->row.outcome].code);
    json_text_or_null(w, "field", error->field.data, error->field.size);
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

struct error_list {
    struct buffer *body;
    struct json_writer writer;
    enum form form;
};

static bool take_error(void *context, struct txn *txn, uint64_t number, const struct txn_walk *at)
{
    struct error_list *list = context;
    struct campaign_error error;

    (void)txn, (void)number;
    if (!campaign_error_read(at->key, at->key_size, at->value, at->value_size, &error))
        return false;
    if (list->form == FORM_CSV) {
        write_csv_error(list->body, &error);
        return true;
    }
    if (list->form == FORM_LINES)
        list->writer = json_writer(list->body);
    write_campaign_error(&list->writer, &error);
    if (list->form == FORM_LINES)
        buffer_append_literal(list->body, "\n");
    return true;
}

static void download(struct call *call, struct page_walk *walk, enum form form)
{
    char cursor[ID_TEXT_MAX];
    uint64_t next;

    call->reply->status = call->route->success;
    call->reply->content_type =
        form == FORM_CSV ? "text/csv; charset=utf-8" : "application/x-ndjson";
    if (form == FORM_CSV && walk->after == 0)
        buffer_append_literal(call->reply->body, "line,to,code,field,detail,at\r\n");
    walk->limit = DOWNLOAD_MAX;
    next = call_walk_page(call, walk);
    if (next == 0)
        return;
    buffer_append_literal(call->reply->headers, "Link: <?after=");
    buffer_append(call->reply->headers, cursor, id_format(cursor, "", next));
    buffer_append_literal(call->reply->headers, ">; rel=\"next\"\r\n");
}

/* Newest first as lists are, oldest first as a download. */
void api_campaign_error_list(struct call *call)
{
    struct error_list list = {.body = call->reply->body, .form = form_of(call)};
    bool is_list = list.form == FORM_LIST;
    struct page_walk walk = {.table = TABLE_CAMPAIGN_ERROR,
                             .direction = is_list ? WALK_DOWN : WALK_UP,
                             .prefix_size = CAMPAIGN_KEY_SIZE - 8,
                             .after = is_list ? UINT64_MAX : 0,
                             .take = take_error,
                             .context = &list};
    struct campaign_row row;
    struct page page;

    if (!call_campaign(call, &row) || !call_bind_page(call, &page) ||
        !call_page_after(call, &page, &walk.after))
        return;
    campaign_key(walk.key, row.number, 0);
    if (!is_list) {
        download(call, &walk, list.form);
        return;
    }
    list.writer = call_begin_list(call);
    walk.limit = page.limit;
    call_end_list(&list.writer, call_walk_page(call, &walk));
}
