/* Verification codes (SMS-17): made, sent, checked once.
 *
 * The code lies in no row, no journal and no log. What is kept is a random seed; the code is
 * HMAC-SHA256 under the data directory's secret over seed and number, cut to digits as RFC 4226
 * §5.3 does it, with eight bytes where that takes four. Where it stands in the message's text there
 * are zeros of the same length, so that parts and encoding are those of what is sent; it is put in
 * when a gateway takes the message (message_text_to_send). Who has a whole data directory, which
 * holds the secret, can compute the codes that are good at the moment: a backup is to be kept as a
 * password is.
 *
 * Checks. A code is good until it expires, is checked, is replaced by the next one of the company
 * to the number, or was checked wrongly `verification_attempts` times. Wrong checks are counted for
 * number and company, whether there is a code or not, and answered alike: nobody learns by checks
 * whether somebody is about to sign in. With verification_attempts of them since the last code
 * there are no further ones for VERIFICATION_LOCK_MS, or until the next code; with
 * verification_wrong_per_day in a rolling day there is neither check nor code, so that new codes do
 * not buy new guesses without end.
 *
 * Caps are rolling (verification_cap.def). Those of a number are exact, over all companies: whoever
 * asks, it is the same telephone that rings; a code whose message came to nothing is taken out
 * again. Those of an address and a prefix count by the minute: never more than allowed in any hour,
 * and what was made counts up to a minute longer. A refusal leaves nothing behind.
 *
 * Pumping is codes that are sent and never used: each code is counted for its prefix when it ends,
 * as verified or not; where too many are not, and they are too large a share, a webhook says so,
 * once an hour for a prefix.
 *
 * Everything is forgotten a day after it was made: each verification has one row in TABLE_DUE, its
 * expiry and then that moment, and takes along what it was counted in. */
#ifndef SMSD_ENGINE_VERIFICATION_H
#define SMSD_ENGINE_VERIFICATION_H

#include <stdbool.h>

#include "engine/command.h"
#include "engine/message.h"
#include "engine/template.h"
#include "engine/verification_row.h"

struct engine;
struct txn;

#define VERIFICATION_KEPT_MS (INT64_C(24) * 60 * 60 * 1000)
/* What is counted by the minute is out of all windows after it. */
#define VERIFICATION_COUNTED_MS (INT64_C(62) * 60 * 1000)
#define VERIFICATION_LOCK_MS    (INT64_C(10) * 60 * 1000)

enum verification_cap {
    VERIFICATION_CAP_NONE = 0,
#define VERIFICATION_CAP(name, number, window_s, setting, field, prose)                            \
    VERIFICATION_CAP_##name = (number),
#include "engine/verification_cap.def"
#undef VERIFICATION_CAP
    VERIFICATION_CAP_COUNT
};
struct verification_cap_info {
    int64_t window_ms;
    enum setting setting;
    const char *field, *prose;
};
extern const struct verification_cap_info verification_cap_infos[VERIFICATION_CAP_COUNT];

bool verification_find(struct txn *txn, uint64_t number, struct verification_row *row);
const char *verification_status_text(enum verification_status status); /* static */

/* The message that carries the code, with zeros in its place: what VERIFICATION_CREATE submits, and
 * what a plan of it is to be made of. `params` is filled, and pointed to. */
void verification_message(const struct verification_create_command *command, struct txn *txn,
                          int64_t now_ms, struct template_param params[TEMPLATE_NAMES_MAX + 1],
                          struct message_submit_command *submit);

/* Writes the code's digits, row->code_length of them. */
void verification_code(struct txn *txn, const struct verification_row *row,
                       char code[VERIFICATION_CODE_MAX]);
/* Puts the code into the text of a message that carries one. */
void verification_fill(struct txn *txn, struct message_text *text);

/* --- in handlers ---------------------------------------------------------------------------------
 */

/* Of a message that carries a code: the code is not good any more, so it need not go. */
bool verification_is_over(struct engine *engine, const struct message_text_row *text);
message_follower verification_follow;

/* verification_cap.c. What would be one too many: the cap that lasts longest, and how long;
 * VERIFICATION_CAP_NONE: nothing. */
enum verification_cap verification_cap_reached(struct engine *engine,
                                               const struct verification_row *row,
                                               int64_t *retry_ms);
/* Counts one that was made, one that came to nothing, one that has ended. */
void verification_count_made(struct engine *engine, const struct verification_row *row);
void verification_count_back(struct engine *engine, const struct verification_row *row);
void verification_count_end(struct engine *engine, const struct verification_row *row);
/* Takes away of what it was counted in all that nothing else is counted in. */
void verification_count_forget(struct engine *engine, const struct verification_row *row);
uint64_t verification_prefix(struct txn *txn, uint64_t to);

#endif
