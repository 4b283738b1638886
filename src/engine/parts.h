/* Parts: how many short messages a text takes, counted as phones and providers count them (SMS-7).
 *
 * A text whose every character stands in the GSM 7-bit default alphabet or its extension table
 * (3GPP TS 23.038 §6.2.1, the rows of gsm7.def) is PARTS_GSM7 and is counted in septets, of which a
 * character of the extension table takes two. Any other text is PARTS_UCS2 and is counted in UTF-16
 * units, of which a character above U+FFFF takes two. One part alone holds 160 septets or 70 units;
 * of several each holds 153 or 67, because six bytes of each say how the parts belong together. A
 * character of two septets or units is never cut in two: if only one is left in a part it goes into
 * the next, so there may be one part more than dividing says. National language tables are not
 * used: few providers take them.
 *
 * A provider that counts in its own way has a part length of its own: then each part holds that
 * many septets or units, an only one no more than others.
 *
 * Texts are UTF-8 without fault (what json/ has read is); anything else is a defect and stops the
 * process. Pure functions; nothing is allocated. */
#ifndef SMSD_ENGINE_PARTS_H
#define SMSD_ENGINE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum {
    PARTS_MAX = 255,       /* the number of parts is a byte on the air (TS 23.040 §9.2.3.24.1) */
    PARTS_LENGTH_MIN = 16, /* bounds of a provider's own part length */
    PARTS_LENGTH_MAX = 2000,
};

/* The numbers are stored in messages' rows: stable. */
enum parts_encoding { PARTS_GSM7 = 1, PARTS_UCS2 = 2 };

struct parts {
    enum parts_encoding encoding;
    uint32_t units;       /* septets or UTF-16 units of the whole text */
    uint32_t part_length; /* how many of them a part holds at most */
    uint32_t count;       /* of parts, 1 to the bound; a text without characters is one part */
};

/* Counts `text` in one pass. `part_length` is the provider's own, PARTS_LENGTH_MIN to
 * PARTS_LENGTH_MAX, or 0. False: it takes more than `parts_max` parts (1 to PARTS_MAX); then
 * `parts` holds nothing of use. */
bool parts_count(struct text text, uint32_t part_length, uint32_t parts_max, struct parts *parts);

/* Cuts `text` into the parts that parts_count has found: `pieces` has room for parts->count of
 * them, each a range of `text`; together, in order, they are the text. */
void parts_split(struct text text, const struct parts *parts, struct text *pieces);

/* "gsm7" or "ucs2"; static. */
const char *parts_encoding_text(enum parts_encoding encoding);

/* What goes over the wire. `to` has room for 2 * text.size bytes, which is the most either form
 * takes; the number of bytes written is returned.
 *
 * parts_put_gsm7: a septet a byte, high bit clear, as SMPP takes it (data_coding 0); characters of
 * the extension table as 0x1B and theirs. Every character must be one of the tables', as
 * parts_count finds out.
 * parts_put_utf16: UTF-16, big-endian, without a mark (data_coding 8). */
size_t parts_put_gsm7(struct text text, uint8_t *to);
size_t parts_put_utf16(struct text text, uint8_t *to);

/* Septets as they lie in a PDU on the air: eight in seven bytes, the first in the lowest bits,
 * unused bits zero (TS 23.038 §6.1.2.1). Writes and returns (count * 7 + 7) / 8 bytes; `to` may not
 * be `septets`. */
size_t parts_pack(const uint8_t *septets, size_t count, uint8_t *to);

/* The other way, for what a provider brings: UTF-8 without fault, whatever comes. `to` has room for
 * 3 * size bytes; the number of bytes written is returned.
 *
 * parts_read_gsm7: a septet a byte; an escape before what the extension table does not have shows
 * the basic table's character (TS 23.038 §6.2.1.1), an escape at the end a space, a byte above 127
 * is U+FFFD.
 * parts_read_utf16: big-endian; lone surrogates, and an odd byte at the end, are U+FFFD. */
size_t parts_read_gsm7(const uint8_t *septets, size_t size, char *to);
size_t parts_read_utf16(const uint8_t *bytes, size_t size, char *to);

#endif
