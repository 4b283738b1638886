/* How many grabs a user may make in a minute (PKT-13): a bucket of tokens per user, filled anew a
 * minute after its first use. A table of fixed size; when it is full, the bucket that was used
 * least makes room, so that forgetting lets hardly anything through. Counts attempts, whatever came
 * of them. */
#ifndef SMSD_API_GRAB_LIMIT_H
#define SMSD_API_GRAB_LIMIT_H

#include <stdint.h>

#include "base/text.h"

struct grab_limit;

struct grab_limit *grab_limit_new(uint32_t grabs_per_minute);
void grab_limit_free(struct grab_limit *limit);
/* 0: goes ahead. Otherwise the seconds after which the user may grab again. */
int grab_limit_take(struct grab_limit *limit, struct text user, int64_t now_ms);

#endif
