/* From an op's plain numbers to a command about campaigns: drafts, recipients of whom some are none
 * and some come twice, and what clients do with a campaign, in any order. */
#include <stdio.h>

#include "engine/campaign.h"
#include "engine/template.h"
#include "episode.h"

/* All that an episode may upload: each may become a message, and an entry or two. */
enum { LINES_MAX = OPS_MAX / 8, RECIPIENTS = 99, HOUR_MS = 60 * 60 * 1000 };

static const struct template_param params[] = {{{"code", 4}, {"123456", 6}},
                                               {{"name", 4}, {"Acme", 4}}};

static struct text text_of(const char *string)
{
    return (struct text){string, string == NULL ? 0 : strlen(string)};
}

static bool create_command(const struct episode *episode, const struct op *op,
                           struct campaign_create_command *create)
{
    static const char *const companies[] = {"x0", "x1"}, *const templates[] = {"x0", "x1", "x2",
                                                                               "x3"};

    if (episode->model->campaigns == MODEL_CAMPAIGNS_MAX)
        return false;
    *create = (struct campaign_create_command){
        .company = text_of(op->pick % 64 == 62 ? "nobody" : companies[op->pick / 4 % 2]),
        .draft_ms = 2 * HOUR_MS,
        .is_test = op->number % 32 == 7,
        .tries_max = (uint8_t)(1 + op->pick / 8 % 3)};
    if (op->pick % 2 == 0) {
        create->template = text_of(templates[op->pick / 16 % 4]);
        create->params = params;
        create->param_count = op->number % 3;
    } else {
        create->content = text_of(op->number % 4 == 0 ? "\xe4\xbd\xa0\xe5\xa5\xbd" : "Buy!");
        create->kind = op->number % 3 == 0 ? MESSAGE_KIND_NOTICE : MESSAGE_KIND_MARKETING;
    }
    if (op->pick / 256 % 4 == 0)
        create->send_at_ms = episode->world.now_ms + op->number % (2 * HOUR_MS);
    if (op->reference % 2 == 0)
        create->message_callback_url = text_of("https://client.example/status");
    if (op->reference == 5)
        create->signature = text_of("Other");
    return true;
}

/* One of the newest, mostly. */
static bool campaign_of(const struct episode *episode, const struct op *op, uint64_t *number)
{
    const struct model *model = episode->model;
    uint32_t count = model->campaigns < 4 ? model->campaigns : 4;

    *number = op_number_of_another(episode, op);
    if (count == 0)
        return op->number % 16 == 0;
    *number = model->campaign[model->campaigns - 1 - op->pick / 8 % count].number;
    return true;
}

static void fill_line(const struct op *op, uint32_t place, struct campaign_line *line, char to[24])
{
    /* Of two time zones, and one that is none. */
    static const char *const begins[] = {"+86138000000", "+65812345", "+9990"};
    uint32_t pick = op->pick / 64 + place * (1 + op->number % 7);
    uint32_t kind = pick % 23 == 22 ? 2 : pick % 5 == 4;

    snprintf(to, 24, "%s%02u", begins[kind], pick % RECIPIENTS);
    *line = (struct campaign_line){.line = place + 1, .outcome = OUTCOME_OK, .to = text_of(to)};
    if (pick % 29 == 28)
        line->outcome = OUTCOME_MALFORMED_JSON;
    line->params = params;
    line->param_count = op->number / 64 % 8 == 0 ? pick % 3 : op->number / 64 % 3;
    if (op->reference == 3)
        line->client_reference = text_of("order-1");
}

static bool upload_command(struct episode *episode, const struct op *op,
                           struct campaign_recipients_command *upload)
{
    static struct campaign_line lines[CAMPAIGN_LINES_MAX];
    static char numbers[CAMPAIGN_LINES_MAX][24];
    uint32_t count = 1 + op->number / 512 % (op->number % 8 == 0 ? CAMPAIGN_LINES_MAX : 12);

    if (episode->model->campaign_lines + count > LINES_MAX ||
        !campaign_of(episode, op, &upload->campaign))
        return false;
    for (uint32_t i = 0; i < count; i++)
        fill_line(op, i, &lines[i], numbers[i]);
    upload->lines = lines;
    upload->count = count;
    upload->draft_ms = 2 * HOUR_MS;
    return true;
}

bool op_campaign_command(struct episode *episode, const struct op *op, struct command *command)
{
    switch (command->type) {
    case COMMAND_CAMPAIGN_CREATE:
        return create_command(episode, op, &command->of.campaign_create);
    case COMMAND_CAMPAIGN_RECIPIENTS:
        return upload_command(episode, op, &command->of.campaign_recipients);
    default:
        return campaign_of(episode, op, &command->of.campaign_confirm.campaign);
    }
}
