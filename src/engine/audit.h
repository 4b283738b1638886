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
#include "engine/report.h"
#include "store/table.h"

enum { AUDIT_CURRENCIES_MAX = 256, AUDIT_DAYS_MAX = 4096 };

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
    /* A message that has finished has its row among those; and history has what has left the rows:
     * its days, each with what it is still said to have beyond what was fed. */
    uint64_t finished_there, finished_named;
    struct audit_day {
        uint32_t day;
        uint64_t messages, records;
    } days[AUDIT_DAYS_MAX];
    size_t day_count;
    uint32_t dropped_before;
    bool has_history; /* audit_history was called */
    /* Each verification has its row in the due index. */
    uint64_t verifications_there, verifications_named;
    struct catalog_audit catalog;
    struct report_audit report;
    struct campaign_audit campaigns;
    struct chain chain;     /* over the entries fed so far */
    uint8_t chain_head[32]; /* as TABLE_META has it */
    bool is_whole;          /* every table was fed, entries in order */
    char fault[256];        /* the first thing found wrong; "" if none */
};

/* The tables that the rules are about: online the first AUDIT_TABLES_ONLINE are read. */
enum { AUDIT_TABLES_ONLINE = 3, AUDIT_TABLES = 27 };
extern const enum table audit_tables[AUDIT_TABLES];

/* `is_whole`: all of audit_tables will be fed, each in the order of its keys. */
void audit_init(struct audit *audit, bool is_whole);
/* Any row of any table. */
void audit_row(struct audit *audit, enum table table, const void *key, size_t key_size,
               const void *value, size_t value_size);
/* What hashes TABLE_HISTORY_DAY sums up. */
uint64_t audit_charge_weight(uint64_t message, int64_t charged);
uint64_t audit_record_weight(uint64_t message, uint32_t record_crc);
/* After all rows, offline: history is fed, too. */
void audit_history(struct audit *audit);
/* Any record of it; `is_row`: the message is among the rows as well, which are right then. Answers
 * by what it is listed; false: it is no record. */
bool audit_history_record(struct audit *audit, uint64_t number, const void *value,
                          size_t value_size, bool is_row, uint64_t *to, uint64_t *company);
/* After the last row: true if every rule holds; otherwise `fault` says what does not. */
bool audit_finish(struct audit *audit);

#endif
