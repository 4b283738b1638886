/* Decides in the order in which it is cheap: what the city is set to, what its group has sent, and
 * then the submit, which is taken back whole if it is refused: its effect, too, so that nobody is
 * told of rows that are not there. */
#include "engine/welcome.h"

#include <assert.h>
#include <string.h>

#include "engine/city_message.h"
#include "engine/handler.h"
#include "engine/message.h"
#include "engine/mobile.h"

enum { PERCENT = 100 };

/* The same users in every city, and each that is in at 10 % is in at 20 %, too. */
static bool is_rolled_out(const struct welcome_asked *asked)
{
    uint64_t hash = asked->mobile * UINT64_C(0xbf58476d1ce4e5b9);

    hash = (hash ^ hash >> 31) * UINT64_C(0x94d049bb133111eb);
    return (hash >> 32) * PERCENT >> 32 < asked->view->row.rollout_percent;
}

/* The visit knows whether its message has failed. */
static bool is_standing(struct txn *txn, uint64_t mobile, const struct group_welcome_row *row)
{
    struct visit_row visit;

    return visit_find(txn, row->city, mobile, &visit) && visit.message == row->message &&
           visit.sent_s != 0;
}

static bool is_grouped(struct engine *engine, const struct welcome_asked *asked)
{
    uint16_t window_days = asked->view->row.window_days;
    struct group_welcome_row row;

    if (asked->view->group.size == 0 ||
        !group_welcome_find(engine->txn, asked->view->group, asked->mobile, &row) ||
        row.city == asked->city)
        return false;
    if (row.window_days < window_days)
        window_days = row.window_days;
    return asked->at_s - (int64_t)row.sent_s < (int64_t)window_days * (DAY_MS / 1000) &&
           is_standing(engine->txn, asked->mobile, &row);
}

/* --- the message ---------------------------------------------------------------------------------
 */

/* Because of who it is for. */
static bool is_recipients_fault(enum outcome outcome)
{
    return outcome == OUTCOME_BLOCKED_NUMBER || outcome == OUTCOME_INVALID_NUMBER ||
           outcome == OUTCOME_COUNTRY_NOT_ALLOWED;
}

static enum outcome submit(struct engine *engine, const struct message_made *made)
{
    struct engine_effect before = *engine->effect;
    size_t savepoint = txn_savepoint(engine->txn);
    struct message_submit_result result;
    enum outcome outcome = message_submit(engine, made, &result);

    if (outcome == OUTCOME_OK && result.kind == MESSAGE_KIND_VERIFICATION)
        outcome = OUTCOME_INVALID; /* the template was not of that kind when the city was put */
    if (outcome != OUTCOME_OK) {
        txn_rollback(engine->txn, savepoint);
        before.number_last = engine->effect->number_last;
        *engine->effect = before;
    }
    return outcome;
}

static void make(struct engine *engine, const struct welcome_asked *asked, struct welcome *welcome)
{
    struct message_submit_command command = {.tries_max = asked->tries_max};
    struct message_made made = {
        .submit = &command, .origin = MESSAGE_FROM_WELCOME, .origin_number = asked->city};
    struct city_message message;
    char to[MOBILE_TEXT_MAX];

    if (!city_message_find(engine->txn, asked->city, &message))
        assert(!"a city that has a message, and no row of it");
    city_message_complete(engine->txn, &message, asked->view->name);
    command.to = (struct text){to, mobile_put(to, asked->mobile)};
    command.company = message.company;
    command.template = message.template;
    command.params = message.params;
    command.param_count = message.param_count;
    made.number = engine_next_number(engine);
    welcome->outcome = submit(engine, &made);
    if (welcome->outcome == OUTCOME_OK) {
        welcome->decision = DECISION_MESSAGE;
        welcome->message = made.number;
    } else {
        welcome->decision =
            is_recipients_fault(welcome->outcome) ? DECISION_EXCLUDED : DECISION_REFUSED;
    }
}

struct welcome welcome_decide(struct engine *engine, const struct welcome_asked *asked)
{
    const struct city_view *view = asked->view;
    struct welcome welcome = {.decision = DECISION_NO_MESSAGE};

    if (!view->row.is_enabled)
        welcome.decision = DECISION_DISABLED;
    else if (!asked->is_labelled)
        welcome.decision = DECISION_NOT_LABELLED;
    else if (!is_rolled_out(asked))
        welcome.decision = DECISION_NOT_ROLLED_OUT;
    else if (view->row.has_message && is_grouped(engine, asked))
        welcome.decision = DECISION_GROUPED;
    else if (view->row.has_message)
        make(engine, asked, &welcome);
    if (welcome.message != 0 && view->group.size > 0)
        group_welcome_store(
            engine, view->group, asked->mobile,
            &(struct group_welcome_row){.window_days = view->row.window_days,
                                        .city = asked->city,
                                        .sent_s = (uint32_t)(engine->command->now_ms / 1000),
                                        .message = welcome.message});
    return welcome;
}

/* --- what becomes of it --------------------------------------------------------------------------
 */

static void forget(struct engine *engine, uint32_t city, uint64_t mobile)
{
    struct engine_effect *effect = engine->effect;

    assert(!effect->is_visit_forgotten);
    effect->is_visit_forgotten = true;
    effect->forgotten = (struct visit_forgotten){mobile, city};
}

/* What was decided stays, and with it the half hour. A later decision's mark is not this message's.
 */
static void take_mark(struct engine *engine, uint32_t city, uint64_t mobile, uint64_t message)
{
    struct visit_row row;

    if (!visit_find(engine->txn, city, mobile, &row) || row.message != message || row.sent_s == 0)
        return;
    row.sent_s = 0;
    if (row.decision == DECISION_MESSAGE)
        row.last_day = 0;
    visit_store(engine, city, mobile, &row);
    forget(engine, city, mobile);
}

void welcome_follow(struct engine *engine, const struct message_row *row, enum message_status from)
{
    enum message_status status = (enum message_status)row->status;
    struct message_text_row text;

    if (!message_status_is_final(status) && !message_status_is_final(from))
        return;
    message_text_row_find(engine->txn, row->number, &text);
    trace_finish(engine, text.to, row->number, message_status_is_final(status) ? status : 0);
    if (message_status_is_back(status))
        take_mark(engine, (uint32_t)text.origin, text.to, row->number);
}
