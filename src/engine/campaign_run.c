/* A campaign under way: turns of recipients, taking back, what its messages' steps mean for it, and
 * forgetting. All in slices that the due index asks for.
 *
 * What is hard: a message's steps come in other commands, in the middle of them, and a step of one
 * that this file itself ends changes the campaign's row as well. So a copy of the row is never held
 * across message_end. */
#include <assert.h>

#include "base/bytes.h"
#include "engine/campaign.h"
#include "engine/campaign_sleep.h"
#include "engine/due.h"
#include "engine/handler.h"
#include "engine/message.h"
#include "engine/mobile.h"

enum {
    CANCELS_MAX = 32,   /* messages taken back in one command */
    FORGETS_MAX = 256,  /* rows deleted in one command */
    PACE_FAST_MS = 500, /* half of the window has left sooner: it may be larger */
    PACE_SLOW_MS = 2000,
};

static bool is_waiting(enum message_status status)
{
    return status == MESSAGE_SCHEDULED || status == MESSAGE_QUEUED;
}

static void waiting_put(struct engine *engine, struct campaign_row *row, uint64_t message)
{
    char key[CAMPAIGN_KEY_SIZE];

    campaign_key(key, row->number, message);
    txn_put(engine->txn, TABLE_CAMPAIGN_WAITING, key, sizeof key, "", 0);
    row->waiting++;
}

/* A row with a byte in it is of one that is held back. */
static bool is_held_back(struct txn *txn, const char key[CAMPAIGN_KEY_SIZE])
{
    size_t size;
    const void *value = txn_get(txn, TABLE_CAMPAIGN_WAITING, key, CAMPAIGN_KEY_SIZE, &size);

    assert(value != NULL);
    return size > 0;
}

static void waiting_delete(struct engine *engine, struct campaign_row *row, uint64_t message)
{
    char key[CAMPAIGN_KEY_SIZE];
    bool was_there;

    campaign_key(key, row->number, message);
    if (row->held_back > 0 && is_held_back(engine->txn, key))
        row->held_back--;
    was_there = txn_delete(engine->txn, TABLE_CAMPAIGN_WAITING, key, sizeof key);
    assert(was_there && row->waiting > 0);
    row->waiting--;
}

/* --- turns ---------------------------------------------------------------------------------------
 */

/* A recipient and his copies: the walk's are good only until a row changes. */
struct turn {
    struct campaign_recipient recipient;
    uint64_t place; /* at which he was asleep; 0: he was not */
    char bytes[REFERENCE_MAX + CAMPAIGN_PARAMS_BYTES];
};

static void keep(struct turn *turn)
{
    struct campaign_recipient *recipient = &turn->recipient;
    struct text *texts[] = {&recipient->client_reference, &recipient->params};
    char *to = turn->bytes;

    for (int i = 0; i < 2; i++) {
        if (texts[i]->size > 0)
            memcpy(to, texts[i]->data, texts[i]->size);
        texts[i]->data = to;
        to += texts[i]->size;
    }
}

/* Is it about this recipient alone? Whatever else is wrong is wrong with all that follow. */
static bool is_his_own(enum outcome outcome)
{
    return outcome == OUTCOME_BLOCKED_NUMBER || outcome == OUTCOME_COUNTRY_NOT_ALLOWED ||
           outcome == OUTCOME_INVALID_NUMBER || outcome == OUTCOME_QUIET_HOURS;
}

/* The next one's turn is next. */
static void leave(struct engine *engine, struct campaign_row *row, const struct turn *turn)
{
    if (turn->place != 0)
        campaign_sleep_end(engine, row, turn->place);
    else
        row->to_last = turn->recipient.to;
}

static void end_turn(struct engine *engine, struct campaign_row *row, struct turn *turn)
{
    turn->recipient.client_reference.size = turn->recipient.params.size = 0;
    campaign_recipient_store(engine, row->number, &turn->recipient);
    leave(engine, row, turn);
}

static void refuse(struct engine *engine, struct campaign_row *row, struct turn *turn,
                   enum outcome outcome, struct text to)
{
    int64_t amount = turn->recipient.row.amount;

    campaign_release(engine, row, amount);
    row->released += amount;
    row->refused++;
    row->errors++;
    campaign_effect(engine, row)->campaign_refused++;
    engine->effect->campaign_waiting--;
    campaign_error_store(engine, row,
                         &(struct campaign_error){
                             .row = {.outcome = (uint16_t)outcome}, .to = to, .field = TEXT("to")});
    turn->recipient.row.turn = CAMPAIGN_REFUSED;
    turn->recipient.row.outcome = (uint16_t)outcome;
    turn->recipient.row.message = 0;
    end_turn(engine, row, turn);
}

static void note_message(struct engine *engine, struct campaign_row *row, struct turn *turn,
                         uint64_t message, const struct message_submit_result *made)
{
    row->used += turn->recipient.row.amount;
    row->charged += made->price * made->parts;
    row->submitted++;
    campaign_effect(engine, row)->campaign_submitted++;
    engine->effect->campaign_waiting--;
    row->messages[made->status]++;
    assert(is_waiting((enum message_status)made->status));
    waiting_put(engine, row, message);
    turn->recipient.row.turn = CAMPAIGN_SUBMITTED;
    turn->recipient.row.message = message;
    end_turn(engine, row, turn);
}

/* What was set aside for him leaves, and the message pays: together or not at all. Or he sleeps. */
static enum outcome take_turn(struct engine *engine, struct campaign_row *row,
                              const struct campaign_text *text, struct turn *turn)
{
    struct template_param own[TEMPLATE_NAMES_MAX], params[TEMPLATE_NAMES_MAX];
    struct message_submit_result made;
    struct campaign_row before = *row;
    struct message_submit_command submit;
    size_t savepoint = txn_savepoint(engine->txn), count;
    uint64_t message = engine_next_number(engine);
    char to[MOBILE_TEXT_MAX];
    struct text to_text = {to, mobile_put(to, turn->recipient.to)};
    enum outcome outcome;

    if (!campaign_params_join(own, campaign_params_read(turn->recipient.params, own), text->params,
                              params, &count))
        assert(!"a recipient with more parameters than were taken");
    submit = campaign_submit(row, text, to_text, turn->recipient.client_reference, params, count);
    campaign_release(engine, row, turn->recipient.row.amount);
    outcome = message_submit(engine,
                             &(struct message_made){.submit = &submit,
                                                    .number = message,
                                                    .origin = MESSAGE_FROM_CAMPAIGN,
                                                    .origin_number = row->number,
                                                    .is_by_day = true},
                             &made);
    if (outcome == OUTCOME_OK) {
        note_message(engine, row, turn, message, &made);
        return OUTCOME_OK;
    }
    txn_rollback(engine->txn, savepoint);
    *row = before;
    if (outcome == OUTCOME_QUIET_HOURS && made.send_at_ms != 0) {
        campaign_sleep_begin(engine, row, &turn->recipient, made.send_at_ms);
        leave(engine, row, turn);
        return OUTCOME_OK;
    }
    if (!is_his_own(outcome))
        return outcome;
    refuse(engine, row, turn, outcome, to_text);
    return OUTCOME_OK;
}

/* Who slept and is awake now. Fewer than `*turns` of them: there are no more. */
static enum outcome take_woken(struct engine *engine, struct campaign_row *row,
                               const struct campaign_text *text, int *turns)
{
    enum outcome outcome = OUTCOME_OK;
    struct turn turn;

    while (*turns > 0 && outcome == OUTCOME_OK && campaign_ahead(row) < row->window &&
           campaign_sleep_first(engine->txn, row, engine->command->now_ms, &turn.place,
                                &turn.recipient)) {
        keep(&turn);
        outcome = take_turn(engine, row, text, &turn);
        (*turns)--;
    }
    return outcome;
}

/* Who has never been asked. */
static enum outcome take_next(struct engine *engine, struct campaign_row *row,
                              const struct campaign_text *text, int *turns)
{
    enum outcome outcome = OUTCOME_OK;
    struct turn turn = {.place = 0};
    char from[CAMPAIGN_KEY_SIZE];
    struct txn_walk *walk;

    campaign_key(from, row->number, row->to_last + 1);
    walk = txn_walk(engine->txn, TABLE_CAMPAIGN_RECIPIENT, WALK_UP, from, sizeof from);
    for (; *turns > 0 && outcome == OUTCOME_OK && campaign_ahead(row) < row->window &&
           campaign_left(row) > row->asleep;
         (*turns)--) {
        bool is_there = txn_walk_next(walk) && memcmp(walk->key, from, 8) == 0 &&
                        campaign_recipient_read(walk->key, walk->key_size, walk->value,
                                                walk->value_size, &turn.recipient);
        assert(is_there && turn.recipient.row.turn == CAMPAIGN_TO_COME);
        keep(&turn);
        outcome = take_turn(engine, row, text, &turn);
    }
    txn_walk_end(walk);
    return outcome;
}

/* Messages are of the kind that their template has now, and so is the campaign: but no campaign
 * goes ahead of everything else as a code does. */
static enum outcome follow_template(struct engine *engine, struct campaign_row *row,
                                    struct text name)
{
    struct catalog_thing template;
    int64_t kind;

    if (name.size == 0 || !catalog_find(engine->txn, CATALOG_TEMPLATE, name, &template))
        return OUTCOME_OK; /* the plan of a message says what is wrong */
    kind = catalog_int(&template, TEMPLATE_KIND);
    if (kind == MESSAGE_KIND_VERIFICATION)
        return OUTCOME_NOT_FOR_CAMPAIGNS;
    row->kind = (uint8_t)kind;
    return OUTCOME_OK;
}

/* OUTCOME_OK, or why it cannot go on. */
static enum outcome take_turns(struct engine *engine, struct campaign_row *row)
{
    int turns = CAMPAIGN_TURNS_MAX;
    struct campaign_text text;
    enum outcome outcome;

    campaign_text_find(engine->txn, row->number, &text);
    outcome = follow_template(engine, row, text.template);
    if (outcome == OUTCOME_OK)
        outcome = take_woken(engine, row, &text, &turns);
    if (outcome == OUTCOME_OK)
        outcome = take_next(engine, row, &text, &turns);
    return outcome;
}

/* When the next one has his turn: now, or when the first of those asleep wakes. */
static int64_t next_turn_ms(struct engine *engine, const struct campaign_row *row)
{
    int64_t now_ms = engine->command->now_ms, wakes_ms;

    if (campaign_left(row) > row->asleep)
        return now_ms;
    wakes_ms = campaign_sleep_until_ms(engine->txn, row);
    return wakes_ms > now_ms ? wakes_ms : now_ms;
}

/* Nothing is left to do for it. */
static bool is_done(const struct campaign_row *row)
{
    return row->status == CAMPAIGN_RUNNING && campaign_left(row) == 0 && row->waiting == 0 &&
           row->messages[MESSAGE_SENDING] == 0;
}

static void run(struct engine *engine, struct campaign_row *row)
{
    enum outcome outcome = take_turns(engine, row);

    campaign_set_due(engine, row, 0);
    if (outcome != OUTCOME_OK) {
        campaign_move(engine, row, CAMPAIGN_PAUSED, outcome);
    } else if (is_done(row)) {
        campaign_move(engine, row, CAMPAIGN_FINISHED, OUTCOME_OK);
    } else if (campaign_left(row) > 0) {
        if (campaign_ahead(row) < row->window)
            campaign_set_due(engine, row, next_turn_ms(engine, row));
        else
            row->full_ms = engine->command->now_ms;
    }
    campaign_store(engine, row);
}

/* --- taking back ---------------------------------------------------------------------------------
 */

static void take_back(struct engine *engine, uint64_t campaign)
{
    char from[CAMPAIGN_KEY_SIZE];
    struct campaign_row row;
    struct message_row message;
    struct txn_walk *walk;

    campaign_key(from, campaign, 0);
    walk = txn_walk(engine->txn, TABLE_CAMPAIGN_WAITING, WALK_UP, from, sizeof from);
    txn_walk_within(walk, 8);
    for (int i = 0; i < CANCELS_MAX && txn_walk_next(walk); i++) {
        if (!message_find(engine->txn, bytes_get_u64_be((const char *)walk->key + 8), &message))
            assert(!"a message that waits is not there");
        message_end(engine, &message, MESSAGE_CANCELED, MESSAGE_ERROR_NONE, (struct text){NULL, 0});
    }
    txn_walk_end(walk);
    campaign_find(engine->txn, campaign, &row);
    campaign_set_due(engine, &row, row.waiting > 0 ? engine->command->now_ms : 0);
    if (row.waiting == 0 && row.status == CAMPAIGN_CANCELING)
        campaign_move(engine, &row, CAMPAIGN_CANCELED, OUTCOME_OK);
    campaign_store(engine, &row);
}

/* A draft that nobody has confirmed: no money was set aside for it. */
static void expire(struct engine *engine, struct campaign_row *row)
{
    campaign_set_due(engine, row, 0);
    campaign_move(engine, row, CAMPAIGN_CANCELED, OUTCOME_CAMPAIGN_EXPIRED);
    campaign_store(engine, row);
}

enum outcome engine_campaign_due(struct engine *engine, const struct due_command *command,
                                 struct result *answer)
{
    struct campaign_row row;
    bool is_there = campaign_find(engine->txn, command->number, &row);

    (void)answer;
    assert(is_there && row.due_ms == command->due_ms);
    switch ((enum campaign_status)row.status) {
    case CAMPAIGN_DRAFT:
        expire(engine, &row);
        break;
    case CAMPAIGN_SCHEDULED:
        campaign_move(engine, &row, CAMPAIGN_RUNNING, OUTCOME_OK);
        run(engine, &row);
        break;
    case CAMPAIGN_RUNNING:
        run(engine, &row);
        break;
    case CAMPAIGN_CANCELING:
    case CAMPAIGN_CANCELED:
        take_back(engine, row.number);
        break;
    default:
        assert(!"a campaign that waits for nothing is due");
    }
    return OUTCOME_OK;
}

/* --- its messages' steps -------------------------------------------------------------------------
 */

/* Half of what waited has left: at which pace says how much may wait from now on. */
static void fill_again(struct engine *engine, struct campaign_row *row)
{
    int64_t took_ms = engine->command->now_ms - row->full_ms;

    if (took_ms < PACE_FAST_MS && row->window < CAMPAIGN_WINDOW_MAX)
        row->window *= 2;
    else if (took_ms > PACE_SLOW_MS && row->window > CAMPAIGN_WINDOW_MIN)
        row->window /= 2;
    campaign_set_due(engine, row, engine->command->now_ms);
}

static void go_on(struct engine *engine, struct campaign_row *row)
{
    bool is_ending = row->status == CAMPAIGN_CANCELING || row->status == CAMPAIGN_CANCELED;

    if (row->due_ms != 0)
        return;
    if (row->status == CAMPAIGN_RUNNING && campaign_left(row) > 0 &&
        campaign_ahead(row) <= row->window / 2)
        fill_again(engine, row);
    else if (is_done(row))
        campaign_move(engine, row, CAMPAIGN_FINISHED, OUTCOME_OK);
    else if (is_ending && row->waiting > 0) /* back from a gateway */
        campaign_set_due(engine, row, engine->command->now_ms);
}

void campaign_follow(struct engine *engine, const struct message_row *message,
                     enum message_status from)
{
    enum message_status to = (enum message_status)message->status;
    struct message_text_row text;
    struct campaign_row row;

    message_text_row_find(engine->txn, message->number, &text);
    if (!campaign_find(engine->txn, text.origin, &row))
        assert(!"a message without the campaign that has made it");
    assert(row.messages[from] > 0);
    row.messages[from]--;
    row.messages[to]++;
    if (is_waiting(from) && !is_waiting(to))
        waiting_delete(engine, &row, message->number);
    else if (!is_waiting(from) && is_waiting(to))
        waiting_put(engine, &row, message->number);
    if (message_status_is_back(to))
        row.refunded += message->charged;
    go_on(engine, &row);
    campaign_store(engine, &row);
}

void campaign_hold_back(struct engine *engine, uint64_t campaign, uint64_t message)
{
    struct campaign_row row;
    char key[CAMPAIGN_KEY_SIZE];

    if (!campaign_find(engine->txn, campaign, &row))
        assert(!"a message without the campaign that has made it");
    campaign_key(key, campaign, message);
    if (is_held_back(engine->txn, key))
        return;
    txn_put(engine->txn, TABLE_CAMPAIGN_WAITING, key, sizeof key, "", 1);
    row.held_back++;
    go_on(engine, &row);
    campaign_store(engine, &row);
}

/* --- forgetting ----------------------------------------------------------------------------------
 */

/* Deletes the campaign's first rows behind `*after`, which moves on. Returns how many. */
static int delete_some(struct engine *engine, enum table table, uint64_t campaign, uint64_t *after,
                       int count_max)
{
    char from[CAMPAIGN_KEY_SIZE], key[CAMPAIGN_KEY_SIZE];
    struct txn_walk *walk;
    int count = 0;

    campaign_key(from, campaign, *after + 1);
    walk = txn_walk(engine->txn, table, WALK_UP, from, sizeof from);
    txn_walk_within(walk, 8);
    while (count < count_max && txn_walk_next(walk)) {
        memcpy(key, walk->key, sizeof key);
        txn_delete(engine->txn, table, key, sizeof key);
        *after = bytes_get_u64_be(key + 8);
        count++;
    }
    txn_walk_end(walk);
    return count;
}

/* Recipients may be millions, asleep, too: each slice begins where the last one ended, and does not
 * pass over what that one deleted. Errors are few (CAMPAIGN_ERRORS_MAX). */
static int forget_some(struct engine *engine, struct campaign_row *row)
{
    uint64_t error = 0;
    int count;

    if (!(row->flags & CAMPAIGN_IS_FORGOTTEN))
        row->to_last = 0;
    row->flags |= CAMPAIGN_IS_FORGOTTEN;
    count = delete_some(engine, TABLE_CAMPAIGN_RECIPIENT, row->number, &row->to_last, FORGETS_MAX);
    count +=
        delete_some(engine, TABLE_CAMPAIGN_ASLEEP, row->number, &row->woken, FORGETS_MAX - count);
    return count +
           delete_some(engine, TABLE_CAMPAIGN_ERROR, row->number, &error, FORGETS_MAX - count);
}

enum outcome engine_campaign_forget(struct engine *engine, const struct due_command *command,
                                    struct result *answer)
{
    struct campaign_row row;
    bool is_there = campaign_find(engine->txn, command->number, &row);
    int count;

    (void)answer;
    assert(is_there && row.forget_ms == command->due_ms);
    count = forget_some(engine, &row);
    due_delete(engine, row.forget_ms, DUE_CAMPAIGN_FORGET, row.number);
    row.forget_ms = 0;
    if (count == FORGETS_MAX) {
        row.forget_ms = engine->command->now_ms;
        due_put(engine, row.forget_ms, DUE_CAMPAIGN_FORGET, row.number);
    }
    campaign_store(engine, &row);
    return OUTCOME_OK;
}
