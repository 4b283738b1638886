/* A generation of rows on its own: what is left of one whose memory is used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/overlay.h"

enum { ROWS = 20000, TXN_BYTES = 1 << 16 };

static const enum table tables[] = {TABLE_ACCOUNT, TABLE_DUE};

static uint64_t hash_of(enum table table, const char *key)
{
    static const struct key_hash_seed seed = {1, 2};
    return key_hash(&seed, (unsigned)table, key, strlen(key));
}

static void fill(struct overlay *overlay, const char *prefix)
{
    for (int i = 0; i < ROWS; i++) {
        char key[32];
        enum table table = tables[i % 2];
        int size = snprintf(key, sizeof key, "%s%06d", prefix, i);
        overlay_put(overlay, hash_of(table, key), table, key, (size_t)size, key, (size_t)size,
                    false);
    }
}

static bool has(const struct overlay *overlay, const char *prefix, int i)
{
    char key[32];
    enum table table = tables[i % 2];
    int size = snprintf(key, sizeof key, "%s%06d", prefix, i);
    const struct row *row = overlay_find(overlay, hash_of(table, key), table, key, (size_t)size);
    return row != NULL && row->value_size == size &&
           memcmp(overlay_value(overlay, row), key, (size_t)size) == 0;
}

static size_t count_in_order(const struct overlay *overlay)
{
    size_t count = 0;
    for (row_ref ref = overlay_first(overlay, TABLE_DUE); ref != 0;
         ref = overlay_next(overlay, overlay_row(overlay, ref)))
        count++;
    return count;
}

static void nothing_is_left_of_a_generation_that_was_emptied(void **state)
{
    struct overlay *overlay = overlay_new((size_t)16 << 20, TXN_BYTES);

    (void)state;
    overlay_prepare(overlay);
    for (int round = 0; round < 3; round++) {
        const char *prefix = round % 2 == 0 ? "even" : "odd",
                   *other = round % 2 == 0 ? "odd" : "even";
        size_t used = overlay->used;
        fill(overlay, prefix);
        for (int i = 0; i < ROWS; i++)
            assert_true(has(overlay, prefix, i) && !has(overlay, other, i));
        assert_int_equal(count_in_order(overlay), ROWS / 2);
        overlay_reset(overlay);
        assert_int_equal(overlay->used, used);
        assert_int_equal(overlay->rows, 0);
        assert_int_equal(overlay_fullness(overlay), 0);
        assert_int_equal(overlay_first(overlay, TABLE_DUE), 0);
        assert_int_equal(overlay_last(overlay, TABLE_DUE), 0);
        for (int i = 0; i < ROWS; i++)
            assert_false(has(overlay, prefix, i));
    }
    overlay_free(overlay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_of_a_generation_that_was_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
