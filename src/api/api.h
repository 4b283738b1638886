/* The HTTP contract: what a request means, who may make it, what it answers. Stands between the
 * HTTP server, as its handler, and the pipeline. Loop thread only. */
#ifndef SMSD_API_API_H
#define SMSD_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api;
struct gateways;
struct http_handler;
struct jobs;
struct pipeline;

struct api_options {
    bool is_test_clock;
    size_t body_bytes_max;  /* of an ordinary request */
    size_t batch_bytes_max; /* of a batch; it is not gathered */
    size_t campaigns_upload_bytes_max;
    int64_t campaigns_draft_ms;
    uint32_t batches_max; /* at once */
    int64_t charges_drain_interval_ms;
    uint32_t charges_drain_max;
    int64_t packets_amount_max;
    uint32_t packets_shares_max;
    uint32_t packets_grabs_per_minute;
    uint32_t packets_open_max;
    uint8_t messages_tries_max;
    uint64_t cities_memory_bytes_max;
};

struct api *api_new(struct pipeline *pipeline, struct jobs *jobs, struct gateways *gateways,
                    const struct api_options *options);
/* From now on these hold. body_bytes_max and packets_grabs_per_minute must be as they were: memory
 * was laid out for them. */
void api_set_options(struct api *api, const struct api_options *options);
void api_free(struct api *api);
/* The handler to give to http_server_new. */
void api_handler(struct api *api, struct http_handler *handler);

#endif
