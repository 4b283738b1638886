/* A gateway to an HTTP provider: messages become requests as the configuration says, answers become
 * results. What is hard about it is only doubt: a request that may have reached the provider and
 * has no answer is never sent again from here. Its outcome is unknown, and the engine decides. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/digits.h"
#include "base/entropy.h"
#include "base/id.h"
#include "base/time_text.h"
#include "engine/mobile.h"
#include "engine/parts.h"
#include "gateway/encoding.h"
#include "gateway/http_answer.h"
#include "gateway/http_request.h"
#include "gateway/outlet.h"
#include "gateway/params.h"
#include "pipeline/pipeline.h"

enum { NONCE_BYTES = 16 };

struct http_gateway {
    struct gateway base;
    struct gateways *gateways;
    struct call *calls;
};

/* One request under way. */
struct call {
    struct http_gateway *gateway;
    struct call *next, **link; /* among the gateway's */
    struct http_client_call *call;
    struct inquiry *inquiry; /* of a query; NULL: of a send */
    size_t count;
    struct submit *submits[];
};

static struct call *call_new(struct http_gateway *gateway, size_t count)
{
    struct call *call = calloc(1, sizeof *call + count * sizeof(void *));

    assert(call != NULL);
    call->gateway = gateway;
    call->count = count;
    call->next = gateway->calls;
    call->link = &gateway->calls;
    if (call->next != NULL)
        call->next->link = &call->next;
    gateway->calls = call;
    return call;
}

static void call_free(struct call *call)
{
    *call->link = call->next;
    if (call->next != NULL)
        call->next->link = call->link;
    free(call);
}

/* --- values --------------------------------------------------------------------------------------
 */

static struct text kept(struct arena *arena, const void *data, size_t size)
{
    return (struct text){arena_copy(arena, size == 0 ? "" : data, size), size};
}

static struct text number_text(struct arena *arena, uint64_t number)
{
    char digits[DIGITS_MAX];

    return kept(arena, digits, digits_put_uint(digits, number));
}

static struct text message_id(struct arena *arena, uint64_t message)
{
    char id[ID_TEXT_MAX];

    return kept(arena, id, id_format(id, "msg_", message));
}

static void fill_moment(struct arena *arena, int64_t now_ms, struct stencil_values *values)
{
    uint8_t nonce[NONCE_BYTES];
    char time[TIME_TEXT_SIZE];
    struct buffer digits;

    entropy_fill(nonce, sizeof nonce);
    buffer_init(&digits);
    encode_hex(&digits, (struct text){(const char *)nonce, sizeof nonce}, false);
    values->texts[VALUE_NONCE] = kept(arena, digits.data, digits.size);
    buffer_release(&digits);
    values->texts[VALUE_TIMESTAMP] = number_text(arena, (uint64_t)(now_ms / 1000));
    values->texts[VALUE_TIMESTAMP_MS] = number_text(arena, (uint64_t)now_ms);
    time_format(time, now_ms);
    memcpy(time + TIME_TEXT_SIZE - 5, "Z", 1); /* without the milliseconds */
    values->texts[VALUE_TIME] = kept(arena, time, TIME_TEXT_SIZE - 4);
}

static void fill_params(struct arena *arena, struct txn *txn, const struct message_text *text,
                        struct stencil_values *values)
{
    struct catalog_thing template;
    struct buffer params;

    buffer_init(&params);
    if (text->row.template != 0 &&
        catalog_find_number(txn, CATALOG_TEMPLATE, text->row.template, &template))
        (void)params_write(catalog_text(&template, TEMPLATE_CONTENT), text->content, &params);
    else
        buffer_append_literal(&params, "{}");
    values->texts[VALUE_PARAMS] = kept(arena, params.data, params.size);
    buffer_release(&params);
}

static struct text static_text(const char *text)
{
    return (struct text){text, strlen(text)};
}

static void fill_message(struct http_gateway *gateway, struct arena *arena, uint64_t message,
                         struct stencil_values *values)
{
    struct txn *txn = pipeline_read_begin(gateway->gateways->pipeline);
    struct message_text text;
    struct message_row row;
    char to[MOBILE_TEXT_MAX];
    bool is_found = message_text_to_send(txn, message, &row, &text);

    assert(is_found); /* while one is under way it has both */
    values->texts[VALUE_MESSAGE] = message_id(arena, message);
    values->texts[VALUE_ATTEMPT] = number_text(arena, row.attempts);
    values->texts[VALUE_TO] = kept(arena, to, mobile_put(to, text.row.to));
    values->texts[VALUE_TEXT] = kept(arena, text.content.data, text.content.size);
    values->texts[VALUE_PARTS] = number_text(arena, row.parts);
    values->texts[VALUE_ENCODING] = static_text(parts_encoding_text(row.encoding));
    values->texts[VALUE_TEXT_OR_UNICODE] =
        row.encoding == PARTS_GSM7 ? TEXT("text") : TEXT("unicode");
    values->texts[VALUE_KIND] = static_text(message_kind_text(row.kind));
    values->texts[VALUE_COUNTRY] = kept(arena, row.country, sizeof row.country);
    values->texts[VALUE_SIGNATURE] = kept(arena, text.signature.data, text.signature.size);
    values->texts[VALUE_TEMPLATE] = kept(arena, text.template_id.data, text.template_id.size);
    values->texts[VALUE_REFERENCE] =
        kept(arena, text.client_reference.data, text.client_reference.size);
    fill_params(arena, txn, &text, values);
    pipeline_read_end(gateway->gateways->pipeline, txn);
}

/* --- sending -------------------------------------------------------------------------------------
 */

static void start(struct http_gateway *gateway, struct call *call, const struct http_ask *ask,
                  const struct http_request_draft *draft,
                  void (*on_done)(void *context, const struct http_client_response *response))
{
    bool is_get = ask->method.size == 3 && ask->method.data[0] == 'G';
    struct http_client_request request = {
        .method = draft->method,
        .url = draft->url,
        .headers = draft->headers,
        .header_count = draft->header_count,
        .body = draft->body,
        .timeout_ms = ask->timeout_ms != 0 ? ask->timeout_ms : gateway->base.settings.timeout_ms,
        .is_idempotent = call->inquiry != NULL,
        /* The client repeats a GET or PUT that a closing connection may have swallowed: a query's
         * may be, but not one that sends a message. */
        .is_fresh = call->inquiry == NULL && (is_get || ask->method.size == 3),
        .allow_private = true,
        .on_done = on_done,
        .context = call};

    call->call = http_client_send(gateway->gateways->client, &request);
}

static void on_sent(void *context, const struct http_client_response *response)
{
    struct call *call = context;
    struct http_gateway *gateway = call->gateway;
    const struct http_config *config = gateway->base.settings.http;
    struct arena arena;
    struct heard heard;

    arena_init(&arena, 0);
    gateway_keep(&gateway->base); /* its last answer lets it go */
    if (response->error == HTTP_CLIENT_OK)
        http_heard(&arena, response, &heard);
    for (size_t i = 0; i < call->count; i++) {
        struct said said;
        if (response->error != HTTP_CLIENT_OK)
            http_said_error(response, &said);
        else
            http_said(&arena, &config->answer, &heard, i, call->count,
                      message_id(&arena, call->submits[i]->message), &said);
        outlet_answer(call->submits[i], &said);
    }
    arena_release(&arena);
    call_free(call);
    gateway_let_go(&gateway->base);
}

static void http_send(struct gateway *base, struct submit **submits, size_t count)
{
    struct http_gateway *gateway = (struct http_gateway *)base;
    const struct http_ask *ask = &base->settings.http->send;
    struct call *call = call_new(gateway, count);
    struct http_request_draft *draft;
    struct stencil_values *values;
    struct arena arena;

    arena_init(&arena, 0);
    draft = arena_alloc(&arena, sizeof *draft);
    draft->arena = &arena;
    values = arena_alloc(&arena, count * sizeof *values);
    memset(values, 0, count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        call->submits[i] = submits[i];
        fill_moment(&arena, pipeline_now_ms(gateway->gateways->pipeline), &values[i]);
        fill_message(gateway, &arena, submits[i]->message, &values[i]);
    }
    http_request_write(ask, values, count, draft);
    start(gateway, call, ask, draft, on_sent);
    arena_release(&arena);
}

/* --- asking --------------------------------------------------------------------------------------
 */

static void read_status(struct arena *arena, const struct http_query *query,
                        const struct http_client_response *response, struct said_status *said)
{
    struct heard_receipt receipt;
    struct heard heard;

    *said = (struct said_status){.found = STATUS_NOTHING};
    if (response->error != HTTP_CLIENT_OK)
        return;
    http_heard(arena, response, &heard);
    if (query->absent != NULL && condition_holds(arena, query->absent, &heard)) {
        said->found = STATUS_ABSENT;
    } else if (response->status / 100 == 2 &&
               http_receipts(arena, &query->receipts, &heard, &receipt, 1) == 1) {
        *said = (struct said_status){.found = STATUS_FOUND,
                                     .status = receipt.status,
                                     .id = receipt.id,
                                     .detail = receipt.detail};
    }
}

static void on_asked(void *context, const struct http_client_response *response)
{
    struct call *call = context;
    struct inquiry *inquiry = call->inquiry;
    struct said_status said;
    struct arena arena;

    arena_init(&arena, 0);
    read_status(&arena, call->gateway->base.settings.http->query, response, &said);
    call_free(call);
    outlet_status(inquiry, &said);
    arena_release(&arena);
}

static void http_query(struct gateway *base, struct inquiry *inquiry)
{
    struct http_gateway *gateway = (struct http_gateway *)base;
    const struct http_ask *ask = &base->settings.http->query->ask;
    struct call *call = call_new(gateway, 0);
    struct http_request_draft *draft;
    struct stencil_values values = {0};
    struct arena arena;

    call->inquiry = inquiry;
    arena_init(&arena, 0);
    draft = arena_alloc(&arena, sizeof *draft);
    draft->arena = &arena;
    fill_moment(&arena, pipeline_now_ms(gateway->gateways->pipeline), &values);
    fill_message(gateway, &arena, inquiry->message, &values);
    values.texts[VALUE_PROVIDER_ID] = inquiry->provider_id;
    http_request_write(ask, &values, 1, draft);
    start(gateway, call, ask, draft, on_asked);
    arena_release(&arena);
}

/* --- the gateway ---------------------------------------------------------------------------------
 */

static void http_free(struct gateway *base)
{
    struct http_gateway *gateway = (struct http_gateway *)base;
    struct call *call, *next;

    for (call = gateway->calls; call != NULL; call = next) {
        next = call->next;
        http_client_cancel(call->call);
        free(call->inquiry);
        free(call);
    }
    arena_release(&base->arena);
    free(gateway);
}

struct gateway *http_gateway_new(struct gateways *gateways)
{
    static const struct gateway_ops ops = {
        .send = http_send, .query = http_query, .free = http_free};
    struct http_gateway *gateway = calloc(1, sizeof *gateway);

    assert(gateway != NULL);
    gateway->base.ops = &ops;
    gateway->gateways = gateways;
    return &gateway->base;
}
