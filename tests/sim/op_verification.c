/* From an op's plain numbers to a code that is asked for, or checked: rightly, wrongly, too late,
 * or by another company. */
#include <string.h>

#include "engine/template.h"
#include "engine/verification.h"
#include "episode.h"

enum { NUMBERS = 5, LOOKED_AT_MAX = 8 };

static const struct text numbers[NUMBERS] = {{"+8613800000000", 14},
                                             {"+8613800000001", 14},
                                             {"+8613800010000", 14},
                                             {"+6591234567", 11},
                                             {"+12025550100", 12}};
static const struct text companies[] = {{"x0", 2}, {"x1", 2}, {"nobody", 6}};

/* Checked again under their keys, so they stay. */
static char codes[OPS_MAX][VERIFICATION_CODE_MAX];

static void create_command(const struct op *op, struct verification_create_command *create)
{
    static const struct text templates[] = {{"x0", 2}, {"x0", 2}, {"x3", 2}, {"x1", 2}};
    static const struct template_param name = {{"name", 4}, {"Acme", 4}};
    uint32_t kind = op->pick / 8 % 4;

    create->message = (struct message_submit_command){
        .company = companies[op->pick % 64 == 63 ? 2 : op->pick % 2],
        .to = numbers[op->number % NUMBERS],
        .template = templates[kind],
        .params = &name,
        .param_count = kind == 2,
        .tries_max = (uint8_t)(1 + op->pick / 2 % 3)};
    create->code_length = op->number / 8 % 2 == 0 ? 0 : (uint8_t)(4 + op->number / 16 % 7);
    create->valid_s = op->number / 128 % 2 == 0 ? 0 : 1 + op->number / 256 % 3600;
    create->address_kind = (enum verification_rate_kind)(op->pick / 32 % 3);
    create->address = create->address_kind == 0 ? 0 : op->pick / 96 % 2;
    memcpy(create->seed, &op->number, sizeof op->number);
    memcpy(create->seed + 8, &op->pick, sizeof op->pick);
}

static bool check_command(struct episode *episode, const struct op *op,
                          struct verification_check_command *check)
{
    struct model *model = episode->model;
    uint32_t count = model->verifications < LOOKED_AT_MAX ? model->verifications : LOOKED_AT_MAX;
    char *code = codes[episode->at];
    const struct model_verification *it;

    if (count == 0)
        return false;
    it = &model->verification[model->verifications - 1 - op->pick / 16 % count];
    check->to = op->number % 16 == 0 ? UINT64_C(8613900000000) + op->number / 16 % 3 : it->to;
    check->company = op->pick % 8 == 7 ? (struct text){NULL, 0}
                                       : companies[op->pick % 64 == 62 ? 2 : op->number / 64 % 2];
    memset(code, '7', VERIFICATION_CODE_MAX);
    check->code = (struct text){code, it->code_length == 0 ? 6 : it->code_length};
    if (it->status != VERIFICATION_NONE)
        model_code(it, code);
    if (op->number / 4 % 4 != 0)
        code[0] = (char)(code[0] == '9' ? '0' : code[0] + 1);
    return true;
}

bool op_verification_command(struct episode *episode, const struct op *op, struct command *command)
{
    if (command->type == COMMAND_VERIFICATION_CHECK)
        return check_command(episode, op, &command->of.verification_check);
    create_command(op, &command->of.verification_create);
    return true;
}
