/* Endpoints: where webhooks go, and whether they still do. Two rows each: the endpoint by its
 * number, and its number by the hash of its URL, which may be longer than a key. The query is left
 * out, so that URLs which differ only there (…?id=1, …?id=2) are one endpoint. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "engine/handler.h"
#include "engine/webhook_row.h"

enum { WEBHOOK_ENDPOINT_ROW_VERSION = 1 };

static struct text without_query(struct text url)
{
    const char *query = memchr(url.data, '?', url.size);

    return query == NULL ? url : (struct text){url.data, (size_t)(query - url.data)};
}

bool webhook_endpoint_find(struct txn *txn, uint64_t number, struct webhook_endpoint *endpoint)
{
    char key[8];
    size_t size;
    const char *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_WEBHOOK_ENDPOINT, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size > sizeof endpoint->row);
    endpoint->number = number;
    memcpy(&endpoint->row, value, sizeof endpoint->row);
    assert(endpoint->row.version == WEBHOOK_ENDPOINT_ROW_VERSION &&
           size == sizeof endpoint->row + endpoint->row.url_size);
    memcpy(endpoint->bytes, value + sizeof endpoint->row, endpoint->row.url_size);
    endpoint->url = (struct text){endpoint->bytes, endpoint->row.url_size};
    return true;
}

static void store(struct engine *engine, const struct webhook_endpoint *endpoint)
{
    char key[8], value[sizeof endpoint->row + WEBHOOK_URL_MAX];

    bytes_put_u64_be(key, endpoint->number);
    memcpy(value, &endpoint->row, sizeof endpoint->row);
    memcpy(value + sizeof endpoint->row, endpoint->url.data, endpoint->url.size);
    txn_put(engine->txn, TABLE_WEBHOOK_ENDPOINT, key, sizeof key, value,
            sizeof endpoint->row + endpoint->url.size);
}

uint64_t webhook_endpoint_open(struct engine *engine, struct text url)
{
    struct webhook_endpoint endpoint = {.url = without_query(url)};
    uint8_t digest[SHA256_SIZE];
    char number[8];
    size_t size;
    const void *value;

    sha256(endpoint.url.data, endpoint.url.size, digest);
    value = txn_get(engine->txn, TABLE_WEBHOOK_ENDPOINT_URL, digest, sizeof digest, &size);
    if (value != NULL)
        return bytes_get_u64_be(value);
    endpoint.number = engine_next_number(engine);
    endpoint.row = (struct webhook_endpoint_row){.version = WEBHOOK_ENDPOINT_ROW_VERSION,
                                                 .status = WEBHOOK_ENDPOINT_ENABLED,
                                                 .url_size = (uint16_t)endpoint.url.size};
    store(engine, &endpoint);
    bytes_put_u64_be(number, endpoint.number);
    txn_put(engine->txn, TABLE_WEBHOOK_ENDPOINT_URL, digest, sizeof digest, number, sizeof number);
    return endpoint.number;
}

static void find(struct engine *engine, uint64_t number, struct webhook_endpoint *endpoint)
{
    bool is_there = webhook_endpoint_find(engine->txn, number, endpoint);

    assert(is_there); /* a webhook names it, and is counted by it */
}

void webhook_endpoint_note(struct engine *engine, uint64_t number,
                           const struct webhook_attempt *attempt)
{
    struct webhook_endpoint endpoint;

    find(engine, number, &endpoint);
    endpoint.row.last_attempt_ms = attempt->at_ms;
    endpoint.row.last_status = attempt->status;
    endpoint.row.last_error = attempt->error;
    endpoint.row.failures++;
    if (attempt->error == WEBHOOK_ERROR_NONE) {
        endpoint.row.last_delivery_ms = attempt->at_ms;
        endpoint.row.failures = 0;
    }
    store(engine, &endpoint);
}

void webhook_endpoint_disable(struct engine *engine, uint64_t number,
                              enum webhook_endpoint_reason reason)
{
    struct webhook_endpoint endpoint;

    find(engine, number, &endpoint);
    if (endpoint.row.status == WEBHOOK_ENDPOINT_DISABLED)
        return;
    endpoint.row.status = WEBHOOK_ENDPOINT_DISABLED;
    endpoint.row.reason = (uint8_t)reason;
    endpoint.row.changed_ms = engine->command->now_ms;
    store(engine, &endpoint);
}

bool webhook_endpoint_is_enabled(struct txn *txn, uint64_t number)
{
    struct webhook_endpoint endpoint;

    return webhook_endpoint_find(txn, number, &endpoint) &&
           endpoint.row.status == WEBHOOK_ENDPOINT_ENABLED;
}

/* Nothing names it any more. */
static void forget(struct engine *engine, const struct webhook_endpoint *endpoint)
{
    uint8_t digest[SHA256_SIZE];
    char key[8];

    bytes_put_u64_be(key, endpoint->number);
    txn_delete(engine->txn, TABLE_WEBHOOK_ENDPOINT, key, sizeof key);
    sha256(endpoint->url.data, endpoint->url.size, digest);
    txn_delete(engine->txn, TABLE_WEBHOOK_ENDPOINT_URL, digest, sizeof digest);
}

void webhook_endpoint_count(struct engine *engine, uint64_t number, int kept, int pending)
{
    struct webhook_endpoint endpoint;

    find(engine, number, &endpoint);
    assert(kept >= 0 || endpoint.row.kept > 0);
    assert(pending >= 0 || endpoint.row.pending > 0);
    endpoint.row.kept += (uint64_t)(int64_t)kept;
    endpoint.row.pending += (uint64_t)(int64_t)pending;
    if (endpoint.row.kept == 0 && endpoint.row.status == WEBHOOK_ENDPOINT_ENABLED)
        forget(engine, &endpoint);
    else
        store(engine, &endpoint);
}

/* What is ready for one that is disabled fails when the sender comes to it. */
enum outcome engine_webhook_endpoint_status(struct engine *engine,
                                            const struct webhook_endpoint_status_command *command,
                                            struct result *answer)
{
    struct webhook_endpoint endpoint;

    (void)answer;
    if (!webhook_endpoint_find(engine->txn, command->endpoint, &endpoint))
        return OUTCOME_NOT_FOUND;
    if (endpoint.row.status == command->status)
        return OUTCOME_OK;
    endpoint.row.status = (uint8_t)command->status;
    endpoint.row.reason =
        command->status == WEBHOOK_ENDPOINT_DISABLED ? WEBHOOK_ENDPOINT_BY_OPERATOR : 0;
    endpoint.row.changed_ms = engine->command->now_ms;
    endpoint.row.failures = 0;
    store(engine, &endpoint);
    return OUTCOME_OK;
}
