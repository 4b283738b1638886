/* Metrics for Prometheus, declared as rows of metric.def, written by metrics_render in its text
 * format 0.0.4. Counters and gauges are single 64-bit values; a histogram has fixed buckets in
 * powers of two of a microsecond, shown in seconds. All are relaxed atomics: any thread may count.
 *
 * A name may end with a label, name{label="value"}: rows of one name stand one behind the other and
 * are one metric, with the first row's help. There are no labels but those. */
#ifndef SMSD_BASE_METRIC_H
#define SMSD_BASE_METRIC_H

#include <stdint.h>

struct buffer;

enum metric {
#define COUNTER(id, name, help)   METRIC_##id,
#define GAUGE(id, name, help)     METRIC_##id,
#define HISTOGRAM(id, name, help) METRIC_##id,
#include "base/metric.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
    METRIC_COUNT
};

void metric_add(enum metric metric, uint64_t value);
void metric_set(enum metric metric, int64_t value);
int64_t metric_get(enum metric metric);
/* For histograms: one observation in nanoseconds. */
void metric_observe(enum metric metric, uint64_t duration_ns);
void metrics_render(struct buffer *to);

#endif
