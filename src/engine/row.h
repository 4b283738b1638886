/* What lies in the values of the tables (store/table.def): fixed structs, in the processor's own
 * byte order (little-endian is asserted), copied in and out with memcpy. The first byte is the
 * layout's version; a layout that changes gets a new one, and row_read_… knows how to read the old.
 */
#ifndef SMSD_ENGINE_ROW_H
#define SMSD_ENGINE_ROW_H

#include <assert.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rows are little-endian");

enum account_status { ACCOUNT_ACTIVE = 1, ACCOUNT_FROZEN = 2 };

enum account_flag {
    ACCOUNT_IS_SYSTEM = 1,
    ACCOUNT_PACKETS_BLOCKED = 2,
    ACCOUNT_HAS_LOW_BALANCE = 4, /* `low_balance` is set */
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

/* TABLE_ENTRY: entry number -> this and `reference_size` bytes of reference. When it was made lies
 * in its number. */
struct entry_row {
    uint8_t version;
    uint8_t type; /* enum entry_type */
    uint8_t reference_size;
    uint8_t zero;
    uint32_t count;   /* how many charges it covers */
    uint64_t account; /* the account's number */
    uint64_t counter; /* the number of the account on the other side */
    uint64_t
        source; /* number of what made it: a charge, a hold, a packet …; 0: nothing with an id */
    uint64_t previous; /* the account's entry before this; 0: none */
    int64_t amount;    /* signed: what the account's balance changed by */
    int64_t balance;   /* after it */
};
static_assert(sizeof(struct entry_row) == 56, "stored layout");

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

#endif
