/* What a submit would become, before anything is changed: the recipient's country, the template's
 * kind and text, the signature, parts and price; and everything that is wrong with it, at once.
 *
 * The handler of MESSAGE_SUBMIT goes through it, GET's preview shows it, and who has to tell a
 * client what was wrong asks again for the same command: nothing has changed since. */
#ifndef SMSD_ENGINE_MESSAGE_PLAN_H
#define SMSD_ENGINE_MESSAGE_PLAN_H

#include <stdbool.h>

#include "engine/command.h"
#include "engine/parts.h"
#include "engine/route.h"

struct engine;
struct txn;

enum { MESSAGE_FAULTS_MAX = 32 };

/* A field that is wrong. */
struct message_fault {
    enum outcome outcome;
    const char *field;  /* "to"; static */
    struct text param;  /* of `params`: its name; data NULL: it is about the field */
    const char *detail; /* static */
};

struct message_plan {
    const struct message_submit_command *command;
    int64_t now_ms;
    struct message_fault faults[MESSAGE_FAULTS_MAX];
    size_t fault_count;   /* further ones are left out */
    enum outcome refusal; /* what is no field's fault: not found, not allowed */
    enum message_kind kind;
    uint64_t to, company, template;
    char country[2];
    bool is_signature_required;
    int64_t send_at_ms, expire_at_ms; /* send_at_ms 0: at once */
    struct route_choice route;
    struct parts parts;
    int64_t price, amount; /* of a part, of the message */
    struct text content;   /* as it is sent */
    struct text signature; /* size 0: none */
    struct text account;   /* whose money it costs */
    size_t body_size, company_signature_size;
    bool has_company_signature;
    /* What the above point into; not cleared. */
    char account_bytes[ACCOUNT_ID_MAX];
    char company_signature[MESSAGE_SIGNATURE_MAX];
    char body[MESSAGE_CONTENT_MAX];  /* without signature */
    char bytes[MESSAGE_CONTENT_MAX]; /* `content` */
};

/* Everything but route and parts. */
void message_plan_begin(struct message_plan *plan, struct txn *txn,
                        const struct message_submit_command *command, int64_t now_ms);
/* Route, then parts and price, as the route's product counts and costs; without what would stand in
 * the way of a route only the parts. `engine` NULL: changes nothing. */
void message_plan_finish(struct message_plan *plan, struct txn *txn, struct engine *engine,
                         const uint64_t *tried, size_t tried_count);
/* Both. */
void message_plan_preview(struct message_plan *plan, struct txn *txn,
                          const struct message_submit_command *command, int64_t now_ms);
/* OUTCOME_OK, or why not: of faults the one that they share, else OUTCOME_INVALID. */
enum outcome message_plan_outcome(const struct message_plan *plan);

#endif
