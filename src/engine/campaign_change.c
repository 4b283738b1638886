/* What clients do with a campaign: create, confirm, pause, resume, cancel. Each is a step of
 * campaign_transition.def; what it costs is set aside by confirming and given back by canceling in
 * one go, since it is one sum. */
#include <assert.h>
#include <string.h>

#include "engine/campaign.h"
#include "engine/catalog.h"
#include "engine/due.h"
#include "engine/handler.h"
#include "engine/ledger.h"
#include "engine/webhook.h"

static bool may_move(enum campaign_status from, enum campaign_status to)
{
    static const struct {
        enum campaign_status from, to;
    } transitions[] = {
#define CAMPAIGN_TRANSITION(from, to) {CAMPAIGN_##from, CAMPAIGN_##to},
#include "engine/campaign_transition.def"
#undef CAMPAIGN_TRANSITION
    };

    for (size_t i = 0; i < sizeof transitions / sizeof *transitions; i++) {
        if (transitions[i].from == from && transitions[i].to == to)
            return true;
    }
    return false;
}

static bool is_told(enum campaign_status status)
{
    enum { QUIET, TOLD };
    static const uint8_t told[] = {
#define CAMPAIGN_STATUS(name, number, text, told) [number] = (told),
#include "engine/campaign_status.def"
#undef CAMPAIGN_STATUS
    };

    return told[status] == TOLD;
}

static void tell(struct engine *engine, const struct campaign_row *row)
{
    const char *status = campaign_status_text((enum campaign_status)row->status);
    const char *reason = row->reason == 0 ? NULL : outcome_infos[row->reason].code;
    struct campaign_text text;

    campaign_text_find(engine->txn, row->number, &text);
    if (text.name.size == 0)
        text.name.data = NULL;
    webhook_put(engine,
                &(struct webhook_event){
                    .type = WEBHOOK_CAMPAIGN_STATUS,
                    .subject = row->number,
                    .values = {row->recipients, row->submitted, row->charged, row->refunded},
                    .texts = {text.company,
                              text.name,
                              {status, strlen(status)},
                              {reason, reason == NULL ? 0 : strlen(reason)}},
                    .url = text.callback_url});
}

struct engine_effect *campaign_effect(struct engine *engine, const struct campaign_row *row)
{
    assert(engine->effect->campaign == 0 || engine->effect->campaign == row->number);
    engine->effect->campaign = row->number;
    return engine->effect;
}

static void count_move(struct engine *engine, const struct campaign_row *row,
                       enum campaign_status to, enum outcome reason)
{
    struct engine_effect *effect = campaign_effect(engine, row);
    struct campaign_row after = *row;

    after.status = (uint8_t)to;
    effect->campaign_moves[row->status]--;
    effect->campaign_moves[to]++;
    effect->campaign_waiting += (int64_t)campaign_waiting(&after) - campaign_waiting(row);
    effect->is_campaign_stuck = to == CAMPAIGN_PAUSED && reason != OUTCOME_OK;
    effect->is_campaign_expired = reason == OUTCOME_CAMPAIGN_EXPIRED;
}

void campaign_move(struct engine *engine, struct campaign_row *row, enum campaign_status to,
                   enum outcome reason)
{
    int64_t now_ms = engine->command->now_ms;

    assert(may_move((enum campaign_status)row->status, to));
    count_move(engine, row, to, reason);
    row->status = (uint8_t)to;
    row->reason = (uint16_t)reason;
    if (to == CAMPAIGN_RUNNING && row->started_ms == 0)
        row->started_ms = now_ms;
    if (to == CAMPAIGN_FINISHED || to == CAMPAIGN_CANCELED) {
        row->ended_ms = now_ms;
        row->forget_ms = now_ms + (reason == OUTCOME_CAMPAIGN_EXPIRED ? 0 : CAMPAIGN_KEPT_MS);
        due_put(engine, row->forget_ms, DUE_CAMPAIGN_FORGET, row->number);
    }
    if (is_told(to))
        tell(engine, row);
}

void campaign_set_due(struct engine *engine, struct campaign_row *row, int64_t due_ms)
{
    if (row->due_ms != 0)
        due_delete(engine, row->due_ms, DUE_CAMPAIGN, row->number);
    if (due_ms != 0)
        due_put(engine, due_ms, DUE_CAMPAIGN, row->number);
    row->due_ms = due_ms;
}

void campaign_keep_draft(struct engine *engine, struct campaign_row *row, int64_t draft_ms)
{
    int64_t end_ms = engine->command->now_ms + draft_ms;

    assert(row->status == CAMPAIGN_DRAFT && draft_ms > 0);
    if (row->due_ms < end_ms)
        campaign_set_due(engine, row, end_ms + CAMPAIGN_DRAFT_SLACK_MS);
}

enum outcome campaign_check_draft(const struct campaign_row *row)
{
    if (row->status == CAMPAIGN_DRAFT)
        return OUTCOME_OK;
    return row->reason == OUTCOME_CAMPAIGN_EXPIRED ? OUTCOME_CAMPAIGN_EXPIRED
                                                   : OUTCOME_CAMPAIGN_NOT_DRAFT;
}

void campaign_release(struct engine *engine, struct campaign_row *row, int64_t amount)
{
    struct account account;

    assert(amount >= 0 && amount <= row->reserved);
    if (amount == 0)
        return;
    if (!account_find_number(engine->txn, row->account, &account))
        assert(!"a campaign without the account that its money is set aside in");
    assert(account.row.held >= amount);
    account.row.held -= amount;
    ledger_store(engine, &account);
    row->reserved -= amount;
}

struct message_submit_command campaign_submit(const struct campaign_row *row,
                                              const struct campaign_text *text, struct text to,
                                              struct text client_reference,
                                              const struct template_param *params,
                                              size_t param_count)
{
    struct message_submit_command submit = {.company = text->company,
                                            .to = to,
                                            .params = params,
                                            .param_count = param_count,
                                            .kind = (enum message_kind)row->kind,
                                            .client_reference = client_reference,
                                            .callback_url = text->message_callback_url,
                                            .is_test = (row->flags & CAMPAIGN_IS_TEST) != 0,
                                            .tries_max = row->tries_max};

    if (text->template.size > 0)
        submit.template = text->template;
    else
        submit.content = text->content;
    if (row->flags & CAMPAIGN_HAS_SIGNATURE)
        submit.signature = text->signature;
    return submit;
}

/* --- create --------------------------------------------------------------------------------------
 */

/* Every common parameter has its placeholder. */
static bool are_known(struct text content, const struct template_param *params, size_t count)
{
    struct template_names names;

    if (template_check(content, &names, NULL) != TEMPLATE_OK)
        assert(!"a template that was checked when it was put");
    for (size_t i = 0; i < count; i++) {
        bool is_known = false;
        for (size_t j = 0; j < names.count; j++)
            is_known = is_known || text_equals(names.names[j], params[i].name);
        if (!is_known)
            return false;
    }
    return true;
}

static enum outcome check_template(struct engine *engine,
                                   const struct campaign_create_command *command,
                                   struct campaign_row *row)
{
    struct catalog_thing template;

    if (!catalog_find(engine->txn, CATALOG_TEMPLATE, command->template, &template) ||
        template.status != CATALOG_ENABLED ||
        !catalog_texts_have(&template, TEMPLATE_COMPANIES, command->company))
        return OUTCOME_TEMPLATE_NOT_FOUND;
    row->kind = (uint8_t)catalog_int(&template, TEMPLATE_KIND);
    return are_known(catalog_text(&template, TEMPLATE_CONTENT), command->params,
                     command->param_count)
               ? OUTCOME_OK
               : OUTCOME_UNKNOWN_PARAMETER;
}

static enum outcome check_create(struct engine *engine,
                                 const struct campaign_create_command *command,
                                 struct campaign_row *row)
{
    struct catalog_thing company;
    enum outcome outcome = OUTCOME_OK;

    if (!catalog_find(engine->txn, CATALOG_COMPANY, command->company, &company) ||
        company.status != CATALOG_ENABLED)
        return OUTCOME_COMPANY_NOT_FOUND;
    row->company = company.number;
    row->kind = (uint8_t)command->kind;
    if (command->template.data != NULL)
        outcome = check_template(engine, command, row);
    if (outcome == OUTCOME_OK && row->kind == MESSAGE_KIND_VERIFICATION)
        return OUTCOME_NOT_FOR_CAMPAIGNS;
    if (campaign_params_size(command->params, command->param_count) > CAMPAIGN_PARAMS_BYTES)
        return OUTCOME_TOO_LONG;
    return outcome;
}

enum outcome engine_campaign_create(struct engine *engine,
                                    const struct campaign_create_command *command,
                                    struct result *answer)
{
    struct campaign_row row = {.version = CAMPAIGN_ROW_VERSION,
                               .status = CAMPAIGN_DRAFT,
                               .tries_max = command->tries_max,
                               .number = engine->command->number,
                               .window = CAMPAIGN_WINDOW_FIRST,
                               .send_at_ms = command->send_at_ms};
    char params[CAMPAIGN_PARAMS_BYTES];
    struct campaign_text text = {.company = command->company,
                                 .template = command->template,
                                 .name = command->name,
                                 .signature = command->signature,
                                 .content = command->content,
                                 .callback_url = command->callback_url,
                                 .message_callback_url = command->message_callback_url};
    enum outcome outcome = check_create(engine, command, &row);

    if (outcome != OUTCOME_OK)
        return outcome;
    row.flags = (uint8_t)((command->is_test ? CAMPAIGN_IS_TEST : 0) |
                          (command->signature.data != NULL ? CAMPAIGN_HAS_SIGNATURE : 0));
    campaign_params_write(params, command->params, command->param_count);
    text.params =
        (struct text){params, campaign_params_size(command->params, command->param_count)};
    campaign_text_store(engine, row.number, &text);
    campaign_keep_draft(engine, &row, command->draft_ms);
    campaign_effect(engine, &row)->campaign_moves[CAMPAIGN_DRAFT]++;
    campaign_store(engine, &row);
    answer->of.campaign.row = row;
    return OUTCOME_OK;
}

/* --- confirm -------------------------------------------------------------------------------------
 */

/* Sets aside what all recipients cost. */
static enum outcome reserve(struct engine *engine, struct campaign_row *row)
{
    struct catalog_thing company;
    struct account account;
    enum outcome outcome;

    if (!catalog_find_number(engine->txn, CATALOG_COMPANY, row->company, &company) ||
        company.status != CATALOG_ENABLED)
        return OUTCOME_COMPANY_NOT_FOUND;
    if (row->amount == 0)
        return OUTCOME_OK;
    if (!account_find(engine->txn, catalog_text(&company, COMPANY_ACCOUNT), &account))
        return OUTCOME_ACCOUNT_NOT_FOUND;
    outcome = ledger_may_pay(&account, row->amount);
    if (outcome != OUTCOME_OK)
        return outcome;
    account.row.held += row->amount;
    ledger_store(engine, &account);
    row->account = account.row.number;
    row->confirmed = row->reserved = row->amount;
    return OUTCOME_OK;
}

/* From a draft or a pause: to its time, or at once. */
static void start(struct engine *engine, struct campaign_row *row)
{
    int64_t now_ms = engine->command->now_ms;
    bool is_later = row->started_ms == 0 && row->send_at_ms > now_ms;

    campaign_move(engine, row, is_later ? CAMPAIGN_SCHEDULED : CAMPAIGN_RUNNING, OUTCOME_OK);
    campaign_set_due(engine, row, is_later ? row->send_at_ms : now_ms);
}

static enum outcome change(struct engine *engine, const struct campaign_row *row,
                           struct result *answer)
{
    campaign_store(engine, row);
    answer->of.campaign.row = *row;
    return OUTCOME_OK;
}

enum outcome engine_campaign_confirm(struct engine *engine, const struct campaign_command *command,
                                     struct result *answer)
{
    struct campaign_row row;
    enum outcome outcome;

    if (!campaign_find(engine->txn, command->campaign, &row))
        return OUTCOME_CAMPAIGN_NOT_FOUND;
    outcome = campaign_check_draft(&row);
    if (outcome == OUTCOME_OK && row.recipients == 0)
        outcome = OUTCOME_CAMPAIGN_EMPTY;
    if (outcome == OUTCOME_OK)
        outcome = reserve(engine, &row);
    if (outcome != OUTCOME_OK)
        return outcome;
    row.confirmed_ms = engine->command->now_ms;
    start(engine, &row);
    return change(engine, &row, answer);
}

/* --- pause, resume, cancel -----------------------------------------------------------------------
 */

enum outcome engine_campaign_pause(struct engine *engine, const struct campaign_command *command,
                                   struct result *answer)
{
    struct campaign_row row;

    if (!campaign_find(engine->txn, command->campaign, &row))
        return OUTCOME_CAMPAIGN_NOT_FOUND;
    if (row.status != CAMPAIGN_SCHEDULED && row.status != CAMPAIGN_RUNNING)
        return OUTCOME_CAMPAIGN_NOT_RUNNING;
    campaign_set_due(engine, &row, 0);
    campaign_move(engine, &row, CAMPAIGN_PAUSED, OUTCOME_OK);
    return change(engine, &row, answer);
}

enum outcome engine_campaign_resume(struct engine *engine, const struct campaign_command *command,
                                    struct result *answer)
{
    struct campaign_row row;

    if (!campaign_find(engine->txn, command->campaign, &row))
        return OUTCOME_CAMPAIGN_NOT_FOUND;
    if (row.status != CAMPAIGN_PAUSED)
        return OUTCOME_CAMPAIGN_NOT_PAUSED;
    start(engine, &row);
    return change(engine, &row, answer);
}

/* Before anything was submitted it is over at once. */
enum outcome engine_campaign_cancel(struct engine *engine, const struct campaign_command *command,
                                    struct result *answer)
{
    struct campaign_row row;
    int64_t left;

    if (!campaign_find(engine->txn, command->campaign, &row))
        return OUTCOME_CAMPAIGN_NOT_FOUND;
    if (row.status == CAMPAIGN_CANCELING || row.status == CAMPAIGN_CANCELED ||
        row.status == CAMPAIGN_FINISHED)
        return OUTCOME_CAMPAIGN_ENDED;
    left = row.reserved;
    campaign_release(engine, &row, left);
    row.released += left;
    if (row.status == CAMPAIGN_DRAFT || row.status == CAMPAIGN_SCHEDULED) {
        campaign_set_due(engine, &row, 0);
        campaign_move(engine, &row, CAMPAIGN_CANCELED, OUTCOME_OK);
    } else {
        campaign_move(engine, &row, CAMPAIGN_CANCELING, OUTCOME_OK);
        campaign_set_due(engine, &row, engine->command->now_ms);
    }
    return change(engine, &row, answer);
}
