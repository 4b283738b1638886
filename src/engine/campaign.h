/* Campaigns (SMS-14): one text to many recipients.
 *
 *     draft -> scheduled -> running -> finished
 *                   \        |   ^
 *                    +-> paused -+       any of them -> canceling -> canceled
 *
 * Only campaign_transition.def leads from one status to the next. A draft takes recipients, each
 * checked as a submit would be, and sends nothing. One that is not confirmed in its time, counted
 * from its last change, is canceled, and its recipients are deleted at once. Confirming it sets
 * aside what the recipients cost, as previewed, in the `held` of the company's account. While it
 * runs each recipient's turn is one step of one commit: its amount leaves what is set aside, and a
 * message is made, which pays. So at any moment every recipient is either still to come or a
 * message (or refused), and never both.
 *
 * Few messages wait. A campaign makes messages only until `window` of its own wait in outboxes (or
 * for a time of their own), and goes on when half of them have left; the window follows the pace at
 * which they leave and is about two seconds' worth, CAMPAIGN_WINDOW_MIN to _MAX. So a pause, which
 * stops the making, ends the sending a moment later; and cancel, which also takes back what waits,
 * has little to take back.
 *
 * Nobody is woken (SMS-18). Whose quiet hours it is when his turn comes is put to sleep until they
 * end in his own zone (engine/campaign_sleep.h), and the turn is the next one's; so a campaign over
 * many zones sends by day wherever it is day. A message that the night overtakes in the outbox is
 * none of the few that may wait.
 *
 * A campaign that cannot go on (no money beyond what was set aside where prices rose, no route, a
 * template gone) pauses itself and says why. A recipient who has been blocked since is refused
 * alone.
 *
 * Finished is: each recipient had his turn, and no message waits or is with a gateway. What becomes
 * of messages afterwards still shows in the counts. Recipients and errors are deleted
 * CAMPAIGN_KEPT_MS after the end; the campaign and its counts stay. */
#ifndef SMSD_ENGINE_CAMPAIGN_H
#define SMSD_ENGINE_CAMPAIGN_H

#include <stdbool.h>

#include "engine/command.h"
#include "engine/template.h"

struct engine;
struct txn;

enum {
    CAMPAIGN_ROW_VERSION = 1,
    CAMPAIGN_PIECE_MAX = 4000,
    CAMPAIGN_WINDOW_FIRST = 64,
    CAMPAIGN_WINDOW_MIN = 32,
    CAMPAIGN_WINDOW_MAX = 2048,
    CAMPAIGN_TURNS_MAX = 32, /* recipients whose turn comes in one command */
};

#define CAMPAIGN_KEPT_MS (INT64_C(90) * 24 * 60 * 60 * 1000)
/* So much longer than its time may a draft stay: each change would move its due row otherwise. */
#define CAMPAIGN_DRAFT_SLACK_MS (INT64_C(60) * 60 * 1000)

/* What of a campaign never changes: a copy, to which the texts point. */
struct campaign_text {
    struct campaign_text_row row;
    struct text company, template, name; /* size 0: none */
    struct text signature, content, callback_url, message_callback_url;
    struct text params; /* encoded: campaign_params_read */
    char bytes[COMPANY_ID_MAX + TEMPLATE_ID_MAX + CAMPAIGN_NAME_MAX + MESSAGE_SIGNATURE_MAX +
               MESSAGE_CONTENT_MAX + 2 * CALLBACK_URL_MAX + CAMPAIGN_PARAMS_BYTES];
};

bool campaign_find(struct txn *txn, uint64_t number, struct campaign_row *row);
/* Of any campaign that is there. */
void campaign_text_find(struct txn *txn, uint64_t number, struct campaign_text *text);
/* A row in hand, of TABLE_CAMPAIGN. False: it is none. Any thread. */
bool campaign_row_read(const void *value, size_t size, struct campaign_row *row);
/* Static. */
const char *campaign_status_text(enum campaign_status status);
/* 0: it is none. */
enum campaign_status campaign_status_parse(struct text text);
/* Recipients that have not had their turn, or slept through it. */
uint32_t campaign_left(const struct campaign_row *row);
/* The same of one that is confirmed and has not ended; of others 0. */
uint32_t campaign_waiting(const struct campaign_row *row);
/* Its messages that wait for a gateway by day: what the window bounds. */
uint32_t campaign_ahead(const struct campaign_row *row);

/* A recipient or an error in hand; texts point into the value it was read from. False: it is none.
 * Any thread. */
struct campaign_recipient {
    uint64_t to;
    struct campaign_recipient_row row;
    struct text client_reference;
    struct text params; /* encoded */
};
bool campaign_recipient_read(const void *key, size_t key_size, const void *value, size_t size,
                             struct campaign_recipient *recipient);
struct campaign_error {
    uint64_t number;
    struct campaign_error_row row;
    struct text to, field, detail;
};
bool campaign_error_read(const void *key, size_t key_size, const void *value, size_t size,
                         struct campaign_error *error);

/* Keys of recipients, errors and waiting messages: both numbers. */
enum { CAMPAIGN_KEY_SIZE = 16 };
void campaign_key(char key[CAMPAIGN_KEY_SIZE], uint64_t campaign, uint64_t of);

/* Names and values one behind the other. Those that are encoded point into `encoded`. */
size_t campaign_params_size(const struct template_param *params, size_t count);
void campaign_params_write(char *to, const struct template_param *params, size_t count);
size_t campaign_params_read(struct text encoded, struct template_param params[TEMPLATE_NAMES_MAX]);
/* What a recipient is sent: his own parameters, and of the campaign's those that he has not. False:
 * together they are more than a template can have. */
bool campaign_params_join(const struct template_param *own, size_t own_count,
                          struct text encoded_common,
                          struct template_param params[TEMPLATE_NAMES_MAX], size_t *count);

/* --- in handlers ---------------------------------------------------------------------------------
 */

void campaign_store(struct engine *engine, const struct campaign_row *row);
void campaign_text_store(struct engine *engine, uint64_t number, struct campaign_text *text);
void campaign_recipient_store(struct engine *engine, uint64_t campaign,
                              const struct campaign_recipient *recipient);
/* Keeps it, and counts it in the campaign. Returns its number; 0: there are too many to keep it. */
uint64_t campaign_error_store(struct engine *engine, struct campaign_row *campaign,
                              const struct campaign_error *error);

/* What the command's effect says of it, for counting. */
struct engine_effect *campaign_effect(struct engine *engine, const struct campaign_row *row);
/* The only way from one status to the next; tells it. Storing is the caller's. */
void campaign_move(struct engine *engine, struct campaign_row *row, enum campaign_status to,
                   enum outcome reason);
/* A draft has changed: if nothing more happens it ends after `draft_ms`. Storing is the caller's.
 */
void campaign_keep_draft(struct engine *engine, struct campaign_row *row, int64_t draft_ms);
/* OUTCOME_OK: it is a draft; or why it is none any more. */
enum outcome campaign_check_draft(const struct campaign_row *row);
/* When it goes on; 0: something else will wake it. Keeps row->due_ms. */
void campaign_set_due(struct engine *engine, struct campaign_row *row, int64_t due_ms);
/* Gives back of what is set aside. */
void campaign_release(struct engine *engine, struct campaign_row *row, int64_t amount);
/* The submit that a recipient becomes. `params` of it are the caller's to join. */
struct message_submit_command campaign_submit(const struct campaign_row *row,
                                              const struct campaign_text *text, struct text to,
                                              struct text client_reference,
                                              const struct template_param *params,
                                              size_t param_count);

/* A message_follower: counts, and goes on. */
struct message_row;
void campaign_follow(struct engine *engine, const struct message_row *message,
                     enum message_status from);
/* A message of the campaign stays in the outbox until the end of quiet hours: likewise. */
void campaign_hold_back(struct engine *engine, uint64_t campaign, uint64_t message);

#endif
