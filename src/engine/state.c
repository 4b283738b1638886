/* What the engine remembers of itself in TABLE_META, and what the first start writes. */
#include <assert.h>

#include "base/id.h"
#include "engine/engine.h"
#include "engine/handler.h"
#include "engine/ledger.h"

#define META_NUMBER   "number_last"
#define META_CLOCK    "clock_offset_ms"
#define META_SECRET_0 "secret_0"
#define META_SECRET_1 "secret_1"

static bool meta_get(struct txn *txn, const char *name, uint64_t *number)
{
    size_t size;
    const void *value = txn_get(txn, TABLE_META, name, strlen(name), &size);

    if (value == NULL)
        return false;
    assert(size == sizeof *number);
    memcpy(number, value, sizeof *number);
    return true;
}

static void meta_put(struct txn *txn, const char *name, uint64_t number)
{
    txn_put(txn, TABLE_META, name, strlen(name), &number, sizeof number);
}

void engine_state_load(struct txn *txn, struct engine_state *state)
{
    uint64_t number;

    state->number_last = meta_get(txn, META_NUMBER, &number) ? number : 0;
    state->clock_offset_ms = meta_get(txn, META_CLOCK, &number) ? (int64_t)number : 0;
    state->is_bootstrapped = meta_get(txn, META_SECRET_0, &state->secret.k0) &&
                             meta_get(txn, META_SECRET_1, &state->secret.k1);
}

void engine_state_store_number(struct txn *txn, uint64_t number_last)
{
    meta_put(txn, META_NUMBER, number_last);
}

enum outcome engine_clock_advance(struct engine *engine,
                                  const struct clock_advance_command *command,
                                  struct result *answer)
{
    (void)answer;
    meta_put(engine->txn, META_CLOCK, (uint64_t)command->offset_ms);
    return OUTCOME_OK;
}

enum outcome engine_bootstrap(struct engine *engine, const struct bootstrap_command *command,
                              struct result *answer)
{
    struct api_key_create_command key = {.name = TEXT("admin"), .scopes = SCOPE_ADMIN};

    ledger_create_system_accounts(engine);
    memcpy(key.digest, command->api_key_digest, sizeof key.digest);
    engine_api_key_create(engine, &key, answer);
    meta_put(engine->txn, META_SECRET_0, command->secret.k0);
    meta_put(engine->txn, META_SECRET_1, command->secret.k1);
    return OUTCOME_OK;
}
