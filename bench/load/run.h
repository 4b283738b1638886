/* One run: connections are opened, load is put on the server through the phases, and what came back
 * is counted. Warming up, replies are checked but not measured; measured, those that arrive in the
 * window count; draining, nothing more is sent and what is in flight is waited for. */
#ifndef BENCH_LOAD_RUN_H
#define BENCH_LOAD_RUN_H

#include <stdint.h>

#include "histogram.h"
#include "options.h"

struct result {
    struct histogram histogram;
    uint64_t statuses[STATUS_MAX + 1]; /* of all replies, by code; RESP: 200 and 500 */
    uint64_t replies;                  /* in the measured window */
    uint64_t replies_all;              /* with warm-up and draining */
    uint64_t unexpected;               /* of all: another status, or without the wanted text */
    uint64_t unsent;         /* open loop: due in the window, never sent: no connection was free */
    uint64_t request_bytes;  /* size of one request */
    uint64_t bytes_received; /* in the window */
    double seconds;          /* length of the window */
    double user_seconds, system_seconds; /* of this process, in the window */
};

/* Exits with status 2 if a connection breaks, a reply is malformed, or none comes for
 * STALL_SECONDS. */
void run_load(const struct load_options *options, struct result *result);

#endif
