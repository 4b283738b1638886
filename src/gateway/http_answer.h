/* Understanding what a provider said, by its configuration: answers to submits, receipts, messages
 * from people. Texts are in the caller's arena or point into what was heard. What cannot be
 * understood is MESSAGE_UNKNOWN, or left out; nothing here fails. */
#ifndef SMSD_GATEWAY_HTTP_ANSWER_H
#define SMSD_GATEWAY_HTTP_ANSWER_H

#include "gateway/http_config.h"
#include "gateway/outlet.h"
#include "http/client.h"

/* A response as something heard: its JSON is in the arena. */
void http_heard(struct arena *arena, const struct http_client_response *response,
                struct heard *heard);
/* What it says to one of `count` messages; texts are in the arena. `reference` is our id. */
void http_said(struct arena *arena, const struct http_answer *answer, const struct heard *heard,
               size_t index, size_t count, struct text reference, struct said *said);
/* The same of a response that did not come. */
void http_said_error(const struct http_client_response *response, struct said *said);

/* The receipts that were heard; returns how many, at most `max`. */
struct heard_receipt {
    struct text id, detail; /* may be absent */
    enum receipt_status status;
};
size_t http_receipts(struct arena *arena, const struct http_receipts *receipts,
                     const struct heard *heard, struct heard_receipt *found, size_t max);

/* The same of messages that people have sent. http_received.c */
size_t http_received(struct arena *arena, const struct http_received *received,
                     const struct heard *heard, struct heard_message *found, size_t max);
/* A sender as providers spell it: with + or 00, with nothing (then it is `prefix` and what follows
 * a 0 at its beginning; without a prefix E.164 already), with spaces and the like in it. False: it
 * is no such number, a short code or a word. */
bool received_sender(struct text text, struct text prefix, uint64_t *mobile);

#endif
