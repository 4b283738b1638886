/* Callbacks: what a provider tells of messages it has (SMS-12), and messages that people have sent
 * to it for us (SMS-18). Anybody can send one, so the order
 * is: who is it from, then what does it say. All checks that the product has must hold, and their
 * secrets are compared in constant time. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/metric.h"
#include "gateway/encoding.h"
#include "gateway/http_answer.h"
#include "gateway/late_messages.h"
#include "gateway/outlet.h"
#include "pipeline/pipeline.h"
#include "json/read.h"

enum { RECEIPTS_MAX = 1000 /* in one callback */ };

/* What a callback brings, taken apart. */
struct callback {
    struct arena arena;
    struct heard heard;
    struct parameter parameters[HEARD_PARAMETERS_MAX];
    size_t query_count; /* of the parameters: those of the query come first */
};

static bool has_type(struct text type, struct text wanted)
{
    return type.data != NULL && type.size >= wanted.size &&
           strncasecmp(type.data, wanted.data, wanted.size) == 0;
}

static void take_apart(const struct callback_request *request, struct callback *callback)
{
    struct heard *heard = &callback->heard;
    const char *why;

    arena_init(&callback->arena, 0);
    *heard = (struct heard){.body = request->body,
                            .parameters = callback->parameters,
                            .header = request->header,
                            .source = request->source};
    callback->query_count =
        heard_parameters(&callback->arena, request->query, callback->parameters, 0);
    heard->parameter_count = callback->query_count;
    if (has_type(request->content_type, TEXT("application/x-www-form-urlencoded")))
        heard->parameter_count = heard_parameters(&callback->arena, request->body,
                                                  callback->parameters, callback->query_count);
    else if (request->body.size > 0)
        heard->json = json_parse(&callback->arena, request->body.data, request->body.size, &why);
}

/* --- who is it from? -----------------------------------------------------------------------------
 */

/* Of constants alone. */
static struct text constant(struct arena *arena, const struct stencil *stencil)
{
    static const struct stencil_values none;
    struct buffer buffer;
    struct text text;

    buffer_init(&buffer);
    stencil_write(stencil, &none, ESCAPE_NONE, &buffer);
    text = (struct text){arena_copy(arena, buffer.size == 0 ? "" : buffer.data, buffer.size),
                         buffer.size};
    buffer_release(&buffer);
    return text;
}

static bool secret_holds(const struct http_callback *config, struct callback *callback)
{
    struct text secret;

    if (config->secret == NULL)
        return true;
    secret = place_find(&callback->arena, &config->secret_place, &callback->heard);
    return secret.data != NULL &&
           encoding_is_same(secret, constant(&callback->arena, config->secret));
}

static bool basic_holds(const struct http_callback *config, const struct callback_request *request,
                        struct callback *callback)
{
    static const char scheme[] = "basic ";
    struct text header = request->authorization, user, password;
    struct buffer given, expected;
    bool is_same;

    if (config->user == NULL)
        return true;
    if (header.data == NULL || header.size < sizeof scheme ||
        strncasecmp(header.data, scheme, sizeof scheme - 1) != 0)
        return false;
    buffer_init(&given);
    buffer_init(&expected);
    user = constant(&callback->arena, config->user);
    password = constant(&callback->arena, config->password);
    buffer_append(&expected, user.data, user.size);
    buffer_append_literal(&expected, ":");
    buffer_append(&expected, password.data, password.size);
    is_same = decode_base64(&given, (struct text){header.data + sizeof scheme - 1,
                                                  header.size - (sizeof scheme - 1)}) &&
              encoding_is_same((struct text){given.data, given.size},
                               (struct text){expected.data, expected.size});
    buffer_release(&given);
    buffer_release(&expected);
    return is_same;
}

static bool address_holds(const struct http_callback *config,
                          const struct callback_request *request)
{
    for (size_t i = 0; i < config->address_count; i++) {
        if (request->peer.data != NULL && address_range_has(&config->addresses[i], request->peer))
            return true;
    }
    return config->address_count == 0;
}

/* The URL as the provider knows it: what stands in front of us may have changed it. */
static struct text url_of(const struct http_callback *config,
                          const struct callback_request *request, struct callback *callback)
{
    struct buffer url;
    struct text text;

    buffer_init(&url);
    if (config->url != NULL)
        stencil_write(config->url, &(struct stencil_values){0}, ESCAPE_NONE, &url);
    if (request->query.size > 0) {
        buffer_append_literal(&url, "?");
        buffer_append(&url, request->query.data, request->query.size);
    }
    text = (struct text){arena_copy(&callback->arena, url.size == 0 ? "" : url.data, url.size),
                         url.size};
    buffer_release(&url);
    return text;
}

static bool signature_holds(const struct http_callback *config,
                            const struct callback_request *request, struct callback *callback)
{
    const struct signing *signing = config->signing;
    const struct heard *heard = &callback->heard;
    struct place place = {.kind = PLACE_FIELD};
    struct signed_request signed_request;

    if (signing == NULL)
        return true;
    if (signing->header.data != NULL)
        place = (struct place){.kind = PLACE_HEADER, .name = signing->header};
    else
        place.name = signing->parameter;
    signed_request =
        (struct signed_request){.method = request->method,
                                .url = url_of(config, request, callback),
                                .query = request->query,
                                .body = request->body,
                                .query_parameters = heard->parameters,
                                .query_count = callback->query_count,
                                .form_parameters = heard->parameters + callback->query_count,
                                .form_count = heard->parameter_count - callback->query_count};
    return signing_holds(signing, &signed_request, place_find(&callback->arena, &place, heard));
}

static bool is_the_providers(const struct http_callback *config,
                             const struct callback_request *request, struct callback *callback)
{
    return address_holds(config, request) && secret_holds(config, callback) &&
           basic_holds(config, request, callback) && signature_holds(config, request, callback);
}

/* --- what does it say? ---------------------------------------------------------------------------
 */

/* What was found in it and taken; CALLBACK_BUSY: those taken are taken, the same once more changes
 * nothing. */
struct taken {
    bool is_looked_at, is_busy;
    size_t count;
    uint64_t hold;
    struct late_messages *late; /* NULL: none of the messages has to be looked for */
};

static void take_outcome(struct taken *taken, enum outcome outcome)
{
    taken->is_busy = outcome == OUTCOME_OVERLOADED || outcome == OUTCOME_STORAGE_FULL;
    taken->count += outcome == OUTCOME_OK;
}

static void take_receipts(struct outlet *outlet, const struct http_callback *config,
                          struct callback *callback, struct taken *taken)
{
    struct heard_receipt *found;
    size_t count;

    if (!config->has_receipts ||
        (config->only != NULL &&
         !condition_holds(&callback->arena, config->only, &callback->heard)))
        return;
    taken->is_looked_at = true;
    found = arena_alloc(&callback->arena, RECEIPTS_MAX * sizeof *found);
    count =
        http_receipts(&callback->arena, &config->receipts, &callback->heard, found, RECEIPTS_MAX);
    for (size_t i = 0; i < count && !taken->is_busy; i++) {
        if (found[i].id.size > 0)
            take_outcome(taken, outlet_receipt(outlet, found[i].id, found[i].status,
                                               found[i].detail, &taken->hold));
    }
}

/* What it answers may have to be looked for. */
static void take_message(struct outlet *outlet, const struct heard_message *found,
                         struct taken *taken)
{
    if (!late_messages_has(outlet, found->from)) {
        take_outcome(taken, outlet_received(outlet, found, &taken->hold));
        return;
    }
    if (taken->late == NULL)
        taken->late = late_messages_new(outlet);
    late_messages_add(taken->late, found);
}

static void take_messages(struct outlet *outlet, const struct http_callback *config,
                          struct callback *callback, struct taken *taken)
{
    const struct http_received *received = config->received;
    struct heard_message *found;
    size_t count;

    if (received == NULL || taken->is_busy)
        return;
    found = arena_alloc(&callback->arena, RECEIPTS_MAX * sizeof *found);
    count = http_received(&callback->arena, received, &callback->heard, found, RECEIPTS_MAX);
    /* With a condition that does not hold it is something else, to be answered and ignored. */
    taken->is_looked_at = taken->is_looked_at || received->only == NULL || count > 0;
    for (size_t i = 0; i < count && !taken->is_busy; i++)
        take_message(outlet, &found[i], taken);
}

static enum callback_outcome outcome_of(const struct taken *taken, struct callback_reply *reply)
{
    reply->hold = taken->hold;
    if (taken->is_busy) {
        late_messages_free(taken->late);
        return CALLBACK_BUSY;
    }
    if (taken->late != NULL) {
        late_messages_set_reply(taken->late, reply);
        reply->later = taken->late;
        return CALLBACK_LATER;
    }
    return taken->count > 0 || !taken->is_looked_at ? CALLBACK_OK : CALLBACK_INVALID;
}

static enum callback_outcome listen_to(struct outlet *outlet,
                                       const struct callback_request *request,
                                       struct callback *callback, struct callback_reply *reply)
{
    const struct http_callback *config = outlet->gateway->settings.http->callback;
    struct taken taken = {false};

    if (!is_the_providers(config, request, callback))
        return CALLBACK_FORBIDDEN;
    *reply = (struct callback_reply){
        .status = config->answer_status,
        .content_type = config->answer_body.size > 0 ? config->answer_type.data : NULL,
        .body = config->answer_body};
    take_receipts(outlet, config, callback, &taken);
    take_messages(outlet, config, callback, &taken);
    return outcome_of(&taken, reply);
}

/* Of the sandbox: {"from", "content"}, and "to" and "id" if need be, by whom the caller knows. It
 * has no provider that could prove to be one. */
static enum callback_outcome listen_to_sandbox(struct outlet *outlet,
                                               const struct callback_request *request,
                                               struct callback *callback,
                                               struct callback_reply *reply)
{
    static const struct http_received received = {
        .id = {PLACE_JSON, {"/id", 3}, {NULL, 0}},
        .from = {PLACE_JSON, {"/from", 5}, {NULL, 0}},
        .to = {PLACE_JSON, {"/to", 3}, {NULL, 0}},
        .content = {PLACE_JSON, {"/content", 8}, {NULL, 0}}};
    static const struct http_callback config = {.received = &received};
    struct taken taken = {false};

    if (!request->is_known)
        return CALLBACK_UNKNOWN_CALLER;
    *reply = (struct callback_reply){.status = 204};
    take_messages(outlet, &config, callback, &taken);
    return outcome_of(&taken, reply);
}

/* NULL: no such product, or one that takes none. */
static struct outlet *find_outlet(struct gateways *gateways, struct text id)
{
    struct txn *txn = pipeline_read_begin(gateways->pipeline);
    struct catalog_thing product;
    bool is_found = catalog_id_is_valid(CATALOG_PRODUCT, id) &&
                    catalog_find(txn, CATALOG_PRODUCT, id, &product);
    uint64_t number = is_found ? product.number : 0;
    struct outlet *outlet;

    is_found = is_found && product.status != CATALOG_VOID;
    pipeline_read_end(gateways->pipeline, txn);
    if (!is_found)
        return NULL;
    outlet = outlet_of(gateways, number);
    outlet_refresh(outlet);
    if (outlet->gateway == NULL)
        return NULL;
    if (outlet->gateway->settings.type == GATEWAY_SANDBOX)
        return outlet;
    return outlet->gateway->settings.type == GATEWAY_HTTP &&
                   outlet->gateway->settings.http->callback != NULL
               ? outlet
               : NULL;
}

enum callback_outcome gateways_callback(struct gateways *gateways, struct text product,
                                        const struct callback_request *request,
                                        struct callback_reply *reply)
{
    struct outlet *outlet = find_outlet(gateways, product);
    struct callback *callback;
    enum callback_outcome outcome;

    if (outlet == NULL)
        return CALLBACK_NOT_FOUND;
    callback = malloc(sizeof *callback);
    assert(callback != NULL);
    take_apart(request, callback);
    outcome = outlet->gateway->settings.type == GATEWAY_SANDBOX
                  ? listen_to_sandbox(outlet, request, callback, reply)
                  : listen_to(outlet, request, callback, reply);
    arena_release(&callback->arena);
    free(callback);
    metric_add(METRIC_CALLBACKS, outcome != CALLBACK_UNKNOWN_CALLER);
    if (outcome == CALLBACK_FORBIDDEN) {
        metric_add(METRIC_CALLBACKS_FORBIDDEN, 1);
        log_event(LOG_WARNING, "callback_forbidden", LOG_TEXT("product", outlet->id));
    }
    return outcome;
}
