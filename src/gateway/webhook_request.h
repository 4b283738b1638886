/* One attempt to deliver a webhook, as HTTP (Standard Webhooks 1.0.0): the request with its three
 * headers, and what its answer means. */
#ifndef SMSD_GATEWAY_WEBHOOK_REQUEST_H
#define SMSD_GATEWAY_WEBHOOK_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/id.h"
#include "base/sha256.h"
#include "engine/webhook.h"
#include "http/client.h"

struct webhook_result_command;

enum {
    WEBHOOK_SIGNATURE_SIZE = 3 + BASE64_SIZE(SHA256_SIZE), /* "v1," in front */
    WEBHOOK_HEADERS = 5,
};

/* Memory for one; used again for the next. */
struct webhook_request {
    struct buffer body;
    char url[WEBHOOK_URL_MAX];
    char id[ID_TEXT_MAX];
    char timestamp[24];
    char signatures[2 * WEBHOOK_SIGNATURE_SIZE + 1];
    struct http_client_header headers[WEBHOOK_HEADERS];
    struct http_client_request http; /* all but where the answer goes, timeout and guard */
};

void webhook_request_init(struct webhook_request *request);
void webhook_request_release(struct webhook_request *request);
/* The webhook's number is its id, and its body the same at every attempt; the time is the
 * attempt's. After a change of the secret the old one signs too, while it counts. */
void webhook_request_fill(struct webhook_request *request, uint64_t number,
                          const struct webhook *webhook, const struct webhook_secret_row *secret,
                          int64_t now_ms);

/* Fills status, error and retry_after_ms. */
void webhook_answer_read(const struct http_client_response *response, int64_t now_ms,
                         struct webhook_result_command *result);
/* Retry-After (RFC 9110 §10.2.3): seconds, or a date. 0: it says nothing. */
int64_t webhook_retry_after_ms(struct text value, int64_t now_ms);

#endif
