/* A line a command, for people: a failure is read from these. */
#include <stdarg.h>
#include <stdio.h>

#include "base/id.h"
#include "engine/catalog.h"
#include "engine/city.h"
#include "engine/ledger.h"
#include "engine/message.h"
#include "episode.h"
#include "wrong.h"

void trace_words(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
}

static void account_words(struct text account)
{
    trace_words("%.*s", (int)account.size, account.data);
}

static void money_words(const struct money_command *money)
{
    account_words(money->account);
    trace_words(" %lld", (long long)money->amount);
    if (money->reference.size > 0)
        trace_words(" reference=%zu bytes", money->reference.size);
}

static void number_words(const char *prefix, uint64_t number)
{
    char id[ID_TEXT_MAX];

    trace_words("%.*s", (int)id_format(id, prefix, number), id);
}

static void create_words(const struct account_create_command *create)
{
    account_words(create->id);
    trace_words(" currency=%.3s credit_limit=%lld", create->currency,
                (long long)create->credit_limit);
    if (create->has_low_balance)
        trace_words(" low_balance=%lld", (long long)create->low_balance);
}

static void update_words(const struct account_update_command *update)
{
    account_words(update->id);
    if (update->has_status)
        trace_words(" status=%s", update->status == ACCOUNT_FROZEN ? "frozen" : "active");
    if (update->has_credit_limit)
        trace_words(" credit_limit=%lld", (long long)update->credit_limit);
    if (update->has_low_balance && update->is_low_balance_cleared)
        trace_words(" low_balance=null");
    else if (update->has_low_balance)
        trace_words(" low_balance=%lld", (long long)update->low_balance);
    if (update->has_packets_blocked)
        trace_words(" packets_blocked=%s", update->packets_blocked ? "true" : "false");
}

static void take_words(const char *prefix, uint64_t number, bool has_amount, int64_t amount)
{
    number_words(prefix, number);
    if (has_amount)
        trace_words(" %lld", (long long)amount);
}

static void transfer_words(const struct transfer_command *transfer)
{
    account_words(transfer->from);
    trace_words(" -> ");
    account_words(transfer->to);
    trace_words(" %lld", (long long)transfer->amount);
}

static void send_words(const struct packet_send_command *send)
{
    static const char *const kinds[] = {
#define PACKET_KIND(name, number, text) [number] = text,
#include "engine/packet_kind.def"
#undef PACKET_KIND
    };

    account_words(send->sender);
    trace_words(" %lld in %u, %s, %s, expires_in=%lld ms", (long long)send->amount, send->count,
                kinds[send->kind], split_rule_text(send->split), (long long)send->expires_in_ms);
    for (size_t i = 0; i < send->recipient_count; i++)
        trace_words("%s%.*s", i == 0 ? " to " : ",", (int)send->recipients[i].size,
                    send->recipients[i].data);
    if (send->group.size > 0)
        trace_words(" group=%zu bytes", send->group.size);
}

static void grab_words(uint64_t packet, struct text user, const char *how)
{
    number_words("pkt_", packet);
    trace_words(" ");
    account_words(user);
    trace_words("%s", how);
}

static void submit_words(const struct message_submit_command *submit)
{
    trace_words("%.*s -> %.*s", (int)submit->company.size, submit->company.data,
                (int)submit->to.size, submit->to.data);
    if (submit->template.data != NULL)
        trace_words(" template=%.*s, %zu parameters", (int)submit->template.size,
                    submit->template.data, submit->param_count);
    else
        trace_words(" %s, %zu bytes", message_kind_text(submit->kind), submit->content.size);
    if (submit->send_at_ms != 0)
        trace_words(" send_at=%lld", (long long)submit->send_at_ms);
    if (submit->expire_at_ms != 0)
        trace_words(" expire_at=%lld", (long long)submit->expire_at_ms);
    trace_words(" tries=%u", submit->tries_max);
}

static void result_words(const struct message_result_command *result)
{
    static const char *const answers[] = {[MESSAGE_ACCEPTED] = "accepted",
                                          [MESSAGE_REFUSED] = "refused",
                                          [MESSAGE_RETRY] = "retry",
                                          [MESSAGE_THROTTLED] = "throttled",
                                          [MESSAGE_UNKNOWN] = "unknown"};

    number_words("msg_", result->message);
    trace_words(" attempt %u: %s", result->attempt, answers[result->answer]);
    for (size_t i = 0; i < result->provider_id_count && result->answer == MESSAGE_ACCEPTED; i++)
        trace_words(" %.*s", (int)result->provider_ids[i].size, result->provider_ids[i].data);
}

static void catalog_words(const struct command *command)
{
    const struct catalog_put_command *put = &command->of.catalog_put;
    const struct catalog_status_command *status = &command->of.catalog_status;
    const struct quota_change_command *quota = &command->of.quota_change;

    if (command->type == COMMAND_CATALOG_PUT)
        trace_words("%s %.*s", catalog_kind_infos[put->draft->kind].singular, (int)put->id.size,
                    put->id.data);
    else if (command->type == COMMAND_CATALOG_STATUS)
        trace_words("%s %.*s %s", catalog_kind_infos[status->kind].singular, (int)status->id.size,
                    status->id.data,
                    status->status == CATALOG_ENABLED    ? "enabled"
                    : status->status == CATALOG_DISABLED ? "disabled"
                                                         : "void");
    else
        trace_words("%.*s %lld", (int)quota->product.size, quota->product.data,
                    (long long)quota->delta);
}

static void city_words(const struct city_put_command *put)
{
    trace_words("%.*s %s, %u days, %u %%, %s, %zu labels, %zu areas", (int)put->code.size,
                put->code.data, put->basis == CITY_SEEN ? "seen" : "sent", put->window_days,
                put->rollout_percent, put->is_enabled ? "enabled" : "disabled", put->label_count,
                put->area_count);
}

/* By the places of mobiles and cities among those there are. */
static void signals_words(const struct command *command)
{
    const struct signals_command *signals = &command->of.signals;

    trace_words("of");
    for (size_t i = 0; i < signals->count; i++) {
        const struct signal *signal = &signals->signals[i];
        trace_words(" m%d", model_mobile_of(signal->mobile));
        if (signal->city != CITY_NONE)
            trace_words("@%u%s", signal->city, signal->is_labelled ? "" : " (label)");
        if (signal->at_ms != 0)
            trace_words(" at %lld", (long long)signal->at_ms);
    }
}

static void message_words(const struct command *command)
{
    const struct receipt_command *receipt = &command->of.receipt;
    const struct received_command *received = &command->of.received;

    switch (command->type) {
    case COMMAND_CATALOG_PUT:
    case COMMAND_CATALOG_STATUS:
    case COMMAND_QUOTA_CHANGE:
        catalog_words(command);
        break;
    case COMMAND_MESSAGE_SUBMIT:
        submit_words(&command->of.message_submit);
        break;
    case COMMAND_MESSAGE_RESULT:
        result_words(&command->of.message_result);
        break;
    case COMMAND_MESSAGE_SENDING:
    case COMMAND_MESSAGE_RECOVER:
    case COMMAND_MESSAGE_SWEEP:
    case COMMAND_MESSAGE_CANCEL:
    case COMMAND_MESSAGE_REPLAY:
    case COMMAND_MESSAGE_DUE: /* which all begin with the number */
        number_words("msg_", command->of.message_cancel.message);
        break;
    case COMMAND_CAMPAIGN_RECIPIENTS:
        number_words("cmp_", command->of.campaign_recipients.campaign);
        trace_words(" %zu lines", command->of.campaign_recipients.count);
        break;
    case COMMAND_CAMPAIGN_CONFIRM:
    case COMMAND_CAMPAIGN_PAUSE:
    case COMMAND_CAMPAIGN_RESUME:
    case COMMAND_CAMPAIGN_CANCEL:
    case COMMAND_CAMPAIGN_DUE:
    case COMMAND_CAMPAIGN_FORGET: /* which all begin with the number */
        number_words("cmp_", command->of.campaign_confirm.campaign);
        break;
    case COMMAND_RECEIPT:
        trace_words("%.*s status %d", (int)receipt->provider_id.size, receipt->provider_id.data,
                    receipt->status);
        break;
    case COMMAND_CITY_PUT:
        city_words(&command->of.city_put);
        break;
    case COMMAND_SIGNALS:
        signals_words(command);
        break;
    case COMMAND_VISIT_EXPIRE:
        trace_words("of %zu", command->of.visit_expire.count);
        break;
    case COMMAND_RECEIVED:
        trace_words("from %llu: \"%.*s\" id=%.*s", (unsigned long long)received->from,
                    (int)received->content.size, received->content.data,
                    (int)received->provider_id.size, received->provider_id.data);
        break;
    default:
        break;
    }
}

static void verification_words(const struct command *command)
{
    const struct verification_create_command *create = &command->of.verification_create;
    const struct verification_check_command *check = &command->of.verification_check;

    if (command->type == COMMAND_VERIFICATION_CREATE) {
        submit_words(&create->message);
        trace_words(" length=%u valid=%u s address=%d/%llu", create->code_length, create->valid_s,
                    (int)create->address_kind, (unsigned long long)create->address);
    } else if (command->type == COMMAND_VERIFICATION_CHECK) {
        trace_words("%.*s +%llu %.*s", (int)check->company.size, check->company.data,
                    (unsigned long long)check->to, (int)check->code.size, check->code.data);
    } else if (command->type == COMMAND_VERIFICATION_DUE) {
        number_words("ver_", command->of.verification_due.number);
    }
}

static void packet_words(const struct command *command)
{
    switch (command->type) {
    case COMMAND_PACKET_SEND:
        send_words(&command->of.packet_send);
        break;
    case COMMAND_PACKET_GRAB:
        grab_words(command->of.packet_grab.packet, command->of.packet_grab.user,
                   command->of.packet_grab.is_open ? "" : " open=false");
        break;
    case COMMAND_PACKET_OPEN:
        grab_words(command->of.packet_open.packet, command->of.packet_open.user, "");
        break;
    case COMMAND_PACKET_EXPIRE:
        number_words("pkt_", command->of.packet_expire.number);
        break;
    case COMMAND_PACKET_SWEEP:
        number_words("pkt_", command->of.packet_sweep.packet);
        break;
    case COMMAND_EXCEPTION_RETRY:
    case COMMAND_EXCEPTION_CLOSE:
        number_words("exc_", command->of.exception_retry.exception);
        break;
    case COMMAND_VERIFICATION_CREATE:
    case COMMAND_VERIFICATION_CHECK:
    case COMMAND_VERIFICATION_DUE:
        verification_words(command);
        break;
    default:
        message_words(command);
        break;
    }
}

static void command_words(const struct command *command)
{
    const struct charge_queue_command *queue = &command->of.charge_queue;
    const struct hold_create_command *hold = &command->of.hold_create;

    switch (command->type) {
    case COMMAND_ACCOUNT_CREATE:
        create_words(&command->of.account_create);
        break;
    case COMMAND_ACCOUNT_UPDATE:
        update_words(&command->of.account_update);
        break;
    case COMMAND_TOPUP:
    case COMMAND_PAYOUT:
    case COMMAND_CHARGE:
        money_words(&command->of.charge);
        break;
    case COMMAND_CHARGE_QUEUE:
        money_words(&(struct money_command){queue->account, queue->amount, queue->reference});
        trace_words(" at most %u a drain, every %lld ms", queue->count_max,
                    (long long)queue->interval_ms);
        break;
    case COMMAND_CHARGE_DRAIN:
        number_words("", command->of.charge_drain.number);
        break;
    case COMMAND_REFUND:
        take_words("chg_", command->of.refund.charge, command->of.refund.has_amount,
                   command->of.refund.amount);
        break;
    case COMMAND_TRANSFER:
        transfer_words(&command->of.transfer);
        break;
    case COMMAND_HOLD_CREATE:
        account_words(hold->account);
        trace_words(" %lld expires_in=%lld ms", (long long)hold->amount,
                    (long long)hold->expires_in_ms);
        break;
    case COMMAND_HOLD_CAPTURE:
        take_words("hld_", command->of.hold_capture.hold, command->of.hold_capture.has_amount,
                   command->of.hold_capture.amount);
        break;
    case COMMAND_HOLD_RELEASE:
        number_words("hld_", command->of.hold_release.hold);
        break;
    case COMMAND_HOLD_EXPIRE:
        number_words("hld_", command->of.hold_expire.number);
        break;
    default:
        packet_words(command);
        break;
    }
}

void trace_command(const struct episode *episode, const struct command *command)
{
    static const char *const names[COMMAND_COUNT] = {
#define COMMAND(name, member, payload, kept) [COMMAND_##name] = #member,
#include "engine/command.def"
#undef COMMAND
    };

    trace_words("%5u +%lldms  %-15s ", where->op,
                (long long)episode->plan->ops[episode->at].waits_ms, names[command->type]);
    command_words(command);
    if (command->has_key)
        trace_words(" key=K%llu/%llu", (unsigned long long)command->key.low,
                    (unsigned long long)command->fingerprint);
    trace_words("  -> ");
}

void trace_outcome(const struct result *result)
{
    trace_words("%s", outcome_infos[result->outcome].code);
    trace_words(result->is_replayed ? " (replayed)" : "");
    trace_words("\n");
}
