/* A row with what the event was, as it was then: the account may have changed when it is delivered.
 */
#include "engine/webhook.h"

#include "base/bytes.h"
#include "engine/handler.h"

enum { WEBHOOK_ROW_VERSION = 1 };

void webhook_put(struct engine *engine, enum webhook_type type, uint64_t subject, int64_t value_0,
                 int64_t value_1)
{
    struct webhook_row row = {.version = WEBHOOK_ROW_VERSION,
                              .type = (uint8_t)type,
                              .subject = subject,
                              .values = {value_0, value_1}};
    char key[8];

    bytes_put_u64_be(key, engine_next_number(engine));
    txn_put(engine->txn, TABLE_WEBHOOK, key, sizeof key, &row, sizeof row);
}
