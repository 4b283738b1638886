/* The metrics' cells and their text. A histogram's bucket i counts what took at most 2^i
 * microseconds; buckets are kept apart and summed when shown. Seconds are written from integers: no
 * locale, no rounding. */
#include "base/metric.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"

enum {
    BUCKETS = 27,   /* 1 µs to 67 s */
    OVER = BUCKETS, /* longer than all of them */
    CELLS,
};

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

struct row {
    enum kind kind;
    const char *name;
    const char *help;
};

static const struct row rows[METRIC_COUNT] = {
#define COUNTER(id, name, help)   [METRIC_##id] = {KIND_COUNTER, name, help},
#define GAUGE(id, name, help)     [METRIC_##id] = {KIND_GAUGE, name, help},
#define HISTOGRAM(id, name, help) [METRIC_##id] = {KIND_HISTOGRAM, name, help},
#include "base/metric.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

/* One value for counters and gauges; nanoseconds summed for histograms. */
static _Atomic uint64_t values[METRIC_COUNT];
static _Atomic uint64_t buckets[METRIC_COUNT][CELLS];

static uint64_t load(_Atomic uint64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

void metric_add(enum metric metric, uint64_t value)
{
    assert(metric < METRIC_COUNT && rows[metric].kind != KIND_HISTOGRAM);
    atomic_fetch_add_explicit(&values[metric], value, memory_order_relaxed);
}

void metric_set(enum metric metric, int64_t value)
{
    assert(metric < METRIC_COUNT && rows[metric].kind == KIND_GAUGE);
    atomic_store_explicit(&values[metric], (uint64_t)value, memory_order_relaxed);
}

static uint64_t count_observations(enum metric metric)
{
    uint64_t count = 0;
    for (int i = 0; i < CELLS; i++)
        count += load(&buckets[metric][i]);
    return count;
}

int64_t metric_get(enum metric metric)
{
    assert(metric < METRIC_COUNT);
    if (rows[metric].kind == KIND_HISTOGRAM)
        return (int64_t)count_observations(metric);
    return (int64_t)load(&values[metric]);
}

static int bucket_of(uint64_t duration_ns)
{
    uint64_t us = duration_ns / 1000 + (duration_ns % 1000 != 0);
    int bucket = us <= 1 ? 0 : 64 - __builtin_clzll(us - 1);
    return bucket < BUCKETS ? bucket : OVER;
}

void metric_observe(enum metric metric, uint64_t duration_ns)
{
    assert(metric < METRIC_COUNT && rows[metric].kind == KIND_HISTOGRAM);
    atomic_fetch_add_explicit(&buckets[metric][bucket_of(duration_ns)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&values[metric], duration_ns, memory_order_relaxed);
}

/* Nanoseconds as seconds: "0.000004", "67.108864". */
static void append_seconds(struct buffer *to, uint64_t ns)
{
    char fraction[9];
    int size = 0;
    uint64_t rest = ns % 1000000000;
    for (int i = 8; i >= 0; i--) {
        fraction[i] = (char)('0' + rest % 10);
        rest /= 10;
        if (size == 0 && fraction[i] != '0')
            size = i + 1;
    }
    buffer_append_uint(to, ns / 1000000000);
    if (size != 0) {
        buffer_append_literal(to, ".");
        buffer_append(to, fraction, (size_t)size);
    }
}

static void append_bucket(struct buffer *to, const char *name, int bucket, uint64_t count)
{
    buffer_append_text(to, name);
    buffer_append_literal(to, "_bucket{le=\"");
    if (bucket == OVER)
        buffer_append_literal(to, "+Inf");
    else
        append_seconds(to, UINT64_C(1000) << bucket);
    buffer_append_literal(to, "\"} ");
    buffer_append_uint(to, count);
    buffer_append_literal(to, "\n");
}

static void append_histogram(struct buffer *to, enum metric metric)
{
    const char *name = rows[metric].name;
    uint64_t count = 0;
    for (int i = 0; i < CELLS; i++) {
        count += load(&buckets[metric][i]);
        append_bucket(to, name, i, count);
    }
    buffer_append_text(to, name);
    buffer_append_literal(to, "_sum ");
    append_seconds(to, load(&values[metric]));
    buffer_append_literal(to, "\n");
    buffer_append_text(to, name);
    buffer_append_literal(to, "_count ");
    buffer_append_uint(to, count);
    buffer_append_literal(to, "\n");
}

static void append_value(struct buffer *to, enum metric metric)
{
    buffer_append_text(to, rows[metric].name);
    buffer_append_literal(to, " ");
    if (rows[metric].kind == KIND_GAUGE)
        buffer_append_int(to, (int64_t)load(&values[metric]));
    else
        buffer_append_uint(to, load(&values[metric]));
    buffer_append_literal(to, "\n");
}

/* Without its label. */
static size_t name_size(const struct row *row)
{
    return strcspn(row->name, "{");
}

/* Does it go on with the metric of the row before? */
static bool is_further(enum metric metric)
{
    const struct row *row = &rows[metric], *before = row - 1;

    return metric > 0 && name_size(row) == name_size(before) &&
           memcmp(row->name, before->name, name_size(row)) == 0;
}

static void append_head(struct buffer *to, const struct row *row)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    buffer_append_literal(to, "# HELP ");
    buffer_append(to, row->name, name_size(row));
    buffer_append_literal(to, " ");
    buffer_append_text(to, row->help);
    buffer_append_literal(to, "\n# TYPE ");
    buffer_append(to, row->name, name_size(row));
    buffer_append_literal(to, " ");
    buffer_append_text(to, kinds[row->kind]);
    buffer_append_literal(to, "\n");
}

void metrics_render(struct buffer *to)
{
    for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
        if (!is_further(metric))
            append_head(to, &rows[metric]);
        if (rows[metric].kind == KIND_HISTOGRAM)
            append_histogram(to, metric);
        else
            append_value(to, metric);
    }
}
