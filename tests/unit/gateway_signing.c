/* Signatures of requests (SMS-15) against the examples that providers publish, and their checking.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "gateway/signing.h"
#include "json/read.h"

static struct arena arena;

static struct text text(const char *from)
{
    return (struct text){from, strlen(from)};
}

static const struct signing *read_signing(const char *json, unsigned contexts,
                                          struct json_errors *errors)
{
    static const struct stencil_variable variables[] = {{{"secret", 6}, {"testSecret", 10}},
                                                        {{"token", 5}, {"12345", 5}}};
    const struct stencil_names names = {contexts, variables, 2};
    const char *why;
    const struct json_value *value = json_parse(&arena, json, strlen(json), &why);

    assert_non_null(value);
    json_errors_init(errors);
    return signing_read(&arena, value, &names, "/s", errors);
}

static void assert_signed(const char *json, const struct signed_request *request,
                          const char *expected)
{
    static const struct stencil_values none;
    struct json_errors errors;
    const struct signing *signing = read_signing(json, STENCIL_SIGN | STENCIL_SEND, &errors);
    struct buffer to;

    assert_int_equal(errors.count, 0);
    buffer_init(&to);
    signing_write(signing, request, &none, &to);
    buffer_append(&to, "", 1);
    assert_string_equal(to.data, expected);
    buffer_release(&to);
}

#define P(name, value)                                                                             \
    {                                                                                              \
        {(name), sizeof(name) - 1},                                                                \
        {                                                                                          \
            (value), sizeof(value) - 1                                                             \
        }                                                                                          \
    }

/* The example in Alibaba Cloud's manual of its short message service. */
static void parameters_are_signed_in_the_rpc_style(void **state)
{
    static const struct parameter parameters[] = {
        P("AccessKeyId", "testId"),
        P("Timestamp", "2017-07-12T02:42:19Z"),
        P("SignatureMethod", "HMAC-SHA1"),
        P("SignatureVersion", "1.0"),
        P("SignatureNonce", "45e25e9b-0a6f-4070-8c85-2956eda1b466"),
        P("Format", "XML"),
        P("Action", "SendSms"),
        P("Version", "2017-05-25"),
        P("RegionId", "cn-hangzhou"),
        P("PhoneNumbers", "15300000001"),
        P("SignName", "阿里云短信测试专用"),
        P("TemplateParam", "{\"customer\":\"test\"}"),
        P("TemplateCode", "SMS_71390007"),
        P("OutId", "123"),
        P("Signature", "whatever stands here is not signed"),
    };
    const struct signed_request request = {.method = text("GET"),
                                           .query_parameters = parameters,
                                           .query_count = sizeof parameters / sizeof *parameters};

    (void)state;
    assert_signed("{\"hash\":\"hmac_sha1\",\"key\":\"{secret}&\","
                  "\"over\":\"{method}&%2F&{parameters|url}\",\"encoding\":\"base64\","
                  "\"parameter\":\"Signature\",\"parameters\":{\"escape\":\"url\"}}",
                  &request, "zJDF+Lrzhj/ThnlvIToysFRq6t4=");
}

/* The example in Twilio's manual. */
static void url_and_form_are_signed_one_behind_the_other(void **state)
{
    static const struct parameter query[] = {P("foo", "1"), P("bar", "2")};
    static const struct parameter form[] = {P("To", "+18005551212"), P("Digits", "1234"),
                                            P("From", "+12349013030"), P("Caller", "+12349013030"),
                                            P("CallSid", "CA1234567890ABCDE")};
    static const char json[] = "{\"hash\":\"hmac_sha1\",\"key\":\"{token}\","
                               "\"over\":\"{url}{parameters}\",\"encoding\":\"base64\","
                               "\"header\":\"X-Twilio-Signature\","
                               "\"parameters\":{\"of\":\"form\",\"pair\":\"\",\"between\":\"\"}}";
    struct signed_request request = {.url = text("https://mycompany.com/myapp.php?foo=1&bar=2"),
                                     .query_parameters = query,
                                     .query_count = 2,
                                     .form_parameters = form,
                                     .form_count = 5};
    struct json_errors errors;
    const struct signing *signing = read_signing(json, STENCIL_CHECK, &errors);

    (void)state;
    assert_signed(json, &request, "0/KCTR6DLpKmkAf8muzZqo1nDgQ=");
    assert_true(signing_holds(signing, &request, text("0/KCTR6DLpKmkAf8muzZqo1nDgQ=")));
    assert_false(signing_holds(signing, &request, text("0/KCTR6DLpKmkAf8muzZqo1nDgQ")));
    assert_false(signing_holds(signing, &request, text("1/KCTR6DLpKmkAf8muzZqo1nDgQ=")));
    assert_false(signing_holds(signing, &request, text("")));
    assert_false(signing_holds(signing, &request, (struct text){NULL, 0}));
    request.form_count = 4;
    assert_false(signing_holds(signing, &request, text("0/KCTR6DLpKmkAf8muzZqo1nDgQ=")));
}

static void a_plain_hash_takes_its_secret_from_the_text(void **state)
{
    static const struct parameter form[] = {P("to", "44"), P("text", "a&b=c")};
    const struct signed_request request = {.form_parameters = form, .form_count = 2};

    (void)state; /* md5 of "&text=a_b_c&to=44testSecret" */
    assert_signed("{\"hash\":\"md5\",\"over\":\"&{parameters}{secret}\",\"parameter\":\"sig\","
                  "\"parameters\":{\"escape\":\"underscore\"}}",
                  &request, "c613cf29c50647f610b73738cf8bc214");
}

static void a_body_is_signed_into_a_header(void **state)
{
    const struct signed_request request = {.method = text("POST"),
                                           .path = text("/v1/sms"),
                                           .body = text("what do ya want for nothing?")};

    (void)state; /* RFC 4231, test case 2, with another key */
    assert_signed("{\"hash\":\"hmac_sha256\",\"key\":\"Jefe\",\"over\":\"{body}\","
                  "\"header\":\"X-Signature\",\"value\":\"t={path},v={signed}\"}",
                  &request,
                  "t=/v1/sms,v=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void assert_refused(const char *json, const char *pointer)
{
    struct json_errors errors;

    read_signing(json, STENCIL_SIGN, &errors);
    assert_int_equal(errors.count_all, 1);
    assert_string_equal(errors.items[0].pointer, pointer);
}

static void what_cannot_be_signed_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused("{\"hash\":\"crc32\",\"over\":\"{body}\",\"header\":\"X\"}", "/s/hash");
    assert_refused("{\"hash\":\"hmac_sha1\",\"over\":\"{body}\",\"header\":\"X\"}", "/s/key");
    assert_refused("{\"hash\":\"md5\",\"key\":\"k\",\"over\":\"{body}\",\"header\":\"X\"}",
                   "/s/key");
    assert_refused("{\"hash\":\"md5\",\"over\":\"{text}\",\"header\":\"X\"}", "/s/over");
    assert_refused("{\"hash\":\"md5\",\"over\":\"{body}\"}", "/s");
    assert_refused("{\"hash\":\"md5\",\"over\":\"{body}\",\"header\":\"X\",\"parameter\":\"y\"}",
                   "/s");
    assert_refused("{\"hash\":\"md5\",\"over\":\"{body}\",\"header\":\"X\","
                   "\"parameters\":{\"escape\":\"html\"}}",
                   "/s/parameters/escape");
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_signed_in_the_rpc_style),
        cmocka_unit_test(url_and_form_are_signed_one_behind_the_other),
        cmocka_unit_test(a_plain_hash_takes_its_secret_from_the_text),
        cmocka_unit_test(a_body_is_signed_into_a_header),
        cmocka_unit_test(what_cannot_be_signed_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
