/* The rules of red packets: what PKT-1 to PKT-15 and smsd-api(7) say of sending, grabbing, opening,
 * expiry, and of what could not be applied. The checks of a grab come in the order given there. */
#include <assert.h>
#include <string.h>

#include "model_rules.h"
#include "model_split.h"

#define REFUND_AGAIN_MS (INT64_C(5) * 60 * 1000)
enum { SHARES_PER_PIECE = 1024 };

const struct model_grab *model_find_grab(const struct model_packet *packet, int account)
{
    for (uint32_t i = 0; i < packet->taken; i++) {
        if (packet->grabs[i].account == account)
            return &packet->grabs[i];
    }
    return NULL;
}

int model_best(const struct model_packet *packet)
{
    int best = -1;

    for (uint32_t i = 0; i < packet->taken; i++) {
        if (packet->grabs[i].is_opened && (best < 0 || packet->shares[i] > packet->shares[best]))
            best = (int)i;
    }
    return best;
}

static int index_of(const struct model *model, const struct model_packet *packet)
{
    return packet == NULL ? -1 : (int)(packet - model->packet);
}

/* --- what could not be applied -------------------------------------------------------------------
 */

/* Another try has failed, of the exception counted from 1, or of a new one. */
static uint32_t note(struct model *model, uint32_t exception, const struct model_exception *made,
                     int64_t now_ms)
{
    struct model_exception *noted;

    if (exception == 0) {
        model->exception[model->exceptions++] = *made;
        exception = model->exceptions;
    }
    noted = &model->exception[exception - 1];
    noted->outcome = OUTCOME_AMOUNT_OUT_OF_RANGE; /* nothing else keeps a credit off */
    noted->attempts++;
    noted->tried_ms = now_ms;
    return exception;
}

static void end_exception(struct model *model, uint32_t exception, enum exception_status status,
                          int64_t now_ms)
{
    if (exception == 0 || model->exception[exception - 1].status == EXCEPTION_RESOLVED)
        return;
    model->exception[exception - 1].status = status;
    model->exception[exception - 1].closed_ms = now_ms;
}

/* --- the end of a packet -------------------------------------------------------------------------
 */

static void close_packet(struct model *model, struct model_packet *packet, int64_t now_ms)
{
    packet->closed_ms = now_ms;
    model->accounts[packet->sender].packets_open--;
}

static void finish(struct model *model, struct model_packet *packet)
{
    packet->due_ms = 0;
    model->dues--;
    model->packets_unfinished--;
}

/* PKT-10: once, as one entry; false: the sender's balance would pass the largest there is. */
static bool give_back(struct model *model, struct model_packet *packet, int64_t now_ms)
{
    int64_t left = packet->amount - packet->credited - packet->refunded;
    struct model_entry entry = {.type = ENTRY_PACKET_REFUND,
                                .count = 1,
                                .amount = left,
                                .source_type = SOURCE_PACKET,
                                .source = packet->number};
    uint32_t made;

    if (!model_move(model, packet->sender, MODEL_PACKETS, entry, now_ms, &made)) {
        packet->exception = note(model, packet->exception,
                                 &(struct model_exception){
                                     .type = EXCEPTION_PACKET_REFUND,
                                     .status = EXCEPTION_OPEN,
                                     .packet = 1 + (uint32_t)index_of(model, packet),
                                     .account = packet->sender,
                                     .amount = left,
                                 },
                                 now_ms);
        return false;
    }
    packet->refunded += left;
    packet->status = PACKET_STATUS_REFUNDED;
    end_exception(model, packet->exception, EXCEPTION_RESOLVED, now_ms);
    if (packet->due_ms != 0)
        finish(model, packet);
    return true;
}

enum outcome rule_packet_expire(struct model *model, const struct command *command,
                                struct expected *expected)
{
    struct model_packet *packet = model_find_packet(model, command->of.packet_expire.number);

    assert(packet != NULL && packet->due_ms != 0);
    expected->packet = index_of(model, packet);
    expected->account = packet->sender;
    if (packet->closed_ms == 0) {
        close_packet(model, packet, command->now_ms);
        packet->status = PACKET_STATUS_EXPIRED;
    }
    if (!give_back(model, packet, command->now_ms))
        packet->due_ms = command->now_ms + REFUND_AGAIN_MS;
    return OUTCOME_OK;
}

/* --- sending -------------------------------------------------------------------------------------
 */

static void fill_packet(struct model *model, struct model_packet *packet,
                        const struct packet_send_command *asked)
{
    static uint32_t shares[MODEL_SHARES_MAX];

    assert(asked->count <= MODEL_SHARES_MAX);
    memcpy(packet->seed, asked->seed, sizeof packet->seed);
    model_split(asked->split, asked->amount, asked->count, asked->seed, shares);
    for (uint32_t i = 0; i < asked->count && i < PLAN_ACCOUNTS_MAX; i++)
        packet->shares[i] = shares[i];
    for (size_t i = 0; i < asked->recipient_count; i++)
        packet->recipients |= (uint16_t)(1U << model_account_of(asked->recipients[i]));
    model->recipients += (uint32_t)asked->recipient_count;
    model->pieces += (asked->count + SHARES_PER_PIECE - 1) / SHARES_PER_PIECE;
    model->packets_grouped += asked->group.size > 0;
    model->packets_unfinished++;
    model->dues++;
}

enum outcome rule_packet_send(struct model *model, const struct command *command,
                              struct expected *expected)
{
    const struct packet_send_command *asked = &command->of.packet_send;
    int index = expected->account = model_account_of(asked->sender);
    struct model_account *account = &model->accounts[index];
    enum outcome outcome = model_may_pay(account, asked->amount);
    int64_t expires_ms = command->now_ms + asked->expires_in_ms;
    struct model_entry entry = {.type = ENTRY_PACKET_SEND,
                                .count = 1,
                                .amount = -asked->amount,
                                .source_type = SOURCE_PACKET,
                                .source = command->number};
    uint32_t made;

    if (account->is_there && account->packets_blocked)
        return OUTCOME_ACCOUNT_BLOCKED;
    if (outcome != OUTCOME_OK)
        return outcome;
    if (account->packets_open >= asked->open_max)
        return OUTCOME_RATE_LIMITED;
    if (!model_move(model, index, MODEL_PACKETS, entry, command->now_ms, &made))
        return OUTCOME_AMOUNT_OUT_OF_RANGE;
    model->senders += account->packets_sent++ == 0;
    account->packets_open++;
    expected->packet = (int)model->packets++;
    model->packet[expected->packet] = (struct model_packet){.number = command->number,
                                                            .sender = (int8_t)index,
                                                            .currency = account->currency,
                                                            .kind = asked->kind,
                                                            .split = asked->split,
                                                            .status = PACKET_STATUS_OPEN,
                                                            .count = asked->count,
                                                            .amount = asked->amount,
                                                            .expires_ms = expires_ms,
                                                            .due_ms = expires_ms,
                                                            .group = asked->group,
                                                            .greeting = asked->greeting};
    fill_packet(model, &model->packet[expected->packet], asked);
    return OUTCOME_OK;
}

/* --- grabbing and opening ------------------------------------------------------------------------
 */

/* PKT-7, but for whether the user has a share already and whether any is left. */
static enum outcome may_take(const struct model *model, const struct model_packet *packet, int user,
                             int64_t now_ms)
{
    const struct model_account *account = &model->accounts[user];

    if (packet == NULL)
        return OUTCOME_PACKET_NOT_FOUND;
    if (now_ms >= packet->expires_ms)
        return OUTCOME_PACKET_EXPIRED;
    if (packet->kind == PACKET_EXCLUSIVE && (packet->recipients >> user & 1) == 0)
        return OUTCOME_NOT_A_RECIPIENT;
    if (account->is_there && account->packets_blocked)
        return OUTCOME_ACCOUNT_BLOCKED;
    if (account->is_there && account->currency != packet->currency)
        return OUTCOME_CURRENCY_MISMATCH;
    return OUTCOME_OK;
}

/* PKT-8, PKT-9: shown and credited, or it stays reserved. */
static bool open_share(struct model *model, struct model_packet *packet, uint32_t place,
                       int64_t now_ms)
{
    struct model_grab *grab = &packet->grabs[place];
    struct model_entry entry = {.type = ENTRY_PACKET_GRAB,
                                .count = 1,
                                .amount = packet->shares[place],
                                .source_type = SOURCE_PACKET,
                                .source = packet->number};
    uint32_t made;

    if (!model_move(model, grab->account, MODEL_PACKETS, entry, now_ms, &made)) {
        grab->exception = note(model, grab->exception,
                               &(struct model_exception){
                                   .type = EXCEPTION_PACKET_GRAB,
                                   .status = EXCEPTION_OPEN,
                                   .packet = 1 + (uint32_t)index_of(model, packet),
                                   .account = grab->account,
                                   .amount = entry.amount,
                               },
                               now_ms);
        return false;
    }
    grab->is_opened = true;
    end_exception(model, grab->exception, EXCEPTION_RESOLVED, now_ms);
    packet->credited += entry.amount;
    if (++packet->opened == packet->count) {
        close_packet(model, packet, now_ms);
        finish(model, packet);
    }
    return true;
}

static void take_next(struct model *model, struct model_packet *packet, int user, int64_t now_ms)
{
    assert(packet->taken < PLAN_ACCOUNTS_MAX);
    packet->grabs[packet->taken++] =
        (struct model_grab){.account = (int8_t)user, .grabbed_ms = now_ms};
    model->grabs++;
    if (packet->taken == packet->count) {
        packet->emptied_ms = now_ms;
        packet->status = PACKET_STATUS_EMPTY;
    }
}

enum outcome rule_packet_grab(struct model *model, const struct command *command,
                              struct expected *expected)
{
    const struct packet_grab_command *asked = &command->of.packet_grab;
    struct model_packet *packet = model_find_packet(model, asked->packet);
    int user = expected->account = model_account_of(asked->user);
    enum outcome outcome = may_take(model, packet, user, command->now_ms);
    const struct model_grab *mine;

    expected->packet = index_of(model, packet);
    if (outcome != OUTCOME_OK)
        return outcome;
    mine = model_find_grab(packet, user);
    if (mine != NULL) { /* PKT-5 */
        expected->place = (uint32_t)(mine - packet->grabs);
        expected->grab_outcome = mine->is_opened ? GRAB_ALREADY_GRABBED : GRAB_RESERVED;
        return OUTCOME_OK;
    }
    if (packet->taken == packet->count)
        return OUTCOME_PACKET_EMPTY;
    if (!model->accounts[user].is_there)
        model_open_account(model, user, packet->currency, command->number, command->now_ms);
    expected->is_new = true;
    expected->place = packet->taken;
    take_next(model, packet, user, command->now_ms);
    expected->grab_outcome =
        asked->is_open && open_share(model, packet, expected->place, command->now_ms)
            ? GRAB_GRABBED
            : GRAB_RESERVED;
    return OUTCOME_OK;
}

enum outcome rule_packet_open(struct model *model, const struct command *command,
                              struct expected *expected)
{
    const struct packet_open_command *asked = &command->of.packet_open;
    struct model_packet *packet = model_find_packet(model, asked->packet);
    int user = expected->account = model_account_of(asked->user);
    enum outcome outcome = may_take(model, packet, user, command->now_ms);
    const struct model_grab *mine = outcome == OUTCOME_OK ? model_find_grab(packet, user) : NULL;

    expected->packet = index_of(model, packet);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (mine == NULL)
        return OUTCOME_NOT_RESERVED;
    expected->place = (uint32_t)(mine - packet->grabs);
    if (mine->is_opened)
        expected->grab_outcome = GRAB_ALREADY_GRABBED;
    else
        expected->grab_outcome = open_share(model, packet, expected->place, command->now_ms)
                                     ? GRAB_GRABBED
                                     : GRAB_RESERVED;
    return OUTCOME_OK;
}

/* --- operators -----------------------------------------------------------------------------------
 */

/* Of a share whose packet is over nothing can come any more: it is the sender's again. */
static void credit_again(struct model *model, struct model_packet *packet, uint32_t exception,
                         int64_t now_ms)
{
    const struct model_grab *mine =
        model_find_grab(packet, model->exception[exception - 1].account);

    assert(mine != NULL && mine->exception == exception);
    if (packet->closed_ms != 0 || now_ms >= packet->expires_ms)
        end_exception(model, exception, EXCEPTION_CLOSED, now_ms);
    else
        open_share(model, packet, (uint32_t)(mine - packet->grabs), now_ms);
}

enum outcome rule_exception_retry(struct model *model, const struct command *command,
                                  struct expected *expected)
{
    struct model_exception *found =
        model_find_exception(model, command->of.exception_retry.exception);
    struct model_packet *packet;

    if (found == NULL)
        return OUTCOME_NOT_FOUND;
    if (found->status == EXCEPTION_RESOLVED)
        return OUTCOME_CONFLICT;
    packet = &model->packet[found->packet - 1];
    expected->exception = (int)(found - model->exception);
    expected->packet = (int)found->packet - 1;
    expected->account = found->account;
    if (found->type == EXCEPTION_PACKET_REFUND)
        give_back(model, packet, command->now_ms);
    else
        credit_again(model, packet, 1 + (uint32_t)expected->exception, command->now_ms);
    return OUTCOME_OK;
}

/* PKT-15: given up. A refund is then no longer tried; a share may still be opened by its user. */
enum outcome rule_exception_close(struct model *model, const struct command *command,
                                  struct expected *expected)
{
    struct model_exception *found =
        model_find_exception(model, command->of.exception_close.exception);

    if (found == NULL)
        return OUTCOME_NOT_FOUND;
    if (found->status != EXCEPTION_OPEN)
        return OUTCOME_CONFLICT;
    expected->exception = (int)(found - model->exception);
    expected->packet = (int)found->packet - 1;
    if (found->type == EXCEPTION_PACKET_REFUND)
        finish(model, &model->packet[found->packet - 1]);
    found->status = EXCEPTION_CLOSED;
    found->closed_ms = command->now_ms;
    return OUTCOME_OK;
}
