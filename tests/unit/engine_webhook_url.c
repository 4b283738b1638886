/* engine/webhook_url: which URLs may be an endpoint's, by their form (SMS-20). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/webhook.h"

static bool is_valid(const char *url)
{
    return webhook_url_is_valid(url, strlen(url));
}

static void these_may(void **state)
{
    static const char *const urls[] = {
        "https://example.com",
        "https://example.com/",
        "http://example.com/hook",
        "https://example.com:443/hook?a=1&b=2",
        "http://example.com:80",
        "https://example.com:1024/",
        "https://example.com:65535?x=@",
        "https://192.0.2.1/hook",
        "https://[2001:db8::1]/hook",
        "https://[2001:db8::1]:8443/hook",
        "https://example.com/@user/hook:1",
        "https://xn--fsq.example/%E4%BD%A0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        if (!is_valid(urls[i]))
            fail_msg("%s", urls[i]);
    }
}

static void these_may_not(void **state)
{
    static const char *const urls[] = {
        "",
        "https://",
        "https:///hook",
        "https://?x",
        "https://:443/",
        "ftp://example.com/",
        "HTTPS://example.com/",
        "//example.com/",
        "example.com/hook",
        "file:///etc/passwd",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:25/",
        "https://example.com:22/",
        "https://example.com:1023/",
        "https://example.com:65536/",
        "https://example.com:/",
        "https://example.com:443x/",
        "https://example.com:-1/",
        "https://example.com:000443/",
        "https://[]/",
        "https://[::1/",
        "https://[::1]x/",
        "https://exa mple.com/",
        "https://example.com/\thook",
        "https://example.com/\r\nX-Header: 1",
        "https://example.com/h\xc3\xb6ok",
        "https://example.com\\@internal/",
        "https://example.com/<script>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        if (is_valid(urls[i]))
            fail_msg("%s", urls[i]);
    }
}

static void no_longer_than_is_kept(void **state)
{
    char url[WEBHOOK_URL_MAX + 1];

    (void)state;
    memset(url, 'a', sizeof url);
    memcpy(url, "https://example.com/", 20);
    assert_true(webhook_url_is_valid(url, WEBHOOK_URL_MAX));
    assert_false(webhook_url_is_valid(url, WEBHOOK_URL_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(these_may),
        cmocka_unit_test(these_may_not),
        cmocka_unit_test(no_longer_than_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
