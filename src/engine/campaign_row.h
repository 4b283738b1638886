/* Rows of campaigns: engine/row.h's rules hold here, too. Amounts are minor units, times Unix
 * milliseconds. What of a campaign changes is one fixed row; its texts and recipients are others.
 */
#ifndef SMSD_ENGINE_CAMPAIGN_ROW_H
#define SMSD_ENGINE_CAMPAIGN_ROW_H

#include <assert.h>
#include <stdint.h>

enum campaign_status {
#define CAMPAIGN_STATUS(name, number, text, told) CAMPAIGN_##name = (number),
#include "engine/campaign_status.def"
#undef CAMPAIGN_STATUS
};

enum campaign_flag {
    CAMPAIGN_IS_TEST = 1,
    CAMPAIGN_HAS_SIGNATURE = 2, /* one was given, if only an empty one */
    CAMPAIGN_IS_FORGOTTEN = 4,  /* its recipients and errors are deleted, or are being so */
};

enum { CAMPAIGN_STATUSES = 11 }; /* above every number of message_status.def */

/* TABLE_CAMPAIGN: what of a campaign changes. Money in minor units:
 *
 *     confirmed = reserved + used + released
 *
 * `reserved` is part of the account's `held`, and the sum of the amounts of the recipients that
 * still have their turn to come. */
struct campaign_row {
    uint8_t version;
    uint8_t status;  /* enum campaign_status */
    uint8_t flags;   /* enum campaign_flag */
    uint8_t kind;    /* enum message_kind */
    uint16_t reason; /* enum outcome: why it has paused by itself; 0: it has not */
    uint8_t tries_max;
    uint8_t zero;
    uint64_t number;  /* its creation */
    uint64_t company; /* the number of the catalogue's */
    uint64_t account; /* where its money is reserved; 0: not confirmed, or it costs nothing */
    uint32_t recipients;
    uint32_t errors; /* lines that were refused, or of numbers that were there with other texts */
    uint32_t duplicates;  /* lines whose number was there already */
    uint32_t submitted;   /* recipients that became messages */
    uint32_t refused;     /* recipients that were refused when their turn came */
    uint32_t waiting;     /* messages that are not with a gateway yet, nor done with */
    uint32_t window;      /* how many may wait */
    uint32_t error_count; /* rows in TABLE_CAMPAIGN_ERROR */
    uint32_t messages[CAMPAIGN_STATUSES]; /* how many are in each status now */
    uint32_t laid;      /* how often a recipient was put to sleep: half of his place */
    uint32_t asleep;    /* recipients in TABLE_CAMPAIGN_ASLEEP */
    uint32_t held_back; /* of `waiting`, those that quiet hours have overtaken in the outbox */
    uint64_t woken;     /* there is nobody asleep at this place or before */
    uint64_t parts;     /* of all recipients, as previewed */
    int64_t amount;     /* likewise */
    int64_t confirmed;  /* what was reserved when it was confirmed */
    int64_t reserved;   /* of that, for recipients still to come */
    int64_t used;       /* of that, for recipients that became messages */
    int64_t released;   /* of that, given back */
    int64_t charged;    /* what its messages were charged, which is `used` unless prices changed */
    int64_t refunded;   /* of that, back for messages that were not sent */
    int64_t send_at_ms; /* 0: when it is confirmed */
    int64_t due_ms;     /* its row in TABLE_DUE, to go on; 0: none */
    int64_t forget_ms;  /* its row in TABLE_DUE, to delete recipients and errors; 0: none */
    int64_t confirmed_ms; /* 0: not yet */
    int64_t started_ms;   /* likewise */
    int64_t ended_ms;     /* finished or canceled; 0: not yet */
    int64_t full_ms;      /* when as many waited as may, last; 0: never */
    uint64_t to_last;     /* recipients up to this one have had their turn, or, once they are being
                             forgotten, are deleted */
};
static_assert(sizeof(struct campaign_row) == 256, "stored layout");

/* TABLE_CAMPAIGN_TEXT: what never changes -> this and the texts in the order of their sizes, cut
 * into pieces of CAMPAIGN_PIECE_MAX bytes. */
struct campaign_text_row {
    uint8_t version;
    uint8_t company_size;
    uint8_t template_size;
    uint8_t name_size;
    uint8_t signature_size;
    uint8_t zero;
    uint16_t content_size;
    uint16_t callback_size;
    uint16_t message_callback_size;
    uint16_t params_size; /* of the encoded ones */
    uint8_t zero2[2];
};
static_assert(sizeof(struct campaign_text_row) == 16, "stored layout");

enum campaign_turn {
    CAMPAIGN_TO_COME = 1,
    CAMPAIGN_SUBMITTED = 2,
    CAMPAIGN_REFUSED = 3,
    CAMPAIGN_ASLEEP = 4, /* to come again when his quiet hours are over */
};

/* TABLE_CAMPAIGN_RECIPIENT -> this, and until it has become a message or was refused its reference
 * and encoded params. */
struct campaign_recipient_row {
    uint8_t version;
    uint8_t turn; /* enum campaign_turn */
    uint8_t parts;
    uint8_t reference_size;
    uint16_t params_size;
    uint16_t outcome; /* enum outcome: why it was refused */
    int64_t amount;   /* as previewed */
    uint64_t message; /* what it became; 0: none. Of one who is asleep, his place */
};
static_assert(sizeof(struct campaign_recipient_row) == 24, "stored layout");

/* TABLE_CAMPAIGN_ERROR: a line that was refused, or a recipient that was when its turn came -> this
 * and the number as it came, the field and the detail. When lies in the error's number. */
struct campaign_error_row {
    uint8_t version;
    uint8_t to_size;
    uint8_t field_size;
    uint8_t detail_size;
    uint16_t outcome; /* enum outcome */
    uint8_t zero[2];
    uint64_t line; /* of its upload, from 1; 0: it was refused when its turn came */
};
static_assert(sizeof(struct campaign_error_row) == 16, "stored layout");

#endif
