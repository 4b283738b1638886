/* The audit: is every rule of BILL-12 true of these rows? Fed with every account and packet, in any
 * order, and, offline, with every entry, hold, drain, share, grab and message too. Touches no
 * store: who reads the rows (a scan online, verify offline) hands them in. Any thread, one at a
 * time. */
#ifndef SMSD_ENGINE_AUDIT_H
#define SMSD_ENGINE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/campaign_audit.h"
#include "engine/catalog_audit.h"
#include "engine/chain.h"
#include "store/table.h"

enum { AUDIT_CURRENCIES_MAX = 256 };

struct audit {
    uint64_t accounts; /* users' */
    uint64_t entries;
    int64_t sum; /* of all balances, all currencies: zero */
    int64_t world, revenue, packets;
    int64_t held, pending;
    struct audit_currency {
        char currency[3];
        /* Modulo 2^64: the true ones are within an int64. */
        uint64_t sum;
        uint64_t packets_named; /* the balance of @packets, and */
        uint64_t packets_there; /* what packets contain: the same */
    } currencies[AUDIT_CURRENCIES_MAX];
    size_t currency_count;
    /* Each entry stands once for itself, and is named once: by the entry behind it, or by its
     * account. Both sides are summed as hashes, so that one pass in any order and no memory prove
     * the chains whole. */
    uint64_t entries_there, entries_named;
    /* The same for what is held and pending: each open hold, campaign and waiting drain weighs its
     * amount by a hash of its account, as the account weighs what it says is held and pending. */
    uint64_t held_there, held_named, pending_there, pending_named;
    /* And for packets: the shares of each are its amount, and those that were opened are what it
     * has credited. */
    uint64_t shares_there, shares_named, opened_there, opened_named;
    /* For messages: what entries say of each is what it says was charged, and those that wait have
     * their rows in the due index, in the outbox, and among those with a gateway. */
    uint64_t charged_there, charged_named, due_there, due_named;
    uint64_t outbox_there, outbox_named, sending_there, sending_named;
    struct catalog_audit catalog;
    struct campaign_audit campaigns;
    struct chain chain;     /* over the entries fed so far */
    uint8_t chain_head[32]; /* as TABLE_META has it */
    bool is_whole;          /* every table was fed, entries in order */
    char fault[256];        /* the first thing found wrong; "" if none */
};

/* The tables that the rules are about: online the first AUDIT_TABLES_ONLINE are read. */
enum { AUDIT_TABLES_ONLINE = 3, AUDIT_TABLES = 22 };
extern const enum table audit_tables[AUDIT_TABLES];

/* `is_whole`: all of audit_tables will be fed, each in the order of its keys. */
void audit_init(struct audit *audit, bool is_whole);
/* Any row of any table. */
void audit_row(struct audit *audit, enum table table, const void *key, size_t key_size,
               const void *value, size_t value_size);
/* After the last row: true if every rule holds; otherwise `fault` says what does not. */
bool audit_finish(struct audit *audit);

#endif
