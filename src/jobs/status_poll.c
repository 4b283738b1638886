/* Has providers asked about messages whose receipt is late (SMS-12): the gateways know whom and
 * how.
 */
#include "gateway/gateway.h"
#include "jobs/job.h"

static void on_done(void *context, uint64_t asked, bool is_failed)
{
    job_finish(context, asked, is_failed);
}

void job_status_poll(struct job *job)
{
    gateways_poll(job->gateways, on_done, job);
}
