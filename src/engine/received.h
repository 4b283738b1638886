/* Received messages (SMS-18): what people write to us, mostly back to what they were sent. Kept for
 * RECEIVED_KEPT_MS, told by a webhook, and where one is nothing but a word of engine/stop_word.h it
 * changes the blocklist: STOP puts its sender there as opted out, START takes him off again, if it
 * was such a STOP that had put him there. What an operator has put there stays.
 *
 * Providers repeat what they have no answer to: a message of the same product, id, sender and text
 * as one that is kept is the same one. */
#ifndef SMSD_ENGINE_RECEIVED_H
#define SMSD_ENGINE_RECEIVED_H

#include <stdbool.h>

#include "engine/command.h"

struct txn;

#define RECEIVED_KEPT_MS (INT64_C(90) * 24 * 60 * 60 * 1000)

/* One in hand: a copy, to which the texts point. */
struct received {
    struct received_row row;
    struct text provider_id, to; /* size 0: not known */
    struct text content;         /* may be empty */
    char bytes[PROVIDER_ID_MAX + RECEIVED_TO_MAX + RECEIVED_CONTENT_MAX];
};

bool received_find(struct txn *txn, uint64_t number, struct received *received);

/* What it answers: the last message that went to its sender by the product through which it came,
 * of the last RECEIVED_LOOKED_AT_MAX to him. False: none that is in rows. Whoever runs
 * COMMAND_RECEIVED looks in history then, RECEIVED_ANSWERS_DAYS back, and tells what he has found;
 * rows go before it. */
struct message_row;
enum { RECEIVED_LOOKED_AT_MAX = 16, RECEIVED_ANSWERS_DAYS = 31 };
bool received_find_answered(struct txn *txn, uint64_t product, uint64_t from,
                            struct message_row *message);
/* May it answer this one, by what it is and became? Any thread. */
bool received_answers(const struct message_row *message, uint64_t product);

/* Keys of TABLE_RECEIVED_INDEX that begin with the sender: his messages by number. */
enum { RECEIVED_FROM_KEY_SIZE = 17 };
void received_from_key(char key[RECEIVED_FROM_KEY_SIZE], uint64_t from, uint64_t number);

const char *received_action_text(enum received_action action); /* NULL: none */

#endif
