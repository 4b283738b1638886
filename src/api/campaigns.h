/* What the handlers of campaigns share (campaigns.c, campaign_lists.c, campaign_upload.c): finding
 * one as far as the caller may see it, and how one of its errors is written. */
#ifndef SMSD_API_CAMPAIGNS_H
#define SMSD_API_CAMPAIGNS_H

#include "api/call.h"
#include "engine/campaign.h"

/* The campaign of the path, as far as the caller may see it. */
bool call_find_campaign(const struct call *call, struct txn *txn, struct campaign_row *row);
/* The same in a look of its own; False: replied. */
bool call_campaign(struct call *call, struct campaign_row *row);

/* The members of an error, as lists and uploads show it. */
void write_campaign_error(struct json_writer *writer, const struct campaign_error *error);

#endif
