/* POST /v1/campaigns, its changes, and how a campaign is shown. A change is answered with the row
 * as it then was, so that the same key gives the same answer whatever has become of it since. */
#include "api/campaigns.h"

#include <string.h>

#include "api/messages.h"
#include "base/bytes.h"
#include "base/id.h"
#include "base/time_text.h"
#include "engine/catalog.h"
#include "engine/signature.h"
#include "engine/webhook.h"

enum { EXAMINED_MAX = 2000, PERCENT = 100 };

#define AHEAD_MAX_MS (INT64_C(366) * 24 * 60 * 60 * 1000)
#define TIME_RULE    "must be a time as RFC 3339 writes it"
#define ID_RULE      "must be 1 to 64 letters, digits or any of _.:+-@, not beginning with @"

/* --- create --------------------------------------------------------------------------------------
 */

struct campaign_body {
    struct json_text company, name, template;
    const struct json_value *params;
    struct json_text content, kind, signature, send_at, callback_url, message_callback_url;
    bool test;
};

static bool is_id(const char *data, size_t size)
{
    return catalog_id_is_valid(CATALOG_COMPANY, (struct text){data, size});
}

static bool is_kind(const char *data, size_t size)
{
    enum message_kind kind = message_kind_parse((struct text){data, size});

    return kind == MESSAGE_KIND_NOTICE || kind == MESSAGE_KIND_MARKETING;
}

static bool is_signature(const char *data, size_t size)
{
    return signature_check((struct text){data, size});
}

static bool is_time(const char *data, size_t size)
{
    int64_t time_ms;

    return time_parse(data, size, &time_ms) && time_ms > 0;
}

#define TEXT_FIELD(field, required, bytes_min, bytes_max, checked, text)                           \
    {                                                                                              \
        .name = #field, .kind = JSON_TEXT, .offset = offsetof(struct campaign_body, field),        \
        .is_required = (required), .is_nullable = !(required), .min = (bytes_min),                 \
        .max = (bytes_max), .check = (checked), .rule = (text)                                     \
    }

static const struct json_field campaign_fields[] = {
    TEXT_FIELD(company, true, 1, COMPANY_ID_MAX, is_id, ID_RULE),
    TEXT_FIELD(name, false, 1, CAMPAIGN_NAME_MAX, NULL, NULL),
    TEXT_FIELD(template, false, 1, TEMPLATE_ID_MAX, is_id, ID_RULE),
    {.name = "params",
     .kind = JSON_ANY,
     .offset = offsetof(struct campaign_body, params),
     .is_nullable = true},
    TEXT_FIELD(content, false, 1, MESSAGE_CONTENT_MAX, NULL, NULL),
    TEXT_FIELD(kind, false, 1, 16, is_kind, "must be notice or marketing"),
    TEXT_FIELD(signature, false, 0, MESSAGE_SIGNATURE_MAX, is_signature,
               "must be up to 32 characters without line ends or brackets"),
    TEXT_FIELD(send_at, false, 1, 64, is_time, TIME_RULE),
    TEXT_FIELD(callback_url, false, 1, CALLBACK_URL_MAX, webhook_url_is_valid, WEBHOOK_URL_RULE),
    TEXT_FIELD(message_callback_url, false, 1, CALLBACK_URL_MAX, webhook_url_is_valid,
               WEBHOOK_URL_RULE),
    {.name = "test", .kind = JSON_BOOL, .offset = offsetof(struct campaign_body, test)},
};

/* What one field cannot say alone. */
static void check_body(struct call *call, const struct campaign_body *body, int64_t send_at_ms,
                       struct json_errors *errors)
{
    bool has_template = body->template.data != NULL, has_content = body->content.data != NULL;

    if (has_template == has_content)
        json_errors_add(call->arena, errors, has_template ? "/content" : "/template",
                        "one of template and content must be given");
    if (has_content != (body->kind.data != NULL))
        json_errors_add(call->arena, errors, "/kind",
                        has_content ? "must be given with content"
                                    : "is the template's, and given with content only");
    if (has_content && body->params != NULL)
        json_errors_add(call->arena, errors, "/params", "are given with a template only");
    if (send_at_ms > pipeline_now_ms(call->api->pipeline) + AHEAD_MAX_MS)
        json_errors_add(call->arena, errors, "/send_at", "is more than 366 days ahead");
}

static bool bind_create(struct call *call, struct campaign_create_command *create)
{
    struct campaign_body body = {.test = false};
    struct template_param *params = arena_alloc(call->arena, TEMPLATE_NAMES_MAX * sizeof *params);
    struct json_errors errors;
    int64_t send_at_ms = 0;
    uint64_t given;

    if (!call_bind(call, campaign_fields, FIELD_COUNT(campaign_fields), &body, &given))
        return false;
    if (body.send_at.data != NULL)
        time_parse(body.send_at.data, body.send_at.size, &send_at_ms);
    json_errors_init(&errors);
    check_body(call, &body, send_at_ms, &errors);
    *create =
        (struct campaign_create_command){.company = text_of(body.company),
                                         .name = text_of(body.name),
                                         .template = text_of(body.template),
                                         .params = params,
                                         .content = text_of(body.content),
                                         .signature = text_of(body.signature),
                                         .callback_url = text_of(body.callback_url),
                                         .message_callback_url = text_of(body.message_callback_url),
                                         .send_at_ms = send_at_ms,
                                         .draft_ms = call->api->options.campaigns_draft_ms,
                                         .is_test = body.test,
                                         .tries_max = call->api->options.messages_tries_max};
    if (body.kind.data != NULL)
        create->kind = message_kind_parse(text_of(body.kind));
    if (body.params != NULL && !json_is_null(body.params))
        create->param_count = message_take_params(call->arena, body.params, params, &errors);
    if (errors.count > 0)
        call_refuse_errors(call, &errors);
    return errors.count == 0 && call_may_act_for(call, create->company);
}

/* --- writing -------------------------------------------------------------------------------------
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

static void write_params(struct json_writer *w, struct text encoded)
{
    struct template_param params[TEMPLATE_NAMES_MAX];
    size_t count = campaign_params_read(encoded, params);

    json_object_begin(w, "params");
    for (size_t i = 0; i < count; i++) {
        json_member(w, params[i].name.data, params[i].name.size);
        json_text(w, NULL, params[i].value.data, params[i].value.size);
    }
    json_object_end(w);
}

static void write_texts(struct json_writer *w, const struct campaign_row *row,
                        const struct campaign_text *text)
{
    json_text(w, "company", text->company.data, text->company.size);
    write_text(w, "name", text->name);
    json_string(w, "kind", message_kind_text((enum message_kind)row->kind));
    write_text(w, "template", text->template);
    write_params(w, text->params);
    write_text(w, "content", text->content);
    if (row->flags & CAMPAIGN_HAS_SIGNATURE)
        json_text(w, "signature", text->signature.data, text->signature.size);
    else
        json_null(w, "signature");
    write_text(w, "callback_url", text->callback_url);
    write_text(w, "message_callback_url", text->message_callback_url);
    json_bool(w, "test", (row->flags & CAMPAIGN_IS_TEST) != 0);
}

static void write_money(struct json_writer *w, const struct campaign_row *row)
{
    json_int(w, "parts", (int64_t)row->parts);
    json_int(w, "amount", row->amount);
    json_int(w, "reserved", row->reserved);
    json_int(w, "released", row->released);
    json_int(w, "charged", row->charged);
    json_int(w, "refunded", row->refunded);
}

/* Of the recipients, how many are done with as far as sending goes, in a hundred. */
static int64_t progress(const struct campaign_row *row)
{
    uint64_t waiting = (uint64_t)row->waiting + row->messages[MESSAGE_SENDING];
    uint64_t done = (uint64_t)row->submitted + row->refused;

    done -= waiting < done ? waiting : done;
    return row->recipients == 0 ? 0 : (int64_t)(done * PERCENT / row->recipients);
}

static void write_messages(struct json_writer *w, const struct campaign_row *row)
{
    json_object_begin(w, "messages");
    for (int status = MESSAGE_SCHEDULED; status <= MESSAGE_REJECTED; status++)
        json_int(w, message_status_text((enum message_status)status), row->messages[status]);
    json_object_end(w);
}

static void write_campaign(struct json_writer *w, struct txn *txn, const struct campaign_row *row)
{
    struct campaign_text text;

    campaign_text_find(txn, row->number, &text);
    json_object_begin(w, NULL);
    json_id(w, "id", "cmp_", row->number);
    json_string(w, "status", campaign_status_text((enum campaign_status)row->status));
    json_string(w, "reason", row->reason == 0 ? NULL : outcome_infos[row->reason].code);
    write_texts(w, row, &text);
    json_int(w, "recipients", row->recipients);
    json_int(w, "errors", row->errors);
    json_int(w, "duplicates", row->duplicates);
    write_money(w, row);
    json_int(w, "submitted", row->submitted);
    json_int(w, "refused", row->refused);
    json_int(w, "left", campaign_left(row));
    json_int(w, "progress", progress(row));
    write_messages(w, row);
    json_time(w, "created_at", id_time_ms(row->number));
    write_time(w, "send_at", row->send_at_ms);
    write_time(w, "confirmed_at", row->confirmed_ms);
    write_time(w, "started_at", row->started_ms);
    write_time(w, "finished_at", row->ended_ms);
    json_object_end(w);
}

static void answer_campaign(struct call *call, const struct campaign_row *row)
{
    struct json_writer w = call_answer(call);
    struct txn *txn = pipeline_read_begin(call->api->pipeline);

    write_campaign(&w, txn, row);
    call_read_end(call, txn);
}

/* --- handlers ------------------------------------------------------------------------------------
 */

void api_campaign_create(struct call *call)
{
    struct command command = {.type = COMMAND_CAMPAIGN_CREATE};
    struct result result;

    if (bind_create(call, &command.of.campaign_create) && call_run(call, &command, &result))
        answer_campaign(call, &result.of.campaign.row);
}

static bool may_see(const struct call *call, struct txn *txn, const struct campaign_row *row)
{
    struct catalog_thing company;

    return call_company(call).data == NULL ||
           (catalog_find_number(txn, CATALOG_COMPANY, row->company, &company) &&
            call_may_use_company(call, company.id));
}

bool call_find_campaign(const struct call *call, struct txn *txn, struct campaign_row *row)
{
    uint64_t number;

    return id_parse(call->params[0].data, call->params[0].size, "cmp_", &number) &&
           campaign_find(txn, number, row) && may_see(call, txn, row);
}

bool call_campaign(struct call *call, struct campaign_row *row)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool is_seen = call_find_campaign(call, txn, row);

    call_read_end(call, txn);
    if (!is_seen)
        call_refuse(call, OUTCOME_CAMPAIGN_NOT_FOUND, NULL);
    return is_seen;
}

void api_campaign_get(struct call *call)
{
    struct campaign_row row;

    if (call_campaign(call, &row))
        answer_campaign(call, &row);
}

/* The body may be left out, or be an empty object. */
static void change(struct call *call, enum command_type type)
{
    struct command command = {.type = type};
    struct campaign_row row;
    struct result result;
    uint64_t given;

    if (!call_campaign(call, &row) ||
        (call->json != NULL && !call_bind(call, NULL, 0, NULL, &given)))
        return;
    command.of.campaign_confirm.campaign = row.number;
    if (call_run(call, &command, &result))
        answer_campaign(call, &result.of.campaign.row);
}

void api_campaign_confirm(struct call *call)
{
    change(call, COMMAND_CAMPAIGN_CONFIRM);
}

void api_campaign_pause(struct call *call)
{
    change(call, COMMAND_CAMPAIGN_PAUSE);
}

void api_campaign_resume(struct call *call)
{
    change(call, COMMAND_CAMPAIGN_RESUME);
}

void api_campaign_cancel(struct call *call)
{
    change(call, COMMAND_CAMPAIGN_CANCEL);
}

/* --- the list ------------------------------------------------------------------------------------
 */

struct campaign_query {
    struct page page;
    struct json_text company, status;
};

static bool is_status(const char *data, size_t size)
{
    return campaign_status_parse((struct text){data, size}) != 0;
}

static const struct json_field campaign_parameters[] = {
    PAGE_FIELDS(struct campaign_query, page),
    {.name = "company",
     .kind = JSON_TEXT,
     .offset = offsetof(struct campaign_query, company),
     .min = 1,
     .max = COMPANY_ID_MAX,
     .check = is_id,
     .rule = "must be an id"},
    {.name = "status",
     .kind = JSON_TEXT,
     .offset = offsetof(struct campaign_query, status),
     .min = 1,
     .max = 16,
     .check = is_status,
     .rule = "must be a campaign's status"},
};

struct campaign_filter {
    uint64_t company; /* 0: any */
    enum campaign_status status;
    int64_t limit;
};

/* Returns the cursor of the next page; 0: there is none. */
static uint64_t write_page(struct json_writer *w, struct txn *txn, uint64_t after,
                           const struct campaign_filter *filter)
{
    struct txn_walk *walk;
    uint64_t last = 0, next = 0;
    int64_t count = 0;
    char from[8];

    bytes_put_u64_be(from, after - (after > 0));
    walk = txn_walk(txn, TABLE_CAMPAIGN, WALK_DOWN, from, sizeof from);
    for (int examined = 0; txn_walk_next(walk); examined++) {
        struct campaign_row row;
        if (count == filter->limit || examined == EXAMINED_MAX) {
            next = last;
            break;
        }
        if (!campaign_row_read(walk->value, walk->value_size, &row))
            continue;
        last = row.number;
        if ((filter->company != 0 && row.company != filter->company) ||
            (filter->status != 0 && row.status != filter->status))
            continue;
        write_campaign(w, txn, &row);
        count++;
    }
    txn_walk_end(walk);
    return next;
}

void api_campaign_list(struct call *call)
{
    struct campaign_query query = {.page = PAGE_DEFAULT};
    struct campaign_filter filter = {.status = 0};
    struct text own = call_company(call), company;
    uint64_t after = UINT64_MAX, next = 0;
    struct catalog_thing thing;
    struct json_writer w;
    struct txn *txn;

    if (!call_bind_query(call, campaign_parameters, FIELD_COUNT(campaign_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    company = query.company.data != NULL ? text_of(query.company) : own;
    if (!call_may_act_for(call, company))
        return;
    filter.limit = query.page.limit;
    if (query.status.data != NULL)
        filter.status = campaign_status_parse(text_of(query.status));
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_array_begin(&w, "data");
    txn = pipeline_read_begin(call->api->pipeline);
    if (company.data == NULL) {
        next = write_page(&w, txn, after, &filter);
    } else if (catalog_find(txn, CATALOG_COMPANY, company, &thing)) {
        filter.company = thing.number;
        next = write_page(&w, txn, after, &filter);
    }
    call_read_end(call, txn);
    call_end_list(&w, next);
}
