/* An HTTP provider, described by configuration alone (SMS-15): the JSON of a product's `gateway`,
 * read into what sending, asking and listening need. Everything lives in the arena it was read
 * with. The reference of the fields is smsd-api(7). */
#ifndef SMSD_GATEWAY_HTTP_CONFIG_H
#define SMSD_GATEWAY_HTTP_CONFIG_H

#include <stdint.h>

#include "engine/command.h"
#include "gateway/address_range.h"
#include "gateway/heard.h"
#include "gateway/signing.h"
#include "gateway/stencil.h"
#include "json/read.h"

enum {
    HTTP_NAMED_MAX = 64, /* headers, or parameters of query or form */
    HTTP_RULES_MAX = 64, /* of an answer */
    HTTP_WORDS_MAX = 64, /* of statuses */
    HTTP_ADDRESSES_MAX = 32,
};

struct named_stencil {
    struct text name;
    const struct stencil *stencil;
};

/* A JSON body in pieces: text as it is, texts and numbers from stencils, and the bounds of what
 * stands once for each message of a batch. */
struct json_piece {
    enum { PIECE_TEXT, PIECE_STRING, PIECE_NUMBER, PIECE_EACH, PIECE_EACH_END } kind;
    struct text text;
    const struct stencil *stencil;
};

enum http_auth { HTTP_AUTH_NONE, HTTP_AUTH_BASIC, HTTP_AUTH_BEARER };

/* A request to be made. At most one of form, json and body. */
struct http_ask {
    struct text method;
    const struct stencil *url;
    struct named_stencil *headers, *query, *form;
    size_t header_count, query_count, form_count;
    const struct json_piece *json;
    size_t json_count; /* 0: no JSON body */
    bool is_batch;     /* it takes several messages */
    const struct stencil *body;
    enum stencil_escape body_escape;
    struct text content_type; /* of body */
    enum http_auth auth;
    const struct stencil *user, *password; /* of basic; bearer's token is `password` */
    const struct signing *signing;         /* NULL: not signed */
    uint32_t timeout_ms;
};

struct http_rule {
    struct condition when;
    enum message_answer result;
};

/* Where the array stands that one answer or callback tells several in. */
struct http_items {
    bool are_given;
    struct text at; /* JSON pointer */
};

/* What an answer to a send means: the first rule that holds; without any, by its status. */
struct http_answer {
    struct http_rule *rules;
    size_t rule_count;
    struct place id; /* all that stand there: one a part, if the provider names parts */
    bool is_id_ours; /* or it speaks of a message by our id */
    struct place error;
    struct http_items items; /* of a batch: one a message, in order, */
    struct place reference;  /* or each telling our id */
};

struct status_word {
    struct text word;
    enum receipt_status status;
};

/* Receipts, in a callback or in the answer to a status query. */
struct http_receipts {
    struct http_items items;
    struct place id, status, error;
    struct status_word *words; /* compared without regard to case */
    size_t word_count;
    enum receipt_status otherwise; /* for a word that is not listed */
};

/* Messages that people send to us, in a callback. */
struct http_received {
    struct http_items items;
    struct place id, from, to, content;
    const struct condition *only; /* NULL: whatever has a sender and a content is one */
    struct text prefix; /* before a sender that begins with neither + nor 00; empty: none */
};

struct http_query {
    struct http_ask ask;
    bool asks_by_our_id, asks_by_provider_id; /* what its request names */
    const struct condition *absent; /* the provider has no such message; NULL: it cannot say so */
    struct http_receipts receipts;
    int64_t after_ms, every_ms, until_ms;
};

struct http_callback {
    bool has_receipts;
    struct http_receipts receipts;
    const struct condition *only; /* NULL: every callback is a receipt; else where this holds */
    const struct http_received *received; /* NULL: none come */
    /* All of these that are given must hold. Their texts are of constants alone. */
    struct place secret_place;
    const struct stencil *secret;
    const struct stencil *user, *password;
    const struct stencil *url; /* ours, as the provider knows it; NULL: not given */
    const struct signing *signing;
    struct address_range *addresses;
    size_t address_count;
    int answer_status;
    struct text answer_type, answer_body;
};

struct http_config {
    struct http_ask send;
    struct http_answer answer;
    const struct http_query *query;       /* NULL: the provider cannot be asked */
    const struct http_callback *callback; /* NULL: callbacks are refused */
};

/* What the type `http` has beside what every type has; NULL: not given. */
struct http_members {
    const struct json_value *variables, *secrets, *send, *answer, *query, *callback;
};

/* NULL: with errors. `send` must be given. */
const struct http_config *http_config_read(struct arena *arena, const struct http_members *body,
                                           const char *pointer, struct json_errors *errors);

/* http_ask.c */
void http_ask_read(struct arena *arena, const struct json_value *value,
                   const struct stencil_names *names, const char *pointer,
                   struct json_errors *errors, struct http_ask *ask);
/* Does it name this value anywhere? */
bool http_ask_has(const struct http_ask *ask, enum stencil_value value);
/* http_listen.c */
void http_receipts_read(struct arena *arena, const struct json_value *value, const char *pointer,
                        struct json_errors *errors, struct http_receipts *receipts);
/* http_received.c: NULL with errors. */
const struct http_received *http_received_read(struct arena *arena, const struct json_value *value,
                                               const char *pointer, struct json_errors *errors);
const struct http_callback *http_callback_read(struct arena *arena, const struct json_value *value,
                                               const struct stencil_names *names,
                                               const char *pointer, struct json_errors *errors);

/* The index of the text among `words`; -1 and an error if it is none of them. */
int config_choose(struct arena *arena, struct json_text text, const char *const *words, int count,
                  const char *pointer, const char *name, struct json_errors *errors);
#define CONFIG_CHOOSE(text, words, name)                                                           \
    config_choose(arena, (text), (words), (int)(sizeof(words) / sizeof *(words)), pointer, (name), \
                  errors)
/* A stencil of a member; NULL if it is absent, or with an error. */
const struct stencil *config_stencil(struct arena *arena, struct json_text text,
                                     const struct stencil_names *names, const char *pointer,
                                     const char *name, struct json_errors *errors);
struct text config_copy(struct arena *arena, struct json_text text);
/* PLACE_NONE if it is absent, or with an error. */
struct place config_place(struct arena *arena, const struct json_value *value, const char *pointer,
                          const char *name, struct json_errors *errors);
/* NULL if it is absent. */
const struct condition *config_condition(struct arena *arena, const struct json_value *value,
                                         const char *pointer, const char *name,
                                         struct json_errors *errors);
/* Of the member `items`. */
struct http_items config_items(struct arena *arena, struct json_text text, const char *pointer,
                               struct json_errors *errors);

/* A row of a declaration: a member that is read further by the caller. */
#define CONFIG_ANY(type, member, needed)                                                           \
    {                                                                                              \
        .name = #member, .kind = JSON_ANY, .offset = offsetof(type, member),                       \
        .is_required = (needed)                                                                    \
    }

#endif
