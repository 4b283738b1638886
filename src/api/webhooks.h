/* What the handlers of webhooks and of their endpoints share. */
#ifndef SMSD_API_WEBHOOKS_H
#define SMSD_API_WEBHOOKS_H

#include <stdint.h>

struct json_writer;

/* NULL for WEBHOOK_ERROR_NONE. */
const char *webhook_error_text(int error);
/* Null for 0: a moment that has not come, an answer that there was not. */
void webhook_write_time(struct json_writer *writer, const char *name, int64_t time_ms);
void webhook_write_answer(struct json_writer *writer, const char *name, int status);

#endif
