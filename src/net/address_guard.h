/* Which addresses may be connected to on behalf of somebody else, who names a URL: public ones
 * only, so that nobody reaches what this machine or its network offers to itself (server-side
 * request forgery). The rows are those of the IANA special-purpose address registries. */
#ifndef SMSD_NET_ADDRESS_GUARD_H
#define SMSD_NET_ADDRESS_GUARD_H

#include <stdbool.h>

struct sockaddr;

/* Not public: loopback, private, link-local, shared (100.64.0.0/10), unique-local, multicast,
 * unspecified, documentation, benchmarking, reserved; what embeds an IPv4 address (mapped, 6to4,
 * NAT64) is as public as that; every other family is not. */
bool address_is_public(const struct sockaddr *address);

#endif
