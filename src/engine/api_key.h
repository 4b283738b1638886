/* API keys (OPS-2): who may call, with which scopes, for which company. Only the SHA-256 of a key
 * is kept. */
#ifndef SMSD_ENGINE_API_KEY_H
#define SMSD_ENGINE_API_KEY_H

#include <stdbool.h>

#include "engine/command.h"

struct txn;

struct api_key {
    struct api_key_row row;
    char name[API_KEY_NAME_MAX];
    char company[COMPANY_ID_MAX];
};

/* False if no such key was ever made. A disabled one is found: look at row.status. */
bool api_key_find(struct txn *txn, const uint8_t digest[SHA256_SIZE], struct api_key *key);
bool api_key_find_number(struct txn *txn, uint64_t number, struct api_key *key);

#endif
