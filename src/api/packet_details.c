/* GET /v1/packets/{id} and the lists (PKT-11). A packet's grabs are found place by place in the
 * order of grabbing. There can be thousands: then the answer is written in slices, over several
 * turns of the loop, so that it holds nobody up; it shows the grabs that were there when it began.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/deferred.h"
#include "api/packets.h"
#include "api/page.h"
#include "base/id.h"

enum { SLICE_GRABS = 256 };

static const char *const kind_texts[] = {
#define PACKET_KIND(name, number, text) [number] = text,
#include "engine/packet_kind.def"
#undef PACKET_KIND
};

static const char *const status_texts[] = {
#define PACKET_STATUS(name, number, text) [number] = text,
#include "engine/packet_status.def"
#undef PACKET_STATUS
};

enum packet_kind packet_kind_parse(struct text text)
{
    for (size_t i = 1; i < sizeof kind_texts / sizeof *kind_texts; i++) {
        if (text_equals((struct text){kind_texts[i], strlen(kind_texts[i])}, text))
            return (enum packet_kind)i;
    }
    return 0;
}

enum split_rule packet_split_parse(struct text text)
{
    if (text_equals(text, TEXT("double_mean")))
        return SPLIT_DOUBLE_MEAN;
    if (text_equals(text, TEXT("gaussian")))
        return SPLIT_GAUSSIAN;
    return 0;
}

void write_packet(struct json_writer *w, const struct packet_view *view)
{
    const struct packet_row *row = view->row;
    enum packet_status status = packet_status_at(row, view->now_ms);

    json_id(w, "id", "pkt_", row->number);
    json_text(w, "sender", view->sender.data, view->sender.size);
    json_string(w, "kind", kind_texts[row->kind]);
    if (row->split == SPLIT_EQUAL)
        json_null(w, "split");
    else
        json_string(w, "split", split_rule_text((enum split_rule)row->split));
    json_int(w, "amount", row->amount);
    json_int(w, "count", row->count);
    json_int(w, "remaining_amount", packet_contents(row));
    json_int(w, "remaining_count", status == PACKET_STATUS_REFUNDED ? 0 : row->count - row->taken);
    json_string(w, "status", status_texts[status]);
    json_text_or_null(w, "group", view->group.data, view->group.size);
    json_text_or_null(w, "greeting", view->greeting.data, view->greeting.size);
    json_hex(w, "commitment", view->commitment, SHA256_SIZE);
    json_hex(w, "seed", view->seed, SHA256_SIZE);
    json_int(w, "refunded_amount", row->refunded);
    json_time(w, "created_at", id_time_ms(row->number));
    json_time(w, "expires_at", row->expires_ms);
    json_time_or_null(w, "emptied_at", row->emptied_ms);
    json_time_or_null(w, "closed_at", row->closed_ms);
}

static void write_packet_row(struct json_writer *w, struct txn *txn, const struct packet_row *row,
                             int64_t now_ms)
{
    struct packet_terms terms;
    struct account sender;
    uint8_t commitment[SHA256_SIZE];

    packet_terms_find(txn, row->number, &terms);
    packet_commitment(row, &terms, commitment);
    if (!account_find_number(txn, row->sender, &sender))
        assert(!"a packet without its sender");
    write_packet(w, &(struct packet_view){.row = row,
                                          .sender = {sender.id, sender.id_size},
                                          .group = {terms.group, terms.row.group_size},
                                          .greeting = {terms.greeting, terms.row.greeting_size},
                                          .commitment = commitment,
                                          .seed = row->closed_ms != 0 ? terms.row.seed : NULL,
                                          .now_ms = now_ms});
}

/* Luck is told when it is settled: no share can be opened any more. A reserved share shows no
 * amount, and once the packet is closed it is nobody's. */
static void write_grab_of(struct json_writer *w, struct txn *txn, const struct packet_row *row,
                          uint64_t user)
{
    struct account account;
    struct grab_row grab;

    if (!grab_find(txn, user, row->number, &grab) || !account_find_number(txn, user, &account))
        assert(!"a share that was taken by nobody");
    if (!grab.is_opened && row->closed_ms != 0)
        return;
    json_object_begin(w, NULL);
    json_text(w, "user", account.id, account.id_size);
    if (grab.is_opened)
        json_int(w, "amount", grab.amount);
    else
        json_null(w, "amount");
    json_int(w, "share", (int64_t)grab.share + 1);
    json_time(w, "grabbed_at", grab.grabbed_ms);
    json_bool(w, "best",
              grab.is_opened && row->closed_ms != 0 && row->split != SPLIT_EQUAL &&
                  grab.share == row->best_share);
    json_object_end(w);
}

/* --- one packet ----------------------------------------------------------------------------------
 */

struct details {
    struct api *api;
    struct packet_row row;
    uint32_t place; /* the next one to write */
    struct json_writer writer;
    /* When it takes more than a slice: */
    struct deferred deferred;
    struct buffer body;
};

/* True: all is written. */
static bool write_slice(struct details *details, struct txn *txn)
{
    for (int i = 0; i < SLICE_GRABS && details->place < details->row.taken; i++) {
        uint64_t user = grab_taker(txn, details->row.number, details->place++);
        write_grab_of(&details->writer, txn, &details->row, user);
    }
    if (details->place < details->row.taken)
        return false;
    json_array_end(&details->writer);
    json_object_end(&details->writer);
    return true;
}

static void go_on(void *context)
{
    struct details *details = context;
    struct txn *txn = pipeline_read_begin(details->api->pipeline);
    bool is_done = write_slice(details, txn);
    uint64_t hold = pipeline_read_end(details->api->pipeline, txn);

    if (!is_done) {
        pipeline_continue(details->api->pipeline, go_on, details);
        return;
    }
    deferred_hold(&details->deferred, hold);
    deferred_answer(&details->deferred, &details->body);
    buffer_release(&details->body);
    free(details);
}

/* What was written so far moves out of the request's scratch. */
static void defer(struct call *call, const struct details *begun)
{
    struct details *details = malloc(sizeof *details);

    assert(details != NULL);
    *details = *begun;
    buffer_init(&details->body);
    buffer_append(&details->body, call->reply->body->data, call->reply->body->size);
    details->writer.to = &details->body;
    call->reply->body->size = 0;
    call_defer(call, &details->deferred);
    pipeline_continue(call->api->pipeline, go_on, details);
}

void api_packet_get(struct call *call)
{
    struct details details = {.api = call->api};
    struct txn *txn;
    uint64_t number;
    bool is_found, is_done = true;

    if (!call_packet_number(call, &number))
        return;
    txn = pipeline_read_begin(call->api->pipeline);
    is_found = packet_find(txn, number, &details.row);
    if (is_found) {
        details.writer = call_answer(call);
        json_object_begin(&details.writer, NULL);
        write_packet_row(&details.writer, txn, &details.row, pipeline_now_ms(call->api->pipeline));
        json_array_begin(&details.writer, "grabs");
        is_done = write_slice(&details, txn);
    }
    call_read_end(call, txn);
    if (!is_found)
        call_refuse(call, OUTCOME_PACKET_NOT_FOUND, NULL);
    else if (!is_done)
        defer(call, &details);
}

/* --- lists ---------------------------------------------------------------------------------------
 */

struct packet_query {
    struct page page;
    struct json_text sender, user, group;
};

#define ACCOUNT_QUERY_FIELD(member) QUERY_FIELD(struct packet_query, member, is_id, ID_RULE)

static const struct json_field packet_parameters[] = {
    PAGE_FIELDS(struct packet_query, page),
    ACCOUNT_QUERY_FIELD(sender),
    ACCOUNT_QUERY_FIELD(user),
    ACCOUNT_QUERY_FIELD(group),
};

struct packet_list {
    struct page_walk walk;
    uint64_t user; /* whose grab is shown; 0: none */
    int64_t now_ms;
    struct json_writer writer;
};

static_assert((int)PACKET_LIST_KEY_MAX <= (int)PAGE_KEY_MAX, "a walk has its keys");

static bool take_packet(void *context, struct txn *txn, uint64_t number, const struct txn_walk *at)
{
    struct packet_list *list = context;
    struct json_writer *w = &list->writer;
    struct packet_row row;

    (void)at;
    if (!packet_find(txn, number, &row))
        assert(!"a list names a packet that is not there");
    json_object_begin(w, NULL);
    write_packet_row(w, txn, &row, list->now_ms);
    if (list->user != 0) {
        json_array_begin(w, "grabs");
        write_grab_of(w, txn, &row, list->user);
        json_array_end(w);
    }
    json_object_end(w);
    return true;
}

/* False: there is nothing in it. */
static bool list_init(struct packet_list *list, struct txn *txn, const struct packet_query *query,
                      uint64_t after)
{
    struct page_walk *walk = &list->walk;
    struct account account;

    *walk = (struct page_walk){.table = TABLE_PACKET,
                               .direction = WALK_DOWN,
                               .after = after,
                               .limit = query->page.limit,
                               .take = take_packet,
                               .context = list};
    if (query->group.data != NULL) {
        walk->table = TABLE_PACKET_GROUP;
        walk->prefix_size = packet_group_key(walk->key, text_of(query->group), 0) - 8;
    } else if (query->sender.data != NULL || query->user.data != NULL) {
        bool is_user = query->user.data != NULL;
        if (!account_find(txn, text_of(is_user ? query->user : query->sender), &account))
            return false;
        walk->table = is_user ? TABLE_GRAB : TABLE_PACKET_SENT;
        walk->prefix_size = packet_list_key(walk->key, account.row.number, 0) - 8;
        list->user = is_user ? account.row.number : 0;
    }
    return true;
}

void api_packet_list(struct call *call)
{
    struct packet_query query = {.page = PAGE_DEFAULT};
    struct packet_list list = {.now_ms = pipeline_now_ms(call->api->pipeline)};
    uint64_t after = UINT64_MAX, next = 0;
    struct txn *txn;

    if (!call_bind_query(call, packet_parameters, FIELD_COUNT(packet_parameters), &query) ||
        !call_page_after(call, &query.page, &after))
        return;
    if ((query.sender.data != NULL) + (query.user.data != NULL) + (query.group.data != NULL) > 1) {
        call_refuse(call, OUTCOME_INVALID, "one of sender, user and group can be given");
        return;
    }
    list.writer = call_begin_list(call);
    txn = pipeline_read_begin(call->api->pipeline);
    if (list_init(&list, txn, &query, after))
        next = page_walk(txn, &list.walk);
    call_read_end(call, txn);
    call_end_list(&list.writer, next);
}
