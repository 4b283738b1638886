/* The outbox: messages that are to be sent, in the order in which they are to be: for each product
 * three lanes, one a kind, and in each by due time and number (SMS-16). A row is put in the commit
 * that queues the message, and goes in the commit that gives it to a gateway or ends it; so what is
 * in it is what is to be sent, also after a restart (SMS-22).
 *
 * Who takes from it reads a lane's head, waits for its time, runs COMMAND_MESSAGE_SENDING, and
 * hands the message over only once that is durable. engine_effect says what was put, so nobody
 * polls. */
#ifndef SMSD_ENGINE_OUTBOX_H
#define SMSD_ENGINE_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/row.h"

struct engine;
struct txn;

struct outbox_item {
    int64_t due_ms; /* Unix time; it may be in the past */
    uint64_t message;
};

/* The first of the lane at or behind `from`; {0} is before all. False: there is none.
 *
 * Rows that were deleted lie in memory until a checkpoint, and a walk passes over each (see
 * engine/due.h): who takes one after the other remembers where the last one was. */
bool outbox_first(struct txn *txn, uint64_t product, enum message_kind lane,
                  const struct outbox_item *from, struct outbox_item *item);
/* The first message behind `after` (0: of all) that was given to a gateway and has no answer yet.
 * False: none. */
bool sending_next(struct txn *txn, uint64_t after, uint64_t *message);

bool outbox_is_there(struct txn *txn, uint64_t product, enum message_kind lane,
                     const struct outbox_item *item);
/* Of a row of TABLE_OUTBOX. False: it is none. Any thread. */
bool outbox_read_key(const void *key, size_t key_size, uint64_t *product, enum message_kind *lane,
                     struct outbox_item *item);

/* --- in handlers ---------------------------------------------------------------------------------
 */

/* Both keep row->outbox_ms; the row is the caller's to store. */
void outbox_put(struct engine *engine, struct message_row *row, int64_t due_ms);
void outbox_delete(struct engine *engine, struct message_row *row);
void sending_put(struct engine *engine, uint64_t message);
void sending_delete(struct engine *engine, uint64_t message);

#endif
