/* engine/parts: SMS-7, as 3GPP TS 23.038 has it. Texts are written as a run of one character and a
 * tail where lengths matter. parts_peer has other people's implementations beside this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "engine/parts.h"

static struct buffer written;

static struct text text_of(const char *literal)
{
    return (struct text){literal, strlen(literal)};
}

/* `count` times `character`, then `tail`; valid until the next. */
static struct text run_of(size_t count, const char *character, const char *tail)
{
    written.size = 0;
    for (size_t i = 0; i < count; i++)
        buffer_append_text(&written, character);
    buffer_append_text(&written, tail);
    return (struct text){written.data, written.size};
}

static int tear_down(void **state)
{
    (void)state;
    buffer_release(&written);
    return 0;
}

static void assert_counted(struct text text, uint32_t part_length, enum parts_encoding encoding,
                           uint32_t units, uint32_t count)
{
    struct parts parts;
    assert_true(parts_count(text, part_length, PARTS_MAX, &parts));
    assert_int_equal(parts.encoding, encoding);
    assert_int_equal(parts.units, units);
    assert_int_equal(parts.count, count);
}

static void assert_gsm7(struct text text, uint32_t units, uint32_t count)
{
    assert_counted(text, 0, PARTS_GSM7, units, count);
}

static void assert_ucs2(struct text text, uint32_t units, uint32_t count)
{
    assert_counted(text, 0, PARTS_UCS2, units, count);
}

static void gsm_7_bit_texts_have_160_septets_alone_and_153_of_several(void **state)
{
    (void)state;
    assert_gsm7(text_of(""), 0, 1);
    assert_gsm7(text_of("hello"), 5, 1);
    assert_gsm7(run_of(159, "a", ""), 159, 1);
    assert_gsm7(run_of(160, "a", ""), 160, 1);
    assert_gsm7(run_of(161, "a", ""), 161, 2);
    assert_gsm7(run_of(306, "a", ""), 306, 2);
    assert_gsm7(run_of(307, "a", ""), 307, 3);
    assert_gsm7(run_of(459, "a", ""), 459, 3);
    assert_gsm7(run_of(460, "a", ""), 460, 4);
}

static void other_texts_have_70_utf_16_units_alone_and_67_of_several(void **state)
{
    (void)state;
    assert_ucs2(text_of("你好"), 2, 1);
    assert_ucs2(run_of(69, "a", "你"), 70, 1);
    assert_ucs2(run_of(70, "a", "你"), 71, 2);
    assert_ucs2(run_of(70, "你", ""), 70, 1);
    assert_ucs2(run_of(71, "你", ""), 71, 2);
    assert_ucs2(run_of(134, "你", ""), 134, 2);
    assert_ucs2(run_of(135, "你", ""), 135, 3);
    assert_ucs2(run_of(134, "a", "你"), 135, 3);
    assert_ucs2(run_of(66, "a", "你"), 67, 1);
}

static void a_character_of_the_extension_table_takes_two_septets(void **state)
{
    (void)state;
    assert_gsm7(text_of("€"), 2, 1);
    assert_gsm7(text_of("[{~\\^|}]€\f"), 20, 1);
    assert_gsm7(run_of(158, "a", "€"), 160, 1);
    assert_gsm7(run_of(159, "a", "€"), 161, 2);
    assert_gsm7(run_of(80, "€", ""), 160, 1);
    assert_gsm7(run_of(81, "€", ""), 162, 2);
}

static void an_escape_pair_is_not_split(void **state)
{
    (void)state;
    assert_gsm7(run_of(152, "a", "€aaaaaaa"), 161, 2);
    /* 153 are odd, so a part takes 76 pairs: 306 septets are three parts, not two. */
    assert_gsm7(run_of(152, "€", ""), 304, 2);
    assert_gsm7(run_of(153, "€", ""), 306, 3);
    /* Each pair that does not fit leaves a septet unused. */
    run_of(152, "a", "€");
    for (int i = 0; i < 151; i++)
        buffer_append_text(&written, "a");
    assert_gsm7((struct text){written.data, written.size}, 305, 2);
    buffer_append_text(&written, "a");
    assert_gsm7((struct text){written.data, written.size}, 306, 3);
}

static void a_surrogate_pair_is_not_split(void **state)
{
    (void)state;
    assert_ucs2(text_of("😀"), 2, 1);
    assert_ucs2(run_of(35, "😀", ""), 70, 1);
    assert_ucs2(run_of(36, "😀", ""), 72, 2);
    /* 67 are odd, so a part takes 33 pairs. */
    assert_ucs2(run_of(66, "😀", ""), 132, 2);
    assert_ucs2(run_of(67, "😀", ""), 134, 3);
    assert_ucs2(run_of(69, "a", "😀"), 71, 2);
}

/* Latin letters with other accents, Greek letters that have no septet, quotes of word processors.
 */
static void what_the_tables_do_not_have_makes_a_text_ucs_2(void **state)
{
    static const char *const others[] = {"ç",        "á",  "ê",    "Α",           "Ε", "α",
                                         "`",        "\t", "’",    "“",           "–", "…",
                                         "\xc2\xa0", "￼",  "\x1b", "\xe2\x80\x8d"};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_ucs2(text_of(others[i]), 1, 1);
}

static void a_providers_part_length_holds_for_an_only_part_too(void **state)
{
    (void)state;
    assert_counted(run_of(67, "你", ""), 67, PARTS_UCS2, 67, 1);
    assert_counted(run_of(68, "你", ""), 67, PARTS_UCS2, 68, 2);
    assert_counted(run_of(70, "a", ""), 70, PARTS_GSM7, 70, 1);
    assert_counted(run_of(71, "a", ""), 70, PARTS_GSM7, 71, 2);
    assert_counted(run_of(500, "你", ""), 500, PARTS_UCS2, 500, 1);
    assert_counted(run_of(70, "a", "😀"), 71, PARTS_UCS2, 72, 2);
    /* In septets it would be two parts, in UTF-16 units, as it is sent, it is one. */
    assert_counted(run_of(69, "[", "你"), 70, PARTS_UCS2, 70, 1);
}

static void more_parts_than_allowed_are_refused(void **state)
{
    struct parts parts;
    (void)state;
    assert_true(parts_count(run_of(160, "a", ""), 0, 1, &parts));
    assert_false(parts_count(run_of(161, "a", ""), 0, 1, &parts));
    assert_true(parts_count(run_of(70, "你", ""), 0, 1, &parts));
    assert_false(parts_count(run_of(71, "你", ""), 0, 1, &parts));
    assert_false(parts_count(run_of(70, "a", "你"), 0, 1, &parts));
    assert_true(parts_count(run_of(306, "a", ""), 0, 2, &parts));
    assert_false(parts_count(run_of(307, "a", ""), 0, 2, &parts));
    assert_false(parts_count(run_of(153, "€", ""), 0, 2, &parts));
    assert_true(parts_count(run_of(255 * 153, "a", ""), 0, PARTS_MAX, &parts));
    assert_int_equal(parts.count, 255);
    assert_false(parts_count(run_of(255 * 153 + 1, "a", ""), 0, PARTS_MAX, &parts));
    assert_true(parts_count(run_of(255 * 67, "你", ""), 0, PARTS_MAX, &parts));
    assert_int_equal(parts.count, 255);
    assert_false(parts_count(run_of(255 * 67 + 1, "你", ""), 0, PARTS_MAX, &parts));
    assert_false(parts_count(run_of(1000000, "a", "你"), 0, PARTS_MAX, &parts));
    assert_false(parts_count(run_of(1000000, "你", ""), 0, PARTS_MAX, &parts));
}

static void assert_pieces(struct text text, uint32_t part_length, const size_t *sizes, size_t count)
{
    struct parts parts;
    struct text pieces[PARTS_MAX];
    const char *at = text.data;
    assert_true(parts_count(text, part_length, PARTS_MAX, &parts));
    assert_int_equal(parts.count, count);
    parts_split(text, &parts, pieces);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(pieces[i].data, at);
        assert_int_equal(pieces[i].size, sizes[i]);
        at += pieces[i].size;
    }
    assert_ptr_equal(at, text.data + text.size);
}

/* Sizes in bytes of UTF-8: € and 你 have three, 😀 has four. */
static void parts_are_cut_between_characters(void **state)
{
    (void)state;
    assert_pieces(text_of(""), 0, (size_t[]){0}, 1);
    assert_pieces(run_of(160, "a", ""), 0, (size_t[]){160}, 1);
    assert_pieces(run_of(161, "a", ""), 0, (size_t[]){153, 8}, 2);
    assert_pieces(run_of(152, "a", "€aaaaaaa"), 0, (size_t[]){152, 10}, 2);
    assert_pieces(run_of(151, "a", "€aaaaaaaa"), 0, (size_t[]){154, 8}, 2);
    assert_pieces(run_of(153, "€", ""), 0, (size_t[]){228, 228, 3}, 3);
    assert_pieces(run_of(70, "你", ""), 0, (size_t[]){210}, 1);
    assert_pieces(run_of(71, "你", ""), 0, (size_t[]){201, 12}, 2);
    assert_pieces(run_of(36, "😀", ""), 0, (size_t[]){132, 12}, 2);
    assert_pieces(run_of(66, "你", "😀你你你"), 0, (size_t[]){198, 13}, 2);
    assert_pieces(run_of(20, "a", ""), 16, (size_t[]){16, 4}, 2);
}

static void assert_gsm7_bytes(const char *text, const char *expected, size_t size)
{
    uint8_t bytes[64];
    char back[192];
    assert_int_equal(parts_put_gsm7(text_of(text), bytes), size);
    assert_memory_equal(bytes, expected, size);
    assert_int_equal(parts_read_gsm7(bytes, size, back), strlen(text));
    assert_memory_equal(back, text, strlen(text));
}

static void septets_are_those_of_the_specification(void **state)
{
    (void)state;
    assert_gsm7_bytes("@£$¥èéùìòÇ\nØø\rÅå", "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16);
    assert_gsm7_bytes("Δ_ΦΓΛΩΠΨΣΘΞ", "\20\21\22\23\24\25\26\27\30\31\32", 11);
    assert_gsm7_bytes("ÆæßÉ !\"#¤%", "\34\35\36\37 !\"#$%", 10);
    assert_gsm7_bytes("&'()*+,-./0123456789:;<=>?", "&'()*+,-./0123456789:;<=>?", 26);
    assert_gsm7_bytes("¡AMZÄÖÑÜ§¿amzäöñüà", "@AMZ[\\]^_`amz{|}~\177", 18);
    assert_gsm7_bytes("\f^{}\\[~]|€",
                      "\33\12\33\24\33\50\33\51\33\57\33\74\33\75\33\76\33\100\33\145", 20);
}

/* The examples that everybody has: "hellohello" of the packing's description. */
static void septets_are_packed_eight_in_seven_bytes(void **state)
{
    static const struct {
        const char *text;
        const char *packed;
        size_t size;
    } rows[] = {
        {"hellohello", "\xe8\x32\x9b\xfd\x46\x97\xd9\xec\x37", 9},
        {"12345678", "\x31\xd9\x8c\x56\xb3\xdd\x70", 7},
        {"1234567", "\x31\xd9\x8c\x56\xb3\xdd\x00", 7},
        {"a", "\x61", 1},
        {"", "", 0},
    };
    uint8_t septets[16], packed[16];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t count = parts_put_gsm7(text_of(rows[i].text), septets);
        assert_int_equal(parts_pack(septets, count, packed), rows[i].size);
        assert_memory_equal(packed, rows[i].packed, rows[i].size);
    }
}

static void utf_16_is_big_endian_with_surrogates(void **state)
{
    static const char expected[] = "\0a\x4f\x60\xd8\x3d\xde\x00\xff\xff";
    uint8_t bytes[32];
    char back[48];
    (void)state;
    struct text text = text_of("a你😀\xef\xbf\xbf");
    assert_int_equal(parts_put_utf16(text, bytes), 10);
    assert_memory_equal(bytes, expected, 10);
    assert_int_equal(parts_read_utf16(bytes, 10, back), text.size);
    assert_memory_equal(back, text.data, text.size);
}

static void assert_read(size_t (*read)(const uint8_t *, size_t, char *), const char *bytes,
                        size_t size, const char *expected)
{
    char text[64];
    size_t length = read((const uint8_t *)bytes, size, text);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

static void what_a_provider_brings_is_read_whatever_it_is(void **state)
{
    (void)state;
    assert_read(parts_read_gsm7, "a\x1b\x61z", 4, "aaz");
    assert_read(parts_read_gsm7, "a\x1b", 2, "a ");
    assert_read(parts_read_gsm7, "\x1b\x1b\x65", 3, " e");
    assert_read(parts_read_gsm7, "\x80\xff", 2, "\xef\xbf\xbd\xef\xbf\xbd");
    assert_read(parts_read_gsm7, "\x1b\xff", 2, "\xef\xbf\xbd");
    assert_read(parts_read_utf16, "\xd8\x3d\0a", 4,
                "\xef\xbf\xbd"
                "a");
    assert_read(parts_read_utf16, "\xde\x00\0a", 4,
                "\xef\xbf\xbd"
                "a");
    assert_read(parts_read_utf16, "\xd8\x3d", 2, "\xef\xbf\xbd");
    assert_read(parts_read_utf16, "\0a\xd8", 3, "a\xef\xbf\xbd");
    assert_read(parts_read_utf16, "", 0, "");
}

static void encodings_have_names(void **state)
{
    (void)state;
    assert_string_equal(parts_encoding_text(PARTS_GSM7), "gsm7");
    assert_string_equal(parts_encoding_text(PARTS_UCS2), "ucs2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gsm_7_bit_texts_have_160_septets_alone_and_153_of_several),
        cmocka_unit_test(other_texts_have_70_utf_16_units_alone_and_67_of_several),
        cmocka_unit_test(a_character_of_the_extension_table_takes_two_septets),
        cmocka_unit_test(an_escape_pair_is_not_split),
        cmocka_unit_test(a_surrogate_pair_is_not_split),
        cmocka_unit_test(what_the_tables_do_not_have_makes_a_text_ucs_2),
        cmocka_unit_test(a_providers_part_length_holds_for_an_only_part_too),
        cmocka_unit_test(more_parts_than_allowed_are_refused),
        cmocka_unit_test(parts_are_cut_between_characters),
        cmocka_unit_test(septets_are_those_of_the_specification),
        cmocka_unit_test(septets_are_packed_eight_in_seven_bytes),
        cmocka_unit_test(utf_16_is_big_endian_with_surrogates),
        cmocka_unit_test(what_a_provider_brings_is_read_whatever_it_is),
        cmocka_unit_test(encodings_have_names),
    };
    return cmocka_run_group_tests_name("engine_parts", tests, NULL, tear_down);
}
