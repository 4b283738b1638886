/* The configuration of a gateway, `gateway` of a product: checking it when the product is put.
 * Pure: nothing is opened or sent. */
#ifndef SMSD_GATEWAY_CONFIG_H
#define SMSD_GATEWAY_CONFIG_H

struct arena;
struct json_errors;
struct json_value;

/* Adds to `errors` what is wrong with it; their pointers begin with "/gateway". */
void gateway_check_config(struct arena *arena, const struct json_value *config,
                          struct json_errors *errors);

/* Names of members whose texts, or all texts below which, are never shown; NULL ends them. */
extern const char *const gateway_config_secrets[];

#endif
