/* Inside the room: an outlet is one product's way out; a gateway is how it gets there, by the
 * product's configuration as it was at some moment. When that changes the outlet gets a new gateway
 * and the old one lives until its last answer. */
#ifndef SMSD_GATEWAY_OUTLET_H
#define SMSD_GATEWAY_OUTLET_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "engine/catalog.h"
#include "engine/message.h"
#include "engine/outbox.h"
#include "gateway/circuit.h"
#include "gateway/gateway.h"
#include "gateway/rate.h"
#include "gateway/settings.h"

struct gateway;
struct http_client;
struct outlet;

enum { LANES = 3, SUBMITS_PER_REQUEST_MAX = 1000 };

/* One message on its way to a provider, from COMMAND_MESSAGE_SENDING to its result. */
struct submit {
    struct outlet *outlet;
    struct gateway *gateway;
    struct submit *next;
    uint64_t message;
    uint64_t hold; /* it may go when this is durable */
    uint64_t circuit_epoch;
    int64_t taken_ms;
    uint32_t attempt;
    uint8_t lane;  /* from 0 */
    uint8_t asked; /* how often the provider was asked what became of it */
};

/* What a provider said to a submit. */
struct said {
    enum message_answer answer;
    const struct text *ids;
    size_t id_count;
    struct text detail;
};

/* What somebody has sent to us, as a provider tells it; all but `from` may be absent. */
struct heard_message {
    struct text id, to, content;
    uint64_t from;             /* E.164 digits */
    uint64_t message, company; /* that it answers, as history has it; 0: not known */
};

/* What it said to a status query. */
struct said_status {
    enum { STATUS_NOTHING, STATUS_ABSENT, STATUS_FOUND } found;
    enum receipt_status status;
    struct text id, detail; /* may be absent */
};

/* A question about one message: `provider_id` of one that was sent; without, by our id. */
struct inquiry {
    struct outlet *outlet;
    struct gateway *gateway;
    struct submit *submit; /* NULL: polled */
    uint64_t message;
    struct text provider_id;
    char provider_id_bytes[PROVIDER_ID_MAX];
};

struct gateway_ops {
    /* Each submit gets one outlet_answer, never inside of this. */
    void (*send)(struct gateway *gateway, struct submit **submits, size_t count);
    /* The inquiry gets one outlet_status. Only if can_query. */
    void (*query)(struct gateway *gateway, struct inquiry *inquiry);
    /* NULL, or: does what is due by now, and returns when there will be more (INT64_MAX: nothing).
     */
    int64_t (*run_due)(struct gateway *gateway, int64_t now_ms);
    /* Drops what it awaits without a word, and frees itself. */
    void (*free)(struct gateway *gateway);
};

struct gateway {
    const struct gateway_ops *ops;
    struct outlet *outlet;
    struct gateway *next; /* among the outlet's */
    struct arena arena;   /* of the settings */
    struct text source;   /* what they were read from */
    struct gateway_settings settings;
    bool can_query;     /* about a message by our id alone */
    uint32_t batch_max; /* messages in one request */
    uint32_t users;     /* what is under way by it, and the outlet itself */
};

struct submit_queue {
    struct submit *first, **last;
    uint32_t count;
};

struct outlet {
    struct gateways *gateways;
    struct outlet *next;
    uint64_t product;
    char id[CATALOG_ID_MAX + 1];
    bool is_known;                /* the product has been read */
    struct gateway *gateway;      /* NULL: it cannot send */
    struct gateway *gateways_all; /* this one, and those that still have users */
    bool is_enabled;
    uint32_t batch_max;
    int64_t batch_wait_ms;
    struct rate rate;
    struct circuit circuit;
    struct outbox_item from[LANES]; /* no row of the lane is before it */
    int64_t due_ms[LANES];          /* when its head is due; INT64_MAX: it is empty */
    uint32_t passed[LANES];         /* how often others went before its head */
    struct gathering {
        struct outbox_item last; /* of those that were counted */
        uint32_t counted;        /* that wait in the outbox, up to a batch */
        uint32_t released;       /* of these, may be taken */
    } gatherings[LANES];
    uint32_t in_flight, lane_in_flight[LANES];
    struct submit_queue holding; /* SENDING is not durable yet */
    struct submit_queue ready;   /* for the next request */
    uint32_t codes_ready;        /* of these, verification codes */
    int64_t paused_ms;           /* nothing is taken before: the provider was throttling */
    uint32_t throttles;          /* in a row */
    uint64_t counts[MESSAGE_UNKNOWN + 1], receipts;
};

/* A result that could not be stored, because nothing was admitted at the moment. */
struct late_result {
    struct late_result *next;
    struct submit *submit;
    struct said said; /* its texts lie behind */
};

struct gateways {
    struct pipeline *pipeline;
    uv_loop_t *loop;
    struct gateways_options options;
    struct http_client *client;
    int sandbox_log; /* -1: none */
    struct outlet *outlets;
    struct submit *free_submits;
    struct submit **all_submits; /* to be freed at the end */
    size_t submit_count, submit_capacity;
    struct submit_queue doubtful; /* their outcome is unknown; the provider is to be asked */
    int64_t ask_ms;               /* when the first of them is; INT64_MAX: none is */
    struct late_result *late, **late_end;
    uv_idle_t turn;         /* active: pump in the next turn */
    uv_timer_t timer;       /* pump at timer_ms */
    int64_t timer_ms;       /* INT64_MAX: it is not set */
    uint64_t recover_after; /* the last message that was recovered */
    bool is_recovering, is_stopping, is_closed, is_changed;
    bool is_scattered;  /* the outbox has got messages, of any products */
    uint32_t in_flight; /* of all outlets */
    uint32_t requests;  /* messages on the wire */
    void (*on_stopped)(void *context);
    void *on_stopped_context;
    uv_timer_t grace;
    struct settled *settled; /* who waits for what is due to be done */
    struct poll *poll;       /* under way; NULL: none is */
    int64_t polled_ms;       /* when the last one began */
};

/* By gateways. */
void outlet_answer(struct submit *submit, const struct said *said);
void outlet_status(struct inquiry *inquiry, const struct said_status *said);
/* A receipt. OUTCOME_OK, or why it could not be taken; `hold` is when it is durable. */
enum outcome outlet_receipt(struct outlet *outlet, struct text provider_id,
                            enum receipt_status status, struct text detail, uint64_t *hold);
/* A message that somebody has sent to us, in the same way (SMS-18). */
enum outcome outlet_received(struct outlet *outlet, const struct heard_message *message,
                             uint64_t *hold);
/* The gateway has something to do at this time, which it did not know before. */
void outlet_wake(struct outlet *outlet, int64_t at_ms);

struct gateway *sandbox_new(struct gateways *gateways);
struct gateway *http_gateway_new(struct gateways *gateways);

/* Of a text that a provider wrote, as much as is kept of it, as UTF-8 without control characters.
 */
struct text detail_clean(struct text detail, char to[MESSAGE_DETAIL_MAX]);

/* outlet.c */
/* The product's; a new one is not read yet. No row is looked at. */
struct outlet *outlet_new(struct gateways *gateways, uint64_t product);
/* The same, read. */
struct outlet *outlet_of(struct gateways *gateways, uint64_t product);
/* Reads the product again if it has changed. */
void outlet_refresh(struct outlet *outlet);
void gateway_keep(struct gateway *gateway);
void gateway_let_go(struct gateway *gateway);

/* dispatch.c: takes, hands over, waits. `now_ms` again or INT64_MAX when there is more to do. */
int64_t outlet_pump(struct outlet *outlet, int64_t now_ms);
/* The head of a lane may have changed: something was put that is due then. */
void outlet_put(struct outlet *outlet, unsigned lane, int64_t due_ms);

/* submit.c: what comes of it. */
struct submit *submit_new(struct outlet *outlet, uint64_t message, uint32_t attempt);
void submit_free(struct submit *submit);
/* It is refused for now, without having been on the wire or in the window. */
void submit_turn_back(struct submit *submit);
/* All that are left, at the end; their gateways are gone already. */
void submits_release(struct gateways *gateways);
/* Recovers what was `sending` at start: a slice. Both return when there is more to do. */
int64_t gateways_recover(struct gateways *gateways, int64_t now_ms);
/* Asks again what is due to be asked; stores what could not be stored. */
int64_t gateways_settle_doubts(struct gateways *gateways, int64_t now_ms);

/* poll.c: an inquiry of it has its answer; the end. */
void poll_go_on(struct gateways *gateways);
void poll_release(struct gateways *gateways);

/* gateways.c: has everything looked at in the next turn of the loop. */
void gateways_want_pump(struct gateways *gateways);

static inline void submit_queue_init(struct submit_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
    queue->count = 0;
}

static inline void submit_push(struct submit_queue *queue, struct submit *submit)
{
    submit->next = NULL;
    *queue->last = submit;
    queue->last = &submit->next;
    queue->count++;
}

static inline struct submit *submit_pop(struct submit_queue *queue)
{
    struct submit *submit = queue->first;

    if (submit == NULL)
        return NULL;
    queue->first = submit->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    queue->count--;
    return submit;
}

#endif
