/* What is signed is "id.timestamp.body" (Standard Webhooks, "Signature scheme"). */
#include "gateway/webhook_request.h"

#include <stdio.h>
#include <time.h>

#include "base/hmac.h"
#include "engine/command.h"
#include "gateway/webhook_payload.h"

void webhook_request_init(struct webhook_request *request)
{
    buffer_init(&request->body);
}

void webhook_request_release(struct webhook_request *request)
{
    buffer_release(&request->body);
}

static size_t sign(const struct webhook_request *request, struct text id, struct text timestamp,
                   const uint8_t secret[WEBHOOK_SECRET_SIZE], char *to)
{
    uint8_t mac[SHA256_SIZE];
    struct hmac hmac;

    hmac_init(&hmac, secret, WEBHOOK_SECRET_SIZE);
    hmac_update(&hmac, id.data, id.size);
    hmac_update(&hmac, ".", 1);
    hmac_update(&hmac, timestamp.data, timestamp.size);
    hmac_update(&hmac, ".", 1);
    hmac_update(&hmac, request->body.data, request->body.size);
    hmac_finish(&hmac, mac);
    memcpy(to, "v1,", 3);
    return 3 + base64_format(to + 3, mac, sizeof mac);
}

static void set_header(struct webhook_request *request, struct text name, struct text value)
{
    request->headers[request->http.header_count++] = (struct http_client_header){name, value};
}

void webhook_request_fill(struct webhook_request *request, uint64_t number,
                          const struct webhook *webhook, const struct webhook_secret_row *secret,
                          int64_t now_ms)
{
    struct text id = {request->id, id_format(request->id, "whk_", number)};
    struct text timestamp = {request->timestamp, 0};
    size_t size;

    request->body.size = 0;
    webhook_write_payload(&request->body, webhook);
    timestamp.size = (size_t)snprintf(request->timestamp, sizeof request->timestamp, "%lld",
                                      (long long)(now_ms / 1000));
    size = sign(request, id, timestamp, secret->current, request->signatures);
    if (now_ms < secret->previous_until_ms) {
        request->signatures[size++] = ' ';
        size += sign(request, id, timestamp, secret->previous, request->signatures + size);
    }
    memcpy(request->url, webhook->url.data, webhook->url.size);
    request->http = (struct http_client_request){
        .method = TEXT("POST"),
        .url = {request->url, webhook->url.size},
        .headers = request->headers,
        .body = {request->body.data, request->body.size},
        .is_idempotent = true, /* a receiver knows the id again */
    };
    set_header(request, TEXT("Content-Type"), TEXT("application/json"));
    set_header(request, TEXT("User-Agent"), TEXT("smsd"));
    set_header(request, TEXT("webhook-id"), id);
    set_header(request, TEXT("webhook-timestamp"), timestamp);
    set_header(request, TEXT("webhook-signature"), (struct text){request->signatures, size});
}

static enum webhook_error error_of(enum http_client_error error)
{
    switch (error) {
    case HTTP_CLIENT_OK:
        return WEBHOOK_ERROR_NONE;
    case HTTP_CLIENT_INVALID:
        return WEBHOOK_ERROR_FORBIDDEN_URL;
    case HTTP_CLIENT_RESOLVE:
        return WEBHOOK_ERROR_RESOLVE;
    case HTTP_CLIENT_FORBIDDEN_ADDRESS:
        return WEBHOOK_ERROR_FORBIDDEN_ADDRESS;
    case HTTP_CLIENT_TLS:
        return WEBHOOK_ERROR_TLS;
    case HTTP_CLIENT_TIMEOUT:
        return WEBHOOK_ERROR_TIMEOUT;
    case HTTP_CLIENT_CLOSED:
        return WEBHOOK_ERROR_CLOSED;
    case HTTP_CLIENT_MALFORMED:
        return WEBHOOK_ERROR_MALFORMED;
    case HTTP_CLIENT_TOO_LARGE:
        return WEBHOOK_ERROR_TOO_LARGE;
    case HTTP_CLIENT_OVERLOADED: /* cannot be: fewer are under way than may wait in line */
    case HTTP_CLIENT_CONNECT:
        break;
    }
    return WEBHOOK_ERROR_CONNECT;
}

static int64_t seconds_of(struct text value)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9' || value.size > 9)
            return -1;
        seconds = seconds * 10 + (value.data[i] - '0');
    }
    return value.size > 0 ? seconds : -1;
}

int64_t webhook_retry_after_ms(struct text value, int64_t now_ms)
{
    int64_t seconds = seconds_of(value), date_ms;
    char text[sizeof "Sun, 06 Nov 1994 08:49:37 GMT"];
    struct tm tm = {0};
    const char *end;

    if (seconds >= 0)
        return seconds * 1000;
    if (value.size != sizeof text - 1)
        return 0;
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (end == NULL || *end != '\0')
        return 0;
    date_ms = INT64_C(1000) * timegm(&tm);
    return date_ms > now_ms ? date_ms - now_ms : 0;
}

void webhook_answer_read(const struct http_client_response *response, int64_t now_ms,
                         struct webhook_result_command *result)
{
    int status = response->status;

    result->error = error_of(response->error);
    result->status = 0;
    result->retry_after_ms = 0;
    if (response->error != HTTP_CLIENT_OK)
        return;
    result->status = (uint16_t)status;
    if (status == 410)
        result->error = WEBHOOK_ERROR_GONE;
    else if (status < 200 || status > 299)
        result->error = WEBHOOK_ERROR_STATUS;
    if (status == 429 || status == 503)
        result->retry_after_ms = webhook_retry_after_ms(
            http_client_response_header(response, TEXT("Retry-After")), now_ms);
}
