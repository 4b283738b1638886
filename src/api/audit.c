/* GET /v1/audit (BILL-12): every account, as they all were at one moment, read off the loop. */
#include <assert.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/deferred.h"
#include "engine/audit.h"
#include "engine/entry.h"

struct audit_call {
    struct api *api;
    struct deferred deferred;
    int64_t checked_at_ms;
    struct audit audit;
};

static int on_row(void *context, enum table table, const void *key, size_t key_size,
                  const void *value, size_t value_size)
{
    struct audit_call *audit_call = context;

    audit_row(&audit_call->audit, table, key, key_size, value, value_size);
    return 0;
}

static void write_audit(struct buffer *body, struct audit_call *audit_call, bool is_ok)
{
    struct json_writer w = json_writer(body);
    const struct audit *audit = &audit_call->audit;

    json_object_begin(&w, NULL);
    json_bool(&w, "ok", is_ok);
    json_int(&w, "accounts", (int64_t)audit->accounts);
    json_int(&w, "sum", audit->sum);
    json_int(&w, "world", audit->world);
    json_int(&w, "revenue", audit->revenue);
    json_int(&w, "packets", audit->packets);
    json_int(&w, "held", audit->held);
    json_int(&w, "pending", audit->pending);
    json_time(&w, "checked_at", audit_call->checked_at_ms);
    /* After the last entry: to be noted down elsewhere. */
    json_hex(&w, "chain_head", audit->chain_head, ENTRY_CHAIN_SIZE);
    if (!is_ok)
        json_string(&w, "fault", audit->fault);
    json_object_end(&w);
}

static void on_end(void *context, int error)
{
    struct audit_call *audit_call = context;
    struct buffer body;

    if (error != 0) {
        deferred_refuse(&audit_call->deferred, OUTCOME_INTERNAL, "the accounts could not be read");
    } else {
        buffer_init(&body);
        write_audit(&body, audit_call, audit_finish(&audit_call->audit));
        deferred_answer(&audit_call->deferred, &body);
        buffer_release(&body);
    }
    free(audit_call);
}

void api_audit(struct call *call)
{
    struct audit_call *audit_call = calloc(1, sizeof *audit_call);
    struct pipeline_scan scan = {.tables = audit_tables,
                                 .table_count = AUDIT_TABLES_ONLINE,
                                 .on_row = on_row,
                                 .on_end = on_end,
                                 .context = audit_call};

    assert(audit_call != NULL);
    audit_call->api = call->api;
    audit_call->checked_at_ms = pipeline_now_ms(call->api->pipeline);
    audit_init(&audit_call->audit, false);
    if (pipeline_scan(call->api->pipeline, &scan) != 0) {
        free(audit_call);
        call_refuse(call, OUTCOME_OVERLOADED, "too many audits are under way");
        return;
    }
    call_defer(call, &audit_call->deferred);
}
