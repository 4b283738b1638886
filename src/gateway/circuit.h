/* A circuit breaker: whether a provider is worth trying. Closed, everything goes; after too many
 * failures it opens and nothing goes; after a while one attempt at a time goes as a probe, and its
 * success closes it. Told the time, asks nobody. */
#ifndef SMSD_GATEWAY_CIRCUIT_H
#define SMSD_GATEWAY_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_HALF_OPEN, CIRCUIT_OPEN };

struct circuit_options {
    uint32_t failures; /* in a row open it, */
    uint32_t percent;  /* and so does this share */
    uint32_t of;       /* of the last so many attempts */
    int64_t open_ms;   /* how long nothing is tried */
};

enum { CIRCUIT_PROBES = 3 /* that must succeed, one after the other */ };

struct circuit {
    struct circuit_options options;
    enum circuit_state state;
    uint32_t in_a_row;         /* failures */
    uint32_t attempts, failed; /* of those counted for `percent` */
    uint32_t probes_succeeded;
    bool is_probing; /* a probe is under way */
    int64_t opened_ms;
    uint64_t epoch; /* changes with the state: what began before does not count after */
};

void circuit_init(struct circuit *circuit, const struct circuit_options *options);
/* May an attempt begin? True from half-open is the one probe. */
bool circuit_allows(struct circuit *circuit, int64_t now_ms);
/* One that was allowed did begin; the epoch to end it with. */
uint64_t circuit_begin(struct circuit *circuit);
/* It ended. True: the state has changed. */
bool circuit_end(struct circuit *circuit, uint64_t epoch, bool is_failure, int64_t now_ms);
/* When circuit_allows may change its mind by itself; INT64_MAX: not. */
int64_t circuit_next_ms(const struct circuit *circuit);
const char *circuit_state_name(enum circuit_state state);

#endif
