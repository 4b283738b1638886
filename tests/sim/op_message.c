/* From an op's plain numbers to a command about messages: what a client submits and cancels, what a
 * gateway takes, is answered and is told later, in any order and more than once. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/template.h"
#include "episode.h"

enum { IDS_MAX = MESSAGE_PARTS_MAX, LOOKED_AT_MAX = 48, HOUR_MS = 60 * 60 * 1000 };

static char long_content[1600];

static struct text text_of(const char *string)
{
    return (struct text){string, string == NULL ? 0 : strlen(string)};
}

/* --- clients -------------------------------------------------------------------------------------
 */

static void content_of(const struct op *op, struct message_submit_command *submit)
{
    static const char *const short_ones[] = {"Hello", "\xe4\xbd\xa0\xe5\xa5\xbd", "x", "a|b"};
    size_t size = 1 + op->number / 64 % (op->number / 32 % 2 == 0 ? sizeof long_content - 1 : 300);

    memset(long_content, 'm', sizeof long_content);
    submit->kind = (enum message_kind)(1 + op->number / 8 % 3);
    submit->content = op->number % 4 == 0 ? (struct text){long_content, size}
                                          : text_of(short_ones[op->number / 4 % 4]);
}

static void template_of(const struct op *op, struct message_submit_command *submit)
{
    static const struct text ids[] = {{"x0", 2}, {"x1", 2}, {"x2", 2}, {"x3", 2}};
    static const struct template_param params[] = {{{"code", 4}, {"123456", 6}},
                                                   {{"name", 4}, {"Acme", 4}}};

    uint32_t place = op->pick / 16 % 4;

    submit->template = ids[place];
    submit->params = params;
    submit->param_count = op->number % 16 == 0 ? op->number / 16 % 3 : 1 + place % 2;
}

static void times_of(const struct episode *episode, const struct op *op,
                     struct message_submit_command *submit)
{
    int64_t now_ms = episode->world.now_ms;

    if (op->pick / 256 % 4 == 0)
        submit->send_at_ms = now_ms + op->number % (op->number % 3 == 0 ? 3000 : 2 * HOUR_MS);
    if (op->pick / 1024 % 4 == 0)
        submit->expire_at_ms = now_ms + op->number % (op->number % 3 == 0 ? 3000 : 8 * HOUR_MS);
}

static struct text recipient_of(uint32_t pick)
{
    static const char *const recipients[] = {"+8613800000000", "+8613800000001", "+8613800000002",
                                             "+8613800000003", "+8613800000004", "+6591234567",
                                             "+6591234568",    "+12025550100"};

    return text_of(pick % 64 == 63 ? "+999" : recipients[pick % 8]);
}

static void submit_command(const struct episode *episode, const struct op *op,
                           struct message_submit_command *submit)
{
    static const char *const companies[] = {"x0", "x1"};

    *submit = (struct message_submit_command){
        .company = text_of(op->pick % 64 == 62 ? "nobody" : companies[op->pick / 4 % 2]),
        .to = recipient_of(op->number / 64),
        .is_test = op->number % 32 == 7,
        .tries_max = (uint8_t)(1 + op->pick / 8 % 3)};
    if (op->pick % 2 == 0)
        template_of(op, submit);
    else
        content_of(op, submit);
    times_of(episode, op, submit);
    if (op->reference % 2 == 0)
        submit->callback_url = text_of("https://client.example/status");
    if (op->reference == 3)
        submit->client_reference = text_of("order-1");
    if (op->reference == 5)
        submit->signature = text_of("Other");
    if (op->reference == 7)
        submit->signature = (struct text){"", 0};
}

/* --- which message -------------------------------------------------------------------------------
 */

/* One of the newest in that status; any of the newest where there is none, now and then. */
static const struct model_message *message_in(const struct model *model, const struct op *op,
                                              enum message_status status)
{
    uint32_t count = model->messages < LOOKED_AT_MAX ? model->messages : LOOKED_AT_MAX;
    uint32_t from = model->messages - count;

    if (count == 0)
        return NULL;
    for (uint32_t i = 0; i < count && op->pick % 16 != 0; i++) {
        const struct model_message *message = &model->message[from + (op->pick / 16 + i) % count];
        if (message->status == status && !message->is_archived)
            return message;
    }
    return op->pick % 16 < 2 ? &model->message[from + op->pick / 16 % count] : NULL;
}

/* --- gateways ------------------------------------------------------------------------------------
 */

/* A part of an attempt has a number at the provider, written in one way or another: small or
 * capital, decimal or hexadecimal, with zeros in front. */
static struct text provider_id(const struct model *model, const struct model_message *message,
                               uint32_t attempt, uint32_t part, uint32_t spelling)
{
    static char ids[IDS_MAX][40];
    unsigned long long number =
        0xabc000000 + (((unsigned long long)(message - model->message) * 64 + attempt) * 16 + part);

    part %= IDS_MAX;
    switch (spelling % 4) {
    case 0:
        snprintf(ids[part], sizeof *ids, "%llX", number);
        break;
    case 1:
        snprintf(ids[part], sizeof *ids, "%llx", number);
        break;
    case 2:
        snprintf(ids[part], sizeof *ids, "000%llX", number);
        break;
    default:
        snprintf(ids[part], sizeof *ids, "%llu", number);
        break;
    }
    return text_of(ids[part]);
}

/* Some messages are refused again and again, and some never delivered: else few would come to their
 * last try. */
static bool is_ill_fated(const struct model *model, const struct model_message *message,
                         uint32_t kind)
{
    return (message - model->message) % 4 == kind;
}

static bool result_command(const struct episode *episode, const struct op *op,
                           struct message_result_command *result)
{
    static const enum message_answer answers[] = {
        MESSAGE_ACCEPTED, MESSAGE_ACCEPTED,  MESSAGE_ACCEPTED, MESSAGE_ACCEPTED, MESSAGE_REFUSED,
        MESSAGE_RETRY,    MESSAGE_THROTTLED, MESSAGE_UNKNOWN,  MESSAGE_RETRY};
    static struct text ids[IDS_MAX];
    const struct model_message *message = message_in(episode->model, op, MESSAGE_SENDING);

    if (message == NULL)
        return false;
    *result = (struct message_result_command){.message = message->number,
                                              .attempt = message->given,
                                              .answer = answers[op->number % 9],
                                              .can_query = op->number / 16 % 2 == 0,
                                              .detail = op->number % 8 == 0 ? text_of("detail")
                                                                            : text_of(NULL)};
    if (is_ill_fated(episode->model, message, 1) && op->number / 256 % 8 != 0)
        result->answer = MESSAGE_RETRY;
    if (op->number / 64 % 8 == 0 && result->attempt > 1) /* late */
        result->attempt--;
    if (result->attempt == 0)
        result->attempt = 1;
    result->provider_ids = ids;
    result->provider_id_count = op->number / 32 % 4 == 0 ? 1 : message->parts;
    for (uint32_t i = 0; i < result->provider_id_count; i++)
        ids[i] = provider_id(episode->model, message, result->attempt, i, op->number / 128);
    return true;
}

static bool receipt_command(const struct episode *episode, const struct op *op,
                            struct receipt_command *receipt)
{
    const struct model_message *message =
        message_in(episode->model, op, op->number % 8 == 0 ? MESSAGE_SENDING : MESSAGE_SENT);
    int64_t now_ms = episode->world.now_ms;

    if (message == NULL)
        return false;
    *receipt = (struct receipt_command){
        .product = message->product,
        .provider_id = provider_id(episode->model, message, message->given,
                                   op->number / 8 % message->parts, op->number / 128),
        .status = (enum receipt_status)(op->number / 512 % 2 == 0 ? 2 : 1 + op->number / 1024 % 5),
        .detail = op->number % 16 == 1 ? text_of("unreached") : text_of(NULL),
        .at_ms = op->number % 3 == 0 ? 0 : now_ms + 500 - op->number % 1000};
    if (is_ill_fated(episode->model, message, 2) && receipt->status == RECEIPT_DELIVERED)
        receipt->status = RECEIPT_UNDELIVERED;
    if (op->number / 4096 % 16 == 0)
        receipt->provider_id = text_of("of nothing known");
    return true;
}

static bool sending_command(const struct episode *episode, const struct op *op,
                            struct message_sending_command *sending)
{
    const struct model_message *message = message_in(episode->model, op, MESSAGE_QUEUED);

    if (message == NULL)
        return false;
    *sending = (struct message_sending_command){message->number, message->product};
    if (op->number % 32 == 0)
        sending->product = episode->model->product[op->pick % episode->model->products].number;
    return true;
}

/* --- the others ----------------------------------------------------------------------------------
 */

/* One that is history, and known to be. */
static bool about_archived(const struct episode *episode, const struct op *op,
                           struct message_command *about)
{
    const struct model *model = episode->model;
    const struct model_message *message =
        model->messages == 0 ? NULL : &model->message[op->pick % model->messages];

    if (message == NULL || !message->is_archived || op->number / 64 % 2 == 0)
        return false;
    *about = (struct message_command){message->number, true};
    return true;
}

static bool about_message(const struct episode *episode, const struct op *op, uint64_t *number)
{
    static const enum message_status statuses[] = {MESSAGE_QUEUED, MESSAGE_SCHEDULED, MESSAGE_SENT,
                                                   MESSAGE_FAILED};
    const struct model_message *message = message_in(episode->model, op, statuses[op->number % 4]);

    *number = op_number_of_another(episode, op);
    if (message == NULL)
        return op->number % 16 == 0 && model_find_message(episode->model, *number) == NULL;
    *number = message->number;
    return true;
}

static bool recover_command(const struct episode *episode, const struct op *op,
                            struct message_recover_command *recover)
{
    const struct model_message *message = message_in(episode->model, op, MESSAGE_SENDING);

    if (message == NULL)
        return false;
    *recover = (struct message_recover_command){.message = message->number,
                                                .attempt = op->number % 2 == 0 ? 0 : message->given,
                                                .can_query = op->number / 2 % 2 == 0};
    return true;
}

static void received_command(const struct episode *episode, const struct op *op,
                             struct received_command *received)
{
    static const char *const contents[] = {"STOP", "stop!", "START", "Stop it", "Hello", ""};
    static const char *const ids[] = {"r1", "r2", "r3", "r4", "r5", "r6", NULL};
    const struct model *model = episode->model;

    *received =
        (struct received_command){.product = model->product[op->pick % model->products].number,
                                  .from = MODEL_MOBILE_FIRST + op->number % MODEL_WRITERS,
                                  .content = text_of(contents[op->number / 8 % 6]),
                                  .provider_id = text_of(ids[op->number / 64 % 7]),
                                  .to = text_of(op->pick / 8 % 2 == 0 ? "33333" : NULL)};
}

bool op_message_command(struct episode *episode, const struct op *op, struct command *command)
{
    if (episode->model->products == 0)
        return false; /* not an episode of messages */
    switch (command->type) {
    case COMMAND_VERIFICATION_CREATE:
    case COMMAND_VERIFICATION_CHECK:
        return op_verification_command(episode, op, command);
    case COMMAND_MESSAGE_SUBMIT:
        submit_command(episode, op, &command->of.message_submit);
        return true;
    case COMMAND_MESSAGE_SENDING:
        return sending_command(episode, op, &command->of.message_sending);
    case COMMAND_MESSAGE_RESULT:
        return result_command(episode, op, &command->of.message_result);
    case COMMAND_MESSAGE_RECOVER:
        return recover_command(episode, op, &command->of.message_recover);
    case COMMAND_RECEIPT:
        return receipt_command(episode, op, &command->of.receipt);
    case COMMAND_MESSAGE_CANCEL:
    case COMMAND_MESSAGE_REPLAY:
        return about_archived(episode, op, &command->of.message_cancel) ||
               about_message(episode, op, &command->of.message_cancel.message);
    case COMMAND_MESSAGE_SWEEP:
        command->of.message_sweep.is_standing = op->pick / 1024 % 2 == 0;
        return about_message(episode, op, &command->of.message_sweep.message);
    case COMMAND_BLOCKLIST_PUT:
        command->of.blocklist_put = (struct blocklist_put_command){
            .mobile = MODEL_MOBILE_FIRST + op->number % MODEL_WRITERS,
            .reason = (enum blocklist_reason)(1 + op->pick % 2),
            .changed_by = 7};
        return true;
    case COMMAND_RECEIVED:
        received_command(episode, op, &command->of.received);
        return true;
    case COMMAND_BLOCKLIST_DELETE:
        command->of.blocklist_delete.mobile = MODEL_MOBILE_FIRST + op->number % MODEL_WRITERS;
        return true;
    case COMMAND_CAMPAIGN_CREATE:
    case COMMAND_CAMPAIGN_RECIPIENTS:
    case COMMAND_CAMPAIGN_CONFIRM:
    case COMMAND_CAMPAIGN_PAUSE:
    case COMMAND_CAMPAIGN_RESUME:
    case COMMAND_CAMPAIGN_CANCEL:
        return op_campaign_command(episode, op, command);
    default:
        op_catalog_command(op, command);
        return true;
    }
}
