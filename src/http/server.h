/* The HTTP/1.1 server (RFC 9110, RFC 9112): connections, framing, limits, timeouts, order of
 * replies. What a request means is the handler's affair; what it does to rows and when a reply may
 * leave is the pipeline's.
 *
 * A connection's requests are handled strictly one after another, and replies leave in the order of
 * the requests (pipelining). A reply may be held: it leaves once http_server_release was called
 * with at least its `hold`; replies behind it wait with it. All replies of a connection that may
 * leave go in one write.
 *
 * Refused by the server itself, with a problem body and `Connection: close` (the rows are in
 * refusal.def): bare LF, folded headers, other versions than 1.0 and 1.1, a method nobody knows, a
 * target that is neither a path nor an http URL, no (in HTTP/1.1), several or malformed Host
 * headers, both Content-Length and Transfer-Encoding or either twice, Authorization or Content-Type
 * twice, a Transfer-Encoding other than chunked, malformed chunks, NUL or control characters in
 * headers (400 `malformed_request`); CONNECT (405 `method_not_allowed`); an Expect other than
 * 100-continue (417 `expectation_failed`); request line or headers too large (431
 * `headers_too_large`); body too large (413 `body_too_large`); timeouts (408 `request_timeout`);
 * too many connections (503 `overloaded`, by the server alone); no memory left for what clients
 * have begun to send, or for what the handler makes of a body (503 `overloaded`). An Upgrade is
 * ignored.
 *
 * A body is gathered until it is whole, unless the handler takes it as it comes (on_body). What all
 * connections together have gathered is bounded by input_bytes_max (OPS-8).
 *
 * Loop thread only. */
#ifndef SMSD_HTTP_SERVER_H
#define SMSD_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct uv_loop_s;
struct http_server;
struct tls;
struct http_deferred;

struct http_span {
    const char *data; /* NULL: not there */
    size_t size;
};

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_OTHER,
};

/* Valid during the callback it is given to. Values of headers are trimmed. */
struct http_request {
    enum http_method method;
    struct http_span
        path; /* as sent, without the query: "/v1/accounts/u1"; absolute-form is reduced to it */
    struct http_span query; /* behind the "?", NULL if none */
    struct http_span authorization, content_type, content_encoding, idempotency_key, request_id;
    struct http_span accept;
    struct http_span headers;         /* all of them, as they came: see http_request_header */
    struct http_span body;            /* in on_request only */
    int header_count_idempotency_key; /* how often the header came: more than 1 is the handler's to
                                         refuse */
    void **connection_data; /* the handler's own, starts NULL; freed by on_connection_end */
    void **request_data; /* likewise, of this request: set by on_body; on_request takes it over, or
                            else on_request_abandoned. Not for on_headers and on_refusal */
};

/* The first header of that name, in whichever case; data NULL: none. */
struct http_span http_request_header(const struct http_request *request, const char *name,
                                     size_t name_size);
/* Writes the client's address without its port, "192.0.2.7" or "2001:db8::7", no NUL, and returns
 * its length; 0: it has none (a Unix socket). */
enum { HTTP_PEER_MAX = 64 };
size_t http_request_peer(const struct http_request *request, char to[HTTP_PEER_MAX]);

/* on_body: there is no room for it. The request is refused with 503 `overloaded`. */
#define HTTP_BODY_NO_ROOM SIZE_MAX

/* What the handler answers. The server adds Content-Length, Content-Type, Connection, Date, and for
 * HEAD leaves the body out. `headers` holds whole lines, each with its CRLF. */
struct http_reply {
    int status;
    const char *content_type; /* static; NULL: no body */
    struct buffer *headers;   /* the server's scratch, empty at the start */
    struct buffer *body;      /* likewise */
    uint64_t hold;            /* 0: may leave at once */
    bool is_close;            /* close behind it */
    bool is_deferred;         /* set by http_defer */
};

/* Inside of on_body: nothing more is read from this client, and he is not timed out, until
 * http_body_resume, which is called later with the request's request_data, as long as the request
 * was not abandoned. */
void http_body_pause(const struct http_request *request);
void http_body_resume(void **request_data);

struct http_handler {
    /* Headers are in, the body is not: how large may it be? Larger ones are refused with 413 before
     * they are read. Called once a request, before on_request. */
    size_t (*on_headers)(void *context, const struct http_request *request);
    /* May be NULL. Body bytes have come and the request is not whole yet; a request that arrives
     * whole is never seen here. `data` is all of the body that was not taken before. Returns how
     * much of it is taken: `size`; 0, then it is gathered and shown again with what comes next; or
     * HTTP_BODY_NO_ROOM. */
    size_t (*on_body)(void *context, const struct http_request *request, const char *data,
                      size_t size);
    /* May be NULL if on_body is. The request will never be whole (refused, timed out, the client
     * has gone): called once if it has data. */
    void (*on_request_abandoned)(void *context, void *request_data);
    /* The whole request; its body is what on_body has not taken. Fills `reply`, or calls http_defer
     * and answers later. */
    void (*on_request)(void *context, const struct http_request *request, struct http_reply *reply);
    /* A problem body (RFC 9457) for a refusal of the server's own. `code` and `detail` are static.
     * The status is filled in already, and `headers` with what the status asks for (Allow);
     * content_type, body and further headers are the handler's. `request` is NULL if its head was
     * not even accepted; no http_defer here. */
    void (*on_refusal)(void *context, const struct http_request *request_or_null, const char *code,
                       const char *detail, struct http_reply *reply);
    /* The connection is gone; called if it has data. */
    void (*on_connection_end)(void *context, void *connection_data);
    void *context;
};

struct http_server_options {
    uint32_t connections_max;
    uint32_t header_bytes_max;  /* request line and headers together */
    uint32_t header_timeout_ms; /* from a request's first byte to the end of its headers */
    uint32_t body_timeout_ms;   /* longest silence inside a body */
    uint32_t idle_timeout_ms;   /* between requests, and before the first */
    uint32_t write_timeout_ms;  /* longest time a client may take to read what waits for it */
    uint32_t reply_bytes_max;   /* waiting for one client; beyond it, its requests are not read */
    uint64_t input_bytes_max; /* gathered of requests of all clients that are not whole or wait for
                                 their turn; who needs more is refused with 503 */
};

/* Of the handler's functions only those that say so may be NULL. ERR_INVALID if an option is 0. */
int http_server_new(struct http_server **server, struct uv_loop_s *loop,
                    const struct http_server_options *options, const struct http_handler *handler);
/* Before http_server_listen: TCP addresses are served over TLS (tls_server_new; protocol
 * "http/1.1"), Unix sockets are not. Later: the connections to come are served with this one, those
 * that are there go on with theirs. Takes `tls` over. A handshake has header_timeout_ms; what is
 * not TLS is closed. */
void http_server_set_tls(struct http_server *server, struct tls *tls);
/* From now on these hold, for the connections that are there as well. None may be 0. */
void http_server_set_options(struct http_server *server, const struct http_server_options *options);
/* `address`: "127.0.0.1:8080", "[::1]:8080", ":8080" style is refused (say 0.0.0.0), "unix:/path"
 * (mode 0660; a stale socket nobody listens on is replaced). Port 0 picks one; `bound` gets the
 * address as text (with the port). 0 or an enum error with a sentence in `why`. */
int http_server_listen(struct http_server *server, const char *address, struct buffer *bound,
                       struct buffer *why);
/* Replies held by at most `released` may leave. Writes them. */
void http_server_release(struct http_server *server, uint64_t released);

/* "Not Found", for a problem body's title; NULL if smsd has no such status (status.def). */
const char *http_status_text(int status);

/* Takes the reply out of on_request's hands: the connection's further requests wait until
 * http_answer. */
struct http_deferred *http_defer(struct http_reply *reply);
/* Answers it, also if the client has gone meanwhile (then nothing happens). Frees `deferred`. May
 * be called inside of on_request. `headers` and `body` may be NULL. */
void http_answer(struct http_deferred *deferred, int status, const char *content_type,
                 const struct buffer *headers, const struct buffer *body, uint64_t hold);

/* Stops accepting; idle connections close, others after the reply to what they have sent;
 * on_stopped is called when the last is gone, or after grace_ms, when what is left is cut. */
void http_server_stop(struct http_server *server, uint32_t grace_ms,
                      void (*on_stopped)(void *context), void *context);
/* After on_stopped, or inside of it. */
void http_server_free(struct http_server *server);

#endif
