/* TLS 1.2 (RFC 5246) over any stream, for both ends: what comes out is a stream again.
 *
 * ECDHE with AES-GCM or ChaCha20-Poly1305 and nothing else; no renegotiation. A client verifies the
 * certificate's chain, time and name, always; a server asks for no certificate and gives tickets,
 * so that a client that comes back within the hour is spared the dear part of a handshake.
 *
 * While stream->is_opening the handshake is under way: nothing can be read or written. It goes on
 * by itself, whatever is watched, as long as both ends do; how long that may take is the holder's
 * affair. If it fails the holder is told STREAM_FAILED and tls_stream_why says why. All handshakes
 * of a server together have half of the loop's time and no more: a flood of them waits in line for
 * its turns, and streams that are open go on.
 *
 * The end is told (close_notify): a stream whose peer vanished without it is STREAM_BROKEN, not
 * ended, so that nobody can cut an answer short. A stream takes about 35 KiB while it is there.
 *
 * Loop thread only. */
#ifndef SMSD_NET_TLS_H
#define SMSD_NET_TLS_H

struct buffer;
struct stream;
struct tls;
struct uv_loop_s;

/* What streams of one end are made with. `protocol` is what ALPN offers or accepts ("http/1.1"); it
 * is static. Files are PEM. 0, or ERR_IO or ERR_INVALID with a sentence in `why`: a file that
 * cannot be read or understood, a key that is another certificate's. */
int tls_client_new(struct tls **tls, const char *ca_file, const char *protocol, struct buffer *why);
int tls_server_new(struct tls **tls, const char *certificate_file, const char *key_file,
                   const char *protocol, struct buffer *why);
/* Streams that were made with it go on. */
void tls_release(struct tls *tls);

/* Takes `under` over and closes it with the stream. `host`: for a client, the name or address that
 * the certificate must be for; NULL for a server. */
struct stream *tls_stream_new(struct tls *tls, struct uv_loop_s *loop, struct stream *under,
                              const char *host);
/* Why the handshake failed, in words for an operator; static. NULL: it did not. */
const char *tls_stream_why(const struct stream *stream);

#endif
