/* RFC 3339 timestamps, UTC, with milliseconds: "2026-11-21T19:41:00.123Z". */
#ifndef SMSD_BASE_TIME_TEXT_H
#define SMSD_BASE_TIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIME_TEXT_SIZE = 24 }; /* without a NUL */

/* Years 1970 to 9999; what lies outside is written as the nearest end. Repeated calls within one
 * second are cheap (the date is remembered per thread). */
void time_format(char to[TIME_TEXT_SIZE], int64_t unix_ms);
/* RFC 3339 with any offset and 0 to 9 digits of fraction (cut to milliseconds); "T" and "Z" in
 * either case. False on anything else, on days that do not exist, on leap seconds (Unix time has
 * none) and on instants outside the years 1970 to 9999 of UTC. */
bool time_parse(const char *text, size_t size, int64_t *unix_ms);

#endif
