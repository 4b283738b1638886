/* Sums by currency, and the chains of entries proved by a multiset hash: for each entry a token of
 * what it says of itself (number, account, balance) on one side; on the other a token of what its
 * successor, or its account, says of it. The sums over both sides are equal if and only if (up to
 * 2^-64) every entry is named exactly once and nothing is named that is not there. */
#include "engine/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/time_text.h"
#include "engine/archive.h"
#include "engine/campaign.h"
#include "engine/due.h"
#include "engine/ledger.h"
#include "engine/message.h"
#include "engine/outbox.h"

static const struct hash_key token_key = {0x736d736420617564, 0x697420746f6b656e};

static uint64_t token(uint64_t entry, uint64_t account, int64_t balance)
{
    struct {
        uint64_t entry, account;
        int64_t balance;
    } said = {entry, account, balance};

    return hash64(&token_key, &said, sizeof said);
}

__attribute__((format(printf, 2, 3))) static void fault(struct audit *audit, const char *format,
                                                        ...)
{
    va_list arguments;

    if (audit->fault[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(audit->fault, sizeof audit->fault, format, arguments);
    va_end(arguments);
}

const enum table audit_tables[AUDIT_TABLES] = {TABLE_META,
                                               TABLE_ACCOUNT,
                                               TABLE_PACKET,
                                               TABLE_CAMPAIGN,
                                               TABLE_CAMPAIGN_RECIPIENT,
                                               TABLE_CAMPAIGN_ERROR,
                                               TABLE_CAMPAIGN_WAITING,
                                               TABLE_CAMPAIGN_ASLEEP,
                                               TABLE_ENTRY,
                                               TABLE_HOLD,
                                               TABLE_DRAIN,
                                               TABLE_PACKET_SHARES,
                                               TABLE_GRAB,
                                               TABLE_CATALOG,
                                               TABLE_CATALOG_NUMBER,
                                               TABLE_ROUTE,
                                               TABLE_PRODUCT,
                                               TABLE_QUOTA,
                                               TABLE_CALLING_CODE,
                                               TABLE_MESSAGE,
                                               TABLE_DUE,
                                               TABLE_OUTBOX,
                                               TABLE_MESSAGE_SENDING,
                                               TABLE_MESSAGE_FINISHED,
                                               TABLE_HISTORY_DAY,
                                               TABLE_REPORT,
                                               TABLE_VERIFICATION};

void audit_init(struct audit *audit, bool is_whole)
{
    *audit = (struct audit){.is_whole = is_whole};
    chain_init(&audit->chain);
    memcpy(audit->chain_head, &audit->chain, sizeof audit->chain_head);
}

static uint64_t weigh(uint64_t account, int64_t amount)
{
    return hash64(&token_key, &account, sizeof account) * (uint64_t)amount;
}

/* The sums of a currency; those of a currency too many go into the last one's. */
static struct audit_currency *currency_of(struct audit *audit, const char currency[CURRENCY_SIZE])
{
    for (size_t i = 0; i < audit->currency_count; i++) {
        if (memcmp(audit->currencies[i].currency, currency, CURRENCY_SIZE) == 0)
            return &audit->currencies[i];
    }
    if (audit->currency_count == AUDIT_CURRENCIES_MAX) {
        fault(audit, "accounts are in more than %d currencies", AUDIT_CURRENCIES_MAX);
        return &audit->currencies[AUDIT_CURRENCIES_MAX - 1];
    }
    memcpy(audit->currencies[audit->currency_count].currency, currency, CURRENCY_SIZE);
    return &audit->currencies[audit->currency_count++];
}

static bool is_system(struct text id, struct text name)
{
    return id.size >= name.size && memcmp(id.data, name.data, name.size) == 0 &&
           (id.size == name.size || id.data[name.size] == '.');
}

static void add_packets_account(struct audit *audit, const struct account_row *row)
{
    audit->packets += row->balance;
    currency_of(audit, row->currency)->packets_named += (uint64_t)row->balance;
}

static void add_system(struct audit *audit, struct text id, const struct account_row *row)
{
    int64_t balance = row->balance;

    if (is_system(id, TEXT("@world")))
        audit->world += balance;
    else if (is_system(id, TEXT("@revenue")))
        audit->revenue += balance;
    else if (is_system(id, TEXT("@packets")))
        add_packets_account(audit, row);
    else
        fault(audit, "account %.*s is no system account", (int)id.size, id.data);
}

static void add_account(struct audit *audit, const void *id, size_t id_size, const void *value,
                        size_t value_size)
{
    struct text text = {id, id_size};
    struct account_row row;

    if (value_size != sizeof row) {
        fault(audit, "account %.*s has a row of %zu bytes", (int)id_size, text.data, value_size);
        return;
    }
    memcpy(&row, value, sizeof row);
    currency_of(audit, row.currency)->sum += (uint64_t)row.balance;
    if (row.held < 0 || row.pending < 0)
        fault(audit, "account %.*s holds a negative amount", (int)id_size, text.data);
    audit->held += row.held;
    audit->pending += row.pending;
    audit->held_named += weigh(row.number, row.held);
    audit->pending_named += weigh(row.number, row.pending);
    if (account_id_is_system(text)) {
        add_system(audit, text, &row);
        return;
    }
    audit->accounts++;
    if (row.entry_last != 0)
        audit->entries_named += token(row.entry_last, row.number, row.balance);
    else if (row.balance != 0)
        fault(audit, "account %.*s has a balance and no entry", (int)id_size, text.data);
}

static void step_chain(struct audit *audit, uint64_t number, const struct entry_row *row,
                       const char *reference)
{
    if (chain_step(&audit->chain, number, row, reference) != row->chain) {
        char id[ID_TEXT_MAX];
        fault(audit, "the hash chain breaks at entry %.*s: it, or what was before it, is changed",
              (int)id_format(id, "ent_", number), id);
    }
}

static void add_entry(struct audit *audit, const void *key, size_t key_size, const char *value,
                      size_t value_size)
{
    struct entry_row row;
    uint64_t number = key_size == 8 ? bytes_get_u64_be(key) : 0;
    char id[ID_TEXT_MAX];
    int id_size = (int)id_format(id, "ent_", number);
    int64_t before;

    audit->entries++;
    if (value_size >= sizeof row)
        memcpy(&row, value, sizeof row);
    if (number == 0 || value_size < sizeof row || value_size != sizeof row + row.reference_size) {
        fault(audit, "entry %.*s has a row of %zu bytes", id_size, id, value_size);
        return;
    }
    step_chain(audit, number, &row, value + sizeof row);
    audit->entries_there += token(number, row.account, row.balance);
    if (row.source_type == SOURCE_MESSAGE)
        audit->charged_there += weigh(row.source, -row.amount);
    if (__builtin_sub_overflow(row.balance, row.amount, &before) || row.previous >= number)
        fault(audit, "entry %.*s does not follow from the one before it", id_size, id);
    else if (row.previous != 0)
        audit->entries_named += token(row.previous, row.account, before);
    else if (before != 0)
        fault(audit, "entry %.*s is its account's first and does not begin at zero", id_size, id);
}

static void add_hold(struct audit *audit, const void *value, size_t value_size)
{
    struct hold_row row;

    if (value_size != sizeof row) {
        fault(audit, "a hold has a row of %zu bytes", value_size);
        return;
    }
    memcpy(&row, value, sizeof row);
    if (row.status == HOLD_OPEN)
        audit->held_there += weigh(row.account, row.amount);
}

static void add_campaign(struct audit *audit, const void *value, size_t value_size)
{
    struct campaign_row row;

    if (campaign_row_read(value, value_size, &row))
        audit->held_there += weigh(row.account, row.reserved);
}

static void add_drain(struct audit *audit, const void *value, size_t value_size)
{
    struct drain_row row;

    if (value_size != sizeof row) {
        fault(audit, "a drain has a row of %zu bytes", value_size);
        return;
    }
    memcpy(&row, value, sizeof row);
    if (row.entry == 0)
        audit->pending_there += weigh(row.account, row.amount);
}

static void add_packet(struct audit *audit, const void *value, size_t value_size)
{
    struct packet_row row;

    if (value_size != sizeof row) {
        fault(audit, "a packet has a row of %zu bytes", value_size);
        return;
    }
    memcpy(&row, value, sizeof row);
    currency_of(audit, row.currency)->packets_there +=
        (uint64_t)(row.amount - row.credited - row.refunded);
    audit->shares_named += weigh(row.number, row.amount);
    audit->opened_named += weigh(row.number, row.credited);
}

/* The piece's key begins with the packet's number. */
static void add_shares(struct audit *audit, const void *key, size_t key_size, const char *value,
                       size_t value_size)
{
    uint32_t share;
    int64_t sum = 0;

    if (key_size < 8 || value_size % sizeof share != 0) {
        fault(audit, "a packet's shares have a row of %zu bytes", value_size);
        return;
    }
    for (size_t at = 0; at < value_size; at += sizeof share) {
        memcpy(&share, value + at, sizeof share);
        sum += share;
    }
    audit->shares_there += weigh(bytes_get_u64_be(key), sum);
}

static void add_grab(struct audit *audit, const char *key, size_t key_size, const void *value,
                     size_t value_size)
{
    struct grab_row row;

    if (key_size != 16 || value_size != sizeof row) {
        fault(audit, "a grab has a row of %zu bytes", value_size);
        return;
    }
    memcpy(&row, value, sizeof row);
    if (row.is_opened)
        audit->opened_there += weigh(bytes_get_u64_be(key + 8), row.amount);
}

/* --- messages ------------------------------------------------------------------------------------
 */

/* What its status asks of where it waits. */
static bool waits_rightly(const struct message_row *row)
{
    switch ((enum message_status)row->status) {
    case MESSAGE_SCHEDULED:
        return row->due_ms != 0 && row->outbox_ms == 0;
    case MESSAGE_QUEUED:
        return row->due_ms != 0 && row->outbox_ms != 0;
    case MESSAGE_SENT:
        return (row->due_ms == 0) == (row->finished_ms != 0) && row->outbox_ms == 0;
    default:
        return row->due_ms == 0 && row->outbox_ms == 0;
    }
}

static void add_message(struct audit *audit, const void *value, size_t value_size)
{
    char id[ID_TEXT_MAX];
    struct message_row row;

    if (!message_row_read(value, value_size, &row)) {
        fault(audit, "a message has a row of %zu bytes", value_size);
        return;
    }
    if (!waits_rightly(&row))
        fault(audit, "message %.*s does not wait as its status asks",
              (int)id_format(id, "msg_", row.number), id);
    report_audit_message(&audit->report, &row);
    campaign_audit_message(&audit->campaigns, &row);
    audit->charged_named += weigh(row.number, row.charged);
    if (row.due_ms != 0)
        audit->due_named += token(row.number, 0, row.due_ms);
    if (row.outbox_ms != 0)
        audit->outbox_named += token(row.number, row.product, row.outbox_ms);
    if (row.finished_ms != 0)
        audit->finished_named += token(row.number, 0, row.finished_ms);
    if (row.status == MESSAGE_SENDING)
        audit->sending_named += token(row.number, 0, 0);
}

static void add_outbox(struct audit *audit, const void *key, size_t key_size)
{
    struct outbox_item item;
    enum message_kind lane;
    uint64_t product;

    if (outbox_read_key(key, key_size, &product, &lane, &item))
        audit->outbox_there += token(item.message, product, item.due_ms);
}

static void add_due(struct audit *audit, const void *key, size_t key_size)
{
    struct due due;

    if (!due_read_key(key, key_size, &due))
        return;
    if (due.kind == DUE_MESSAGE)
        audit->due_there += token(due.number, 0, due.due_ms);
    else if (due.kind == DUE_VERIFICATION)
        audit->verifications_there += token(due.number, 0, due.due_ms);
}

static void add_verification(struct audit *audit, const void *value, size_t value_size)
{
    struct verification_row row;

    if (value_size != sizeof row) {
        fault(audit, "a verification has a row of %zu bytes", value_size);
        return;
    }
    memcpy(&row, value, sizeof row);
    audit->verifications_named += token(row.number, 0, row.due_ms);
}

static void add_finished(struct audit *audit, const char *key, size_t key_size)
{
    if (key_size != MESSAGE_FINISHED_KEY_SIZE) {
        fault(audit, "a finished message has a key of %zu bytes", key_size);
        return;
    }
    audit->finished_there += token(bytes_get_u64_be(key + 8), 0, (int64_t)bytes_get_u64_be(key));
}

static void check_messages(struct audit *audit)
{
    if (audit->finished_there != audit->finished_named)
        fault(audit,
              "the messages that are to be history are not exactly those that have finished");
    if (audit->charged_there != audit->charged_named)
        fault(audit, "what messages say was charged is not what entries say");
    if (audit->due_there != audit->due_named)
        fault(audit, "the due index has not exactly the messages that wait for their time");
    if (audit->outbox_there != audit->outbox_named)
        fault(audit, "the outbox has not exactly the messages that are queued");
    if (audit->sending_there != audit->sending_named)
        fault(audit, "what is with gateways is not exactly what is sending");
    if (audit->verifications_there != audit->verifications_named)
        fault(audit, "the due index has not exactly the verifications that there are");
}

/* --- history -------------------------------------------------------------------------------------
 */

uint64_t audit_charge_weight(uint64_t message, int64_t charged)
{
    return weigh(message, charged);
}

uint64_t audit_record_weight(uint64_t message, uint32_t record_crc)
{
    return token(message, 0, record_crc);
}

static void add_day(struct audit *audit, const void *key, size_t key_size, const void *value,
                    size_t value_size)
{
    struct history_day_row row;
    uint32_t day;

    if (!history_day_read(key, key_size, value, value_size, &day, &row)) {
        fault(audit, "a day of history has a row of %zu bytes", value_size);
        return;
    }
    audit->charged_named += row.charged;
    if (day == HISTORY_DAYS_DROPPED)
        audit->dropped_before = audit->report.first_day = row.before;
    else if (audit->day_count < AUDIT_DAYS_MAX)
        audit->days[audit->day_count++] = (struct audit_day){day, row.messages, row.records};
    else
        fault(audit, "there are more than %d days of history", AUDIT_DAYS_MAX);
}

void audit_history(struct audit *audit)
{
    audit->has_history = true;
}

/* Rows are fed in the order of their keys. */
static struct audit_day *day_of(struct audit *audit, uint32_t day)
{
    size_t low = 0, high = audit->day_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (audit->days[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low < audit->day_count && audit->days[low].day == day ? &audit->days[low] : NULL;
}

bool audit_history_record(struct audit *audit, uint64_t number, const void *value,
                          size_t value_size, bool is_row, uint64_t *to, uint64_t *company)
{
    struct audit_day *day = day_of(audit, id_day(number));
    struct archive_record record;
    char id[ID_TEXT_MAX];

    if (!archive_decode(value, value_size, &record) || record.row.number != number)
        return false;
    *to = record.text.row.to;
    *company = record.row.company;
    if (is_row || (day == NULL && id_day(number) < audit->dropped_before))
        return true;
    if (day == NULL) {
        fault(audit, "message %.*s is history and was never archived",
              (int)id_format(id, "msg_", number), id);
        return true;
    }
    report_audit_message(&audit->report, &record.row);
    day->messages--;
    day->records -= audit_record_weight(number, crc32c(0, value, value_size));
    return true;
}

static void check_history(struct audit *audit)
{
    for (size_t i = 0; i < audit->day_count; i++) {
        const struct audit_day *day = &audit->days[i];
        char time[TIME_TEXT_SIZE];
        /* What is archived after its day was dropped is there again, maybe beside what was. */
        if (day->day < audit->dropped_before ? (int64_t)day->messages <= 0
                                             : day->messages == 0 && day->records == 0)
            continue;
        time_format(time, day->day * INT64_C(86400000));
        fault(audit, "history of %.10s lacks messages, or has changed (%lld too few)", time,
              (long long)day->messages);
    }
}

static void check_report(struct audit *audit)
{
    char text[TIME_TEXT_SIZE];
    uint32_t day;

    if (report_audit_finish(&audit->report, &day))
        return;
    if (day == 0) {
        fault(audit, "a report's counters are wrong in themselves");
        return;
    }
    time_format(text, (int64_t)day * REPORT_DAY_MS);
    fault(audit, "the counters of %.10s are not what its messages say", text);
}

static void add_meta(struct audit *audit, struct text name, const void *value, size_t value_size)
{
    if (text_equals(name, TEXT("entry_chain")) && value_size == sizeof audit->chain_head)
        memcpy(audit->chain_head, value, value_size);
}

void audit_row(struct audit *audit, enum table table, const void *key, size_t key_size,
               const void *value, size_t value_size)
{
    campaign_audit_row(&audit->campaigns, table, key, key_size, value, value_size);
    switch (table) {
    case TABLE_META:
        add_meta(audit, (struct text){key, key_size}, value, value_size);
        break;
    case TABLE_ACCOUNT:
        add_account(audit, key, key_size, value, value_size);
        break;
    case TABLE_ENTRY:
        add_entry(audit, key, key_size, value, value_size);
        break;
    case TABLE_HOLD:
        add_hold(audit, value, value_size);
        break;
    case TABLE_CAMPAIGN:
        add_campaign(audit, value, value_size);
        break;
    case TABLE_DRAIN:
        add_drain(audit, value, value_size);
        break;
    case TABLE_PACKET:
        add_packet(audit, value, value_size);
        break;
    case TABLE_PACKET_SHARES:
        add_shares(audit, key, key_size, value, value_size);
        break;
    case TABLE_GRAB:
        add_grab(audit, key, key_size, value, value_size);
        break;
    case TABLE_MESSAGE:
        add_message(audit, value, value_size);
        break;
    case TABLE_DUE:
        add_due(audit, key, key_size);
        break;
    case TABLE_OUTBOX:
        add_outbox(audit, key, key_size);
        break;
    case TABLE_MESSAGE_SENDING:
        audit->sending_there += token(bytes_get_u64_be(key), 0, 0);
        break;
    case TABLE_MESSAGE_FINISHED:
        add_finished(audit, key, key_size);
        break;
    case TABLE_HISTORY_DAY:
        add_day(audit, key, key_size, value, value_size);
        break;
    case TABLE_VERIFICATION:
        add_verification(audit, value, value_size);
        break;
    case TABLE_REPORT:
        report_audit_row(&audit->report, key, key_size, value, value_size);
        break;
    default:
        catalog_audit_row(&audit->catalog, table, key, key_size, value, value_size);
        break;
    }
}

static void check_whole(struct audit *audit)
{
    const char *catalog = catalog_audit_finish(&audit->catalog);
    const char *campaigns = campaign_audit_finish(&audit->campaigns);

    if (campaigns != NULL)
        fault(audit, "%s", campaigns);
    if (catalog != NULL)
        fault(audit, "%s", catalog);
    if (audit->entries_there != audit->entries_named)
        fault(audit, "entries are missing, changed or inserted");
    if (memcmp(audit->chain_head, &audit->chain, sizeof audit->chain_head) != 0)
        fault(audit, "the hash chain does not end where its head says");
    if (audit->held_there != audit->held_named)
        fault(audit, "what accounts say is held is not what open holds and campaigns hold");
    if (audit->pending_there != audit->pending_named)
        fault(audit, "what accounts say is pending is not what waits in queues");
    if (audit->shares_there != audit->shares_named)
        fault(audit, "the shares of a packet do not sum to its amount");
    if (audit->opened_there != audit->opened_named)
        fault(audit, "the shares that were opened are not what packets have credited");
    check_messages(audit);
    if (audit->has_history)
        check_history(audit);
    if (audit->has_history || audit->day_count == 0)
        check_report(audit);
}

bool audit_finish(struct audit *audit)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < audit->currency_count; i++) {
        sum += audit->currencies[i].sum;
        if (audit->currencies[i].sum != 0)
            fault(audit, "the balances in %.3s sum to %lld", audit->currencies[i].currency,
                  (long long)audit->currencies[i].sum);
        if (audit->currencies[i].packets_there != audit->currencies[i].packets_named)
            fault(audit, "@packets has %lld in %.3s, packets contain %lld",
                  (long long)audit->currencies[i].packets_named, audit->currencies[i].currency,
                  (long long)audit->currencies[i].packets_there);
    }
    audit->sum = (int64_t)sum;
    if (audit->is_whole)
        check_whole(audit);
    return audit->fault[0] == '\0';
}
