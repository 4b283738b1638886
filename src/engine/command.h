/* Commands: everything that can change a row, as data. What varies from run to run (time, ids,
 * secrets) is in the command, so that the same commands over the same rows always end in the same
 * rows. Texts point into the caller's memory and are copied when they are kept. */
#ifndef SMSD_ENGINE_COMMAND_H
#define SMSD_ENGINE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/sha256.h"
#include "base/text.h"
#include "engine/campaign_command.h"
#include "engine/catalog.h"
#include "engine/city_command.h"
#include "engine/message_command.h"
#include "engine/outcome.h"
#include "engine/received_row.h"
#include "engine/row.h"
#include "engine/split.h"
#include "engine/verification_row.h"

enum {
    ACCOUNT_ID_MAX = 64,
    REFERENCE_MAX = 128,
    API_KEY_NAME_MAX = 64,
    COMPANY_ID_MAX = 64,
    PACKET_GROUP_MAX = 64,
    PACKET_GREETING_MAX = 512,
    QUOTA_REASON_MAX = 128,
    TEMPLATE_ID_MAX = 64,
    CALLBACK_URL_MAX = 1024,
    MESSAGE_CONTENT_MAX = 2560, /* bytes of what is sent, signature and all */
    MESSAGE_PARTS_MAX = 10,
    MESSAGE_SIGNATURE_MAX = 128,
    MESSAGE_DETAIL_MAX = 128, /* of what a provider said; longer ones are cut at a character */
    PROVIDER_ID_MAX = 64,     /* a provider's id of a message or part */
    BLOCKLIST_NOTE_MAX = 128,
    RECEIVED_TO_MAX = 64,        /* what a received message was sent to: a number, a short code */
    RECEIVED_CONTENT_MAX = 2048, /* of it; longer ones are cut at a character */
};

/* Most minor units an amount or a balance may have: 2^53 - 1, what every JSON reader holds exactly.
 */
#define AMOUNT_MAX INT64_C(9007199254740991)

enum command_type {
#define COMMAND(name, member, payload, kept) COMMAND_##name,
#include "engine/command.def"
#undef COMMAND
    COMMAND_COUNT
};

struct bootstrap_command {
    struct hash_key secret; /* of the data directory, for hashes of what clients send */
    uint8_t api_key_digest[SHA256_SIZE];
};

struct refusal_command {
    enum outcome outcome;
};

struct account_create_command {
    struct text id;
    char currency[3];
    int64_t credit_limit;
    bool has_low_balance;
    int64_t low_balance;
};

struct account_update_command {
    struct text id;
    bool has_status, has_credit_limit, has_low_balance, has_packets_blocked;
    enum account_status status;
    int64_t credit_limit;
    bool is_low_balance_cleared; /* with has_low_balance: none from now on */
    int64_t low_balance;
    bool packets_blocked;
};

/* One side of a movement; the other is the system account that the command's type implies. */
struct money_command {
    struct text account;
    int64_t amount; /* 1 to AMOUNT_MAX */
    struct text reference;
};

struct charge_queue_command {
    struct text account;
    int64_t amount;
    struct text reference;
    int64_t interval_ms; /* a queue is drained this long after its first charge */
    uint32_t count_max;  /* charges of one drain */
};

/* What runs because its time has come: engine/due.h. */
struct due_command {
    uint64_t number;
    int64_t due_ms;
};

struct refund_command {
    uint64_t charge;
    bool has_amount; /* otherwise: what is left of the charge */
    int64_t amount;
};

struct transfer_command {
    struct text from, to;
    int64_t amount;
    struct text reference;
};

struct hold_create_command {
    struct text account;
    int64_t amount;
    int64_t expires_in_ms;
};

struct hold_capture_command {
    uint64_t hold;
    bool has_amount; /* otherwise: all of it */
    int64_t amount;  /* what is not captured is released */
};

struct hold_release_command {
    uint64_t hold;
};

struct packet_send_command {
    struct text sender;
    int64_t amount;
    uint32_t count;
    enum packet_kind kind;
    enum split_rule split;
    const struct text *recipients; /* of an EXCLUSIVE one: distinct account ids */
    size_t recipient_count;
    struct text group, greeting; /* may be absent */
    int64_t expires_in_ms;
    uint32_t open_max; /* open packets the sender may have, this one included */
    uint8_t seed[SPLIT_SEED_SIZE];
};

struct packet_grab_command {
    uint64_t packet;
    struct text user;
    bool is_open; /* otherwise the share is only reserved */
};

struct packet_open_command {
    uint64_t packet;
    struct text user;
};

struct packet_sweep_command {
    uint64_t packet;
};

struct exception_change_command {
    uint64_t exception;
};

struct batch_command {
    char nothing;
};

struct command;
struct result;

struct batch_fail_command {
    struct hash128 key; /* of the batch */
    uint64_t fingerprint;
    size_t count;
    const struct command *items; /* each with the key under which its answer is to be kept */
    const struct result *answers;
};

struct api_key_create_command {
    uint8_t digest[SHA256_SIZE];
    struct text name, company;
    uint32_t scopes;
};

struct api_key_update_command {
    uint64_t number;
    enum api_key_status status;
};

struct idempotency_expire_command {
    const struct hash128 *keys; /* deleted where they are older than 24 h */
    size_t count;
};

struct webhook_result_command {
    uint64_t webhook;
    uint64_t place;  /* of the outbox, that it was taken from: who comes too late changes nothing */
    uint16_t status; /* of the answer; 0: there was none */
    enum webhook_error error; /* NONE: delivered. ENDPOINT_DISABLED: no attempt was made */
    uint32_t took_ms;
    int64_t retry_after_ms; /* as the receiver asked; 0: it did not */
};

struct webhook_replay_command {
    uint64_t webhook;
};

struct webhook_secret_command {
    uint8_t secret[WEBHOOK_SECRET_SIZE];
    bool is_first; /* does nothing if there is one */
};

struct webhook_endpoint_status_command {
    uint64_t endpoint;
    enum webhook_endpoint_status status;
};

struct clock_advance_command {
    int64_t offset_ms; /* the test clock's whole offset from now on */
};

/* A company, country, channel, product, template, route, scene or setting, whole. */
struct catalog_put_command {
    struct text id;                    /* as catalog_id_is_valid wants it */
    const struct catalog_draft *draft; /* which says of which kind */
    uint64_t by;                       /* number of the API key; 0: smsd itself */
};

struct catalog_status_command {
    enum catalog_kind kind;
    struct text id;
    enum catalog_status status;
    uint64_t by;
};

struct quota_change_command {
    struct text product; /* id */
    int64_t delta;       /* within AMOUNT_MAX of zero */
    struct text reason;
    uint64_t by;
};

/* A code for the recipient of a message by a template with {code}, which smsd fills. Of the
 * message's times none is the caller's. */
struct verification_create_command {
    struct message_submit_command message;
    uint8_t code_length;                      /* 0: as the setting says, */
    uint32_t valid_s;                         /* and so is this */
    enum verification_rate_kind address_kind; /* 0: no address was given */
    uint64_t address;                         /* of V6 the first half */
    uint8_t seed[VERIFICATION_SEED_SIZE];
};

struct verification_check_command {
    uint64_t to;
    struct text company; /* data NULL: whoever has sent the newest */
    struct text code;
};

struct command {
    enum command_type type;
    /* Stamped by the pipeline: the number of what is made, and the time in it. */
    uint64_t number;
    int64_t now_ms;
    /* The client's Idempotency-Key, if it sent one. */
    bool has_key;
    struct hash128 key;   /* of the API key's number and the Idempotency-Key */
    uint64_t fingerprint; /* of method, path and body */
    union {
#define COMMAND(name, member, payload, kept) struct payload##_command member;
#include "engine/command.def"
#undef COMMAND
    } of;
};

struct nothing_result {
    char nothing;
};

struct account_result {
    struct account_row row;
};

struct entry_result {
    int64_t balance;
};

struct refund_result {
    int64_t balance;
    int64_t amount;
    uint64_t account; /* number */
};

struct transfer_result {
    int64_t from_balance, to_balance;
};

struct hold_result {
    struct hold_row row;
};

struct packet_result {
    uint8_t commitment[SHA256_SIZE];
    int64_t expires_ms;
};

enum grab_outcome { GRAB_GRABBED = 1, GRAB_ALREADY_GRABBED = 2, GRAB_RESERVED = 3 };

struct grab_result {
    uint16_t outcome; /* enum grab_outcome */
    uint16_t is_new;  /* the share was taken by this very grab */
    uint32_t share;   /* its place in the packet's list, from 0 */
    int64_t amount;
    int64_t balance;
    int64_t grabbed_ms;
    /* Of the packet, for what is known of it outside: */
    int64_t expires_ms;
    uint32_t count;
    uint8_t kind; /* enum packet_kind */
    char currency[3];
};

struct exception_result {
    struct exception_row row;
};

struct catalog_result {
    uint8_t is_new;
    uint8_t zero[7];
};

struct quota_result {
    struct quota_row row;
};

struct webhook_result {
    uint64_t number; /* of the webhook: a replay's own */
    uint8_t status;  /* enum webhook_status it is in now */
};

struct webhook_secret_result {
    int64_t previous_until_ms; /* 0: there was none before */
};

struct city_result {
    uint32_t index;
    uint32_t is_new;
};

enum signal_code { SIGNAL_TAKEN = 0, SIGNAL_IS_LATE = 1, SIGNAL_IS_EARLY = 2 };

struct signals_result {
    uint16_t first_visits, repeats, skipped, invalid;
    uint16_t messages, refused;     /* of the first visits and of the skipped, for counting */
    uint8_t codes[SIGNALS_MAX / 4]; /* enum signal_code, two bits each */
};

struct verification_result {
    uint64_t message, to;
    int64_t expires_ms;
    int64_t retry_ms; /* of a refusal with 429: how long it lasts, */
    uint8_t cap;      /* and of TOO_MANY_CODES enum verification_cap: why */
    uint8_t code_length;
    uint8_t zero[6];
};

struct verification_check_result {
    uint64_t verification; /* of a valid one */
    int64_t retry_ms;      /* of a refusal with 429 */
    uint8_t is_valid;
    uint8_t zero[7];
};

struct result {
    enum outcome outcome;
    bool is_replayed;
    uint64_t number; /* of what was made: the first time's, when replayed */
    union {
        struct nothing_result nothing;
        struct account_result account;
        struct entry_result entry;
        struct refund_result refund;
        struct transfer_result transfer;
        struct hold_result hold;
        struct packet_result packet;
        struct grab_result grab;
        struct exception_result exception;
        struct catalog_result catalog;
        struct quota_result quota;
        struct message_submit_result message_submit;
        struct message_change_result message_change;
        struct messages_archived_result messages_archived;
        struct webhook_result webhook;
        struct webhook_secret_result webhook_secret;
        struct verification_result verification;
        struct verification_check_result verification_check;
        struct city_result city;
        struct signals_result signals;
        struct city_image_result city_image;
        struct received_result received;
        struct campaign_result campaign;
        struct campaign_recipients_result campaign_recipients;
    } of;
};

#endif
