/* What the handlers of messages share: how one is written, and who may see it. A key of a company
 * sees that company's alone; another's is as if it were not there. */
#ifndef SMSD_API_MESSAGES_H
#define SMSD_API_MESSAGES_H

#include "api/call.h"
#include "engine/message.h"
#include "engine/template.h"

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

/* May the caller, whose API key may be of one company, use this company? */
bool call_may_use_company(const struct call *call, struct text company);
/* The message of the path, as far as the caller may see it. */
enum message_place { MESSAGE_IS_ROW, MESSAGE_MAY_BE_HISTORY, MESSAGE_IS_NOWHERE /* replied */ };
enum message_place call_message(struct call *call, uint64_t *number);

/* A number as it comes in a path or a query: with a plus, with the space that a plus is decoded to,
 * or without either. */
bool mobile_of_parameter(struct text text, uint64_t *mobile);
#define MOBILE_RULE "must be a mobile number in E.164: + and 7 to 15 digits"

#endif
