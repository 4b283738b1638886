/* The door of the room: gateways take messages from the outbox to providers, and bring back what
 * these say as commands (SMS-11, SMS-12, SMS-15, SMS-16).
 *
 * Each product has an outlet. While its rate, its window and its circuit allow, it takes the heads
 * of its lanes, verification first. COMMAND_MESSAGE_SENDING takes a message out of the outbox; it
 * goes on the wire when that is durable, so that after a crash nobody doubts what may have been
 * sent. Nothing is polled: the pipeline tells what is put into the outbox, and timers wait for what
 * is to come.
 *
 * At start, what was with a provider when the last run ended is recovered before anything is taken.
 * On stop nothing more is taken, and answers are waited for; what has none by then stays `sending`.
 *
 * Loop thread only. */
#ifndef SMSD_GATEWAY_GATEWAY_H
#define SMSD_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct buffer;
struct gateways;
struct late_messages;
struct pipeline;
struct uv_loop_s;

struct gateways_options {
    const char *ca_file;     /* to verify providers by; NULL: the system's */
    const char *sandbox_log; /* a line for each message the sandbox is given; NULL: none */
};

/* Recovers what was `sending` and begins. */
struct gateways *gateways_new(struct pipeline *pipeline, struct uv_loop_s *loop,
                              const struct gateways_options *options);
/* Holds up to `durable` are durable. */
void gateways_release(struct gateways *gateways, uint64_t durable);
/* Something in the catalogue has changed: products are looked at again. */
void gateways_changed(struct gateways *gateways);
/* The test clock was moved: does what is due by now. `on_done` is called when nothing of it is
 * left but what providers outside have not answered. */
void gateways_run_due(struct gateways *gateways, void (*on_done)(void *context), void *context);
/* Takes no more; calls `on_stopped` when no answer is awaited, or after `grace_ms`. */
void gateways_stop(struct gateways *gateways, uint32_t grace_ms, void (*on_stopped)(void *context),
                   void *context);
/* After on_stopped: its handles are closed by the loop. Then gateways_free. */
void gateways_close(struct gateways *gateways);
void gateways_free(struct gateways *gateways);

/* Metrics of each product, in Prometheus' text format. */
void gateways_render(struct gateways *gateways, struct buffer *to);

/* Asks the providers that can be asked about messages whose receipt is late (SMS-12). `on_done` is
 * told how many were asked; not called if smsd stops meanwhile. */
void gateways_poll(struct gateways *gateways,
                   void (*on_done)(void *context, uint64_t asked, bool is_failed), void *context);

/* A callback of a provider (SMS-12, SMS-18). */
struct callback_request {
    struct text method, query, content_type, authorization, body; /* data NULL: not there */
    struct text peer;                                             /* address; data NULL: unknown */
    struct text (*header)(const void *source, struct text name);
    const void *source;
    bool is_known; /* it has an API key that may send messages */
};

enum callback_outcome {
    CALLBACK_OK,
    CALLBACK_NOT_FOUND, /* no such product, or it takes no callbacks */
    CALLBACK_FORBIDDEN, /* it does not prove to be the provider's */
    CALLBACK_INVALID,   /* nothing in it could be read as a receipt or a message */
    CALLBACK_BUSY,      /* nothing can be written now: the provider should come again */
    /* It is the sandbox's, who knows nobody: the caller must be known, and then asks again. */
    CALLBACK_UNKNOWN_CALLER,
    /* What messages in it answer must be looked for: gateways_callback_go_on. */
    CALLBACK_LATER,
};

struct callback_reply {
    int status;
    const char *content_type; /* NULL: no body */
    struct text body;
    uint64_t hold;               /* its receipts are durable then */
    struct late_messages *later; /* of CALLBACK_LATER */
};

/* `reply` is valid until the loop's next turn, and filled if the outcome is CALLBACK_OK. */
enum callback_outcome gateways_callback(struct gateways *gateways, struct text product,
                                        const struct callback_request *request,
                                        struct callback_reply *reply);
/* `on_answer` comes once, with CALLBACK_OK or _BUSY, in a later turn or inside of this; its reply
 * is valid during the call. Frees `later`. */
void gateways_callback_go_on(struct late_messages *later,
                             void (*on_answer)(void *context, enum callback_outcome outcome,
                                               const struct callback_reply *reply),
                             void *context);

#endif
