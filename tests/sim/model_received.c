/* The shadow of received messages (SMS-18): which are known already, and who is on the blocklist by
 * his own word, and so may take himself off it again. */
#include "engine/blocklist.h"
#include "engine/received.h"
#include "model_rules.h"
#include "world.h"
#include "wrong.h"

static struct model_received *find_latest(struct model *model, uint64_t product, struct text id)
{
    for (uint32_t i = 0; i < model->received_count; i++) {
        struct model_received *received = &model->received[i];
        if (received->is_latest && !received->is_gone && received->product == product &&
            text_equals(received->provider_id, id))
            return received;
    }
    return NULL;
}

static bool is_same(const struct model_received *known, const struct received_command *command)
{
    return known != NULL && known->from == command->from &&
           text_equals(known->content, command->content);
}

/* The words of op_message.c. */
static enum received_action action_of(struct text content)
{
    if (text_equals(content, TEXT("STOP")) || text_equals(content, TEXT("stop!")))
        return RECEIVED_STOP;
    return text_equals(content, TEXT("START")) ? RECEIVED_START : RECEIVED_PLAIN;
}

static void act(struct model *model, uint64_t from, enum received_action action)
{
    enum model_listed *listed = &model->listed[from - MODEL_MOBILE_FIRST];

    if (action == RECEIVED_STOP && *listed == MODEL_NOT_LISTED)
        *listed = MODEL_LISTED_BY_HIMSELF;
    if (action == RECEIVED_START && *listed == MODEL_LISTED_BY_HIMSELF)
        *listed = MODEL_NOT_LISTED;
}

static void check_kept(struct model *model, struct world *world, const struct command *command,
                       enum received_action action)
{
    const struct received_command *asked = &command->of.received;
    struct received kept;

    must(received_find(world->txn, command->number, &kept));
    must(kept.row.product == asked->product && kept.row.from == asked->from);
    must(text_equals(kept.content, asked->content) && kept.row.action == action);
    must(kept.row.due_ms == command->now_ms + RECEIVED_KEPT_MS);
    if (kept.row.message != 0)
        must(model_find_message(model, kept.row.message)->product == asked->product);
}

static void receive(struct model *model, struct world *world, const struct command *command,
                    const struct result *result)
{
    const struct received_command *asked = &command->of.received;
    enum received_action action = action_of(asked->content);
    bool has_id = asked->provider_id.size > 0;
    struct model_received *known =
        has_id ? find_latest(model, asked->product, asked->provider_id) : NULL;

    must(result->of.received.action == action);
    must((result->of.received.is_new != 0) == !is_same(known, asked));
    if (!result->of.received.is_new) {
        must(world->changes.count == 0 && result->of.received.number == known->number);
        return;
    }
    if (known != NULL)
        known->is_latest = false;
    model->received[model->received_count++] =
        (struct model_received){.number = command->number,
                                .product = asked->product,
                                .from = asked->from,
                                .provider_id = asked->provider_id,
                                .content = asked->content,
                                .is_latest = has_id};
    act(model, asked->from, action);
    check_kept(model, world, command, action);
}

static void forget(struct model *model, const struct due_command *due)
{
    uint32_t i = 0;

    while (i < model->received_count && model->received[i].number != due->number)
        i++;
    must(i < model->received_count && !model->received[i].is_gone);
    model->received[i].is_gone = true;
}

static void check_listed(const struct model *model, struct world *world)
{
    for (uint64_t i = 0; i < MODEL_WRITERS; i++) {
        struct blocked blocked;
        bool is_listed = blocklist_find(world->txn, MODEL_MOBILE_FIRST + i, &blocked);
        must(is_listed == (model->listed[i] != MODEL_NOT_LISTED));
        if (is_listed)
            must((blocked.row.changed_by == 0) == (model->listed[i] == MODEL_LISTED_BY_HIMSELF));
    }
}

void model_learn_received(struct model *model, struct world *world, const struct command *command,
                          const struct result *result)
{
    const struct blocklist_put_command *put = &command->of.blocklist_put;

    switch (command->type) {
    case COMMAND_RECEIVED:
        receive(model, world, command, result);
        break;
    case COMMAND_RECEIVED_FORGET:
        forget(model, &command->of.received_forget);
        break;
    case COMMAND_BLOCKLIST_PUT:
        model->listed[put->mobile - MODEL_MOBILE_FIRST] = MODEL_LISTED_BY_OTHERS;
        break;
    case COMMAND_BLOCKLIST_DELETE:
        model->listed[command->of.blocklist_delete.mobile - MODEL_MOBILE_FIRST] = MODEL_NOT_LISTED;
        break;
    default:
        return;
    }
    check_listed(model, world);
}
