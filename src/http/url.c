/* Taking a URL apart. Strict, so that no two readers of a URL find two hosts in it. */
#include "http/url.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins_with(struct text text, const char *lower, size_t size)
{
    if (text.size < size)
        return false;
    for (size_t i = 0; i < size; i++) {
        char folded = is_letter(text.data[i]) ? (char)(text.data[i] | 0x20) : text.data[i];
        if (folded != lower[i])
            return false;
    }
    return true;
}

static struct text from(struct text text, size_t at)
{
    return (struct text){text.data + at, text.size - at};
}

/* A name or an IPv4 address. */
static bool is_host(struct text host)
{
    if (host.size == 0 || host.size > HTTP_HOST_MAX)
        return false;
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        if (!is_letter(c) && !is_digit(c) && c != '-' && c != '.' && c != '_')
            return false;
    }
    return host.data[0] != '.' && host.data[0] != '-';
}

static bool is_v6_host(struct text host)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (host.size >= sizeof copy)
        return false;
    memcpy(copy, host.data, host.size);
    copy[host.size] = '\0';
    return strlen(copy) == host.size && inet_pton(AF_INET6, copy, &address) == 1;
}

static bool read_port(struct http_url *url, struct text text)
{
    unsigned port = 0;
    if (text.size == 0 || text.size > 5)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]))
            return false;
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    url->port = (uint16_t)port;
    return port >= 1 && port <= 65535;
}

static bool read_authority(struct http_url *url, struct text authority)
{
    size_t end = 0;
    url->is_v6 = authority.size != 0 && authority.data[0] == '[';
    if (url->is_v6) {
        const char *bracket = memchr(authority.data, ']', authority.size);
        if (bracket == NULL)
            return false;
        url->host = (struct text){authority.data + 1, (size_t)(bracket - authority.data) - 1};
        end = url->host.size + 2;
    } else {
        while (end < authority.size && authority.data[end] != ':')
            end++;
        url->host = (struct text){authority.data, end};
    }
    if (url->is_v6 ? !is_v6_host(url->host) : !is_host(url->host))
        return false;
    if (end == authority.size)
        return true;
    return authority.data[end] == ':' && read_port(url, from(authority, end + 1));
}

bool http_url_parse(struct http_url *url, struct text text)
{
    size_t end = 0;
    *url = (struct http_url){.port = 80};
    if (text.size > HTTP_URL_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '#')
            return false;
    }
    if (begins_with(text, "https://", 8)) {
        url->is_https = true;
        url->port = 443;
        text = from(text, 8);
    } else if (begins_with(text, "http://", 7)) {
        text = from(text, 7);
    } else {
        return false;
    }
    while (end < text.size && text.data[end] != '/' && text.data[end] != '?')
        end++;
    url->target = from(text, end);
    return read_authority(url, (struct text){text.data, end});
}
