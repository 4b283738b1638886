/* Inside the engine: what the files of webhooks share. */
#ifndef SMSD_ENGINE_WEBHOOK_ROW_H
#define SMSD_ENGINE_WEBHOOK_ROW_H

#include "engine/webhook.h"

/* engine/webhook.c: replaces the row. */
void webhook_store(struct engine *engine, uint64_t number, const struct webhook *webhook);
/* Out of the outbox if it is there; `status` and `error` from now on; deleted when it was kept long
 * enough. Its row in TABLE_DUE, if it has one, is the caller's to have deleted. */
void webhook_finish(struct engine *engine, struct webhook *webhook, uint64_t number,
                    enum webhook_status status, enum webhook_error error);
/* Into the outbox, to be sent at once; due when its days are over. */
void webhook_make_ready(struct engine *engine, struct webhook *webhook, uint64_t number);
void webhook_outbox_delete(struct engine *engine, struct webhook *webhook);

/* engine/webhook_endpoint.c. An endpoint is its URL without the query; the row is made when it is
 * first needed, and goes with the last webhook that names it unless it is disabled. */
uint64_t webhook_endpoint_open(struct engine *engine, struct text url);
void webhook_endpoint_note(struct engine *engine, uint64_t number,
                           const struct webhook_attempt *attempt);
void webhook_endpoint_disable(struct engine *engine, uint64_t number,
                              enum webhook_endpoint_reason reason);
bool webhook_endpoint_is_enabled(struct txn *txn, uint64_t number);
/* One webhook more or fewer that names it; one more or fewer of these that are pending. */
void webhook_endpoint_count(struct engine *engine, uint64_t number, int kept, int pending);

#endif
