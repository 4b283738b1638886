/* A stream: bytes to and from one peer, without saying what carries them. A socket is one
 * (socket.h); what encrypts on top of a socket (tls.h) is another and offers the same five
 * operations.
 * Whoever holds a stream never blocks: it says what it waits for and is told when there is
 * something to do.
 *
 * Ready means ready: on_ready is called again as long as what is watched is possible (level, not
 * edge), so one read a call is enough. A stream that decrypts and has bytes left of its own calls
 * again by itself.
 *
 * Loop thread only. */
#ifndef SMSD_NET_STREAM_H
#define SMSD_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stream;

enum stream_event {
    STREAM_READABLE = 1,
    STREAM_WRITABLE = 2,
    STREAM_FAILED = 4, /* the peer is gone for good: only stream_close is left to do */
};

/* What read and write return instead of a count. */
enum {
    STREAM_AGAIN = -1,  /* not now: watch, and try again when told */
    STREAM_BROKEN = -2, /* never again: close it */
};

struct stream_ops {
    ssize_t (*read)(struct stream *stream, void *to, size_t size);
    ssize_t (*write)(struct stream *stream, const void *from, size_t size);
    void (*watch)(struct stream *stream, int events);
    void (*end)(struct stream *stream);
    void (*close)(struct stream *stream);
    size_t (*peer)(struct stream *stream, char *to, size_t size); /* NULL: it cannot tell */
};

struct stream {
    const struct stream_ops *ops;
    /* Set by who holds the stream, before it watches. Closing the stream inside is allowed. */
    void (*on_ready)(void *owner, int events);
    void *owner;
    /* Set by the stream: a handshake is under way, and nothing can be read or written yet. */
    bool is_opening;
};

/* Up to `size` bytes; 0: the peer will send no more. Less than `size` means that there is no more
 * now. */
static inline ssize_t stream_read(struct stream *stream, void *to, size_t size)
{
    return stream->ops->read(stream, to, size);
}

/* How many of the bytes were taken: all, or some, then STREAM_AGAIN. Never raises SIGPIPE. */
static inline ssize_t stream_write(struct stream *stream, const void *from, size_t size)
{
    return stream->ops->write(stream, from, size);
}

/* From now on on_ready is called for these events (0: none) and for STREAM_FAILED. */
static inline void stream_watch(struct stream *stream, int events)
{
    stream->ops->watch(stream, events);
}

/* The peer is told that no more bytes will come; reading goes on. */
static inline void stream_end(struct stream *stream)
{
    stream->ops->end(stream);
}

/* Writes the peer's address without its port, no NUL, and returns its length; 0: it has none. */
static inline size_t stream_peer(struct stream *stream, char *to, size_t size)
{
    return stream->ops->peer == NULL ? 0 : stream->ops->peer(stream, to, size);
}

/* Frees the stream; on_ready is not called again. */
static inline void stream_close(struct stream *stream)
{
    stream->ops->close(stream);
}

#endif
