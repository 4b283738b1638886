/* What lies in the values of the tables of received messages (SMS-18): engine/row.h's rules hold
 * here, too. Times are Unix milliseconds. */
#ifndef SMSD_ENGINE_RECEIVED_ROW_H
#define SMSD_ENGINE_RECEIVED_ROW_H

#include <assert.h>
#include <stdint.h>

enum received_action {
    RECEIVED_PLAIN = 0,
#define RECEIVED_ACTION(name, number, text) RECEIVED_##name = (number),
#include "engine/received_action.def"
#undef RECEIVED_ACTION
};

/* TABLE_RECEIVED: a message that somebody has sent to us -> this, the provider's id, what it was
 * sent to, and its content. */
struct received_row {
    uint8_t version;
    uint8_t action; /* enum received_action */
    uint8_t id_size;
    uint8_t to_size;
    uint16_t content_size;
    uint8_t zero[2];
    uint64_t number;
    uint64_t product;
    uint64_t from;    /* E.164 digits */
    uint64_t company; /* the catalogue's number; 0: not known */
    uint64_t message; /* that it answers, as far as one can know; 0: none */
    int64_t due_ms;   /* when it is deleted: its row in TABLE_DUE */
};
static_assert(sizeof(struct received_row) == 56, "stored layout");

#endif
