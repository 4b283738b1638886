/* The local journal by itself: what is durable is read back, torn tails are cut, damage is refused
 * (OPS-7). */
#include "store_fixture.h"

#include <semaphore.h>

#include "store/journal.h"
#include "store/segment.h"

enum { SEGMENT_BYTES = 64 << 10, PAYLOAD_MAX = 64 << 10, BATCHES_MAX = 512 };

struct log {
    char directory[FIXTURE_PATH_MAX];
    struct journal *journal;
    sem_t durable;
    struct buffer why;
    struct journal_position from;
    struct journal_position ends[BATCHES_MAX]; /* as seen in recovery, by sequence */
    uint64_t last;                             /* sequence seen in recovery */
    uint64_t appended;
    size_t bytes_max;
};

/* The payload of a batch follows from its sequence. */
static size_t payload_of(uint64_t sequence, unsigned char payload[PAYLOAD_MAX])
{
    static const size_t sizes[] = {1, 700, 4032, 4033, 5000, 12000, 24000, 300};
    size_t size = sizes[sequence % (sizeof sizes / sizeof *sizes)];
    for (size_t i = 0; i < size; i++)
        payload[i] = (unsigned char)(sequence * 31 + i * 7 + (i >> 8));
    return size;
}

static int on_batch(void *context, const struct journal_position *end, const void *payload,
                    size_t size)
{
    struct log *log = context;
    unsigned char expected[PAYLOAD_MAX];
    assert_int_equal(end->sequence, log->last + 1);
    assert_int_equal(size, payload_of(end->sequence, expected));
    assert_memory_equal(payload, expected, size);
    log->last = end->sequence;
    log->ends[end->sequence] = *end;
    return 0;
}

static void on_durable(void *context, uint64_t sequence)
{
    struct log *log = context;
    (void)sequence;
    sem_post(&log->durable);
}

static int try_open(struct log *log, bool read_only)
{
    const struct journal_options options = {.directory = log->directory,
                                            .bytes_max = log->bytes_max,
                                            .segment_bytes = SEGMENT_BYTES,
                                            .read_only = read_only};
    log->why.size = 0;
    log->last = log->from.sequence;
    int error = journal_segment_open(&log->journal, &options, &log->why);
    if (error != 0)
        return error;
    log->journal->on_durable = on_durable;
    log->journal->context = log;
    error = log->journal->ops->recover(log->journal, &log->from, on_batch, log, &log->why);
    if (error != 0 || read_only) {
        log->journal->ops->close(log->journal);
        log->journal = NULL;
    }
    return error;
}

static void reopen(struct log *log)
{
    int error = try_open(log, false);
    buffer_append(&log->why, "", 1);
    if (error != 0)
        fail_msg("%s: %s", error_text(error), log->why.data);
}

static void close_log(struct log *log)
{
    log->journal->ops->close(log->journal);
    log->journal = NULL;
}

static void append(struct log *log)
{
    unsigned char payload[PAYLOAD_MAX];
    size_t size = payload_of(++log->appended, payload);
    for (int i = 0; log->journal->ops->room(log->journal) != JOURNAL_HAS_ROOM; i++) {
        assert_true(i < 10000);
        usleep(1000);
    }
    log->journal->ops->append(log->journal, log->appended, payload, size);
    while (sem_wait(&log->durable) != 0)
        continue;
}

static void init(struct log *log)
{
    memset(log, 0, sizeof *log);
    log_open(NULL, LOG_WARNING);
    snprintf(log->directory, sizeof log->directory, "%s/smsd-journal-XXXXXX",
             getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(log->directory));
    sem_init(&log->durable, 0, 0);
    buffer_init(&log->why);
    reopen(log);
}

static void release(struct log *log)
{
    if (log->journal != NULL)
        close_log(log);
    sem_destroy(&log->durable);
    buffer_release(&log->why);
    fixture_remove(log->directory);
}

static int open_segment(const struct log *log, uint64_t number)
{
    char name[SEGMENT_NAME_MAX], path[FIXTURE_PATH_MAX];
    segment_name(name, number);
    fixture_path(path, log->directory, name);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    return fd;
}

static void flip(int fd, uint64_t offset)
{
    unsigned char byte;
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
}

static void batches_are_read_back_in_order_across_segments(void **state)
{
    struct log log;
    (void)state;
    init(&log);
    for (int i = 0; i < 60; i++)
        append(&log);
    struct journal_position position;
    log.journal->ops->position(log.journal, &position);
    assert_int_equal(position.sequence, 60);
    assert_true(position.segment > 5);
    close_log(&log);
    for (int round = 0; round < 3; round++) {
        reopen(&log);
        assert_int_equal(log.last, log.appended);
        append(&log);
        close_log(&log);
    }
    /* From the middle: only what follows. */
    log.from = log.ends[40];
    reopen(&log);
    assert_int_equal(log.last, 63);
    release(&log);
}

/* A store whose last batch is number `batches`; where it begins. */
static uint64_t build(struct log *log, int batches, int *fd)
{
    init(log);
    for (int i = 0; i < batches; i++)
        append(log);
    close_log(log);
    assert_int_equal(try_open(log, true), 0);
    struct journal_position end = log->ends[batches], before = log->ends[batches - 1];
    *fd = open_segment(log, end.segment);
    return before.segment == end.segment ? before.offset : JOURNAL_BLOCK_BYTES;
}

static void a_tail_torn_at_any_byte_is_cut(void **state)
{
    enum { BATCHES = 12 }; /* its last one is of 5,000 bytes, in two blocks */
    unsigned char whole[2 * JOURNAL_BLOCK_BYTES], torn[sizeof whole];
    struct log log;
    int fd;
    (void)state;
    uint64_t begin = build(&log, BATCHES, &fd);
    assert_int_equal(pread(fd, whole, sizeof whole, (off_t)begin), sizeof whole);
    size_t used = sizeof(struct batch_header) + 5000;
    for (size_t cut = 0; cut < used; cut++) {
        /* What was not written is what was there before: zeros, or something else. */
        memcpy(torn, whole, sizeof torn);
        memset(torn + cut, cut % 2 == 0 ? 0 : 0xa5, sizeof torn - cut);
        assert_int_equal(pwrite(fd, torn, sizeof torn, (off_t)begin), sizeof torn);
        if (memcmp(torn, whole, sizeof torn) == 0)
            continue;
        assert_int_equal(try_open(&log, true), 0);
        assert_int_equal(log.last, BATCHES - 1);
    }
    /* And goes on behind the cut, with another batch of the same sequence. */
    reopen(&log);
    log.appended = BATCHES - 1;
    append(&log);
    append(&log);
    close_log(&log);
    assert_int_equal(try_open(&log, true), 0);
    assert_int_equal(log.last, BATCHES + 1);
    close(fd);
    release(&log);
}

static void a_flipped_byte_before_the_last_batch_is_refused(void **state)
{
    enum { BATCHES = 40 };
    struct log log;
    int fd;
    (void)state;
    build(&log, BATCHES, &fd);
    close(fd);
    for (int sequence = 1; sequence < BATCHES; sequence++) {
        struct journal_position end = log.ends[sequence];
        uint64_t begin = log.ends[sequence - 1].segment == end.segment
                             ? log.ends[sequence - 1].offset
                             : JOURNAL_BLOCK_BYTES;
        fd = open_segment(&log, end.segment);
        for (uint64_t at = begin; at < end.offset; at += 61) {
            flip(fd, at);
            int error = try_open(&log, true);
            if (error != ERR_DAMAGED)
                fail_msg("batch %d, offset %d: %d", sequence, (int)at, error);
            buffer_append(&log.why, "", 1);
            char name[SEGMENT_NAME_MAX];
            segment_name(name, end.segment);
            assert_non_null(strstr(log.why.data, name)); /* says where */
            flip(fd, at);
        }
        close(fd);
    }
    assert_int_equal(try_open(&log, true), 0);
    release(&log);
}

static void a_flipped_byte_of_any_segment_header_is_refused(void **state)
{
    struct log log;
    int fd;
    (void)state;
    build(&log, 40, &fd);
    close(fd);
    for (uint64_t number = 1; number <= log.ends[40].segment; number++) {
        fd = open_segment(&log, number);
        for (uint64_t at = 0; at < JOURNAL_BLOCK_BYTES; at += 1 + at / 64 * 13) {
            flip(fd, at);
            assert_int_equal(try_open(&log, true), ERR_DAMAGED);
            flip(fd, at);
        }
        close(fd);
    }
    release(&log);
}

static void a_missing_or_shortened_segment_is_refused(void **state)
{
    char name[SEGMENT_NAME_MAX], path[FIXTURE_PATH_MAX], away[FIXTURE_PATH_MAX];
    struct log log;
    int fd;
    (void)state;
    build(&log, 40, &fd);
    close(fd);
    uint64_t last = log.ends[40].segment;
    fixture_path(away, log.directory, "away");
    for (uint64_t number = 1; number < last; number++) {
        segment_name(name, number);
        fixture_path(path, log.directory, name);
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(try_open(&log, true), ERR_DAMAGED);
        assert_int_equal(rename(away, path), 0);
    }
    segment_name(name, last);
    fixture_path(path, log.directory, name);
    assert_int_equal(truncate(path, SEGMENT_BYTES / 2), 0);
    assert_int_equal(try_open(&log, true), ERR_DAMAGED);
    release(&log);
}

static void a_journal_that_ends_before_the_checkpoint_is_refused(void **state)
{
    struct log log;
    int fd;
    (void)state;
    uint64_t begin = build(&log, 12, &fd);
    log.from = log.ends[12];
    assert_int_equal(try_open(&log, true), 0);
    flip(fd, begin + 100); /* torn, were it not that the checkpoint knows better */
    assert_int_equal(try_open(&log, true), ERR_DAMAGED);
    close(fd);
    release(&log);
}

static void a_recycled_segment_s_old_batches_never_come_back(void **state)
{
    struct log log;
    (void)state;
    init(&log);
    log.bytes_max = 5 * SEGMENT_BYTES;
    close_log(&log);
    reopen(&log);
    for (int i = 0; i < 300; i++) {
        append(&log);
        log.journal->ops->position(log.journal, &log.from);
        if (i % 7 == 0)
            log.journal->ops->release(log.journal, &log.from);
        /* A kill at any of these moments: */
        if (i % 10 == 9) {
            log.journal->ops->release(log.journal, &log.from);
            close_log(&log);
            struct journal_position from = log.from;
            reopen(&log);
            assert_int_equal(log.last, from.sequence);
            for (int more = 0; more < i % 4; more++)
                append(&log);
            close_log(&log);
            reopen(&log);
            assert_int_equal(log.last, log.appended);
        }
    }
    assert_true(log.from.segment > 30);
    release(&log);
}

static void at_its_bound_the_journal_waits_until_something_is_released(void **state)
{
    struct log log;
    (void)state;
    init(&log);
    close_log(&log);
    log.bytes_max = 4 * SEGMENT_BYTES;
    reopen(&log);
    int appended = 0;
    for (; log.journal->ops->room(log.journal) == JOURNAL_HAS_ROOM; appended++) {
        assert_true(appended < 100);
        append(&log);
        usleep(2000); /* for the preparer */
    }
    assert_int_equal(log.journal->ops->room(log.journal), JOURNAL_WAITS);
    assert_true(log.journal->ops->bytes(log.journal) <= log.bytes_max);
    log.journal->ops->position(log.journal, &log.from);
    log.journal->ops->release(log.journal, &log.from);
    append(&log); /* waits for room */
    append(&log);
    close_log(&log);
    reopen(&log);
    assert_int_equal(log.last, log.appended);
    release(&log);
}

static void the_largest_batch_always_finds_room_when_the_journal_says_so(void **state)
{
    static unsigned char payload[SEGMENT_BYTES];
    struct log log;
    (void)state;
    init(&log);
    size_t largest = log.journal->ops->batch_bytes_max(log.journal);
    assert_true(largest > SEGMENT_BYTES / 3);
    for (uint64_t sequence = 1; sequence <= 50; sequence++) {
        while (log.journal->ops->room(log.journal) != JOURNAL_HAS_ROOM)
            usleep(100);
        size_t size = sequence % 3 == 0 ? 100 : largest;
        log.journal->ops->append(log.journal, sequence, payload, size);
        while (sem_wait(&log.durable) != 0)
            continue;
    }
    release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_read_back_in_order_across_segments),
        cmocka_unit_test(a_tail_torn_at_any_byte_is_cut),
        cmocka_unit_test(a_flipped_byte_before_the_last_batch_is_refused),
        cmocka_unit_test(a_flipped_byte_of_any_segment_header_is_refused),
        cmocka_unit_test(a_missing_or_shortened_segment_is_refused),
        cmocka_unit_test(a_journal_that_ends_before_the_checkpoint_is_refused),
        cmocka_unit_test(a_recycled_segment_s_old_batches_never_come_back),
        cmocka_unit_test(at_its_bound_the_journal_waits_until_something_is_released),
        cmocka_unit_test(the_largest_batch_always_finds_room_when_the_journal_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
