/* Reading a histogram back. Edges are the upper ones, so a quantile is never told too good; the
 * largest value of all is known exactly and bounds the last bucket. */
#include "histogram.h"

#include <inttypes.h>
#include <string.h>

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

static uint64_t upper_edge_ns(unsigned bucket)
{
    unsigned subs = 1U << HISTOGRAM_SUB_BITS;
    if (bucket < 2 * subs)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t mantissa = subs + (bucket & (subs - 1));
    return ((mantissa + 1) << shift) - 1;
}

/* The bucket that reaches the last value ends at that value, not at its edge. */
static uint64_t bucket_end_ns(const struct histogram *histogram, unsigned bucket, uint64_t seen)
{
    return seen == histogram->total ? histogram->max_ns : upper_edge_ns(bucket);
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, double fraction)
{
    double wanted = fraction * (double)histogram->total;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (histogram->counts[i] > 0 && (double)seen >= wanted)
            return bucket_end_ns(histogram, i, seen);
    }
    return 0;
}

uint64_t histogram_mean_ns(const struct histogram *histogram)
{
    return histogram->total == 0 ? 0 : histogram->sum_ns / histogram->total;
}

void histogram_write(const struct histogram *histogram, FILE *to)
{
    uint64_t seen = 0;

    fprintf(to, "# up_to_us count fraction\n");
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->counts[i] == 0)
            continue;
        seen += histogram->counts[i];
        fprintf(to, "%.3f %" PRIu64 " %.9f\n", (double)bucket_end_ns(histogram, i, seen) / 1e3,
                histogram->counts[i], (double)seen / (double)histogram->total);
    }
}
