/* Base64 (RFC 4648 §4), with padding, without line breaks. */
#ifndef SMSD_BASE_BASE64_H
#define SMSD_BASE_BASE64_H

#include <stddef.h>

#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* Writes BASE64_SIZE(size) characters to `to` (no NUL) and returns how many. */
size_t base64_format(char *to, const void *data, size_t size);

#endif
