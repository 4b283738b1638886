/* Who is calling (OPS-2). A key is looked up by the SHA-256 of its text; what was found stays with
 * the connection, until any API key changes. */
#include "api/call.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "base/sha256.h"

static struct text bearer(struct text authorization)
{
    static const char scheme[] = "bearer ";
    size_t size = sizeof scheme - 1;

    if (authorization.size <= size || strncasecmp(authorization.data, scheme, size) != 0)
        return (struct text){NULL, 0};
    while (size < authorization.size && authorization.data[size] == ' ')
        size++;
    return (struct text){authorization.data + size, authorization.size - size};
}

static bool look_up(struct api *api, struct text secret, struct api_key *key)
{
    uint8_t digest[SHA256_SIZE];
    struct txn *txn;
    bool is_found;

    sha256(secret.data, secret.size, digest);
    txn = pipeline_read_begin(api->pipeline);
    is_found = api_key_find(txn, digest, key);
    pipeline_read_end(api->pipeline, txn);
    return is_found && key->row.status == API_KEY_ENABLED;
}

/* The connection's session, if it is of this very header and still true. */
static struct session *session_of(struct call *call, struct text authorization)
{
    struct session *session = *call->request->connection_data;

    if (session == NULL || session->keys_version != call->api->keys_version ||
        session->authorization_size != authorization.size ||
        memcmp(session->authorization, authorization.data, authorization.size) != 0)
        return NULL;
    return session;
}

static struct session *session_begin(struct call *call, struct text authorization)
{
    struct session *session = *call->request->connection_data;
    struct text secret = bearer(authorization);
    struct api_key key;

    if (secret.data == NULL || authorization.size > sizeof session->authorization ||
        !look_up(call->api, secret, &key))
        return NULL;
    if (session == NULL) {
        session = malloc(sizeof *session);
        assert(session != NULL);
        *call->request->connection_data = session;
    }
    session->key = key;
    session->keys_version = call->api->keys_version;
    session->authorization_size = authorization.size;
    memcpy(session->authorization, authorization.data, authorization.size);
    return session;
}

bool call_authenticate(struct call *call)
{
    return call->route->scope == SCOPE_OPEN || call_authenticate_for(call, call->route->scope);
}

bool call_authenticate_for(struct call *call, uint32_t scope)
{
    struct text authorization = {call->request->authorization.data,
                                 call->request->authorization.size};
    struct session *session;

    session = authorization.data == NULL ? NULL : session_of(call, authorization);
    if (session == NULL && authorization.data != NULL)
        session = session_begin(call, authorization);
    if (session == NULL) {
        call_refuse(call, OUTCOME_UNAUTHENTICATED, NULL);
        return false;
    }
    if (!(session->key.row.scopes & (scope | SCOPE_ADMIN))) {
        call_refuse(call, OUTCOME_FORBIDDEN, "The API key does not have this scope");
        return false;
    }
    /* Keys, jobs, webhooks and their secret are everybody's. */
    if (scope == SCOPE_ADMIN && session->key.row.company_size > 0) {
        call_refuse(call, OUTCOME_FORBIDDEN, "The API key is of one company");
        return false;
    }
    call->key = &session->key;
    return true;
}
