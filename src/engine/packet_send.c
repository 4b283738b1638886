/* Sending a packet (PKT-1, PKT-4): the sender pays, the amount is split, and the list of shares,
 * the recipients, the places in lists and the expiry are rows, all in one commit. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/due.h"
#include "engine/handler.h"
#include "engine/ledger.h"
#include "engine/packet.h"

static void store_shares(struct engine *engine, const struct packet_row *row,
                         const struct split *split, const uint8_t seed[SPLIT_SEED_SIZE])
{
    uint32_t shares[SPLIT_SHARES_MAX];

    split_shares(split, seed, shares);
    for (uint32_t at = 0; at < row->count; at += PACKET_SHARES_PER_PIECE) {
        uint32_t count = row->count - at;
        char key[PACKET_PLACE_KEY_SIZE];
        if (count > PACKET_SHARES_PER_PIECE)
            count = PACKET_SHARES_PER_PIECE;
        packet_place_key(key, row->number, at / PACKET_SHARES_PER_PIECE);
        txn_put(engine->txn, TABLE_PACKET_SHARES, key, sizeof key, shares + at,
                count * sizeof *shares);
    }
}

static void store_terms(struct engine *engine, const struct packet_send_command *command)
{
    struct {
        struct packet_terms_row row;
        char texts[PACKET_GROUP_MAX + PACKET_GREETING_MAX];
    } value = {.row = {.version = PACKET_TERMS_ROW_VERSION,
                       .group_size = (uint8_t)command->group.size,
                       .greeting_size = (uint16_t)command->greeting.size}};
    char key[8];

    assert(command->group.size <= PACKET_GROUP_MAX);
    assert(command->greeting.size <= PACKET_GREETING_MAX);
    memcpy(value.row.seed, command->seed, sizeof value.row.seed);
    if (command->group.size > 0)
        memcpy(value.texts, command->group.data, command->group.size);
    if (command->greeting.size > 0)
        memcpy(value.texts + command->group.size, command->greeting.data, command->greeting.size);
    bytes_put_u64_be(key, engine->command->number);
    txn_put(engine->txn, TABLE_PACKET_TERMS, key, sizeof key, &value,
            sizeof value.row + command->group.size + command->greeting.size);
}

static void store_recipients(struct engine *engine, const struct packet_send_command *command)
{
    char key[8 + ACCOUNT_ID_MAX];

    bytes_put_u64_be(key, engine->command->number);
    for (size_t i = 0; i < command->recipient_count; i++) {
        const struct text *recipient = &command->recipients[i];
        assert(recipient->size > 0 && recipient->size <= ACCOUNT_ID_MAX);
        memcpy(key + 8, recipient->data, recipient->size);
        txn_put(engine->txn, TABLE_PACKET_RECIPIENT, key, 8 + recipient->size, "", 0);
    }
}

static void store_places(struct engine *engine, const struct packet_row *row, struct text group)
{
    char key[PACKET_LIST_KEY_MAX];
    size_t size = packet_list_key(key, row->sender, row->number);

    txn_put(engine->txn, TABLE_PACKET_SENT, key, size, "", 0);
    if (group.size > 0) {
        size = packet_group_key(key, group, row->number);
        txn_put(engine->txn, TABLE_PACKET_GROUP, key, size, "", 0);
    }
    size = packet_list_key(key, (uint64_t)row->expires_ms, row->number);
    txn_put(engine->txn, TABLE_PACKET_UNFINISHED, key, size, "", 0);
    due_put(engine, row->due_ms, DUE_PACKET_EXPIRY, row->number);
}

static enum outcome may_send(struct engine *engine, const struct account *sender,
                             const struct packet_send_command *command)
{
    enum outcome outcome;

    if (sender->row.flags & ACCOUNT_PACKETS_BLOCKED)
        return OUTCOME_ACCOUNT_BLOCKED;
    outcome = ledger_may_pay(sender, command->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (packet_sender_open(engine, sender->row.number) >= command->open_max)
        return OUTCOME_RATE_LIMITED;
    return OUTCOME_OK;
}

enum outcome engine_packet_send(struct engine *engine, const struct packet_send_command *command,
                                struct result *answer)
{
    struct split split = {command->split, command->amount, command->count};
    int64_t expires_ms = engine->command->now_ms + command->expires_in_ms;
    struct packet_row row;
    struct account sender;
    enum outcome outcome;

    if (!account_find(engine->txn, command->sender, &sender))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    outcome = may_send(engine, &sender, command);
    if (outcome != OUTCOME_OK)
        return outcome;
    outcome = ledger_move(engine, &(struct movement){.type = ENTRY_PACKET_SEND,
                                                     .account = &sender,
                                                     .counter = SYSTEM_PACKETS,
                                                     .amount = -command->amount,
                                                     .entry = engine_next_number(engine),
                                                     .source_type = SOURCE_PACKET,
                                                     .source = engine->command->number,
                                                     .count = 1});
    if (outcome != OUTCOME_OK)
        return outcome;
    row = (struct packet_row){.version = PACKET_ROW_VERSION,
                              .kind = (uint8_t)command->kind,
                              .split = (uint8_t)command->split,
                              .status = PACKET_STATUS_OPEN,
                              .number = engine->command->number,
                              .sender = sender.row.number,
                              .amount = command->amount,
                              .count = command->count,
                              .expires_ms = expires_ms,
                              .due_ms = expires_ms};
    memcpy(row.currency, sender.row.currency, sizeof row.currency);
    packet_store(engine, &row);
    store_terms(engine, command);
    store_shares(engine, &row, &split, command->seed);
    store_recipients(engine, command);
    store_places(engine, &row, command->group);
    packet_sender_add(engine, row.sender, 1);
    split_commitment(&split, command->seed, answer->of.packet.commitment);
    answer->of.packet.expires_ms = expires_ms;
    return OUTCOME_OK;
}
