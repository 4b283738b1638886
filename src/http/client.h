/* The HTTP/1.1 client: requests to providers and to webhook receivers, over TCP or TLS.
 *
 * A call is one request and ends once: on_done is called with a response or an error, later, never
 * inside of http_client_send, and not at all if the call is canceled or the client freed. Nothing
 * of the request is looked at after http_client_send has returned.
 *
 * Connections are kept for further calls to the same scheme, host and port (and the same
 * allow_private), at most connections_per_host_max of them and connections_max in all, and closed
 * after idle_timeout_ms without a call. A call that finds none free waits in line; its time runs
 * meanwhile. Beyond waiting_max in line calls end with HTTP_CLIENT_OVERLOADED.
 *
 * A kept connection may be closed by its peer just when a request is sent on it. If not a byte of
 * an answer came, the request is sent again on a new connection, once, provided that none of it was
 * written or repeating it does no harm (is_idempotent, or a method that is by RFC 9110 §9.2.2).
 * Nothing else is ever sent twice; redirects are answers like others.
 *
 * Answers are read strictly (RFC 9112): what is ambiguous there (bare LF, folded headers,
 * Content-Length twice or beside Transfer-Encoding, codings other than chunked) is
 * HTTP_CLIENT_MALFORMED and ends the connection. 1xx answers are skipped. A body that only the end
 * of the connection ends is whole if over TLS the peer said so.
 *
 * TLS (net/tls.h): 1.2, certificate and host name verified against the CA bundle, always.
 *
 * Where allow_private is false only public addresses (net/address_guard.h) are connected to. What
 * is checked is the very address that the connection is made to, after the name was resolved, so
 * that a name that changes its mind gains nothing.
 *
 * URLs, headers and bodies are never logged: they hold secrets. Loop thread only. */
#ifndef SMSD_HTTP_CLIENT_H
#define SMSD_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct uv_loop_s;
struct http_client;
struct http_client_call;
struct http_client_response;

enum http_client_error {
    HTTP_CLIENT_OK = 0,
    HTTP_CLIENT_INVALID,           /* URL, method or a header cannot be sent as given */
    HTTP_CLIENT_OVERLOADED,        /* too many calls wait */
    HTTP_CLIENT_RESOLVE,           /* the host's name has no address */
    HTTP_CLIENT_FORBIDDEN_ADDRESS, /* none but addresses that are not public */
    HTTP_CLIENT_CONNECT,           /* refused, unreachable */
    HTTP_CLIENT_TLS,               /* handshake or verification failed */
    HTTP_CLIENT_TIMEOUT,           /* of connecting or of the whole call */
    HTTP_CLIENT_CLOSED,            /* the connection ended before the answer did */
    HTTP_CLIENT_MALFORMED,         /* the answer is not HTTP */
    HTTP_CLIENT_TOO_LARGE,         /* the answer's headers or body are */
};

/* Any that is 0 takes the value in brackets. */
struct http_client_options {
    uint32_t connections_max;          /* in all (256) */
    uint32_t connections_per_host_max; /* (16) */
    uint32_t waiting_max;              /* calls in line (16,384) */
    uint32_t connect_timeout_ms;       /* resolving, connecting and TLS handshake (10,000) */
    uint32_t timeout_ms;               /* of a call that names none (30,000) */
    uint32_t idle_timeout_ms;          /* of a kept connection (15,000) */
    uint32_t response_head_bytes_max;  /* status line and headers; likewise trailers (65,536) */
    uint32_t response_bytes_max;       /* body (1 MiB) */
    const char *ca_file;               /* PEM (/etc/ssl/certs/ca-certificates.crt) */
};

struct http_client_header {
    struct text name, value;
};

struct http_client_request {
    struct text method; /* "POST" */
    struct text url;    /* "https://host[:port]/path?query": no user, no fragment */
    /* Beside Host, Content-Length and Connection, which are the client's own and invalid here. */
    const struct http_client_header *headers;
    size_t header_count;
    struct text body;    /* data NULL: none */
    uint32_t timeout_ms; /* from http_client_send to the answer's last byte; 0: the client's */
    bool is_idempotent;  /* repeating it does no harm, whatever its method */
    bool is_fresh;       /* on a new connection only */
    bool allow_private;  /* also to addresses that are not public */
    void (*on_done)(void *context, const struct http_client_response *response);
    void *context;
};

/* Valid inside of on_done. */
struct http_client_response {
    enum http_client_error error;
    /* May any byte of the request have reached the peer? If there is an error and this is false,
     * nothing was done; if it is true, nobody knows. */
    bool was_sent;
    int status; /* 0 if there is an error; else 200 to 599, or what it says */
    struct text body;
    const struct http_client_header *headers; /* in order, values trimmed */
    size_t header_count;
    const char *detail; /* of an error: a few words for an operator, without secrets; never NULL */
};

/* `why` of a missing or unreadable CA bundle goes to the log (`ca_file_unusable`): then all calls
 * to https end with HTTP_CLIENT_TLS. */
struct http_client *http_client_new(struct uv_loop_s *loop,
                                    const struct http_client_options *options);
/* Cancels all calls. Memory goes in the loop's next turns. */
void http_client_free(struct http_client *client);

/* The call is valid until on_done or http_client_cancel. */
struct http_client_call *http_client_send(struct http_client *client,
                                          const struct http_client_request *request);
/* on_done will not be called. A connection that the request is under way on is closed. */
void http_client_cancel(struct http_client_call *call);

/* The first header of that name, in whichever case; data NULL: none. */
struct text http_client_response_header(const struct http_client_response *response,
                                        struct text name);
/* "timeout": a word for logs and events. */
const char *http_client_error_name(enum http_client_error error);

#endif
