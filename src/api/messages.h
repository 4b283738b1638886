/* What the handlers of messages share: how one is written, and who may see it. A key of a company
 * sees that company's alone; another's is as if it were not there. */
#ifndef SMSD_API_MESSAGES_H
#define SMSD_API_MESSAGES_H

#include "api/call.h"
#include "engine/message.h"
#include "engine/message_plan.h"
#include "engine/template.h"
#include "engine/webhook.h"

/* The message object of the contract, as far as it is not told by a row. */
struct message_view {
    uint64_t number;
    struct text company, client_reference;
    char country[2];
    enum message_status status;
    enum message_kind kind;
    enum message_error error;
    int encoding; /* enum parts_encoding */
    uint32_t parts, attempts;
    uint64_t to, product;
    int64_t price;
    bool is_test;
    int64_t send_at_ms, expire_at_ms, sent_ms, finished_ms; /* 0: null */
};
/* Its members; looks up the product's id. */
void write_message(struct json_writer *writer, struct txn *txn, const struct message_view *view);
/* The same from rows. */
void write_message_rows(struct json_writer *writer, struct txn *txn, const struct message_row *row,
                        const struct message_text *text);

/* The member `params`. */
void write_params(struct json_writer *writer, const struct template_param *params, size_t count);

/* Each fault as an error of its field. */
void message_list_faults(struct arena *arena, const struct message_fault *faults, size_t count,
                         struct json_errors *errors);
/* All that is wrong with a submit, by a plan of it. False: it was refused for something else. */
bool message_faults(struct txn *txn, struct arena *arena,
                    const struct message_submit_command *submit, int64_t now_ms,
                    enum outcome outcome, struct json_errors *errors);
/* The parameters of a template: an object of texts. */
void call_take_params(struct call *call, const struct json_value *params,
                      struct message_submit_command *submit, struct json_errors *errors);
/* Reads the object `params` of a body. Texts point into it. Returns how many; what is wrong is
 * added to `errors`. */
size_t message_take_params(struct arena *arena, const struct json_value *params,
                           struct template_param taken[TEMPLATE_NAMES_MAX],
                           struct json_errors *errors);

/* The message of the path, as far as the caller may see it. */
enum message_place { MESSAGE_IS_ROW, MESSAGE_MAY_BE_HISTORY, MESSAGE_IS_NOWHERE /* replied */ };
enum message_place call_message(struct call *call, uint64_t *number);

/* Rows of declarations of bodies: `type` is the struct that is filled. */
#define TEXT_FIELD(type, member, required, bytes_min, bytes_max, checked, said)                    \
    {                                                                                              \
        .name = #member, .kind = JSON_TEXT, .offset = offsetof(type, member),                      \
        .is_required = (required), .is_nullable = !(required), .min = (bytes_min),                 \
        .max = (bytes_max), .check = (checked), .rule = (said)                                     \
    }
#define COMPANY_FIELD(type, required)                                                              \
    TEXT_FIELD(type, company, required, 1, COMPANY_ID_MAX, is_id, ID_RULE)
#define TEMPLATE_FIELD(type, required)                                                             \
    TEXT_FIELD(type, template, required, 1, TEMPLATE_ID_MAX, is_id, ID_RULE)
#define PARAMS_FIELD(type)                                                                         \
    {                                                                                              \
        .name = "params", .kind = JSON_ANY, .offset = offsetof(type, params), .is_nullable = true  \
    }
#define SIGNATURE_FIELD(type)                                                                      \
    TEXT_FIELD(type, signature, false, 0, MESSAGE_SIGNATURE_MAX, is_signature,                     \
               "must be up to 32 characters without line ends or brackets")
#define MOMENT_FIELD(type, member) TEXT_FIELD(type, member, false, 1, 64, is_moment, TIME_RULE)
#define CLIENT_REFERENCE_FIELD(type)                                                               \
    TEXT_FIELD(type, client_reference, false, 1, REFERENCE_MAX, NULL, NULL)
#define CALLBACK_URL_FIELD(type, member)                                                           \
    TEXT_FIELD(type, member, false, 1, CALLBACK_URL_MAX, webhook_url_is_valid, WEBHOOK_URL_RULE)
#define TEST_FIELD(type)                                                                           \
    {                                                                                              \
        .name = "test", .kind = JSON_BOOL, .offset = offsetof(type, test)                          \
    }
bool is_signature(const char *data, size_t size);
bool is_moment(const char *data, size_t size); /* a time after 1970 began */

/* Where the text of a message comes from, as far as it was given. */
struct message_source {
    struct json_text template, content, kind;
    const struct json_value *params;
};
/* What of it one field cannot say alone. */
void message_check_source(struct arena *arena, const struct message_source *source,
                          struct json_errors *errors);

/* A number as it comes in a path or a query: with a plus, with the space that a plus is decoded to,
 * or without either. */
bool mobile_of_parameter(struct text text, uint64_t *mobile);
bool is_mobile(const char *data, size_t size);
#define MOBILE_RULE                      "must be a mobile number in E.164: + and 7 to 15 digits"
#define QUERY_MOBILE_FIELD(type, member) QUERY_FIELD(type, member, is_mobile, MOBILE_RULE)

#endif
