/* The built-in sandbox (SMS-15): a provider without a network, for trials and tests. The last four
 * digits of the recipient decide what it says; the rows below are the contract's.
 *
 * It lives in smsd's time, the test clock's jumps included, so that a trial need not wait: each
 * delay has a queue of its own, in which events stand in the order of their times. What is in them
 * goes with the process: a receipt that was to come after a restart does not. A line for each
 * message it is given, with the option sandbox_log, lets a test count what was sent. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/id.h"
#include "gateway/outlet.h"
#include "pipeline/pipeline.h"

enum event_kind { EVENT_ANSWER, EVENT_RECEIPT, EVENT_REPLY };

/* AT_ONCE is the next turn of the loop. */
enum delay { AT_ONCE, SHORTLY, LATER, AT_TIMEOUT, DELAYS };
enum { SHORTLY_MS = 50, LATER_MS = 100, RECEIPTS_MAX = 400000, BUSY_MS = 100, SLICE_EVENTS = 128 };

/* What it says to numbers that end so. */
static const struct behaviour {
    unsigned digits;
    enum message_answer answer, answer_at_first; /* the second for the first two attempts */
    enum delay answer_delay, receipt_delay;
    enum receipt_status receipt;
    int receipts;
    const char *reply; /* what its owner writes back; NULL: nothing */
} behaviours[] = {
    {1, MESSAGE_ACCEPTED, MESSAGE_ACCEPTED, AT_ONCE, LATER, RECEIPT_DELIVERED, 1, NULL},
    {2, MESSAGE_ACCEPTED, MESSAGE_ACCEPTED, AT_ONCE, LATER, RECEIPT_UNDELIVERED, 1, NULL},
    {3, MESSAGE_REFUSED, MESSAGE_REFUSED, AT_ONCE, LATER, RECEIPT_DELIVERED, 0, NULL},
    {4, MESSAGE_ACCEPTED, MESSAGE_RETRY, AT_ONCE, LATER, RECEIPT_DELIVERED, 1, NULL},
    {5, MESSAGE_THROTTLED, MESSAGE_THROTTLED, AT_ONCE, LATER, RECEIPT_DELIVERED, 0, NULL},
    {6, MESSAGE_UNKNOWN, MESSAGE_UNKNOWN, AT_TIMEOUT, LATER, RECEIPT_DELIVERED, 0, NULL},
    {7, MESSAGE_ACCEPTED, MESSAGE_ACCEPTED, SHORTLY, AT_ONCE, RECEIPT_DELIVERED, 1, NULL},
    {8, MESSAGE_ACCEPTED, MESSAGE_ACCEPTED, AT_ONCE, LATER, RECEIPT_DELIVERED, 2, NULL},
    {9, MESSAGE_ACCEPTED, MESSAGE_ACCEPTED, AT_ONCE, LATER, RECEIPT_DELIVERED, 0, NULL},
    {10, MESSAGE_ACCEPTED, MESSAGE_ACCEPTED, AT_ONCE, LATER, RECEIPT_DELIVERED, 1, "STOP"},
    {11, MESSAGE_ACCEPTED, MESSAGE_ACCEPTED, AT_ONCE, LATER, RECEIPT_DELIVERED, 1, "START"},
};

enum { REFUSALS_AT_FIRST = 2, BEHAVIOURS = sizeof behaviours / sizeof *behaviours };

struct event {
    int64_t at_ms;
    struct submit *submit; /* of an answer */
    uint64_t message;
    uint32_t attempt;
    uint8_t kind;   /* enum event_kind */
    uint8_t answer; /* enum message_answer, or enum receipt_status */
};

/* A ring that grows. */
struct event_queue {
    struct event *events;
    size_t first, count, capacity;
};

struct sandbox {
    struct gateway base;
    struct gateways *gateways;
    struct event_queue queues[DELAYS];
};

/* --- events --------------------------------------------------------------------------------------
 */

static void queue_push(struct event_queue *queue, struct event event)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
        struct event *events = malloc(capacity * sizeof *events);
        assert(events != NULL);
        for (size_t i = 0; i < queue->count; i++)
            events[i] = queue->events[(queue->first + i) % queue->capacity];
        free(queue->events);
        *queue = (struct event_queue){events, 0, queue->count, capacity};
    }
    queue->events[(queue->first + queue->count++) % queue->capacity] = event;
}

static struct event *queue_head(struct event_queue *queue)
{
    return queue->count == 0 ? NULL : &queue->events[queue->first];
}

static void queue_drop(struct event_queue *queue)
{
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
}

static int64_t delay_ms(const struct sandbox *sandbox, enum delay delay)
{
    switch (delay) {
    case AT_ONCE:
        return 0;
    case SHORTLY:
        return SHORTLY_MS;
    case LATER:
        return LATER_MS;
    case AT_TIMEOUT:
    case DELAYS:
        break;
    }
    return sandbox->base.settings.timeout_ms;
}

static void schedule(struct sandbox *sandbox, enum delay delay, struct event event)
{
    if (event.kind != EVENT_ANSWER)
        gateway_keep(&sandbox->base);
    event.at_ms = pipeline_now_ms(sandbox->gateways->pipeline) + delay_ms(sandbox, delay);
    queue_push(&sandbox->queues[delay], event);
    outlet_wake(sandbox->base.outlet, event.at_ms);
}

/* --- being given messages ------------------------------------------------------------------------
 */

static const struct behaviour *behaviour_of(uint64_t to)
{
    for (int i = 0; i < BEHAVIOURS; i++) {
        if (behaviours[i].digits == to % 10000)
            return &behaviours[i];
    }
    return &behaviours[0];
}

/* The text of a message with a code, on one line: in a trial it is read nowhere else. */
static size_t put_text(char *to, const struct message_row *row, const struct message_text *text)
{
    size_t size = 0;

    if (row->origin != MESSAGE_FROM_VERIFICATION)
        return 0;
    to[size++] = ' ';
    for (size_t i = 0; i < text->content.size; i++)
        to[size++] = (unsigned char)text->content.data[i] < ' ' ? ' ' : text->content.data[i];
    return size;
}

/* One write a line: what was given stands there even if the process is killed in the next moment.
 */
static void note(struct sandbox *sandbox, const struct submit *submit,
                 const struct message_row *row, const struct message_text *text)
{
    char line[ID_TEXT_MAX + CATALOG_ID_MAX + 64 + MESSAGE_CONTENT_MAX];
    size_t size = id_format(line, "msg_", submit->message);

    if (sandbox->gateways->sandbox_log < 0)
        return;
    size += (size_t)snprintf(line + size, CATALOG_ID_MAX + 62, " %u %u %s %llu", submit->attempt,
                             submit->lane + 1U, submit->outlet->id,
                             (unsigned long long)clock_monotonic_ns());
    size += put_text(line + size, row, text);
    line[size++] = '\n';
    if (write(sandbox->gateways->sandbox_log, line, size) < 0)
        return; /* the log is for trials; a full disk is told by others */
}

static void take(struct sandbox *sandbox, struct submit *submit)
{
    const struct behaviour *behaviour;
    struct message_text text;
    struct message_row row;
    struct txn *txn = pipeline_read_begin(sandbox->gateways->pipeline);
    bool is_found = message_text_to_send(txn, submit->message, &row, &text);
    enum message_answer answer;

    pipeline_read_end(sandbox->gateways->pipeline, txn);
    assert(is_found); /* a message that is `sending` has its text */
    note(sandbox, submit, &row, &text);
    behaviour = behaviour_of(text.row.to);
    answer = submit->attempt <= REFUSALS_AT_FIRST ? behaviour->answer_at_first : behaviour->answer;
    if (sandbox->queues[LATER].count > RECEIPTS_MAX)
        answer = MESSAGE_THROTTLED;
    for (int i = 0; answer == MESSAGE_ACCEPTED && i < behaviour->receipts; i++)
        schedule(sandbox, behaviour->receipt_delay,
                 (struct event){.message = submit->message,
                                .attempt = submit->attempt,
                                .kind = EVENT_RECEIPT,
                                .answer = (uint8_t)behaviour->receipt});
    if (answer == MESSAGE_ACCEPTED && behaviour->reply != NULL)
        schedule(sandbox, LATER,
                 (struct event){
                     .message = submit->message, .attempt = submit->attempt, .kind = EVENT_REPLY});
    schedule(sandbox, behaviour->answer_delay,
             (struct event){.submit = submit,
                            .message = submit->message,
                            .attempt = submit->attempt,
                            .kind = EVENT_ANSWER,
                            .answer = (uint8_t)answer});
}

static void sandbox_send(struct gateway *gateway, struct submit **submits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        take((struct sandbox *)gateway, submits[i]);
}

/* --- answering -----------------------------------------------------------------------------------
 */

/* Its own name for a message: "sbx-" and the digits of message and attempt. */
static struct text provider_id(const struct event *event, char to[PROVIDER_ID_MAX])
{
    int size = snprintf(to, PROVIDER_ID_MAX, "sbx-%llx-%u", (unsigned long long)event->message,
                        event->attempt);

    return (struct text){to, (size_t)size};
}

static void answer(const struct event *event)
{
    static const char *const details[] = {[MESSAGE_REFUSED] = "sandbox: refused",
                                          [MESSAGE_RETRY] = "sandbox: refused for now",
                                          [MESSAGE_THROTTLED] = "sandbox: throttled",
                                          [MESSAGE_UNKNOWN] = "sandbox: no answer"};
    char bytes[PROVIDER_ID_MAX];
    struct text id = provider_id(event, bytes);
    struct said said = {.answer = event->answer};

    if (said.answer == MESSAGE_ACCEPTED)
        said = (struct said){.answer = MESSAGE_ACCEPTED, .ids = &id, .id_count = 1};
    else
        said.detail = (struct text){details[said.answer], strlen(details[said.answer])};
    outlet_answer(event->submit, &said);
}

/* The message's recipient writes back. */
static enum outcome reply(struct sandbox *sandbox, const struct event *event)
{
    struct txn *txn = pipeline_read_begin(sandbox->gateways->pipeline);
    struct message_text text;
    bool is_there = message_text_find(txn, event->message, &text);
    const char *said = is_there ? behaviour_of(text.row.to)->reply : NULL;
    char bytes[PROVIDER_ID_MAX];
    uint64_t hold;

    pipeline_read_end(sandbox->gateways->pipeline, txn);
    if (said == NULL) /* the message is not kept any more */
        return OUTCOME_OK;
    return outlet_received(sandbox->base.outlet,
                           &(struct heard_message){.id = provider_id(event, bytes),
                                                   .to = TEXT("sandbox"),
                                                   .content = {said, strlen(said)},
                                                   .from = text.row.to},
                           &hold);
}

static enum outcome bring_receipt(struct sandbox *sandbox, const struct event *event)
{
    char bytes[PROVIDER_ID_MAX];
    uint64_t hold;

    return outlet_receipt(sandbox->base.outlet, provider_id(event, bytes), event->answer,
                          event->answer == RECEIPT_UNDELIVERED ? TEXT("sandbox: undelivered")
                                                               : (struct text){NULL, 0},
                          &hold);
}

/* False: not now. */
static bool play(struct sandbox *sandbox, struct event_queue *queue)
{
    struct event event = *queue_head(queue);
    enum outcome outcome;

    if (event.kind == EVENT_ANSWER) {
        queue_drop(queue);
        answer(&event);
        return true;
    }
    outcome = event.kind == EVENT_REPLY ? reply(sandbox, &event) : bring_receipt(sandbox, &event);
    if (outcome != OUTCOME_OK)
        return false;
    queue_drop(queue);
    gateway_let_go(&sandbox->base); /* whoever runs this keeps it, too */
    return true;
}

static int64_t run_due(struct gateway *gateway, int64_t now_ms)
{
    struct sandbox *sandbox = (struct sandbox *)gateway;
    int64_t next_ms = INT64_MAX;

    for (int i = 0; i < DELAYS; i++) {
        struct event_queue *queue = &sandbox->queues[i];
        struct event *head;
        int left = SLICE_EVENTS; /* of each: receipts keep up with answers */
        while ((head = queue_head(queue)) != NULL && head->at_ms <= now_ms && left-- > 0) {
            if (!play(sandbox, queue))
                return now_ms + BUSY_MS;
        }
        if (head != NULL && head->at_ms < next_ms)
            next_ms = head->at_ms;
    }
    return next_ms;
}

static void sandbox_free(struct gateway *gateway)
{
    struct sandbox *sandbox = (struct sandbox *)gateway;

    for (int i = 0; i < DELAYS; i++)
        free(sandbox->queues[i].events);
    arena_release(&gateway->arena);
    free(sandbox);
}

struct gateway *sandbox_new(struct gateways *gateways)
{
    static const struct gateway_ops ops = {
        .send = sandbox_send, .run_due = run_due, .free = sandbox_free};
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);

    assert(sandbox != NULL);
    sandbox->base.ops = &ops;
    sandbox->base.batch_max = SUBMITS_PER_REQUEST_MAX;
    sandbox->gateways = gateways;
    return &sandbox->base;
}
