/* POST /v1/verifications, …/check, GET …/{id} (SMS-17). What is asked for is checked here as far as
 * it is a matter of form; caps, codes and attempts are the engine's. No answer holds a code. */
#include <arpa/inet.h>
#include <string.h>

#include "api/messages.h"
#include "base/bytes.h"
#include "base/entropy.h"
#include "base/id.h"
#include "base/metric.h"
#include "engine/catalog.h"
#include "engine/mobile.h"
#include "engine/verification.h"

/* --- reading -------------------------------------------------------------------------------------
 */

struct verification_body {
    struct json_text to, company, template;
    const struct json_value *params;
    struct json_text signature, client_reference, callback_url, ip_address;
    int64_t code_length, expires_in;
    bool test;
};

struct check_body {
    struct json_text to, code, company;
};

/* IPv4 that is written as IPv6 is IPv4: else it would be counted under as many names as there are
 * ways to write it. */
static void read_address_6(const uint8_t bytes[16], enum verification_rate_kind *kind,
                           uint64_t *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, /* RFC 4291 §2.5.5.2 */
        translated[12] = {[1] = 0x64, [2] = 0xff, [3] = 0x9b};    /* RFC 6052 §2.1 */
    const uint8_t *inner = NULL;
    uint32_t four;

    if (memcmp(bytes, mapped, sizeof mapped) == 0 ||
        memcmp(bytes, translated, sizeof translated) == 0)
        inner = bytes + 12;
    else if (bytes[0] == 0x20 && bytes[1] == 0x02) /* RFC 3056: 6to4 */
        inner = bytes + 2;
    *kind = inner != NULL ? VERIFICATION_RATE_V4 : VERIFICATION_RATE_V6;
    *address = bytes_get_u64_be(bytes);
    if (inner == NULL)
        return;
    memcpy(&four, inner, sizeof four);
    *address = ntohl(four);
}

static bool read_address(struct text text, enum verification_rate_kind *kind, uint64_t *address)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr six;
    struct in_addr four;

    if (text.size >= sizeof copy || memchr(text.data, '\0', text.size) != NULL)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET, copy, &four) == 1) {
        *kind = VERIFICATION_RATE_V4;
        *address = ntohl(four.s_addr);
        return true;
    }
    if (inet_pton(AF_INET6, copy, &six) != 1)
        return false;
    read_address_6(six.s6_addr, kind, address);
    return true;
}

static bool is_address(const char *data, size_t size)
{
    enum verification_rate_kind kind;
    uint64_t address;

    return read_address((struct text){data, size}, &kind, &address);
}

#define BODY struct verification_body

static const struct json_field verification_fields[] = {
    TEXT_FIELD(BODY, to, true, 1, 64, NULL, NULL),
    COMPANY_FIELD(BODY, true),
    TEMPLATE_FIELD(BODY, true),
    PARAMS_FIELD(BODY),
    SIGNATURE_FIELD(BODY),
    CLIENT_REFERENCE_FIELD(BODY),
    CALLBACK_URL_FIELD(BODY, callback_url),
    TEXT_FIELD(BODY, ip_address, false, 1, 64, is_address, "must be an IPv4 or IPv6 address"),
    {.name = "code_length",
     .kind = JSON_INT,
     .offset = offsetof(BODY, code_length),
     .min = VERIFICATION_CODE_MIN,
     .max = VERIFICATION_CODE_MAX},
    {.name = "expires_in",
     .kind = JSON_INT,
     .offset = offsetof(BODY, expires_in),
     .min = 1,
     .max = 3600},
    TEST_FIELD(BODY),
};

static const struct json_field check_fields[] = {
    TEXT_FIELD(struct check_body, to, true, 1, 64, NULL, NULL),
    TEXT_FIELD(struct check_body, code, true, 1, 32, NULL, NULL),
    COMPANY_FIELD(struct check_body, false),
};

/* The code is the one parameter that is not the caller's. */
static bool take_params(struct call *call, const struct verification_body *body,
                        struct message_submit_command *submit)
{
    struct json_errors errors;

    if (body->params == NULL || json_is_null(body->params))
        return true;
    json_errors_init(&errors);
    call_take_params(call, body->params, submit, &errors);
    for (size_t i = 0; i < submit->param_count; i++) {
        if (text_equals(submit->params[i].name, TEXT("code")))
            json_errors_add(call->arena, &errors, "/params/code", "is what smsd makes");
    }
    if (errors.count == 0)
        return true;
    call_refuse_errors(call, &errors);
    return false;
}

static bool fill(struct call *call, const struct verification_body *body, struct command *command)
{
    struct verification_create_command *create = &command->of.verification_create;

    *command = (struct command){.type = COMMAND_VERIFICATION_CREATE};
    create->message =
        (struct message_submit_command){.company = text_of(body->company),
                                        .to = text_of(body->to),
                                        .template = text_of(body->template),
                                        .signature = text_of(body->signature),
                                        .client_reference = text_of(body->client_reference),
                                        .callback_url = text_of(body->callback_url),
                                        .is_test = body->test,
                                        .tries_max = call->api->options.messages_tries_max};
    create->code_length = (uint8_t)body->code_length;
    create->valid_s = (uint32_t)body->expires_in;
    if (body->ip_address.data != NULL)
        read_address(text_of(body->ip_address), &create->address_kind, &create->address);
    entropy_fill(create->seed, sizeof create->seed);
    return take_params(call, body, &create->message);
}

/* --- answering -----------------------------------------------------------------------------------
 */

static void write_verification(struct json_writer *w, const struct verification_row *row,
                               struct text company)
{
    char mobile[MOBILE_TEXT_MAX];

    json_object_begin(w, NULL);
    json_id(w, "id", "ver_", row->number);
    json_text(w, "company", company.data, company.size);
    json_text(w, "to", mobile, mobile_put(mobile, row->to));
    json_string(w, "status", verification_status_text((enum verification_status)row->status));
    json_id(w, "message", "msg_", row->message);
    json_int(w, "code_length", row->code_length);
    json_int(w, "wrong_checks", row->wrong);
    json_time(w, "created_at", row->created_ms);
    json_time(w, "expires_at", row->expires_ms);
    json_time_or_null(w, "ended_at", row->ended_ms);
    json_object_end(w);
}

/* All that is wrong with the message. */
static bool list_faults(struct call *call, const struct command *command, enum outcome outcome,
                        struct json_errors *errors)
{
    struct template_param params[TEMPLATE_NAMES_MAX + 1];
    struct message_submit_command submit;
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    bool has_faults;

    verification_message(&command->of.verification_create, txn, command->now_ms, params, &submit);
    has_faults = message_faults(txn, call->arena, &submit, command->now_ms, outcome, errors);
    call_read_end(call, txn);
    return has_faults;
}

static int retry_after_s(int64_t retry_ms)
{
    return (int)((retry_ms + 999) / 1000);
}

static const enum metric refused_metrics[VERIFICATION_CAP_COUNT] = {
#define VERIFICATION_CAP(name, number, window_s, setting, field, prose)                            \
    [VERIFICATION_CAP_##name] = METRIC_VERIFICATIONS_REFUSED_##name,
#include "engine/verification_cap.def"
#undef VERIFICATION_CAP
};

static void refuse(struct call *call, const struct command *command, const struct result *result)
{
    const struct verification_result *made = &result->of.verification;
    struct json_errors errors;
    bool has_errors = true;

    json_errors_init(&errors);
    if (result->outcome == OUTCOME_TOO_MANY_CODES) {
        const struct verification_cap_info *cap = &verification_cap_infos[made->cap];
        json_errors_add(call->arena, &errors, json_pointer_name(call->arena, "", cap->field),
                        cap->prose);
        call->retry_after_s = retry_after_s(made->retry_ms);
        metric_add(refused_metrics[made->cap], 1);
    } else if (result->outcome == OUTCOME_TOO_MANY_ATTEMPTS) {
        metric_add(METRIC_VERIFICATION_ATTEMPTS_REFUSED, 1);
        call->retry_after_s = retry_after_s(made->retry_ms);
        has_errors = false;
    } else {
        has_errors = list_faults(call, command, result->outcome, &errors);
    }
    call_answer_refusal(call, result->outcome, has_errors ? &errors : NULL);
}

void api_verification_create(struct call *call)
{
    struct verification_body body = {.test = false};
    struct command command;
    struct result result;
    struct json_writer w;
    uint64_t given;

    if (!call_bind(call, verification_fields, FIELD_COUNT(verification_fields), &body, &given) ||
        !call_may_act_for(call, text_of(body.company)) || !fill(call, &body, &command))
        return;
    if (!call_try(call, &command, &result)) {
        refuse(call, &command, &result);
        return;
    }
    w = call_answer(call);
    write_verification(&w,
                       &(struct verification_row){.status = VERIFICATION_PENDING,
                                                  .code_length = result.of.verification.code_length,
                                                  .number = result.number,
                                                  .to = result.of.verification.to,
                                                  .message = result.of.verification.message,
                                                  .created_ms = id_time_ms(result.number),
                                                  .expires_ms = result.of.verification.expires_ms},
                       text_of(body.company));
}

void api_verification_check(struct call *call)
{
    struct command command = {.type = COMMAND_VERIFICATION_CHECK};
    struct verification_check_command *check = &command.of.verification_check;
    struct check_body body;
    struct result result;
    struct json_writer w;
    uint64_t given;

    memset(&body, 0, sizeof body);
    if (!call_bind(call, check_fields, FIELD_COUNT(check_fields), &body, &given))
        return;
    if (!mobile_parse(text_of(body.to), &check->to)) {
        call_refuse_field(call, "/to", MOBILE_RULE);
        return;
    }
    check->code = text_of(body.code);
    if (!call_take_company(call, &body.company))
        return;
    check->company = text_of(body.company);
    if (!call_try(call, &command, &result)) {
        if (result.outcome == OUTCOME_TOO_MANY_ATTEMPTS) {
            metric_add(METRIC_VERIFICATION_ATTEMPTS_REFUSED, 1);
            call->retry_after_s = retry_after_s(result.of.verification_check.retry_ms);
        }
        call_answer_refusal(call, result.outcome, NULL);
        return;
    }
    w = call_answer(call);
    json_object_begin(&w, NULL);
    json_bool(&w, "valid", result.of.verification_check.is_valid);
    json_id_or_null(&w, "verification", "ver_", result.of.verification_check.verification);
    json_object_end(&w);
}

void api_verification_get(struct call *call)
{
    struct text id = call->params[0];
    struct catalog_thing company;
    struct verification_row row;
    struct txn *txn = pipeline_read_begin(call->api->pipeline);
    uint64_t number;
    bool is_seen = id_parse(id.data, id.size, "ver_", &number) &&
                   verification_find(txn, number, &row) && row.status != VERIFICATION_NONE &&
                   catalog_find_number(txn, CATALOG_COMPANY, row.company, &company) &&
                   call_may_use_company(call, company.id);

    if (is_seen) {
        struct json_writer w = call_answer(call);
        write_verification(&w, &row, company.id);
    }
    call_read_end(call, txn);
    if (!is_seen)
        call_refuse(call, OUTCOME_VERIFICATION_NOT_FOUND, NULL);
}
