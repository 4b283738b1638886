/* Everything at once, as an auditor would: from the rows alone, and against the model's lists. */
#include <assert.h>
#include <string.h>

#include "archive.h"
#include "base/bytes.h"
#include "base/id.h"
#include "base/sha256.h"
#include "compare.h"
#include "engine/audit.h"
#include "engine/entry.h"
#include "engine/ledger.h"
#include "engine/message.h"
#include "engine/outbox.h"
#include "engine/route.h"
#include "wrong.h"

struct survey {
    struct model *model;
    struct world *world;
    uint32_t rows[TABLE_NUMBER_MAX + 1];
    int64_t sums[MODEL_CURRENCIES];
    struct audit audit;
};

/* BILL-12: the balances of all accounts sum to zero, in each currency. */
static void add_balance(struct survey *survey, const void *value)
{
    struct account_row row;

    memcpy(&row, value, sizeof row);
    for (int i = 0; i < MODEL_CURRENCIES; i++) {
        if (memcmp(model_currencies[i], row.currency, 3) == 0)
            survey->sums[i] = (int64_t)((uint64_t)survey->sums[i] + (uint64_t)row.balance);
    }
}

/* What the audit wants in order, as `smsd verify` reads it; entries beside these. A campaign that
 * is being forgotten goes before its recipients. */
static const enum table ordered[] = {TABLE_CAMPAIGN,       TABLE_CAMPAIGN_RECIPIENT,
                                     TABLE_CAMPAIGN_ERROR, TABLE_CAMPAIGN_ASLEEP,
                                     TABLE_QUOTA,          TABLE_HISTORY_DAY};
enum { ORDERED = sizeof ordered / sizeof *ordered };

static bool is_ordered(enum table table)
{
    bool is = table == TABLE_ENTRY;

    for (int i = 0; i < ORDERED; i++)
        is = is || ordered[i] == table;
    return is;
}

static void on_row(void *context, enum table table, const void *key, size_t key_size,
                   const void *value, size_t value_size)
{
    struct survey *survey = context;

    survey->rows[table]++;
    compare_row(survey->model, survey->world, table, key, key_size, value, value_size);
    if (table == TABLE_ACCOUNT)
        add_balance(survey, value);
    if (!is_ordered(table))
        audit_row(&survey->audit, table, key, key_size, value, value_size);
}

static void audit_in_order(struct survey *survey, enum table table)
{
    struct txn_walk *walk = txn_walk(survey->world->txn, table, WALK_UP, NULL, 0);

    while (txn_walk_next(walk))
        audit_row(&survey->audit, table, walk->key, walk->key_size, walk->value, walk->value_size);
    txn_walk_end(walk);
}

/* As `smsd verify` does it, behind all rows. */
static void audit_archive(struct survey *survey, const struct archive *archive)
{
    audit_history(&survey->audit);
    for (uint32_t i = 0; i < archive->count; i++) {
        const struct sim_record *record = &archive->of[i];
        uint64_t to, company;
        if (!record->is_kept)
            continue;
        must(audit_history_record(&survey->audit, record->message.number,
                                  archive_bytes(archive, record), record->size, !record->is_alone,
                                  &to, &company));
        must(to == record->message.to && company == record->message.company);
    }
}

/* BILL-13: the chain over all entries from the first, and that it ends where its head says. */
static void compare_chain(struct survey *survey, const struct tally *tally,
                          const struct archive *archive)
{
    uint8_t head[ENTRY_CHAIN_SIZE];

    for (uint32_t i = 0; i < survey->model->entries; i++) {
        char key[8];
        size_t size;
        const void *value;
        bytes_put_u64_be(key, survey->model->entry[i].number);
        value = txn_get(survey->world->txn, TABLE_ENTRY, key, sizeof key, &size);
        must(value != NULL);
        audit_row(&survey->audit, TABLE_ENTRY, key, sizeof key, value, size);
    }
    entry_chain_head(survey->world->txn, head);
    must(memcmp(head, tally->chain, sizeof head) == 0);
    for (int i = 0; i < ORDERED; i++)
        audit_in_order(survey, ordered[i]);
    audit_archive(survey, archive);
    if (!audit_finish(&survey->audit))
        wrong("the audit says: %s", survey->audit.fault);
}

/* The model's running sums against its own lists: held is what open holds and campaigns hold,
 * pending what waits in queues, @packets what packets contain, and each history adds up to its
 * balance. */
static void compare_sums(const struct model *model)
{
    int64_t held[PLAN_ACCOUNTS_MAX] = {0}, pending[PLAN_ACCOUNTS_MAX] = {0},
            balance[PLAN_ACCOUNTS_MAX] = {0}, contained[MODEL_CURRENCIES] = {0};

    for (uint32_t i = 0; i < model->holds; i++) {
        if (model->hold[i].status == HOLD_OPEN)
            held[model->hold[i].account] += model->hold[i].amount;
    }
    for (uint32_t i = 0; i < model->campaigns; i++)
        held[model->campaign[i].account] += model->campaign[i].reserved;
    for (uint32_t i = 0; i < model->charges; i++) {
        if (model->charge[i].entry == 0)
            pending[model->charge[i].account] += model->charge[i].amount;
    }
    for (uint32_t i = 0; i < model->packets; i++) {
        const struct model_packet *packet = &model->packet[i];
        contained[packet->currency] += packet->amount - packet->credited - packet->refunded;
    }
    for (int i = 0; i < MODEL_CURRENCIES; i++)
        must(model->systems[MODEL_PACKETS][i].balance == contained[i]);
    for (uint32_t i = 0; i < model->entries; i++)
        balance[model->entry[i].account] += model->entry[i].amount;
    for (int i = 0; i < PLAN_ACCOUNTS_MAX; i++) {
        const struct model_account *account = &model->accounts[i];
        must(account->held == held[i] && account->pending == pending[i]);
        must(account->balance == balance[i]);
        /* BILL-2: what is queued and held is covered, but where the limit was lowered since. */
        must(model_available(account) >= account->available_floor);
    }
}

/* SMS-3: what operators gave, less what messages have taken. */
static void compare_quota(struct txn *txn, const struct model_product *product)
{
    struct product_row row;

    must(product_find(txn, product->number, &row));
    must(((row.flags & PRODUCT_IS_COUNTED) != 0) == product->is_counted);
    if (row.quota != product->quota)
        wrong("product %.*s has a quota of %lld, and must have %lld", (int)product->id.size,
              product->id.data, (long long)row.quota, (long long)product->quota);
}

/* SMS-16: by due time, then by number. */
void compare_outbox(struct txn *txn, const struct model *model, uint64_t product,
                    enum message_kind lane)
{
    struct outbox_item head = {INT64_MAX, 0}, found;

    for (uint32_t i = 0; i < model->messages; i++) {
        const struct model_message *message = &model->message[i];
        struct message_row row;
        if (message->status != MESSAGE_QUEUED || message->product != product ||
            message->kind != lane)
            continue;
        must(message_find(txn, message->number, &row));
        if (row.outbox_ms < head.due_ms)
            head = (struct outbox_item){row.outbox_ms, row.number};
    }
    must(outbox_first(txn, product, lane, &(struct outbox_item){0}, &found) == (head.message != 0));
    must(head.message == 0 || (found.due_ms == head.due_ms && found.message == head.message));
}

void compare_all(struct model *model, const struct tally *tally, struct world *world,
                 const struct archive *archive)
{
    static struct survey survey;

    survey = (struct survey){.model = model, .world = world};
    audit_init(&survey.audit, true);
    world_rows(world, on_row, &survey);
    compare_counts(model, survey.rows);
    must(memcmp(survey.rows + TABLE_ACCOUNT, tally->rows + TABLE_ACCOUNT,
                (TABLE_NUMBER_MAX - TABLE_ACCOUNT + 1) * sizeof *survey.rows) == 0);
    for (int i = 0; i < MODEL_CURRENCIES; i++) {
        if (survey.sums[i] != 0)
            wrong("the balances in %s sum to %lld", model_currencies[i], (long long)survey.sums[i]);
    }
    for (uint32_t i = 0; i < model->charges; i++)
        compare_charge(world->txn, model, model->charge[i].number);
    for (uint32_t i = 0; i < model->packets; i++)
        compare_packet(world->txn, model, (int)i);
    for (uint32_t i = 0; i < model->products; i++)
        compare_quota(world->txn, &model->product[i]);
    compare_sums(model);
    compare_verifications(world->txn, model, survey.rows, world->now_ms);
    compare_chain(&survey, tally, archive);
}

void compare_archive(struct model *model, struct archive *archive, struct txn *txn)
{
    archive_check(archive, txn);
    for (uint32_t i = 0; i < model->messages; i++) {
        const struct sim_record *record = archive_find(archive, model->message[i].number);
        must(model->message[i].is_archived == (record != NULL && record->is_alone));
        archive_read(archive, txn, model->message[i].number);
    }
}

void compare_moment(struct txn *txn, const struct model *model, int account, int64_t at_ms)
{
    const struct model_entry *last = NULL;
    char id[] = {'u', (char)('0' + account)};
    struct account row;
    struct entry found;

    if (!account_find(txn, (struct text){id, sizeof id}, &row))
        return;
    for (uint32_t i = model->accounts[account].entry_last; i != 0 && last == NULL;
         i = model->entry[i - 1].previous) {
        if (id_time_ms(model->entry[i - 1].number) <= at_ms)
            last = &model->entry[i - 1];
    }
    must(entry_find_before(txn, &row, id_at(at_ms + 1), &found) == (last != NULL));
    must(last == NULL || (found.number == last->number && found.row.balance == last->balance));
}
