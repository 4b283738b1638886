/* TLS streams, a client's and a server's, over streams in memory: what is ready, what was taken and
 * how it ends, to the byte. What handshakes agree on and refuse is shown over the wire
 * (http/test_client_tls.py, e2e/test_tls.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "../http/memory_stream.h"
#include "base/entropy.h"
#include "net/tls.h"

enum { PEM_BYTES = 4096, BIG = 200 * 1024, FLOOD = 64 };

struct end {
    struct memory_stream *under;
    struct stream *stream;
    size_t read_bytes_max; /* in one go */
    struct buffer given;   /* to `under` */
    struct buffer got;
    ssize_t last; /* what reading came to last */
    int readable, writable, failed;
    bool is_closing; /* when it is told something */
};

struct pair {
    uv_loop_t loop;
    char folder[32];
    struct tls *client_tls, *server_tls;
    struct memory_stream client_under, server_under;
    struct end client, server;
};

static int fill(void *context, unsigned char *to, size_t size)
{
    (void)context;
    entropy_fill(to, size);
    return 0;
}

static void write_file(char *path, const struct pair *pair, const char *name, const char *text)
{
    snprintf(path, 64, "%s/%s", pair->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A key, and a certificate for "localhost" that it signs itself. */
static void make_certificate(char *certificate, char *key)
{
    mbedtls_pk_context pk;
    mbedtls_x509write_cert writer;
    mbedtls_mpi serial;
    mbedtls_pk_init(&pk);
    mbedtls_x509write_crt_init(&writer);
    mbedtls_mpi_init(&serial);
    assert_int_equal(mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(pk), fill, NULL),
                     0);
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&writer, &pk);
    mbedtls_x509write_crt_set_issuer_key(&writer, &pk);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&writer, "CN=localhost"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&writer, "CN=localhost"), 0);
    assert_int_equal(mbedtls_mpi_lset(&serial, 1), 0);
    assert_int_equal(mbedtls_x509write_crt_set_serial(&writer, &serial), 0);
    assert_int_equal(
        mbedtls_x509write_crt_set_validity(&writer, "20200101000000", "20991231235959"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(&writer, 1, -1), 0);
    assert_int_equal(
        mbedtls_x509write_crt_pem(&writer, (unsigned char *)certificate, PEM_BYTES, fill, NULL), 0);
    assert_int_equal(mbedtls_pk_write_key_pem(&pk, (unsigned char *)key, PEM_BYTES), 0);
    mbedtls_mpi_free(&serial);
    mbedtls_x509write_crt_free(&writer);
    mbedtls_pk_free(&pk);
}

static void on_ready(void *owner, int events)
{
    struct end *end = owner;
    char bytes[BIG];
    end->readable += (events & STREAM_READABLE) != 0;
    end->writable += (events & STREAM_WRITABLE) != 0;
    end->failed += (events & STREAM_FAILED) != 0;
    if (end->is_closing || events & STREAM_FAILED) {
        stream_close(end->stream);
        end->stream = NULL;
        return;
    }
    if (events & STREAM_READABLE) {
        end->last = stream_read(end->stream, bytes, end->read_bytes_max);
        if (end->last > 0)
            buffer_append(&end->got, bytes, (size_t)end->last);
        else if (end->last != STREAM_AGAIN)
            stream_watch(end->stream, 0);
    }
    if (events & STREAM_WRITABLE)
        stream_watch(end->stream, STREAM_READABLE);
}

static void end_init(struct end *end, struct memory_stream *under, struct stream *stream)
{
    end->under = under;
    end->stream = stream;
    end->read_bytes_max = BIG;
    stream->on_ready = on_ready;
    stream->owner = end;
    stream_watch(stream, STREAM_READABLE);
}

/* Carries up to `piece` bytes at once from one end to the other, behind what that has not read. */
static bool carry(struct end *from, struct end *to, size_t piece)
{
    struct buffer carried = from->under->output;
    if (carried.size == 0)
        return false;
    buffer_init(&from->under->output);
    for (size_t at = 0; at < carried.size; at += piece) {
        struct buffer given;
        buffer_init(&given);
        buffer_append(&given, to->under->input, to->under->input_size);
        buffer_append(&given, carried.data + at,
                      piece < carried.size - at ? piece : carried.size - at);
        memory_stream_give(to->under, given.data, given.size);
        buffer_release(&to->given);
        to->given = given;
    }
    buffer_release(&carried);
    return true;
}

/* Until nothing happens any more. */
static void pump(struct pair *pair, size_t piece)
{
    bool is_busy = true;
    while (is_busy) {
        is_busy = carry(&pair->client, &pair->server, piece);
        is_busy |= carry(&pair->server, &pair->client, piece);
        memory_stream_run(&pair->client_under);
        memory_stream_run(&pair->server_under);
        is_busy |= uv_run(&pair->loop, UV_RUN_NOWAIT) != 0;
        is_busy |= pair->client_under.output.size + pair->server_under.output.size != 0;
    }
}

static struct pair *pair_new(size_t piece)
{
    struct pair *pair = calloc(1, sizeof *pair);
    char certificate[PEM_BYTES], key[PEM_BYTES], certificate_file[64], key_file[64];
    struct buffer why;
    assert_non_null(pair);
    uv_loop_init(&pair->loop);
    buffer_init(&why);
    snprintf(pair->folder, sizeof pair->folder, "/tmp/net_tls.XXXXXX");
    assert_non_null(mkdtemp(pair->folder));
    make_certificate(certificate, key);
    write_file(certificate_file, pair, "certificate", certificate);
    write_file(key_file, pair, "key", key);
    assert_int_equal(tls_client_new(&pair->client_tls, certificate_file, "x", &why), 0);
    assert_int_equal(tls_server_new(&pair->server_tls, certificate_file, key_file, "x", &why), 0);
    unlink(certificate_file);
    unlink(key_file);
    rmdir(pair->folder);
    memory_stream_init(&pair->client_under);
    memory_stream_init(&pair->server_under);
    end_init(&pair->server, &pair->server_under,
             tls_stream_new(pair->server_tls, &pair->loop, &pair->server_under.stream, NULL));
    end_init(
        &pair->client, &pair->client_under,
        tls_stream_new(pair->client_tls, &pair->loop, &pair->client_under.stream, "localhost"));
    /* Streams live on without who made them. */
    tls_release(pair->client_tls);
    tls_release(pair->server_tls);
    assert_true(pair->client.stream->is_opening && pair->server.stream->is_opening);
    pump(pair, piece);
    assert_false(pair->client.stream->is_opening || pair->server.stream->is_opening);
    return pair;
}

static void pair_free(struct pair *pair)
{
    struct end *ends[] = {&pair->client, &pair->server};
    for (size_t i = 0; i < 2; i++) {
        if (ends[i]->stream != NULL)
            stream_close(ends[i]->stream);
        assert_true(ends[i]->under->is_closed);
        buffer_release(&ends[i]->got);
        buffer_release(&ends[i]->given);
        memory_stream_release(ends[i]->under);
    }
    uv_run(&pair->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&pair->loop), 0);
    free(pair);
}

static void a_handshake_may_come_a_byte_at_a_time(void **state)
{
    (void)state;
    struct pair *pair = pair_new(1);
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), 5);
    pump(pair, 1);
    assert_int_equal(pair->server.got.size, 5);
    assert_memory_equal(pair->server.got.data, "hello", 5);
    pair_free(pair);
}

static void what_a_record_still_holds_is_told_though_the_socket_is_silent(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    char sent[1000];
    memset(sent, 'x', sizeof sent);
    pair->server.read_bytes_max = 7;
    assert_int_equal(stream_write(pair->client.stream, sent, sizeof sent), sizeof sent);
    pump(pair, BIG);
    assert_int_equal(pair->server.got.size, sizeof sent);
    assert_true(pair->server.readable >= (int)sizeof sent / 7);
    pair_free(pair);
}

static void who_looks_away_is_told_nothing(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    pair->server.read_bytes_max = 1;
    stream_watch(pair->server.stream, 0);
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), 5);
    pump(pair, BIG);
    assert_int_equal(pair->server.got.size, 0);
    stream_watch(pair->server.stream, STREAM_READABLE);
    pump(pair, BIG);
    assert_int_equal(pair->server.got.size, 5);
    pair_free(pair);
}

static void what_the_peer_does_not_take_is_not_taken(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    char sent[BIG];
    size_t taken = 0;
    memset(sent, 'x', sizeof sent);
    pair->client_under.room = 1000;
    ssize_t count = stream_write(pair->client.stream, sent, sizeof sent);
    assert_in_range(count, 1000, 128 * 1024);
    taken += (size_t)count;
    assert_int_equal(stream_write(pair->client.stream, sent, 1), STREAM_AGAIN);
    stream_watch(pair->client.stream, STREAM_READABLE | STREAM_WRITABLE);
    pump(pair, BIG);
    assert_int_equal(pair->client.writable, 0);
    pair->client_under.room = SIZE_MAX;
    pump(pair, BIG);
    assert_int_equal(pair->client.writable, 1);
    assert_int_equal(pair->server.got.size, taken);
    pair_free(pair);
}

static void broken_before_its_first_byte_a_write_has_sent_nothing(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    pair->client_under.is_broken = true;
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), STREAM_BROKEN);
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), STREAM_BROKEN);
    pump(pair, BIG);
    assert_int_equal(pair->client.failed, 1);
    pair_free(pair);
}

static void broken_behind_its_first_byte_a_write_may_have_been_seen(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    pair->client_under.room = 1;
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), 5);
    pair->client_under.is_broken = true;
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), STREAM_BROKEN);
    pair_free(pair);
}

static void an_end_that_is_told_is_one(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), 5);
    stream_end(pair->client.stream);
    assert_true(pair->client_under.is_ended);
    pump(pair, BIG);
    assert_int_equal(pair->server.got.size, 5);
    assert_int_equal(pair->server.last, 0);
    assert_int_equal(stream_write(pair->server.stream, "bye", 3), 3); /* the other half goes on */
    pump(pair, BIG);
    assert_int_equal(pair->client.got.size, 3);
    pair_free(pair);
}

static void the_end_comes_behind_what_waits(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    pair->client_under.room = 10;
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), 5);
    stream_end(pair->client.stream);
    assert_false(pair->client_under.is_ended);
    pair->client_under.room = SIZE_MAX;
    pump(pair, BIG);
    assert_true(pair->client_under.is_ended);
    assert_int_equal(pair->server.got.size, 5);
    assert_int_equal(pair->server.last, 0);
    pair_free(pair);
}

static void an_end_that_is_not_told_is_none(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    pair->server_under.is_end_of_input = true;
    memory_stream_run(&pair->server_under);
    assert_int_equal(pair->server.last, STREAM_BROKEN);
    pair_free(pair);
}

static void a_byte_changed_on_the_way_breaks_it(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), 5);
    pair->client_under.output.data[pair->client_under.output.size - 1] ^= 1;
    pump(pair, BIG);
    assert_int_equal(pair->server.got.size, 0);
    assert_int_equal(pair->server.last, STREAM_BROKEN);
    pair_free(pair);
}

static void it_may_be_closed_when_it_is_told_something(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    pair->server.is_closing = true;
    assert_int_equal(stream_write(pair->client.stream, "hello", 5), 5);
    pump(pair, BIG);
    assert_null(pair->server.stream);
    assert_int_equal(pair->client.last, 0);
    pair_free(pair);
}

/* Else a client that sends little could have all of the loop's time. */
static void a_flood_of_handshakes_waits_in_line(void **state)
{
    (void)state;
    struct pair *pair = pair_new(BIG);
    struct memory_stream unders[FLOOD], hello;
    struct stream *streams[FLOOD], *client;
    int at_once = 0, answered = 0;
    memory_stream_init(&hello);
    client = tls_stream_new(pair->client_tls, &pair->loop, &hello.stream, "localhost");
    for (int i = 0; i < FLOOD; i++) {
        memory_stream_init(&unders[i]);
        streams[i] = tls_stream_new(pair->server_tls, &pair->loop, &unders[i].stream, NULL);
    }
    for (int i = 0; i < FLOOD; i++) {
        memory_stream_give(&unders[i], hello.output.data, hello.output.size);
        at_once += unders[i].output.size != 0;
    }
    assert_in_range(at_once, 1, FLOOD - 1);
    stream_close(streams[FLOOD - 1]); /* it waits, and gives its turn back */
    while (answered < FLOOD - 1) {
        uv_run(&pair->loop, UV_RUN_ONCE);
        answered = 0;
        for (int i = 0; i < FLOOD - 1; i++)
            answered += unders[i].output.size != 0;
    }
    assert_int_equal(unders[FLOOD - 1].output.size, 0);
    for (int i = 0; i < FLOOD; i++) {
        if (i != FLOOD - 1)
            stream_close(streams[i]);
        memory_stream_release(&unders[i]);
    }
    stream_close(client);
    memory_stream_release(&hello);
    pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_may_come_a_byte_at_a_time),
        cmocka_unit_test(what_a_record_still_holds_is_told_though_the_socket_is_silent),
        cmocka_unit_test(who_looks_away_is_told_nothing),
        cmocka_unit_test(what_the_peer_does_not_take_is_not_taken),
        cmocka_unit_test(broken_before_its_first_byte_a_write_has_sent_nothing),
        cmocka_unit_test(broken_behind_its_first_byte_a_write_may_have_been_seen),
        cmocka_unit_test(an_end_that_is_told_is_one),
        cmocka_unit_test(the_end_comes_behind_what_waits),
        cmocka_unit_test(an_end_that_is_not_told_is_none),
        cmocka_unit_test(a_byte_changed_on_the_way_breaks_it),
        cmocka_unit_test(it_may_be_closed_when_it_is_told_something),
        cmocka_unit_test(a_flood_of_handshakes_waits_in_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
