/* Receipts (SMS-12): finding the message that a provider speaks of.
 *
 * A provider's id is kept in one form: letters small, zeros in front gone. Where a receipt's id is
 * not known in that form it is tried in the other radix: providers name a message 1A2B when they
 * take it and 6699 when they have delivered it, or the other way round. The same form always goes
 * first, and in the other radix only a message is found that still waits for that receipt.
 *
 * A receipt whose message is not known may have come before the answer to the submit: it is kept
 * for an hour, and the answer takes it up. */
#ifndef SMSD_ENGINE_RECEIPT_H
#define SMSD_ENGINE_RECEIPT_H

#include <assert.h>
#include <stddef.h>

#include "engine/command.h"

struct engine;

enum { PROVIDER_ID_WHOLE = 255 }; /* provider_id_row.part: one id for all parts */

/* The form in which ids are kept; at most as long as `id`. `to` has PROVIDER_ID_MAX bytes. */
size_t provider_id_form(struct text id, char to[PROVIDER_ID_MAX]);
/* The same number in the other radix, from a form; 0: it is none. `to_decimal`: the form is
 * hexadecimal; otherwise decimal. */
size_t provider_id_in_other_radix(struct text form, bool to_decimal, char to[PROVIDER_ID_MAX]);

/* TABLE_MESSAGE_IDS: an id that a provider gave a message or part of it -> this, and the id as the
 * provider spelt it. */
struct message_id_row {
    uint8_t version;
    uint8_t zero[7];
    uint64_t product;
};
static_assert(sizeof(struct message_id_row) == 16, "stored layout");

/* An id that a message was given, of a row of TABLE_MESSAGE_IDS, whose key begins with the
 * message's number. */
struct message_id {
    uint64_t product;
    uint16_t attempt;
    uint8_t part;   /* from 0; PROVIDER_ID_WHOLE */
    struct text id; /* as the provider spelt it; points into the row */
};
enum { MESSAGE_ID_KEY_SIZE = 11 };
/* False: it is no such row. Any thread. */
bool message_id_read(const void *key, size_t key_size, const void *value, size_t size,
                     struct message_id *id);

/* --- in handlers ---------------------------------------------------------------------------------
 */

/* The provider has named this part, or all of it, in the attempt under way. */
void provider_id_put(struct engine *engine, const struct message_row *row, struct text id,
                     uint8_t part);
/* All of a message's. */
void provider_ids_delete(struct engine *engine, uint64_t message);
/* What has come for this id before it was known. */
void receipt_take_early(struct engine *engine, uint64_t product, struct text id);

#endif
