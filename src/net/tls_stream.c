/* A stream that encrypts on top of another. The library reads from the stream below as it needs
 * bytes, and what it writes is gathered here and sent in one go: it would send each message of a
 * handshake by itself.
 *
 * What is hard about it is what is ready. Bytes may lie decrypted, or undecrypted, inside of the
 * library while the socket is silent: then a timer calls instead. And closing is allowed in every
 * call to the holder: such a call is the last thing a function here does. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/stream.h"
#include "net/tls.h"
#include "net/tls_struct.h"

enum {
    BURST_NS = 20 * 1000 * 1000,    /* of the time of others that handshakes may take beforehand */
    WRITE_BYTES = 64 * 1024,        /* encrypted in one go */
    OUT_BYTES_MAX = 2 * WRITE_BYTES /* what a peer may provoke that does not read */
};

/* What f_send and f_recv return, beside what the library has names for. */
enum { SEND_FAILED = -0x4E, RECEIVE_FAILED = -0x4C };

struct tls_stream {
    struct stream stream; /* first: a stream is cast to it */
    struct stream *under;
    struct tls *tls;
    mbedtls_ssl_context ssl;
    uv_timer_t again;  /* something is ready that the stream below does not know of */
    struct buffer out; /* encrypted */
    size_t sent;       /* of `out` */
    int watched;
    uint64_t reserved_ns; /* of the handshakes' time: it waits for its turn; 0: it does not */
    bool is_broken, is_ended;
    bool is_input_over; /* reading has come to `input_end`, for good */
    ssize_t input_end;
    const char *why;
    size_t address_size; /* the host is an address: 4 or 16; 0: a name */
    unsigned char address[16];
};

static struct tls_stream *of(struct stream *stream)
{
    return (struct tls_stream *)stream;
}

/* Below. */

static int on_send(void *context, const unsigned char *from, size_t size)
{
    struct tls_stream *tls = context;
    if (tls->out.size - tls->sent > OUT_BYTES_MAX)
        return SEND_FAILED;
    buffer_append(&tls->out, from, size);
    return (int)size;
}

static int on_receive(void *context, unsigned char *to, size_t size)
{
    struct tls_stream *tls = context;
    ssize_t count = stream_read(tls->under, to, size);
    if (count >= 0)
        return (int)count;
    return count == STREAM_AGAIN ? MBEDTLS_ERR_SSL_WANT_READ : RECEIVE_FAILED;
}

static bool has_out(const struct tls_stream *tls)
{
    return tls->out.size != 0;
}

/* Sends what was gathered. */
static void flush(struct tls_stream *tls)
{
    while (tls->sent < tls->out.size) {
        ssize_t count =
            stream_write(tls->under, tls->out.data + tls->sent, tls->out.size - tls->sent);
        if (count == STREAM_AGAIN)
            return;
        if (count < 0) {
            tls->is_broken = true;
            return;
        }
        tls->sent += (size_t)count;
    }
    buffer_release(&tls->out); /* a silent stream keeps none */
    tls->sent = 0;
    if (tls->is_ended)
        stream_end(tls->under);
}

/* Handshake. */

static const char *why_not_verified(uint32_t flags)
{
    if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
        return "the certificate is for another host";
    if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
        return "the certificate has expired";
    if (flags & MBEDTLS_X509_BADCERT_FUTURE)
        return "the certificate is not valid yet";
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return "the certificate is not signed by an authority that is trusted";
    return "the certificate is not acceptable";
}

static const char *why_of(const struct tls_stream *tls, int error)
{
    switch (error) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
        return why_not_verified(mbedtls_ssl_get_verify_result(&tls->ssl));
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case RECEIVE_FAILED:
        return "closed in the middle of the TLS handshake";
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return "the peer refused the TLS handshake";
    case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION:
        return "the peer speaks no TLS 1.2";
    case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN:
        return "the peer has no TLS cipher in common";
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        return "the peer speaks no TLS";
    default:
        return "the TLS handshake failed";
    }
}

static void shake_hands(struct tls_stream *tls)
{
    int error = mbedtls_ssl_handshake(&tls->ssl);
    flush(tls); /* an alert, too */
    if (error == 0) {
        tls->stream.is_opening = false;
    } else if (error != MBEDTLS_ERR_SSL_WANT_READ && error != MBEDTLS_ERR_SSL_WANT_WRITE) {
        tls->why = why_of(tls, error);
        tls->is_broken = true;
    } else if (tls->is_broken) {
        tls->why = why_of(tls, RECEIVE_FAILED);
    }
}

/* A handshake is some milliseconds of computing that a client has for a few bytes. So for each one
 * as much time goes by without any, but for a burst: who comes too early is given a turn, each a
 * later one, and is not read until then. */

static void on_again(uv_timer_t *timer);

static bool is_turn(struct tls_stream *stream)
{
    struct tls *tls = stream->tls;
    uint64_t now = clock_monotonic_ns();
    if (!tls->is_server)
        return true;
    if (tls->free_at_ns < now)
        tls->free_at_ns = now;
    uint64_t wait = tls->free_at_ns - now;
    if (wait <= BURST_NS)
        return true;
    stream->reserved_ns = 2 * tls->step_ns;
    tls->free_at_ns += stream->reserved_ns;
    uv_timer_start(&stream->again, on_again, (wait - BURST_NS) / 1000000 + 1, 0);
    return false;
}

static void give_turn_back(struct tls_stream *stream)
{
    stream->tls->free_at_ns -= stream->reserved_ns;
    stream->reserved_ns = 0;
}

static void take_turn(struct tls_stream *stream)
{
    struct tls *tls = stream->tls;
    uint64_t began = clock_monotonic_ns();
    give_turn_back(stream);
    shake_hands(stream);
    uint64_t took = clock_monotonic_ns() - began;
    tls->free_at_ns += 2 * took;
    tls->step_ns = (7 * tls->step_ns + took) / 8;
}

/* Ready. */

static bool has_input(const struct tls_stream *tls)
{
    return tls->is_input_over || mbedtls_ssl_check_pending(&tls->ssl) != 0;
}

/* What to be told by whom. */
static void settle(struct tls_stream *tls)
{
    int events = tls->watched & STREAM_READABLE;
    if (tls->reserved_ns != 0) {
        stream_watch(tls->under, 0);
        return;
    }
    bool is_ready_already = tls->is_broken;
    if (tls->stream.is_opening) {
        events = STREAM_READABLE;
    } else {
        events |= tls->watched & STREAM_WRITABLE;
        is_ready_already |= (tls->watched & STREAM_READABLE) && has_input(tls);
    }
    if (has_out(tls))
        events |= STREAM_WRITABLE;
    stream_watch(tls->under, tls->is_broken ? 0 : events);
    if (is_ready_already)
        uv_timer_start(&tls->again, on_again, 0, 0);
    else
        uv_timer_stop(&tls->again);
}

static void on_again(uv_timer_t *timer)
{
    struct tls_stream *tls = timer->data;
    if (tls->reserved_ns != 0) {
        take_turn(tls);
        settle(tls);
        return;
    }
    settle(tls); /* again and again, until the holder reads or looks away */
    tls->stream.on_ready(tls->stream.owner, tls->is_broken ? STREAM_FAILED : STREAM_READABLE);
}

static void on_ready(void *owner, int events)
{
    struct tls_stream *tls = owner;
    bool was_opening = tls->stream.is_opening;
    if (events & STREAM_FAILED)
        tls->is_broken = true;
    else if (was_opening && is_turn(tls))
        take_turn(tls);
    else if (!was_opening && events & STREAM_WRITABLE)
        flush(tls);
    settle(tls);
    if (was_opening || tls->is_broken)
        return; /* the level tells what is ready now, the timer what is broken */
    if (has_out(tls))
        events &= ~STREAM_WRITABLE;
    events &= tls->watched;
    if (events != 0)
        tls->stream.on_ready(tls->stream.owner, events);
}

/* Above. */

/* What reading came to when it did not come to bytes. */
static void note_end(struct tls_stream *tls, int result)
{
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE)
        return;
    tls->is_input_over = true;
    tls->input_end = result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : STREAM_BROKEN;
}

static ssize_t tls_read(struct stream *stream, void *to, size_t size)
{
    struct tls_stream *tls = of(stream);
    size_t count = 0;
    assert(size != 0);
    if (tls->is_broken)
        return STREAM_BROKEN;
    if (stream->is_opening)
        return STREAM_AGAIN;
    while (count < size && !tls->is_input_over) {
        int result = mbedtls_ssl_read(&tls->ssl, (unsigned char *)to + count, size - count);
        if (result <= 0) {
            note_end(tls, result);
            break;
        }
        count += (size_t)result;
    }
    flush(tls); /* an alert, perhaps */
    tls->is_broken |= count == 0 && tls->is_input_over && tls->input_end == STREAM_BROKEN;
    settle(tls);
    if (count != 0) /* the end shows at the next read */
        return (ssize_t)count;
    return tls->is_input_over ? tls->input_end : STREAM_AGAIN;
}

/* Encrypts up to WRITE_BYTES; how many bytes were taken. */
static size_t encrypt(struct tls_stream *tls, const unsigned char *from, size_t size)
{
    size_t taken = 0;
    while (taken < size && tls->out.size < WRITE_BYTES) {
        int result = mbedtls_ssl_write(&tls->ssl, from + taken, size - taken);
        if (result <= 0) {
            tls->is_broken = true;
            break;
        }
        taken += (size_t)result;
    }
    return taken;
}

static ssize_t tls_write(struct stream *stream, const void *from, size_t size)
{
    struct tls_stream *tls = of(stream);
    assert(size != 0 && !tls->is_ended);
    if (stream->is_opening && !tls->is_broken)
        return STREAM_AGAIN;
    if (has_out(tls) && !tls->is_broken)
        flush(tls);
    if (tls->is_broken)
        return STREAM_BROKEN;
    if (has_out(tls))
        return STREAM_AGAIN;
    size_t taken = encrypt(tls, from, size);
    if (taken != 0)
        flush(tls);
    settle(tls);
    /* Broken before the first byte left: the peer has seen nothing of it. */
    return tls->is_broken && tls->sent == 0 ? STREAM_BROKEN : (ssize_t)taken;
}

static void tls_watch(struct stream *stream, int events)
{
    of(stream)->watched = events;
    settle(of(stream));
}

static void say_end(struct tls_stream *tls)
{
    if (tls->stream.is_opening || tls->is_broken || tls->is_ended)
        return;
    (void)mbedtls_ssl_close_notify(&tls->ssl);
    tls->is_ended = true;
    flush(tls);
}

static void tls_end(struct stream *stream)
{
    say_end(of(stream));
    settle(of(stream));
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void tls_close(struct stream *stream)
{
    struct tls_stream *tls = of(stream);
    say_end(tls);
    give_turn_back(tls);
    stream_close(tls->under);
    mbedtls_ssl_free(&tls->ssl);
    buffer_release(&tls->out);
    tls_release(tls->tls);
    uv_close((uv_handle_t *)&tls->again, on_timer_closed);
}

static const struct stream_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .watch = tls_watch,
    .end = tls_end,
    .close = tls_close,
};

/* Beginning. */

/* The library compares names only: an address must be among the certificate's own (RFC 5280
 * §4.2.1.6, iPAddress). */
static int verify_address(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    const struct tls_stream *tls = context;
    if (depth != 0)
        return 0;
    for (const mbedtls_x509_sequence *name = &certificate->subject_alt_names; name != NULL;
         name = name->next) {
        if (name->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_X509_SAN_IP_ADDRESS) &&
            name->buf.len == tls->address_size &&
            memcmp(name->buf.p, tls->address, tls->address_size) == 0)
            return 0;
    }
    *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return 0;
}

static int set_host(struct tls_stream *tls, const char *host)
{
    if (inet_pton(AF_INET, host, tls->address) == 1)
        tls->address_size = 4;
    else if (inet_pton(AF_INET6, host, tls->address) == 1)
        tls->address_size = 16;
    else
        return mbedtls_ssl_set_hostname(&tls->ssl, host);
    mbedtls_ssl_set_verify(&tls->ssl, verify_address, tls);
    return 0;
}

struct stream *tls_stream_new(struct tls *made_with, struct uv_loop_s *loop, struct stream *under,
                              const char *host)
{
    struct tls_stream *tls = calloc(1, sizeof *tls);
    assert((host == NULL) == made_with->is_server);
    if (tls == NULL)
        log_fatal("TLS allocation", NULL, ENOMEM);
    made_with->holders++;
    tls->tls = made_with;
    tls->under = under;
    tls->stream.ops = &tls_ops;
    tls->stream.is_opening = true;
    under->on_ready = on_ready;
    under->owner = tls;
    buffer_init(&tls->out);
    int error = uv_timer_init(loop, &tls->again);
    assert(error == 0);
    tls->again.data = tls;
    mbedtls_ssl_init(&tls->ssl);
    error = mbedtls_ssl_setup(&tls->ssl, &made_with->config);
    if (error == 0 && host != NULL)
        error = set_host(tls, host);
    if (error != 0)
        log_fatal("TLS allocation", NULL, ENOMEM);
    mbedtls_ssl_set_bio(&tls->ssl, tls, on_send, on_receive, NULL);
    if (host != NULL)
        shake_hands(tls); /* the client speaks first */
    settle(tls);
    return &tls->stream;
}

const char *tls_stream_why(const struct stream *stream)
{
    assert(stream->ops == &tls_ops);
    return ((const struct tls_stream *)stream)->why;
}
