/* The poll (SMS-12): providers whose configuration has a status query are asked about messages that
 * they have taken and sent no receipt of. Which these are is read off the loop, from the ids that
 * providers gave; then the loop asks, some at a time. When a message is asked about follows from
 * its own age and the time of the last poll, so that nothing need be remembered of each. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/id.h"
#include "gateway/http_config.h"
#include "gateway/outlet.h"
#include "pipeline/pipeline.h"

enum { POLLED_MAX = 65536, UNDER_WAY_MAX = 32, PRODUCTS_MAX = 256 };

/* A product that is polled, and when. */
struct polled_product {
    uint64_t product;
    int64_t after_ms, every_ms, until_ms;
};

struct polled {
    uint64_t product, message;
    uint16_t attempt;
    uint8_t id_size;
    char id[PROVIDER_ID_MAX];
};

struct poll {
    struct gateways *gateways;
    struct polled_product products[PRODUCTS_MAX];
    size_t product_count;
    int64_t now_ms, before_ms; /* the last poll's now */
    struct polled *found;
    size_t count, next;
    uint32_t under_way;
    uint64_t asked;
    bool is_read;
    void (*on_done)(void *context, uint64_t asked, bool is_failed);
    void *context;
};

static const struct polled_product *product_of(const struct poll *poll, uint64_t product)
{
    for (size_t i = 0; i < poll->product_count; i++) {
        if (poll->products[i].product == product)
            return &poll->products[i];
    }
    return NULL;
}

/* On the scan's thread. */
static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct poll *poll = context;
    const struct polled_product *product = product_of(poll, bytes_get_u64_be(key));
    struct provider_id_row row;
    struct polled *found;
    int64_t age_ms;

    (void)table, (void)key_size;
    if (product == NULL)
        return 0;
    memcpy(&row, value, sizeof row);
    age_ms = poll->now_ms - id_time_ms(row.message);
    if (age_ms < product->after_ms || age_ms > product->until_ms)
        return 0;
    found = &poll->found[poll->count++];
    *found = (struct polled){.product = product->product,
                             .message = row.message,
                             .attempt = row.attempt,
                             .id_size = (uint8_t)(value_size - sizeof row)};
    memcpy(found->id, (const char *)value + sizeof row, found->id_size);
    return poll->count == POLLED_MAX; /* what is beyond waits for the next run */
}

/* Has its time come since the last poll? */
static bool is_time(const struct poll *poll, const struct polled_product *product, int64_t sent_ms)
{
    int64_t first_ms = sent_ms + product->after_ms;

    if (poll->now_ms < first_ms)
        return false;
    return poll->before_ms < first_ms || (poll->now_ms - first_ms) / product->every_ms >
                                             (poll->before_ms - first_ms) / product->every_ms;
}

static bool is_late(struct poll *poll, const struct polled *polled)
{
    struct pipeline *pipeline = poll->gateways->pipeline;
    struct txn *txn = pipeline_read_begin(pipeline);
    struct message_row row;
    bool is_so = message_find(txn, polled->message, &row) && row.status == MESSAGE_SENT &&
                 row.attempts == polled->attempt &&
                 is_time(poll, product_of(poll, polled->product), row.sent_ms);

    pipeline_read_end(pipeline, txn);
    return is_so;
}

static void ask(struct poll *poll, const struct polled *polled)
{
    struct outlet *outlet = outlet_of(poll->gateways, polled->product);
    struct inquiry *inquiry;

    if (outlet->gateway == NULL || outlet->gateway->settings.type != GATEWAY_HTTP ||
        outlet->gateway->settings.http->query == NULL)
        return; /* not any more */
    inquiry = calloc(1, sizeof *inquiry);
    assert(inquiry != NULL);
    inquiry->outlet = outlet;
    inquiry->gateway = outlet->gateway;
    inquiry->message = polled->message;
    memcpy(inquiry->provider_id_bytes, polled->id, polled->id_size);
    inquiry->provider_id = (struct text){inquiry->provider_id_bytes, polled->id_size};
    gateway_keep(inquiry->gateway);
    poll->under_way++;
    poll->asked++;
    inquiry->gateway->ops->query(inquiry->gateway, inquiry);
}

void poll_release(struct gateways *gateways)
{
    struct poll *poll = gateways->poll;

    gateways->poll = NULL;
    if (poll != NULL)
        free(poll->found);
    free(poll);
}

static void end(struct poll *poll, bool is_failed)
{
    void (*on_done)(void *context, uint64_t asked, bool is_failed) = poll->on_done;
    void *context = poll->context;
    uint64_t asked = poll->asked;

    poll_release(poll->gateways);
    on_done(context, asked, is_failed);
}

static void go_on(struct poll *poll)
{
    while (poll->next < poll->count && poll->under_way < UNDER_WAY_MAX) {
        const struct polled *polled = &poll->found[poll->next++];
        if (is_late(poll, polled))
            ask(poll, polled);
    }
    if (poll->under_way == 0)
        end(poll, false);
}

void poll_go_on(struct gateways *gateways)
{
    assert(gateways->poll->under_way > 0);
    gateways->poll->under_way--;
    go_on(gateways->poll);
}

static void on_scan_end(void *context, int error)
{
    struct poll *poll = context;

    if (error < 0 || poll->gateways->is_stopping)
        end(poll, error < 0);
    else
        go_on(poll);
}

static void find_products(struct poll *poll)
{
    struct outlet *outlet = poll->gateways->outlets;

    for (; outlet != NULL && poll->product_count < PRODUCTS_MAX; outlet = outlet->next) {
        const struct gateway *gateway = outlet->gateway;
        const struct http_query *query;
        if (gateway == NULL || !outlet->is_enabled || gateway->settings.type != GATEWAY_HTTP ||
            gateway->settings.http->query == NULL)
            continue;
        query = gateway->settings.http->query;
        poll->products[poll->product_count++] = (struct polled_product){
            outlet->product, query->after_ms, query->every_ms, query->until_ms};
    }
}

void gateways_poll(struct gateways *gateways,
                   void (*on_done)(void *context, uint64_t asked, bool is_failed), void *context)
{
    static const enum table tables[] = {TABLE_PROVIDER_ID};
    struct poll *poll = calloc(1, sizeof *poll);
    struct pipeline_scan scan = {.tables = tables,
                                 .table_count = 1,
                                 .on_row = on_row,
                                 .on_end = on_scan_end,
                                 .context = poll};

    assert(poll != NULL && gateways->poll == NULL);
    poll->gateways = gateways;
    poll->on_done = on_done;
    poll->context = context;
    poll->now_ms = pipeline_now_ms(gateways->pipeline);
    poll->before_ms = gateways->polled_ms;
    gateways->poll = poll;
    gateways->polled_ms = poll->now_ms;
    find_products(poll);
    if (poll->product_count == 0) {
        end(poll, false);
        return;
    }
    poll->found = malloc(POLLED_MAX * sizeof *poll->found); /* touched as it fills */
    assert(poll->found != NULL);
    if (pipeline_scan(gateways->pipeline, &scan) != 0)
        end(poll, true);
}
