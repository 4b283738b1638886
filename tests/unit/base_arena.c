/* base/arena: alignment, growth, reset, the bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    unsigned char *pieces[1000];
    for (size_t i = 0; i < 1000; i++) {
        pieces[i] = arena_alloc(&arena, i % 97);
        assert_int_equal((uintptr_t)pieces[i] % 8, 0);
        memset(pieces[i], (int)(i & 255), i % 97);
    }
    for (size_t i = 0; i < 1000; i++) {
        for (size_t k = 0; k < i % 97; k++)
            assert_int_equal(pieces[i][k], i & 255);
    }
    arena_release(&arena);
}

static void a_large_piece_does_not_waste_the_chunk_being_filled(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    char *first = arena_alloc(&arena, 16);
    arena_alloc(&arena, 100000);
    char *second = arena_alloc(&arena, 16);
    assert_true(second > first && second < first + 64);
    arena_release(&arena);
}

static void reset_keeps_the_largest_chunk_and_hands_it_out_again(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    arena_alloc(&arena, 100);
    char *large = arena_alloc(&arena, 200000);
    for (int i = 0; i < 100; i++)
        arena_alloc(&arena, 1000);
    arena_reset(&arena);
    assert_true(arena.bytes >= 200000);
    assert_true(arena.bytes < 300000);
    assert_ptr_equal(arena_alloc(&arena, 200000), large);
    arena_release(&arena);
    assert_int_equal(arena.bytes, 0);
}

static void the_same_load_after_a_reset_soon_needs_nothing_from_the_system(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    size_t bytes = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++)
            arena_alloc(&arena, 1000);
        bytes = arena.bytes;
        arena_reset(&arena);
    }
    assert_int_equal(arena.bytes, bytes);
    arena_release(&arena);
}

static void a_released_arena_may_be_used_again(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    arena_release(&arena);
    arena_reset(&arena);
    assert_string_equal(arena_copy(&arena, "abc", 2), "ab");
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    arena_release(&arena);
}

static int exit_status_after(size_t bytes_max, size_t size, int count)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct arena arena;
        close(STDERR_FILENO);
        arena_init(&arena, bytes_max);
        for (int i = 0; i < count; i++)
            memset(arena_alloc(&arena, size), 1, size);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void running_past_the_bound_stops_the_process_with_70(void **state)
{
    (void)state;
    assert_int_equal(exit_status_after(20000, 1000, 12), 0);
    assert_int_equal(exit_status_after(20000, 1000, 21), 70);
    assert_int_equal(exit_status_after(20000, 20001, 1), 70);
    assert_int_equal(exit_status_after(0, SIZE_MAX, 1), 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(a_large_piece_does_not_waste_the_chunk_being_filled),
        cmocka_unit_test(reset_keeps_the_largest_chunk_and_hands_it_out_again),
        cmocka_unit_test(the_same_load_after_a_reset_soon_needs_nothing_from_the_system),
        cmocka_unit_test(a_released_arena_may_be_used_again),
        cmocka_unit_test(running_past_the_bound_stops_the_process_with_70),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
