/* The audit: is every rule of BILL-12 true of these rows? Fed with every account, in any order,
 * and, offline, with every entry too. Touches no store: who reads the rows (a scan online, verify
 * offline) hands them in. Any thread, one at a time. */
#ifndef SMSD_ENGINE_AUDIT_H
#define SMSD_ENGINE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/row.h"

enum { AUDIT_CURRENCIES_MAX = 256 };

struct audit {
    uint64_t accounts; /* users' */
    uint64_t entries;
    int64_t sum; /* of all balances, all currencies: zero */
    int64_t world, revenue, packets;
    int64_t held, pending;
    struct {
        char currency[3];
        uint64_t sum; /* modulo 2^64: the true one is within an int64 */
    } currencies[AUDIT_CURRENCIES_MAX];
    size_t currency_count;
    /* Each entry stands once for itself, and is named once: by the entry behind it, or by its
     * account. Both sides are summed as hashes, so that one pass in any order and no memory prove
     * the chains whole. */
    uint64_t entries_there, entries_named;
    bool has_entries; /* entries were fed as well */
    char fault[256];  /* the first thing found wrong; "" if none */
};

void audit_init(struct audit *audit, bool has_entries);
void audit_account(struct audit *audit, const void *id, size_t id_size, const void *value,
                   size_t value_size);
void audit_entry(struct audit *audit, const void *key, size_t key_size, const void *value,
                 size_t value_size);
/* After the last row: true if every rule holds; otherwise `fault` says what does not. */
bool audit_finish(struct audit *audit);

#endif
