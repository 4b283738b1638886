/* A full disk (OPS-7): writes are refused as storage_full while reads go on, nothing acknowledged
 * is lost, and it heals when there is room. The disk is a small tmpfs, where mounting is allowed;
 * else skipped. */
#include "store_fixture.h"

#include <sys/mount.h>

#include "base/bytes.h"
#include "base/metric.h"

enum {
    DISK_BYTES = 6 << 20,
    SEGMENT_BYTES = 512 << 10,
    VALUE_BYTES = 900,
    BALLAST_BYTES = 1 << 20
};

struct disk {
    struct fixture fixture;
    uint64_t written; /* rows, acknowledged */
};

static bool mount_disk(struct disk *disk)
{
    char size[64];
    fixture_init(&disk->fixture);
    snprintf(size, sizeof size, "size=%d", DISK_BYTES);
    if (mount("none", disk->fixture.directory, "tmpfs", 0, size) != 0)
        return false;
    disk->fixture.options.journal_segment_bytes = SEGMENT_BYTES;
    disk->fixture.options.overlay_bytes_max = 4 << 20;
    return true;
}

static void unmount_disk(struct disk *disk)
{
    if (disk->fixture.store != NULL)
        fixture_close(&disk->fixture, false);
    assert_int_equal(umount(disk->fixture.directory), 0);
    fixture_release(&disk->fixture);
}

static void put_ballast(struct disk *disk, size_t size)
{
    char path[FIXTURE_PATH_MAX];
    fixture_path(path, disk->fixture.directory, "ballast");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    static char zeros[4096];
    for (size_t done = 0; done < size; done += sizeof zeros)
        if (write(fd, zeros, sizeof zeros) <= 0)
            break;
    close(fd);
}

static void remove_ballast(struct disk *disk)
{
    char path[FIXTURE_PATH_MAX];
    fixture_path(path, disk->fixture.directory, "ballast");
    assert_int_equal(unlink(path), 0);
}

static void write_row(struct disk *disk)
{
    char key[8], value[VALUE_BYTES] = {0};
    bytes_put_u64_be(key, disk->written);
    memcpy(value, key, sizeof key);
    struct txn *txn = store_begin(disk->fixture.store);
    txn_put(txn, TABLE_IDEMPOTENCY, key, sizeof key, value, sizeof value);
    store_commit(txn);
    store_flush(disk->fixture.store);
    disk->written++;
}

static void check_rows(struct disk *disk)
{
    struct txn *txn = store_begin(disk->fixture.store);
    for (uint64_t i = 0; i < disk->written; i++) {
        char key[8];
        size_t size;
        bytes_put_u64_be(key, i);
        const char *value = txn_get(txn, TABLE_IDEMPOTENCY, key, sizeof key, &size);
        assert_non_null(value);
        assert_memory_equal(value, key, sizeof key);
    }
    store_commit(txn);
}

/* Until it is refused for good, which takes longer than the preparer's next try. */
static enum store_admission write_until_refused(struct disk *disk)
{
    enum store_admission admission;
    int refused_ms = 0;
    for (;;) {
        store_tick(disk->fixture.store, clock_monotonic_ns());
        admission = store_admits(disk->fixture.store);
        if (admission == STORE_ADMITS) {
            write_row(disk);
            refused_ms = 0;
        } else if (refused_ms++ > 1500) {
            return admission;
        } else {
            usleep(1000);
        }
        assert_true(disk->written < 100000);
    }
}

static void wait_until_admitted(struct disk *disk)
{
    for (int i = 0; store_admits(disk->fixture.store) != STORE_ADMITS; i++) {
        assert_true(i < 60000);
        store_tick(disk->fixture.store, clock_monotonic_ns());
        usleep(1000);
    }
}

static void no_room_for_segments_refuses_writes_until_there_is(void **state)
{
    struct disk disk = {0};
    (void)state;
    if (!mount_disk(&disk)) {
        fixture_release(&disk.fixture);
        skip();
    }
    disk.fixture.options.overlay_bytes_max = 64
                                             << 20; /* no checkpoint, so only the journal grows */
    disk.fixture.options.journal_bytes_max = 64 << 20;
    fixture_open(&disk.fixture);
    put_ballast(&disk, 2 * BALLAST_BYTES);
    enum store_admission admission = STORE_ADMITS;
    while ((admission = store_admits(disk.fixture.store)) != STORE_STORAGE_FULL) {
        if (admission == STORE_ADMITS)
            write_row(&disk);
        else
            usleep(1000);
    }
    assert_int_equal(metric_get(METRIC_JOURNAL_STORAGE_FULL), 1);
    check_rows(&disk); /* reads go on */
    remove_ballast(&disk);
    wait_until_admitted(&disk); /* without a restart */
    assert_int_equal(metric_get(METRIC_JOURNAL_STORAGE_FULL), 0);
    write_row(&disk);
    fixture_close(&disk.fixture, false);
    fixture_open(&disk.fixture);
    check_rows(&disk);
    unmount_disk(&disk);
}

static void a_checkpoint_without_room_is_tried_again_and_loses_nothing(void **state)
{
    struct disk disk = {0};
    (void)state;
    if (!mount_disk(&disk)) {
        fixture_release(&disk.fixture);
        skip();
    }
    disk.fixture.options.overlay_bytes_max = 1 << 20;
    disk.fixture.options.journal_bytes_max = 4 * SEGMENT_BYTES;
    fixture_open(&disk.fixture);
    int64_t failures = metric_get(METRIC_CHECKPOINT_FAILURES);
    put_ballast(&disk, 2 * BALLAST_BYTES);
    enum store_admission admission = write_until_refused(&disk);
    assert_int_not_equal(admission, STORE_ADMITS);
    assert_true(metric_get(METRIC_CHECKPOINT_FAILURES) > failures);
    assert_true(disk.written > 1000);
    check_rows(&disk);
    /* Also across a restart on the full disk, */
    fixture_close(&disk.fixture, true);
    fixture_open(&disk.fixture);
    check_rows(&disk);
    /* and it heals. */
    remove_ballast(&disk);
    wait_until_admitted(&disk);
    for (int i = 0; i < 100; i++) {
        wait_until_admitted(&disk);
        write_row(&disk);
    }
    fixture_close(&disk.fixture, true);
    fixture_open(&disk.fixture);
    check_rows(&disk);
    unmount_disk(&disk);
}

static void a_store_cannot_be_made_without_room_and_can_be_later(void **state)
{
    struct disk disk = {0};
    (void)state;
    if (!mount_disk(&disk)) {
        fixture_release(&disk.fixture);
        skip();
    }
    put_ballast(&disk, DISK_BYTES);
    assert_int_equal(fixture_try_open(&disk.fixture), ERR_NO_SPACE);
    disk.fixture.store = NULL;
    remove_ballast(&disk);
    fixture_open(&disk.fixture);
    write_row(&disk);
    check_rows(&disk);
    unmount_disk(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_room_for_segments_refuses_writes_until_there_is),
        cmocka_unit_test(a_checkpoint_without_room_is_tried_again_and_loses_nothing),
        cmocka_unit_test(a_store_cannot_be_made_without_room_and_can_be_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
