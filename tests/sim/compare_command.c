/* After a command: its answer, the rows it changed, and what is learnt from them. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/id.h"
#include "base/sha256.h"
#include "compare.h"
#include "engine/ledger.h"
#include "wrong.h"

/* --- learning ------------------------------------------------------------------------------------
 */

/* BILL-13, as engine/chain.h words it: the number stands where the row has its `chain`. */
static void step_chain(uint32_t chain[8], uint64_t number, const char *value, size_t size)
{
    char bytes[256] = {0};
    struct entry_row row;

    must(size >= sizeof row && size <= sizeof bytes);
    memcpy(bytes, value, size);
    memcpy(&row, bytes, sizeof row);
    memcpy(bytes + offsetof(struct entry_row, chain), &number, sizeof number);
    sha256_compress(chain, bytes, (size + 63) / 64);
    must(memcmp(&row.chain, chain, sizeof row.chain) == 0);
}

static void learn_entry(struct model *model, struct tally *tally, uint64_t number,
                        const void *value, size_t size)
{
    must(tally->entries < model->entries); /* else the engine made one too many */
    must(tally->entries == 0 || model->entry[tally->entries - 1].number < number);
    model->entry[tally->entries++].number = number;
    step_chain(tally->chain, number, value, size);
}

/* Rows come in the order they were first written in, which is the order of what they stand for. */
static void learn(struct model *model, struct tally *tally, struct world *world,
                  const struct engine_effect *effect, uint64_t first)
{
    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        size_t size;
        const void *value =
            txn_get(world->txn, change->table, change->key, change->key_size, &size);
        uint64_t number;
        tally->rows[change->table] += value != NULL;
        tally->rows[change->table] -= change->was_there;
        if (change->was_there || value == NULL || change->key_size != 8 ||
            change->table == TABLE_QUEUE || change->table == TABLE_ACCOUNT ||
            change->table == TABLE_PACKET_SENDER || change->table == TABLE_META)
            continue; /* not keyed by a number given out with this command */
        number = bytes_get_u64_be(change->key);
        if (change->table > TABLE_EXCEPTION)
            continue;
        if (change->table == TABLE_ENTRY)
            learn_entry(model, tally, number, value, size);
        else if (change->table == TABLE_WEBHOOK && tally->webhooks < model->webhooks &&
                 ((const struct webhook_row *)value)->type == WEBHOOK_LOW_BALANCE)
            model->webhook[tally->webhooks++].number = number;
        else if (change->table == TABLE_EXCEPTION && tally->exceptions < model->exceptions &&
                 ((const struct exception_row *)value)->type != EXCEPTION_MESSAGE_REFUND)
            model->exception[tally->exceptions++].number = number;
        if (change->table != TABLE_CHARGE_REFUND) /* which has the charge's */
            must(number >= first && number <= effect->number_last);
        if (change->table == TABLE_WEBHOOK ||
            change->table == TABLE_EXCEPTION) /* the command's own number is of what it makes */
            must(number > first);
    }
    must(tally->entries == model->entries && tally->webhooks == model->webhooks);
    must(tally->exceptions == model->exceptions);
}

/* --- answers -------------------------------------------------------------------------------------
 */

static void compare_row_answered(struct model *model, struct world *world, enum table table,
                                 const void *key, size_t key_size, const void *row, size_t size)
{
    size_t stored_size;
    const void *stored = txn_get(world->txn, table, key, key_size, &stored_size);

    (void)model; /* the stored one is compared with it as a row that was changed */
    must(stored != NULL && stored_size == size && memcmp(stored, row, size) == 0);
}

static void compare_account_answered(struct model *model, struct world *world,
                                     const struct expected *expected, const struct result *result)
{
    char id[] = {'u', (char)('0' + expected->account)};

    compare_row_answered(model, world, TABLE_ACCOUNT, id, sizeof id, &result->of.account.row,
                         sizeof result->of.account.row);
}

static void compare_hold_answered(struct model *model, struct world *world,
                                  const struct result *result)
{
    char key[8];

    bytes_put_u64_be(key, result->of.hold.row.number);
    compare_row_answered(model, world, TABLE_HOLD, key, sizeof key, &result->of.hold.row,
                         sizeof result->of.hold.row);
}

/* A success: what it shows is what the model has. */
static void compare_shown(struct model *model, struct world *world, const struct command *command,
                          const struct expected *expected, const struct result *result)
{
    const struct model_account *account =
        &model->accounts[expected->account < 0 ? 0 : expected->account];
    uint64_t entry = model->entries == 0 ? 0 : model->entry[model->entries - 1].number;
    uint64_t number = command->number;

    switch (command->type) {
    case COMMAND_ACCOUNT_CREATE:
    case COMMAND_ACCOUNT_UPDATE:
        compare_account_answered(model, world, expected, result);
        break;
    case COMMAND_TOPUP:
    case COMMAND_PAYOUT:
        must(result->of.entry.balance == account->balance);
        number = entry;
        break;
    case COMMAND_CHARGE:
        must(result->of.entry.balance == account->balance && entry == number);
        break;
    case COMMAND_CHARGE_QUEUE:
        must(result->of.entry.balance == account->balance);
        break;
    case COMMAND_REFUND:
        must(result->of.refund.balance == account->balance);
        must(result->of.refund.amount == expected->amount);
        must(result->of.refund.account == account->number);
        number = entry;
        break;
    case COMMAND_TRANSFER:
        must(result->of.transfer.from_balance == account->balance);
        must(result->of.transfer.to_balance == model->accounts[expected->other].balance);
        break;
    case COMMAND_HOLD_CREATE:
    case COMMAND_HOLD_CAPTURE:
    case COMMAND_HOLD_RELEASE:
        compare_hold_answered(model, world, result);
        break;
    default:
        compare_packet_answered(model, command, expected, result);
        compare_city_answered(world->txn, model, command, expected, result);
        break;
    }
    must(result->number == number);
}

/* BILL-9: exactly what the first answer was, and nothing is done. */
static void compare_replay(const struct model *model, struct world *world,
                           const struct command *command, const struct result *result)
{
    const struct result *first = &model->key[command->key.low].result;

    must(world->changes.count == 0);
    must(result->number == first->number);
    must(first->outcome != OUTCOME_OK || memcmp(&result->of, &first->of, sizeof first->of) == 0);
}

static void compare_refusal(struct world *world, const struct command *command,
                            const struct engine_effect *effect)
{
    const struct change *trace = changes_find_trace(
        world->txn, &world->changes, command->has_key ? TABLE_IDEMPOTENCY : (enum table)0);

    if (trace != NULL) {
        struct buffer name;
        buffer_init(&name);
        row_name(&name, trace->table, trace->key, trace->key_size);
        wrong("a refusal changed %.*s", (int)name.size, name.data);
    }
    must(effect->due_first_ms == INT64_MAX);
}

/* A command of several steps may have taken back what it made due: then it only wakes too early. */
static void compare_due_first(struct world *world, const struct expected *expected,
                              const struct engine_effect *effect)
{
    int64_t first_ms = INT64_MAX;

    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        size_t size;
        int64_t due_ms = (int64_t)bytes_get_u64_be(change->key);
        if (change->table == TABLE_DUE && due_ms < first_ms &&
            txn_get(world->txn, TABLE_DUE, change->key, change->key_size, &size) != NULL)
            first_ms = due_ms;
    }
    must(effect->due_first_ms == first_ms ||
         (expected->is_open && effect->due_first_ms < first_ms));
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static void compare_changes(struct model *model, struct world *world)
{
    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        size_t size;
        const void *value =
            txn_get(world->txn, change->table, change->key, change->key_size, &size);
        if (value != NULL)
            compare_row(model, world, change->table, change->key, change->key_size, value, size);
    }
}

/* Also if the engine did not touch them. */
static void compare_expected(struct model *model, struct world *world, int index)
{
    char id[] = {'u', (char)('0' + index)};
    size_t size;
    const void *value;

    if (index < 0)
        return;
    value = txn_get(world->txn, TABLE_ACCOUNT, id, sizeof id, &size);
    must(value != NULL);
    compare_row(model, world, TABLE_ACCOUNT, id, sizeof id, value, size);
}

void compare_command(struct model *model, struct tally *tally, struct world *world,
                     const struct command *command, const struct expected *expected,
                     const struct result *result, const struct engine_effect *effect)
{
    if (result->outcome != expected->outcome)
        wrong("the outcome is %s, and must be %s", outcome_infos[result->outcome].code,
              outcome_infos[expected->outcome].code);
    must(result->is_replayed == expected->is_replayed);
    model_keep(model, command, result);
    learn(model, tally, world, effect, command->number);
    if (result->outcome == OUTCOME_OK && !result->is_replayed)
        learn_visits(world->txn, model, command);
    if (result->is_replayed)
        compare_replay(model, world, command, result);
    else if (result->outcome != OUTCOME_OK)
        compare_refusal(world, command, effect);
    else
        compare_shown(model, world, command, expected, result);
    compare_changes(model, world);
    if (result->outcome == OUTCOME_OK)
        compare_due_first(world, expected, effect);
    compare_expected(model, world, expected->account);
    compare_expected(model, world, expected->other);
    if (expected->packet >= 0)
        compare_packet(world->txn, model, expected->packet);
    compare_counts(model, tally->rows);
    invariant_step(&tally->sums, world);
    invariant_message_step(&tally->message_sums, world);
    invariant_report_step(&tally->reports, world);
}
