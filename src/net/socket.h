/* Streams over connected sockets, TCP or Unix. */
#ifndef SMSD_NET_SOCKET_H
#define SMSD_NET_SOCKET_H

struct stream;
struct uv_loop_s;

/* Takes over `fd`, a connected socket that does not block, and closes it with the stream. NULL if
 * the loop cannot watch it (then `fd` is closed). */
struct stream *socket_stream_new(struct uv_loop_s *loop, int fd);

#endif
