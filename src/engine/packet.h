/* Red packets: their rows, and what may be read of them. A packet's money lies in @packets from its
 * send to the credit of each share and the refund of the rest; what it contains is always its
 * amount less what was credited and refunded.
 *
 * A packet is `open` while shares and time are left, `empty` once every share is taken, `expired`
 * when time is over and something is left in it, `refunded` when that went back. It is closed when
 * nothing of it can be grabbed or opened any more: at the opening of its last share, or at its
 * expiry. */
#ifndef SMSD_ENGINE_PACKET_H
#define SMSD_ENGINE_PACKET_H

#include <stdbool.h>

#include "engine/command.h"
#include "store/table.h"

struct engine;
struct txn;

/* The only versions so far of the rows about packets. */
enum {
    PACKET_ROW_VERSION = 1,
    PACKET_TERMS_ROW_VERSION = 1,
    PACKET_SENDER_ROW_VERSION = 1,
    GRAB_ROW_VERSION = 1,
};

/* The list of shares lies in pieces; what is found by a place in it has the packet's number and the
 * place, or the piece's, as its key. */
enum { PACKET_SHARES_PER_PIECE = VALUE_BYTES_MAX / 4, PACKET_PLACE_KEY_SIZE = 12 };
void packet_place_key(char key[PACKET_PLACE_KEY_SIZE], uint64_t packet, uint32_t place);

/* A refund that cannot be applied is tried again this often (PKT-10). */
#define PACKET_REFUND_RETRY_MS (INT64_C(5) * 60 * 1000)

/* Of a packet, what never changes. */
struct packet_terms {
    struct packet_terms_row row;
    char group[PACKET_GROUP_MAX];
    char greeting[PACKET_GREETING_MAX];
};

bool packet_find(struct txn *txn, uint64_t number, struct packet_row *row);
/* Of a packet that is there. */
void packet_terms_find(struct txn *txn, uint64_t number, struct packet_terms *terms);
/* Its share at a place of the list, from 0. */
uint32_t packet_share(struct txn *txn, const struct packet_row *row, uint32_t place);

int64_t packet_contents(const struct packet_row *row);
/* As it is seen at a moment: time may be over before the expiry was carried out. */
enum packet_status packet_status_at(const struct packet_row *row, int64_t now_ms);
void packet_commitment(const struct packet_row *row, const struct packet_terms *terms,
                       uint8_t commitment[SHA256_SIZE]);
/* It should be in the due index, and is not. */
bool packet_is_forgotten(struct txn *txn, uint64_t number, int64_t now_ms);

/* The share of an account, by its number. */
bool grab_find(struct txn *txn, uint64_t account, uint64_t packet, struct grab_row *row);
/* Who took the share at a place: the account's number, 0 if nobody. */
uint64_t grab_taker(struct txn *txn, uint64_t packet, uint32_t place);

/* Keys of the lists: by sender (account number), by group, by user (account number), and of those
 * with a due row; each followed by the packet's number. */
enum { PACKET_LIST_KEY_MAX = 1 + PACKET_GROUP_MAX + 8 };
size_t packet_list_key(char key[PACKET_LIST_KEY_MAX], uint64_t by, uint64_t packet);
size_t packet_group_key(char key[PACKET_LIST_KEY_MAX], struct text group, uint64_t packet);

/* --- in handlers ---------------------------------------------------------------------------------
 */

void packet_store(struct engine *engine, const struct packet_row *row);
void packet_set_status(struct packet_row *row, enum packet_status status);
/* Nothing can be grabbed or opened from now on. The row is the caller's to store. */
void packet_close(struct engine *engine, struct packet_row *row);
/* It has nothing to wait for: leaves the due index. */
void packet_forget_due(struct engine *engine, struct packet_row *row);
/* How many of the account's packets are not closed. */
void packet_sender_add(struct engine *engine, uint64_t account, int change);
uint32_t packet_sender_open(struct engine *engine, uint64_t account);

/* engine/packet_expiry.c, engine/packet_grab.c, for an operator's retry: carries out what could not
 * be applied, and keeps the exception's row accordingly. */
void packet_refund_again(struct engine *engine, uint64_t packet);
void packet_refund_give_up(struct engine *engine, uint64_t packet);
void packet_credit_again(struct engine *engine, uint64_t packet, uint64_t account,
                         uint64_t exception);

#endif
