/* The engine: what a command does to the rows. No clock, no I/O, no randomness: time, ids and
 * secrets come with the command; what must happen outside is a row.
 *
 * A handler checks everything first, then writes, and answers with an outcome. A refusal leaves no
 * trace but its idempotency key (BILL-9). Money moves only through engine/ledger.h. */
#ifndef SMSD_ENGINE_ENGINE_H
#define SMSD_ENGINE_ENGINE_H

#include "engine/command.h"
#include "engine/row.h"
#include "store/txn.h"

/* How long a first answer is replayed. */
#define IDEMPOTENCY_AGE_MAX_MS (INT64_C(24) * 60 * 60 * 1000)

#define WEBHOOK_ENDPOINTS_MANY UINT64_MAX

/* A lane of a product's outbox that something was put into, and the earliest of it. */
struct outbox_wake {
    uint64_t product; /* 0: several are affected, more than are named */
    enum message_kind lane;
    int64_t due_ms;
};

/* A visit whose mark was taken away because its message has failed: memory has to forget it, too.
 */
struct visit_forgotten {
    uint64_t mobile;
    uint32_t city; /* its index */
};

enum {
    EFFECT_DUES_MAX = 6,
    OUTBOX_WAKES_MAX = 4,
    MESSAGE_STATUS_MAX = 16,
    CAMPAIGN_MOVES = 8, /* above every number of campaign_status.def */
};

/* What a command did besides its answer. */
struct engine_effect {
    uint64_t number_last; /* the last number it gave out: at least command->number */
    int64_t due_first_ms; /* the earliest thing it made due; INT64_MAX: none */
    /* When things are due that it made so, each time once. */
    int64_t due_ms[EFFECT_DUES_MAX];
    uint32_t due_count;
    bool has_more_due; /* than these */
    struct outbox_wake wakes[OUTBOX_WAKES_MAX];
    uint32_t wake_count;
    /* Whoever keeps a struct city_index calls city_forget for it, behind the command. It is one at
     * the most: what ends several messages at once ends those of a campaign. */
    struct visit_forgotten forgotten;
    bool is_visit_forgotten;
    /* For counting: */
    uint32_t messages_new;
    uint16_t
        message_steps[MESSAGE_STATUS_MAX]; /* how often a message became that, new ones apart */
    bool is_receipt_forgotten;             /* an unknown receipt's hour was over */
    bool is_check_wrong, is_pumping_told;
    uint8_t verification_steps[VERIFICATION_STATUSES]; /* how often one became that */
    /* Of the campaign that it touched, of which there is at most one: */
    uint64_t campaign;
    int8_t
        campaign_moves[CAMPAIGN_MOVES]; /* how many it made more or fewer in a status: -1, 0, 1 */
    int64_t campaign_waiting; /* recipients of a confirmed one that are to come, more or fewer */
    uint32_t campaign_submitted, campaign_refused;
    bool is_campaign_stuck, is_campaign_expired;
    /* The endpoint that it made webhooks ready for; 0: none; WEBHOOK_ENDPOINTS_MANY: several. */
    uint64_t webhook_endpoint;
};

/* Runs the command inside the open transaction, which the caller commits whatever the outcome. */
void engine_apply(struct txn *txn, const struct command *command, struct result *result,
                  struct engine_effect *effect);

/* The command will be applied soon: its rows are expected (store/txn.h). */
void engine_expect(const struct txn *txn, const struct command *command,
                   enum txn_distance distance);

/* What the key is kept with. False: it is free. */
bool idempotency_find(struct txn *txn, const struct hash128 *key, int64_t now_ms,
                      struct idempotency_row *row);
/* Of a row of TABLE_IDEMPOTENCY: is it past its age? Any thread. */
bool idempotency_is_expired(const void *value, size_t size, int64_t now_ms);

/* What the engine remembers of itself. */
struct engine_state {
    uint64_t number_last;    /* no number up to this may be given out again */
    int64_t clock_offset_ms; /* of the test clock */
    bool is_bootstrapped;
    struct hash_key secret; /* zero until bootstrapped */
};
void engine_state_load(struct txn *txn, struct engine_state *state);
/* Before each batch is submitted in which engine_apply was called. */
void engine_state_store_number(struct txn *txn, uint64_t number_last);

#endif
