/* All outlets together: what wakes them, what ends them. One pump looks at each outlet in a turn of
 * the loop that somebody asked for, or when a timer says that something is due; it is run by an
 * idle handle, which libuv calls before the turn's batch is submitted: what a request put into the
 * outbox is taken in the very batch that makes it durable. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/log.h"
#include "gateway/outlet.h"
#include "http/client.h"
#include "pipeline/pipeline.h"

enum { CONNECTIONS_MAX = 1024, CONNECTIONS_PER_HOST_MAX = 64 };

static void on_turn(uv_idle_t *idle);

void gateways_want_pump(struct gateways *gateways)
{
    if (!gateways->is_closed)
        uv_idle_start(&gateways->turn, on_turn);
}

static void on_timer(uv_timer_t *timer)
{
    struct gateways *gateways = timer->data;

    gateways->timer_ms = INT64_MAX;
    gateways_want_pump(gateways);
}

static void set_timer(struct gateways *gateways, int64_t at_ms, int64_t now_ms)
{
    if (at_ms == gateways->timer_ms)
        return;
    gateways->timer_ms = at_ms;
    if (at_ms == INT64_MAX) {
        uv_timer_stop(&gateways->timer);
        return;
    }
    uv_update_time(gateways->loop);
    uv_timer_start(&gateways->timer, on_timer, (uint64_t)(at_ms - now_ms), 0);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Every product has an outlet, also one that only has receipts to come. What lies in the outbox
 * since the last run is found by looking there. */
static void find_products(struct gateways *gateways)
{
    struct txn *txn = pipeline_read_begin(gateways->pipeline);
    char from[9] = {CATALOG_PRODUCT};
    struct txn_walk *walk = txn_walk(txn, TABLE_CATALOG_NUMBER, WALK_UP, from, sizeof from);

    while (txn_walk_next(walk) && *(const char *)walk->key == CATALOG_PRODUCT) {
        uint64_t product = bytes_get_u64_be((const char *)walk->key + 1);
        struct outlet *outlet = outlet_new(gateways, product);
        for (unsigned lane = 0; lane < LANES; lane++)
            outlet_put(outlet, lane, 0);
    }
    txn_walk_end(walk);
    pipeline_read_end(gateways->pipeline, txn);
    gateways->is_changed = true;
}

static void refresh(struct gateways *gateways)
{
    if (!gateways->is_changed)
        return;
    gateways->is_changed = false;
    for (struct outlet *outlet = gateways->outlets; outlet != NULL; outlet = outlet->next)
        outlet_refresh(outlet);
}

/* Who waits for what is due to be done. */
struct settled {
    void (*on_done)(void *context);
    void *context;
    struct settled *next;
};

static void tell_if_done(struct gateways *gateways, int64_t next_ms, int64_t now_ms)
{
    void (*on_stopped)(void *context) = gateways->on_stopped;
    struct settled *waiter = gateways->settled, *next;
    bool is_held = false, is_gathered = false;

    for (struct outlet *outlet = gateways->outlets; outlet != NULL; outlet = outlet->next) {
        is_held = is_held || outlet->holding.count > 0;
        is_gathered = is_gathered || outlet->ready.count > 0; /* until next_ms, for a batch */
    }
    if (!is_held && next_ms > now_ms)
        gateways->settled = NULL;
    else
        waiter = NULL;
    for (; waiter != NULL; waiter = next) {
        next = waiter->next;
        waiter->on_done(waiter->context);
        free(waiter);
    }
    if (on_stopped != NULL && gateways->requests == 0 && !is_held && !is_gathered) {
        gateways->on_stopped = NULL;
        uv_timer_stop(&gateways->grace);
        on_stopped(gateways->on_stopped_context);
    }
}

static void pump(struct gateways *gateways)
{
    int64_t now_ms = pipeline_now_ms(gateways->pipeline), next_ms = INT64_MAX;

    if (gateways->is_scattered)
        find_products(gateways);
    gateways->is_scattered = false;
    refresh(gateways);
    if (gateways->is_recovering)
        next_ms = gateways_recover(gateways, now_ms);
    next_ms = earlier(next_ms, gateways_settle_doubts(gateways, now_ms));
    for (struct outlet *outlet = gateways->outlets; outlet != NULL; outlet = outlet->next)
        next_ms = earlier(next_ms, outlet_pump(outlet, now_ms));
    if (next_ms <= now_ms)
        gateways_want_pump(gateways);
    else
        set_timer(gateways, next_ms, now_ms);
    tell_if_done(gateways, uv_is_active((uv_handle_t *)&gateways->turn) ? now_ms : next_ms, now_ms);
}

static void on_turn(uv_idle_t *idle)
{
    uv_idle_stop(idle);
    pump(idle->data);
}

/* Inside of a transaction: the product's row may not be looked at now; that is the pump's. */
static void on_outbox(void *context, const struct outbox_wake *wake)
{
    struct gateways *gateways = context;
    struct outlet *outlet;

    if (wake->product == 0) {
        gateways->is_scattered = true;
    } else {
        outlet = outlet_new(gateways, wake->product);
        gateways->is_changed = gateways->is_changed || !outlet->is_known;
        outlet_put(outlet, (unsigned)wake->lane - 1, wake->due_ms);
    }
    gateways_want_pump(gateways);
}

static int open_sandbox_log(const char *path)
{
    int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

    if (path != NULL && fd < 0)
        log_event(LOG_ERROR, "sandbox_log_unwritable", LOG_TEXT("path", path));
    return fd;
}

static void init_handles(struct gateways *gateways)
{
    uv_idle_init(gateways->loop, &gateways->turn);
    uv_timer_init(gateways->loop, &gateways->timer);
    uv_timer_init(gateways->loop, &gateways->grace);
    gateways->turn.data = gateways->timer.data = gateways->grace.data = gateways;
    /* The server decides when the loop ends, not these. */
    uv_unref((uv_handle_t *)&gateways->turn);
    uv_unref((uv_handle_t *)&gateways->timer);
}

struct gateways *gateways_new(struct pipeline *pipeline, uv_loop_t *loop,
                              const struct gateways_options *options)
{
    struct gateways *gateways = calloc(1, sizeof *gateways);
    struct http_client_options client = {.ca_file = options->ca_file,
                                         .connections_max = CONNECTIONS_MAX,
                                         .connections_per_host_max = CONNECTIONS_PER_HOST_MAX};

    assert(gateways != NULL);
    gateways->pipeline = pipeline;
    gateways->loop = loop;
    gateways->options = *options;
    gateways->client = http_client_new(loop, &client);
    gateways->sandbox_log = open_sandbox_log(options->sandbox_log);
    gateways->ask_ms = gateways->timer_ms = INT64_MAX;
    gateways->late_end = &gateways->late;
    gateways->is_recovering = true;
    submit_queue_init(&gateways->doubtful);
    init_handles(gateways);
    find_products(gateways);
    pipeline_watch_outbox(pipeline, on_outbox, gateways);
    gateways_want_pump(gateways);
    return gateways;
}

void gateways_release(struct gateways *gateways, uint64_t durable)
{
    for (struct outlet *outlet = gateways->outlets; outlet != NULL; outlet = outlet->next) {
        if (outlet->holding.first != NULL && outlet->holding.first->hold <= durable)
            gateways_want_pump(gateways);
    }
}

void gateways_changed(struct gateways *gateways)
{
    gateways->is_changed = true;
    gateways_want_pump(gateways);
}

void gateways_run_due(struct gateways *gateways, void (*on_done)(void *context), void *context)
{
    struct settled *waiter = malloc(sizeof *waiter);

    assert(waiter != NULL);
    *waiter = (struct settled){on_done, context, gateways->settled};
    gateways->settled = waiter;
    gateways_want_pump(gateways);
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void on_grace_over(uv_timer_t *timer)
{
    struct gateways *gateways = timer->data;
    void (*on_stopped)(void *context) = gateways->on_stopped;

    gateways->on_stopped = NULL;
    log_event(LOG_WARNING, "stopped_without_answers", LOG_NUMBER("messages", gateways->requests));
    on_stopped(gateways->on_stopped_context);
}

void gateways_stop(struct gateways *gateways, uint32_t grace_ms, void (*on_stopped)(void *context),
                   void *context)
{
    gateways->is_stopping = true;
    gateways->on_stopped = on_stopped;
    gateways->on_stopped_context = context;
    uv_timer_start(&gateways->grace, on_grace_over, grace_ms, 0);
    uv_ref((uv_handle_t *)&gateways->turn);
    gateways_want_pump(gateways);
}

void gateways_close(struct gateways *gateways)
{
    gateways->is_closed = true;
    uv_close((uv_handle_t *)&gateways->turn, NULL);
    uv_close((uv_handle_t *)&gateways->timer, NULL);
    uv_close((uv_handle_t *)&gateways->grace, NULL);
    for (struct outlet *outlet = gateways->outlets; outlet != NULL; outlet = outlet->next) {
        while (outlet->gateways_all != NULL) {
            struct gateway *gateway = outlet->gateways_all;
            outlet->gateways_all = gateway->next;
            gateway->ops->free(gateway);
        }
    }
    http_client_free(gateways->client);
    if (gateways->sandbox_log >= 0)
        close(gateways->sandbox_log);
}

void gateways_free(struct gateways *gateways)
{
    struct outlet *outlet, *next;
    struct settled *waiting;

    assert(gateways->is_closed);
    for (; gateways->settled != NULL; gateways->settled = waiting) {
        waiting = gateways->settled->next;
        free(gateways->settled);
    }
    for (outlet = gateways->outlets; outlet != NULL; outlet = next) {
        next = outlet->next;
        free(outlet);
    }
    submits_release(gateways);
    poll_release(gateways);
    free(gateways);
}

/* --- metrics -------------------------------------------------------------------------------------
 */

static void render_gauge(struct gateways *gateways, struct buffer *to, const char *name,
                         const char *type, const char *help,
                         uint64_t (*value)(const struct outlet *outlet))
{
    buffer_append_format(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    for (const struct outlet *outlet = gateways->outlets; outlet != NULL; outlet = outlet->next) {
        if (*outlet->id == '\0')
            continue;
        buffer_append_format(to, "%s{product=\"%s\"} ", name, outlet->id);
        buffer_append_uint(to, value(outlet));
        buffer_append_literal(to, "\n");
    }
}

static uint64_t in_flight_of(const struct outlet *outlet)
{
    return outlet->in_flight;
}

static uint64_t circuit_of(const struct outlet *outlet)
{
    return outlet->circuit.state;
}

static uint64_t receipts_of(const struct outlet *outlet)
{
    return outlet->receipts;
}

void gateways_render(struct gateways *gateways, struct buffer *to)
{
    static const char *const answers[] = {[MESSAGE_ACCEPTED] = "accepted",
                                          [MESSAGE_REFUSED] = "refused",
                                          [MESSAGE_RETRY] = "retry",
                                          [MESSAGE_THROTTLED] = "throttled",
                                          [MESSAGE_UNKNOWN] = "unknown"};

    render_gauge(gateways, to, "smsd_product_in_flight", "gauge",
                 "Messages taken from the outbox that have no answer yet.", in_flight_of);
    render_gauge(gateways, to, "smsd_product_circuit", "gauge", "0: closed, 1: half open, 2: open.",
                 circuit_of);
    render_gauge(gateways, to, "smsd_product_receipts_total", "counter", "Receipts taken.",
                 receipts_of);
    buffer_append_literal(to, "# HELP smsd_product_answers_total What the provider answered to "
                              "messages.\n# TYPE smsd_product_answers_total counter\n");
    for (const struct outlet *outlet = gateways->outlets; outlet != NULL; outlet = outlet->next) {
        for (int i = MESSAGE_ACCEPTED; i <= MESSAGE_UNKNOWN && *outlet->id != '\0'; i++) {
            buffer_append_format(to, "smsd_product_answers_total{product=\"%s\",answer=\"%s\"} ",
                                 outlet->id, answers[i]);
            buffer_append_uint(to, outlet->counts[i]);
            buffer_append_literal(to, "\n");
        }
    }
}
