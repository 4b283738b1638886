/* The form of an endpoint's URL: what smsd may be told to call at all. */
#include <string.h>

#include "engine/webhook.h"

enum { PORT_MAX = 65535, PORT_FREE_MIN = 1024 };

static bool starts_with(struct text text, const char *prefix)
{
    size_t size = strlen(prefix);

    return text.size > size && memcmp(text.data, prefix, size) == 0;
}

static bool is_printable(struct text url)
{
    for (size_t i = 0; i < url.size; i++) {
        if (url.data[i] <= ' ' || url.data[i] > '~' || strchr("\"<>\\^`{|}#", url.data[i]) != NULL)
            return false;
    }
    return true;
}

static bool port_is_allowed(const char *digits, size_t size)
{
    unsigned port = 0;

    if (size == 0 || size > 5)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        port = port * 10 + (unsigned)(digits[i] - '0');
    }
    return port == 80 || port == 443 || (port >= PORT_FREE_MIN && port <= PORT_MAX);
}

/* host, host:port, [address] or [address]:port. */
static bool authority_is_valid(const char *data, size_t size)
{
    const char *end = data + size, *host_end;

    if (size == 0 || memchr(data, '@', size) != NULL)
        return false;
    if (*data == '[') {
        host_end = memchr(data, ']', size);
        if (host_end == NULL || host_end - data < 3)
            return false;
        host_end++;
    } else {
        host_end = memchr(data, ':', size);
        if (host_end == NULL)
            host_end = end;
        if (host_end == data)
            return false;
    }
    return host_end == end ||
           (*host_end == ':' && port_is_allowed(host_end + 1, (size_t)(end - host_end - 1)));
}

bool webhook_url_is_valid(const char *data, size_t size)
{
    struct text url = {data, size};
    const char *authority;
    size_t authority_size;

    if (size > WEBHOOK_URL_MAX || !is_printable(url))
        return false;
    if (starts_with(url, "https://"))
        authority = data + 8;
    else if (starts_with(url, "http://"))
        authority = data + 7;
    else
        return false;
    authority_size = 0;
    while (authority + authority_size < data + size &&
           strchr("/?", authority[authority_size]) == NULL)
        authority_size++;
    return authority_is_valid(authority, authority_size);
}
