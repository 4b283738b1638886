/* gateway/webhook_request: what an answer to a webhook means (SMS-20), and what is signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/command.h"
#include "gateway/webhook_request.h"

#define NOW_MS INT64_C(784111777000) /* Sun, 06 Nov 1994 08:49:37 GMT */

static int64_t retry_after(const char *value)
{
    return webhook_retry_after_ms((struct text){value, strlen(value)}, NOW_MS);
}

/* RFC 9110 §10.2.3 */
static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    assert_int_equal(retry_after("0"), 0);
    assert_int_equal(retry_after("120"), 120000);
    assert_int_equal(retry_after("999999999"), INT64_C(999999999000));
    assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    assert_int_equal(retry_after("Sun, 06 Nov 1994 08:51:37 GMT"), 120000);
    assert_int_equal(retry_after("Mon, 07 Nov 1994 08:49:37 GMT"), INT64_C(86400000));
    assert_int_equal(retry_after("Sun, 06 Nov 1993 08:49:37 GMT"), 0);
}

static void anything_else_says_nothing(void **state)
{
    static const char *const values[] = {"",
                                         " ",
                                         "-5",
                                         "+5",
                                         "5 ",
                                         "5s",
                                         "1e9",
                                         "1234567890",
                                         "99999999999999999999999999999",
                                         "soon",
                                         "Sun, 06 Nov 1994 08:51:37 CET",
                                         "Sunday, 06-Nov-94 08:51:37 GMT",
                                         "Sun, 06 Nov 1994 08:51:37 GMT.",
                                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_int_equal(retry_after(values[i]), 0);
}

static struct webhook_result_command read_answer(enum http_client_error error, int status)
{
    struct http_client_header header = {TEXT("Retry-After"), TEXT("60")};
    struct http_client_response response = {
        .error = error, .status = status, .headers = &header, .header_count = 1, .detail = ""};
    struct webhook_result_command result = {.retry_after_ms = -1};

    webhook_answer_read(&response, NOW_MS, &result);
    return result;
}

static void what_each_answer_means(void **state)
{
    static const struct {
        int status;
        enum webhook_error error;
        int64_t retry_after_ms;
    } rows[] = {
        {200, WEBHOOK_ERROR_NONE, 0},   {201, WEBHOOK_ERROR_NONE, 0},
        {204, WEBHOOK_ERROR_NONE, 0},   {299, WEBHOOK_ERROR_NONE, 0},
        {301, WEBHOOK_ERROR_STATUS, 0}, {308, WEBHOOK_ERROR_STATUS, 0},
        {400, WEBHOOK_ERROR_STATUS, 0}, {404, WEBHOOK_ERROR_STATUS, 0},
        {410, WEBHOOK_ERROR_GONE, 0},   {429, WEBHOOK_ERROR_STATUS, 60000},
        {500, WEBHOOK_ERROR_STATUS, 0}, {503, WEBHOOK_ERROR_STATUS, 60000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct webhook_result_command result = read_answer(HTTP_CLIENT_OK, rows[i].status);
        assert_int_equal(result.status, rows[i].status);
        assert_int_equal(result.error, rows[i].error);
        assert_int_equal(result.retry_after_ms, rows[i].retry_after_ms);
    }
}

static void no_answer_is_never_a_delivery(void **state)
{
    (void)state;
    for (int error = HTTP_CLIENT_OK + 1; error <= HTTP_CLIENT_TOO_LARGE; error++) {
        struct webhook_result_command result = read_answer((enum http_client_error)error, 200);
        assert_int_not_equal(result.error, WEBHOOK_ERROR_NONE);
        assert_int_not_equal(result.error, WEBHOOK_ERROR_GONE);
        assert_int_equal(result.status, 0);
        assert_int_equal(result.retry_after_ms, 0);
    }
}

static struct text header(const struct webhook_request *request, const char *name)
{
    for (size_t i = 0; i < request->http.header_count; i++) {
        if (text_equals(request->headers[i].name, (struct text){name, strlen(name)}))
            return request->headers[i].value;
    }
    fail_msg("no %s", name);
    return (struct text){NULL, 0};
}

static void one_memory_serves_one_request_after_the_other(void **state)
{
    struct webhook webhook = {
        .row = {.type = WEBHOOK_MESSAGE_STATUS,
                .subject = 1,
                .values = {8613800138000, 2, 1},
                .at_ms = NOW_MS},
        .url = TEXT("https://example.com/hook"),
        .texts = {TEXT("acme"), TEXT("delivered"), {NULL, 0}, TEXT("order \"7\"")}};
    const struct webhook_secret_row secret = {.previous_until_ms = NOW_MS + 1};
    struct webhook_request request;
    struct text body =
        TEXT("{\"type\":\"message.status\",\"timestamp\":\"1994-11-06T08:49:37.000Z\","
             "\"data\":{\"id\":\"msg_0000000000001\",\"company\":\"acme\","
             "\"to\":\"+8613800138000\",\"status\":\"delivered\",\"error\":null,"
             "\"client_reference\":\"order \\\"7\\\"\",\"parts\":2,\"attempts\":1,"
             "\"at\":\"1994-11-06T08:49:37.000Z\"}}");

    (void)state;
    webhook_request_init(&request);
    webhook_request_fill(&request, 77, &webhook, &secret, NOW_MS);
    assert_true(text_equals(request.http.body, body));
    assert_int_equal(header(&request, "webhook-signature").size, 2 * WEBHOOK_SIGNATURE_SIZE + 1);
    assert_true(text_equals(header(&request, "webhook-timestamp"), TEXT("784111777")));
    webhook_request_fill(&request, 78, &webhook, &secret, NOW_MS + 1000);
    assert_true(text_equals(request.http.body, body));
    assert_int_equal(request.http.header_count, WEBHOOK_HEADERS);
    assert_int_equal(header(&request, "webhook-signature").size, WEBHOOK_SIGNATURE_SIZE);
    assert_true(text_equals(header(&request, "webhook-timestamp"), TEXT("784111778")));
    webhook_request_release(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(anything_else_says_nothing),
        cmocka_unit_test(what_each_answer_means),
        cmocka_unit_test(no_answer_is_never_a_delivery),
        cmocka_unit_test(one_memory_serves_one_request_after_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
