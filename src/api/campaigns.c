/* POST /v1/campaigns, its changes, and how a campaign is shown. A change is answered with the row
 * as it then was, so that the same key gives the same answer whatever has become of it since. */
#include "api/campaigns.h"

#include <string.h>

#include "api/messages.h"
#include "api/page.h"
#include "base/id.h"
#include "engine/catalog.h"

enum { PERCENT = 100 };

#define AHEAD_MAX_MS (INT64_C(366) * 24 * 60 * 60 * 1000)

/* --- create --------------------------------------------------------------------------------------
 */

struct campaign_body {
    struct json_text company, name, template;
    const struct json_value *params;
    struct json_text content, kind, signature, send_at, callback_url, message_callback_url;
    bool test;
};

static bool is_kind(const char *data, size_t size)
{
    enum message_kind kind = message_kind_parse((struct text){data, size});

    return kind == MESSAGE_KIND_NOTICE || kind == MESSAGE_KIND_MARKETING;
}

#define BODY struct campaign_body

static const struct json_field campaign_fields[] = {
    COMPANY_FIELD(BODY, true),
    TEXT_FIELD(BODY, name, false, 1, CAMPAIGN_NAME_MAX, NULL, NULL),
    TEMPLATE_FIELD(BODY, false),
    PARAMS_FIELD(BODY),
    TEXT_FIELD(BODY, content, false, 1, MESSAGE_CONTENT_MAX, NULL, NULL),
    TEXT_FIELD(BODY, kind, false, 1, 16, is_kind, "must be notice or marketing"),
    SIGNATURE_FIELD(BODY),
    MOMENT_FIELD(BODY, send_at),
    CALLBACK_URL_FIELD(BODY, callback_url),
    CALLBACK_URL_FIELD(BODY, message_callback_url),
    TEST_FIELD(BODY),
};

static bool bind_create(struct call *call, struct campaign_create_command *create)
{
    struct campaign_body body = {.test = false};
    struct template_param *params = arena_alloc(call->arena, TEMPLATE_NAMES_MAX * sizeof *params);
    struct json_errors errors;
    int64_t send_at_ms;
    uint64_t given;

    if (!call_bind(call, campaign_fields, FIELD_COUNT(campaign_fields), &body, &given))
        return false;
    send_at_ms = time_of(body.send_at);
    json_errors_init(&errors);
    message_check_source(
        call->arena, &(struct message_source){body.template, body.content, body.kind, body.params},
        &errors);
    if (send_at_ms > pipeline_now_ms(call->api->pipeline) + AHEAD_MAX_MS)
        json_errors_add(call->arena, &errors, "/send_at", "is more than 366 days ahead");
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

static void write_texts(struct json_writer *w, const struct campaign_row *row,
                        const struct campaign_text *text)
{
    struct template_param params[TEMPLATE_NAMES_MAX];

    json_text(w, "company", text->company.data, text->company.size);
    json_text_or_null(w, "name", text->name.data, text->name.size);
    json_string(w, "kind", message_kind_text((enum message_kind)row->kind));
    json_text_or_null(w, "template", text->template.data, text->template.size);
    write_params(w, params, campaign_params_read(text->params, params));
    json_text_or_null(w, "content", text->content.data, text->content.size);
    if (row->flags & CAMPAIGN_HAS_SIGNATURE)
        json_text(w, "signature", text->signature.data, text->signature.size);
    else
        json_null(w, "signature");
    json_text_or_null(w, "callback_url", text->callback_url.data, text->callback_url.size);
    json_text_or_null(w, "message_callback_url", text->message_callback_url.data,
                      text->message_callback_url.size);
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
    json_int(w, "asleep", row->asleep);
    json_int(w, "progress", progress(row));
    write_messages(w, row);
    json_time(w, "created_at", id_time_ms(row->number));
    json_time_or_null(w, "send_at", row->send_at_ms);
    json_time_or_null(w, "confirmed_at", row->confirmed_ms);
    json_time_or_null(w, "started_at", row->started_ms);
    json_time_or_null(w, "finished_at", row->ended_ms);
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

static void list_unknown_params(struct call *call, const struct campaign_create_command *create,
                                struct json_errors *errors)
{
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    struct template_refusal refusal = {.unknown.count = 0};
    struct catalog_thing template;
    char unused[1];
    size_t size;

    if (catalog_find(txn, CATALOG_TEMPLATE, create->template, &template))
        template_render(catalog_text(&template, TEMPLATE_CONTENT), create->params,
                        create->param_count, unused, 0, &size, &refusal);
    for (size_t i = 0; i < refusal.unknown.count; i++) {
        struct text name = refusal.unknown.names[i];
        json_errors_add(call->arena, errors,
                        json_pointer_name(call->arena, "/params",
                                          arena_copy(call->arena, name.data, name.size)),
                        "is no placeholder of the template");
    }
    call_read_end(call, txn);
}

void api_campaign_create(struct call *call)
{
    struct command command = {.type = COMMAND_CAMPAIGN_CREATE};
    struct json_errors errors;
    struct result result;

    if (!bind_create(call, &command.of.campaign_create))
        return;
    if (call_try(call, &command, &result)) {
        answer_campaign(call, &result.of.campaign.row);
        return;
    }
    json_errors_init(&errors);
    if (result.outcome == OUTCOME_UNKNOWN_PARAMETER)
        list_unknown_params(call, &command.of.campaign_create, &errors);
    call_answer_refusal(call, result.outcome, errors.count > 0 ? &errors : NULL);
}

bool call_find_campaign(const struct call *call, struct txn *txn, struct campaign_row *row)
{
    uint64_t number;

    return id_parse(call->params[0].data, call->params[0].size, "cmp_", &number) &&
           campaign_find(txn, number, row) && call_may_see_company(call, txn, row->company);
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

static void change(struct call *call, enum command_type type)
{
    struct command command = {.type = type};
    struct campaign_row row;
    struct result result;

    if (!call_campaign(call, &row) || !call_bind_nothing(call))
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
    QUERY_ID_FIELD(struct campaign_query, company),
    QUERY_FIELD(struct campaign_query, status, is_status, "must be a campaign's status"),
};

struct campaign_list {
    uint64_t company; /* 0: any */
    enum campaign_status status;
    struct json_writer writer;
};

static bool take_campaign(void *context, struct txn *txn, uint64_t number,
                          const struct txn_walk *at)
{
    struct campaign_list *list = context;
    struct campaign_row row;

    (void)number;
    if (!campaign_row_read(at->value, at->value_size, &row) ||
        (list->company != 0 && row.company != list->company) ||
        (list->status != 0 && row.status != list->status))
        return false;
    write_campaign(&list->writer, txn, &row);
    return true;
}

void api_campaign_list(struct call *call)
{
    struct campaign_query query = {.page = PAGE_DEFAULT};
    struct campaign_list list = {.status = 0};
    struct page_walk walk = {.table = TABLE_CAMPAIGN,
                             .direction = WALK_DOWN,
                             .after = UINT64_MAX,
                             .examined_max = PAGE_EXAMINED_MAX,
                             .take = take_campaign,
                             .context = &list};
    struct txn *txn;
    uint64_t next = 0;

    if (!call_bind_query(call, campaign_parameters, FIELD_COUNT(campaign_parameters), &query) ||
        !call_page_after(call, &query.page, &walk.after) ||
        !call_take_company(call, &query.company))
        return;
    walk.limit = query.page.limit;
    if (query.status.data != NULL)
        list.status = campaign_status_parse(text_of(query.status));
    list.writer = call_begin_list(call);
    txn = pipeline_read_begin(call->api->pipeline);
    if (page_thing(txn, CATALOG_COMPANY, query.company, &list.company))
        next = page_walk(txn, &walk);
    call_read_end(call, txn);
    call_end_list(&list.writer, next);
}
