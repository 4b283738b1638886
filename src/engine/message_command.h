/* What commands of messages carry and are answered with; part of engine/command.h, whose rules hold
 * here, too: texts and arrays are the caller's and need not live longer than the command, times are
 * Unix milliseconds. What the steps mean for a message is told by engine/message.h. */
#ifndef SMSD_ENGINE_MESSAGE_COMMAND_H
#define SMSD_ENGINE_MESSAGE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "engine/row.h"

struct template_param;

struct message_submit_command {
    struct text company;
    struct text to;                      /* "+" and digits */
    struct text template;                /* an id; or `content` and `kind` */
    const struct template_param *params; /* each name once */
    size_t param_count;
    struct text content;
    enum message_kind kind;
    struct text signature; /* data NULL: the company's; size 0: none */
    struct text client_reference, callback_url;
    int64_t send_at_ms;   /* 0: at once */
    int64_t expire_at_ms; /* 0: as long as its kind may wait */
    bool is_test;
    uint8_t tries_max;
};

struct message_command {
    uint64_t message;
    bool is_history; /* it is known to be no row any more */
};

/* Takes a message out of the outbox for a gateway.
 *
 * OUTCOME_OK and is_given: it is `sending`; once that is durable it may go, as attempt
 * row.attempts. OUTCOME_OK and not: it has ended instead (expired, or blocked meanwhile), or waits
 * at another place of its lane, for the end of quiet hours.
 * OUTCOME_CONFLICT: it is not queued for that product any more; the outbox shows who is next.
 * OUTCOME_MESSAGE_NOT_FOUND */
struct message_sending_command {
    uint64_t message;
    uint64_t product;
};

enum message_answer {
    MESSAGE_ACCEPTED = 1,
    MESSAGE_REFUSED = 2,   /* for good: rejected, and no other route is tried */
    MESSAGE_RETRY = 3,     /* not now; also: certainly not sent (no connection) */
    MESSAGE_THROTTLED = 4, /* too many at a time: no failure of the message */
    MESSAGE_UNKNOWN = 5,   /* it may have been sent: no answer, a broken connection */
};

/* What came of an attempt. OUTCOME_OK whatever it changed: one of an older attempt, or a second
 * one, changes nothing. MESSAGE_UNKNOWN acts as MESSAGE_RECOVER does. */
struct message_result_command {
    uint64_t message;
    uint32_t attempt; /* row.attempts when it was given */
    enum message_answer answer;
    /* Of an accepted one: none, one for all parts, or one a part. */
    const struct text *provider_ids;
    size_t provider_id_count;
    struct text detail; /* what the provider said; may be absent */
    bool can_query;     /* of an unknown one: as in message_recover_command */
};

/* What was given to a gateway and may never get an answer: at start each of sending_next (SMS-11),
 * and where an answer is not waited for any longer. By the product's on_unknown it is dropped,
 * resent or to be queried; a verification is always dropped. See message_change_result. */
struct message_recover_command {
    uint64_t message;
    uint32_t attempt; /* 0: whichever is under way */
    bool can_query;   /* the gateway can ask the provider; else what is to be queried is dropped */
};

/* What the five-minute sweep (SMS-10) has found, or a gateway whose circuit is open: a queued
 * message whose product does not move goes by another route, where one exists and a try is left;
 * rows that were lost are put back; what has been with a gateway for too long is recovered. */
struct message_sweep_command {
    uint64_t message;
    bool is_standing; /* its product does not move */
};

struct archived_message;

/* These are history, durably: their rows go, of those that are as they were. */
struct messages_archived_command {
    const struct archived_message *messages;
    size_t count; /* as many as a transaction takes: MESSAGES_ARCHIVED_MAX */
};
enum { MESSAGES_ARCHIVED_MAX = 256 };

/* History of this day is about to be dropped, for good. */
struct history_drop_command {
    uint32_t day; /* since 1970 */
};

/* A delivery report. OUTCOME_OK whether or not its message is known (SMS-12). */
struct receipt_command {
    uint64_t product;
    struct text provider_id; /* as the provider spells it, 1 to PROVIDER_ID_MAX bytes */
    enum receipt_status status;
    struct text detail; /* may be absent */
    int64_t at_ms;      /* when it was delivered; 0: not said */
};

/* A message that somebody has sent to us (engine/received.h). OUTCOME_OK also for one that is known
 * already. */
struct received_command {
    uint64_t product; /* by which it came */
    uint64_t from;    /* E.164 digits */
    struct text to;   /* may be absent */
    struct text content;
    struct text provider_id; /* absent: it cannot be known again */
    /* What it answers as history has it: see engine/received.h. 0: nothing. */
    uint64_t message, company;
};

struct blocklist_put_command {
    uint64_t mobile;
    enum blocklist_reason reason;
    struct text note; /* may be absent */
    uint64_t changed_by;
};

struct blocklist_delete_command {
    uint64_t mobile;
};

struct message_submit_result {
    uint8_t status;   /* enum message_status */
    uint8_t kind;     /* enum message_kind */
    uint8_t encoding; /* enum parts_encoding */
    uint8_t parts;
    char country[2];
    uint16_t zero;
    uint64_t to;
    uint64_t product;
    int64_t price; /* of a part */
    int64_t send_at_ms, expire_at_ms;
};

/* The message as it then is. */
struct message_change_result {
    bool is_given;     /* MESSAGE_SENDING: hand it over */
    bool is_changed;   /* MESSAGE_SWEEP: there was something to do */
    bool should_query; /* MESSAGE_RESULT, _RECOVER: it is `sending` still; ask the provider, then
                          tell what it says as the attempt's result */
    struct message_row row;
};

struct messages_archived_result {
    uint32_t archived; /* rows of so many have gone */
};

struct received_result {
    uint64_t number; /* of the message: the first time's */
    uint8_t is_new;
    uint8_t action; /* enum received_action */
};

#endif
