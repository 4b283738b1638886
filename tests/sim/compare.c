/* One function a table says whether a row is what the model wants; counting rows by table then says
 * that none is missing. Everything the engine derives (history's links, marks, the due index, the
 * hash chain, drains) is worked out here a second time. */
#include "compare.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/id.h"
#include "base/sha256.h"
#include "engine/audit.h"
#include "engine/charge.h"
#include "engine/entry.h"
#include "engine/hold.h"
#include "engine/ledger.h"
#include "wrong.h"

void tally_init(struct tally *tally)
{
    struct sha256 sha;

    *tally = (struct tally){.entries = 0};
    sha256_init(&sha);
    memcpy(tally->chain, sha.state, sizeof tally->chain);
}

/* --- one row -------------------------------------------------------------------------------------
 */

static const struct model_entry *find_entry(const struct model *model, uint64_t number)
{
    uint32_t low = 0, high = model->entries;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        /* Those not learnt yet are behind all others. */
        if (model->entry[middle].number != 0 && model->entry[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < model->entries && model->entry[low].number == number ? &model->entry[low] : NULL;
}

static uint64_t entry_number(const struct model *model, uint32_t place)
{
    return place == 0 ? 0 : model->entry[place - 1].number;
}

static const char *const system_names[] = {
    [MODEL_WORLD] = "@world", [MODEL_REVENUE] = "@revenue", [MODEL_PACKETS] = "@packets"};

static void compare_user(const struct model *model, int index, const struct account_row *row)
{
    const struct model_account *account = &model->accounts[index];
    int flags = (account->packets_blocked ? ACCOUNT_PACKETS_BLOCKED : 0) |
                (account->has_low_balance ? ACCOUNT_HAS_LOW_BALANCE : 0) |
                (account->is_low ? ACCOUNT_IS_LOW : 0);

    must(account->is_there);
    if (row->balance != account->balance)
        wrong("u%d has %lld, and must have %lld", index, (long long)row->balance,
              (long long)account->balance);
    if (row->held != account->held || row->pending != account->pending)
        wrong("u%d has %lld held, %lld pending, and must have %lld, %lld", index,
              (long long)row->held, (long long)row->pending, (long long)account->held,
              (long long)account->pending);
    must(row->status == (account->is_frozen ? ACCOUNT_FROZEN : ACCOUNT_ACTIVE));
    must(row->flags == flags);
    must(memcmp(row->currency, model_currencies[account->currency], 3) == 0);
    must(row->number == account->number);
    must(row->credit_limit == account->credit_limit);
    must(row->low_balance == account->low_balance);
    must(row->entry_count == account->entries);
    must(row->entry_last == entry_number(model, account->entry_last));
    must(row->updated_ms == account->updated_ms);
}

static void compare_system(const struct model *model, struct text id, const struct account_row *row)
{
    int currency = 0, system = 0;

    while (currency < MODEL_CURRENCIES && memcmp(model_currencies[currency], row->currency, 3) != 0)
        currency++;
    must(currency < MODEL_CURRENCIES && row->flags == ACCOUNT_IS_SYSTEM);
    must(row->held == 0 && row->pending == 0 && row->entry_last == 0);
    while (system < MODEL_SYSTEMS &&
           (id.size < strlen(system_names[system]) ||
            memcmp(system_names[system], id.data, strlen(system_names[system])) != 0))
        system++;
    must(system < MODEL_SYSTEMS && model->systems[system][currency].is_there);
    if (row->balance != model->systems[system][currency].balance)
        wrong("%.*s has %lld, and must have %lld", (int)id.size, id.data, (long long)row->balance,
              (long long)model->systems[system][currency].balance);
}

static void compare_account(const struct model *model, struct text id, const void *value,
                            size_t size)
{
    struct account_row row;
    int index = model_account_of(id);

    must(size == sizeof row);
    memcpy(&row, value, size);
    if (id.data[0] == '@') {
        compare_system(model, id, &row);
    } else {
        must(index >= 0);
        compare_user(model, index, &row);
    }
}

static uint64_t counter_number(const struct model *model, struct txn *txn, int counter,
                               uint8_t currency)
{
    struct account account;
    char id[ACCOUNT_ID_MAX];
    size_t size;

    if (counter >= 0)
        return model->accounts[counter].number;
    size = strlen(system_names[-1 - counter]);
    memcpy(id, system_names[-1 - counter], size);
    if (currency > 0) {
        id[size++] = '.';
        memcpy(id + size, model_currencies[currency], 3);
        size += 3;
    }
    must(account_find(txn, (struct text){id, size}, &account));
    return account.row.number;
}

static void compare_entry(const struct model *model, struct txn *txn, uint64_t number,
                          const char *value, size_t size)
{
    const struct model_entry *entry = find_entry(model, number);
    struct entry_row row;

    if (entry == NULL)
        wrong("there is an entry of which the model knows nothing");
    must(size >= sizeof row);
    memcpy(&row, value, sizeof row);
    must(size == sizeof row + row.reference_size);
    must(row.type == entry->type && row.count == entry->count);
    must(row.amount == entry->amount && row.balance == entry->balance);
    must(row.account == model->accounts[entry->account].number);
    must(row.counter ==
         counter_number(model, txn, entry->counter, model->accounts[entry->account].currency));
    must(row.source_type == entry->source_type && row.source == entry->source);
    must(row.previous == entry_number(model, entry->previous));
    must(text_equals((struct text){value + sizeof row, row.reference_size}, entry->reference));
}

void compare_charge(struct txn *txn, struct model *model, uint64_t number)
{
    const struct model_charge *charge = model_find_charge(model, number);
    struct charge found;

    must(charge_find(txn, number, &found) == (charge != NULL));
    if (charge == NULL)
        return;
    must(found.number == number && found.amount == charge->amount);
    must(found.account == model->accounts[charge->account].number);
    if (found.refunded != charge->refunded)
        wrong("a charge has %lld refunded, and must have %lld", (long long)found.refunded,
              (long long)charge->refunded);
    must(found.entry == entry_number(model, charge->entry));
    must(found.entry == 0 || found.balance == model->entry[charge->entry - 1].balance);
    must(text_equals((struct text){found.reference, found.reference_size}, charge->reference));
}

static void compare_drain(struct model *model, uint64_t number, const void *value, size_t size)
{
    const struct model_charge *first = model_find_charge(model, number);
    const struct model_group *group;
    struct drain_row row;

    must(first != NULL && first->group != 0 && size == sizeof row);
    memcpy(&row, value, size);
    group = &model->group[first->group - 1];
    must(group->number == number && row.last == group->last);
    must(row.count == group->count && row.count <= model->drain_max);
    must(row.amount == group->amount);
    must(row.account == model->accounts[group->account].number);
    must(row.next == (group->next == 0 ? 0 : model->group[group->next - 1].number));
    must(row.entry == entry_number(model, group->entry));
}

static void compare_queue(const struct model *model, uint64_t number, const void *value,
                          size_t size)
{
    int index = model_find_account(model, number);
    const struct model_account *account = &model->accounts[index < 0 ? 0 : index];
    const struct model_charge *first, *last;
    struct queue_row row;

    must(index >= 0 && account->queued > 0 && size == sizeof row);
    memcpy(&row, value, size);
    first = &model->charge[account->queue_first - 1];
    last = &model->charge[account->queue_last - 1];
    must(row.first == first->number); /* a drain begins with the first that waits */
    must(row.last == model->group[last->group - 1].number);
    must(row.due_ms == (account->queue_is_stuck ? 0 : account->queue_due_ms));
}

static void compare_hold_row(struct model *model, const struct hold_row *row)
{
    const struct model_hold *hold = model_find_hold(model, row->number);

    must(hold != NULL);
    must(row->status == hold->status && row->amount == hold->amount);
    must(row->account == model->accounts[hold->account].number);
    must(row->captured == hold->captured && row->entry == entry_number(model, hold->entry));
    must(row->expires_ms == hold->expires_ms && row->closed_ms == hold->closed_ms);
}

static void compare_mark(const struct model *model, const char *key)
{
    const struct model_entry *entry = find_entry(model, bytes_get_u64_be(key + 8));

    must(entry != NULL && entry->place % MODEL_MARK_EVERY == 0);
    must(bytes_get_u64_be(key) == model->accounts[entry->account].number);
}

static void compare_other_due(const struct model *model, int64_t due_ms, int kind, uint64_t number)
{
    for (uint32_t i = 0; i < model->other_dues; i++) {
        const struct model_due *due = &model->other_due[i];
        if (due->due_ms == due_ms && due->kind == kind && due->number == number)
            return;
    }
    wrong("something is due that must not be");
}

static void compare_due(struct model *model, const char *key)
{
    int64_t due_ms = (int64_t)bytes_get_u64_be(key);
    uint64_t number = bytes_get_u64_be(key + 9);

    if (key[8] == 8 && model_find_webhook(model, number) != NULL) {
        must(model_find_webhook(model, number)->due_ms == due_ms);
    } else if (key[8] > MODEL_DUE_KINDS) {
        compare_other_due(model, due_ms, key[8], number);
    } else if (key[8] == 2) {
        const struct model_hold *hold = model_find_hold(model, number);
        must(hold != NULL && hold->status == HOLD_OPEN && hold->expires_ms == due_ms);
    } else if (key[8] == 3) {
        const struct model_packet *packet = model_find_packet(model, number);
        must(packet != NULL && packet->due_ms == due_ms);
    } else {
        int index = model_find_account(model, number);
        must(key[8] == 1 && index >= 0 && model->accounts[index].queued > 0);
        must(!model->accounts[index].queue_is_stuck);
        must(model->accounts[index].queue_due_ms == due_ms);
    }
}

static void compare_webhook(struct model *model, uint64_t number, const void *value, size_t size)
{
    const struct model_webhook *told = model_find_webhook(model, number);
    struct webhook_row row;

    must(size >= sizeof row);
    memcpy(&row, value, sizeof row);
    if (row.type != WEBHOOK_LOW_BALANCE)
        return;
    must(told != NULL && told->due_ms != 0);
    must(row.status == WEBHOOK_NO_URL && row.due_ms == told->due_ms);
    must(row.subject == model->accounts[told->account].number);
    must(row.values[0] == told->balance);
    must(row.values[1] == told->low_balance);
}

static void compare_kept_answer(const struct model *model, const void *key, const char *value,
                                size_t size)
{
    const struct model_key *kept;
    struct hash128 hash;
    struct idempotency_row row;

    memcpy(&hash, key, sizeof hash);
    must(hash.low < model->keys && size >= sizeof row);
    kept = &model->key[hash.low];
    memcpy(&row, value, sizeof row);
    must(kept->is_kept && row.outcome == kept->result.outcome);
    must(row.fingerprint == kept->fingerprint && row.number == kept->result.number);
    must(size == sizeof row + row.result_size);
    must(memcmp(value + sizeof row, &kept->result.of, row.result_size) == 0);
}

static void compare_account_number(const struct model *model, uint64_t number, struct text id)
{
    int index = model_account_of(id);

    must(index >= 0 && model->accounts[index].is_there && model->accounts[index].number == number);
}

void compare_row(struct model *model, struct world *world, enum table table, const void *key,
                 size_t key_size, const void *value, size_t value_size)
{
    struct hold_row hold;
    uint64_t number = key_size == 8 ? bytes_get_u64_be(key) : 0;

    switch (table) {
    case TABLE_ACCOUNT:
        compare_account(model, (struct text){key, key_size}, value, value_size);
        break;
    case TABLE_ACCOUNT_NUMBER:
        compare_account_number(model, number, (struct text){value, value_size});
        break;
    case TABLE_ENTRY:
        compare_entry(model, world->txn, number, value, value_size);
        break;
    case TABLE_CHARGE:
    case TABLE_CHARGE_REFUND:
        must(model_find_charge(model, number) != NULL);
        compare_charge(world->txn, model, number);
        break;
    case TABLE_DRAIN:
        compare_drain(model, number, value, value_size);
        break;
    case TABLE_QUEUE:
        compare_queue(model, number, value, value_size);
        break;
    case TABLE_HOLD:
        must(value_size == sizeof hold);
        memcpy(&hold, value, value_size);
        must(hold.number == number);
        compare_hold_row(model, &hold);
        break;
    case TABLE_ENTRY_MARK:
        must(key_size == 16 && value_size == 0);
        compare_mark(model, key);
        break;
    case TABLE_DUE:
        must(key_size == 17 && value_size == 0);
        compare_due(model, key);
        break;
    case TABLE_WEBHOOK:
        compare_webhook(model, number, value, value_size);
        break;
    case TABLE_IDEMPOTENCY:
        must(key_size == sizeof(struct hash128));
        compare_kept_answer(model, key, value, value_size);
        break;
    case TABLE_META: /* see compare_all */
    case TABLE_API_KEY:
    case TABLE_API_KEY_NUMBER:
        break;
    case TABLE_CITY:
    case TABLE_VISIT:
    case TABLE_TRACE:
    case TABLE_CITY_MESSAGE:
    case TABLE_GROUP_WELCOME:
        compare_city_row(model, table, key, key_size, value, value_size);
        break;
    default:
        if (table <= TABLE_EXCEPTION)
            compare_packet_row(model, table, key, key_size, value, value_size);
        else
            compare_verification_row(model, table, key, value, value_size, world->now_ms);
        break;
    }
}

/* Does the model know how many rows there are? */
static bool is_counted(enum table table)
{
    return table <= TABLE_EXCEPTION || table == TABLE_CITY || table == TABLE_VISIT ||
           table == TABLE_TRACE || table == TABLE_CITY_MESSAGE || table == TABLE_GROUP_WELCOME;
}

void compare_counts(const struct model *model, const uint32_t rows[TABLE_NUMBER_MAX + 1])
{
    const uint32_t counts[TABLE_NUMBER_MAX + 1] = {
        [TABLE_ACCOUNT] = model->accounts_there + model->systems_there,
        [TABLE_ACCOUNT_NUMBER] = model->accounts_there,
        [TABLE_ENTRY] = model->entries,
        [TABLE_IDEMPOTENCY] = model->keys_kept,
        [TABLE_CHARGE] = model->charges_queued,
        [TABLE_CHARGE_REFUND] = model->charges_refunded,
        [TABLE_DRAIN] = model->groups,
        [TABLE_QUEUE] = model->queues,
        [TABLE_HOLD] = model->holds,
        [TABLE_ENTRY_MARK] = model->marks,
        [TABLE_DUE] = model->dues + model->other_dues,
        [TABLE_WEBHOOK] = model->webhooks,
        [TABLE_PACKET] = model->packets,
        [TABLE_PACKET_TERMS] = model->packets,
        [TABLE_PACKET_SHARES] = model->pieces,
        [TABLE_PACKET_RECIPIENT] = model->recipients,
        [TABLE_PACKET_SENDER] = model->senders,
        [TABLE_PACKET_SENT] = model->packets,
        [TABLE_PACKET_GROUP] = model->packets_grouped,
        [TABLE_PACKET_UNFINISHED] = model->packets_unfinished,
        [TABLE_GRAB] = model->grabs,
        [TABLE_GRAB_PLACE] = model->grabs,
        [TABLE_EXCEPTION] = model->exceptions + model->message_exceptions,
        [TABLE_CITY] = model->cities.count,
        [TABLE_VISIT] = model->cities.visits,
        [TABLE_TRACE] = model->cities.traces,
        [TABLE_CITY_MESSAGE] = model->cities.messages,
        [TABLE_GROUP_WELCOME] = model->cities.welcomes,
    };

    for (int table = TABLE_ACCOUNT; table <= TABLE_GROUP_WELCOME; table++) {
        if (is_counted((enum table)table) && table != TABLE_WEBHOOK && table != TABLE_API_KEY &&
            table != TABLE_API_KEY_NUMBER && rows[table] != counts[table])
            wrong("there are %u rows of %s, and must be %u", rows[table], table_infos[table].name,
                  counts[table]);
    }
}
