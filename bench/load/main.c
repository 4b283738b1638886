/* The load generator's result, told twice: a line of JSON for the runner, one for people. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "options.h"
#include "run.h"

static double quantile_us(const struct result *result, double fraction)
{
    return (double)histogram_quantile_ns(&result->histogram, fraction) / 1e3;
}

static double per_reply_us(const struct result *result, double seconds)
{
    return result->replies == 0 ? 0 : seconds * 1e6 / (double)result->replies;
}

static double rate(const struct result *result)
{
    return result->seconds > 0 ? (double)result->replies / result->seconds : 0;
}

static void print_statuses(const struct result *result, FILE *to, const char *before_code,
                           const char *between)
{
    const char *separator = "";
    for (int status = 0; status <= STATUS_MAX; status++) {
        if (result->statuses[status] == 0)
            continue;
        fprintf(to, "%s%s%d%s%" PRIu64, separator, before_code, status, between,
                result->statuses[status]);
        separator = before_code[0] == '\0' ? ", " : ",";
    }
}

static void print_json(const struct load_options *options, const struct result *result)
{
    unsigned items = options->items == 0 ? 1 : options->items;
    printf("{\"name\":\"%s\",\"connections\":%u,\"depth\":%u,\"items\":%u,\"offered_rate\":%.1f,"
           "\"seconds\":%.3f,\"rate\":%.1f,\"items_rate\":%.1f,\"replies\":%" PRIu64
           ",\"replies_all\":%" PRIu64 ",\"unexpected\":%" PRIu64 ",\"unsent\":%" PRIu64
           ",\"statuses\":{",
           options->name, options->connections, options->depth, items, options->rate,
           result->seconds, rate(result), rate(result) * items, result->replies,
           result->replies_all, result->unexpected, result->unsent);
    print_statuses(result, stdout, "\"", "\":");
    printf("},\"latency_us\":{\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
           "\"max\":%.1f},\"client_us\":{\"user\":%.3f,\"system\":%.3f},\"request_bytes\":%" PRIu64
           ",\"bytes_received\":%" PRIu64 "}\n",
           (double)histogram_mean_ns(&result->histogram) / 1e3, quantile_us(result, 0.5),
           quantile_us(result, 0.9), quantile_us(result, 0.99), quantile_us(result, 0.999),
           quantile_us(result, 1), per_reply_us(result, result->user_seconds),
           per_reply_us(result, result->system_seconds), result->request_bytes,
           result->bytes_received);
}

static void print_line(const struct load_options *options, const struct result *result)
{
    fprintf(stderr, "%s: %.0f/s", options->name, rate(result));
    if (options->items > 0)
        fprintf(stderr, " (%.0f items/s)", rate(result) * options->items);
    fprintf(stderr, "  p50 %.3f  p90 %.3f  p99 %.3f  p99.9 %.3f  max %.3f ms  |  ",
            quantile_us(result, 0.5) / 1e3, quantile_us(result, 0.9) / 1e3,
            quantile_us(result, 0.99) / 1e3, quantile_us(result, 0.999) / 1e3,
            quantile_us(result, 1) / 1e3);
    print_statuses(result, stderr, "", ": ");
    fprintf(stderr, "  |  client %.2f + %.2f us user + system a request\n",
            per_reply_us(result, result->user_seconds),
            per_reply_us(result, result->system_seconds));
    if (result->unsent > 0)
        fprintf(stderr,
                "load: %" PRIu64
                " requests were due in the time and not sent: all connections busy\n",
                result->unsent);
    if (result->unexpected > 0)
        fprintf(stderr, "load: FAILED: %" PRIu64 " of %" PRIu64 " replies were not as expected\n",
                result->unexpected, result->replies_all);
}

static void write_histogram(const char *path, const struct result *result)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    histogram_write(&result->histogram, file);
    fclose(file);
}

int main(int argc, char **argv)
{
    struct load_options options;
    static struct result result;

    options_read(&options, argc, argv);
    run_load(&options, &result);
    print_json(&options, &result);
    print_line(&options, &result);
    if (options.histogram_path != NULL)
        write_histogram(options.histogram_path, &result);
    return result.unexpected > 0 ? 1 : 0;
}
