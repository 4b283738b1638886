/* Inside the room: received messages of which rows do not say what they answer. History may
 * (SMS-18, SMS-19), and is read off the loop: so they are put aside, looked for one after the
 * other, and kept by outlet_received then. Until all are, the provider has no answer: who gets
 * none, because of a kill, comes again. Where too many read history already a message is kept
 * without its company. */
#ifndef SMSD_GATEWAY_LATE_MESSAGES_H
#define SMSD_GATEWAY_LATE_MESSAGES_H

#include "gateway/gateway.h"

struct heard_message;
struct late_messages;
struct outlet;

/* Must history be asked what a message from there answers? */
bool late_messages_has(struct outlet *outlet, uint64_t from);

struct late_messages *late_messages_new(struct outlet *outlet);
/* NULL: nothing. One that was handed to gateways_callback_go_on frees itself. */
void late_messages_free(struct late_messages *late);
/* Copies it. */
void late_messages_add(struct late_messages *late, const struct heard_message *message);
/* What the provider is to be answered when they are kept: a copy. */
void late_messages_set_reply(struct late_messages *late, const struct callback_reply *reply);

#endif
