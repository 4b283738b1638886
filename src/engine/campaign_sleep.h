/* A campaign's recipients who are asleep: it was in their quiet hours when their turn came
 * (SMS-18), and it comes again when these end. Each lies in TABLE_CAMPAIGN_ASLEEP at a place of his
 * own, in the order of waking: the minute at which he wakes, and behind it how many the campaign
 * has put to sleep before him. So nobody looks at who sleeps: the first place says when to look
 * again, and a million who wake in one minute have their turns one by one.
 *
 * Who is not had before it is night again, since there were too many, is put to sleep once more. */
#ifndef SMSD_ENGINE_CAMPAIGN_SLEEP_H
#define SMSD_ENGINE_CAMPAIGN_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

struct campaign_recipient;
struct campaign_row;
struct engine;
struct txn;

/* The first one, if he is awake by then. Texts point into his row until one changes. */
bool campaign_sleep_first(struct txn *txn, const struct campaign_row *row, int64_t now_ms,
                          uint64_t *place, struct campaign_recipient *recipient);
/* When the first one wakes. Somebody must sleep. */
int64_t campaign_sleep_until_ms(struct txn *txn, const struct campaign_row *row);

/* --- in handlers ---------------------------------------------------------------------------------
 * Both change the campaign's row, which is the caller's to store. */

void campaign_sleep_begin(struct engine *engine, struct campaign_row *row,
                          struct campaign_recipient *recipient, int64_t until_ms);
/* The first one leaves his place: he has had his turn, or lies at another. */
void campaign_sleep_end(struct engine *engine, struct campaign_row *row, uint64_t place);

#endif
