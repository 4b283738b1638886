/* The shadow of campaigns. What becomes of one is read from its row. What must follow is: what is
 * set aside is taken from what is free, by confirming only, and leaves with each recipient's turn;
 * a turn makes one message or none, and comes once (SMS-14); by night it makes none, and comes
 * again by day (SMS-18); and what a campaign says of its messages and their money is what these
 * say. */
#include <string.h>

#include "base/bytes.h"
#include "engine/campaign.h"
#include "engine/campaign_sleep.h"
#include "model_rules.h"
#include "world.h"
#include "wrong.h"

bool model_is_of_campaign(const struct command *command)
{
    return command->type >= COMMAND_CAMPAIGN_CREATE && command->type <= COMMAND_CAMPAIGN_FORGET;
}

uint32_t model_campaign_place(const struct model *model, uint64_t number)
{
    for (uint32_t i = 0; i < model->campaigns; i++) {
        if (model->campaign[i].number == number)
            return i + 1;
    }
    return 0;
}

static struct campaign_row before_of(const struct world *world, const struct change *change)
{
    struct campaign_row row = {.version = 0};

    if (change->was_there)
        must(campaign_row_read(world->changes.values.data + change->value_at, change->value_size,
                               &row));
    return row;
}

/* Only from one status to one that the table names. */
static void check_way(const struct campaign_row *before, const struct campaign_row *after)
{
    static const uint8_t ways[][2] = {
#define CAMPAIGN_TRANSITION(from, to) {CAMPAIGN_##from, CAMPAIGN_##to},
#include "engine/campaign_transition.def"
#undef CAMPAIGN_TRANSITION
    };
    bool is_way = before->status == after->status ||
                  /* at its time it starts, and may end or pause, in one command */
                  (before->status == CAMPAIGN_SCHEDULED && after->status != CAMPAIGN_DRAFT);

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        is_way = is_way || (ways[i][0] == before->status && ways[i][1] == after->status);
    if (!is_way)
        wrong("a campaign went from %s to %s",
              campaign_status_text((enum campaign_status)before->status),
              campaign_status_text((enum campaign_status)after->status));
}

static void learn_held(struct model *model, const struct command *command,
                       const struct campaign_row *before, const struct campaign_row *after,
                       struct expected *expected)
{
    int64_t delta = after->reserved - before->reserved;
    int index = model_find_account(model, after->account);
    struct model_campaign *campaign;

    if (delta == 0)
        return;
    must(index >= 0 && after->reserved >= 0);
    if (delta > 0) {
        must(command->type == COMMAND_CAMPAIGN_CONFIRM && before->reserved == 0);
        must(model_may_pay(&model->accounts[index], delta) == OUTCOME_OK);
    }
    campaign = &model->campaign[model_campaign_place(model, after->number) - 1];
    campaign->account = (int8_t)index;
    campaign->reserved += delta;
    model->accounts[index].held += delta;
    model->accounts[index].updated_ms = command->now_ms;
    must(model->accounts[index].held >= 0);
    expected->account = index;
}

void model_learn_campaigns(struct model *model, struct world *world, const struct command *command,
                           struct expected *expected)
{
    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        struct campaign_row before, after;
        if (change->table != TABLE_CAMPAIGN)
            continue;
        before = before_of(world, change);
        must(campaign_find(world->txn, bytes_get_u64_be(change->key), &after));
        if (change->was_there) {
            check_way(&before, &after);
        } else {
            must(command->type == COMMAND_CAMPAIGN_CREATE && after.number == command->number);
            model->campaign[model->campaigns++] = (struct model_campaign){.number = after.number};
        }
        if (command->type == COMMAND_CAMPAIGN_RECIPIENTS)
            model->campaign_lines += after.recipients - before.recipients;
        learn_held(model, command, &before, &after, expected);
    }
}

void model_campaign_message(struct model *model, struct model_message *message,
                            enum message_status from, bool is_back)
{
    struct model_campaign *campaign = &model->campaign[message->campaign - 1];

    if (from == 0) {
        campaign->submitted++;
        campaign->charged += message->amount;
    } else {
        must(campaign->messages[from]-- > 0);
    }
    campaign->messages[message->status]++;
    if (is_back)
        campaign->refunded += message->amount;
}

/* Is it night where he is? By the clocks that op_catalog.c puts and that nobody changes. */
static bool is_night(uint64_t to, int64_t now_ms)
{
    int64_t zone = to / 10000000 == 658 ? 4 : 8, hour = (now_ms / 3600000 + zone) % 24;

    return hour < 8 || hour >= 21;
}

/* Who sleeps is sent marketing, and only by night; who does not is not woken. */
static void check_sleep(struct model *model, const struct command *command,
                        const struct campaign_row *row, const struct campaign_recipient *before,
                        const struct campaign_recipient *after)
{
    struct model_campaign *campaign =
        &model->campaign[model_campaign_place(model, row->number) - 1];
    bool is_asleep = after->row.turn == CAMPAIGN_ASLEEP;

    must(command->type == COMMAND_CAMPAIGN_DUE && row->status != CAMPAIGN_CANCELED);
    must(!is_asleep || row->kind == MESSAGE_KIND_MARKETING);
    if (row->kind == MESSAGE_KIND_MARKETING && after->row.turn != CAMPAIGN_REFUSED)
        must(is_asleep == is_night(after->to, command->now_ms));
    campaign->asleep += is_asleep;
    campaign->asleep -= before->row.turn == CAMPAIGN_ASLEEP;
}

/* Each turn comes once, and makes the message that it names. */
static uint32_t check_turn(struct model *model, struct world *world, const struct command *command,
                           const struct change *change)
{
    struct campaign_recipient before, after;
    const struct model_message *message;
    struct campaign_row row;
    size_t size;
    const void *value = txn_get(world->txn, change->table, change->key, change->key_size, &size);

    if (value == NULL)
        return 0; /* forgotten */
    must(campaign_recipient_read(change->key, change->key_size, value, size, &after));
    if (!change->was_there) {
        must(after.row.turn == CAMPAIGN_TO_COME && after.row.message == 0);
        return 0;
    }
    must(campaign_recipient_read(change->key, change->key_size,
                                 world->changes.values.data + change->value_at, change->value_size,
                                 &before));
    if (before.row.turn == after.row.turn && before.row.message == after.row.message)
        return 0;
    must(before.row.turn == CAMPAIGN_TO_COME || before.row.turn == CAMPAIGN_ASLEEP);
    must(before.row.amount == after.row.amount);
    must(campaign_find(world->txn, bytes_get_u64_be(change->key), &row));
    check_sleep(model, command, &row, &before, &after);
    if (after.row.turn != CAMPAIGN_SUBMITTED)
        return 0;
    message = model_find_message(model, after.row.message);
    must(message != NULL &&
         message->campaign == model_campaign_place(model, bytes_get_u64_be(change->key)));
    return 1;
}

/* Nobody sleeps longer than his night because nothing wakes him. */
static void check_waking(struct world *world, const struct campaign_row *row, int64_t now_ms)
{
    int64_t until_ms;

    if (row->status != CAMPAIGN_RUNNING || row->asleep == 0 || row->due_ms == 0)
        return;
    until_ms = campaign_sleep_until_ms(world->txn, row);
    must(row->due_ms <= (until_ms > now_ms ? until_ms : now_ms));
}

static void check_counts(struct model *model, struct world *world, uint64_t number, int64_t now_ms)
{
    const struct model_campaign *campaign =
        &model->campaign[model_campaign_place(model, number) - 1];
    struct campaign_row row;

    must(campaign_find(world->txn, number, &row));
    must(row.submitted == campaign->submitted && row.reserved == campaign->reserved);
    must(row.asleep == campaign->asleep);
    must(row.charged == campaign->charged && row.refunded == campaign->refunded);
    for (int i = 0; i < CAMPAIGN_STATUSES; i++)
        must(row.messages[i] == campaign->messages[i]);
    check_waking(world, &row, now_ms);
}

void model_check_campaigns(struct model *model, struct world *world, const struct command *command,
                           uint32_t messages_before)
{
    uint32_t turns = 0, made = 0;

    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        if (change->table == TABLE_CAMPAIGN_RECIPIENT)
            turns += check_turn(model, world, command, change);
    }
    for (size_t i = 0; i < world->changes.count; i++) {
        const struct change *change = &world->changes.items[i];
        if (change->table == TABLE_CAMPAIGN)
            check_counts(model, world, bytes_get_u64_be(change->key), command->now_ms);
    }
    for (uint32_t i = messages_before; i < model->messages; i++)
        made += model->message[i].campaign != 0;
    must(turns == made);
}
