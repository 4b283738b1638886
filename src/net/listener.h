/* A listening socket, TCP or Unix, that turns whoever connects into a stream.
 *
 * Running out of descriptors does not make it spin: who waits is told `refusal` with the help of
 * a spare descriptor and closed, and accepting pauses for LISTENER_PAUSE_MS. Loop thread only. */
#ifndef SMSD_NET_LISTENER_H
#define SMSD_NET_LISTENER_H

#include <stddef.h>

struct buffer;
struct listener;
struct stream;
struct uv_loop_s;

enum {
    LISTENER_BACKLOG = 4096,
    LISTENER_PAUSE_MS = 100,
};

struct listener_options {
    const char *address; /* see address.h; port 0 picks one */
    const char
        *refusal; /* bytes for who cannot be served for want of a descriptor; kept by reference */
    size_t refusal_size;
    void (*on_stream)(void *owner, struct stream *stream); /* who takes the stream closes it */
    void (*on_refused)(void *owner);                       /* one was told the refusal */
    void *owner;
};

/* Listens. `bound` gets the address as text, with the port. 0, or an enum error with a sentence in
 * `why`: ERR_INVALID (not an address), ERR_ADDRESS (taken, not ours), ERR_PERMISSION, ERR_IO. A
 * Unix socket has mode 0660; one that is there already and that nobody listens on is replaced. */
int listener_new(struct listener **listener, struct uv_loop_s *loop,
                 const struct listener_options *options, struct buffer *bound, struct buffer *why);
/* Stops listening at once and removes a Unix socket's file. Memory goes in the loop's next turn. */
void listener_free(struct listener *listener);

#endif
