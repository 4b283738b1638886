/* Endpoints with anything to send stand in a ring and take turns. What the sender remembers of one
 * is how far it has read in the endpoint's outbox: places only grow, so it never looks at what is
 * under way or done. Memory for that is bounded: an endpoint that finds no room is found again by a
 * walk over the outbox when there is some. */
#include "gateway/webhook_sender.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/entropy.h"
#include "base/id.h"
#include "base/log.h"
#include "base/metric.h"
#include "gateway/webhook_request.h"
#include "pipeline/pipeline.h"

enum {
    BUCKETS = 16384,
    EVICTION_STEPS = 256, /* places looked at for an endpoint that can be forgotten */
    TURN_STEPS = 64,      /* webhooks taken, or endpoints found, in one turn of the loop */
    AGAIN_MS = 100,
    CONNECTIONS_PER_HOST = 64,
    ANSWER_BYTES_MAX = 1 << 20,
};

struct endpoint {
    uint64_t number; /* 0: this place is free */
    uint64_t place;  /* of its outbox, up to which all was taken */
    uint32_t in_flight, limit;
    bool is_waiting; /* for its turn, in the ring */
    struct endpoint *next_waiting, *next_in_bucket;
};

enum delivery_state { DELIVERY_FREE, DELIVERY_HELD, DELIVERY_SENT, DELIVERY_TO_RECORD };

/* One attempt. */
struct delivery {
    struct webhook_sender *sender;
    enum delivery_state state;
    struct endpoint *endpoint;
    uint64_t hold; /* HELD: the batch that must be durable first */
    uint64_t start_ns;
    struct webhook_result_command result;
    struct webhook_request request;
    struct delivery *next_free;
};

struct webhook_sender {
    struct pipeline *pipeline;
    struct http_client *client;
    struct webhook_sender_options options;
    struct delivery *deliveries, *free;
    uint32_t held, to_record; /* how many are */
    struct endpoint *endpoints, *buckets[BUCKETS];
    uint32_t endpoints_used, hand; /* places ever used; where the next eviction looks first */
    struct endpoint *waiting, **waiting_end;
    bool is_missed;      /* an endpoint found no room */
    bool is_walking;     /* over the outbox, for endpoints that were missed */
    uint64_t walk_after; /* it has come so far */
    bool has_secret, is_scheduled, is_stopped;
    uv_timer_t again; /* for what may not be written now */
};

/* --- endpoints -----------------------------------------------------------------------------------
 */

static struct endpoint **bucket_of(struct webhook_sender *sender, uint64_t number)
{
    return &sender->buckets[(number * UINT64_C(0x9e3779b97f4a7c15)) >> 50];
}

static struct endpoint *endpoint_find(struct webhook_sender *sender, uint64_t number)
{
    struct endpoint *endpoint = *bucket_of(sender, number);

    while (endpoint != NULL && endpoint->number != number)
        endpoint = endpoint->next_in_bucket;
    return endpoint;
}

static void endpoint_forget(struct webhook_sender *sender, struct endpoint *endpoint)
{
    struct endpoint **at = bucket_of(sender, endpoint->number);

    while (*at != endpoint)
        at = &(*at)->next_in_bucket;
    *at = endpoint->next_in_bucket;
    endpoint->number = 0;
}

/* A place for one more: an unused one, or that of an endpoint with nothing to do. NULL: none found.
 */
static struct endpoint *endpoint_place(struct webhook_sender *sender)
{
    if (sender->endpoints_used < sender->options.endpoints_max)
        return &sender->endpoints[sender->endpoints_used++];
    for (int i = 0; i < EVICTION_STEPS; i++) {
        struct endpoint *endpoint =
            &sender->endpoints[sender->hand++ % sender->options.endpoints_max];
        if (endpoint->in_flight > 0 || endpoint->is_waiting)
            continue;
        if (endpoint->number != 0)
            endpoint_forget(sender, endpoint);
        return endpoint;
    }
    return NULL;
}

static struct endpoint *endpoint_open(struct webhook_sender *sender, uint64_t number)
{
    struct endpoint *endpoint = endpoint_find(sender, number), **bucket;

    if (endpoint != NULL)
        return endpoint;
    endpoint = endpoint_place(sender);
    if (endpoint == NULL)
        return NULL;
    bucket = bucket_of(sender, number);
    *endpoint = (struct endpoint){.number = number,
                                  .limit = sender->options.endpoint_in_flight_max,
                                  .next_in_bucket = *bucket};
    *bucket = endpoint;
    return endpoint;
}

static void endpoint_wait(struct webhook_sender *sender, struct endpoint *endpoint)
{
    if (endpoint->is_waiting || endpoint->in_flight >= endpoint->limit)
        return;
    endpoint->is_waiting = true;
    endpoint->next_waiting = NULL;
    *sender->waiting_end = endpoint;
    sender->waiting_end = &endpoint->next_waiting;
}

static struct endpoint *endpoint_next(struct webhook_sender *sender)
{
    struct endpoint *endpoint = sender->waiting;

    sender->waiting = endpoint->next_waiting;
    if (sender->waiting == NULL)
        sender->waiting_end = &sender->waiting;
    endpoint->is_waiting = false;
    return endpoint;
}

/* --- results -------------------------------------------------------------------------------------
 */

static void schedule(struct webhook_sender *sender);

static void finish(struct delivery *delivery, enum webhook_status status)
{
    struct webhook_sender *sender = delivery->sender;
    struct endpoint *endpoint = delivery->endpoint;
    char id[ID_TEXT_MAX + 1] = {0};

    if (delivery->result.error == WEBHOOK_ERROR_NONE) {
        endpoint->limit *= 2;
        if (endpoint->limit > sender->options.endpoint_in_flight_max)
            endpoint->limit = sender->options.endpoint_in_flight_max;
    } else {
        endpoint->limit = 1;
    }
    if (status == WEBHOOK_DELIVERED)
        metric_add(METRIC_WEBHOOKS_DELIVERED, 1);
    else if (status == WEBHOOK_FAILED)
        metric_add(METRIC_WEBHOOKS_FAILED, 1);
    if (delivery->result.error == WEBHOOK_ERROR_GONE) {
        id_format(id, "whe_", endpoint->number);
        log_event(LOG_WARNING, "webhook_endpoint_gone", LOG_TEXT("endpoint", id));
    }
    endpoint->in_flight--;
    delivery->state = DELIVERY_FREE;
    delivery->next_free = sender->free;
    sender->free = delivery;
    endpoint_wait(sender, endpoint);
    schedule(sender);
}

static void on_again(uv_timer_t *timer);

static void come_again(struct webhook_sender *sender)
{
    if (!uv_is_active((uv_handle_t *)&sender->again))
        uv_timer_start(&sender->again, on_again, AGAIN_MS, 0);
}

/* Nothing may be written now: the result waits, and its place with it. */
static void record(struct delivery *delivery)
{
    struct webhook_sender *sender = delivery->sender;
    struct command command = {.type = COMMAND_WEBHOOK_RESULT,
                              .of.webhook_result = delivery->result};
    struct result result;

    pipeline_run(sender->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OK) {
        finish(delivery, (enum webhook_status)result.of.webhook.status);
        return;
    }
    delivery->state = DELIVERY_TO_RECORD;
    sender->to_record++;
    come_again(sender);
}

static void on_again(uv_timer_t *timer)
{
    struct webhook_sender *sender = timer->data;

    for (uint32_t i = 0; i < sender->options.in_flight_max && sender->to_record > 0; i++) {
        struct delivery *delivery = &sender->deliveries[i];
        if (delivery->state != DELIVERY_TO_RECORD)
            continue;
        if (pipeline_admits(sender->pipeline) != OUTCOME_OK) {
            come_again(sender);
            return;
        }
        sender->to_record--;
        record(delivery);
    }
    schedule(sender);
}

static void on_answer(void *context, const struct http_client_response *response)
{
    struct delivery *delivery = context;
    struct webhook_sender *sender = delivery->sender;

    webhook_answer_read(response, pipeline_now_ms(sender->pipeline), &delivery->result);
    delivery->result.took_ms = (uint32_t)((clock_monotonic_ns() - delivery->start_ns) / 1000000);
    metric_add(METRIC_WEBHOOK_ATTEMPTS, 1);
    record(delivery);
}

/* --- sending -------------------------------------------------------------------------------------
 */

static void start(struct delivery *delivery)
{
    struct webhook_sender *sender = delivery->sender;
    struct http_client_request *http = &delivery->request.http;

    delivery->state = DELIVERY_SENT;
    delivery->start_ns = clock_monotonic_ns();
    http->timeout_ms = sender->options.timeout_ms;
    http->allow_private = sender->options.allow_private;
    http->on_done = on_answer;
    http->context = delivery;
    http_client_send(sender->client, http);
}

void webhook_sender_release(struct webhook_sender *sender, uint64_t durable)
{
    for (uint32_t i = 0; i < sender->options.in_flight_max && sender->held > 0; i++) {
        struct delivery *delivery = &sender->deliveries[i];
        if (delivery->state == DELIVERY_HELD && delivery->hold <= durable) {
            sender->held--;
            start(delivery);
        }
    }
}

static bool is_allowed(const struct webhook_sender *sender, struct text url)
{
    return webhook_url_is_valid(url.data, url.size) &&
           (sender->options.allow_private || memcmp(url.data, "https:", 6) == 0);
}

/* What there is to send, and to whom; read in one look, so it fits together. */
struct taken {
    struct webhook_ready ready;
    struct webhook webhook;
    struct webhook_secret_row secret;
    bool is_enabled;
    uint64_t hold;
};

static bool take(struct webhook_sender *sender, struct endpoint *endpoint, struct taken *taken)
{
    struct txn *txn = pipeline_read_begin(sender->pipeline);
    struct webhook_endpoint row;
    bool is_there = webhook_outbox_first(txn, endpoint->number, endpoint->place, &taken->ready);

    if (is_there) {
        bool is_whole = webhook_find(txn, taken->ready.webhook, &taken->webhook) &&
                        webhook_endpoint_find(txn, endpoint->number, &row) &&
                        webhook_secret_find(txn, &taken->secret);
        assert(is_whole);
        taken->is_enabled = row.row.status == WEBHOOK_ENDPOINT_ENABLED;
        endpoint->place = taken->ready.place;
    }
    taken->hold = pipeline_read_end(sender->pipeline, txn);
    return is_there;
}

static void begin(struct webhook_sender *sender, struct endpoint *endpoint,
                  const struct taken *taken)
{
    struct delivery *delivery = sender->free;

    sender->free = delivery->next_free;
    endpoint->in_flight++;
    delivery->endpoint = endpoint;
    delivery->hold = taken->hold;
    delivery->result = (struct webhook_result_command){.webhook = taken->ready.webhook,
                                                       .place = taken->ready.place};
    if (!taken->is_enabled || !is_allowed(sender, taken->webhook.url)) {
        delivery->result.error =
            taken->is_enabled ? WEBHOOK_ERROR_FORBIDDEN_URL : WEBHOOK_ERROR_ENDPOINT_DISABLED;
        record(delivery);
        return;
    }
    webhook_request_fill(&delivery->request, taken->ready.webhook, &taken->webhook, &taken->secret,
                         pipeline_now_ms(sender->pipeline));
    if (taken->hold <= pipeline_durable(sender->pipeline)) {
        start(delivery);
    } else {
        delivery->state = DELIVERY_HELD;
        sender->held++;
    }
}

/* --- turns ---------------------------------------------------------------------------------------
 */

/* There is one from the first turn on; only a disk that is full then can put it off. */
static bool has_secret(struct webhook_sender *sender)
{
    struct command command = {.type = COMMAND_WEBHOOK_SECRET, .of.webhook_secret.is_first = true};
    struct result result;

    if (sender->has_secret)
        return true;
    entropy_fill(command.of.webhook_secret.secret, WEBHOOK_SECRET_SIZE);
    pipeline_run(sender->pipeline, &command, &result);
    sender->has_secret = result.outcome == OUTCOME_OK;
    if (!sender->has_secret)
        come_again(sender);
    return sender->has_secret;
}

/* Finds endpoints that have something ready and are not remembered. False: there is nothing more to
 * be found now. */
static bool walk(struct webhook_sender *sender)
{
    bool has_found = false;
    struct txn *txn;

    if (!sender->is_walking && sender->is_missed) {
        sender->is_walking = true;
        sender->is_missed = false;
        sender->walk_after = 0;
    }
    if (!sender->is_walking)
        return false;
    txn = pipeline_read_begin(sender->pipeline);
    for (int i = 0; i < TURN_STEPS && sender->is_walking; i++) {
        uint64_t number = webhook_outbox_endpoint(txn, sender->walk_after);
        struct endpoint *endpoint = number == 0 ? NULL : endpoint_open(sender, number);
        if (number == 0)
            sender->is_walking = false;
        else if (endpoint == NULL)
            break; /* no room: goes on when something was sent */
        else
            endpoint_wait(sender, endpoint);
        sender->walk_after = number;
        has_found = true;
    }
    pipeline_read_end(sender->pipeline, txn);
    return has_found;
}

static void on_turn(void *context)
{
    struct webhook_sender *sender = context;
    struct taken taken;
    bool has_more;
    int steps = 0;

    sender->is_scheduled = false;
    if (sender->is_stopped || !has_secret(sender))
        return;
    has_more = walk(sender);
    while (sender->waiting != NULL && sender->free != NULL && steps++ < TURN_STEPS) {
        struct endpoint *endpoint = endpoint_next(sender);
        if (take(sender, endpoint, &taken)) {
            begin(sender, endpoint, &taken);
            endpoint_wait(sender, endpoint);
        }
    }
    if (steps >= TURN_STEPS || has_more)
        schedule(sender);
}

static void schedule(struct webhook_sender *sender)
{
    if (sender->is_scheduled || sender->is_stopped)
        return;
    sender->is_scheduled = true;
    pipeline_continue(sender->pipeline, on_turn, sender);
}

static void on_webhook(void *context, uint64_t number)
{
    struct webhook_sender *sender = context;
    struct endpoint *endpoint = NULL;

    if (number != WEBHOOK_ENDPOINTS_MANY)
        endpoint = endpoint_open(sender, number);
    if (endpoint != NULL)
        endpoint_wait(sender, endpoint);
    else
        sender->is_missed = true;
    schedule(sender);
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct webhook_sender *webhook_sender_new(struct pipeline *pipeline, struct uv_loop_s *loop,
                                          const struct webhook_sender_options *options)
{
    struct webhook_sender *sender = calloc(1, sizeof *sender);
    struct http_client_options client = {.connections_max = options->in_flight_max,
                                         .connections_per_host_max = CONNECTIONS_PER_HOST,
                                         .timeout_ms = options->timeout_ms,
                                         .connect_timeout_ms = options->timeout_ms,
                                         .response_bytes_max = ANSWER_BYTES_MAX,
                                         .ca_file = options->ca_file};

    assert(sender != NULL);
    sender->pipeline = pipeline;
    sender->options = *options;
    sender->client = http_client_new(loop, &client);
    sender->endpoints = calloc(options->endpoints_max, sizeof *sender->endpoints);
    sender->deliveries = calloc(options->in_flight_max, sizeof *sender->deliveries);
    assert(sender->endpoints != NULL && sender->deliveries != NULL);
    sender->waiting_end = &sender->waiting;
    for (uint32_t i = 0; i < options->in_flight_max; i++) {
        struct delivery *delivery = &sender->deliveries[i];
        delivery->sender = sender;
        webhook_request_init(&delivery->request);
        delivery->next_free = sender->free;
        sender->free = delivery;
    }
    uv_timer_init(loop, &sender->again);
    uv_unref((uv_handle_t *)&sender->again);
    sender->again.data = sender;
    sender->is_missed = true; /* what the last run left */
    pipeline_watch_webhooks(pipeline, on_webhook, sender);
    schedule(sender);
    return sender;
}

void webhook_sender_stop(struct webhook_sender *sender)
{
    sender->is_stopped = true;
    sender->held = 0;
    http_client_free(sender->client);
    uv_close((uv_handle_t *)&sender->again, NULL);
}

void webhook_sender_free(struct webhook_sender *sender)
{
    for (uint32_t i = 0; i < sender->options.in_flight_max; i++)
        webhook_request_release(&sender->deliveries[i].request);
    free(sender->deliveries);
    free(sender->endpoints);
    free(sender);
}
