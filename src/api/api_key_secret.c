/* Random bytes spelt in base 32 (RFC 4648, lower case): safe in headers, shells and file names. */
#include "api/api_key_secret.h"

#include <string.h>

#include "base/entropy.h"

void api_key_secret_make(char secret[API_KEY_SECRET_SIZE], uint8_t digest[SHA256_SIZE])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t random[API_KEY_SECRET_SIZE];

    entropy_fill(random, sizeof random);
    for (int i = 0; i < API_KEY_SECRET_SIZE; i++)
        secret[i] = digits[random[i] & 31];
    memcpy(secret, "sk_", 3);
    sha256(secret, API_KEY_SECRET_SIZE, digest);
}
