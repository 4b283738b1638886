/* POST /v1/messages, …/batch, …/preview, …/cancel, …/replay. What a submit is answered with comes
 * from its result, so that the same key gives the same answer whatever has become of the message
 * since. */
#include "api/messages.h"

#include <string.h>

#include "api/batch.h"
#include "api/message_lists.h"
#include "base/id.h"
#include "base/time_text.h"
#include "engine/catalog.h"
#include "engine/mobile.h"
#include "engine/signature.h"

enum { PARAM_VALUE_MAX = 1000 };

struct message_body {
    struct json_text company, to, template;
    const struct json_value *params;
    struct json_text content, kind, signature, send_at, expire_at, client_reference, callback_url;
    bool test;
    struct json_text idempotency_key; /* of an item of a batch */
};

/* --- reading -------------------------------------------------------------------------------------
 */

static bool is_kind(const char *data, size_t size)
{
    return message_kind_parse((struct text){data, size}) != 0;
}

bool is_signature(const char *data, size_t size)
{
    return signature_check((struct text){data, size});
}

bool is_moment(const char *data, size_t size)
{
    int64_t time_ms;

    return time_parse(data, size, &time_ms) && time_ms > 0;
}

#define BODY struct message_body

/* The last row is for items of batches only. */
static const struct json_field message_fields[] = {
    COMPANY_FIELD(BODY, true),
    TEXT_FIELD(BODY, to, true, 1, 64, NULL, NULL),
    TEMPLATE_FIELD(BODY, false),
    PARAMS_FIELD(BODY),
    TEXT_FIELD(BODY, content, false, 1, 16384, NULL, NULL),
    TEXT_FIELD(BODY, kind, false, 1, 16, is_kind, "must be verification, notice or marketing"),
    SIGNATURE_FIELD(BODY),
    MOMENT_FIELD(BODY, send_at),
    MOMENT_FIELD(BODY, expire_at),
    CLIENT_REFERENCE_FIELD(BODY),
    CALLBACK_URL_FIELD(BODY, callback_url),
    TEST_FIELD(BODY),
    TEXT_FIELD(BODY, idempotency_key, false, 1, IDEMPOTENCY_KEY_MAX, idempotency_key_is_valid,
               "must be 1 to 64 printable characters"),
};

/* Names are unique: the JSON reader refuses an object with the same one twice. */
size_t message_take_params(struct arena *arena, const struct json_value *params,
                           struct template_param taken[TEMPLATE_NAMES_MAX],
                           struct json_errors *errors)
{
    size_t count = 0;

    if (!json_is_object(params)) {
        json_errors_add(arena, errors, "/params", "must be an object");
        return 0;
    }
    for (const struct json_value *value = json_object_first(params); value != NULL;
         value = json_next(value)) {
        struct json_text text;
        if (count == TEMPLATE_NAMES_MAX) {
            json_errors_add(arena, errors, "/params", "has more than 32 members");
            return count;
        }
        if (json_get_text(value, &text) && text.size <= PARAM_VALUE_MAX)
            taken[count++] = (struct template_param){text_of(json_name(value)), text_of(text)};
        else
            json_errors_add(arena, errors,
                            json_pointer_name(arena, "/params", json_name(value).data),
                            "must be a text of at most 1000 bytes");
    }
    return count;
}

void call_take_params(struct call *call, const struct json_value *params,
                      struct message_submit_command *submit, struct json_errors *errors)
{
    struct template_param *taken = arena_alloc(call->arena, TEMPLATE_NAMES_MAX * sizeof *taken);

    submit->params = taken;
    submit->param_count = message_take_params(call->arena, params, taken, errors);
}

void message_check_source(struct arena *arena, const struct message_source *source,
                          struct json_errors *errors)
{
    bool has_template = source->template.data != NULL, has_content = source->content.data != NULL;

    if (has_template == has_content)
        json_errors_add(arena, errors, has_template ? "/content" : "/template",
                        "one of template and content must be given");
    if (has_content != (source->kind.data != NULL))
        json_errors_add(arena, errors, "/kind",
                        has_content ? "must be given with content"
                                    : "is the template's, and given with content only");
    if (has_content && source->params != NULL)
        json_errors_add(arena, errors, "/params", "are given with a template only");
}

/* The errors of one field are in already. */
static void fill(struct call *call, const struct message_body *body, struct command *command,
                 struct json_errors *errors)
{
    struct message_submit_command *submit = &command->of.message_submit;

    *command = (struct command){.type = COMMAND_MESSAGE_SUBMIT};
    *submit = (struct message_submit_command){.company = text_of(body->company),
                                              .to = text_of(body->to),
                                              .template = text_of(body->template),
                                              .content = text_of(body->content),
                                              .signature = text_of(body->signature),
                                              .client_reference = text_of(body->client_reference),
                                              .callback_url = text_of(body->callback_url),
                                              .send_at_ms = time_of(body->send_at),
                                              .expire_at_ms = time_of(body->expire_at),
                                              .is_test = body->test,
                                              .tries_max = call->api->options.messages_tries_max};
    if (body->kind.data != NULL)
        submit->kind = message_kind_parse(text_of(body->kind));
    if (body->params != NULL && !json_is_null(body->params))
        call_take_params(call, body->params, submit, errors);
    message_check_source(
        call->arena,
        &(struct message_source){body->template, body->content, body->kind, body->params}, errors);
}

/* OUTCOME_OK, _INVALID with errors, _FORBIDDEN. */
static enum outcome bind(struct call *call, const struct json_value *json, bool is_item,
                         struct command *command, struct text *idempotency_key,
                         struct json_errors *errors)
{
    struct message_body body = {.test = false};
    uint64_t given;

    if (!json_bind(call->arena, json, message_fields, FIELD_COUNT(message_fields) - !is_item, &body,
                   &given, "", errors))
        return OUTCOME_INVALID;
    fill(call, &body, command, errors);
    if (errors->count > 0)
        return OUTCOME_INVALID;
    *idempotency_key = text_of(body.idempotency_key);
    return call_may_use_company(call, text_of(body.company)) ? OUTCOME_OK : OUTCOME_FORBIDDEN;
}

static bool bind_body(struct call *call, struct command *command)
{
    struct json_errors errors;
    struct text own_key;
    enum outcome outcome;

    json_errors_init(&errors);
    if (call->json == NULL) {
        call_refuse(call, OUTCOME_MALFORMED_JSON, "A JSON object is expected as the body");
        return false;
    }
    outcome = bind(call, call->json, false, command, &own_key, &errors);
    if (outcome == OUTCOME_INVALID)
        call_refuse_errors(call, &errors);
    else if (outcome != OUTCOME_OK)
        call_refuse(call, outcome, OTHERS_KEY);
    return outcome == OUTCOME_OK;
}

/* --- answering -----------------------------------------------------------------------------------
 */

void write_params(struct json_writer *w, const struct template_param *params, size_t count)
{
    json_object_begin(w, "params");
    for (size_t i = 0; i < count; i++) {
        json_member(w, params[i].name.data, params[i].name.size);
        json_text(w, NULL, params[i].value.data, params[i].value.size);
    }
    json_object_end(w);
}

void message_list_faults(struct arena *arena, const struct message_fault *faults, size_t count,
                         struct json_errors *errors)
{
    for (size_t i = 0; i < count; i++) {
        struct text param = faults[i].param;
        const char *pointer = json_pointer_name(arena, "", faults[i].field);
        if (param.data != NULL)
            pointer = json_pointer_name(arena, pointer, arena_copy(arena, param.data, param.size));
        json_errors_add(arena, errors, pointer, faults[i].detail);
    }
}

bool message_faults(struct txn *txn, struct arena *arena,
                    const struct message_submit_command *submit, int64_t now_ms,
                    enum outcome outcome, struct json_errors *errors)
{
    struct message_plan plan;

    message_plan_preview(&plan, txn, submit, now_ms);
    json_errors_init(errors);
    if (plan.fault_count == 0 || message_plan_outcome(&plan) != outcome)
        return false;
    message_list_faults(arena, plan.faults, plan.fault_count, errors);
    return true;
}

/* The same, looked for now. NULL: what the outcome says is all. */
static const struct json_errors *find_faults(const struct api *api, struct arena *arena,
                                             const struct command *command, enum outcome outcome,
                                             struct json_errors *errors)
{
    struct txn *txn = pipeline_read_begin(api->pipeline);
    bool is_so =
        message_faults(txn, arena, &command->of.message_submit, command->now_ms, outcome, errors);

    pipeline_read_end(api->pipeline, txn);
    return is_so ? errors : NULL;
}

static void write_submitted(const struct api *api, struct json_writer *w, const char *name,
                            const struct command *command, const struct result *result)
{
    const struct message_submit_command *submit = &command->of.message_submit;
    const struct message_submit_result *made = &result->of.message_submit;
    struct txn *txn = pipeline_read_begin(api->pipeline);

    json_object_begin(w, name);
    write_message(w, txn,
                  &(struct message_view){.number = result->number,
                                         .company = submit->company,
                                         .client_reference = submit->client_reference,
                                         .country = {made->country[0], made->country[1]},
                                         .status = (enum message_status)made->status,
                                         .kind = (enum message_kind)made->kind,
                                         .encoding = made->encoding,
                                         .parts = made->parts,
                                         .to = made->to,
                                         .product = made->product,
                                         .price = made->price,
                                         .is_test = submit->is_test,
                                         .send_at_ms = made->send_at_ms,
                                         .expire_at_ms = made->expire_at_ms});
    json_object_end(w);
    pipeline_read_end(api->pipeline, txn);
}

static void write_preview(struct json_writer *w, struct txn *txn, const struct message_plan *plan)
{
    char mobile[MOBILE_TEXT_MAX];
    struct catalog_thing product;

    json_object_begin(w, NULL);
    json_text(w, "company", plan->command->company.data, plan->command->company.size);
    json_text(w, "to", mobile, mobile_put(mobile, plan->to));
    json_text(w, "country", plan->country, sizeof plan->country);
    json_string(w, "kind", message_kind_text(plan->kind));
    json_text(w, "content", plan->content.data, plan->content.size);
    json_string(w, "encoding", parts_encoding_text(plan->parts.encoding));
    json_int(w, "units", plan->parts.units);
    json_int(w, "part_length", plan->parts.part_length);
    json_int(w, "parts", plan->parts.count);
    json_int(w, "price", plan->price);
    json_int(w, "amount", plan->amount);
    if (catalog_find_number(txn, CATALOG_PRODUCT, plan->route.product, &product))
        json_text(w, "product", product.id.data, product.id.size);
    json_time_or_null(w, "send_at", plan->send_at_ms);
    json_time(w, "expire_at", plan->expire_at_ms);
    json_object_end(w);
}

void api_message_create(struct call *call)
{
    struct json_errors errors;
    struct command command;
    struct result result;
    struct json_writer w;

    if (!bind_body(call, &command))
        return;
    if (!call_try(call, &command, &result)) {
        call_answer_refusal(call, result.outcome,
                            find_faults(call->api, call->arena, &command, result.outcome, &errors));
        return;
    }
    w = call_answer(call);
    write_submitted(call->api, &w, NULL, &command, &result);
}

void api_message_preview(struct call *call)
{
    struct json_errors errors;
    struct command command;
    struct message_plan plan;
    struct txn *txn;
    enum outcome outcome;

    if (!bind_body(call, &command))
        return;
    command.now_ms = pipeline_now_ms(call->api->pipeline);
    txn = pipeline_read_begin(call->api->pipeline);
    message_plan_preview(&plan, txn, &command.of.message_submit, command.now_ms);
    outcome = message_plan_outcome(&plan);
    json_errors_init(&errors);
    if (outcome == OUTCOME_OK) {
        struct json_writer w = call_answer(call);
        write_preview(&w, txn, &plan);
    } else {
        message_list_faults(call->arena, plan.faults, plan.fault_count, &errors);
    }
    call_read_end(call, txn);
    if (outcome != OUTCOME_OK)
        call_refuse_faults(call, outcome, errors.count > 0 ? &errors : NULL);
}

/* --- items of a batch ----------------------------------------------------------------------------
 */

static enum outcome bind_item(struct call *call, const struct json_value *json,
                              struct command *command, struct text *idempotency_key,
                              struct json_errors *errors)
{
    return bind(call, json, true, command, idempotency_key, errors);
}

/* The texts that it points to, parameters left out. */
enum { ITEM_TEXTS = 7 };

static void texts_of(struct message_submit_command *submit, struct text *texts[ITEM_TEXTS])
{
    struct text *all[ITEM_TEXTS] = {&submit->company,     &submit->to,
                                    &submit->template,    &submit->content,
                                    &submit->signature,   &submit->client_reference,
                                    &submit->callback_url};

    memcpy(texts, all, sizeof all);
}

static size_t text_bytes(const struct command *command)
{
    struct message_submit_command submit = command->of.message_submit;
    struct text *texts[ITEM_TEXTS];
    size_t bytes = submit.param_count * (sizeof *submit.params + 16);

    texts_of(&submit, texts);
    for (int i = 0; i < ITEM_TEXTS; i++)
        bytes += batch_text_bytes(*texts[i]);
    for (size_t i = 0; i < submit.param_count; i++)
        bytes += batch_text_bytes(submit.params[i].name) + batch_text_bytes(submit.params[i].value);
    return bytes;
}

static void keep_item(struct arena *texts, struct command *command)
{
    struct message_submit_command *submit = &command->of.message_submit;
    struct text *kept[ITEM_TEXTS];
    struct template_param *params = NULL;

    texts_of(submit, kept);
    for (int i = 0; i < ITEM_TEXTS; i++)
        *kept[i] = batch_keep_text(texts, *kept[i]);
    if (submit->param_count > 0)
        params = arena_alloc(texts, submit->param_count * sizeof *params);
    for (size_t i = 0; i < submit->param_count; i++) {
        params[i].name = batch_keep_text(texts, submit->params[i].name);
        params[i].value = batch_keep_text(texts, submit->params[i].value);
    }
    submit->params = params;
}

static int status_of(const struct command *command)
{
    (void)command;
    return 202;
}

static void write_item_refusal(const struct api *api, struct buffer *problem,
                               const struct command *command, enum outcome outcome)
{
    struct json_errors errors;
    struct arena arena;

    arena_init(&arena, 0);
    call_write_problem_errors(problem, outcome, NULL,
                              find_faults(api, &arena, command, outcome, &errors));
    arena_release(&arena);
}

const struct batch_kind message_batch_kind = {
    .bind = bind_item,
    .keep = keep_item,
    .text_bytes = text_bytes,
    .status = status_of,
    .write = write_submitted,
    .write_refusal = write_item_refusal,
};

void api_message_batch(struct call *call)
{
    batch_answer(call);
}

/* --- of one that is there ------------------------------------------------------------------------
 */

static void change(struct call *call, struct command *command, uint64_t *message)
{
    struct message_row row;
    struct message_text text;
    struct result result;
    struct json_writer w;
    struct txn *txn;

    switch (call_message(call, message)) {
    case MESSAGE_IS_ROW:
        break;
    case MESSAGE_MAY_BE_HISTORY:
        call_message_history(call, *message, command);
        return;
    case MESSAGE_IS_NOWHERE:
        return;
    }
    if (!call_run(call, command, &result))
        return;
    w = call_answer(call);
    json_object_begin(&w, NULL);
    txn = pipeline_read_begin(call->api->pipeline);
    if (message_find(txn, *message, &row) && message_text_find(txn, *message, &text))
        write_message_rows(&w, txn, &row, &text);
    call_read_end(call, txn);
    json_object_end(&w);
}

void api_message_cancel(struct call *call)
{
    struct command command = {.type = COMMAND_MESSAGE_CANCEL};

    change(call, &command, &command.of.message_cancel.message);
}

void api_message_replay(struct call *call)
{
    struct command command = {.type = COMMAND_MESSAGE_REPLAY};

    change(call, &command, &command.of.message_replay.message);
}
