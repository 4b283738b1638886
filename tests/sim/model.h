/* The model: what the requirements say of billing and of packets, as plain arrays and sums, with
 * nothing of the engine but the words it is spoken to in (commands and outcomes). No rows, no
 * indices, no chains: what the engine keeps in those is compared with what follows from these
 * lists.
 *
 * Numbers are dealt out by the engine where a command makes several things; the model learns those
 * of entries, webhooks and exceptions from the rows, in the order it made them itself. */
#ifndef SMSD_TESTS_SIM_MODEL_H
#define SMSD_TESTS_SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/command.h"
#include "model_city.h"
#include "op.h"

enum { MODEL_CURRENCIES = 3, MODEL_ENTRIES_MAX = 3 * OPS_MAX, MODEL_WEBHOOKS_MAX = 2 * OPS_MAX };
/* Every so manieth entry of an account has a mark by which moments are found. */
enum { MODEL_MARK_EVERY = 64 };

/* Kinds of what is due that the model knows of itself; others it learns from rows. */
enum {
    MODEL_DUE_KINDS = 3,
    MODEL_OTHER_DUES_MAX = 3 * OPS_MAX,
    MODEL_PRODUCTS_MAX = 8,
    MODEL_CAMPAIGNS_MAX = 256
};
struct model_due {
    int64_t due_ms;
    int kind; /* as in engine/due.def */
    uint64_t number;
};

/* The other sides that are no user's account. */
enum model_system { MODEL_WORLD, MODEL_REVENUE, MODEL_PACKETS, MODEL_SYSTEMS };

struct model_account {
    bool is_there;
    uint8_t currency; /* of model_currencies */
    bool is_frozen, packets_blocked, has_low_balance, is_low;
    int64_t balance, credit_limit, low_balance, held, pending;
    int64_t available_floor; /* 0, or what a lowered limit left */
    uint64_t number;
    int64_t updated_ms;
    uint32_t entries, entry_last; /* how many; the last, counted from 1 */
    /* Charges that wait, counted from 1, linked by `behind`. */
    uint32_t queue_first, queue_last, queued;
    bool queue_is_stuck; /* until the account is changed */
    int64_t queue_due_ms;
    uint32_t packets_sent, packets_open; /* ever; of these, not closed */
};

struct model_entry {
    uint64_t number; /* 0: not learnt yet */
    enum entry_type type;
    enum source_type source_type;
    int8_t account, counter; /* counter: an account, or -1 - enum model_system */
    uint32_t count, previous;
    uint32_t place; /* in its account's history, from 1 */
    int64_t amount, balance;
    uint64_t source;
    struct text reference;
};

struct model_charge {
    uint64_t number;
    int8_t account;
    bool is_queued; /* made so; settled when `entry` is */
    int64_t amount, refunded;
    uint32_t entry, behind, group; /* counted from 1; `group` for queued ones */
    struct text reference;
};

/* Queued charges that will be one entry. */
struct model_group {
    uint64_t number, last; /* of its first and last charge */
    uint32_t count, next, entry;
    int8_t account;
    int64_t amount;
};

struct model_hold {
    uint64_t number;
    int8_t account;
    enum hold_status status;
    int64_t amount, captured, expires_ms, closed_ms;
    uint32_t entry;
};

/* A share that is taken. */
struct model_grab {
    int8_t account;
    bool is_opened;
    int64_t grabbed_ms;
    uint32_t exception; /* counted from 1 */
};

struct model_packet {
    uint64_t number;
    int8_t sender;
    uint8_t currency;
    uint16_t recipients; /* of an exclusive one: bit n for account n */
    enum packet_kind kind;
    enum split_rule split;
    enum packet_status status;
    uint32_t count, taken, opened, exception;
    int64_t amount, credited, refunded;
    int64_t expires_ms, emptied_ms, closed_ms;
    int64_t due_ms; /* 0: there is nothing left to wait for */
    uint8_t seed[SPLIT_SEED_SIZE];
    struct text group, greeting;
    /* By place: nobody takes two, so no more than there are accounts are ever taken. */
    struct model_grab grabs[PLAN_ACCOUNTS_MAX];
    uint32_t shares[PLAN_ACCOUNTS_MAX];
};

struct model_exception {
    uint64_t number; /* 0: not learnt yet */
    enum exception_type type;
    enum exception_status status;
    enum outcome outcome;
    uint32_t packet; /* counted from 1 */
    int8_t account;
    uint32_t attempts;
    int64_t amount, tried_ms, closed_ms;
};

/* Of a message what its money and quota hang on. */
struct model_message {
    uint64_t number, product;
    int8_t account; /* that has paid; -1: it cost nothing */
    enum message_status status;
    enum message_kind kind;
    uint32_t parts;
    bool has_quota; /* its parts were taken from the product's, and are not back */
    bool is_paid_back;
    bool is_archived;    /* its rows have gone */
    uint32_t given;      /* the last attempt that was given to a gateway */
    uint64_t exception;  /* of its refund; 0: none */
    int64_t amount;      /* what it cost */
    uint32_t campaign;   /* that has made it, counted from 1; 0: none */
    int8_t city, mobile; /* of the visit that it welcomes; -1: of none */
};

/* Of a campaign what it says of its messages. */
struct model_campaign {
    uint64_t number;
    int8_t account; /* where `reserved` is set aside */
    int64_t reserved;
    uint32_t submitted, asleep, messages[CAMPAIGN_STATUSES];
    int64_t charged, refunded;
};

/* A code, or the place where wrong checks of a number without one are counted. */
struct model_verification {
    bool is_there;      /* not forgotten */
    bool is_superseded; /* there is a newer one of number and company */
    bool is_back;       /* its message came to nothing */
    bool is_counted;    /* for pumping, when it ended */
    uint8_t code_length, wrong;
    enum verification_status status;
    int address_kind;
    uint64_t number, message, to, company, prefix, address;
    int64_t created_ms, expires_ms, ended_ms, due_ms;
    uint8_t seed[VERIFICATION_SEED_SIZE];
};

struct model_wrong_check {
    uint64_t to, company;
    int64_t at_ms;
    bool is_cleared; /* by a new code, or a right check */
};

struct model_pumping {
    uint64_t prefix;
    int64_t at_ms;
};

struct model_product {
    struct text id;
    uint64_t number;
    bool is_counted;
    int64_t quota;
};

/* Numbers that may be on the blocklist, and write to us. */
#define MODEL_MOBILE_FIRST UINT64_C(8613800000000)
enum { MODEL_WRITERS = 5 };
enum model_listed { MODEL_NOT_LISTED, MODEL_LISTED_BY_OTHERS, MODEL_LISTED_BY_HIMSELF };

struct model_received {
    uint64_t number, product, from;
    struct text provider_id, content;
    bool is_latest; /* of those with its product and id: the one that is known by it */
    bool is_gone;
};

struct model_webhook {
    uint64_t number;
    int8_t account;
    int64_t balance, low_balance;
    int64_t due_ms; /* when it is deleted; 0: it was */
};

struct model_key {
    bool is_kept;
    uint64_t fingerprint;
    int64_t at_ms;
    struct result result; /* the first answer, as it was */
};

struct model {
    uint32_t drain_max;
    int64_t clock_offset_ms;
    struct model_account accounts[PLAN_ACCOUNTS_MAX];
    struct {
        bool is_there;
        int64_t balance;
    } systems[MODEL_SYSTEMS][MODEL_CURRENCIES];
    uint32_t entries, charges, groups, holds, webhooks, keys; /* how many */
    uint32_t accounts_there, systems_there, keys_kept, charges_queued, charges_refunded, queues;
    uint32_t dues, marks;
    uint32_t packets, exceptions; /* how many */
    uint32_t packets_grouped, packets_unfinished, pieces, recipients, senders, grabs;
    uint32_t verifications, wrong_checks, pumpings;              /* how many */
    uint32_t messages, message_exceptions, other_dues, products; /* how many */
    uint32_t campaigns, campaign_lines; /* how many; recipients of all of them */
    struct model_campaign campaign[MODEL_CAMPAIGNS_MAX];
    struct model_product product[MODEL_PRODUCTS_MAX];
    int8_t company_account[10]; /* of company "c0", … */
    struct model_cities cities;
    enum model_listed listed[MODEL_WRITERS];
    uint32_t received_count;
    struct model_entry entry[MODEL_ENTRIES_MAX];
    struct model_charge charge[OPS_MAX];
    struct model_group group[OPS_MAX];
    struct model_hold hold[OPS_MAX];
    struct model_packet packet[OPS_MAX];
    struct model_exception exception[OPS_MAX];
    struct model_message message[OPS_MAX];
    struct model_received received[OPS_MAX];
    struct model_due other_due[MODEL_OTHER_DUES_MAX];
    struct model_webhook webhook[MODEL_WEBHOOKS_MAX];
    struct model_verification verification[OPS_MAX];
    struct model_wrong_check wrong_check[OPS_MAX];
    struct model_pumping pumping[OPS_MAX];
    struct model_key key[OPS_MAX];
};

extern const char model_currencies[MODEL_CURRENCIES][4];

/* What a command is to be answered with. */
struct expected {
    enum outcome outcome;
    bool is_replayed;
    bool is_open;          /* whatever it is: what follows from it is checked */
    int account, other;    /* those it changes; -1: none */
    int64_t amount;        /* of a refund */
    int packet, exception; /* likewise */
    enum grab_outcome grab_outcome;
    bool is_new;    /* the share was taken by this grab */
    uint32_t place; /* the share's */
    struct {
        uint32_t index;
        bool is_new;
    } city;
    struct signals_result signals;
};

void model_init(struct model *model, uint32_t drain_max);
void model_copy(struct model *to, const struct model *from);
void model_run(struct model *model, const struct command *command, struct expected *expected);
/* model_message.c: is the command one whose answer the model does not foresee? Then, after it was
 * run, what follows from what it did to the rows. */
bool model_is_open(struct model *model, const struct command *command);
void model_lose_due(struct model *model, const struct model_due *due);
struct world;
void model_learn(struct model *model, struct world *world, const struct command *command,
                 const struct result *result, struct expected *expected);
/* model_verification.c: the same, of any outcome. */
void model_learn_verification(struct model *model, struct world *world,
                              const struct command *command, const struct result *result);
void model_verification_back(struct model *model, uint64_t message);
struct model_verification *model_find_verification(struct model *model, uint64_t number);
struct model_verification *model_newest_verification(struct model *model, uint64_t to,
                                                     uint64_t company);
void model_code(const struct model_verification *it, char code[VERIFICATION_CODE_MAX]);
/* After the engine's answer was found right: what its key must answer from now on. */
void model_keep(struct model *model, const struct command *command, const struct result *result);

int64_t model_available(const struct model_account *account);
/* The index of the account that an id names: "u3" is 3; -1: none that a plan could have. */
int model_account_of(struct text id);
struct model_charge *model_find_charge(struct model *model, uint64_t number);
struct model_hold *model_find_hold(struct model *model, uint64_t number);
struct model_webhook *model_find_webhook(struct model *model, uint64_t number);
struct model_message *model_find_message(struct model *model, uint64_t number);
struct model_product *model_find_product(struct model *model, uint64_t number);
struct model_packet *model_find_packet(struct model *model, uint64_t number);
struct model_exception *model_find_exception(struct model *model, uint64_t number);
/* The user's share; NULL: none. */
const struct model_grab *model_find_grab(const struct model_packet *packet, int account);
/* The place of the best share that was opened; -1: none was. */
int model_best(const struct model_packet *packet);
int model_find_account(const struct model *model, uint64_t number);

/* What is due first; false: nothing ever. */
bool model_due_first(const struct model *model, struct model_due *due);

#endif
