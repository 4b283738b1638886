/* What commands did, counted for /metrics: what the engine tells in an effect, and the metric that
 * each of it is. A command that is taken back in a group of commands was counted all the same. */
#include "pipeline/effect.h"

#include "base/metric.h"
#include "engine/engine.h"

static void count_messages(const struct engine_effect *effect)
{
    static const enum metric metrics[] = {
        [MESSAGE_QUEUED] = METRIC_MESSAGES_QUEUED_AGAIN,
        [MESSAGE_SENDING] = METRIC_MESSAGES_ATTEMPTED,
        [MESSAGE_SENT] = METRIC_MESSAGES_SENT,
        [MESSAGE_DELIVERED] = METRIC_MESSAGES_DELIVERED,
        [MESSAGE_UNDELIVERED] = METRIC_MESSAGES_UNDELIVERED,
        [MESSAGE_FAILED] = METRIC_MESSAGES_FAILED,
        [MESSAGE_CANCELED] = METRIC_MESSAGES_CANCELED,
        [MESSAGE_REJECTED] = METRIC_MESSAGES_REJECTED,
    };

    if (effect->messages_new > 0)
        metric_add(METRIC_MESSAGES_ACCEPTED, effect->messages_new);
    for (int i = MESSAGE_QUEUED; i < (int)(sizeof metrics / sizeof *metrics); i++) {
        if (effect->message_steps[i] > 0)
            metric_add(metrics[i], effect->message_steps[i]);
    }
    if (effect->is_receipt_forgotten)
        metric_add(METRIC_RECEIPTS_UNKNOWN, 1);
    if (effect->is_visit_forgotten)
        metric_add(METRIC_WELCOME_WITHDRAWN, 1);
}

static void count_verifications(const struct engine_effect *effect)
{
    static const enum metric metrics[VERIFICATION_STATUSES] = {
        [VERIFICATION_PENDING] = METRIC_VERIFICATIONS,
        [VERIFICATION_VERIFIED] = METRIC_VERIFICATIONS_VERIFIED,
        [VERIFICATION_EXPIRED] = METRIC_VERIFICATIONS_EXPIRED,
        [VERIFICATION_REPLACED] = METRIC_VERIFICATIONS_REPLACED,
        [VERIFICATION_LOCKED] = METRIC_VERIFICATIONS_LOCKED,
    };

    for (int i = VERIFICATION_PENDING; i < VERIFICATION_NONE; i++) {
        if (effect->verification_steps[i] > 0)
            metric_add(metrics[i], effect->verification_steps[i]);
    }
    if (effect->is_check_wrong)
        metric_add(METRIC_VERIFICATION_CHECKS_WRONG, 1);
    if (effect->is_pumping_told)
        metric_add(METRIC_VERIFICATION_PUMPING, 1);
}

void effect_count(const struct engine_effect *effect)
{
    count_messages(effect);
    count_verifications(effect);
}
