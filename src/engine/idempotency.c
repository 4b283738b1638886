/* Idempotency keys (BILL-9): the first answer to a key, kept for 24 hours in the same commit as
 * what it answers. The row holds the outcome and the result, not the reply's bytes: the same
 * request with the same result is written out to the same reply, and a row is a fraction of its
 * size. The key is a keyed 128-bit hash of API key and Idempotency-Key, so that a client can
 * neither choose colliding keys nor see another's.
 *
 * Age is checked at each look-up; rows past it are reclaimed by a sweep that a job runs (a scan off
 * the loop finds them, IDEMPOTENCY_EXPIRE deletes them in slices). */
#include <assert.h>

#include "base/id.h"
#include "engine/engine.h"
#include "engine/handler.h"

enum { IDEMPOTENCY_ROW_VERSION = 1 };

static bool is_expired(const struct idempotency_row *row, int64_t now_ms)
{
    return id_time_ms(row->number) + IDEMPOTENCY_AGE_MAX_MS <= now_ms;
}

bool idempotency_is_expired(const void *value, size_t size, int64_t now_ms)
{
    struct idempotency_row row;

    assert(size >= sizeof row);
    memcpy(&row, value, sizeof row);
    return is_expired(&row, now_ms);
}

/* The kept row, which `size` bytes of result stand behind; NULL: the key is free. */
static const char *find(struct txn *txn, const struct hash128 *key, int64_t now_ms,
                        struct idempotency_row *row, size_t *size)
{
    const char *value = txn_get(txn, TABLE_IDEMPOTENCY, key, sizeof *key, size);

    if (value == NULL)
        return NULL;
    assert(*size >= sizeof *row);
    memcpy(row, value, sizeof *row);
    assert(row->version == IDEMPOTENCY_ROW_VERSION && row->outcome < OUTCOME_COUNT);
    *size -= sizeof *row;
    return is_expired(row, now_ms) ? NULL : value + sizeof *row;
}

bool idempotency_find(struct txn *txn, const struct hash128 *key, int64_t now_ms,
                      struct idempotency_row *row)
{
    size_t size;

    return find(txn, key, now_ms, row, &size) != NULL;
}

bool idempotency_replay(struct engine *engine, struct result *answer, size_t result_size)
{
    const struct command *command = engine->command;
    struct idempotency_row row;
    size_t size;
    const char *kept = find(engine->txn, &command->key, command->now_ms, &row, &size);

    if (kept == NULL)
        return false;
    if (row.fingerprint != command->fingerprint) {
        answer->outcome = OUTCOME_IDEMPOTENCY_KEY_REUSED;
        return true;
    }
    answer->outcome = (enum outcome)row.outcome;
    answer->is_replayed = true;
    answer->number = row.number;
    if (answer->outcome == OUTCOME_OK) {
        /* A result of another size was kept by a version whose result was another struct. */
        assert(row.result_size == result_size && size == result_size);
        memcpy(&answer->of, kept, result_size);
    }
    return true;
}

void idempotency_keep(struct engine *engine, const struct result *answer, size_t result_size)
{
    const struct command *command = engine->command;
    struct {
        struct idempotency_row row;
        char result[sizeof answer->of];
    } kept = {.row = {.version = IDEMPOTENCY_ROW_VERSION,
                      .outcome = (uint16_t)answer->outcome,
                      .number = answer->number,
                      .fingerprint = command->fingerprint}};

    assert(answer->number >= command->number); /* its time is the row's age */
    if (answer->outcome == OUTCOME_OK) {
        kept.row.result_size = (uint32_t)result_size;
        memcpy(kept.result, &answer->of, result_size);
    }
    txn_put(engine->txn, TABLE_IDEMPOTENCY, &command->key, sizeof command->key, &kept,
            sizeof kept.row + kept.row.result_size);
}

enum outcome engine_idempotency_expire(struct engine *engine,
                                       const struct idempotency_expire_command *command,
                                       struct result *answer)
{
    (void)answer;
    for (size_t i = 0; i < command->count; i++) {
        const struct hash128 *key = &command->keys[i];
        size_t size;
        const void *value = txn_get(engine->txn, TABLE_IDEMPOTENCY, key, sizeof *key, &size);
        /* It may have been used again since it was found. */
        if (value != NULL && idempotency_is_expired(value, size, engine->command->now_ms))
            txn_delete(engine->txn, TABLE_IDEMPOTENCY, key, sizeof *key);
    }
    return OUTCOME_OK;
}
