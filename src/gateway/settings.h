/* A gateway's configuration, read: what every type has, and what its own type has. */
#ifndef SMSD_GATEWAY_SETTINGS_H
#define SMSD_GATEWAY_SETTINGS_H

#include <stdint.h>

#include "gateway/circuit.h"

struct arena;
struct http_config;
struct json_errors;
struct json_value;

enum gateway_type { GATEWAY_SANDBOX, GATEWAY_HTTP };

struct gateway_settings {
    enum gateway_type type;
    uint32_t window; /* requests without an answer */
    uint32_t timeout_ms;
    struct circuit_options circuit;
    const struct http_config *http; /* of that type */
};

/* False: with errors. */
bool gateway_settings_read(struct arena *arena, const struct json_value *value, const char *pointer,
                           struct json_errors *errors, struct gateway_settings *settings);

#endif
