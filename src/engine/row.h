/* What lies in the values of the tables (store/table.def): fixed structs, in the processor's own
 * byte order (little-endian is asserted), copied in and out with memcpy. The first byte is the
 * layout's version; a layout that changes gets a new one, and row_read_… knows how to read the old.
 */
#ifndef SMSD_ENGINE_ROW_H
#define SMSD_ENGINE_ROW_H

#include <assert.h>
#include <stdint.h>

#include "engine/message_row.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rows are little-endian");

enum account_status { ACCOUNT_ACTIVE = 1, ACCOUNT_FROZEN = 2 };

enum account_flag {
    ACCOUNT_IS_SYSTEM = 1,
    ACCOUNT_PACKETS_BLOCKED = 2,
    ACCOUNT_HAS_LOW_BALANCE = 4, /* `low_balance` is set */
    ACCOUNT_IS_LOW = 8,          /* the balance is below it, and that was told */
};

/* TABLE_ACCOUNT: account id -> this. Amounts in minor units. */
struct account_row {
    uint8_t version;
    uint8_t status; /* enum account_status */
    uint8_t flags;  /* enum account_flag */
    char currency[3];
    uint8_t zero[2];
    uint64_t number; /* its creation; the key in TABLE_ACCOUNT_NUMBER */
    int64_t balance;
    int64_t held;         /* part of balance, set apart by holds */
    int64_t pending;      /* part of balance, set apart by queued charges */
    int64_t credit_limit; /* how far `available` may reach below zero */
    int64_t low_balance;
    uint64_t entry_last; /* head of the chain of its entries; 0: none */
    uint64_t entry_count;
    int64_t updated_ms;
};
static_assert(sizeof(struct account_row) == 80, "stored layout");

enum entry_type {
#define ENTRY_TYPE(name, number, text) ENTRY_##name = (number),
#include "engine/entry_type.def"
#undef ENTRY_TYPE
    ENTRY_TYPE_COUNT
};

enum source_type {
#define SOURCE_TYPE(name, number, prefix) SOURCE_##name = (number),
#include "engine/source_type.def"
#undef SOURCE_TYPE
};

/* TABLE_ENTRY: entry number -> this and `reference_size` bytes of reference. When it was made lies
 * in its number. */
struct entry_row {
    uint8_t version;
    uint8_t type; /* enum entry_type */
    uint8_t reference_size;
    uint8_t source_type; /* enum source_type: what `source` is the number of */
    uint32_t count;      /* how many charges it covers */
    uint64_t account;    /* the account's number */
    uint64_t counter;    /* the number of the account on the other side */
    uint64_t source;     /* number of what made it; 0: nothing with an id */
    uint64_t previous;   /* the account's entry before this; 0: none */
    int64_t amount;      /* signed: what the account's balance changed by */
    int64_t balance;     /* after it */
    uint64_t chain;      /* first 8 bytes of the hash chain's value at it: engine/chain.h */
};
static_assert(sizeof(struct entry_row) == 64, "stored layout");

/* TABLE_CHARGE: a charge that was queued -> this and `reference_size` bytes of reference. It is
 * settled when its drain is. */
struct charge_row {
    uint8_t version;
    uint8_t reference_size;
    uint8_t zero[6];
    uint64_t account; /* the account's number */
    int64_t amount;
    uint64_t drain;
};
static_assert(sizeof(struct charge_row) == 32, "stored layout");

/* TABLE_CHARGE_REFUND: a charge of either mode that was refunded, in part or whole -> this. */
struct charge_refund_row {
    uint8_t version;
    uint8_t zero[7];
    int64_t refunded;
};
static_assert(sizeof(struct charge_refund_row) == 16, "stored layout");

/* TABLE_DRAIN: charges of one account that are, or will be, settled by one entry (BILL-4). Numbered
 * as its first charge. */
struct drain_row {
    uint8_t version;
    uint8_t zero[3];
    uint32_t count;
    uint64_t account;
    uint64_t last;  /* its last charge */
    uint64_t next;  /* the account's drain behind it; 0: none */
    uint64_t entry; /* 0: not drained yet */
    int64_t amount; /* of all its charges */
};
static_assert(sizeof(struct drain_row) == 48, "stored layout");

/* TABLE_QUEUE: an account that has queued charges -> this. */
struct queue_row {
    uint8_t version;
    uint8_t zero[7];
    uint64_t first; /* the drain that is next */
    uint64_t last;  /* the drain that a further charge joins */
    int64_t due_ms; /* its row in TABLE_DUE; 0: none, it waits for the account to be active */
};
static_assert(sizeof(struct queue_row) == 32, "stored layout");

enum hold_status { HOLD_OPEN = 1, HOLD_CAPTURED = 2, HOLD_RELEASED = 3, HOLD_EXPIRED = 4 };

/* TABLE_HOLD */
struct hold_row {
    uint8_t version;
    uint8_t status; /* enum hold_status */
    uint8_t zero[6];
    uint64_t number;
    uint64_t account;
    int64_t amount;
    int64_t captured;
    uint64_t entry; /* of the capture; 0: none */
    int64_t expires_ms;
    int64_t closed_ms; /* 0: open */
};
static_assert(sizeof(struct hold_row) == 64, "stored layout");

enum packet_kind {
#define PACKET_KIND(name, number, text) PACKET_##name = (number),
#include "engine/packet_kind.def"
#undef PACKET_KIND
};

enum packet_status {
#define PACKET_STATUS(name, number, text) PACKET_STATUS_##name = (number),
#include "engine/packet_status.def"
#undef PACKET_STATUS
};

/* TABLE_PACKET: what of a packet changes, and what a grab looks at. The rest is in
 * TABLE_PACKET_TERMS. What the packet contains is amount - credited - refunded. */
struct packet_row {
    uint8_t version;
    uint8_t kind;   /* enum packet_kind */
    uint8_t split;  /* enum split_rule */
    uint8_t status; /* enum packet_status */
    char currency[3];
    uint8_t zero;
    uint64_t number;
    uint64_t sender; /* the account's number */
    int64_t amount;
    uint32_t count;
    uint32_t taken;  /* shares grabbed or reserved: also the place of the next one in the list */
    uint32_t opened; /* of these, credited */
    uint32_t best_share; /* the place of the largest opened, the first of equals */
    int64_t best_amount; /* 0: none opened */
    int64_t credited;
    int64_t refunded;
    int64_t expires_ms;
    int64_t emptied_ms; /* the last share was taken; 0: not yet */
    int64_t closed_ms;  /* nothing can be grabbed or opened any more; 0: not yet */
    int64_t due_ms;     /* its row in TABLE_DUE; 0: none */
    uint64_t exception; /* of the refund; 0: none */
};
static_assert(sizeof(struct packet_row) == 112, "stored layout");

/* TABLE_PACKET_TERMS: what never changes -> this and group and greeting. */
struct packet_terms_row {
    uint8_t version;
    uint8_t group_size;
    uint16_t greeting_size;
    uint8_t zero[4];
    uint8_t seed[32]; /* of the split: secret until the packet is closed */
};
static_assert(sizeof(struct packet_terms_row) == 40, "stored layout");

/* TABLE_PACKET_SENDER */
struct packet_sender_row {
    uint8_t version;
    uint8_t zero[3];
    uint32_t open; /* packets that are not closed */
};
static_assert(sizeof(struct packet_sender_row) == 8, "stored layout");

/* TABLE_GRAB: a user's share of a packet. */
struct grab_row {
    uint8_t version;
    uint8_t is_opened; /* credited; otherwise reserved, and void once the packet is closed */
    uint8_t zero[2];
    uint32_t share; /* its place in the packet's list */
    int64_t amount;
    int64_t grabbed_ms;
    uint64_t exception; /* of the credit; 0: none */
};
static_assert(sizeof(struct grab_row) == 32, "stored layout");

enum exception_type {
#define EXCEPTION_TYPE(name, number, text) EXCEPTION_##name = (number),
#include "engine/exception_type.def"
#undef EXCEPTION_TYPE
};

enum exception_status { EXCEPTION_OPEN = 1, EXCEPTION_RESOLVED = 2, EXCEPTION_CLOSED = 3 };

/* TABLE_EXCEPTION: something that could not be applied (PKT-15). */
struct exception_row {
    uint8_t version;
    uint8_t type;   /* enum exception_type */
    uint8_t status; /* enum exception_status */
    uint8_t zero;
    uint16_t outcome; /* enum outcome: why, at the last try */
    uint8_t zero2[2];
    uint32_t attempts;
    uint32_t zero3;
    uint64_t number;
    uint64_t subject; /* the packet's number */
    uint64_t account; /* the account's number */
    int64_t amount;
    int64_t tried_ms;
    int64_t closed_ms; /* resolved or closed; 0: open */
};
static_assert(sizeof(struct exception_row) == 64, "stored layout");

enum webhook_type {
#define WEBHOOK_TYPE(name, number, text) WEBHOOK_##name = (number),
#include "engine/webhook_type.def"
#undef WEBHOOK_TYPE
};

enum webhook_status {
#define WEBHOOK_STATUS(name, number, text) WEBHOOK_##name = (number),
#include "engine/webhook_status.def"
#undef WEBHOOK_STATUS
};

enum webhook_error {
    WEBHOOK_ERROR_NONE = 0,
#define WEBHOOK_ERROR(name, number, text, prose) WEBHOOK_ERROR_##name = (number),
#include "engine/webhook_error.def"
#undef WEBHOOK_ERROR
};

enum { WEBHOOK_VALUES = 4, WEBHOOK_TEXTS = 4, WEBHOOK_ATTEMPTS_MAX = 10 };

/* TABLE_WEBHOOK: something a client is to be told of -> this, `attempt_count` struct
 * webhook_attempt, the URL, the texts and the content. */
struct webhook_row {
    uint8_t version;
    uint8_t type;   /* enum webhook_type */
    uint8_t status; /* enum webhook_status */
    uint8_t error;  /* enum webhook_error: of the last attempt, or why it failed without one */
    uint8_t attempt_count;
    uint8_t zero;
    uint16_t url_size; /* 0: none */
    uint64_t subject;  /* what it is about: see webhook_field.def */
    int64_t values[WEBHOOK_VALUES];
    int64_t at_ms;       /* when it happened */
    uint64_t endpoint;   /* the endpoint's number; 0: none */
    uint64_t place;      /* in the endpoint's outbox; 0: it is not in it */
    int64_t due_ms;      /* its row in TABLE_DUE; 0: none */
    int64_t expires_ms;  /* it is given up if it is still pending then */
    int64_t finished_ms; /* delivered or failed; 0: not yet */
    uint64_t replay_of;  /* the webhook that this says again; 0: none */
    uint8_t text_sizes[WEBHOOK_TEXTS];
    uint8_t text_given; /* bit i: texts[i] was given, if only with no bytes */
    uint8_t zero2;
    uint16_t content_size;
};
static_assert(sizeof(struct webhook_row) == 112, "stored layout");

/* TABLE_WEBHOOK, version 1: without a URL, never sent. */
struct webhook_row_1 {
    uint8_t version;
    uint8_t type;
    uint8_t zero[6];
    uint64_t subject;
    int64_t values[2];
};
static_assert(sizeof(struct webhook_row_1) == 32, "stored layout");

struct webhook_attempt {
    int64_t at_ms;   /* when it ended */
    uint16_t status; /* of the answer; 0: there was none */
    uint8_t error;   /* enum webhook_error; WEBHOOK_ERROR_NONE: delivered */
    uint8_t zero;
    uint32_t took_ms;
};
static_assert(sizeof(struct webhook_attempt) == 16, "stored layout");

enum webhook_endpoint_status { WEBHOOK_ENDPOINT_ENABLED = 1, WEBHOOK_ENDPOINT_DISABLED = 2 };

enum webhook_endpoint_reason { WEBHOOK_ENDPOINT_GONE = 1, WEBHOOK_ENDPOINT_BY_OPERATOR = 2 };

/* TABLE_WEBHOOK_ENDPOINT: endpoint number -> this and its URL without the query. */
struct webhook_endpoint_row {
    uint8_t version;
    uint8_t status;       /* enum webhook_endpoint_status */
    uint8_t reason;       /* enum webhook_endpoint_reason: why it is disabled; else 0 */
    uint8_t last_error;   /* of the last attempt, as in struct webhook_attempt */
    uint16_t last_status; /* likewise */
    uint16_t url_size;
    uint64_t kept;            /* webhooks that name it */
    uint64_t pending;         /* of these, neither delivered nor failed */
    uint64_t failures;        /* attempts that failed since the last one that did not */
    int64_t changed_ms;       /* of `status`; 0: never */
    int64_t last_attempt_ms;  /* 0: none yet */
    int64_t last_delivery_ms; /* 0: none yet */
};
static_assert(sizeof(struct webhook_endpoint_row) == 56, "stored layout");

enum { WEBHOOK_SECRET_SIZE = 32 };

/* TABLE_META, "webhook_secret" */
struct webhook_secret_row {
    uint8_t version;
    uint8_t zero[7];
    int64_t made_ms;
    int64_t previous_until_ms; /* how long `previous` signs too; 0: there is none */
    uint8_t current[WEBHOOK_SECRET_SIZE];
    uint8_t previous[WEBHOOK_SECRET_SIZE];
};
static_assert(sizeof(struct webhook_secret_row) == 88, "stored layout");

/* TABLE_IDEMPOTENCY: hash128 of API key and Idempotency-Key -> this and `result_size` bytes of the
 * result. */
struct idempotency_row {
    uint8_t version;
    uint8_t zero;
    uint16_t outcome; /* enum outcome */
    uint32_t result_size;
    uint64_t number;      /* the first command's; its time is the age */
    uint64_t fingerprint; /* of method, path and body */
};
static_assert(sizeof(struct idempotency_row) == 24, "stored layout");

enum scope {
#define SCOPE(name, bit, text) SCOPE_##name = 1 << (bit),
#include "engine/scope.def"
#undef SCOPE
};

enum api_key_status { API_KEY_ENABLED = 1, API_KEY_DISABLED = 2 };

/* TABLE_API_KEY: SHA-256 of the key -> this, then name, then company. */
struct api_key_row {
    uint8_t version;
    uint8_t status; /* enum api_key_status */
    uint8_t name_size;
    uint8_t company_size;
    uint32_t scopes; /* enum scope, or-ed */
    uint64_t number;
};
static_assert(sizeof(struct api_key_row) == 16, "stored layout");

/* TABLE_CATALOG: a thing of the catalogue -> this, `id_size` bytes of id, and its fields: number
 * (u8), size (u16), bytes. Behind them is nothing. */
struct catalog_row {
    uint8_t version;
    uint8_t kind;   /* enum catalog_kind */
    uint8_t status; /* enum catalog_status */
    uint8_t id_size;
    uint8_t zero[4];
    uint64_t number;     /* its creation */
    uint64_t changed_by; /* number of the API key that changed it last */
    int64_t updated_ms;
};
static_assert(sizeof(struct catalog_row) == 32, "stored layout");

enum catalog_action { CATALOG_CREATED = 1, CATALOG_CHANGED = 2, CATALOG_STATUS_SET = 3 };

/* TABLE_CATALOG_CHANGE: who changed a thing, and when (that lies in the number). */
struct catalog_change_row {
    uint8_t version;
    uint8_t action; /* enum catalog_action */
    uint8_t status; /* enum catalog_status: after it */
    uint8_t zero;
    uint32_t fields; /* bit n: field n is not what it was */
    uint64_t by;     /* number of the API key */
};
static_assert(sizeof(struct catalog_change_row) == 16, "stored layout");

enum product_flag {
    PRODUCT_IS_ENABLED = 1,     /* it, and its channel */
    PRODUCT_IS_COUNTED = 2,     /* `quota` was set once */
    PRODUCT_SERVES_ALL = 4,     /* otherwise the countries whose bits are set */
    PRODUCT_IS_LOW = 8,         /* the quota fell below low_warn, and that was told */
    PRODUCT_IS_SPARED = 16,     /* it fell below low_switch, and that was recorded */
    PRODUCT_HAS_SIGNATURE = 32, /* its channel's signature_supported */
};

/* Bit 26 * (first letter - 'A') + (second - 'A') of product_row.countries. */
enum { COUNTRY_BITS_BYTES = 88 };

/* TABLE_PRODUCT: of a product, what routing looks at: its quota, and what its thing in the
 * catalogue says. */
struct product_row {
    uint8_t version;
    uint8_t flags;        /* enum product_flag */
    uint16_t part_length; /* 0: not given */
    uint8_t zero[4];
    uint64_t number;
    int64_t quota; /* parts left */
    int64_t price, low_warn, low_switch;
    uint64_t quota_last; /* the last row in TABLE_QUOTA; 0: none */
    uint8_t countries[COUNTRY_BITS_BYTES];
};
static_assert(sizeof(struct product_row) == 144, "stored layout");

enum quota_cause {
#define QUOTA_CAUSE(name, number, text) QUOTA_##name = (number),
#include "engine/quota_cause.def"
#undef QUOTA_CAUSE
};

/* TABLE_QUOTA: a change of a product's quota by an operator, or the message with which it fell
 * below a threshold -> this and `reason_size` bytes of reason. */
struct quota_row {
    uint8_t version;
    uint8_t cause; /* enum quota_cause */
    uint8_t reason_size;
    uint8_t zero[5];
    uint64_t by; /* number of the API key; 0: a message */
    int64_t before, delta, after;
};
static_assert(sizeof(struct quota_row) == 40, "stored layout");

enum { ROUTE_IS_ENABLED = 1, ROUTE_HAS_FAILOVER = 2 };

/* TABLE_ROUTE: the routes of one company, country and kind that are not void, by sort, then number:
 * one of these each. */
struct route_member {
    uint8_t version;
    uint8_t flags;
    uint8_t zero[6];
    uint64_t route, product; /* numbers */
    uint32_t sort, weight;
};
static_assert(sizeof(struct route_member) == 32, "stored layout");

/* TABLE_ROUTE_STATE: how far a route of a group is behind its share (positive) or ahead of it, in
 * 2^-40 of a message. */
struct route_turn {
    uint64_t route;
    int64_t credit;
};
static_assert(sizeof(struct route_turn) == 16, "stored layout");

#endif
