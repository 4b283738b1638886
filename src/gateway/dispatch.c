/* The dispatcher of one outlet: which message goes next, and whether any may (SMS-15, SMS-16).
 *
 * Between lanes: a code goes before everything, a notice before marketing; but who was passed over
 * often enough goes next, so that no lane stands still for ever. A part of the rate's burst and of
 * the window is out of reach for the others, so that a code finds room at once although a campaign
 * takes all it can get.
 *
 * A message is taken by COMMAND_MESSAGE_SENDING, held until that is durable, and handed over. What
 * is between is bounded by the window.
 *
 * For a provider that takes batches messages are gathered before they are taken (CITY-11): they
 * stay in the outbox, where a kill does them no harm and a client may cancel them, until there are
 * as many as a request takes or the first has waited its time. Codes are not gathered (SMS-4). */
#include <assert.h>

#include "gateway/outlet.h"
#include "pipeline/pipeline.h"

enum {
    TAKEN_PER_TURN = 256,
    BUSY_MS = 100, /* until something that was not admitted is tried again */
    WINDOW_SHARED = 4,
    MESSAGES_MAX = 100000, /* in the window, where it allows more than one a request */
};

/* What it weighs to a lane that waits when another goes before it; at PATIENCE it goes next. So
 * while all wait there are at least sixteen codes to one other, and three notices to one of
 * marketing. */
static const uint32_t weights[LANES] = {3, 16, 0};
enum { PATIENCE = 48 };

void outlet_put(struct outlet *outlet, unsigned lane, int64_t due_ms)
{
    if (due_ms < outlet->due_ms[lane])
        outlet->due_ms[lane] = due_ms;
    if (due_ms <= outlet->from[lane].due_ms)
        outlet->from[lane] = (struct outbox_item){.due_ms = due_ms};
}

/* --- may one go? ---------------------------------------------------------------------------------
 */

static uint32_t batch_of(const struct outlet *outlet, const struct gateway *gateway)
{
    return outlet->batch_max < gateway->batch_max ? outlet->batch_max : gateway->batch_max;
}

/* In messages: the window is one of requests, else a batch would never be full. */
static uint32_t window_of(const struct outlet *outlet)
{
    uint32_t requests = outlet->gateway->settings.window;
    uint64_t messages = (uint64_t)requests * batch_of(outlet, outlet->gateway);

    if (messages > MESSAGES_MAX)
        return requests > MESSAGES_MAX ? requests : MESSAGES_MAX;
    return (uint32_t)messages;
}

static bool window_allows(const struct outlet *outlet, unsigned lane)
{
    uint32_t window = window_of(outlet);
    uint32_t others = outlet->in_flight - outlet->lane_in_flight[0];

    if (outlet->in_flight >= window)
        return false;
    if (lane == 0 || window < WINDOW_SHARED)
        return true;
    if (others >= window - window / WINDOW_SHARED)
        return false;
    return lane == 1 || outlet->lane_in_flight[2] < window / 2;
}

static bool is_impatient(const struct outlet *outlet, unsigned lane)
{
    return outlet->passed[lane] >= PATIENCE; /* nobody goes before the first lane */
}

/* May it use what of the rate is kept for codes? Codes, and who has waited for them long enough. */
static bool is_urgent(const struct outlet *outlet, unsigned lane, int64_t now_ms)
{
    return lane == 0 || (is_impatient(outlet, lane) && outlet->due_ms[0] <= now_ms);
}

static bool gathers(const struct outlet *outlet, unsigned lane)
{
    return lane > 0 && outlet->batch_wait_ms > 0 && batch_of(outlet, outlet->gateway) > 1;
}

/* When its head may be taken, as far as is known; INT64_MAX: it is empty. */
static int64_t due_of(const struct outlet *outlet, unsigned lane)
{
    int64_t due_ms = outlet->due_ms[lane];

    if (due_ms == INT64_MAX || !gathers(outlet, lane) || outlet->gatherings[lane].released > 0)
        return due_ms;
    return due_ms + outlet->batch_wait_ms;
}

static bool lane_may(struct outlet *outlet, unsigned lane, int64_t now_ms)
{
    return due_of(outlet, lane) <= now_ms && window_allows(outlet, lane) &&
           rate_allows(&outlet->rate, is_urgent(outlet, lane, now_ms), now_ms);
}

/* The lane to take from, or LANES: none. */
static unsigned choose_lane(struct outlet *outlet, int64_t now_ms)
{
    unsigned chosen = LANES;

    for (unsigned lane = 0; lane < LANES; lane++) {
        if (lane_may(outlet, lane, now_ms) && (chosen == LANES || is_impatient(outlet, lane)))
            chosen = lane;
    }
    return chosen;
}

static void note_passed(struct outlet *outlet, unsigned taken, int64_t now_ms)
{
    outlet->passed[taken] = 0;
    for (unsigned lane = taken + 1; lane < LANES; lane++) {
        if (due_of(outlet, lane) <= now_ms)
            outlet->passed[lane] += weights[taken];
    }
}

/* --- taking --------------------------------------------------------------------------------------
 */

static bool find_head(struct outlet *outlet, unsigned lane, struct outbox_item *item)
{
    struct pipeline *pipeline = outlet->gateways->pipeline;
    struct txn *txn = pipeline_read_begin(pipeline);
    bool is_there = outbox_first(txn, outlet->product, (enum message_kind)(lane + 1),
                                 &outlet->from[lane], item);

    pipeline_read_end(pipeline, txn);
    outlet->due_ms[lane] = is_there ? item->due_ms : INT64_MAX;
    if (is_there)
        outlet->from[lane] = *item;
    return is_there;
}

/* Behind the last that was counted: each is once, however often this is asked. */
static void count_waiting(struct outlet *outlet, unsigned lane, int64_t now_ms)
{
    struct pipeline *pipeline = outlet->gateways->pipeline;
    struct gathering *gathering = &outlet->gatherings[lane];
    struct txn *txn = pipeline_read_begin(pipeline);
    uint32_t max = batch_of(outlet, outlet->gateway);

    while (gathering->counted < max) {
        struct outbox_item from = {gathering->last.due_ms, gathering->last.message + 1}, item;
        if (!outbox_first(txn, outlet->product, (enum message_kind)(lane + 1), &from, &item) ||
            item.due_ms > now_ms)
            break;
        gathering->last = item;
        gathering->counted++;
    }
    pipeline_read_end(pipeline, txn);
}

/* Releases a batch if it is full, or if the first has waited its time: then with all there are. */
static void gather(struct outlet *outlet, unsigned lane, int64_t now_ms)
{
    struct gathering *gathering = &outlet->gatherings[lane];
    struct outbox_item head;

    if (!gathers(outlet, lane) || gathering->released > 0 || outlet->due_ms[lane] > now_ms)
        return;
    if (!find_head(outlet, lane, &head) || head.due_ms > now_ms) {
        gathering->counted = 0;
        return;
    }
    if (gathering->counted == 0)
        *gathering = (struct gathering){.last = head, .counted = 1};
    count_waiting(outlet, lane, now_ms);
    if (gathering->counted >= batch_of(outlet, outlet->gateway) ||
        head.due_ms + outlet->batch_wait_ms <= now_ms)
        gathering->released = gathering->counted;
}

static void leave_gathering(struct outlet *outlet, unsigned lane)
{
    struct gathering *gathering = &outlet->gatherings[lane];

    gathering->counted -= gathering->counted > 0;
    gathering->released -= gathering->released > 0;
}

static void hold(struct outlet *outlet, unsigned lane, uint64_t message,
                 const struct message_row *row, uint64_t hold)
{
    struct submit *submit = submit_new(outlet, message, row->attempts);

    submit->lane = (uint8_t)lane;
    submit->hold = hold;
    submit->taken_ms = pipeline_now_ms(outlet->gateways->pipeline);
    submit->circuit_epoch = circuit_begin(&outlet->circuit);
    outlet->in_flight++;
    outlet->lane_in_flight[lane]++;
    outlet->gateways->in_flight++;
    submit_push(&outlet->holding, submit);
    rate_take(&outlet->rate);
    note_passed(outlet, lane, submit->taken_ms);
}

/* False: nothing can be written now. */
static bool take_head(struct outlet *outlet, unsigned lane, const struct outbox_item *item)
{
    struct command command = {.type = COMMAND_MESSAGE_SENDING,
                              .of.message_sending = {item->message, outlet->product}};
    struct result result;
    uint64_t held;

    held = pipeline_run(outlet->gateways->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OVERLOADED || result.outcome == OUTCOME_STORAGE_FULL)
        return false;
    outlet->from[lane].message++; /* whatever became of it, it is not there any more */
    leave_gathering(outlet, lane);
    if (result.outcome == OUTCOME_OK && result.of.message_change.is_given)
        hold(outlet, lane, item->message, &result.of.message_change.row, held);
    return true;
}

/* A code that finds the circuit open is turned back at once, as refused for now: after its attempts
 * it goes by another route, while there is still a use for it. Others wait for the provider. False:
 * nothing can be written now. */
static bool turn_back(struct outlet *outlet, const struct outbox_item *item)
{
    struct command command = {.type = COMMAND_MESSAGE_SENDING,
                              .of.message_sending = {item->message, outlet->product}};
    struct result result;

    pipeline_run(outlet->gateways->pipeline, &command, &result);
    if (result.outcome == OUTCOME_OVERLOADED || result.outcome == OUTCOME_STORAGE_FULL)
        return false;
    outlet->from[0].message++;
    if (result.outcome == OUTCOME_OK && result.of.message_change.is_given)
        submit_turn_back(submit_new(outlet, item->message, result.of.message_change.row.attempts));
    return true;
}

/* How long until a lane that is due now may go; INT64_MAX if it waits for an answer. */
static int64_t wait_of_lane(const struct outlet *outlet, unsigned lane, int64_t now_ms)
{
    if (due_of(outlet, lane) > now_ms)
        return due_of(outlet, lane);
    if (!window_allows(outlet, lane))
        return INT64_MAX;
    return now_ms + rate_wait_ms(&outlet->rate, is_urgent(outlet, lane, now_ms));
}

static int64_t next_take_ms(struct outlet *outlet, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX, opens_ms = circuit_next_ms(&outlet->circuit);

    for (unsigned lane = 0; lane < LANES; lane++) {
        int64_t at_ms = wait_of_lane(outlet, lane, now_ms);
        if (at_ms < next_ms)
            next_ms = at_ms;
    }
    if (next_ms == INT64_MAX)
        return next_ms;
    if (next_ms < outlet->paused_ms)
        next_ms = outlet->paused_ms;
    if (outlet->circuit.state == CIRCUIT_HALF_OPEN && outlet->circuit.is_probing)
        return INT64_MAX; /* the probe's answer says how it goes on */
    if (opens_ms != INT64_MAX && outlet->due_ms[0] < opens_ms)
        return outlet->due_ms[0] > now_ms ? outlet->due_ms[0] : now_ms;
    return opens_ms != INT64_MAX && next_ms < opens_ms ? opens_ms : next_ms;
}

/* Takes what may go. Returns when there may be more. */
static int64_t take(struct outlet *outlet, int64_t now_ms)
{
    if (outlet->gateway == NULL || !outlet->is_enabled)
        return INT64_MAX;
    for (int left = TAKEN_PER_TURN; left > 0; left--) {
        struct outbox_item item;
        unsigned lane;
        for (lane = 1; lane < LANES; lane++)
            gather(outlet, lane, now_ms);
        if (now_ms < circuit_next_ms(&outlet->circuit) && outlet->circuit.state == CIRCUIT_OPEN &&
            outlet->due_ms[0] <= now_ms) {
            if (find_head(outlet, 0, &item) && item.due_ms <= now_ms && !turn_back(outlet, &item))
                return now_ms + BUSY_MS;
            continue;
        }
        if (now_ms < outlet->paused_ms || !circuit_allows(&outlet->circuit, now_ms) ||
            (lane = choose_lane(outlet, now_ms)) == LANES)
            return next_take_ms(outlet, now_ms);
        if (find_head(outlet, lane, &item) && due_of(outlet, lane) <= now_ms) {
            if (!take_head(outlet, lane, &item))
                return now_ms + BUSY_MS;
        } else if (outlet->gatherings[lane].released > 0) {
            outlet->gatherings[lane] = (struct gathering){0}; /* some were canceled */
        }
    }
    return now_ms;
}

/* --- handing over --------------------------------------------------------------------------------
 */

/* Each in `ready`, and how many codes are among them. */
static void make_ready(struct outlet *outlet, struct submit *submit)
{
    submit_push(&outlet->ready, submit);
    outlet->codes_ready += submit->lane == 0;
}

static struct submit *take_ready(struct outlet *outlet)
{
    struct submit *submit = submit_pop(&outlet->ready);

    outlet->codes_ready -= submit->lane == 0;
    return submit;
}

static void hand_batch(struct outlet *outlet)
{
    struct submit *batch[SUBMITS_PER_REQUEST_MAX];
    struct gateway *gateway = outlet->ready.first->gateway;
    uint32_t max = batch_of(outlet, gateway);
    size_t count = 0;

    while (count < max && outlet->ready.first != NULL && outlet->ready.first->gateway == gateway)
        batch[count++] = take_ready(outlet);
    outlet->gateways->requests += (uint32_t)count;
    gateway->ops->send(gateway, batch, count);
}

/* What was taken waits for what else was released for the same batch, unless a code is with it. */
static bool is_whole(const struct outlet *outlet, int64_t now_ms)
{
    const struct submit *first = outlet->ready.first;
    uint32_t max = batch_of(outlet, first->gateway), coming = outlet->holding.count;

    for (unsigned lane = 1; lane < LANES; lane++)
        coming += outlet->gatherings[lane].released;
    return max == 1 || outlet->ready.count >= max || coming == 0 || outlet->codes_ready > 0 ||
           first->taken_ms + outlet->batch_wait_ms <= now_ms || outlet->gateways->is_stopping;
}

static int64_t hand_over(struct outlet *outlet, int64_t now_ms)
{
    uint64_t durable = pipeline_durable(outlet->gateways->pipeline);

    while (outlet->holding.first != NULL && outlet->holding.first->hold <= durable)
        make_ready(outlet, submit_pop(&outlet->holding));
    while (outlet->ready.first != NULL) {
        if (!is_whole(outlet, now_ms))
            return outlet->ready.first->taken_ms + outlet->batch_wait_ms;
        hand_batch(outlet);
    }
    return INT64_MAX;
}

/* Those of an earlier configuration, too, as long as they have something under way. */
static int64_t run_due(struct outlet *outlet, int64_t now_ms)
{
    struct gateway *gateway = outlet->gateways_all, *next;
    int64_t next_ms = INT64_MAX, at_ms;

    for (; gateway != NULL; gateway = next) {
        gateway_keep(gateway); /* its last answer lets it go */
        at_ms = gateway->ops->run_due == NULL ? INT64_MAX : gateway->ops->run_due(gateway, now_ms);
        next_ms = at_ms < next_ms ? at_ms : next_ms;
        next = gateway->next;
        gateway_let_go(gateway);
    }
    return next_ms;
}

int64_t outlet_pump(struct outlet *outlet, int64_t now_ms)
{
    struct gateways *gateways = outlet->gateways;
    int64_t next_ms = run_due(outlet, now_ms), at_ms;

    if (!gateways->is_stopping && !gateways->is_recovering) {
        at_ms = take(outlet, now_ms);
        next_ms = at_ms < next_ms ? at_ms : next_ms;
    }
    at_ms = hand_over(outlet, now_ms);
    return at_ms < next_ms ? at_ms : next_ms;
}
