/* What webhooks are signed with: one secret, and for a day after a change the one before it, so
 * that receivers can be told at their leisure. */
#include <assert.h>
#include <string.h>

#include "engine/handler.h"
#include "engine/webhook.h"

#define META_WEBHOOK_SECRET "webhook_secret"

enum { WEBHOOK_SECRET_ROW_VERSION = 1 };

bool webhook_secret_find(struct txn *txn, struct webhook_secret_row *row)
{
    size_t size;
    const void *value =
        txn_get(txn, TABLE_META, META_WEBHOOK_SECRET, sizeof META_WEBHOOK_SECRET - 1, &size);

    if (value == NULL)
        return false;
    assert(size == sizeof *row);
    memcpy(row, value, size);
    assert(row->version == WEBHOOK_SECRET_ROW_VERSION);
    return true;
}

enum outcome engine_webhook_secret(struct engine *engine,
                                   const struct webhook_secret_command *command,
                                   struct result *answer)
{
    int64_t now_ms = engine->command->now_ms;
    struct webhook_secret_row row = {.version = WEBHOOK_SECRET_ROW_VERSION}, old;
    bool has_old = webhook_secret_find(engine->txn, &old);

    answer->of.webhook_secret = (struct webhook_secret_result){0};
    if (has_old && command->is_first)
        return OUTCOME_OK;
    row.made_ms = now_ms;
    memcpy(row.current, command->secret, sizeof row.current);
    if (has_old) {
        memcpy(row.previous, old.current, sizeof row.previous);
        row.previous_until_ms = now_ms + WEBHOOK_SECRET_KEPT_MS;
    }
    txn_put(engine->txn, TABLE_META, META_WEBHOOK_SECRET, sizeof META_WEBHOOK_SECRET - 1, &row,
            sizeof row);
    answer->of.webhook_secret.previous_until_ms = row.previous_until_ms;
    return OUTCOME_OK;
}
