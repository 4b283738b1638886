/* What clients are to be told of, kept until it was delivered. */
#ifndef SMSD_ENGINE_WEBHOOK_H
#define SMSD_ENGINE_WEBHOOK_H

#include "engine/row.h"

struct engine;

void webhook_put(struct engine *engine, enum webhook_type type, uint64_t subject, int64_t value_0,
                 int64_t value_1);

#endif
