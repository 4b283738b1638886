/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef SMSD_BASE_UTF8_H
#define SMSD_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* How many bytes the character at `text` has, 1 to 4; 0 if what stands there is not UTF-8 or is cut
 * off by `end`. `text` must be before `end`. */
size_t utf8_length(const char *text, const char *end);

/* Its beginning, of at most so many bytes: whole characters, up to the first that is none. */
struct text utf8_cut(struct text text, size_t size_max);

/* Writes the character, 1 to 4 bytes, and returns how many. `code` must be a Unicode scalar value.
 */
size_t utf8_put(char *to, uint32_t code);

#endif
