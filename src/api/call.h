/* One call: what a handler gets and the steps it is made of. A handler binds the body, fills a
 * command, runs it and writes the answer; each step that fails has replied already, and the handler
 * returns. */
#ifndef SMSD_API_CALL_H
#define SMSD_API_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "api/route.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/text.h"
#include "engine/api_key.h"
#include "engine/command.h"
#include "http/server.h"
#include "pipeline/pipeline.h"
#include "json/read.h"
#include "json/write.h"

/* What a connection is known to be: kept between its requests, so that a key is looked up once. */
struct session {
    struct api_key key;
    uint64_t keys_version; /* api->keys_version when `key` was read */
    size_t authorization_size;
    char authorization[128];
};

struct body_stream;
struct grab_limit;
struct packet_gate;

struct api {
    struct pipeline *pipeline;
    struct jobs *jobs;
    struct gateways *gateways;
    struct api_options options;
    struct arena arena;     /* of the request in hand */
    uint64_t keys_version;  /* grows whenever an API key changes */
    uint64_t request_count; /* for request ids */
    struct packet_gate *packet_gate;
    struct grab_limit *grab_limit;
    struct hash_key request_id_secret;
    uint32_t batch_count;                /* in memory, read or run */
    uint32_t reconciliation_count;       /* likewise */
    struct buffer try_headers, try_body; /* of replies that are never sent */
};

struct call {
    struct api *api;
    struct arena *arena;
    const struct http_request *request;
    struct http_reply *reply;
    const struct route *route;
    struct text params[ROUTE_PARAMS_MAX];
    const struct api_key *key;     /* NULL on open routes */
    bool is_trial;                 /* the body still comes: no reply is sent, and no refusal kept */
    bool is_lines;                 /* the body is NDJSON: only of routes that take it */
    const struct json_value *json; /* the body; NULL: none was sent */
    bool has_idempotency_key;
    struct hash128 idempotency_key;
    struct hash fingerprinting; /* with an idempotency key: of what is in front of the body */
    uint64_t fingerprint;
    struct body_stream
        *stream;       /* what came of the body before; a handler that keeps it sets NULL */
    int retry_after_s; /* for a 429 or 503; 0: one second */
};

/* --- refusing ------------------------------------------------------------------------------------
 */

/* Answers with a problem (RFC 9457). `detail` NULL: the outcome's title says it. Where the request
 * has an idempotency key and the outcome is of the kept kind, the refusal is kept. */
void call_refuse(struct call *call, enum outcome outcome, const char *detail);
/* The same with field errors, if there are any (NULL). */
void call_refuse_faults(struct call *call, enum outcome outcome, const struct json_errors *errors);
/* The same: `unknown_field` or `invalid`. */
void call_refuse_errors(struct call *call, const struct json_errors *errors);
/* A single field error. */
void call_refuse_field(struct call *call, const char *pointer, const char *detail);

/* For answers that come later: writes the problem and returns its status. */
int call_write_problem(struct buffer *body, enum outcome outcome, const char *detail);
void call_write_problem_errors(struct buffer *body, enum outcome outcome, const char *detail,
                               const struct json_errors *errors);
/* And the headers that go with one; `retry_after_s` 0: one second. */
void call_problem_headers(struct buffer *headers, enum outcome outcome, int retry_after_s);
#define PROBLEM_TYPE "application/problem+json"

/* --- reading -------------------------------------------------------------------------------------
 */

/* Fills `target` from the body, which must be an object. False: replied. */
bool call_bind(struct call *call, const struct json_field *fields, size_t count, void *target,
               uint64_t *given);
/* For a call whose body may be left out, or be an empty object. False: replied. */
bool call_bind_nothing(struct call *call);
/* The number of what the path's id names. False: it is no such id, and `not_found` is replied. */
bool call_path_number(struct call *call, const char *prefix, enum outcome not_found,
                      uint64_t *number);
/* Fills `target` from the query: JSON_TEXT and JSON_INT fields only. False: replied. */
bool call_bind_query(struct call *call, const struct json_field *fields, size_t count,
                     void *target);

/* Checks of fields, and the rule of each. An id is one that clients name: an account's, a
 * company's, a product's. */
bool is_id(const char *data, size_t size);
bool is_time(const char *data, size_t size);
#define ID_RULE   "must be 1 to 64 letters, digits or any of _.:+-@, not beginning with @"
#define TIME_RULE "must be a time as RFC 3339 writes it"
/* Unix time in milliseconds of a text that is_time has accepted; 0 where none was given. */
int64_t time_of(struct json_text text);
/* Reads the body of a PATCH that enables or disables and nothing else. False: replied. */
bool call_bind_enabled(struct call *call, bool *is_enabled);
/* pipeline_read_end; the reply waits for what was seen, too. */
void call_read_end(struct call *call, struct txn *txn);

/* --- whose key -----------------------------------------------------------------------------------
 */

/* The company that the API key is of; data NULL: of none, it may act for every company. */
struct text call_company(const struct call *call);
/* May the API key act for this company? */
bool call_may_use_company(const struct call *call, struct text company);
#define OTHERS_KEY "The API key is of another company"
/* The same. False: replied, 403. */
bool call_may_act_for(struct call *call, struct text company);
/* The company that is asked about, where none is named the API key's own. False: it is another's,
 * and that is replied. */
bool call_take_company(struct call *call, struct json_text *company);
/* May the API key see what is of the company with this number? 0: of none. */
bool call_may_see_company(const struct call *call, struct txn *txn, uint64_t company);

/* --- running -------------------------------------------------------------------------------------
 */

enum { IDEMPOTENCY_KEY_MAX = 64 };
bool idempotency_key_is_valid(const char *data, size_t size);
/* What an Idempotency-Key of this caller is kept under. */
struct hash128 call_key_hash(const struct call *call, struct text key);

/* Runs the command under the call's idempotency key. False: it was refused, and that is replied. */
bool call_run(struct call *call, struct command *command, struct result *result);
/* The same without a reply to a refusal, which the caller gives: the engine has kept it, if it is
 * of the kept kind. `errors` may be NULL. */
bool call_try(struct call *call, struct command *command, struct result *result);
void call_answer_refusal(struct call *call, enum outcome outcome, const struct json_errors *errors);

/* --- answering -----------------------------------------------------------------------------------
 */

/* Begins a JSON answer with the route's success status. */
struct json_writer call_answer(struct call *call);
/* The same with another status. */
struct json_writer call_answer_status(struct call *call, int status);
/* X-Request-Id and what else every answer carries. */
void call_common_headers(struct api *api, const struct http_request *request,
                         struct buffer *headers);

static inline struct text text_of(struct json_text text)
{
    return (struct text){text.data, text.size};
}

/* The handlers, one a row of route.def. */
#define ROUTE(method, path, scope, success, body, query, handler)                                  \
    void api_##handler(struct call *call);
#include "api/route.def"
#undef ROUTE

void api_on_refusal(void *context, const struct http_request *request, const char *code,
                    const char *detail, struct http_reply *reply);

/* api/authentication.c: fills call->key, or replies and returns false. */
bool call_authenticate(struct call *call);
/* The same on an open route, for a call that is found to need a key of this scope. */
bool call_authenticate_for(struct call *call, uint32_t scope);

#endif
