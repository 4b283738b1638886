/* Items of a batch: the same ones, and the same refusals, however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json/items.h"

enum { ITEM_BYTES_MAX = 12 };

/* Everything one reading came to: items, each ended by "|", then the fault. */
static int on_item(void *context, const char *text, size_t size)
{
    struct buffer *seen = context;
    buffer_append(seen, text, size);
    buffer_append_literal(seen, "|");
    return 0;
}

static void read_batch(struct buffer *seen, const char *text, bool is_lines, size_t piece)
{
    struct json_items items;
    size_t size = strlen(text);
    int status = 0;
    json_items_init(&items, is_lines, ITEM_BYTES_MAX, on_item, seen);
    for (size_t at = 0; at < size && status == 0; at += piece) {
        status = json_items_feed(&items, text + at, size - at < piece ? size - at : piece);
        assert_true(items.item.size <= ITEM_BYTES_MAX + 1);
    }
    if (status == 0)
        status = json_items_end(&items);
    if (status != 0)
        buffer_append_text(seen, items.fault);
    buffer_append(seen, "", 1);
    json_items_release(&items);
}

static void assert_read(const char *text, bool is_lines, const char *expected)
{
    for (size_t piece = strlen(text); piece > 0; piece--) {
        struct buffer seen;
        buffer_init(&seen);
        read_batch(&seen, text, is_lines, piece);
        assert_string_equal(seen.data, expected);
        buffer_release(&seen);
    }
}

#define SPACES "                                        "

static void items_do_not_depend_on_the_cut(void **state)
{
    (void)state;
    assert_read("[1, {\"a\":[2,3]} ,\"],\\\"\"]", false, "1|{\"a\":[2,3]}|\"],\\\"\"|");
    assert_read("1\n\n{\"a\":2}\r\n 3", true, "1|{\"a\":2}|3|");
    assert_read(" [ ] ", false, "");
}

static void white_space_around_items_has_no_bound_and_no_weight(void **state)
{
    (void)state;
    assert_read(SPACES "[" SPACES "1" SPACES "," SPACES "123456789012" SPACES "]" SPACES, false,
                "1|123456789012|");
    assert_read(SPACES "1" SPACES "\n" SPACES "\n" SPACES "123456789012" SPACES, true,
                "1|123456789012|");
}

static void an_item_that_is_too_large_is_refused_with_the_white_space_inside(void **state)
{
    (void)state;
    assert_read("[1,1234567890123]", false, "1|an item is too large");
    assert_read("[1,{" SPACES "}]", false, "1|an item is too large");
    assert_read("[1,2" SPACES "3,4]", false, "1|an item is too large");
    assert_read("1\n2" SPACES "3\n", true, "1|an item is too large");
}

static void what_is_no_batch_is_refused(void **state)
{
    (void)state;
    assert_read("{}", false, "a batch is an array");
    assert_read("[1,]", false, "1|an item is missing");
    assert_read("[1,2", false, "1|the array does not end");
    assert_read("[1]2", false, "1|there is something behind the array");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_do_not_depend_on_the_cut),
        cmocka_unit_test(white_space_around_items_has_no_bound_and_no_weight),
        cmocka_unit_test(an_item_that_is_too_large_is_refused_with_the_white_space_inside),
        cmocka_unit_test(what_is_no_batch_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
