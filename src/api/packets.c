/* POST /v1/packets, …/grab, …/open. A grab is turned away as early as possible: first those of
 * users who make too many, then those of packets known to be over or empty, and only then the
 * engine is asked. */
#include <stdlib.h>
#include <string.h>

#include "api/grab_limit.h"
#include "api/packet_gate.h"
#include "api/packets.h"
#include "base/entropy.h"
#include "base/id.h"
#include "base/metric.h"

enum {
    EXPIRES_IN_DEFAULT_S = 86400,
    EXPIRES_IN_MAX_S = 366 * 86400,
    RECIPIENTS_MAX = 10000,
};

/* --- sending -------------------------------------------------------------------------------------
 */

struct packet_body {
    struct json_text sender;
    int64_t amount, count;
    struct json_text kind, split;
    struct json_texts recipients;
    struct json_text group, greeting;
    int64_t expires_in;
};

static bool is_kind(const char *data, size_t size)
{
    return packet_kind_parse((struct text){data, size}) != 0;
}

static bool is_split(const char *data, size_t size)
{
    return packet_split_parse((struct text){data, size}) != 0;
}

static const struct json_field packet_fields[] = {
    ACCOUNT_FIELD(struct packet_body, sender),
    AMOUNT_FIELD(struct packet_body, true),
    {.name = "count",
     .kind = JSON_INT,
     .offset = offsetof(struct packet_body, count),
     .is_required = true,
     .min = 1,
     .max = SPLIT_SHARES_MAX},
    {.name = "kind",
     .kind = JSON_TEXT,
     .offset = offsetof(struct packet_body, kind),
     .min = 1,
     .max = 16,
     .check = is_kind,
     .rule = "must be lucky, equal or exclusive"},
    {.name = "split",
     .kind = JSON_TEXT,
     .offset = offsetof(struct packet_body, split),
     .is_nullable = true,
     .min = 1,
     .max = 16,
     .check = is_split,
     .rule = "must be double_mean or gaussian"},
    {.name = "recipients",
     .kind = JSON_TEXTS,
     .offset = offsetof(struct packet_body, recipients),
     .is_nullable = true,
     .min = 1,
     .max = RECIPIENTS_MAX,
     .text_bytes_max = ACCOUNT_ID_MAX,
     .check = account_id_is_valid,
     .rule = "must be 1 to 10000 account ids"},
    {.name = "group",
     .kind = JSON_TEXT,
     .offset = offsetof(struct packet_body, group),
     .is_nullable = true,
     .min = 1,
     .max = PACKET_GROUP_MAX,
     .check = account_id_is_valid,
     .rule = ID_RULE},
    {.name = "greeting",
     .kind = JSON_TEXT,
     .offset = offsetof(struct packet_body, greeting),
     .is_nullable = true,
     .min = 1,
     .max = PACKET_GREETING_MAX},
    {.name = "expires_in",
     .kind = JSON_INT,
     .offset = offsetof(struct packet_body, expires_in),
     .min = 1,
     .max = EXPIRES_IN_MAX_S},
};

static int compare_texts(const void *a, const void *b)
{
    const struct text *x = a, *y = b;
    size_t size = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->data, y->data, size);

    return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

/* Sorted. False: one is named twice. */
static bool take_recipients(struct call *call, const struct json_texts *recipients,
                            struct packet_send_command *send)
{
    struct text *texts = arena_alloc(call->arena, recipients->count * sizeof *texts);

    for (size_t i = 0; i < recipients->count; i++)
        texts[i] = text_of(recipients->items[i]);
    qsort(texts, recipients->count, sizeof *texts, compare_texts);
    for (size_t i = 1; i < recipients->count; i++) {
        if (text_equals(texts[i - 1], texts[i]))
            return false;
    }
    send->recipients = texts;
    send->recipient_count = recipients->count;
    return true;
}

/* What one field cannot say alone. */
static void check_sizes(struct call *call, const struct packet_body *body, enum packet_kind kind,
                        struct json_errors *errors)
{
    const struct api_options *options = &call->api->options;

    if (body->amount > options->packets_amount_max)
        json_errors_add(call->arena, errors, "/amount", "is more than a packet may hold");
    if (body->count > options->packets_shares_max)
        json_errors_add(call->arena, errors, "/count", "is more shares than a packet may have");
    if (body->amount < body->count)
        json_errors_add(call->arena, errors, "/amount", "must be at least 1 a share");
    else if (kind == PACKET_EQUAL && body->amount % body->count != 0)
        json_errors_add(call->arena, errors, "/amount", "must divide by count");
}

static void check_kind(struct call *call, const struct packet_body *body, enum packet_kind kind,
                       struct packet_send_command *send, struct json_errors *errors)
{
    const struct json_texts *recipients = &body->recipients;

    if (kind == PACKET_EQUAL && body->split.data != NULL)
        json_errors_add(call->arena, errors, "/split", "an equal packet has none");
    if (kind != PACKET_EXCLUSIVE && recipients->items != NULL)
        json_errors_add(call->arena, errors, "/recipients", "only an exclusive packet has them");
    if (kind != PACKET_EXCLUSIVE)
        return;
    if (recipients->items == NULL)
        json_errors_add(call->arena, errors, "/recipients", "an exclusive packet needs them");
    else if (!take_recipients(call, recipients, send))
        json_errors_add(call->arena, errors, "/recipients", "must not name an account twice");
    else if (body->count > (int64_t)recipients->count)
        json_errors_add(call->arena, errors, "/count", "is more shares than there are recipients");
}

/* A lucky packet's rule is double_mean unless it says another; others are split equally unless they
 * say one. */
static enum split_rule rule_of(const struct packet_body *body, enum packet_kind kind)
{
    if (body->split.data != NULL)
        return packet_split_parse(text_of(body->split));
    return kind == PACKET_LUCKY ? SPLIT_DOUBLE_MEAN : SPLIT_EQUAL;
}

static bool fill_send(struct call *call, const struct packet_body *body,
                      struct packet_send_command *send)
{
    enum packet_kind kind =
        body->kind.data != NULL ? packet_kind_parse(text_of(body->kind)) : PACKET_LUCKY;
    struct json_errors errors;

    *send = (struct packet_send_command){.sender = text_of(body->sender),
                                         .amount = body->amount,
                                         .count = (uint32_t)body->count,
                                         .kind = kind,
                                         .split = rule_of(body, kind),
                                         .group = text_of(body->group),
                                         .greeting = text_of(body->greeting),
                                         .expires_in_ms = body->expires_in * 1000,
                                         .open_max = call->api->options.packets_open_max};
    json_errors_init(&errors);
    check_sizes(call, body, kind, &errors);
    check_kind(call, body, kind, send, &errors);
    entropy_fill(send->seed, sizeof send->seed);
    if (errors.count > 0)
        call_refuse_errors(call, &errors);
    return errors.count == 0;
}

void api_packet_create(struct call *call)
{
    struct packet_body body = {.expires_in = EXPIRES_IN_DEFAULT_S};
    struct command command = {.type = COMMAND_PACKET_SEND};
    const struct packet_send_command *send = &command.of.packet_send;
    struct packet_row row;
    struct result result;
    struct json_writer w;
    uint64_t given;

    if (!call_bind(call, packet_fields, FIELD_COUNT(packet_fields), &body, &given) ||
        !fill_send(call, &body, &command.of.packet_send) || !call_run(call, &command, &result))
        return;
    metric_add(METRIC_PACKETS_SENT, !result.is_replayed);
    row = (struct packet_row){.kind = (uint8_t)send->kind,
                              .split = (uint8_t)send->split,
                              .status = PACKET_STATUS_OPEN,
                              .number = result.number,
                              .amount = send->amount,
                              .count = send->count,
                              .expires_ms = result.of.packet.expires_ms};
    w = call_answer(call);
    json_object_begin(&w, NULL);
    write_packet(&w, &(struct packet_view){.row = &row,
                                           .sender = send->sender,
                                           .group = send->group,
                                           .greeting = send->greeting,
                                           .commitment = result.of.packet.commitment});
    json_array_begin(&w, "grabs");
    json_array_end(&w);
    json_object_end(&w);
}

/* --- grabbing and opening ------------------------------------------------------------------------
 */

bool call_packet_number(struct call *call, uint64_t *number)
{
    return call_path_number(call, "pkt_", OUTCOME_PACKET_NOT_FOUND, number);
}

static void write_grab(struct call *call, uint64_t packet, struct text user,
                       const struct grab_result *grab)
{
    static const char *const outcomes[] = {[GRAB_GRABBED] = "grabbed",
                                           [GRAB_ALREADY_GRABBED] = "already_grabbed",
                                           [GRAB_RESERVED] = "reserved"};
    struct json_writer w = call_answer(call);

    json_object_begin(&w, NULL);
    json_id(&w, "packet", "pkt_", packet);
    json_text(&w, "user", user.data, user.size);
    json_string(&w, "outcome", outcomes[grab->outcome]);
    if (grab->outcome == GRAB_RESERVED)
        json_null(&w, "amount");
    else
        json_int(&w, "amount", grab->amount);
    json_int(&w, "share", (int64_t)grab->share + 1);
    json_int(&w, "balance", grab->balance);
    json_time(&w, "grabbed_at", grab->grabbed_ms);
    json_object_end(&w);
}

static bool is_limited(struct call *call, struct text user)
{
    call->retry_after_s =
        grab_limit_take(call->api->grab_limit, user, pipeline_now_ms(call->api->pipeline));
    if (call->retry_after_s == 0)
        return false;
    metric_add(METRIC_PACKET_GRABS_LIMITED, 1);
    call_refuse(call, OUTCOME_RATE_LIMITED, "the user grabs too often");
    return true;
}

/* An account that is blocked, or in another currency, is told so first (PKT-7). */
static bool is_ordinary(struct txn *txn, struct text user, const char *currency)
{
    struct account account;

    return !account_find(txn, user, &account) ||
           (!(account.row.flags & ACCOUNT_PACKETS_BLOCKED) &&
            memcmp(account.row.currency, currency, CURRENCY_SIZE) == 0);
}

/* PKT-6. What is known in memory was told by grabs that may not be durable yet: the refusal waits
 * for them as any look at rows does. */
static bool is_turned_away(struct call *call, uint64_t packet, struct text user)
{
    struct pipeline *pipeline = call->api->pipeline;
    const char *currency;
    enum outcome outcome = packet_gate_check(call->api->packet_gate, packet, user,
                                             pipeline_now_ms(pipeline), &currency);
    struct txn *txn;

    if (outcome == OUTCOME_OK)
        return false;
    txn = pipeline_read_begin(pipeline);
    if (outcome == OUTCOME_PACKET_EMPTY && !is_ordinary(txn, user, currency))
        outcome = OUTCOME_OK;
    call->reply->hold = pipeline_read_end(pipeline, txn);
    if (outcome == OUTCOME_OK)
        return false;
    metric_add(METRIC_PACKET_GRABS_REFUSED, 1);
    call_refuse(call, outcome, NULL);
    return true;
}

static void note_grab(struct call *call, uint64_t packet, struct text user,
                      const struct result *result, bool was_taken)
{
    const struct grab_result *grab = &result->of.grab;

    if (result->is_replayed)
        return;
    metric_add(METRIC_PACKET_SHARES_TAKEN, was_taken);
    metric_add(METRIC_PACKET_SHARES_OPENED, grab->outcome == GRAB_GRABBED);
    if (was_taken)
        packet_gate_note(call->api->packet_gate, packet, user, grab);
}

struct grab_body {
    struct json_text user;
    bool open;
};

static const struct json_field grab_fields[] = {
    ACCOUNT_FIELD(struct grab_body, user),
    {.name = "open", .kind = JSON_BOOL, .offset = offsetof(struct grab_body, open)},
};

void api_packet_grab(struct call *call)
{
    struct grab_body body = {.open = true};
    struct command command = {.type = COMMAND_PACKET_GRAB};
    struct packet_grab_command *grab = &command.of.packet_grab;
    struct result result;
    uint64_t given;

    if (!call_packet_number(call, &grab->packet) ||
        !call_bind(call, grab_fields, FIELD_COUNT(grab_fields), &body, &given))
        return;
    grab->user = text_of(body.user);
    grab->is_open = body.open;
    if (is_limited(call, grab->user))
        return;
    /* Under a key, the first answer is the one to give. */
    if (!call->has_idempotency_key && is_turned_away(call, grab->packet, grab->user))
        return;
    if (!call_run(call, &command, &result))
        return;
    note_grab(call, grab->packet, grab->user, &result, result.of.grab.is_new);
    write_grab(call, grab->packet, grab->user, &result.of.grab);
}

void api_packet_open(struct call *call)
{
    struct grab_body body = {.open = true};
    struct command command = {.type = COMMAND_PACKET_OPEN};
    struct packet_open_command *open = &command.of.packet_open;
    struct result result;
    uint64_t given;

    if (!call_packet_number(call, &open->packet) || !call_bind(call, grab_fields, 1, &body, &given))
        return;
    open->user = text_of(body.user);
    if (!call_run(call, &command, &result))
        return;
    note_grab(call, open->packet, open->user, &result, false);
    write_grab(call, open->packet, open->user, &result.of.grab);
}
