/* Latencies, counted in log-linear buckets: 128 a power of two, so that a value read back is never
 * below what was put in and at most 1/128 (0.8 %) above it. Nanoseconds in, up to a minute; what is
 * longer is counted as a minute in the buckets, but exactly in `max_ns`. Adding costs a shift and
 * two increments. */
#ifndef BENCH_LOAD_HISTOGRAM_H
#define BENCH_LOAD_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_NS_MAX UINT64_C(60000000000)

enum {
    HISTOGRAM_SUB_BITS = 7,
    HISTOGRAM_BUCKETS = 30 << HISTOGRAM_SUB_BITS, /* the last is for what is over a minute */
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t sum_ns;
    uint64_t max_ns;
};

/* All zeros is an empty one. */
void histogram_clear(struct histogram *histogram);
/* The latency that `fraction` (0 to 1) of all values do not exceed; 0 of an empty histogram. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, double fraction);
uint64_t histogram_mean_ns(const struct histogram *histogram);
/* A line per bucket that has any: its upper edge in microseconds, its count, the fraction up to
 * here. */
void histogram_write(const struct histogram *histogram, FILE *to);

static inline unsigned histogram_bucket(uint64_t ns)
{
    if (ns > HISTOGRAM_NS_MAX)
        return HISTOGRAM_BUCKETS - 1;
    int top_bit = 63 - __builtin_clzll(ns | 1);
    int shift = top_bit > HISTOGRAM_SUB_BITS ? top_bit - HISTOGRAM_SUB_BITS : 0;
    return ((unsigned)shift << HISTOGRAM_SUB_BITS) + (unsigned)(ns >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->counts[histogram_bucket(ns)]++;
    histogram->total++;
    histogram->sum_ns += ns;
    if (ns > histogram->max_ns)
        histogram->max_ns = ns;
}

#endif
