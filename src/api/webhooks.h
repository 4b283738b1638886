/* What the handlers of webhooks and of their endpoints share. */
#ifndef SMSD_API_WEBHOOKS_H
#define SMSD_API_WEBHOOKS_H

/* NULL for WEBHOOK_ERROR_NONE. */
const char *webhook_error_text(int error);

#endif
