/* Names of time zones to their rules, by the machine's time zone database (tzdata). The engine
 * opens no files, so a country's zones are looked up when it is put and kept as rules: it must be
 * put again when a government has changed its mind and the database knows. */
#ifndef SMSD_API_ZONE_H
#define SMSD_API_ZONE_H

#include "base/text.h"

struct arena;

/* An entry of a country's `timezones` as it is kept (engine/quiet_hours.h), in the arena; data
 * NULL: this machine knows no such zone, or no rule of it. The entry is a valid one. */
struct text zone_with_rule(struct arena *arena, struct text entry);

#endif
