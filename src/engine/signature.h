/* Signatures: the sender's name, as it stands in a message's text (SMS-6). It is part of the text:
 * what signature_write has written is what is counted (parts.h), charged and sent.
 *
 * Form. To China every signature is written 【name】 directly before the text, as its carriers ask.
 * So is one in Chinese or Japanese characters to anywhere: brackets are the custom there and, with
 * such a name, the text is UCS-2 in any case. Any other is "name: " before the text, which is the
 * custom elsewhere and keeps a GSM 7-bit text one. A text that already begins with its signature in
 * that form is left as it is: clients that used to write it themselves need not change.
 *
 * Rules. A message's own signature goes before the company's; "" is none. A country that requires
 * signatures refuses a message without. A channel that does not support signatures puts the
 * registered one in itself: nothing is written to the text, but where the country requires one it
 * must be known all the same. */
#ifndef SMSD_ENGINE_SIGNATURE_H
#define SMSD_ENGINE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum {
    SIGNATURE_CHARACTERS_MAX = 32,
    SIGNATURE_BYTES_MAX = 4 * SIGNATURE_CHARACTERS_MAX,
    SIGNATURE_ADDED_MAX = SIGNATURE_BYTES_MAX + 6, /* to a text, at the most */
};

/* Whether `signature` may be one: up to SIGNATURE_CHARACTERS_MAX characters, none of them a control
 * character, a line's end or one of 【】, no space at its ends. "" may: it is none. */
bool signature_check(struct text signature);

enum signature_choice {
    SIGNATURE_CHOSEN = 0, /* `signature` is to be written; it may be "", which is none */
    SIGNATURE_REQUIRED,   /* the country requires one and there is none */
};

/* `own`: the message's, data NULL if it says nothing; `company`: the company's, likewise. */
enum signature_choice signature_choose(struct text own, struct text company,
                                       bool is_required_by_country, bool is_supported_by_channel,
                                       struct text *signature);

/* Writes content with signature into `to`, at most `to_size` bytes, and how many these are to
 * `size`. `country` is the recipient's, two letters. False: it does not fit. content.size +
 * SIGNATURE_ADDED_MAX bytes always suffice. */
bool signature_write(struct text signature, struct text content, struct text country, char *to,
                     size_t to_size, size_t *size);

#endif
