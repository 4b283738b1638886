/* Outlets: which product is sent through what. A product's configuration is read when it is first
 * needed and again when the product has changed; requests under way end by the one they began with.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metric.h"
#include "base/utf8.h"
#include "gateway/http_config.h"
#include "gateway/outlet.h"
#include "pipeline/pipeline.h"
#include "json/read.h"

void gateway_keep(struct gateway *gateway)
{
    gateway->users++;
}

void gateway_let_go(struct gateway *gateway)
{
    struct gateway **link = &gateway->outlet->gateways_all;

    assert(gateway->users > 0);
    if (--gateway->users > 0)
        return;
    while (*link != gateway)
        link = &(*link)->next;
    *link = gateway->next;
    gateway->ops->free(gateway);
}

static bool read_settings(struct text text, struct arena *arena, struct gateway_settings *settings)
{
    struct json_errors errors;
    const struct json_value *value;
    const char *why;

    json_errors_init(&errors);
    value = json_parse(arena, text.data, text.size, &why);
    return value != NULL && gateway_settings_read(arena, value, "/gateway", &errors, settings);
}

/* NULL: the product's configuration is none that this smsd knows. It was checked when it was put,
 * so it was put by another version. */
static struct gateway *gateway_new(struct outlet *outlet, struct text text)
{
    struct gateway_settings settings;
    struct gateway *gateway;
    struct arena arena;

    arena_init(&arena, 0);
    if (!read_settings(text, &arena, &settings)) {
        log_event(LOG_ERROR, "gateway_unusable", LOG_TEXT("product", outlet->id));
        arena_release(&arena);
        return NULL;
    }
    gateway = settings.type == GATEWAY_HTTP ? http_gateway_new(outlet->gateways)
                                            : sandbox_new(outlet->gateways);
    gateway->arena = arena;
    gateway->settings = settings;
    gateway->source = (struct text){arena_copy(&gateway->arena, text.data, text.size), text.size};
    gateway->outlet = outlet;
    gateway->next = outlet->gateways_all;
    outlet->gateways_all = gateway;
    gateway->users = 1;
    gateway->can_query = settings.type == GATEWAY_HTTP && settings.http->query != NULL &&
                         settings.http->query->asks_by_our_id &&
                         !settings.http->query->asks_by_provider_id;
    gateway->batch_max = settings.type == GATEWAY_HTTP && !settings.http->send.is_batch
                             ? 1
                             : SUBMITS_PER_REQUEST_MAX;
    return gateway;
}

static void read_product(struct outlet *outlet, const struct catalog_thing *product)
{
    int64_t now_ms = pipeline_now_ms(outlet->gateways->pipeline);
    int64_t rate = catalog_has(product, PRODUCT_RATE_PER_SECOND)
                       ? catalog_int(product, PRODUCT_RATE_PER_SECOND)
                       : 0;
    struct text source = catalog_text(product, PRODUCT_GATEWAY);
    struct gateway *old = outlet->gateway;

    memcpy(outlet->id, product->id.data, product->id.size);
    outlet->id[product->id.size] = '\0';
    outlet->is_enabled = product->status == CATALOG_ENABLED;
    outlet->batch_max = (uint32_t)catalog_int(product, PRODUCT_BATCH_MAX);
    outlet->batch_wait_ms = catalog_int(product, PRODUCT_BATCH_WAIT_MS);
    rate_set(&outlet->rate, rate, now_ms);
    if (old != NULL && text_equals(old->source, source))
        return;
    outlet->gateway = gateway_new(outlet, source);
    if (outlet->gateway != NULL)
        circuit_init(&outlet->circuit, &outlet->gateway->settings.circuit);
    if (old != NULL)
        gateway_let_go(old);
}

void outlet_refresh(struct outlet *outlet)
{
    struct txn *txn = pipeline_read_begin(outlet->gateways->pipeline);
    struct catalog_thing product;

    if (catalog_find_number(txn, CATALOG_PRODUCT, outlet->product, &product)) {
        outlet->is_known = true;
        read_product(outlet, &product);
    }
    pipeline_read_end(outlet->gateways->pipeline, txn);
}

struct outlet *outlet_new(struct gateways *gateways, uint64_t product)
{
    struct outlet *outlet = gateways->outlets;

    while (outlet != NULL && outlet->product != product)
        outlet = outlet->next;
    if (outlet != NULL)
        return outlet;
    outlet = calloc(1, sizeof *outlet);
    assert(outlet != NULL);
    outlet->gateways = gateways;
    outlet->product = product;
    for (unsigned i = 0; i < LANES; i++)
        outlet->due_ms[i] = INT64_MAX;
    submit_queue_init(&outlet->holding);
    submit_queue_init(&outlet->ready);
    outlet->next = gateways->outlets;
    gateways->outlets = outlet;
    return outlet;
}

struct outlet *outlet_of(struct gateways *gateways, uint64_t product)
{
    struct outlet *outlet = outlet_new(gateways, product);

    if (!outlet->is_known)
        outlet_refresh(outlet);
    return outlet;
}

/* What a provider wrote may be anything; what is kept is UTF-8 without control characters. */
enum outcome outlet_receipt(struct outlet *outlet, struct text provider_id,
                            enum receipt_status status, struct text detail, uint64_t *hold)
{
    char clean[MESSAGE_DETAIL_MAX];
    struct command command = {.type = COMMAND_RECEIPT};
    struct result result;

    assert(provider_id.size > 0 && provider_id.size <= PROVIDER_ID_MAX);
    command.of.receipt = (struct receipt_command){.product = outlet->product,
                                                  .provider_id = provider_id,
                                                  .status = status,
                                                  .detail = detail_clean(detail, clean)};
    *hold = pipeline_run(outlet->gateways->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OK)
        outlet->receipts++;
    return result.outcome;
}

/* As much of a text as is kept, as UTF-8; lines may end in it. */
static struct text content_clean(struct text content, char to[RECEIVED_CONTENT_MAX])
{
    const char *at = content.data, *end = content.data + content.size;
    size_t size = 0;

    while (at < end) {
        size_t length = utf8_length(at, end), needed = length > 0 ? length : 1;
        bool is_plain = length > 0 && ((unsigned char)*at >= 0x20 || *at == '\n') && *at != 0x7f;
        if (size + needed > RECEIVED_CONTENT_MAX)
            break;
        if (is_plain)
            memcpy(to + size, at, length);
        else
            to[size] = ' ';
        size += is_plain ? length : 1;
        at += needed;
    }
    return (struct text){to, size};
}

enum outcome outlet_received(struct outlet *outlet, const struct heard_message *message,
                             uint64_t *hold)
{
    char content[RECEIVED_CONTENT_MAX], to[MESSAGE_DETAIL_MAX];
    struct command command = {.type = COMMAND_RECEIVED};
    struct received_command *received = &command.of.received;
    struct result result;

    *received = (struct received_command){.product = outlet->product,
                                          .from = message->from,
                                          .to = detail_clean(message->to, to),
                                          .content = content_clean(message->content, content),
                                          .provider_id = message->id,
                                          .message = message->message,
                                          .company = message->company};
    if (received->to.size > RECEIVED_TO_MAX)
        received->to = (struct text){NULL, 0};
    if (received->provider_id.size > PROVIDER_ID_MAX)
        received->provider_id = (struct text){NULL, 0};
    *hold = pipeline_run(outlet->gateways->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OK && result.of.received.is_new) {
        metric_add(METRIC_RECEIVED, 1);
        metric_add(METRIC_RECEIVED_STOPS, result.of.received.action == RECEIVED_STOP);
        metric_add(METRIC_RECEIVED_STARTS, result.of.received.action == RECEIVED_START);
    }
    return result.outcome;
}

void outlet_wake(struct outlet *outlet, int64_t at_ms)
{
    (void)at_ms; /* the pump asks each gateway when it has something to do */
    gateways_want_pump(outlet->gateways);
}
