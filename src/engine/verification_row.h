/* What lies in the values of the tables of verifications (SMS-17): engine/row.h's rules hold here,
 * too. Times are Unix milliseconds. None of them holds a code. */
#ifndef SMSD_ENGINE_VERIFICATION_ROW_H
#define SMSD_ENGINE_VERIFICATION_ROW_H

#include <assert.h>
#include <stdint.h>

enum verification_status {
#define VERIFICATION_STATUS(name, number, text) VERIFICATION_##name = (number),
#include "engine/verification_status.def"
#undef VERIFICATION_STATUS
};
enum { VERIFICATION_STATUSES = 7 };

enum {
    VERIFICATION_CODE_MIN = 4, /* digits */
    VERIFICATION_CODE_MAX = 10,
    VERIFICATION_SEED_SIZE = 16,
    VERIFICATION_PLACES_MAX = 4,  /* of the code in a text */
    VERIFICATION_TIMES_MAX = 100, /* of codes to a number, in a day */
    VERIFICATION_WRONG_MAX = 200, /* wrong checks of a number by a company, in a day */
};

enum verification_flag {
    VERIFICATION_IS_BACK = 1, /* its message came to nothing: nobody had it, nobody was paid */
};

/* TABLE_VERIFICATION: a code, or, with the status NONE, the place where wrong checks of a number
 * without a code are counted. */
struct verification_row {
    uint8_t version;
    uint8_t status; /* enum verification_status */
    uint8_t flags;  /* enum verification_flag */
    uint8_t code_length;
    uint8_t place_count;
    uint8_t wrong; /* wrong checks of this code */
    uint8_t zero;
    uint8_t address_kind; /* enum verification_rate_kind; 0: none was given */
    uint64_t number;
    uint64_t to;      /* E.164 digits */
    uint64_t company; /* the catalogue's number; 0, of NONE only: of no company */
    uint64_t message; /* that carries it */
    uint64_t address; /* whose browser asked for it */
    uint64_t prefix;  /* the number's, under which it is counted */
    int64_t created_ms;
    int64_t expires_ms;
    int64_t ended_ms;                         /* 0: it is pending */
    int64_t due_ms;                           /* its row in TABLE_DUE */
    uint16_t places[VERIFICATION_PLACES_MAX]; /* of the code in the message's text */
    uint8_t seed[VERIFICATION_SEED_SIZE];     /* the code follows from it and from the secret */
};
static_assert(sizeof(struct verification_row) == 112, "stored layout");

/* TABLE_VERIFICATION_NUMBER: of a number and a company -> this, and when each wrong check of the
 * last day was, oldest first: int64_t. There as long as `current` is. */
struct verification_number_row {
    uint8_t version;
    uint8_t attempts; /* wrong checks since the last code, unless they are forgotten */
    uint16_t wrong_count;
    uint8_t zero[4];
    uint64_t current;   /* the newest verification */
    int64_t attempt_ms; /* the last wrong check */
};
static_assert(sizeof(struct verification_number_row) == 24, "stored layout");

/* TABLE_VERIFICATION_TO: of a number -> this, and when each of its codes was made, oldest first:
 * int64_t. */
struct verification_to_row {
    uint8_t version;
    uint8_t count;
    uint8_t zero[6];
};
static_assert(sizeof(struct verification_to_row) == 8, "stored layout");

/* What happened in a minute. */
struct verification_minute {
    uint32_t minute; /* since 1970 */
    uint32_t made, verified, unused;
};
static_assert(sizeof(struct verification_minute) == 16, "stored layout");

enum verification_rate_kind {
    VERIFICATION_RATE_V4 = 1,
    VERIFICATION_RATE_V6 = 2,
    VERIFICATION_RATE_PREFIX = 3,
};

/* TABLE_VERIFICATION_RATE: of an address, or of a prefix -> this, and the minutes in which there
 * was anything, oldest first: struct verification_minute. */
struct verification_rate_row {
    uint8_t version;
    uint8_t count;
    uint8_t zero[6];
    int64_t alarmed_ms; /* of a prefix: when pumping was told last; 0: never */
};
static_assert(sizeof(struct verification_rate_row) == 16, "stored layout");

#endif
