/* Webhooks: what clients are to be told of (SMS-20, BILL-14). A webhook is one row, made in the
 * same commit as its event, and says what was so then; its texts and values are kept in it, so it
 * needs no other row to be written out, and a replay says the same again.
 *
 * It is pending until an endpoint has answered 2xx (delivered) or the table of delays is used up
 * (failed). While it is pending it is either ready, with a row in the outbox of its endpoint, or
 * waits for its next attempt. Every webhook has exactly one row in TABLE_DUE: a waiting one its
 * next attempt, a ready one the end of its days, any other the moment it is deleted. */
#ifndef SMSD_ENGINE_WEBHOOK_H
#define SMSD_ENGINE_WEBHOOK_H

#include <stdbool.h>

#include "base/text.h"
#include "engine/row.h"

struct engine;
struct txn;

enum {
    WEBHOOK_URL_MAX = 1024,
    WEBHOOK_TEXT_MAX = 128, /* of each text; longer ones are cut at a character */
    WEBHOOK_CONTENT_MAX = 2048,
};

/* Something that happened. Which texts and values its type has is said in webhook_field.def. */
struct webhook_event {
    enum webhook_type type;
    uint64_t subject; /* LOW_BALANCE: account's, PRODUCT_LOW: product's, MESSAGE_STATUS: message's,
                         MESSAGE_RECEIVED: received message's, CAMPAIGN_STATUS: campaign's number */
    int64_t at_ms;    /* when it happened; 0: now */
    int64_t values[WEBHOOK_VALUES];
    struct text texts[WEBHOOK_TEXTS]; /* `data` NULL: null */
    struct text content;              /* what is long: at most WEBHOOK_CONTENT_MAX bytes */
    struct text url;                  /* `data` NULL: where the setting webhook_url says */
};

/* In handlers: keeps it, and puts it into the outbox if there is somewhere to send it. Returns its
 * number, which is one of the command's further numbers. Texts may point into rows. */
uint64_t webhook_put(struct engine *engine, const struct webhook_event *event);

/* Is this the URL of an endpoint, as far as its form goes: http or https, a host, a port that is
 * 80, 443 or above 1023, no user, no fragment, printable ASCII, at most WEBHOOK_URL_MAX bytes? For
 * checks of what clients send (callback_url). What it resolves to is looked at when it is sent. */
bool webhook_url_is_valid(const char *url, size_t size);
#define WEBHOOK_URL_RULE                                                                           \
    "must be an http or https URL without user and fragment, its port 80, 443 or above 1023"

/* How long what is done with is kept, and how far a receiver may put an attempt off. */
#define WEBHOOK_DELIVERED_KEPT_MS  (INT64_C(24) * 60 * 60 * 1000)
#define WEBHOOK_FAILED_KEPT_MS     (INT64_C(30) * 24 * 60 * 60 * 1000)
#define WEBHOOK_AGE_MAX_MS         (INT64_C(4) * 24 * 60 * 60 * 1000)
#define WEBHOOK_RETRY_AFTER_MAX_MS (INT64_C(24) * 60 * 60 * 1000)
#define WEBHOOK_SECRET_KEPT_MS     (INT64_C(24) * 60 * 60 * 1000)

/* How long after its `attempts`-th attempt, counted from 1, the next one of this webhook follows:
 * the delay of webhook_delay.def, or what the receiver asked for if that is longer, and the spread.
 */
int64_t webhook_delay_ms(uint64_t number, unsigned attempts, int64_t retry_after_ms);

/* --- reading -------------------------------------------------------------------------------------
 */

/* A webhook in hand: a copy, also of texts. */
struct webhook {
    struct webhook_row row;
    struct webhook_attempt attempts[WEBHOOK_ATTEMPTS_MAX]; /* row.attempt_count of them */
    struct text url;                                       /* `data` NULL: it has none */
    struct text texts[WEBHOOK_TEXTS];
    struct text content;
    char bytes[WEBHOOK_URL_MAX + WEBHOOK_TEXTS * WEBHOOK_TEXT_MAX +
               WEBHOOK_CONTENT_MAX]; /* what url, texts and content point into */
};

/* False if there is none. A row that an older smsd wrote is read as one without a URL. */
bool webhook_find(struct txn *txn, uint64_t number, struct webhook *webhook);
/* The same from a row in hand, of TABLE_WEBHOOK. */
void webhook_read(struct txn *txn, uint64_t number, const void *value, size_t size,
                  struct webhook *webhook);

/* What is ready to be sent, in the order in which it became so: the endpoint's first webhook behind
 * the place `after` (0: its very first). False: none. */
struct webhook_ready {
    uint64_t place, webhook;
};
bool webhook_outbox_first(struct txn *txn, uint64_t endpoint, uint64_t after,
                          struct webhook_ready *ready);
/* The first endpoint above `after` with anything ready; 0: none. */
uint64_t webhook_outbox_endpoint(struct txn *txn, uint64_t after);

struct webhook_endpoint {
    uint64_t number;
    struct webhook_endpoint_row row;
    struct text url; /* without the query */
    char bytes[WEBHOOK_URL_MAX];
};
bool webhook_endpoint_find(struct txn *txn, uint64_t number, struct webhook_endpoint *endpoint);

/* What webhooks are signed with. False: there is none yet (COMMAND_WEBHOOK_SECRET makes one). */
bool webhook_secret_find(struct txn *txn, struct webhook_secret_row *row);

#endif
