/* Addresses: what is one comes back as the same text, what is none is refused with a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "net/address.h"

static void an_address_comes_back_as_it_was_written(void **state)
{
    (void)state;
    static const char *const rows[] = {"127.0.0.1:8080", "0.0.0.0:0",       "255.255.255.255:65535",
                                       "[::1]:8080",     "[::]:1",          "[2001:db8::a:b]:65535",
                                       "unix:/run/s",    "unix:relative/s", "unix:x"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address address;
        struct buffer text, why;
        buffer_init(&text);
        buffer_init(&why);
        assert_true(address_parse(&address, rows[i], &why));
        address_append(&text, &address);
        assert_int_equal(text.size, strlen(rows[i]));
        assert_memory_equal(text.data, rows[i], text.size);
        assert_int_equal(why.size, 0);
        buffer_release(&text);
    }
}

static void what_is_none_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",           ":8080",         "8080",       "localhost:8080", "127.0.0.1",
        "1.2.3.4:",   "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:99999",  "1.2.3.4:000001",
        "1.2.3:80",   "1.2.3.256:80",  "::1:80",     "[::1]",          "[::1]80",
        "[::1:80",    "[1.2.3.4]:80",  "[]:80",      "[:80",           "[%lo]:80",
        "*:80",       " 127.0.0.1:80", "unix:",      "UNIX:/x",        "http://127.0.0.1:80",
        "1.2.3.4:8 ",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address address;
        struct buffer why;
        buffer_init(&why);
        if (address_parse(&address, rows[i], &why))
            fail_msg("taken: %s", rows[i]);
        assert_in_range(why.size, 20, 200);
        buffer_release(&why);
    }
}

static void a_unix_path_is_as_long_as_the_system_takes(void **state)
{
    (void)state;
    char text[5 + sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = "unix:";
    struct address address;
    struct buffer why;
    buffer_init(&why);
    memset(text + 5, 'x', sizeof address.unix_path.sun_path);
    assert_false(address_parse(&address, text, &why));
    text[5 + sizeof address.unix_path.sun_path - 1] = '\0';
    assert_true(address_parse(&address, text, &why));
    buffer_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_comes_back_as_it_was_written),
        cmocka_unit_test(what_is_none_is_refused_with_a_reason),
        cmocka_unit_test(a_unix_path_is_as_long_as_the_system_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
