/* From an op's plain numbers to a command about a packet or an exception. */
#include <string.h>

#include "episode.h"
#include "model_split.h"

enum { PICKED_MAX = 8 }; /* mostly the newest, which are still open */

static uint32_t newest(const struct op *op, uint32_t count)
{
    uint32_t back = op->pick % 16 == 0 ? op->pick / 16 % count : op->pick % PICKED_MAX;

    return count - 1 - (back < count ? back : 0);
}

/* PKT-7: now and then one that is not there. */
static bool packet_of(const struct episode *episode, const struct op *op, uint64_t *packet)
{
    const struct model *model = episode->model;

    *packet = op_number_of_another(episode, op);
    if (op->pick % 64 == 63)
        return true;
    if (model->packets == 0)
        return false;
    *packet = model->packet[newest(op, model->packets)].number;
    return true;
}

static void send_to(const struct op *op, struct packet_send_command *send)
{
    /* Twice, so that any few in a row are different ones. */
    static const struct text everybody[2 * PLAN_ACCOUNTS_MAX] = {
        {"u0", 2}, {"u1", 2}, {"u2", 2}, {"u3", 2}, {"u4", 2}, {"u5", 2}, {"u6", 2},
        {"u7", 2}, {"u8", 2}, {"u9", 2}, {"u0", 2}, {"u1", 2}, {"u2", 2}, {"u3", 2},
        {"u4", 2}, {"u5", 2}, {"u6", 2}, {"u7", 2}, {"u8", 2}, {"u9", 2}};

    send->recipients = everybody + op->other % PLAN_ACCOUNTS_MAX;
    send->recipient_count = 1 + op->pick / 64 % PLAN_ACCOUNTS_MAX;
    if (send->count > send->recipient_count)
        send->count = (uint32_t)send->recipient_count;
}

static void split_of(const struct op *op, struct packet_send_command *send)
{
    static const enum split_rule rules[] = {SPLIT_DOUBLE_MEAN, SPLIT_GAUSSIAN, SPLIT_EQUAL};
    struct draw draw;

    switch (send->kind) {
    case PACKET_LUCKY:
        send->split = rules[op->pick / 8 % 2];
        break;
    case PACKET_EQUAL:
        send->split = SPLIT_EQUAL;
        break;
    case PACKET_EXCLUSIVE:
        send->split = rules[op->pick / 8 % 3];
        send_to(op, send);
        break;
    }
    draw_init(&draw, op->number, op->pick);
    for (size_t i = 0; i < sizeof send->seed; i++)
        send->seed[i] = (uint8_t)draw_below(&draw, 256);
}

/* At least 1 a share, and an equal one the same for each: the API lets nothing else through. */
static void amount_of(const struct op *op, int64_t available, struct packet_send_command *send)
{
    send->amount = op_amount(op, available);
    if (send->amount > available && available > 0 && op->number % 4 != 0)
        send->amount = available;
    if (send->amount > SPLIT_AMOUNT_MAX)
        send->amount = SPLIT_AMOUNT_MAX;
    if (send->amount < send->count)
        send->amount = send->count;
    if (send->kind == PACKET_EQUAL)
        send->amount -= send->amount % send->count;
}

static void texts_of(const struct op *op, struct packet_send_command *send)
{
    static char greeting[PACKET_GREETING_MAX];
    static const char group[PACKET_GROUP_MAX + 1] =
        "gg0123456789abcdef0123456789abcdef0123456789abcdef-0123456789abc";
    static const uint8_t group_sizes[] = {0, 0, 1, 2, 3, PACKET_GROUP_MAX};

    memset(greeting, 'g', sizeof greeting);
    send->group = (struct text){group, group_sizes[op->reference % sizeof group_sizes]};
    if (op->reference % 4 == 0)
        send->greeting =
            (struct text){greeting, op->pick % 8 == 0 ? sizeof greeting : 1 + op->pick % 30};
}

static void send_command(const struct episode *episode, const struct op *op,
                         struct packet_send_command *send)
{
    enum { HALF_HOUR_MS = 30 * 60 * 1000 };
    static const uint32_t lives_ms[] = {2000, HALF_HOUR_MS, HALF_HOUR_MS, DAY_MS};

    *send = (struct packet_send_command){.sender = op_account_id(op->account),
                                         .count = 1 + op->number / 32 % 6,
                                         .kind = (enum packet_kind)(1 + op->pick % 3),
                                         .expires_in_ms = DAY_MS,
                                         .open_max = episode->plan->packets_open_max};
    if (op->number % 128 == 0) /* its list is in pieces */
        send->count = 1 + op->number / 128 % (MODEL_SHARES_MAX - 1);
    if (op->number % 8 != 0)
        send->expires_in_ms = 1 + op->number % lives_ms[op->pick % 4];
    split_of(op, send);
    amount_of(op, model_available(&episode->model->accounts[op->account]), send);
    texts_of(op, send);
}

static bool exception_command(const struct episode *episode, const struct op *op,
                              struct command *command)
{
    const struct model *model = episode->model;

    command->of.exception_retry.exception = op_number_of_another(episode, op);
    if (op->pick % 32 == 31)
        return true;
    for (uint32_t i = model->messages; i > 0 && op->number % 2 == 0; i--) {
        if (model->message[i - 1].exception == 0 || model->message[i - 1].is_paid_back)
            continue;
        command->of.exception_retry.exception = model->message[i - 1].exception;
        return true;
    }
    if (model->exceptions == 0)
        return false;
    command->of.exception_retry.exception = model->exception[newest(op, model->exceptions)].number;
    return true;
}

bool op_packet_command(struct episode *episode, const struct op *op, struct command *command)
{
    switch (command->type) {
    case COMMAND_PACKET_SEND:
        send_command(episode, op, &command->of.packet_send);
        return true;
    case COMMAND_PACKET_GRAB:
        command->of.packet_grab.user = op_account_id(op->other);
        command->of.packet_grab.is_open = op->number % 3 != 0;
        return packet_of(episode, op, &command->of.packet_grab.packet);
    case COMMAND_PACKET_OPEN:
        command->of.packet_open.user = op_account_id(op->other);
        return packet_of(episode, op, &command->of.packet_open.packet);
    case COMMAND_PACKET_SWEEP:
        return packet_of(episode, op, &command->of.packet_sweep.packet);
    default:
        return exception_command(episode, op, command);
    }
}
