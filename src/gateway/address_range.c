/* Reading and comparing ranges of addresses. */
#include "gateway/address_range.h"

#include <arpa/inet.h>
#include <string.h>

enum { ADDRESS_TEXT_MAX = 64, IPV4_BITS_BEFORE = 96 };

static bool parse_address(struct text text, uint8_t bytes[16], bool *is_ipv4)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char copy[ADDRESS_TEXT_MAX];

    if (text.size == 0 || text.size >= sizeof copy || memchr(text.data, '\0', text.size) != NULL)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    memcpy(bytes, mapped, sizeof mapped);
    *is_ipv4 = inet_pton(AF_INET, copy, bytes + 12) == 1;
    return *is_ipv4 || inet_pton(AF_INET6, copy, bytes) == 1;
}

static bool parse_bits(struct text text, unsigned max, unsigned *bits)
{
    *bits = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *bits = *bits * 10 + (unsigned)(text.data[i] - '0');
        if (*bits > max)
            return false;
    }
    return text.size > 0;
}

bool address_range_parse(struct text text, struct address_range *range)
{
    const char *slash = text.size == 0 ? NULL : memchr(text.data, '/', text.size);
    struct text address = {text.data, slash == NULL ? text.size : (size_t)(slash - text.data)};
    unsigned bits;
    bool is_ipv4;

    if (!parse_address(address, range->bytes, &is_ipv4))
        return false;
    range->bits = 128;
    if (slash == NULL)
        return true;
    if (!parse_bits((struct text){slash + 1, text.size - address.size - 1}, is_ipv4 ? 32 : 128,
                    &bits))
        return false;
    range->bits = is_ipv4 ? bits + IPV4_BITS_BEFORE : bits;
    return true;
}

bool address_range_has(const struct address_range *range, struct text address)
{
    uint8_t bytes[16];
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    bool is_ipv4;

    if (!parse_address(address, bytes, &is_ipv4) || memcmp(bytes, range->bytes, whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ range->bytes[whole]) >> (8 - rest)) == 0;
}
