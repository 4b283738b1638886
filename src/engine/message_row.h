/* Rows of messages, of the ids and receipts of providers, and of the blocklist: engine/row.h's
 * rules hold here, too. What of a message changes is one small row, rewritten at each step of its
 * life; what never does, its texts among it, is another (engine/message.h). */
#ifndef SMSD_ENGINE_MESSAGE_ROW_H
#define SMSD_ENGINE_MESSAGE_ROW_H

#include <assert.h>
#include <stdint.h>

enum message_status {
#define MESSAGE_STATUS(name, number, text, end, told) MESSAGE_##name = (number),
#include "engine/message_status.def"
#undef MESSAGE_STATUS
};

enum message_kind {
#define MESSAGE_KIND(name, number, text, expiry_ms, backoff_ms) MESSAGE_KIND_##name = (number),
#include "engine/message_kind.def"
#undef MESSAGE_KIND
};

enum message_error {
    MESSAGE_ERROR_NONE = 0,
#define MESSAGE_ERROR(name, number, code, prose) MESSAGE_ERROR_##name = (number),
#include "engine/message_error.def"
#undef MESSAGE_ERROR
};

enum message_flag {
    MESSAGE_IS_TEST = 1,      /* an operator's own: left out of reports */
    MESSAGE_HAS_FAILOVER = 2, /* undelivered, it goes on by another route */
    MESSAGE_HAS_CALLBACK = 4, /* its changes of status are told */
    MESSAGE_HAS_QUOTA = 8,    /* its parts were taken from the quota of `product` */
};

/* What made a message. */
enum message_origin {
#define MESSAGE_ORIGIN(name, number, follower) MESSAGE_FROM_##name = (number),
#include "engine/message_origin.def"
#undef MESSAGE_ORIGIN
};

enum { MESSAGE_TRIED_MAX = 4 };

/* TABLE_MESSAGE: what of a message changes -> this, as far as `tried_count` of `tried`. */
struct message_row {
    uint8_t version;
    uint8_t status;   /* enum message_status */
    uint8_t kind;     /* enum message_kind */
    uint8_t encoding; /* enum parts_encoding */
    uint8_t parts;
    uint8_t flags; /* enum message_flag, or-ed */
    uint8_t error; /* enum message_error: of the last failure */
    uint8_t event_count;
    uint16_t attempts;        /* how often it was given to a gateway; the last one's number */
    uint16_t parts_delivered; /* bit i: of the last attempt, the i-th part is */
    uint8_t failures;  /* of the try under way: attempts at `product` that the provider refused */
    uint8_t tries;     /* that have failed, each with all its attempts */
    uint8_t throttles; /* in a row */
    uint8_t tried_count;
    uint64_t number;
    uint64_t product;    /* the one that it goes, or went, through */
    int64_t charged;     /* what its account has paid; 0: nothing, or all went back */
    int64_t due_ms;      /* its row in TABLE_DUE; 0: none */
    int64_t outbox_ms;   /* its row in TABLE_OUTBOX; 0: none */
    int64_t sending_ms;  /* when it was given to a gateway last; 0: never */
    int64_t sent_ms;     /* when it was accepted last; 0: never */
    int64_t finished_ms; /* nothing is waited for from then on; 0: not yet */
    uint64_t company;    /* the number of the catalogue's */
    char country[2];     /* the recipient's */
    uint8_t origin;      /* enum message_origin */
    uint8_t counted_status, counted_tried; /* as what reports count it; 0: not: engine/report.h */
    uint8_t zero[3];
    uint64_t tried[MESSAGE_TRIED_MAX]; /* products that it does not go through again */
};
static_assert(sizeof(struct message_row) == 96 + 8 * MESSAGE_TRIED_MAX, "stored layout");

/* TABLE_MESSAGE_TEXT: what of a message never changes -> this and the texts, in the order of their
 * sizes. */
struct message_text_row {
    uint8_t version;
    uint8_t tries_max;
    uint16_t content_size; /* what is sent, signature and all */
    uint16_t callback_size;
    uint8_t signature_size;
    uint8_t reference_size;
    uint8_t template_size; /* the template's id */
    uint8_t zero[7];
    uint64_t origin;      /* number of what made it, as message_row.origin says; 0: a client */
    uint64_t template;    /* the catalogue's number; 0: none */
    uint64_t account;     /* who has paid: the account's number; 0: it cost nothing */
    uint64_t to;          /* E.164 digits: engine/mobile.h */
    int64_t price;        /* of a part */
    int64_t send_at_ms;   /* 0: at once */
    int64_t expire_at_ms; /* it is not sent any more from then on */
};
static_assert(sizeof(struct message_text_row) == 72, "stored layout");

/* TABLE_MESSAGE_EVENT: what the message's row does not say any more -> this and the detail. */
struct message_event_row {
    uint8_t version;
    uint8_t status; /* enum message_status: what it became, or was when a late receipt came */
    uint8_t error;  /* enum message_error */
    uint8_t detail_size;
    uint8_t zero[4];
    int64_t at_ms;
};
static_assert(sizeof(struct message_event_row) == 16, "stored layout");

/* TABLE_PROVIDER_ID -> this, and the id as the provider spelt it. */
struct provider_id_row {
    uint8_t version;
    uint8_t part;     /* from 0; PROVIDER_ID_WHOLE: one id for all of them */
    uint16_t attempt; /* that was answered with it */
    uint8_t zero[4];
    uint64_t message;
};
static_assert(sizeof(struct provider_id_row) == 16, "stored layout");

enum receipt_status {
    RECEIPT_ACCEPTED = 1, /* on its way: says nothing */
    RECEIPT_DELIVERED = 2,
    RECEIPT_UNDELIVERED = 3,
    RECEIPT_EXPIRED = 4,  /* undelivered: not reached in time */
    RECEIPT_REJECTED = 5, /* undelivered: refused by the network */
};

/* TABLE_RECEIPT: kept for an hour (SMS-12) -> this and the detail. */
struct receipt_row {
    uint8_t version;
    uint8_t status; /* enum receipt_status */
    uint8_t detail_size;
    uint8_t zero[5];
    uint64_t number; /* of its coming; the key in TABLE_RECEIPT_NUMBER */
    int64_t at_ms;   /* as the provider says; 0: it does not */
    int64_t due_ms;  /* its row in TABLE_DUE */
};
static_assert(sizeof(struct receipt_row) == 32, "stored layout");

enum blocklist_reason {
#define BLOCKLIST_REASON(name, number, text) BLOCKLIST_##name = (number),
#include "engine/blocklist_reason.def"
#undef BLOCKLIST_REASON
};

/* TABLE_BLOCKLIST */
struct blocklist_row {
    uint8_t version;
    uint8_t reason; /* enum blocklist_reason */
    uint8_t note_size;
    uint8_t zero[5];
    uint64_t changed_by; /* the API key's number; 0: smsd itself */
    int64_t changed_ms;
};
static_assert(sizeof(struct blocklist_row) == 24, "stored layout");

#endif
