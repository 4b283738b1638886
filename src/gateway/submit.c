/* What comes of a message that was taken: its answer becomes COMMAND_MESSAGE_RESULT; where nobody
 * knows, the provider is asked if it can be, some times, and then it is given up as unknown. What
 * cannot be stored at the moment waits here; it was the provider's answer, and comes but once. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "gateway/outlet.h"
#include "pipeline/pipeline.h"

enum {
    BUSY_MS = 100,
    THROTTLED_MS = 50, /* nothing is taken for so long, doubled with each in a row, */
    THROTTLES_DOUBLED = 6,
    RECOVERED_PER_TURN = 256,
};

/* Before each question what became of a message; then it is given up. */
static const int64_t ask_delays_ms[] = {2000, 10000, 30000, 60000};
enum { ASKED_MAX = sizeof ask_delays_ms / sizeof *ask_delays_ms };

struct text detail_clean(struct text detail, char to[MESSAGE_DETAIL_MAX])
{
    const char *at = detail.data, *end;
    size_t size = 0;

    if (detail.size == 0)
        return (struct text){NULL, 0};
    end = detail.data + detail.size;
    while (at < end) {
        size_t length = utf8_length(at, end);
        bool is_plain = length > 0 && (unsigned char)*at >= 0x20 && *at != 0x7f;
        size_t needed = is_plain ? length : 1;
        if (size + needed > MESSAGE_DETAIL_MAX)
            break;
        if (is_plain)
            memcpy(to + size, at, length);
        else
            to[size] = ' ';
        size += needed;
        at += length > 0 ? length : 1;
    }
    return (struct text){size == 0 ? NULL : to, size};
}

/* --- submits -------------------------------------------------------------------------------------
 */

/* Each stands in a list of all, too: at the end some are with gateways that are gone. */
static struct submit *submit_allocate(struct gateways *gateways)
{
    struct submit *submit = malloc(sizeof *submit);

    if (gateways->submit_count == gateways->submit_capacity) {
        gateways->submit_capacity = gateways->submit_capacity * 2 + 64;
        gateways->all_submits = realloc(gateways->all_submits,
                                        gateways->submit_capacity * sizeof *gateways->all_submits);
    }
    assert(submit != NULL && gateways->all_submits != NULL);
    gateways->all_submits[gateways->submit_count++] = submit;
    return submit;
}

void submits_release(struct gateways *gateways)
{
    struct late_result *late = gateways->late, *next;

    for (; late != NULL; late = next) {
        next = late->next;
        free(late);
    }
    for (size_t i = 0; i < gateways->submit_count; i++)
        free(gateways->all_submits[i]);
    free(gateways->all_submits);
}

struct submit *submit_new(struct outlet *outlet, uint64_t message, uint32_t attempt)
{
    struct gateways *gateways = outlet->gateways;
    struct submit *submit = gateways->free_submits;

    assert(outlet->gateway != NULL);
    if (submit != NULL)
        gateways->free_submits = submit->next;
    else
        submit = submit_allocate(gateways);
    *submit = (struct submit){
        .outlet = outlet, .gateway = outlet->gateway, .message = message, .attempt = attempt};
    gateway_keep(submit->gateway);
    return submit;
}

void submit_free(struct submit *submit)
{
    struct gateways *gateways = submit->outlet->gateways;

    gateway_let_go(submit->gateway);
    submit->next = gateways->free_submits;
    gateways->free_submits = submit;
}

/* It does not count in the window any more. */
static void leave_window(struct submit *submit)
{
    struct outlet *outlet = submit->outlet;

    outlet->in_flight--;
    outlet->lane_in_flight[submit->lane]--;
    outlet->gateways->in_flight--;
    gateways_want_pump(outlet->gateways);
}

/* --- results -------------------------------------------------------------------------------------
 */

/* The provider is to be asked; if it cannot be, or was often enough, that is that. */
static bool doubt(struct submit *submit)
{
    struct gateways *gateways = submit->outlet->gateways;

    if (!submit->gateway->can_query || submit->asked == ASKED_MAX)
        return false;
    submit->taken_ms = pipeline_now_ms(gateways->pipeline) + ask_delays_ms[submit->asked++];
    if (submit->taken_ms < gateways->ask_ms)
        gateways->ask_ms = submit->taken_ms;
    submit_push(&gateways->doubtful, submit);
    gateways_want_pump(gateways);
    return true;
}

/* OUTCOME_OK, or that nothing can be written now. `should_query`: it is `sending` still. */
static enum outcome run_result(struct submit *submit, const struct said *said, bool *should_query)
{
    char clean[MESSAGE_DETAIL_MAX];
    struct command command = {.type = COMMAND_MESSAGE_RESULT};
    struct result result;

    command.of.message_result =
        (struct message_result_command){.message = submit->message,
                                        .attempt = submit->attempt,
                                        .answer = said->answer,
                                        .provider_ids = said->ids,
                                        .provider_id_count = said->id_count,
                                        .detail = detail_clean(said->detail, clean)};
    pipeline_run(submit->outlet->gateways->pipeline, &command, &result);
    *should_query = result.outcome == OUTCOME_OK && result.of.message_change.should_query;
    return result.outcome;
}

static enum outcome run_recover(struct gateways *gateways, uint64_t message, uint32_t attempt,
                                bool can_query, struct result *result)
{
    struct command command = {.type = COMMAND_MESSAGE_RECOVER,
                              .of.message_recover = {message, attempt, can_query}};

    pipeline_run(gateways->pipeline, &command, result);
    return result->outcome;
}

static bool is_busy(enum outcome outcome)
{
    return outcome == OUTCOME_OVERLOADED || outcome == OUTCOME_STORAGE_FULL;
}

/* False: not now. Else the submit is done with, or doubted. */
static bool store_result(struct submit *submit, const struct said *said)
{
    struct gateways *gateways = submit->outlet->gateways;
    struct result result;
    bool should_query;

    if (submit->asked == ASKED_MAX && said->answer == MESSAGE_UNKNOWN) {
        if (is_busy(run_recover(gateways, submit->message, submit->attempt, false, &result)))
            return false;
        submit_free(submit);
        return true;
    }
    if (is_busy(run_result(submit, said, &should_query)))
        return false;
    if (should_query && doubt(submit))
        return true;
    if (should_query &&
        is_busy(run_recover(gateways, submit->message, submit->attempt, false, &result)))
        return false;
    submit_free(submit);
    return true;
}

/* The texts are copied behind it. */
static void keep_late(struct submit *submit, const struct said *said)
{
    struct gateways *gateways = submit->outlet->gateways;
    struct late_result *late;
    struct text *ids;
    size_t size = said->detail.size;
    char *at;

    for (size_t i = 0; i < said->id_count; i++)
        size += said->ids[i].size;
    late = malloc(sizeof *late + said->id_count * sizeof *ids + size);
    assert(late != NULL);
    *late = (struct late_result){.submit = submit, .said = *said};
    ids = (struct text *)(late + 1);
    at = (char *)(ids + said->id_count);
    for (size_t i = 0; i < said->id_count; i++) {
        ids[i] = (struct text){at, said->ids[i].size};
        memcpy(at, said->ids[i].data, ids[i].size);
        at += ids[i].size;
    }
    if (said->detail.size > 0)
        memcpy(at, said->detail.data, said->detail.size);
    late->said.ids = ids;
    late->said.detail = (struct text){at, said->detail.size};
    *gateways->late_end = late;
    gateways->late_end = &late->next;
    gateways_want_pump(gateways);
}

static void store_or_keep(struct submit *submit, const struct said *said)
{
    if (submit->outlet->gateways->late != NULL || !store_result(submit, said))
        keep_late(submit, said);
}

/* --- answers -------------------------------------------------------------------------------------
 */

static void note_circuit(struct submit *submit, enum message_answer answer, int64_t now_ms)
{
    struct outlet *outlet = submit->outlet;
    bool is_failure = answer == MESSAGE_RETRY || answer == MESSAGE_UNKNOWN;

    if (submit->gateway == outlet->gateway &&
        circuit_end(&outlet->circuit, submit->circuit_epoch, is_failure, now_ms))
        log_event(outlet->circuit.state == CIRCUIT_OPEN ? LOG_WARNING : LOG_INFO, "circuit_changed",
                  LOG_TEXT("product", outlet->id),
                  LOG_TEXT("state", circuit_state_name(outlet->circuit.state)));
}

static void note_throttling(struct outlet *outlet, enum message_answer answer, int64_t now_ms)
{
    if (answer == MESSAGE_ACCEPTED)
        outlet->throttles = 0;
    if (answer != MESSAGE_THROTTLED)
        return;
    outlet->paused_ms = now_ms + ((int64_t)THROTTLED_MS << outlet->throttles);
    if (outlet->throttles < THROTTLES_DOUBLED)
        outlet->throttles++;
}

void outlet_answer(struct submit *submit, const struct said *said)
{
    struct outlet *outlet = submit->outlet;
    int64_t now_ms = pipeline_now_ms(outlet->gateways->pipeline);

    outlet->gateways->requests--;
    outlet->counts[said->answer]++;
    note_circuit(submit, said->answer, now_ms);
    note_throttling(outlet, said->answer, now_ms);
    leave_window(submit);
    store_or_keep(submit, said);
}

/* --- doubts --------------------------------------------------------------------------------------
 */

static void ask(struct submit *submit)
{
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);

    assert(inquiry != NULL);
    inquiry->outlet = submit->outlet;
    inquiry->gateway = submit->gateway;
    inquiry->submit = submit;
    inquiry->message = submit->message;
    inquiry->provider_id = (struct text){"", 0};
    gateway_keep(inquiry->gateway);
    inquiry->gateway->ops->query(inquiry->gateway, inquiry);
}

/* The answer about a message that was sent: as a receipt. */
static void take_polled(struct inquiry *inquiry, const struct said_status *said)
{
    struct text id = said->id.size > 0 ? said->id : inquiry->provider_id;
    uint64_t hold;

    if (said->found == STATUS_FOUND && id.size > 0)
        (void)outlet_receipt(inquiry->outlet, id, said->status, said->detail, &hold);
}

/* The answer about one of which it was not known whether it was sent. */
static void take_asked(struct inquiry *inquiry, const struct said_status *status)
{
    struct said said = {.answer = MESSAGE_UNKNOWN};
    uint64_t hold;

    if (status->found == STATUS_ABSENT) {
        said =
            (struct said){.answer = MESSAGE_RETRY, .detail = TEXT("the provider has not got it")};
    } else if (status->found == STATUS_FOUND) {
        said = (struct said){
            .answer = MESSAGE_ACCEPTED, .ids = &status->id, .id_count = status->id.size > 0};
        if (status->id.size > 0) /* it finds the message when the id is known, which is next */
            (void)outlet_receipt(inquiry->outlet, status->id, status->status, status->detail,
                                 &hold);
    }
    if (said.answer == MESSAGE_UNKNOWN && doubt(inquiry->submit))
        return;
    store_or_keep(inquiry->submit, &said);
}

void outlet_status(struct inquiry *inquiry, const struct said_status *said)
{
    struct gateway *gateway = inquiry->gateway;

    struct gateways *gateways = inquiry->outlet->gateways;
    bool is_polled = inquiry->submit == NULL;

    if (is_polled)
        take_polled(inquiry, said);
    else
        take_asked(inquiry, said);
    free(inquiry);
    gateway_let_go(gateway);
    if (is_polled)
        poll_go_on(gateways);
}

static void ask_due(struct gateways *gateways, int64_t now_ms)
{
    struct submit_queue waiting = gateways->doubtful;
    struct submit *submit;

    if (gateways->doubtful.first == NULL || now_ms < gateways->ask_ms)
        return;
    if (waiting.last == &gateways->doubtful.first)
        waiting.last = &waiting.first;
    submit_queue_init(&gateways->doubtful);
    gateways->ask_ms = INT64_MAX;
    while ((submit = submit_pop(&waiting)) != NULL) {
        if (submit->taken_ms <= now_ms && !gateways->is_stopping) {
            ask(submit);
        } else {
            submit_push(&gateways->doubtful, submit);
            if (submit->taken_ms < gateways->ask_ms)
                gateways->ask_ms = submit->taken_ms;
        }
    }
}

int64_t gateways_settle_doubts(struct gateways *gateways, int64_t now_ms)
{
    while (gateways->late != NULL) {
        struct late_result *late = gateways->late;
        if (!store_result(late->submit, &late->said))
            return now_ms + BUSY_MS;
        gateways->late = late->next;
        if (gateways->late == NULL)
            gateways->late_end = &gateways->late;
        free(late);
    }
    ask_due(gateways, now_ms);
    return gateways->ask_ms;
}

/* --- recovery ------------------------------------------------------------------------------------
 */

/* By what was configured when smsd started; who sent it may have been configured otherwise. */
static void recovered(struct gateways *gateways, const struct message_change_result *change)
{
    struct outlet *outlet = outlet_of(gateways, change->row.product);
    struct submit *submit = submit_new(outlet, change->row.number, change->row.attempts);

    if (!doubt(submit))
        submit_free(submit);
}

static bool can_query(struct gateways *gateways, uint64_t message)
{
    struct txn *txn = pipeline_read_begin(gateways->pipeline);
    struct message_row row;
    bool is_found = message_find(txn, message, &row);
    struct outlet *outlet;

    pipeline_read_end(gateways->pipeline, txn);
    if (!is_found)
        return false;
    outlet = outlet_of(gateways, row.product);
    return outlet->gateway != NULL && outlet->gateway->can_query;
}

/* SMS-11: each is resolved as its product says before anything else is sent. */
int64_t gateways_recover(struct gateways *gateways, int64_t now_ms)
{
    for (int left = RECOVERED_PER_TURN; left > 0; left--) {
        struct txn *txn = pipeline_read_begin(gateways->pipeline);
        uint64_t message;
        bool is_there = sending_next(txn, gateways->recover_after, &message);
        struct result result;
        pipeline_read_end(gateways->pipeline, txn);
        if (!is_there) {
            gateways->is_recovering = false;
            return now_ms;
        }
        if (is_busy(run_recover(gateways, message, 0, can_query(gateways, message), &result)))
            return now_ms + BUSY_MS;
        gateways->recover_after = message;
        if (result.outcome == OUTCOME_OK && result.of.message_change.should_query)
            recovered(gateways, &result.of.message_change);
    }
    return now_ms;
}
