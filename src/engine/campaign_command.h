/* What commands of campaigns carry and are answered with; part of engine/command.h, whose rules
 * hold here, too. Amounts are minor units, times Unix milliseconds. engine/campaign.h tells what
 * the steps mean. */
#ifndef SMSD_ENGINE_CAMPAIGN_COMMAND_H
#define SMSD_ENGINE_CAMPAIGN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "engine/campaign_row.h"
#include "engine/outcome.h"
#include "engine/row.h"

struct template_param;

enum {
    CAMPAIGN_NAME_MAX = 128,
    CAMPAIGN_LINES_MAX = 64, /* of recipients in one command */
    CAMPAIGN_RECIPIENTS_MAX = 10000000,
    CAMPAIGN_ERRORS_MAX = 1000000, /* kept of a campaign; further ones are only counted */
    CAMPAIGN_ERROR_TO_MAX = 32,    /* of a number that is none, as much is kept */
    CAMPAIGN_ERROR_FIELD_MAX = 80,
    CAMPAIGN_ERROR_DETAIL_MAX = 120,
    CAMPAIGN_PARAMS_BYTES = 3840, /* names and values, and three bytes for each, of a recipient */
};

struct campaign_create_command {
    struct text company;
    struct text name, template;          /* may be absent; or `content` and `kind` */
    const struct template_param *params; /* that all recipients have */
    size_t param_count;
    struct text content;
    enum message_kind kind;
    struct text signature; /* data NULL: the company's; size 0: none */
    struct text callback_url, message_callback_url;
    int64_t send_at_ms; /* 0: when it is confirmed */
    int64_t draft_ms;   /* a draft that nobody changes is kept for so long */
    bool is_test;
    uint8_t tries_max;
};

/* A line: a recipient to be, or what is wrong with it already. */
struct campaign_line {
    uint64_t line;        /* of its upload, from 1 */
    enum outcome outcome; /* OUTCOME_OK: it is to be checked */
    struct text field;    /* of a fault: which; may be absent */
    struct text detail;   /* likewise; absent: the outcome's title */
    struct text to, client_reference;
    const struct template_param *params;
    size_t param_count;
};

/* OUTCOME_OK, whatever is wrong with the lines: the answer counts. Refused is what is no draft. */
struct campaign_recipients_command {
    uint64_t campaign;
    const struct campaign_line *lines;
    size_t count;     /* up to CAMPAIGN_LINES_MAX */
    int64_t draft_ms; /* from now on, as in campaign_create_command */
};

struct campaign_command {
    uint64_t campaign;
};

struct campaign_recipients_result {
    uint32_t accepted, invalid, duplicates;
    uint32_t error_count; /* rows of errors that were kept, from number `error_first` on */
    uint64_t error_first;
};

/* The campaign as it then is. */
struct campaign_result {
    struct campaign_row row;
};

#endif
