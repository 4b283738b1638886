/* Recipients into a draft, some lines a command. A line is checked as the submit that it would be,
 * by the same plan, which also says what it would cost now: that is what confirming will set aside
 * for it. A line whose number is in the campaign already is a duplicate: a harmless one if it says
 * the same (a broken upload is sent again), an error if it does not. */
#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "engine/campaign.h"
#include "engine/handler.h"
#include "engine/message_plan.h"

struct upload {
    struct engine *engine;
    struct campaign_row row;
    struct campaign_text text;
    struct campaign_recipients_result *result;
    struct message_plan plan;
};

static void note_error(struct upload *upload, const struct campaign_line *line,
                       enum outcome outcome, struct text field, struct text detail)
{
    struct campaign_error error = {.row = {.outcome = (uint16_t)outcome, .line = line->line},
                                   .to = utf8_cut(line->to, CAMPAIGN_ERROR_TO_MAX),
                                   .field = utf8_cut(field, CAMPAIGN_ERROR_FIELD_MAX),
                                   .detail = utf8_cut(detail, CAMPAIGN_ERROR_DETAIL_MAX)};
    uint64_t number = campaign_error_store(upload->engine, &upload->row, &error);

    upload->row.errors++;
    if (number == 0)
        return;
    if (upload->result->error_count++ == 0)
        upload->result->error_first = number;
}

static void refuse(struct upload *upload, const struct campaign_line *line, enum outcome outcome,
                   struct text field, struct text detail)
{
    upload->result->invalid++;
    note_error(upload, line, outcome, field, detail);
}

/* The first fault says enough for a line of a list. */
static void refuse_by_plan(struct upload *upload, const struct campaign_line *line)
{
    const struct message_plan *plan = &upload->plan;
    const struct message_fault *fault = &plan->faults[0];
    enum outcome outcome = message_plan_outcome(plan);
    struct text field = {NULL, 0}, detail = {NULL, 0};

    if (plan->fault_count > 0 && (plan->refusal == OUTCOME_OK || outcome != plan->refusal)) {
        outcome = fault->outcome;
        field = fault->param.data != NULL ? fault->param
                                          : (struct text){fault->field, strlen(fault->field)};
        detail = (struct text){fault->detail, strlen(fault->detail)};
    }
    refuse(upload, line, outcome, field, detail);
}

/* True: it is one. */
static bool take_duplicate(struct upload *upload, const struct campaign_line *line,
                           const struct campaign_recipient *recipient)
{
    char key[CAMPAIGN_KEY_SIZE];
    struct campaign_recipient there;
    const void *value;
    bool is_whole;
    size_t size;

    campaign_key(key, upload->row.number, recipient->to);
    value = txn_get(upload->engine->txn, TABLE_CAMPAIGN_RECIPIENT, key, sizeof key, &size);
    if (value == NULL)
        return false;
    is_whole = campaign_recipient_read(key, sizeof key, value, size, &there);
    assert(is_whole);
    upload->row.duplicates++;
    upload->result->duplicates++;
    if (!text_equals(there.params, recipient->params) ||
        !text_equals(there.client_reference, recipient->client_reference))
        note_error(upload, line, OUTCOME_DUPLICATE_RECIPIENT, TEXT("to"), (struct text){NULL, 0});
    return true;
}

static void add(struct upload *upload, const struct campaign_line *line,
                struct campaign_recipient *recipient)
{
    const struct message_plan *plan = &upload->plan;
    struct campaign_row *row = &upload->row;

    if (take_duplicate(upload, line, recipient))
        return;
    if (row->recipients == CAMPAIGN_RECIPIENTS_MAX || row->amount > AMOUNT_MAX - plan->amount) {
        refuse(upload, line, OUTCOME_CAMPAIGN_FULL, (struct text){NULL, 0}, (struct text){NULL, 0});
        return;
    }
    recipient->row.amount = plan->amount;
    recipient->row.parts = (uint8_t)plan->parts.count;
    campaign_recipient_store(upload->engine, row->number, recipient);
    row->recipients++;
    row->parts += plan->parts.count;
    row->amount += plan->amount;
    upload->result->accepted++;
}

static void take_line(struct upload *upload, const struct campaign_line *line)
{
    struct template_param params[TEMPLATE_NAMES_MAX];
    char encoded[CAMPAIGN_PARAMS_BYTES];
    struct campaign_recipient recipient = {.row.turn = CAMPAIGN_TO_COME,
                                           .client_reference = line->client_reference};
    struct message_submit_command submit;
    size_t count, params_size = campaign_params_size(line->params, line->param_count);

    if (line->outcome != OUTCOME_OK) {
        refuse(upload, line, line->outcome, line->field, line->detail);
        return;
    }
    if (params_size > sizeof encoded ||
        !campaign_params_join(line->params, line->param_count, upload->text.params, params,
                              &count)) {
        refuse(upload, line, OUTCOME_TOO_LONG, TEXT("params"), TEXT("are too many or too long"));
        return;
    }
    submit = campaign_submit(&upload->row, &upload->text, line->to, line->client_reference, params,
                             count);
    message_plan_preview(&upload->plan, upload->engine->txn, &submit,
                         upload->engine->command->now_ms);
    if (message_plan_outcome(&upload->plan) != OUTCOME_OK) {
        refuse_by_plan(upload, line);
        return;
    }
    campaign_params_write(encoded, line->params, line->param_count);
    recipient.params = (struct text){encoded, params_size};
    recipient.to = upload->plan.to;
    add(upload, line, &recipient);
}

enum outcome engine_campaign_recipients(struct engine *engine,
                                        const struct campaign_recipients_command *command,
                                        struct result *answer)
{
    struct upload upload;
    enum outcome outcome;

    assert(command->count <= CAMPAIGN_LINES_MAX);
    upload.engine = engine;
    upload.result = &answer->of.campaign_recipients;
    *upload.result = (struct campaign_recipients_result){.accepted = 0};
    if (!campaign_find(engine->txn, command->campaign, &upload.row))
        return OUTCOME_CAMPAIGN_NOT_FOUND;
    outcome = campaign_check_draft(&upload.row);
    if (outcome != OUTCOME_OK)
        return outcome;
    campaign_text_find(engine->txn, command->campaign, &upload.text);
    for (size_t i = 0; i < command->count; i++)
        take_line(&upload, &command->lines[i]);
    campaign_keep_draft(engine, &upload.row, command->draft_ms);
    campaign_store(engine, &upload.row);
    return OUTCOME_OK;
}
