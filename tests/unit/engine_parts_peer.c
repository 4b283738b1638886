/* engine/parts beside other people's implementations (SMS-7), over the texts of
 * tests/peer/parts.js: every character of the BMP, every limit, mixtures. With split-sms everything
 * agrees: encoding, septets or units, and where the cuts are. sms-segments-calculator keeps what a
 * reader takes for one character (a letter and its accents, a family of emoji) in one part, so it
 * may need more parts; 3GPP TS 23.040 §9.2.3.24.1 knows nothing of these, and providers charge by
 * units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/parts.h"

enum { TEXT_MAX = 16384, TEXTS_MIN = 68000 };

static const char peer[] = "node tests/peer/parts.js build/npm/node_modules";

/* One line of the peer's, which its texts point into. */
struct answer {
    char text[TEXT_MAX];
    size_t size;
    const char *encoding;
    unsigned units;
    size_t sizes[PARTS_MAX];
    size_t count;
    const char *other_encoding;
    unsigned other_count;
    unsigned has_clusters;
};

static int digit_of(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void read_text(struct answer *answer, const char *hex)
{
    answer->size = 0;
    for (; hex[0] != '\0'; hex += 2) {
        assert_true(answer->size < TEXT_MAX);
        answer->text[answer->size++] = (char)(digit_of(hex[0]) << 4 | digit_of(hex[1]));
    }
}

static void read_sizes(struct answer *answer, char *sizes)
{
    char *end;
    answer->count = 0;
    for (char *at = sizes; *at != '\0'; at = end + (*end == ',')) {
        assert_true(answer->count < PARTS_MAX);
        answer->sizes[answer->count++] = strtoul(at, &end, 10);
    }
}

static unsigned number_of(const char *field)
{
    return (unsigned)strtoul(field, NULL, 10);
}

static void read_answer(struct answer *answer, char *line)
{
    char *fields[7];
    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < 7; i++) {
        fields[i] = strsep(&line, " ");
        assert_non_null(fields[i]);
    }
    read_text(answer, fields[0] + 1);
    answer->encoding = fields[1];
    answer->units = number_of(fields[2]);
    read_sizes(answer, fields[3]);
    answer->other_encoding = fields[4];
    answer->other_count = number_of(fields[5]);
    answer->has_clusters = number_of(fields[6]);
}

static void compare(const struct answer *answer)
{
    struct text text = {answer->text, answer->size}, pieces[PARTS_MAX];
    struct parts parts;
    assert_true(parts_count(text, 0, PARTS_MAX, &parts));
    assert_string_equal(parts_encoding_text(parts.encoding), answer->encoding);
    assert_int_equal(parts.units, answer->units);
    assert_int_equal(parts.count, answer->count);
    parts_split(text, &parts, pieces);
    const char *at = text.data;
    for (size_t i = 0; i < parts.count; i++) {
        assert_ptr_equal(pieces[i].data, at);
        assert_int_equal(pieces[i].size, answer->sizes[i]);
        at += pieces[i].size;
    }
    assert_string_equal(answer->encoding, answer->other_encoding);
    if (answer->has_clusters)
        assert_true(parts.count <= answer->other_count);
    else
        assert_int_equal(parts.count, answer->other_count);
}

/* What each part is on the wire has at most 160 septets or 140 bytes, of several 153 or 134, and is
 * read back as it was. */
static void compare_wire(const struct answer *answer)
{
    static uint8_t bytes[2 * TEXT_MAX];
    static char back[6 * TEXT_MAX];
    struct text text = {answer->text, answer->size}, pieces[PARTS_MAX];
    struct parts parts;
    assert_true(parts_count(text, 0, PARTS_MAX, &parts));
    parts_split(text, &parts, pieces);
    for (size_t i = 0; i < parts.count; i++) {
        bool is_gsm7 = parts.encoding == PARTS_GSM7;
        size_t size =
            is_gsm7 ? parts_put_gsm7(pieces[i], bytes) : parts_put_utf16(pieces[i], bytes);
        assert_true(size <= (size_t)parts.part_length * (is_gsm7 ? 1 : 2));
        size = is_gsm7 ? parts_read_gsm7(bytes, size, back) : parts_read_utf16(bytes, size, back);
        assert_int_equal(size, pieces[i].size);
        assert_memory_equal(back, pieces[i].data, size);
    }
}

static void others_count_and_cut_the_same(void **state)
{
    static char line[3 * TEXT_MAX];
    static struct answer answer;
    int texts = 0, clusters_more = 0;
    (void)state;
    /* NOLINTNEXTLINE(cert-env33-c) : a constant, and only in a test */
    FILE *answers = popen(peer, "r");
    assert_non_null(answers);
    while (fgets(line, sizeof line, answers) != NULL) {
        read_answer(&answer, line);
        compare(&answer);
        compare_wire(&answer);
        texts++;
        clusters_more += answer.count < answer.other_count;
    }
    assert_int_equal(pclose(answers), 0);
    assert_true(texts > TEXTS_MIN);
    assert_true(clusters_more > 0);
}

/* 67 letters, each with an accent of its own, are 134 units and so two parts, although the cut lies
 * between a letter and its accent: one character to a reader, two to the specification.
 * sms-segments-calculator makes them three. */
static void a_letter_may_be_cut_from_its_accent(void **state)
{
    static const char letter[] = "e\xcc\x81";
    enum { LETTER = sizeof letter - 1, LETTERS = 67 };
    char data[LETTERS * LETTER];
    struct text text = {data, sizeof data}, pieces[PARTS_MAX];
    struct parts parts;
    (void)state;
    for (size_t i = 0; i < LETTERS; i++)
        memcpy(data + i * LETTER, letter, LETTER);
    assert_true(parts_count(text, 0, PARTS_MAX, &parts));
    assert_int_equal(parts.units, 134);
    assert_int_equal(parts.count, 2);
    parts_split(text, &parts, pieces);
    assert_int_equal(pieces[0].size, 33 * LETTER + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_count_and_cut_the_same),
        cmocka_unit_test(a_letter_may_be_cut_from_its_accent),
    };
    return cmocka_run_group_tests_name("engine_parts_peer", tests, NULL, NULL);
}
