/* Each sum weighs a count or an amount by a hash of its campaign: equal sums are equal counts of
 * each campaign. A campaign whose rows are being forgotten is known before its rows come, and they
 * are left out. */
#include "engine/campaign_audit.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "engine/campaign.h"
#include "engine/due.h"
#include "engine/message.h"

enum sum {
    SUM_LEFT,     /* recipients that are still to come */
    SUM_AMOUNT,   /* of all recipients */
    SUM_USED,     /* of those that became messages */
    SUM_ASLEEP,   /* recipients that are asleep, of each campaign */
    SUM_PLACES,   /* and who is, and where */
    SUM_ERRORS,   /* rows of errors */
    SUM_WAITING,  /* messages that wait, of each campaign */
    SUM_HELD,     /* and those of them that wait for the end of quiet hours */
    SUM_MESSAGES, /* and which they are */
    SUM_DUE,      /* rows of the due index */
};
static_assert(SUM_DUE + 1 == CAMPAIGN_SUMS, "every sum has its place");

static const struct hash_key sum_key = {0x736d736420636d70, 0x617564697420636d};

static uint64_t weigh(uint64_t campaign, int64_t count)
{
    return hash64(&sum_key, &campaign, sizeof campaign) * (uint64_t)count;
}

static uint64_t token(uint64_t number, uint64_t kind, int64_t at_ms)
{
    struct {
        uint64_t number, kind;
        int64_t at_ms;
    } said = {number, kind, at_ms};

    return hash64(&sum_key, &said, sizeof said);
}

static void fault(struct campaign_audit *audit, const char *what)
{
    if (audit->fault == NULL)
        audit->fault = what;
}

/* Is there something that will make it go on, if it is not over? */
static bool goes_on(const struct campaign_row *row)
{
    bool is_with_gateway = row->waiting > 0 || row->messages[MESSAGE_SENDING] > 0;

    if (row->due_ms != 0)
        return true;
    switch ((enum campaign_status)row->status) {
    case CAMPAIGN_RUNNING:
        return campaign_left(row) > 0 ? campaign_ahead(row) > row->window / 2 : is_with_gateway;
    case CAMPAIGN_DRAFT: /* nothing would end it */
    case CAMPAIGN_SCHEDULED:
    case CAMPAIGN_CANCELING:
        return false;
    case CAMPAIGN_CANCELED:
        return row->waiting == 0;
    default:
        return true;
    }
}

static void check(struct campaign_audit *audit, const struct campaign_row *row)
{
    uint64_t messages = 0;

    for (int i = 0; i < CAMPAIGN_STATUSES; i++)
        messages += row->messages[i];
    if (messages != row->submitted)
        fault(audit, "a campaign's counts by status are not of all its messages");
    if (row->waiting != row->messages[MESSAGE_SCHEDULED] + row->messages[MESSAGE_QUEUED])
        fault(audit, "a campaign's messages that wait are not those scheduled and queued");
    if (row->confirmed != row->reserved + row->used + row->released || row->reserved < 0 ||
        row->released < 0)
        fault(audit, "what a campaign was confirmed with is not what it has, used and gave back");
    if (row->status != CAMPAIGN_SCHEDULED && row->status != CAMPAIGN_RUNNING &&
        row->status != CAMPAIGN_PAUSED && row->reserved != 0)
        fault(audit, "a campaign that does not send holds money");
    if (!goes_on(row))
        fault(audit, "a campaign stands still");
    if (row->ended_ms != 0 && row->forget_ms == 0 && !(row->flags & CAMPAIGN_IS_FORGOTTEN))
        fault(audit, "a campaign's recipients would never be forgotten");
    if (row->recipients < row->submitted + row->refused + row->asleep)
        fault(audit, "a campaign has sent to more recipients than it has");
    if (row->held_back > row->waiting)
        fault(audit, "a campaign holds back more messages than wait");
}

static void add_campaign(struct campaign_audit *audit, const void *value, size_t size)
{
    struct campaign_row row;

    if (!campaign_row_read(value, size, &row)) {
        fault(audit, "a campaign has a row of another size");
        return;
    }
    check(audit, &row);
    audit->said[SUM_WAITING] += weigh(row.number, row.waiting);
    audit->said[SUM_HELD] += weigh(row.number, row.held_back);
    if (row.due_ms != 0)
        audit->said[SUM_DUE] += token(row.number, DUE_CAMPAIGN, row.due_ms);
    if (row.forget_ms != 0)
        audit->said[SUM_DUE] += token(row.number, DUE_CAMPAIGN_FORGET, row.forget_ms);
    if (row.flags & CAMPAIGN_IS_FORGOTTEN) {
        if (row.forget_ms != 0 && audit->skipped_count < CAMPAIGNS_SKIPPED_MAX)
            audit->skipped[audit->skipped_count++] = row.number;
        return;
    }
    audit->said[SUM_LEFT] += weigh(row.number, campaign_left(&row));
    audit->said[SUM_AMOUNT] += weigh(row.number, row.amount);
    audit->said[SUM_USED] += weigh(row.number, row.used);
    audit->said[SUM_ERRORS] += weigh(row.number, row.error_count);
    audit->said[SUM_ASLEEP] += weigh(row.number, row.asleep);
}

static bool is_skipped(const struct campaign_audit *audit, uint64_t campaign)
{
    for (size_t i = 0; i < audit->skipped_count; i++) {
        if (audit->skipped[i] == campaign)
            return true;
    }
    return false;
}

static void add_recipient(struct campaign_audit *audit, const void *key, size_t key_size,
                          const void *value, size_t size)
{
    struct campaign_recipient recipient;
    uint64_t campaign;

    if (!campaign_recipient_read(key, key_size, value, size, &recipient)) {
        fault(audit, "a campaign's recipient has a row of another size");
        return;
    }
    campaign = bytes_get_u64_be(key);
    if (is_skipped(audit, campaign))
        return;
    audit->there[SUM_AMOUNT] += weigh(campaign, recipient.row.amount);
    if (recipient.row.turn == CAMPAIGN_TO_COME || recipient.row.turn == CAMPAIGN_ASLEEP)
        audit->there[SUM_LEFT] += weigh(campaign, 1);
    else if (recipient.row.turn == CAMPAIGN_SUBMITTED)
        audit->there[SUM_USED] += weigh(campaign, recipient.row.amount);
    if (recipient.row.turn == CAMPAIGN_ASLEEP)
        audit->said[SUM_PLACES] +=
            weigh(campaign, 1) * token(recipient.to, 0, (int64_t)recipient.row.message);
}

static void add_asleep(struct campaign_audit *audit, const char *key, size_t key_size,
                       const void *value, size_t size)
{
    uint64_t campaign;

    if (key_size != CAMPAIGN_KEY_SIZE || size != 8) {
        fault(audit, "a campaign's recipient that is asleep has a row of another size");
        return;
    }
    campaign = bytes_get_u64_be(key);
    if (is_skipped(audit, campaign))
        return;
    audit->there[SUM_ASLEEP] += weigh(campaign, 1);
    audit->there[SUM_PLACES] +=
        weigh(campaign, 1) * token(bytes_get_u64_be(value), 0, (int64_t)bytes_get_u64_be(key + 8));
}

static void add_error(struct campaign_audit *audit, const void *key, size_t key_size,
                      const void *value, size_t size)
{
    struct campaign_error error;

    if (!campaign_error_read(key, key_size, value, size, &error))
        fault(audit, "a campaign's error has a row of another size");
    else if (!is_skipped(audit, bytes_get_u64_be(key)))
        audit->there[SUM_ERRORS] += weigh(bytes_get_u64_be(key), 1);
}

static void add_waiting(struct campaign_audit *audit, const char *key, size_t key_size, size_t size)
{
    if (key_size != CAMPAIGN_KEY_SIZE) {
        fault(audit, "a campaign's waiting message has a key of another size");
        return;
    }
    audit->there[SUM_WAITING] += weigh(bytes_get_u64_be(key), 1);
    audit->there[SUM_HELD] += weigh(bytes_get_u64_be(key), size > 0);
    audit->there[SUM_MESSAGES] += token(bytes_get_u64_be(key + 8), 0, 0);
}

static void add_due(struct campaign_audit *audit, const void *key, size_t key_size)
{
    struct due due;

    if (due_read_key(key, key_size, &due) &&
        (due.kind == DUE_CAMPAIGN || due.kind == DUE_CAMPAIGN_FORGET))
        audit->there[SUM_DUE] += token(due.number, due.kind, due.due_ms);
}

void campaign_audit_row(struct campaign_audit *audit, enum table table, const void *key,
                        size_t key_size, const void *value, size_t value_size)
{
    switch (table) {
    case TABLE_CAMPAIGN:
        add_campaign(audit, value, value_size);
        break;
    case TABLE_CAMPAIGN_RECIPIENT:
        add_recipient(audit, key, key_size, value, value_size);
        break;
    case TABLE_CAMPAIGN_ASLEEP:
        add_asleep(audit, key, key_size, value, value_size);
        break;
    case TABLE_CAMPAIGN_ERROR:
        add_error(audit, key, key_size, value, value_size);
        break;
    case TABLE_CAMPAIGN_WAITING:
        add_waiting(audit, key, key_size, value_size);
        break;
    case TABLE_DUE:
        add_due(audit, key, key_size);
        break;
    default:
        break;
    }
}

void campaign_audit_message(struct campaign_audit *audit, const struct message_row *row)
{
    if (row->origin == MESSAGE_FROM_CAMPAIGN &&
        (row->status == MESSAGE_SCHEDULED || row->status == MESSAGE_QUEUED))
        audit->said[SUM_MESSAGES] += token(row->number, 0, 0);
}

const char *campaign_audit_finish(struct campaign_audit *audit)
{
    static const char *const faults[CAMPAIGN_SUMS] = {
        [SUM_LEFT] = "campaigns have not exactly the recipients to come that they say",
        [SUM_AMOUNT] = "campaigns' recipients do not cost what the campaigns say",
        [SUM_USED] = "campaigns have not used what their messages' recipients cost",
        [SUM_ASLEEP] = "campaigns have not exactly the recipients asleep that they say",
        [SUM_PLACES] = "campaigns' recipients that are asleep are not where they say",
        [SUM_HELD] = "campaigns have not exactly the messages held back that they say",
        [SUM_ERRORS] = "campaigns have not exactly the errors that they say",
        [SUM_WAITING] = "campaigns have not exactly the waiting messages that they say",
        [SUM_MESSAGES] = "campaigns' messages that wait are not on their lists",
        [SUM_DUE] = "the due index has not exactly the campaigns that wait for their time",
    };

    for (int i = 0; i < CAMPAIGN_SUMS; i++) {
        bool is_unknown = audit->skipped_count == CAMPAIGNS_SKIPPED_MAX && i <= SUM_ERRORS;
        if (audit->said[i] != audit->there[i] && !is_unknown)
            fault(audit, faults[i]);
    }
    return audit->fault;
}
