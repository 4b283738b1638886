/* Messages: what is kept of one, and its life (SMS-4, SMS-8 … SMS-13).
 *
 *     scheduled -> queued -> sending -> sent -> delivered | undelivered
 *                    ^          |
 *                    +----------+ refused for now: again, or by another route
 *
 * Only message_transition.def leads from one status to the next. A message that is not finished has
 * exactly one of two rows: in TABLE_DUE its next own moment (scheduled: its time; queued: its
 * expiry; sent: when waiting for the receipt ends), or, while it is with a gateway, in
 * TABLE_MESSAGE_SENDING. While it is queued it has one in TABLE_OUTBOX besides.
 *
 * Money. The company's account pays in the commit that accepts the message, and gets everything
 * back in the commit in which it ends without a provider having taken the last attempt: failed,
 * canceled, rejected. What a provider has taken and could not deliver is paid for: undelivered is.
 * The same holds for the product's quota.
 *
 * Tries. An attempt is one hand-over to a gateway. What a provider refuses for now is attempted
 * again at the same product after backoff_ms of the kind (message_kind.def), and after six times
 * that; then this try is over. The next one goes by another route where one exists, at once, and
 * else by the same after MESSAGE_TRY_AGAIN_MS. With tries_max of them over it fails. Throttling is
 * no failure: the message waits 1, 2, 4 … 32 s. Nothing is given to a gateway after its expiry.
 *
 * Quiet hours (engine/quiet_hours.h). Marketing is accepted as scheduled for their end; what they
 * overtake in the outbox moves there to their end. What would expire before is refused, or fails.
 *
 * Parts. Delivered is delivered in all parts. The first part that is not makes the message
 * undelivered: with a part missing it cannot be read, and failing over should not wait. */
#ifndef SMSD_ENGINE_MESSAGE_H
#define SMSD_ENGINE_MESSAGE_H

#include <stdbool.h>

#include "engine/command.h"

struct engine;
struct txn;

enum {
    MESSAGE_ROW_VERSION = 1,
    MESSAGE_TEXT_ROW_VERSION = 1,

    MESSAGE_ATTEMPTS_PER_TRY = 3,
    MESSAGE_TRY_AGAIN_MS = 300000,
    MESSAGE_THROTTLE_MS = 1000,    /* doubled with each in a row, */
    MESSAGE_THROTTLES_DOUBLED = 5, /* up to this often */
    MESSAGE_EVENTS_MAX = 32,       /* rows of TABLE_MESSAGE_EVENT; further ones are not noted, */
    MESSAGE_EVENTS_KEPT = 8,       /* and these are for what ends it */
};

/* How long receipts are waited for; then the message stays `sent`. */
#define MESSAGE_RECEIPT_WAIT_MS (INT64_C(72) * 60 * 60 * 1000)
/* A receipt of a message that is not known is kept this long. */
#define RECEIPT_AGE_MAX_MS (INT64_C(60) * 60 * 1000)

/* Of a message, what never changes: a copy, to which the texts point. */
struct message_text {
    struct message_text_row row;
    struct text content; /* what is sent, signature and all */
    struct text callback_url, signature, client_reference, template_id; /* size 0: none */
    char bytes[MESSAGE_CONTENT_MAX + CALLBACK_URL_MAX + MESSAGE_SIGNATURE_MAX + REFERENCE_MAX +
               TEMPLATE_ID_MAX];
};

bool message_find(struct txn *txn, uint64_t number, struct message_row *row);
/* Of any message that is there. */
bool message_text_find(struct txn *txn, uint64_t number, struct message_text *text);
/* The same for a gateway: with the code in it, if it carries one. What it is given is nobody else's
 * to see or keep. */
bool message_text_to_send(struct txn *txn, uint64_t number, struct message_row *row,
                          struct message_text *text);
/* Without the texts, which cost a copy. */
void message_text_row_find(struct txn *txn, uint64_t number, struct message_text_row *row);
/* A row in hand, of TABLE_MESSAGE. False: it is none. Any thread. */
bool message_row_read(const void *value, size_t size, struct message_row *row);
/* The same of TABLE_MESSAGE_TEXT, whose texts then point into `text`. */
bool message_text_read(const void *value, size_t size, struct message_text *text);

/* Texts of the contract; static. */
const char *message_status_text(enum message_status status);
const char *message_kind_text(enum message_kind kind);
const char *message_error_text(enum message_error error); /* NULL: none */
/* 0: it is none. */
enum message_status message_status_parse(struct text text);
enum message_kind message_kind_parse(struct text text);

bool message_status_is_final(enum message_status status);
/* A change to it is told to the client's callback_url. */
bool message_status_is_told(enum message_status status);
/* Final, and what was charged went back. */
bool message_status_is_back(enum message_status status);

/* What happened to it, oldest first: at most MESSAGE_EVENTS_MAX and those its row tells. */
struct message_event {
    int64_t at_ms;
    enum message_status status;
    enum message_error error;
    uint8_t detail_size;
    char detail[MESSAGE_DETAIL_MAX];
};
enum { MESSAGE_HISTORY_MAX = MESSAGE_EVENTS_MAX + 6 };
size_t message_history(struct txn *txn, const struct message_row *row, int64_t send_at_ms,
                       struct message_event events[MESSAGE_HISTORY_MAX]);
/* The same where its `count` rows of TABLE_MESSAGE_EVENT are read already. */
size_t message_history_of(const struct message_row *row, int64_t send_at_ms,
                          const struct message_event *noted, size_t count,
                          struct message_event events[MESSAGE_HISTORY_MAX]);
/* A row in hand, of TABLE_MESSAGE_EVENT. False: it is none. */
bool message_event_read(const void *value, size_t size, struct message_event *event);
enum { MESSAGE_EVENT_KEY_SIZE = 9 }; /* number, place */

/* Its row in the due index or in the outbox is lost. */
bool message_is_forgotten(struct txn *txn, uint64_t number);

/* Keys of the lists by recipient and company: both numbers. */
enum { MESSAGE_LIST_KEY_SIZE = 16 };
void message_list_key(char key[MESSAGE_LIST_KEY_SIZE], uint64_t by, uint64_t message);

/* --- in handlers ---------------------------------------------------------------------------------
 */

/* Called when a message of an origin (message_origin.def) has moved: its row is as it will be
 * stored, but for the rows of outbox, due index and money, which follow. It may change rows of its
 * own. */
typedef void message_follower(struct engine *engine, const struct message_row *row,
                              enum message_status from);

/* Counts it as it is now, for reports. */
void message_store(struct engine *engine, struct message_row *row);
void message_text_store(struct engine *engine, uint64_t number, const struct message_text *text);
/* MESSAGE_SUBMIT for whoever makes messages in a command of his own. A refusal may have changed
 * rows: the caller goes back to a savepoint (txn_savepoint) that he has made before. */
struct message_made {
    const struct message_submit_command *submit;
    uint64_t number; /* the message's: the command's own, or engine_next_number */
    enum message_origin origin;
    uint64_t origin_number; /* what message_text_row.origin is to be */
    bool is_by_day; /* in quiet hours there is none: OUTCOME_QUIET_HOURS, and result->send_at_ms is
                     * when they end (else 0) */
};
enum outcome message_submit(struct engine *engine, const struct message_made *made,
                            struct message_submit_result *result);
/* The only way from one status to the next: asserts that the row of message_transition.def is
 * there, keeps the moments and notes the event. The rows of outbox, due index and money are the
 * caller's, and so is storing. */
void message_move(struct engine *engine, struct message_row *row, enum message_status to,
                  enum message_error error, struct text detail);
/* Something that changes no status. */
void message_note(struct engine *engine, struct message_row *row, enum message_error error,
                  struct text detail);
/* Puts the webhook that tells its status, if it has a callback_url. */
void message_tell(struct engine *engine, const struct message_row *row);
/* Nothing is waited for any more, since `at_ms`: puts its row in TABLE_MESSAGE_FINISHED. It is
 * message_move that takes one away. */
void message_finish(struct engine *engine, struct message_row *row, int64_t at_ms);
enum { MESSAGE_FINISHED_KEY_SIZE = 16 };
void message_finished_key(char key[MESSAGE_FINISHED_KEY_SIZE], const struct message_row *row);
/* Its own moment: 0 is none. Keeps row->due_ms. */
void message_set_due(struct engine *engine, struct message_row *row, int64_t due_ms);
/* Ends a message that waits or is with a gateway, in a status that gives back what was charged:
 * takes its rows from wherever it waits, returns money and quota, tells and stores it. */
void message_end(struct engine *engine, struct message_row *row, enum message_status to,
                 enum message_error error, struct text detail);
/* For an operator's retry of an exception: gives back what the account could not take. */
void message_refund_again(struct engine *engine, uint64_t message, uint64_t exception);

/* Puts it into the outbox of row->product, to go at `at_ms`; or, where that is not before its
 * expiry, fails it for that error. It comes from a gateway, or was undelivered, or has been
 * scheduled. Stores it. */
void message_queue(struct engine *engine, struct message_row *row, int64_t at_ms,
                   enum message_error error, struct text detail);
/* Its product is one that is counted: what was taken of the quota for it may go back; and back it
 * goes, if it was taken. A product may have become one that is counted in between. */
void message_note_quota(struct engine *engine, struct message_row *row);
void message_return_quota(struct engine *engine, const struct message_row *row);
/* Another route than those it has been tried by: changes product and quota. False: there is none,
 * and nothing is changed. */
bool message_take_next_route(struct engine *engine, struct message_row *row);

#endif
