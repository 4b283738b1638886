/* Sends webhooks (SMS-20). What is ready lies in the outbox, a queue for each endpoint; the sender
 * is woken when something is put there, takes endpoints in turn, keeps a few requests under way to
 * each and a bounded number in all, and says what came of each by a command. Nothing is polled.
 *
 * Delivered at least once: a webhook leaves the outbox only with its result, so what was under way
 * when smsd ended is sent again, with the same id. It is sent only once its event is durable.
 *
 * An endpoint that fails gets one request at a time until it has answered 2xx again, so that a dead
 * one holds few of the requests that all share. Loop thread only. */
#ifndef SMSD_GATEWAY_WEBHOOK_SENDER_H
#define SMSD_GATEWAY_WEBHOOK_SENDER_H

#include <stdbool.h>
#include <stdint.h>

struct pipeline;
struct uv_loop_s;
struct webhook_sender;

struct webhook_sender_options {
    uint32_t in_flight_max;          /* requests at once in all */
    uint32_t endpoint_in_flight_max; /* to one endpoint */
    uint32_t endpoints_max;          /* remembered; the others are searched for */
    uint32_t timeout_ms;             /* of an attempt */
    bool allow_private;  /* also to addresses that are not public, and over plain http */
    const char *ca_file; /* NULL: the system's */
};

/* Begins with what the last run left. Makes the secret if there is none yet. */
struct webhook_sender *webhook_sender_new(struct pipeline *pipeline, struct uv_loop_s *loop,
                                          const struct webhook_sender_options *options);
/* Batches up to this are durable: from the pipeline's on_durable. */
void webhook_sender_release(struct webhook_sender *sender, uint64_t durable);
/* Gives up what is under way. Then the loop must run until the handles are closed. */
void webhook_sender_stop(struct webhook_sender *sender);
void webhook_sender_free(struct webhook_sender *sender);

#endif
