/* The blocklist (SMS-18): numbers that get no messages, or no marketing. */
#ifndef SMSD_ENGINE_BLOCKLIST_H
#define SMSD_ENGINE_BLOCKLIST_H

#include <stdbool.h>

#include "engine/command.h"

struct txn;

/* A number in hand. `note` lies in it. */
struct blocked {
    struct blocklist_row row;
    char note[BLOCKLIST_NOTE_MAX];
};

/* False: it is not on the list. */
bool blocklist_find(struct txn *txn, uint64_t mobile, struct blocked *blocked);
/* Does it stop messages of this kind? */
bool blocklist_stops(struct txn *txn, uint64_t mobile, enum message_kind kind);

const char *blocklist_reason_text(enum blocklist_reason reason);
enum blocklist_reason blocklist_reason_parse(struct text text); /* 0: it is none */

#endif
