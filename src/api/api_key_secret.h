/* The text of an API key: "sk_" and 32 characters that hold 160 random bits. */
#ifndef SMSD_API_API_KEY_SECRET_H
#define SMSD_API_API_KEY_SECRET_H

#include <stdint.h>

#include "base/sha256.h"

enum { API_KEY_SECRET_SIZE = 3 + 32 };

/* A new one, without a NUL, and the digest it is kept as. */
void api_key_secret_make(char secret[API_KEY_SECRET_SIZE], uint8_t digest[SHA256_SIZE]);

#endif
