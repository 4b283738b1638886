/* How bytes are written where not all of them may stand: URLs, forms, JSON, XML, hexadecimal
 * digits, base 64, UTF-16; and read back from there. All append to a buffer. */
#ifndef SMSD_GATEWAY_ENCODING_H
#define SMSD_GATEWAY_ENCODING_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/text.h"

/* RFC 3986: all but letters, digits and -._~ as %XX. */
void encode_url(struct buffer *to, struct text text);
/* For the inside of a JSON string; bytes that are not UTF-8 become U+FFFD. */
void encode_json(struct buffer *to, struct text text);
void encode_xml(struct buffer *to, struct text text);
void encode_hex(struct buffer *to, struct text text, bool is_upper);
void encode_base64(struct buffer *to, struct text text);
/* UTF-16, big-endian, in hexadecimal digits; bytes that are not UTF-8 become U+FFFD. */
void encode_ucs2_hex(struct buffer *to, struct text text);
/* Control characters, which would end a header's line, become spaces. */
void encode_header(struct buffer *to, struct text text);
void encode_latin1(struct buffer *to, struct text text);

/* What percent signs, and with `is_form` plus signs, stand for. A percent sign without two digits
 * stands for itself. */
void decode_url(struct buffer *to, struct text text, bool is_form);
/* False: it is no base 64. */
bool decode_base64(struct buffer *to, struct text text);

/* Equal? In a time that tells nothing of where they differ. */
bool encoding_is_same(struct text a, struct text b);

#endif
