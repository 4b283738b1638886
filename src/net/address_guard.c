/* The guard: two tables of prefixes. What is hard about it is what embeds: an IPv6 address that
 * carries an IPv4 address reaches that one where somebody translates, so the inner one decides. */
#include "net/address_guard.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct prefix_v4 {
    uint32_t address;
    int bits;
};

/* RFC 6890 and its registry. */
static const struct prefix_v4 special_v4[] = {
    {0x00000000, 8},  /* 0.0.0.0: this network, unspecified */
    {0x0a000000, 8},  /* 10.0.0.0: private */
    {0x64400000, 10}, /* 100.64.0.0: shared by a carrier's customers */
    {0x7f000000, 8},  /* 127.0.0.0: loopback */
    {0xa9fe0000, 16}, /* 169.254.0.0: link-local; clouds serve their secrets there */
    {0xac100000, 12}, /* 172.16.0.0: private */
    {0xc0000000, 24}, /* 192.0.0.0: protocol assignments */
    {0xc0000200, 24}, /* 192.0.2.0: documentation */
    {0xc0586300, 24}, /* 192.88.99.0: 6to4 relays, given up */
    {0xc0a80000, 16}, /* 192.168.0.0: private */
    {0xc6120000, 15}, /* 198.18.0.0: benchmarking */
    {0xc6336400, 24}, /* 198.51.100.0: documentation */
    {0xcb007100, 24}, /* 203.0.113.0: documentation */
    {0xe0000000, 4},  /* 224.0.0.0: multicast */
    {0xf0000000, 4},  /* 240.0.0.0: reserved, broadcast */
};

enum verdict { NOT_PUBLIC, PUBLIC, AS_EMBEDDED };

struct prefix_v6 {
    uint8_t address[16];
    int bits;
    enum verdict verdict;
    int embedded_at; /* where the IPv4 address begins */
};

/* The first that fits decides; what fits none is not public. */
static const struct prefix_v6 special_v6[] = {
    {{[10] = 0xff, 0xff}, 96, AS_EMBEDDED, 12},      /* ::ffff:0:0: IPv4-mapped */
    {{0x00, 0x64, 0xff, 0x9b}, 96, AS_EMBEDDED, 12}, /* 64:ff9b::, NAT64 */
    {{0x20, 0x02}, 16, AS_EMBEDDED, 2},              /* 2002::, 6to4 */
    {{0x20, 0x01, 0x00, 0x00}, 23, NOT_PUBLIC, 0},   /* 2001::, protocols; Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, NOT_PUBLIC, 0},   /* 2001:db8::, documentation */
    {{0x3f, 0xff, 0x00}, 20, NOT_PUBLIC, 0},         /* 3fff::, documentation */
    {{0x20, 0x00}, 3, PUBLIC, 0},                    /* 2000::, global unicast */
};

static bool is_public_v4(uint32_t address)
{
    for (size_t i = 0; i < sizeof special_v4 / sizeof *special_v4; i++) {
        if (((address ^ special_v4[i].address) >> (32 - special_v4[i].bits)) == 0)
            return false;
    }
    return true;
}

static bool has_prefix(const uint8_t *address, const uint8_t *prefix, int bits)
{
    int bytes = bits / 8, rest = bits % 8;
    if (memcmp(address, prefix, (size_t)bytes) != 0)
        return false;
    return rest == 0 || ((address[bytes] ^ prefix[bytes]) >> (8 - rest)) == 0;
}

static bool is_public_v6(const uint8_t *address)
{
    for (size_t i = 0; i < sizeof special_v6 / sizeof *special_v6; i++) {
        const struct prefix_v6 *row = &special_v6[i];
        if (!has_prefix(address, row->address, row->bits))
            continue;
        if (row->verdict != AS_EMBEDDED)
            return row->verdict == PUBLIC;
        const uint8_t *inner = address + row->embedded_at;
        return is_public_v4((uint32_t)inner[0] << 24 | (uint32_t)inner[1] << 16 |
                            (uint32_t)inner[2] << 8 | inner[3]);
    }
    return false;
}

bool address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return is_public_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        return is_public_v6(v6.sin6_addr.s6_addr);
    }
    return false;
}
