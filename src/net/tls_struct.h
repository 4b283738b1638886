/* What TLS consists of. Private to the room: tls.c makes and counts, tls_stream.c uses. */
#ifndef SMSD_NET_TLS_STRUCT_H
#define SMSD_NET_TLS_STRUCT_H

#include <stdbool.h>
#include <stdint.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

struct tls {
    mbedtls_ssl_config config;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt certificates; /* a server's own chain, or what a client trusts */
    mbedtls_pk_context key;
    mbedtls_ssl_ticket_context tickets;
    const char *protocols[2]; /* for ALPN, ended by NULL */
    bool is_server;
    uint32_t holders;    /* its maker, and its streams */
    uint64_t free_at_ns; /* when a server's handshakes will have had their share of time */
    uint64_t step_ns;    /* what a step of one takes, about */
};

#endif
