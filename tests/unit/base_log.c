/* base/log: every line is one whole JSON object whatever goes in, from any thread, through rotation
 * (OPS-4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time_text.h"
#include "json/read.h"

static char directory[] = "/tmp/smsd_log_XXXXXX";
static char path[64];
static char moved_path[64];

static int open_log(void **state)
{
    (void)state;
    unlink(path);
    unlink(moved_path);
    return log_open(path, LOG_INFO);
}

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/log", directory);
    snprintf(moved_path, sizeof moved_path, "%s/log.1", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    log_open(NULL, LOG_INFO);
    unlink(path);
    unlink(moved_path);
    return rmdir(directory);
}

/* The file with a NUL behind it; the caller frees. */
static char *read_all(const char *from, size_t *size)
{
    struct stat about;
    int fd = open(from, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &about), 0);
    char *text = malloc((size_t)about.st_size + 1);
    assert_int_equal(read(fd, text, (size_t)about.st_size), about.st_size);
    text[about.st_size] = 0;
    close(fd);
    if (size != NULL)
        *size = (size_t)about.st_size;
    return text;
}

static void assert_logged(const char *expected)
{
    char *text = read_all(path, NULL);
    if (strstr(text, expected) == NULL)
        fail_msg("no %s in %s", expected, text);
    free(text);
}

/* Every line is strict JSON; returns how many there are. */
static size_t count_lines(const char *text, size_t size)
{
    struct arena arena;
    size_t lines = 0;
    arena_init(&arena, 0);
    for (const char *at = text; at != text + size; lines++) {
        const char *end = memchr(at, '\n', (size_t)(text + size - at));
        const char *why;
        assert_non_null(end);
        assert_true(end + 1 - at <= LOG_LINE_MAX);
        const struct json_value *line = json_parse(&arena, at, (size_t)(end - at), &why);
        if (line == NULL || !json_is_object(line))
            fail_msg("%s: %.*s", why, (int)(end - at), at);
        arena_reset(&arena);
        at = end + 1;
    }
    arena_release(&arena);
    return lines;
}

static size_t count_logged_lines(void)
{
    size_t size;
    char *text = read_all(path, &size);
    size_t lines = count_lines(text, size);
    free(text);
    return lines;
}

static void a_line_has_time_level_event_and_its_fields_in_order(void **state)
{
    (void)state;
    log_event(LOG_WARNING, "disk_low", LOG_TEXT("path", "/data"), LOG_NUMBER("left", -7),
              LOG_TEXT("reason", NULL), LOG_NUMBER("max", INT64_MAX));
    char *text = read_all(path, NULL);
    int64_t time_ms;
    assert_int_equal(strncmp(text, "{\"time\":\"", 9), 0);
    assert_true(time_parse(text + 9, TIME_TEXT_SIZE, &time_ms));
    assert_string_equal(text + 9 + TIME_TEXT_SIZE,
                        "\",\"level\":\"warning\",\"event\":\"disk_low\",\"path\":\"/data\","
                        "\"left\":-7,\"max\":9223372036854775807}\n");
    free(text);
}

static void texts_are_escaped(void **state)
{
    (void)state;
    log_event(LOG_INFO, "escape", LOG_TEXT("a", "\"\\/\n\t\x01\x7f\xe5\xb9\xb3\xff\xed\xa0\x80."));
    assert_logged("\"a\":\"\\\"\\\\/\\u000a\\u0009\\u0001\\u007f\xe5\xb9\xb3"
                  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.\"}\n");
    assert_int_equal(count_logged_lines(), 1);
}

/* OPS-4: no full number in the logs. */
static void a_mobile_shows_its_ends_only(void **state)
{
    (void)state;
    log_event(LOG_INFO, "sent", LOG_MOBILE("a", "+8613812345678"), LOG_MOBILE("b", "13812345678"),
              LOG_MOBILE("c", "1381234567"), LOG_MOBILE("d", "1234"), LOG_MOBILE("e", ""),
              LOG_MOBILE("f", NULL));
    assert_logged("\"a\":\"+861***5678\",\"b\":\"1381***5678\",\"c\":\"***67\",\"d\":\"***\","
                  "\"e\":\"***\"}\n");
}

static void lines_below_the_level_are_left_out(void **state)
{
    (void)state;
    assert_false(log_is_on(LOG_DEBUG));
    assert_true(log_is_on(LOG_INFO));
    log_event(LOG_DEBUG, "quiet", LOG_NUMBER("n", 1));
    assert_int_equal(count_logged_lines(), 0);
    log_open(path, LOG_DEBUG);
    log_event(LOG_DEBUG, "loud", LOG_NUMBER("n", 1));
    assert_int_equal(count_logged_lines(), 1);
}

static void a_line_that_is_too_long_is_cut_and_still_json(void **state)
{
    (void)state;
    static char text[10000];
    for (size_t size = 3000; size < 4200; size++) {
        memset(text, size % 2 ? 'x' : '"', size);
        text[size] = 0;
        log_event(LOG_INFO, "long", LOG_TEXT("text", size % 2 ? text : text + size / 2),
                  LOG_TEXT("more", "abc"), LOG_NUMBER("number", INT64_MIN), LOG_TEXT("last", "abc"),
                  LOG_TEXT("very_last", "abc"));
    }
    assert_int_equal(count_logged_lines(), 1200);
    assert_logged("\",\"cut\":true}\n");
    assert_logged("\"very_last\":\"abc\"}\n");
}

static void any_bytes_at_all_make_whole_lines(void **state)
{
    (void)state;
    uint32_t random = 3;
    for (int i = 0; i < 3000; i++) {
        char text[64];
        for (size_t k = 0; k < sizeof text - 1; k++) {
            random = random * 1664525 + 1013904223;
            text[k] = (char)(random >> 24);
        }
        text[sizeof text - 1] = 0;
        log_event(LOG_INFO, "noise", LOG_TEXT("text", text), LOG_MOBILE("mobile", text));
    }
    assert_int_equal(count_logged_lines(), 3000);
}

static void *log_a_lot(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++)
        log_event(LOG_INFO, "busy", LOG_NUMBER("i", i), LOG_TEXT("text", "some text to write"));
    return NULL;
}

static void threads_do_not_tear_lines_nor_does_reopening(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_a_lot, NULL), 0);
    assert_int_equal(rename(path, moved_path), 0);
    assert_int_equal(log_reopen(), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(log_reopen(), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    size_t size;
    char *moved = read_all(moved_path, &size);
    assert_int_equal(count_lines(moved, size) + count_logged_lines(), 8000);
    free(moved);
}

static void a_log_that_can_not_be_reopened_goes_on_in_the_old_file(void **state)
{
    (void)state;
    if (geteuid() == 0) { /* root may open anything but a directory */
        assert_int_equal(rename(path, moved_path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(log_reopen(), ERR_IO);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(rename(moved_path, path), 0);
    } else {
        assert_int_equal(chmod(path, 0400), 0);
        assert_int_equal(log_reopen(), ERR_PERMISSION);
    }
    log_event(LOG_INFO, "still_here", LOG_NUMBER("n", 1));
    assert_logged("still_here");
}

static void a_path_that_can_not_be_opened_is_an_error(void **state)
{
    (void)state;
    static char long_path[5000];
    memset(long_path, 'x', sizeof long_path - 1);
    assert_int_equal(log_open("/nowhere/at/all", LOG_INFO), ERR_IO);
    assert_int_equal(log_open(long_path, LOG_INFO), ERR_TOO_LARGE);
    log_event(LOG_INFO, "as_before", LOG_NUMBER("n", 1));
    assert_logged("as_before");
}

static void logging_leaves_errno_alone(void **state)
{
    (void)state;
    errno = ENOSPC;
    log_event(LOG_INFO, "x", LOG_NUMBER("n", 1));
    assert_int_equal(errno, ENOSPC);
}

static void a_fatal_failure_is_logged_said_and_exits_70(void **state)
{
    (void)state;
    int pipe_fds[2];
    char said[200] = {0};
    assert_int_equal(pipe(pipe_fds), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        log_fatal("fdatasync", "/data/journal", EIO);
    }
    close(pipe_fds[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 70);
    assert_true(read(pipe_fds[0], said, sizeof said - 1) > 0);
    close(pipe_fds[0]);
    assert_string_equal(said, "smsd: fdatasync /data/journal: Input/output error\n");
    assert_logged("\"level\":\"error\",\"event\":\"fatal\",\"what\":\"fdatasync\","
                  "\"path\":\"/data/journal\",\"reason\":\"Input/output error\"}\n");
}

#define LOG_TEST(test) cmocka_unit_test_setup(test, open_log)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_has_time_level_event_and_its_fields_in_order),
        LOG_TEST(texts_are_escaped),
        LOG_TEST(a_mobile_shows_its_ends_only),
        LOG_TEST(lines_below_the_level_are_left_out),
        LOG_TEST(a_line_that_is_too_long_is_cut_and_still_json),
        LOG_TEST(any_bytes_at_all_make_whole_lines),
        LOG_TEST(threads_do_not_tear_lines_nor_does_reopening),
        LOG_TEST(a_log_that_can_not_be_reopened_goes_on_in_the_old_file),
        LOG_TEST(a_path_that_can_not_be_opened_is_an_error),
        LOG_TEST(logging_leaves_errno_alone),
        LOG_TEST(a_fatal_failure_is_logged_said_and_exits_70),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
