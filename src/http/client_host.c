/* Hosts by scheme, name, port and whether private addresses are allowed: a connection to a private
 * address must never serve a call that may not go there. The hash is keyed: clients choose names.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "http/client_struct.h"

static bool is_host(const struct http_client_host *host, const struct http_client_host *wanted)
{
    return host->port == wanted->port && host->is_https == wanted->is_https &&
           host->is_private_allowed == wanted->is_private_allowed &&
           strcmp(host->name, wanted->name) == 0;
}

static void fold(char *to, struct text name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        to[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    to[name.size] = '\0';
}

static struct http_client_host *host_new(const struct http_client_host *wanted,
                                         struct http_ring *bucket)
{
    struct http_client_host *host = malloc(sizeof *host);
    if (host == NULL)
        log_fatal("host allocation", NULL, ENOMEM);
    *host = *wanted;
    http_ring_init(&host->idle);
    http_ring_init(&host->waiting);
    http_ring_put(bucket, &host->bucket);
    return host;
}

struct http_client_host *http_client_host_get(struct http_client *client,
                                              const struct http_url *url, bool is_private_allowed)
{
    struct http_client_host wanted = {.client = client,
                                      .is_https = url->is_https,
                                      .is_private_allowed = is_private_allowed,
                                      .port = url->port};
    assert(url->host.size <= HTTP_HOST_MAX);
    fold(wanted.name, url->host);
    uint64_t hash = hash64(&client->hash_key, wanted.name, url->host.size);
    struct http_ring *bucket = &client->buckets[hash % HTTP_CLIENT_BUCKETS];
    for (struct http_ring *link = bucket->next; link != bucket; link = link->next) {
        struct http_client_host *host = http_ring_owner(link, struct http_client_host, bucket);
        if (is_host(host, &wanted))
            return host;
    }
    return host_new(&wanted, bucket);
}

void http_client_host_settle(struct http_client_host *host)
{
    if (host->connection_count != 0 || !http_ring_is_empty(&host->waiting))
        return;
    http_ring_take(&host->line);
    http_ring_take(&host->bucket);
    free(host);
}
