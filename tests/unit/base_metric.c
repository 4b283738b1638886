/* base/metric: what is counted is shown, in the form Prometheus reads (OPS-4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/metric.h"

/* The value behind `sample` in the rendered text, as text; "" if there is none. */
static void find_sample(const char *sample, char *value, size_t value_size)
{
    struct buffer text;
    char wanted[200];
    buffer_init(&text);
    metrics_render(&text);
    buffer_append(&text, "", 1);
    snprintf(wanted, sizeof wanted, "\n%s ", sample);
    const char *at = strstr(text.data, wanted);
    value[0] = 0;
    if (at != NULL) {
        at += strlen(wanted);
        size_t size = strcspn(at, "\n");
        snprintf(value, value_size, "%.*s", (int)size, at);
    }
    buffer_release(&text);
}

static void assert_sample(const char *sample, const char *expected)
{
    char value[64];
    find_sample(sample, value, sizeof value);
    assert_string_equal(value, expected);
}

static void counters_and_gauges_show_their_value(void **state)
{
    (void)state;
    metric_add(METRIC_COMMANDS, 3);
    metric_add(METRIC_COMMANDS, 4);
    metric_set(METRIC_OVERLAY_BYTES, -5);
    metric_add(METRIC_OVERLAY_BYTES, 2);
    assert_int_equal(metric_get(METRIC_COMMANDS), 7);
    assert_int_equal(metric_get(METRIC_OVERLAY_BYTES), -3);
    assert_sample("smsd_commands_total", "7");
    assert_sample("smsd_overlay_bytes", "-3");
    assert_sample("# TYPE smsd_commands_total", "counter");
    assert_sample("# TYPE smsd_overlay_bytes", "gauge");
    assert_sample("# HELP smsd_overlay_rows", "The same, counted.");
}

static void a_histogram_is_cumulative_with_bounds_in_seconds(void **state)
{
    (void)state;
    static const uint64_t durations_ns[] = {0,         1000,        1001,        2000,         2001,
                                            999999999, 67108864000, 67108864001, 1000000000000};
    for (size_t i = 0; i < sizeof durations_ns / sizeof *durations_ns; i++)
        metric_observe(METRIC_JOURNAL_SYNC, durations_ns[i]);
    assert_sample("smsd_journal_sync_duration_seconds_bucket{le=\"0.000001\"}", "2");
    assert_sample("smsd_journal_sync_duration_seconds_bucket{le=\"0.000002\"}", "4");
    assert_sample("smsd_journal_sync_duration_seconds_bucket{le=\"0.000004\"}", "5");
    assert_sample("smsd_journal_sync_duration_seconds_bucket{le=\"0.524288\"}", "5");
    assert_sample("smsd_journal_sync_duration_seconds_bucket{le=\"1.048576\"}", "6");
    assert_sample("smsd_journal_sync_duration_seconds_bucket{le=\"67.108864\"}", "7");
    assert_sample("smsd_journal_sync_duration_seconds_bucket{le=\"+Inf\"}", "9");
    assert_sample("smsd_journal_sync_duration_seconds_count", "9");
    assert_sample("smsd_journal_sync_duration_seconds_sum", "1135.217734002");
    assert_sample("# TYPE smsd_journal_sync_duration_seconds", "histogram");
    assert_int_equal(metric_get(METRIC_JOURNAL_SYNC), 9);
}

static void every_line_is_a_comment_or_a_sample(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text);
    metrics_render(&text);
    assert_true(text.size > 0 && text.data[text.size - 1] == '\n');
    buffer_append(&text, "", 1);
    size_t samples = 0;
    for (char *line = text.data; *line != 0; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
            continue;
        assert_int_equal(strncmp(line, "smsd_", 5), 0);
        samples++;
    }
    assert_true(samples > METRIC_COUNT);
    buffer_release(&text);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

static void rows_of_one_name_are_one_metric_with_a_label(void **state)
{
    (void)state;
    struct buffer text;
    metric_set(METRIC_CAMPAIGNS_DRAFT, 3);
    metric_set(METRIC_CAMPAIGNS_RUNNING, 4);
    metric_add(METRIC_CAMPAIGNS_RUNNING, (uint64_t)-1);
    assert_sample("smsd_campaigns{status=\"draft\"}", "3");
    assert_sample("smsd_campaigns{status=\"running\"}", "3");
    assert_sample("# TYPE smsd_campaigns", "gauge");
    buffer_init(&text);
    metrics_render(&text);
    buffer_append(&text, "", 1);
    assert_int_equal(count_of(text.data, "# HELP smsd_campaigns "), 1);
    assert_int_equal(count_of(text.data, "# TYPE smsd_campaigns "), 1);
    assert_int_equal(count_of(text.data, "# TYPE smsd_campaigns_ended_total "), 1);
    buffer_release(&text);
}

static void *count_a_lot(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100000; i++) {
        metric_add(METRIC_JOURNAL_BATCHES, 1);
        metric_observe(METRIC_CHECKPOINT_DURATION, 5000);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_a_lot, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metric_get(METRIC_JOURNAL_BATCHES), 400000);
    assert_sample("smsd_checkpoint_duration_seconds_count", "400000");
    assert_sample("smsd_checkpoint_duration_seconds_sum", "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges_show_their_value),
        cmocka_unit_test(a_histogram_is_cumulative_with_bounds_in_seconds),
        cmocka_unit_test(rows_of_one_name_are_one_metric_with_a_label),
        cmocka_unit_test(every_line_is_a_comment_or_a_sample),
        cmocka_unit_test(threads_lose_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
