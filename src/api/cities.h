/* What the calls about cities share. */
#ifndef SMSD_API_CITIES_H
#define SMSD_API_CITIES_H

#include <stdbool.h>
#include <stdint.h>

struct call;
struct txn;

/* An API key of a company sees the cities that send for it, and those that send for nobody. */
bool call_may_see_city(const struct call *call, struct txn *txn, uint32_t city);

#endif
