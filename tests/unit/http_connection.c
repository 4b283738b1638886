/* A connection over a stream without a socket: how often it reads and writes, and that no order of
 * releasing, answering, failing and closing does harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../http/memory_stream.h"
#include "http/connection.h"

static uv_loop_t loop;
static struct http_shared shared;
static struct memory_stream memory;
static int gone;

/* What the handler is to do with the next requests, and what it saw. */
static struct {
    uint64_t hold;
    uint64_t release; /* from inside of on_request */
    bool is_deferring, is_answering, is_breaking;
    struct http_deferred *deferred;
    int requests, refusals, ends;
    const void *body;
} handler;

static size_t on_headers(void *context, const struct http_request *request)
{
    (void)context;
    (void)request;
    return 1 << 20;
}

static void on_request(void *context, const struct http_request *request, struct http_reply *reply)
{
    (void)context;
    handler.requests++;
    handler.body = request->body.data;
    *request->connection_data = &handler;
    reply->status = 200;
    reply->content_type = "text/plain";
    reply->hold = handler.hold;
    buffer_append(reply->body, request->path.data, request->path.size);
    memory.is_broken |= handler.is_breaking;
    if (handler.release != 0) {
        shared.released = handler.release;
        http_connections_release(&shared);
    }
    if (handler.is_deferring)
        handler.deferred = http_defer(reply);
    if (handler.is_deferring && handler.is_answering)
        http_answer(handler.deferred, 200, "text/plain", NULL, reply->body, handler.hold);
}

static void on_refusal(void *context, const struct http_request *request, const char *code,
                       const char *detail, struct http_reply *reply)
{
    (void)context;
    (void)request;
    (void)detail;
    handler.refusals++;
    reply->content_type = "text/plain";
    buffer_append(reply->body, code, strlen(code));
}

static void on_connection_end(void *context, void *connection_data)
{
    (void)context;
    assert_ptr_equal(connection_data, &handler);
    handler.ends++;
}

static void on_connection_gone(void *owner)
{
    (void)owner;
    gone++;
}

static int set_up(void **state)
{
    (void)state;
    static const struct http_server_options options = {
        .connections_max = 10,
        .input_bytes_max = 1 << 20,
        .header_bytes_max = 1000,
        .header_timeout_ms = 1000,
        .body_timeout_ms = 1000,
        .idle_timeout_ms = 1000,
        .write_timeout_ms = 1000,
        .reply_bytes_max = 100000,
    };
    static const struct http_handler functions = {on_headers, on_request, on_refusal,
                                                  on_connection_end, NULL};
    uv_loop_init(&loop);
    http_shared_init(&shared, &loop, &options, &functions);
    shared.on_connection_gone = on_connection_gone;
    memset(&handler, 0, sizeof handler);
    memory_stream_init(&memory);
    gone = 0;
    http_connection_open(&shared, &memory.stream);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_connections_cut(&shared);
    assert_int_equal(gone, 1);
    assert_true(memory.is_closed);
    assert_int_equal(handler.ends, handler.requests != 0);
    uv_close((uv_handle_t *)&shared.wheel.timer, NULL);
    uv_close((uv_handle_t *)&shared.resume_timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    http_shared_release(&shared);
    memory_stream_release(&memory);
    return uv_loop_close(&loop);
}

static void give(const char *text)
{
    memory_stream_give(&memory, text, strlen(text));
}

static void release(uint64_t released)
{
    shared.released = released;
    http_connections_release(&shared);
}

static void let_the_loop_turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
    memory_stream_run(&memory);
}

static int replies(void)
{
    int count = 0;
    const char *at = memory.output.data, *end = at + memory.output.size;
    while (at != NULL && (at = memmem(at, (size_t)(end - at), "HTTP/1.1 200", 12)) != NULL) {
        count++;
        at += 12;
    }
    return count;
}

#define GET   "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET4  GET GET GET GET
#define GET16 GET4 GET4 GET4 GET4

static void a_request_costs_one_read_and_one_write(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++) {
        give(GET);
        assert_int_equal(replies(), i);
        assert_int_equal(memory.reads, i);
        assert_int_equal(memory.writes, i);
    }
}

static void sixteen_pipelined_requests_cost_one_read_and_one_write(void **state)
{
    (void)state;
    give(GET16);
    assert_int_equal(replies(), 16);
    assert_int_equal(memory.reads, 1);
    assert_int_equal(memory.writes, 1);
}

static void sixteen_held_replies_leave_in_one_write(void **state)
{
    (void)state;
    handler.hold = 7;
    give(GET16);
    release(6);
    assert_int_equal(memory.writes, 0);
    release(7);
    assert_int_equal(replies(), 16);
    assert_int_equal(memory.writes, 1);
    release(8);
    assert_int_equal(memory.writes, 1);
}

static void a_whole_request_is_handled_where_it_was_read(void **state)
{
    (void)state;
    give("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    assert_in_range((uintptr_t)handler.body, (uintptr_t)shared.read_buffer,
                    (uintptr_t)shared.read_buffer + HTTP_READ_BYTES - 1);
    give("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n");
    give("x");
    assert_false((uintptr_t)handler.body - (uintptr_t)shared.read_buffer < HTTP_READ_BYTES);
    assert_int_equal(replies(), 2);
}

static void a_release_inside_of_a_request_sends_what_was_held(void **state)
{
    (void)state;
    handler.hold = 1;
    give(GET);
    handler.release = 1;
    give(GET GET);
    assert_int_equal(replies(), 3);
    assert_int_equal(memory.writes, 2); /* inside, and at the end of the turn */
}

static void a_client_that_breaks_inside_of_a_request_ends_after_it(void **state)
{
    (void)state;
    handler.hold = 1;
    give(GET);
    handler.release = 1;
    handler.is_breaking = true;
    handler.is_deferring = true; /* on a connection that is closed by now */
    give(GET GET);
    assert_int_equal(handler.requests, 2);
    assert_int_equal(gone, 1);
    http_answer(handler.deferred, 200, "text/plain", NULL, NULL, 0);
}

static void a_client_that_breaks_while_replies_are_released_ends(void **state)
{
    (void)state;
    handler.hold = 1;
    give(GET4);
    memory.is_broken = true;
    release(1);
    assert_int_equal(gone, 1);
}

static void a_deferred_reply_lets_the_next_requests_in_a_turn_of_their_own(void **state)
{
    (void)state;
    handler.is_deferring = true;
    give(GET GET);
    assert_int_equal(handler.requests, 1);
    handler.is_deferring = false;
    http_answer(handler.deferred, 200, "text/plain", NULL, NULL, 0);
    assert_int_equal(handler.requests, 1);
    assert_int_equal(replies(), 1);
    let_the_loop_turn();
    assert_int_equal(handler.requests, 2);
    assert_int_equal(replies(), 2);
}

static void a_reply_answered_inside_of_its_request_costs_no_turn(void **state)
{
    (void)state;
    handler.is_deferring = handler.is_answering = true;
    give(GET4);
    assert_int_equal(replies(), 4);
    assert_int_equal(memory.writes, 1);
}

static void a_deferred_reply_outlives_its_connection(void **state)
{
    (void)state;
    handler.is_deferring = true;
    give(GET);
    memory.stream.on_ready(memory.stream.owner, STREAM_FAILED);
    assert_int_equal(gone, 1);
    http_answer(handler.deferred, 200, "text/plain", NULL, NULL, 0);
    assert_int_equal(memory.writes, 0);
}

static void reading_stops_while_too_much_waits_and_goes_on_after_it(void **state)
{
    (void)state;
    handler.hold = 1;
    shared.options.reply_bytes_max = 1000;
    give(GET16);
    assert_in_range(handler.requests, 5, 15); /* as many replies as are more than 1000 bytes */
    give(GET);
    assert_int_equal(memory.watched & STREAM_READABLE, 0);
    int handled = handler.requests;
    release(1);
    assert_int_equal(handler.requests, handled);
    for (int i = 0; i < 10; i++)
        let_the_loop_turn();
    assert_int_equal(handler.requests, 17);
    assert_int_equal(replies(), 17);
}

static void what_the_client_does_not_take_leaves_when_it_does(void **state)
{
    (void)state;
    memory.room = 10;
    give(GET4);
    assert_int_equal(memory.output.size, 10);
    assert_int_equal(memory.watched & STREAM_WRITABLE, STREAM_WRITABLE);
    for (int i = 0; i < 100 && replies() < 4; i++) {
        memory.room = 7;
        memory_stream_run(&memory);
    }
    memory.room = SIZE_MAX;
    memory_stream_run(&memory);
    assert_int_equal(replies(), 4);
    assert_int_equal(memory.watched, STREAM_READABLE);
}

static void a_half_read_reply_does_not_let_held_ones_pass(void **state)
{
    (void)state;
    memory.room = 10;
    give(GET);
    handler.hold = 1;
    give(GET);
    memory.room = SIZE_MAX;
    memory_stream_run(&memory);
    assert_int_equal(replies(), 1);
    release(1);
    assert_int_equal(replies(), 2);
}

static void a_refusal_ends_the_connection_once_the_client_has_it(void **state)
{
    (void)state;
    give("garbage");
    assert_int_equal(handler.refusals, 1);
    assert_true(memory.is_ended);
    assert_false(memory.is_closed);
    give("more garbage");
    memory.is_end_of_input = true;
    memory_stream_run(&memory);
    assert_true(memory.is_closed);
    assert_int_equal(handler.refusals, 1);
}

static void winding_up_answers_what_was_sent_and_closes(void **state)
{
    (void)state;
    memory.input = GET GET; /* not read yet */
    memory.input_size = strlen(memory.input);
    shared.is_stopping = true;
    http_connections_wind_up(&shared);
    assert_int_equal(replies(), 2);
    assert_true(memory.is_ended);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_costs_one_read_and_one_write),
        TEST(sixteen_pipelined_requests_cost_one_read_and_one_write),
        TEST(sixteen_held_replies_leave_in_one_write),
        TEST(a_whole_request_is_handled_where_it_was_read),
        TEST(a_release_inside_of_a_request_sends_what_was_held),
        TEST(a_client_that_breaks_inside_of_a_request_ends_after_it),
        TEST(a_client_that_breaks_while_replies_are_released_ends),
        TEST(a_deferred_reply_lets_the_next_requests_in_a_turn_of_their_own),
        TEST(a_reply_answered_inside_of_its_request_costs_no_turn),
        TEST(a_deferred_reply_outlives_its_connection),
        TEST(reading_stops_while_too_much_waits_and_goes_on_after_it),
        TEST(what_the_client_does_not_take_leaves_when_it_does),
        TEST(a_half_read_reply_does_not_let_held_ones_pass),
        TEST(a_refusal_ends_the_connection_once_the_client_has_it),
        TEST(winding_up_answers_what_was_sent_and_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
