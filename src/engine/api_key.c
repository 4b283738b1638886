/* API keys: a row by digest, and the digest by number, for lists and changes. */
#include "engine/api_key.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "engine/handler.h"

enum { API_KEY_ROW_VERSION = 1 };

static void row_read(struct api_key *key, const char *value, size_t size)
{
    memcpy(&key->row, value, sizeof key->row);
    assert(key->row.version == API_KEY_ROW_VERSION);
    assert(key->row.name_size <= sizeof key->name && key->row.company_size <= sizeof key->company);
    assert(size == sizeof key->row + key->row.name_size + key->row.company_size);
    memcpy(key->name, value + sizeof key->row, key->row.name_size);
    memcpy(key->company, value + sizeof key->row + key->row.name_size, key->row.company_size);
}

static void row_write(struct txn *txn, const uint8_t digest[SHA256_SIZE], const struct api_key *key)
{
    char value[sizeof *key];
    size_t size = sizeof key->row;

    memcpy(value, &key->row, sizeof key->row);
    memcpy(value + size, key->name, key->row.name_size);
    size += key->row.name_size;
    memcpy(value + size, key->company, key->row.company_size);
    size += key->row.company_size;
    txn_put(txn, TABLE_API_KEY, digest, SHA256_SIZE, value, size);
}

bool api_key_find(struct txn *txn, const uint8_t digest[SHA256_SIZE], struct api_key *key)
{
    size_t size;
    const char *value = txn_get(txn, TABLE_API_KEY, digest, SHA256_SIZE, &size);

    if (value == NULL)
        return false;
    row_read(key, value, size);
    return true;
}

static bool digest_of(struct txn *txn, uint64_t number, uint8_t digest[SHA256_SIZE])
{
    char key[8];
    size_t size;
    const void *value;

    bytes_put_u64_be(key, number);
    value = txn_get(txn, TABLE_API_KEY_NUMBER, key, sizeof key, &size);
    if (value == NULL)
        return false;
    assert(size == SHA256_SIZE);
    memcpy(digest, value, SHA256_SIZE);
    return true;
}

bool api_key_find_number(struct txn *txn, uint64_t number, struct api_key *key)
{
    uint8_t digest[SHA256_SIZE];

    return digest_of(txn, number, digest) && api_key_find(txn, digest, key);
}

enum outcome engine_api_key_create(struct engine *engine,
                                   const struct api_key_create_command *command,
                                   struct result *answer)
{
    struct api_key key = {.row = {.version = API_KEY_ROW_VERSION,
                                  .status = API_KEY_ENABLED,
                                  .name_size = (uint8_t)command->name.size,
                                  .company_size = (uint8_t)command->company.size,
                                  .scopes = command->scopes,
                                  .number = engine->command->number}};
    char number[8];

    (void)answer;
    assert(command->name.size <= sizeof key.name && command->company.size <= sizeof key.company);
    if (command->name.size > 0)
        memcpy(key.name, command->name.data, command->name.size);
    if (command->company.size > 0)
        memcpy(key.company, command->company.data, command->company.size);
    row_write(engine->txn, command->digest, &key);
    bytes_put_u64_be(number, key.row.number);
    txn_put(engine->txn, TABLE_API_KEY_NUMBER, number, sizeof number, command->digest, SHA256_SIZE);
    return OUTCOME_OK;
}

enum outcome engine_api_key_update(struct engine *engine,
                                   const struct api_key_update_command *command,
                                   struct result *answer)
{
    uint8_t digest[SHA256_SIZE];
    struct api_key key;

    if (!digest_of(engine->txn, command->number, digest) ||
        !api_key_find(engine->txn, digest, &key))
        return OUTCOME_NOT_FOUND;
    key.row.status = (uint8_t)command->status;
    row_write(engine->txn, digest, &key);
    (void)answer;
    return OUTCOME_OK;
}
