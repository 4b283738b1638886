/* Outgoing TCP streams: a host's addresses are asked for, then tried one after the other until one
 * answers. The host may be an address itself ("192.0.2.1", "2001:db8::1", without brackets).
 *
 * Names are resolved by libuv's pool of four threads: a name server that does not answer holds one
 * of them until the system's resolver gives up, also when the connector was canceled, and the end
 * of the loop waits for it.
 *
 * Loop thread only. */
#ifndef SMSD_NET_CONNECTOR_H
#define SMSD_NET_CONNECTOR_H

#include <stdbool.h>
#include <stdint.h>

struct connector;
struct stream;
struct uv_loop_s;

enum {
    CONNECTOR_ADDRESSES_MAX = 16, /* tried; a name may have more */
    CONNECTOR_HOST_MAX = 253,
};

struct connector_options {
    const char *host; /* at most CONNECTOR_HOST_MAX bytes, copied */
    uint16_t port;
    uint32_t address_timeout_ms; /* for each address */
    bool is_public_only;         /* see address_guard.h: each address is held against it just before
                                    it is connected to */
    /* One of the two is called once, never inside of connector_new; then the connector is gone. Who
     * is given the stream closes it. `error` is ERR_RESOLVE, ERR_FORBIDDEN (there were only
     * addresses that are not public), ERR_TIMEOUT or ERR_CONNECT: why the last address that was
     * tried failed, in words in `why`, which are static. */
    void (*on_connected)(void *owner, struct stream *stream);
    void (*on_failed)(void *owner, int error, const char *why);
    void *owner;
};

struct connector *connector_new(struct uv_loop_s *loop, const struct connector_options *options);
/* Before either was called: neither will be. Memory goes in the loop's next turns. */
void connector_cancel(struct connector *connector);

#endif
