/* Sets of eight buckets, chosen by a keyed hash of the user, so that nobody can push a chosen
 * bucket out. The full hash stands for the user: two who share one share a bucket, once in 2^64. */
#include "api/grab_limit.h"

#include <assert.h>
#include <stdlib.h>

#include "base/entropy.h"
#include "base/hash.h"

enum { SETS = 1 << 15, BUCKETS = 8, MINUTE_MS = 60000 }; /* 6 MiB in all */

struct bucket {
    uint64_t user; /* hash; 0: free */
    int64_t since_ms;
    uint64_t used;
};

struct grab_limit {
    struct hash_key secret;
    uint32_t grabs_per_minute;
    struct bucket buckets[SETS][BUCKETS];
};

struct grab_limit *grab_limit_new(uint32_t grabs_per_minute)
{
    struct grab_limit *limit = calloc(1, sizeof *limit); /* touched lazily */

    assert(limit != NULL && grabs_per_minute > 0);
    entropy_fill(&limit->secret, sizeof limit->secret);
    limit->grabs_per_minute = grabs_per_minute;
    return limit;
}

void grab_limit_free(struct grab_limit *limit)
{
    free(limit);
}

/* The user's own, or the one to take: free, or over, or the least used. */
static struct bucket *find(struct bucket *set, uint64_t user, int64_t now_ms)
{
    struct bucket *least = &set[0];

    for (int i = 0; i < BUCKETS; i++) {
        struct bucket *bucket = &set[i];
        if (bucket->user == user)
            return bucket;
        if (bucket->user == 0 || now_ms - bucket->since_ms >= MINUTE_MS)
            bucket->used = 0;
        if (bucket->used < least->used)
            least = bucket;
    }
    return least;
}

int grab_limit_take(struct grab_limit *limit, struct text user, int64_t now_ms)
{
    uint64_t hash = hash64(&limit->secret, user.data, user.size);
    struct bucket *bucket;

    hash += hash == 0;
    bucket = find(limit->buckets[hash % SETS], hash, now_ms);
    if (bucket->user != hash || now_ms - bucket->since_ms >= MINUTE_MS)
        *bucket = (struct bucket){.user = hash, .since_ms = now_ms};
    if (bucket->used >= limit->grabs_per_minute)
        return (int)((MINUTE_MS - (now_ms - bucket->since_ms) + 999) / 1000);
    bucket->used++;
    return 0;
}
