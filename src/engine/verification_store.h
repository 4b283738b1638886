/* Inside the engine: rows of verifications as their handlers change them (verification.c), for
 * verification_create.c and verification_check.c. Times are Unix milliseconds. */
#ifndef SMSD_ENGINE_VERIFICATION_STORE_H
#define SMSD_ENGINE_VERIFICATION_STORE_H

#include "engine/verification.h"

enum { VERIFICATION_ROW_VERSION = 1, VERIFICATION_NUMBER_KEY_SIZE = 16 };

/* With its row in the due index at `due_ms`, which the row then says. */
void verification_store(struct engine *engine, struct verification_row *row, int64_t due_ms);
/* It would be taken, were it checked now. */
bool verification_is_good(const struct verification_row *row, int64_t now_ms);
/* Of a pending one: counts it, and stores it until it is forgotten. */
void verification_end(struct engine *engine, struct verification_row *row,
                      enum verification_status status);

/* Of a number and a company: the newest code, and wrong checks. */
struct verification_asked {
    struct verification_number_row row;
    int64_t wrong_ms[VERIFICATION_WRONG_MAX]; /* oldest first */
};
void verification_asked_key(char key[VERIFICATION_NUMBER_KEY_SIZE], uint64_t to, uint64_t company);
/* Wrong checks that are forgotten are left out. False: there is nothing, and `asked` is empty. */
bool verification_asked_find(struct txn *txn, uint64_t to, uint64_t company, int64_t now_ms,
                             struct verification_asked *asked);
void verification_asked_store(struct engine *engine, uint64_t to, uint64_t company,
                              const struct verification_asked *asked);
/* When the next check is answered, by the wrong ones of the day, and by those since the last code;
 * 0: now. */
int64_t verification_checks_free_ms(struct txn *txn, const struct verification_asked *asked,
                                    int64_t *attempts_free_ms);

#endif
