/* See late_messages.h. One read of history at a time for each callback: there are few at once, and
 * the 64 places in history's line are for all. */
#include "gateway/late_messages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "engine/archive.h"
#include "engine/received.h"
#include "gateway/outlet.h"
#include "pipeline/pipeline.h"

#define DAY_MS INT64_C(86400000)

struct late_message {
    struct heard_message heard;
    struct late_message *next;
};

struct late_messages {
    struct outlet *outlet;
    struct arena arena; /* of all texts */
    struct late_message *first, **end;
    struct callback_reply reply;
    void (*on_answer)(void *context, enum callback_outcome outcome,
                      const struct callback_reply *reply);
    void *context;
    uint64_t product; /* for the history's thread */
    struct history_request request;
};

static int64_t since_ms(const struct outlet *outlet)
{
    return pipeline_now_ms(outlet->gateways->pipeline) - RECEIVED_ANSWERS_DAYS * DAY_MS;
}

bool late_messages_has(struct outlet *outlet, uint64_t from)
{
    struct pipeline *pipeline = outlet->gateways->pipeline;
    struct txn *txn = pipeline_read_begin(pipeline);
    struct message_row message;
    bool is_found = received_find_answered(txn, outlet->product, from, &message);

    pipeline_read_end(pipeline, txn);
    return !is_found && pipeline_has_history(pipeline, id_day(id_at(since_ms(outlet))),
                                             id_day(id_at(pipeline_now_ms(pipeline))));
}

struct late_messages *late_messages_new(struct outlet *outlet)
{
    struct late_messages *late = malloc(sizeof *late);

    assert(late != NULL);
    *late = (struct late_messages){.outlet = outlet, .product = outlet->product};
    late->end = &late->first;
    arena_init(&late->arena, 0);
    return late;
}

void late_messages_free(struct late_messages *late)
{
    if (late == NULL)
        return;
    arena_release(&late->arena);
    free(late);
}

static struct text copy(struct late_messages *late, struct text text)
{
    if (text.data != NULL)
        text.data = arena_copy(&late->arena, text.data, text.size);
    return text;
}

void late_messages_add(struct late_messages *late, const struct heard_message *message)
{
    struct late_message *added = arena_alloc(&late->arena, sizeof *added);

    *added = (struct late_message){.heard = *message};
    added->heard.id = copy(late, message->id);
    added->heard.to = copy(late, message->to);
    added->heard.content = copy(late, message->content);
    *late->end = added;
    late->end = &added->next;
}

void late_messages_set_reply(struct late_messages *late, const struct callback_reply *reply)
{
    const char *type = reply->content_type;

    late->reply = *reply;
    if (type != NULL)
        late->reply.content_type = arena_copy(&late->arena, type, strlen(type) + 1);
    late->reply.body = copy(late, reply->body);
}

/* --- looking for what they answer ----------------------------------------------------------------
 */

/* On the history's thread. */
static int on_record(void *context, uint64_t number, const void *value, size_t size)
{
    struct late_messages *late = context;
    struct message_row row;

    if (!archive_decode_row(value, size, &row) || !received_answers(&row, late->product))
        return 0;
    late->first->heard.message = number;
    late->first->heard.company = row.company;
    return 1;
}

static void answer(struct late_messages *late, enum callback_outcome outcome)
{
    late->on_answer(late->context, outcome, &late->reply);
    late_messages_free(late);
}

/* False: the provider must come again. */
static bool take_first(struct late_messages *late)
{
    enum outcome outcome = outlet_received(late->outlet, &late->first->heard, &late->reply.hold);

    late->first = late->first->next;
    return outcome == OUTCOME_OK;
}

static void go_on(struct late_messages *late);

static void on_end(void *context, int error)
{
    struct late_messages *late = context;

    (void)error; /* a day that cannot be read says nothing of whom he writes to */
    if (!late->outlet->gateways->is_closed && take_first(late))
        go_on(late);
    else
        answer(late, CALLBACK_BUSY);
}

static void go_on(struct late_messages *late)
{
    while (late->first != NULL) {
        late->request = (struct history_request){.kind = HISTORY_READ,
                                                 .index = HISTORY_BY_TO,
                                                 .by = late->first->heard.from,
                                                 .first = id_at(since_ms(late->outlet)),
                                                 .last = UINT64_MAX,
                                                 .examined_max = RECEIVED_LOOKED_AT_MAX,
                                                 .days_max = RECEIVED_ANSWERS_DAYS + 1,
                                                 .on_record = on_record,
                                                 .context = late,
                                                 .on_end = on_end,
                                                 .end_context = late};
        if (pipeline_history(late->outlet->gateways->pipeline, &late->request) == 0)
            return;
        if (!take_first(late)) {
            answer(late, CALLBACK_BUSY);
            return;
        }
    }
    answer(late, CALLBACK_OK);
}

void gateways_callback_go_on(struct late_messages *late,
                             void (*on_answer)(void *context, enum callback_outcome outcome,
                                               const struct callback_reply *reply),
                             void *context)
{
    late->on_answer = on_answer;
    late->context = context;
    go_on(late);
}
