/* The shadow of messages. Routing, parts and prices are not modelled a second time: what becomes of
 * a message is read from its row. What must follow is: who has paid what for it, and gets it back
 * at most once and only at its end (SMS-8); what is left of a product's quota (SMS-3); and that no
 * attempt is given to a gateway twice (SMS-11, SMS-22). */
#include <string.h>

#include "base/bytes.h"
#include "engine/catalog.h"
#include "engine/due.h"
#include "engine/exception.h"
#include "engine/message.h"
#include "engine/webhook.h"
#include "model_rules.h"
#include "world.h"
#include "wrong.h"

struct model_message *model_find_message(struct model *model, uint64_t number)
{
    uint32_t low = 0, high = model->messages;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (model->message[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < model->messages && model->message[low].number == number ? &model->message[low]
                                                                         : NULL;
}

struct model_product *model_find_product(struct model *model, uint64_t number)
{
    for (uint32_t i = 0; i < model->products; i++) {
        if (model->product[i].number == number)
            return &model->product[i];
    }
    return NULL;
}

static struct model_message *find_exception(struct model *model, uint64_t number)
{
    for (uint32_t i = 0; i < model->messages; i++) {
        if (model->message[i].exception == number && number != 0)
            return &model->message[i];
    }
    return NULL;
}

bool model_is_open(struct model *model, const struct command *command)
{
    switch (command->type) {
    case COMMAND_EXCEPTION_RETRY:
    case COMMAND_EXCEPTION_CLOSE:
        return find_exception(model, command->of.exception_retry.exception) != NULL;
    case COMMAND_WEBHOOK_DUE:
        return model_find_webhook(model, command->of.webhook_due.number) == NULL;
    case COMMAND_CATALOG_PUT:
    case COMMAND_CATALOG_STATUS:
    case COMMAND_QUOTA_CHANGE:
    case COMMAND_MESSAGE_SUBMIT:
    case COMMAND_MESSAGE_CANCEL:
    case COMMAND_MESSAGE_REPLAY:
    case COMMAND_MESSAGE_SENDING:
    case COMMAND_MESSAGE_RESULT:
    case COMMAND_MESSAGE_RECOVER:
    case COMMAND_MESSAGE_DUE:
    case COMMAND_MESSAGE_SWEEP:
    case COMMAND_RECEIPT:
    case COMMAND_RECEIPT_FORGET:
    case COMMAND_BLOCKLIST_PUT:
    case COMMAND_BLOCKLIST_DELETE:
    case COMMAND_CITY_PUT:
    case COMMAND_SIGNALS:
    case COMMAND_VERIFICATION_CREATE:
    case COMMAND_VERIFICATION_CHECK:
    case COMMAND_VERIFICATION_DUE:
    case COMMAND_RECEIVED:
    case COMMAND_RECEIVED_FORGET:
    case COMMAND_MESSAGES_ARCHIVED:
    case COMMAND_HISTORY_DROP:
    case COMMAND_CITY_IMAGE:
        return true;
    default:
        return model_is_of_campaign(command);
    }
}

/* --- quotas --------------------------------------------------------------------------------------
 */

static void take_quota(struct model *model, struct model_message *message)
{
    struct model_product *product = model_find_product(model, message->product);

    must(product != NULL);
    message->has_quota = product->is_counted;
    if (message->has_quota)
        product->quota -= message->parts;
    must(product->quota >= 0);
}

/* Only what was taken comes back. */
static void return_quota(struct model *model, struct model_message *message)
{
    if (message->has_quota)
        model_find_product(model, message->product)->quota += message->parts;
    message->has_quota = false;
}

static void learn_quota(struct model *model, const struct command *command,
                        const struct result *result)
{
    struct model_product *product =
        &model->product[0]; /* ids are "p0", "p1", … in the order of their making */
    const struct quota_change_command *asked = &command->of.quota_change;

    for (uint32_t i = 0; i < model->products; i++) {
        if (text_equals(asked->product, model->product[i].id))
            product = &model->product[i];
    }
    must(model->products > 0 && text_equals(asked->product, product->id));
    must(result->of.quota.row.before == product->quota);
    product->quota += asked->delta;
    product->is_counted = true;
    must(product->quota >= 0 && result->of.quota.row.after == product->quota);
}

/* --- money ---------------------------------------------------------------------------------------
 */

static void pay(struct model *model, struct model_message *message, int account, int64_t now_ms)
{
    struct model_entry entry = {.type = ENTRY_MESSAGE,
                                .count = message->parts,
                                .amount = -message->amount,
                                .source_type = SOURCE_MESSAGE,
                                .source = message->number};
    uint32_t made;

    must(account >= 0);
    must(model_may_pay(&model->accounts[account], message->amount) == OUTCOME_OK);
    must(model_move(model, account, MODEL_REVENUE, entry, now_ms, &made));
    message->account = (int8_t)account;
}

/* False: the account cannot take it. */
static bool pay_back(struct model *model, struct model_message *message, int64_t now_ms)
{
    struct model_entry entry = {.type = ENTRY_MESSAGE_REFUND,
                                .count = 1,
                                .amount = message->amount,
                                .source_type = SOURCE_MESSAGE,
                                .source = message->number};
    uint32_t made;

    must(message->account >= 0 && !message->is_paid_back);
    if (!model_move(model, message->account, MODEL_REVENUE, entry, now_ms, &made))
        return false;
    message->is_paid_back = true;
    return true;
}

/* --- what became of a message --------------------------------------------------------------------
 */

static void learn_of_campaign(struct model *model, struct world *world,
                              const struct command *command, const struct message_row *row,
                              struct expected *expected)
{
    struct model_message *message = &model->message[model->messages++];
    struct catalog_thing company;
    struct message_text_row text;

    must(command->type == COMMAND_CAMPAIGN_DUE && model->messages <= OPS_MAX);
    message_text_row_find(world->txn, row->number, &text);
    must(text.origin == command->of.campaign_due.number && row->attempts == 0);
    *message = (struct model_message){.number = row->number,
                                      .account = -1,
                                      .status = (enum message_status)row->status,
                                      .kind = (enum message_kind)row->kind,
                                      .parts = row->parts,
                                      .amount = text.price * row->parts,
                                      .product = row->product,
                                      .city = -1,
                                      .campaign = model_campaign_place(model, text.origin)};
    take_quota(model, message);
    must(catalog_find_number(world->txn, CATALOG_COMPANY, row->company, &company));
    if (message->amount > 0) {
        pay(model, message, model->company_account[company.id.data[1] - '0'], command->now_ms);
        expected->account = message->account;
    }
    model_campaign_message(model, message, 0, false);
}

/* CITY-5: exactly those that a trace tells of, to who was seen, from the city's company. */
static struct text learn_welcome(struct model *model, struct txn *txn,
                                 const struct message_row *row, struct model_message *message)
{
    struct message_text_row text;
    const struct model_cities *cities = &model->cities;

    message_text_row_find(txn, row->number, &text);
    must(row->origin == MESSAGE_FROM_WELCOME && text.origin < cities->count);
    message->city = (int8_t)text.origin;
    message->mobile = (int8_t)model_mobile_of(text.to);
    must(message->mobile >= 0);
    must(cities->visit[message->city][message->mobile].message == row->number);
    must(row->kind != MESSAGE_KIND_VERIFICATION && row->attempts == 0);
    message->amount = row->charged;
    return cities->city[message->city].put.company;
}

static struct text learn_submitted(const struct command *command, const struct message_row *row,
                                   const struct message_submit_result *answer,
                                   struct model_message *message)
{
    must(command->type == COMMAND_MESSAGE_SUBMIT && row->number == command->number);
    must(row->attempts == 0 && row->parts == answer->parts && row->product == answer->product);
    must(row->status == answer->status && row->kind == answer->kind);
    must(row->origin == MESSAGE_FROM_CLIENT);
    message->amount = answer->price * row->parts;
    return command->of.message_submit.company;
}

/* SMS-17 */
static struct text learn_code(const struct command *command, const struct message_row *row,
                              const struct result *result, const struct message_text_row *text,
                              struct model_message *message)
{
    must(row->number == result->of.verification.message && row->kind == 1);
    must(row->origin == MESSAGE_FROM_VERIFICATION && row->status == MESSAGE_QUEUED);
    must(row->attempts == 0);
    message->amount = text->price * row->parts;
    return command->of.verification_create.message.company;
}

static void learn_new(struct model *model, struct txn *txn, const struct command *command,
                      const struct message_row *row, const struct result *result,
                      struct expected *expected)
{
    struct model_message *message = &model->message[model->messages++];
    struct message_text_row text;
    struct text company;

    must(model->messages <= OPS_MAX);
    message_text_row_find(txn, row->number, &text);
    *message = (struct model_message){.number = row->number,
                                      .account = -1,
                                      .status = (enum message_status)row->status,
                                      .kind = (enum message_kind)row->kind,
                                      .parts = row->parts,
                                      .product = row->product,
                                      .city = -1};
    if (command->type == COMMAND_SIGNALS)
        company = learn_welcome(model, txn, row, message);
    else if (command->type == COMMAND_VERIFICATION_CREATE)
        company = learn_code(command, row, result, &text, message);
    else
        company = learn_submitted(command, row, &result->of.message_submit, message);
    take_quota(model, message);
    if (message->amount > 0)
        pay(model, message, model->company_account[company.data[1] - '0'], command->now_ms);
    expected->account = message->account;
}

/* May a message be given to another product now, and is what the first one took used up? */
static bool is_used_up(const struct message_row *before)
{
    return before->status == MESSAGE_SENT;
}

static void learn_product(struct model *model, struct model_message *message,
                          const struct message_row *before, const struct message_row *after,
                          bool was_accepted)
{
    if (before->product == after->product)
        return;
    if (is_used_up(before) || was_accepted)
        message->has_quota = false;
    else
        return_quota(model, message);
    message->product = after->product;
    take_quota(model, message);
}

/* SMS-18: no marketing at night. The clock of China is the one whose hours need no calendar. */
static void check_quiet_hours(const struct command *command, const struct message_row *row)
{
    int64_t hour = (command->now_ms / 3600000 + 8) % 24;

    if (row->kind == MESSAGE_KIND_MARKETING && memcmp(row->country, "CN", 2) == 0)
        must(hour >= 8 && hour < 21);
}

static void learn_attempt(struct model_message *message, const struct command *command,
                          const struct result *result, const struct message_row *before,
                          const struct message_row *after)
{
    bool is_given = command->type == COMMAND_MESSAGE_SENDING && result->of.message_change.is_given;

    if (!is_given) {
        must(after->attempts == before->attempts && after->status != MESSAGE_SENDING);
        return;
    }
    must(before->status == MESSAGE_QUEUED && after->status == MESSAGE_SENDING);
    must(after->attempts == before->attempts + 1);
    check_quiet_hours(command, after);
    if (after->attempts <= message->given)
        wrong("attempt %u of a message is given twice", after->attempts);
    message->given = after->attempts;
}

/* SMS-11: a code is never sent again where the provider may have it. */
static void check_unknown(const struct command *command, const struct message_row *before,
                          const struct message_row *after)
{
    bool is_unknown = command->type == COMMAND_MESSAGE_RECOVER ||
                      (command->type == COMMAND_MESSAGE_RESULT &&
                       command->of.message_result.answer == MESSAGE_UNKNOWN);

    if (is_unknown && before->kind == MESSAGE_KIND_VERIFICATION && after->status != MESSAGE_SENDING)
        must(after->status == MESSAGE_FAILED);
}

static bool is_of_attempt(uint32_t attempt, const struct message_row *before)
{
    return before->status == MESSAGE_SENDING && attempt == before->attempts;
}

/* What an answer may do: one of an attempt that is over does nothing at all. */
static void check_answer(const struct command *command, const struct message_row *before,
                         const struct message_row *after)
{
    const struct message_result_command *result = &command->of.message_result;
    const struct message_recover_command *recover = &command->of.message_recover;

    if (command->type == COMMAND_MESSAGE_RECOVER)
        must(is_of_attempt(recover->attempt == 0 ? before->attempts : recover->attempt, before));
    if (command->type != COMMAND_MESSAGE_RESULT)
        return;
    must(is_of_attempt(result->attempt, before));
    switch (result->answer) {
    case MESSAGE_ACCEPTED:
        must(after->sent_ms == command->now_ms);
        break;
    case MESSAGE_REFUSED:
        must(after->status == MESSAGE_REJECTED);
        break;
    case MESSAGE_THROTTLED: /* no failure of the message: it has as many tries left as before */
        must(after->tries == before->tries && after->failures == before->failures);
        must(after->status == MESSAGE_QUEUED || after->status == MESSAGE_FAILED);
        break;
    default:
        must(after->status == MESSAGE_QUEUED || after->status == MESSAGE_FAILED);
        break;
    }
}

static void learn_change(struct model *model, const struct command *command,
                         const struct result *result, const struct message_row *before,
                         const struct message_row *after, struct expected *expected)
{
    struct model_message *message = model_find_message(model, after->number);
    bool was_accepted = command->type == COMMAND_MESSAGE_RESULT &&
                        command->of.message_result.answer == MESSAGE_ACCEPTED;
    bool is_back = after->status == MESSAGE_FAILED || after->status == MESSAGE_CANCELED ||
                   after->status == MESSAGE_REJECTED;

    must(message != NULL && message->status == before->status);
    if (before->status != after->status || before->attempts != after->attempts)
        learn_attempt(message, command, result, before, after);
    check_unknown(command, before, after);
    check_answer(command, before, after);
    learn_product(model, message, before, after, was_accepted);
    message->status = (enum message_status)after->status;
    if (message->city >= 0 && before->status != after->status)
        model_welcome_moved(model, message->number, (uint32_t)message->city, message->mobile,
                            message->status);
    if (message->campaign != 0 && before->status != after->status)
        model_campaign_message(model, message, (enum message_status)before->status, is_back);
    if (is_back && before->status != after->status)
        return_quota(model, message);
    if (is_back && after->sent_ms == 0 && after->error != MESSAGE_ERROR_UNKNOWN_OUTCOME)
        model_verification_back(model, after->number);
    expected->account = -1;
    if (is_back && message->amount > 0 && !message->is_paid_back &&
        (before->status != after->status || command->type == COMMAND_EXCEPTION_RETRY)) {
        bool is_paid_back = pay_back(model, message, command->now_ms);
        must(before->charged == message->amount);
        must(after->charged == (is_paid_back ? 0 : message->amount));
        expected->account = is_paid_back ? message->account : -1;
    } else {
        must(before->charged == after->charged);
    }
}

/* --- what else is learnt from rows ---------------------------------------------------------------
 */

void model_lose_due(struct model *model, const struct model_due *due)
{
    uint32_t i = 0;

    while (i < model->other_dues &&
           (model->other_due[i].number != due->number || model->other_due[i].kind != due->kind ||
            model->other_due[i].due_ms != due->due_ms))
        i++;
    must(i < model->other_dues);
    model->other_due[i] = model->other_due[--model->other_dues];
}

/* The model's own are those of accounts. */
static bool is_of_account(struct txn *txn, uint64_t number)
{
    static struct webhook webhook;

    return webhook_find(txn, number, &webhook) && webhook.row.type == WEBHOOK_LOW_BALANCE;
}

static void learn_due(struct model *model, struct world *world, const struct change *change,
                      bool is_there)
{
    struct model_due due = {(int64_t)bytes_get_u64_be(change->key), change->key[8],
                            bytes_get_u64_be(change->key + 9)};

    if (due.kind <= MODEL_DUE_KINDS || change->was_there == is_there)
        return;
    if (due.kind == DUE_WEBHOOK && is_of_account(world->txn, due.number))
        return;
    if (!is_there) {
        model_lose_due(model, &due);
        return;
    }
    must(model->other_dues < MODEL_OTHER_DUES_MAX);
    model->other_due[model->other_dues++] = due;
}

/* SMS-19: it has come to its end, and nothing is owed for it. */
static void learn_archived(struct model *model, const struct command *command, uint64_t number)
{
    struct model_message *message = model_find_message(model, number);

    must(command->type == COMMAND_MESSAGES_ARCHIVED && message != NULL && !message->is_archived);
    must(message->status >= MESSAGE_SENT);
    if (message->status == MESSAGE_FAILED || message->status == MESSAGE_CANCELED ||
        message->status == MESSAGE_REJECTED)
        must(message->is_paid_back || message->amount == 0);
    message->is_archived = true;
}

/* SMS-19: what has left the rows cannot be changed any more. */
static void check_archived(struct model *model, const struct command *command,
                           const struct result *result)
{
    const struct model_message *message;

    switch (command->type) {
    case COMMAND_MESSAGE_CANCEL:
    case COMMAND_MESSAGE_REPLAY:
    case COMMAND_MESSAGE_SENDING:
    case COMMAND_MESSAGE_RESULT:
    case COMMAND_MESSAGE_RECOVER:
    case COMMAND_MESSAGE_SWEEP: /* which all begin with the number */
        message = model_find_message(model, command->of.message_cancel.message);
        break;
    default:
        return;
    }
    if (message == NULL || !message->is_archived)
        return;
    if (command->type == COMMAND_MESSAGE_CANCEL && command->of.message_cancel.is_history)
        must(result->outcome == OUTCOME_NOT_CANCELABLE);
    else if (command->type == COMMAND_MESSAGE_REPLAY && command->of.message_replay.is_history)
        must(result->outcome == OUTCOME_MESSAGE_ARCHIVED);
    else
        must(result->outcome == OUTCOME_MESSAGE_NOT_FOUND);
}

static void learn_message(struct model *model, struct world *world, const struct command *command,
                          const struct result *result, const struct change *change,
                          struct expected *expected)
{
    struct message_row before, after;
    uint64_t number = bytes_get_u64_be(change->key);

    if (!message_find(world->txn, number, &after)) {
        learn_archived(model, command, number);
        return;
    }
    if (!change->was_there && after.origin == MESSAGE_FROM_CAMPAIGN) {
        learn_of_campaign(model, world, command, &after, expected);
        return;
    }
    if (!change->was_there) {
        learn_new(model, world->txn, command, &after, result, expected);
        return;
    }
    must(message_row_read(world->changes.values.data + change->value_at, change->value_size,
                          &before));
    learn_change(model, command, result, &before, &after, expected);
}

static void learn_exception(struct model *model, struct world *world, const struct change *change)
{
    struct exception_row row;
    struct model_message *message;

    if (change->was_there || !exception_find(world->txn, bytes_get_u64_be(change->key), &row) ||
        row.type != EXCEPTION_MESSAGE_REFUND)
        return;
    message = model_find_message(model, row.subject);
    must(message != NULL && message->exception == 0 && !message->is_paid_back);
    must(row.amount == message->amount);
    must(row.account == model->accounts[message->account].number);
    message->exception = row.number;
    model->message_exceptions++;
}

static void learn_catalog(struct model *model, struct world *world, const struct command *command)
{
    const struct catalog_put_command *put = &command->of.catalog_put;
    struct model_product *product;
    struct catalog_thing thing;

    must(catalog_find(world->txn, put->draft->kind, put->id, &thing));
    if (put->draft->kind == CATALOG_COMPANY)
        model->company_account[put->id.data[1] - '0'] =
            (int8_t)model_account_of(catalog_text(&thing, COMPANY_ACCOUNT));
    if (put->draft->kind != CATALOG_PRODUCT)
        return;
    for (uint32_t i = 0; i < model->products; i++) {
        if (text_equals(model->product[i].id, put->id))
            return;
    }
    product = &model->product[model->products++];
    *product = (struct model_product){.id = put->id, .number = command->number};
}

void model_learn(struct model *model, struct world *world, const struct command *command,
                 const struct result *result, struct expected *expected)
{
    uint32_t messages_before = model->messages;

    model_learn_verification(model, world, command, result);
    check_archived(model, command, result);
    if (result->outcome != OUTCOME_OK)
        return;
    if (command->type == COMMAND_CATALOG_PUT)
        learn_catalog(model, world, command);
    if (command->type == COMMAND_QUOTA_CHANGE)
        learn_quota(model, command, result);
    if (command->type == COMMAND_CITY_PUT)
        learn_city_put(model, command, expected);
    if (command->type == COMMAND_SIGNALS)
        learn_signals(model, world->txn, command, expected);
    model_learn_campaigns(model, world, command, expected);
    model_learn_received(model, world, command, result);
    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        size_t size;
        bool is_there =
            txn_get(world->txn, change->table, change->key, change->key_size, &size) != NULL;
        if (change->table == TABLE_MESSAGE)
            learn_message(model, world, command, result, change, expected);
        else if (change->table == TABLE_DUE)
            learn_due(model, world, change, is_there);
        else if (change->table == TABLE_EXCEPTION)
            learn_exception(model, world, change);
    }
    model_check_campaigns(model, world, command, messages_before);
}
