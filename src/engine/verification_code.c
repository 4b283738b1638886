/* The code itself: from seed and secret by HMAC-SHA256, cut to digits as RFC 4226 §5.3 does it but
 * with eight bytes, so that all codes are as likely as each other to 10^-9; and into the text
 * of its message. Nothing here is kept. */
#include <assert.h>
#include <string.h>

#include "base/hmac.h"
#include "engine/engine.h"
#include "engine/verification.h"

void verification_code(struct txn *txn, const struct verification_row *row,
                       char code[VERIFICATION_CODE_MAX])
{
    static const char purpose[] = "smsd verification code";
    struct engine_state state;
    uint8_t mac[SHA256_SIZE];
    uint64_t value = 0;
    struct hmac hmac;
    size_t from;

    engine_state_load(txn, &state);
    hmac_init(&hmac, &state.secret, sizeof state.secret);
    hmac_update(&hmac, purpose, sizeof purpose);
    hmac_update(&hmac, &row->number, sizeof row->number);
    hmac_update(&hmac, row->seed, sizeof row->seed);
    hmac_finish(&hmac, mac);
    from = mac[SHA256_SIZE - 1] & 15;
    for (size_t i = 0; i < sizeof value; i++)
        value = value << 8 | mac[from + i];
    for (size_t i = row->code_length; i > 0; i--) {
        code[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

void verification_fill(struct txn *txn, struct message_text *text)
{
    char *content = text->bytes + (text->content.data - text->bytes);
    char code[VERIFICATION_CODE_MAX];
    struct verification_row row;

    if (!verification_find(txn, text->row.origin, &row))
        return; /* it was forgotten, long after it could have been sent */
    verification_code(txn, &row, code);
    for (size_t i = 0; i < row.place_count; i++) {
        assert((size_t)row.places[i] + row.code_length <= text->content.size);
        memcpy(content + row.places[i], code, row.code_length);
    }
}
