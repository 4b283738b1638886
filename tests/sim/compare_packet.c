/* Rows of packets, grabs and exceptions against the model, and the lists that lead to them. */
#include <string.h>

#include "base/bytes.h"
#include "compare.h"
#include "engine/due.h"
#include "engine/exception.h"
#include "engine/packet.h"
#include "model_split.h"
#include "wrong.h"

enum { SHARES_PER_PIECE = 1024 };

static uint64_t exception_number(const struct model *model, uint32_t exception)
{
    return exception == 0 ? 0 : model->exception[exception - 1].number;
}

static void compare_packet_row_alone(const struct model *model, const struct model_packet *packet,
                                     const void *value, size_t size)
{
    int best = model_best(packet);
    struct packet_row row;

    must(size == sizeof row);
    memcpy(&row, value, size);
    must(row.number == packet->number);
    must(row.kind == packet->kind && row.split == packet->split);
    if (row.status != packet->status)
        wrong("a packet has status %d, and must have %d", row.status, packet->status);
    must(memcmp(row.currency, model_currencies[packet->currency], 3) == 0);
    must(row.sender == model->accounts[packet->sender].number);
    must(row.amount == packet->amount && row.count == packet->count);
    if (row.taken != packet->taken || row.opened != packet->opened)
        wrong("a packet has %u taken, %u opened, and must have %u, %u", row.taken, row.opened,
              packet->taken, packet->opened);
    if (row.credited != packet->credited || row.refunded != packet->refunded)
        wrong("a packet has %lld credited, %lld refunded, and must have %lld, %lld",
              (long long)row.credited, (long long)row.refunded, (long long)packet->credited,
              (long long)packet->refunded);
    must(row.best_amount == (best < 0 ? 0 : packet->shares[best]));
    must(best < 0 || row.best_share == (uint32_t)best);
    must(row.expires_ms == packet->expires_ms && row.emptied_ms == packet->emptied_ms);
    must(row.closed_ms == packet->closed_ms && row.due_ms == packet->due_ms);
    must(row.exception == exception_number(model, packet->exception));
}

static void compare_terms(const struct model_packet *packet, const char *value, size_t size)
{
    struct packet_terms_row row;

    must(size >= sizeof row);
    memcpy(&row, value, sizeof row);
    must(size == sizeof row + row.group_size + row.greeting_size);
    must(memcmp(row.seed, packet->seed, sizeof row.seed) == 0);
    must(text_equals((struct text){value + sizeof row, row.group_size}, packet->group));
    must(text_equals((struct text){value + sizeof row + row.group_size, row.greeting_size},
                     packet->greeting));
}

/* PKT-4, PKT-12: the whole list, as anyone can compute it from what is published. */
static void compare_shares(const struct model_packet *packet, const char *key, const char *value,
                           size_t size)
{
    static uint32_t shares[MODEL_SHARES_MAX];
    uint32_t at = (uint32_t)bytes_get_u64_be(key + 4) * SHARES_PER_PIECE;
    uint32_t count = packet->count - at < SHARES_PER_PIECE ? packet->count - at : SHARES_PER_PIECE;

    must(at < packet->count && size == count * sizeof *shares);
    model_split(packet->split, packet->amount, packet->count, packet->seed, shares);
    must(memcmp(value, shares + at, size) == 0);
}

static void compare_recipient(const struct model_packet *packet, struct text id)
{
    int index = model_account_of(id);

    must(packet->kind == PACKET_EXCLUSIVE);
    must(index >= 0 && (packet->recipients >> index & 1) == 1);
}

static void compare_sender(const struct model *model, uint64_t number, const void *value,
                           size_t size)
{
    int index = model_find_account(model, number);
    struct packet_sender_row row;

    must(index >= 0 && model->accounts[index].packets_sent > 0 && size == sizeof row);
    memcpy(&row, value, size);
    if (row.open != model->accounts[index].packets_open)
        wrong("u%d has %u open packets, and must have %u", index, row.open,
              model->accounts[index].packets_open);
}

static void compare_group(const struct model_packet *packet, const char *key, size_t size)
{
    must(size == 1 + packet->group.size + 8 && packet->group.size > 0);
    must((size_t)key[0] == packet->group.size);
    must(memcmp(key + 1, packet->group.data, packet->group.size) == 0);
}

static void compare_grab(const struct model *model, const struct model_packet *packet, int account,
                         const void *value, size_t size)
{
    const struct model_grab *grab = account < 0 ? NULL : model_find_grab(packet, account);
    struct grab_row row;

    must(grab != NULL && size == sizeof row);
    memcpy(&row, value, size);
    must(row.share == (uint32_t)(grab - packet->grabs));
    must(row.amount == packet->shares[row.share] && row.is_opened == grab->is_opened);
    must(row.grabbed_ms == grab->grabbed_ms);
    must(row.exception == exception_number(model, grab->exception));
}

static void compare_place(const struct model *model, const struct model_packet *packet,
                          const char *key, const void *value, size_t size)
{
    uint32_t place = (uint32_t)bytes_get_u64_be(key + 4);
    uint64_t number;

    must(place < packet->taken && size == sizeof number);
    memcpy(&number, value, size);
    must(number == model->accounts[packet->grabs[place].account].number);
}

static void compare_exception(struct model *model, uint64_t number, const void *value, size_t size)
{
    const struct model_exception *exception = model_find_exception(model, number);
    struct exception_row row;

    must(size == sizeof row);
    memcpy(&row, value, size);
    if (row.type == EXCEPTION_MESSAGE_REFUND)
        return;
    must(exception != NULL);
    must(row.number == number && row.type == exception->type);
    must(row.status == exception->status && row.outcome == exception->outcome);
    must(row.attempts == exception->attempts && row.amount == exception->amount);
    must(row.subject == model->packet[exception->packet - 1].number);
    must(row.account == model->accounts[exception->account].number);
    must(row.tried_ms == exception->tried_ms && row.closed_ms == exception->closed_ms);
}

/* Where in its key the number of the packet lies that a row is of. */
static size_t packet_at(enum table table, size_t key_size)
{
    switch (table) {
    case TABLE_PACKET_SENT:
    case TABLE_PACKET_GROUP:
    case TABLE_PACKET_UNFINISHED:
    case TABLE_GRAB:
        return key_size - 8;
    default:
        return 0;
    }
}

void compare_packet_row(struct model *model, enum table table, const char *key, size_t key_size,
                        const void *value, size_t value_size)
{
    uint64_t by = key_size >= 8 ? bytes_get_u64_be(key) : 0;
    const struct model_packet *packet;

    if (table == TABLE_PACKET_SENDER) {
        compare_sender(model, by, value, value_size);
        return;
    }
    if (table == TABLE_EXCEPTION) {
        compare_exception(model, by, value, value_size);
        return;
    }
    must(key_size >= 8);
    packet = model_find_packet(model, bytes_get_u64_be(key + packet_at(table, key_size)));
    if (packet == NULL)
        wrong("there is a row of %s whose packet the model does not have", table_infos[table].name);
    switch (table) {
    case TABLE_PACKET:
        compare_packet_row_alone(model, packet, value, value_size);
        break;
    case TABLE_PACKET_TERMS:
        compare_terms(packet, value, value_size);
        break;
    case TABLE_PACKET_SHARES:
        must(key_size == 12);
        compare_shares(packet, key, value, value_size);
        break;
    case TABLE_PACKET_RECIPIENT:
        compare_recipient(packet, (struct text){key + 8, key_size - 8});
        break;
    case TABLE_PACKET_SENT:
        must(key_size == 16 && by == model->accounts[packet->sender].number);
        break;
    case TABLE_PACKET_GROUP:
        compare_group(packet, key, key_size);
        break;
    case TABLE_PACKET_UNFINISHED:
        must(key_size == 16 && packet->due_ms != 0 && by == (uint64_t)packet->expires_ms);
        break;
    case TABLE_GRAB:
        must(key_size == 16);
        compare_grab(model, packet, model_find_account(model, by), value, value_size);
        break;
    default:
        must(table == TABLE_GRAB_PLACE && key_size == 12);
        compare_place(model, packet, key, value, value_size);
        break;
    }
}

/* --- what a packet has, whether the engine touched it or not -------------------------------------
 */

static void compare_found(struct txn *txn, struct model *model, enum table table, const void *key,
                          size_t key_size, bool is_wanted)
{
    size_t size;
    const void *value = txn_get(txn, table, key, key_size, &size);

    if ((value != NULL) != is_wanted)
        wrong("a packet's row of %s %s there", table_infos[table].name,
              is_wanted ? "must be" : "must not be");
    if (value != NULL)
        compare_packet_row(model, table, key, key_size, value, size);
}

void compare_packet(struct txn *txn, struct model *model, int index)
{
    const struct model_packet *packet = &model->packet[index];
    char key[PACKET_LIST_KEY_MAX];

    bytes_put_u64_be(key, packet->number);
    compare_found(txn, model, TABLE_PACKET, key, 8, true);
    bytes_put_u64_be(key, model->accounts[packet->sender].number);
    compare_found(txn, model, TABLE_PACKET_SENDER, key, 8, true);
    bytes_put_u64_be(key, (uint64_t)packet->expires_ms);
    bytes_put_u64_be(key + 8, packet->number);
    compare_found(txn, model, TABLE_PACKET_UNFINISHED, key, 16, packet->due_ms != 0);
    must(packet->due_ms == 0 ||
         due_is_there(txn, packet->due_ms, DUE_PACKET_EXPIRY, packet->number));
    for (uint32_t i = 0; i < packet->taken; i++) {
        bytes_put_u64_be(key, model->accounts[packet->grabs[i].account].number);
        bytes_put_u64_be(key + 8, packet->number);
        compare_found(txn, model, TABLE_GRAB, key, 16, true);
    }
}

/* As details are read: the functions that the API reads packets by. */
void compare_packet_read(struct txn *txn, struct model *model, int index, int64_t now_ms)
{
    const struct model_packet *packet = &model->packet[index];
    bool is_over = packet->closed_ms == 0 && now_ms >= packet->expires_ms;
    uint8_t commitment[2][SHA256_SIZE];
    struct packet_terms terms;
    struct packet_row row;

    must(packet_find(txn, packet->number, &row));
    must(packet_contents(&row) == packet->amount - packet->credited - packet->refunded);
    must(packet_status_at(&row, now_ms) == (is_over ? PACKET_STATUS_EXPIRED : packet->status));
    must(!packet_is_forgotten(txn, packet->number, now_ms));
    packet_terms_find(txn, packet->number, &terms);
    packet_commitment(&row, &terms, commitment[0]);
    model_commitment(packet->split, packet->amount, packet->count, packet->seed, commitment[1]);
    must(memcmp(commitment[0], commitment[1], SHA256_SIZE) == 0);
    for (uint32_t i = 0; i < packet->count && i < PLAN_ACCOUNTS_MAX; i++) {
        const struct model_grab *grab = &packet->grabs[i];
        uint64_t taker = i < packet->taken ? model->accounts[grab->account].number : 0;
        must(grab_taker(txn, packet->number, i) == taker);
        must(packet_share(txn, &row, i) == packet->shares[i]);
    }
}

/* --- answers -------------------------------------------------------------------------------------
 */

static void compare_grab_answered(const struct model *model, const struct expected *expected,
                                  const struct result *result)
{
    const struct model_packet *packet = &model->packet[expected->packet];
    const struct grab_result *grab = &result->of.grab;

    must(grab->outcome == expected->grab_outcome && grab->is_new == expected->is_new);
    must(grab->share == expected->place && grab->amount == packet->shares[expected->place]);
    must(grab->balance == model->accounts[expected->account].balance);
    must(grab->grabbed_ms == packet->grabs[expected->place].grabbed_ms);
    must(grab->expires_ms == packet->expires_ms && grab->count == packet->count);
    must(grab->kind == packet->kind);
    must(memcmp(grab->currency, model_currencies[packet->currency], 3) == 0);
}

void compare_packet_answered(struct model *model, const struct command *command,
                             const struct expected *expected, const struct result *result)
{
    uint8_t commitment[SHA256_SIZE];
    const struct model_packet *packet = &model->packet[expected->packet < 0 ? 0 : expected->packet];

    switch (command->type) {
    case COMMAND_PACKET_SEND:
        model_commitment(packet->split, packet->amount, packet->count, packet->seed, commitment);
        must(memcmp(result->of.packet.commitment, commitment, sizeof commitment) == 0);
        must(result->of.packet.expires_ms == packet->expires_ms);
        break;
    case COMMAND_PACKET_GRAB:
    case COMMAND_PACKET_OPEN:
        compare_grab_answered(model, expected, result);
        break;
    case COMMAND_EXCEPTION_RETRY:
    case COMMAND_EXCEPTION_CLOSE:
        if (expected->is_open)
            break;
        must(model->exception[expected->exception].number == result->of.exception.row.number);
        compare_exception(model, result->of.exception.row.number, &result->of.exception.row,
                          sizeof result->of.exception.row);
        break;
    default:
        break;
    }
}
