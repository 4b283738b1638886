/* What TLS streams are made with: certificates, keys and the rules of the handshake. It is counted,
 * so that a server's certificate can be exchanged while streams of the old one go on. Randomness
 * comes from a generator of each one's own (CTR_DRBG), seeded and reseeded by the kernel. */
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/error.h>

#include "base/buffer.h"
#include "base/entropy.h"
#include "base/error.h"
#include "base/log.h"
#include "net/tls_struct.h"

enum {
    TICKET_SECONDS = 3600,
    STEP_NS = 1000000, /* until one was measured */
};

static const int cipher_suites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

/* P-256 first: the library computes it several times faster than the others. */
static const mbedtls_ecp_group_id curves[] = {
    MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP384R1,
    MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_NONE,
};

/* Of signatures in the handshake. */
static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512,
                             MBEDTLS_MD_NONE};

static int fill(void *context, unsigned char *to, size_t size)
{
    (void)context;
    entropy_fill(to, size);
    return 0;
}

static void tls_free(struct tls *tls)
{
    mbedtls_ssl_config_free(&tls->config);
    mbedtls_ssl_ticket_free(&tls->tickets);
    mbedtls_pk_free(&tls->key);
    mbedtls_x509_crt_free(&tls->certificates);
    mbedtls_ctr_drbg_free(&tls->random);
    free(tls);
}

void tls_release(struct tls *tls)
{
    if (--tls->holders == 0)
        tls_free(tls);
}

static void set_rules(struct tls *tls)
{
    mbedtls_ssl_config *config = &tls->config;
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(config, cipher_suites);
    mbedtls_ssl_conf_curves(config, curves);
    mbedtls_ssl_conf_sig_hashes(config, hashes);
    mbedtls_ssl_conf_cert_profile(config, &mbedtls_x509_crt_profile_default);
    mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_legacy_renegotiation(config, MBEDTLS_SSL_LEGACY_NO_RENEGOTIATION);
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &tls->random);
    mbedtls_ssl_conf_authmode(config, tls->is_server ? MBEDTLS_SSL_VERIFY_NONE
                                                     : MBEDTLS_SSL_VERIFY_REQUIRED);
    if (tls->protocols[0] != NULL)
        (void)mbedtls_ssl_conf_alpn_protocols(config, tls->protocols);
}

static struct tls *tls_new(bool is_server, const char *protocol)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        log_fatal("TLS allocation", NULL, ENOMEM);
    tls->holders = 1;
    tls->step_ns = STEP_NS;
    tls->is_server = is_server;
    tls->protocols[0] = protocol;
    mbedtls_ssl_config_init(&tls->config);
    mbedtls_ctr_drbg_init(&tls->random);
    mbedtls_x509_crt_init(&tls->certificates);
    mbedtls_pk_init(&tls->key);
    mbedtls_ssl_ticket_init(&tls->tickets);
    if (mbedtls_ctr_drbg_seed(&tls->random, fill, NULL, NULL, 0) != 0)
        log_fatal("seeding of TLS", NULL, 0);
    if (mbedtls_ssl_config_defaults(&tls->config,
                                    is_server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                    MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        log_fatal("TLS allocation", NULL, ENOMEM);
    set_rules(tls);
    return tls;
}

static int explain(struct buffer *why, const char *what, const char *file, int error)
{
    char text[128];
    mbedtls_strerror(error, text, sizeof text);
    buffer_append_format(why, "%s %s: %s", what, file, text);
    return error == MBEDTLS_ERR_X509_FILE_IO_ERROR || error == MBEDTLS_ERR_PK_FILE_IO_ERROR
               ? ERR_IO
               : ERR_INVALID;
}

int tls_client_new(struct tls **tls, const char *ca_file, const char *protocol, struct buffer *why)
{
    struct tls *made = tls_new(false, protocol);
    /* Positive: so many of the file's certificates were of no use. The others are. */
    int error = mbedtls_x509_crt_parse_file(&made->certificates, ca_file);
    if (error < 0 || made->certificates.version == 0) {
        tls_release(made);
        return explain(why, "cannot use the CA file", ca_file,
                       error < 0 ? error : MBEDTLS_ERR_X509_INVALID_FORMAT);
    }
    mbedtls_ssl_conf_ca_chain(&made->config, &made->certificates, NULL);
    *tls = made;
    return 0;
}

static int load_pair(struct tls *tls, const char *certificate_file, const char *key_file,
                     struct buffer *why)
{
    int error = mbedtls_x509_crt_parse_file(&tls->certificates, certificate_file);
    if (error != 0)
        return explain(why, "cannot use the certificate", certificate_file,
                       error < 0 ? error : MBEDTLS_ERR_X509_INVALID_FORMAT);
    error = mbedtls_pk_parse_keyfile(&tls->key, key_file, NULL);
    if (error != 0)
        return explain(why, "cannot use the key", key_file, error);
    if (mbedtls_pk_check_pair(&tls->certificates.pk, &tls->key) != 0) {
        buffer_append_format(why, "the key %s is not that of the certificate %s", key_file,
                             certificate_file);
        return ERR_INVALID;
    }
    error = mbedtls_ssl_conf_own_cert(&tls->config, &tls->certificates, &tls->key);
    assert(error == 0);
    return 0;
}

int tls_server_new(struct tls **tls, const char *certificate_file, const char *key_file,
                   const char *protocol, struct buffer *why)
{
    struct tls *made = tls_new(true, protocol);
    int error = load_pair(made, certificate_file, key_file, why);
    if (error != 0) {
        tls_release(made);
        return error;
    }
    if (mbedtls_ssl_ticket_setup(&made->tickets, mbedtls_ctr_drbg_random, &made->random,
                                 MBEDTLS_CIPHER_AES_256_GCM, TICKET_SECONDS) != 0)
        log_fatal("TLS allocation", NULL, ENOMEM);
    mbedtls_ssl_conf_session_tickets_cb(&made->config, mbedtls_ssl_ticket_write,
                                        mbedtls_ssl_ticket_parse, &made->tickets);
    *tls = made;
    return 0;
}
