/* Making codes: may there be one more, the message that carries it, and the end of the one before.
 * What is hard about it is where the code stands: the text is stored with zeros, so the places are
 * found in the template as it is now, before the message is made, and counted from the end of what
 * was made. */
#include <assert.h>
#include <string.h>

#include "engine/catalog.h"
#include "engine/handler.h"
#include "engine/mobile.h"
#include "engine/verification_store.h"

static int64_t given_or(struct txn *txn, int64_t given, enum setting setting)
{
    return given != 0 ? given : setting_int(txn, setting);
}

static uint8_t code_length(const struct verification_create_command *command, struct txn *txn)
{
    return (uint8_t)given_or(txn, command->code_length, SETTING_VERIFICATION_CODE_LENGTH);
}

static int64_t valid_ms(const struct verification_create_command *command, struct txn *txn)
{
    return 1000 * given_or(txn, command->valid_s, SETTING_VERIFICATION_VALID_SECONDS);
}

void verification_message(const struct verification_create_command *command, struct txn *txn,
                          int64_t now_ms, struct template_param params[TEMPLATE_NAMES_MAX + 1],
                          struct message_submit_command *submit)
{
    static const char zeros[] = "0000000000";

    static_assert(sizeof zeros - 1 == VERIFICATION_CODE_MAX, "as many as a code may have");
    *submit = command->message;
    assert(submit->param_count <= TEMPLATE_NAMES_MAX && submit->template.data != NULL);
    if (submit->param_count > 0)
        memcpy(params, submit->params, submit->param_count * sizeof *params);
    params[submit->param_count++] =
        (struct template_param){TEXT("code"), {zeros, code_length(command, txn)}};
    submit->params = params;
    submit->expire_at_ms = now_ms + valid_ms(command, txn);
}

/* Where the code is in the template's text. OUTCOME_OK also where the plan of the message will find
 * what is wrong. */
static enum outcome find_places(struct txn *txn, const struct message_submit_command *submit,
                                struct template_places *places)
{
    struct catalog_thing template;

    *places = (struct template_places){.count = 0};
    if (!catalog_find(txn, CATALOG_TEMPLATE, submit->template, &template) ||
        template.status != CATALOG_ENABLED ||
        !catalog_texts_have(&template, TEMPLATE_COMPANIES, submit->company))
        return OUTCOME_OK;
    template_find_places(catalog_text(&template, TEMPLATE_CONTENT), submit->params,
                         submit->param_count, TEXT("code"), places);
    if (catalog_int(&template, TEMPLATE_KIND) != MESSAGE_KIND_VERIFICATION || places->count == 0 ||
        places->count > VERIFICATION_PLACES_MAX)
        return OUTCOME_UNSUITABLE_TEMPLATE;
    return OUTCOME_OK;
}

/* The message, and where the code is in it. */
static enum outcome send(struct engine *engine, const struct message_submit_command *submit,
                         const struct template_places *places, struct verification_row *row)
{
    struct message_submit_result made;
    struct message_text text;
    enum outcome outcome;
    size_t before;

    row->message = engine_next_number(engine);
    outcome = message_submit(engine,
                             &(struct message_made){.submit = submit,
                                                    .number = row->message,
                                                    .origin = MESSAGE_FROM_VERIFICATION,
                                                    .origin_number = row->number},
                             &made);
    if (outcome != OUTCOME_OK)
        return outcome;
    if (!message_text_find(engine->txn, row->message, &text))
        assert(!"a message that was just made");
    assert(places->count > 0 && places->count <= VERIFICATION_PLACES_MAX &&
           places->size <= text.content.size);
    before = text.content.size - places->size; /* a signature */
    row->place_count = (uint8_t)places->count;
    for (size_t i = 0; i < places->count; i++)
        row->places[i] = (uint16_t)(before + places->at[i]);
    return OUTCOME_OK;
}

/* Its message need not go any more, if it has not gone. */
static void take_back(struct engine *engine, uint64_t number)
{
    struct verification_row row;
    struct message_row message;

    if (verification_find(engine->txn, number, &row) && row.status == VERIFICATION_PENDING &&
        message_find(engine->txn, row.message, &message) && message.status == MESSAGE_QUEUED)
        message_end(engine, &message, MESSAGE_CANCELED, MESSAGE_ERROR_NONE, (struct text){NULL, 0});
}

/* The one before, if it is good still, is so no longer; what was checked wrongly today is not
 * forgotten. */
static void replace(struct engine *engine, const struct verification_row *row)
{
    struct verification_row before;
    struct verification_asked asked;

    verification_asked_find(engine->txn, row->to, row->company, row->created_ms, &asked);
    take_back(engine, asked.row.current);
    if (verification_find(engine->txn, asked.row.current, &before)) {
        if (before.status == VERIFICATION_PENDING)
            verification_end(engine, &before, VERIFICATION_REPLACED);
        else if (before.status == VERIFICATION_NONE)
            verification_store(engine, &before, engine->command->now_ms + 1);
    }
    asked.row.attempts = 0;
    asked.row.current = row->number;
    verification_asked_store(engine, row->to, row->company, &asked);
}

static struct verification_row begin(struct engine *engine,
                                     const struct verification_create_command *command)
{
    int64_t now_ms = engine->command->now_ms;
    struct catalog_thing company;
    struct verification_row row = {.version = VERIFICATION_ROW_VERSION,
                                   .status = VERIFICATION_PENDING,
                                   .code_length = code_length(command, engine->txn),
                                   .address_kind = (uint8_t)command->address_kind,
                                   .number = engine->command->number,
                                   .address = command->address,
                                   .created_ms = now_ms,
                                   .expires_ms = now_ms + valid_ms(command, engine->txn)};

    memcpy(row.seed, command->seed, sizeof row.seed);
    /* What is no number, or no company, is refused by the message's plan, which has the words for
     * it. */
    if (mobile_parse(command->message.to, &row.to))
        row.prefix = verification_prefix(engine->txn, row.to);
    if (catalog_find(engine->txn, CATALOG_COMPANY, command->message.company, &company))
        row.company = company.number;
    return row;
}

/* May there be one more? In the answer of a refusal: until when not, and why. */
static enum outcome admit(struct engine *engine, const struct verification_row *row,
                          struct verification_result *made)
{
    enum verification_cap cap = verification_cap_reached(engine, row, &made->retry_ms);
    int64_t free_ms, attempts_free_ms;
    struct verification_asked asked;

    made->cap = (uint8_t)cap;
    if (cap != VERIFICATION_CAP_NONE)
        return OUTCOME_TOO_MANY_CODES;
    verification_asked_find(engine->txn, row->to, row->company, row->created_ms, &asked);
    free_ms = verification_checks_free_ms(engine->txn, &asked, &attempts_free_ms);
    made->retry_ms = free_ms - row->created_ms;
    return free_ms > row->created_ms ? OUTCOME_TOO_MANY_ATTEMPTS : OUTCOME_OK;
}

enum outcome engine_verification_create(struct engine *engine,
                                        const struct verification_create_command *command,
                                        struct result *answer)
{
    struct verification_row row = begin(engine, command);
    struct template_param params[TEMPLATE_NAMES_MAX + 1];
    struct message_submit_command submit;
    struct template_places places;
    enum outcome outcome;

    outcome = admit(engine, &row, &answer->of.verification);
    if (outcome != OUTCOME_OK)
        return outcome;
    verification_message(command, engine->txn, row.created_ms, params, &submit);
    outcome = find_places(engine->txn, &submit, &places);
    if (outcome == OUTCOME_OK)
        outcome = send(engine, &submit, &places, &row);
    if (outcome != OUTCOME_OK)
        return outcome;
    replace(engine, &row);
    verification_count_made(engine, &row);
    verification_store(engine, &row, row.expires_ms);
    engine->effect->verification_steps[VERIFICATION_PENDING]++;
    answer->of.verification = (struct verification_result){.message = row.message,
                                                           .to = row.to,
                                                           .expires_ms = row.expires_ms,
                                                           .code_length = row.code_length};
    return OUTCOME_OK;
}
