/* Shares are drawn one after another, each around the mean of what is left for those still to be
 * drawn, and so that these can have 1 each; the last takes the rest. The ones drawn first and last
 * differ in spread: a shuffle at the end makes every place in the queue the same.
 *
 * Randomness is SHA-256 in counter mode over the seed: nobody who knows some shares can compute the
 * others before the seed is told, which a quick generator's state would allow. */
#include "engine/split.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

/* Twelve uniform 16-bit numbers have a sum of mean 12 * 65535 / 2 and, to ten digits, of standard
 * deviation 65536: near enough to a normal one, and exact in whole numbers. */
enum { UNIFORMS = 12, UNIFORMS_MEAN = UNIFORMS * 65535 / 2, UNIFORMS_DEVIATION = 65536 };
enum { WORDS = SHA256_SIZE / 8, SPREAD = 3 }; /* the deviation is a SPREADth of the mean */

/* 64-bit words: block c is SHA-256(seed, c as 8 bytes big-endian), cut into four, each big-endian.
 */
struct stream {
    uint8_t input[SPLIT_SEED_SIZE + 8];
    uint64_t block;
    uint64_t words[WORDS];
    int left;
};

static void stream_init(struct stream *stream, const uint8_t seed[SPLIT_SEED_SIZE])
{
    memcpy(stream->input, seed, SPLIT_SEED_SIZE);
    stream->block = 0;
    stream->left = 0;
}

static uint64_t stream_next(struct stream *stream)
{
    if (stream->left == 0) {
        uint8_t digest[SHA256_SIZE];
        bytes_put_u64_be(stream->input + SPLIT_SEED_SIZE, stream->block++);
        sha256(stream->input, sizeof stream->input, digest);
        for (int i = 0; i < WORDS; i++)
            stream->words[i] = bytes_get_u64_be(digest + (ptrdiff_t)8 * i);
        stream->left = WORDS;
    }
    return stream->words[WORDS - stream->left--];
}

/* 0 to n-1, each as likely as the others: words of the incomplete last round of n are drawn again.
 */
static uint64_t uniform(struct stream *stream, uint64_t n)
{
    uint64_t incomplete = (UINT64_MAX % n + 1) % n; /* 2^64 mod n */
    uint64_t word;

    do
        word = stream_next(stream);
    while (word > UINT64_MAX - incomplete);
    return word % n;
}

static int64_t draw_double_mean(struct stream *stream, int64_t highest)
{
    return 1 + (int64_t)uniform(stream, (uint64_t)highest);
}

/* left/count * (1 + deviation/3), rounded to the nearest, halves up, and cut. */
static int64_t draw_gaussian(struct stream *stream, int64_t left, int64_t count, int64_t highest)
{
    const int64_t unit = SPREAD * UNIFORMS_DEVIATION;
    int64_t sum = 0, numerator, share;

    for (int i = 0; i < UNIFORMS / 4; i++) {
        uint64_t word = stream_next(stream);
        for (int k = 0; k < 4; k++)
            sum += (int64_t)(word >> (16 * k) & 0xffff);
    }
    numerator = 2 * left * (unit + sum - UNIFORMS_MEAN) + unit * count;
    if (numerator < 0)
        return 1;
    share = numerator / (2 * unit * count);
    return share < 1 ? 1 : share > highest ? highest : share;
}

static void draw(struct stream *stream, const struct split *split, uint32_t *shares)
{
    int64_t left = split->amount;

    for (uint32_t i = 0; i < split->count; i++) {
        int64_t count = split->count - i;
        /* Below twice the mean: then the mean of what can be drawn is the mean, and the others can
         * have 1 each: (count - 2) * left / count + 1 >= count - 1 for left >= count >= 2. */
        int64_t highest = 2 * left / count - 1, share = left;
        assert(left >= count);
        if (count > 1 && split->rule == SPLIT_DOUBLE_MEAN)
            share = draw_double_mean(stream, highest);
        else if (count > 1 && split->rule == SPLIT_GAUSSIAN)
            share = draw_gaussian(stream, left, count, highest);
        else if (split->rule == SPLIT_EQUAL) /* the larger ones first */
            share = (left + count - 1) / count;
        shares[i] = (uint32_t)share;
        left -= share;
    }
    assert(left == 0);
}

static void shuffle(struct stream *stream, uint32_t *shares, uint32_t count)
{
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t k = (uint32_t)uniform(stream, i + UINT64_C(1));
        uint32_t share = shares[i];
        shares[i] = shares[k];
        shares[k] = share;
    }
}

void split_shares(const struct split *split, const uint8_t seed[SPLIT_SEED_SIZE], uint32_t *shares)
{
    struct stream stream;

    assert(split->count >= 1 && split->count <= SPLIT_SHARES_MAX);
    assert(split->amount >= split->count && split->amount <= SPLIT_AMOUNT_MAX);
    stream_init(&stream, seed);
    draw(&stream, split, shares);
    shuffle(&stream, shares, split->count);
}

const char *split_rule_text(enum split_rule rule)
{
    static const char *const texts[] = {
#define SPLIT(name, number, text) [number] = text,
#include "engine/split.def"
#undef SPLIT
    };

    assert(rule >= 1 && (size_t)rule < sizeof texts / sizeof *texts);
    return texts[rule];
}

/* SHA-256 of "smsd-packet-1 RULE AMOUNT COUNT SEED", the seed in hexadecimal. */
void split_commitment(const struct split *split, const uint8_t seed[SPLIT_SEED_SIZE],
                      uint8_t commitment[SHA256_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char text[160];
    int size =
        snprintf(text, sizeof text, "smsd-packet-1 %s %lld %lu ", split_rule_text(split->rule),
                 (long long)split->amount, (unsigned long)split->count);

    assert(size > 0 && (size_t)size + 2 * SPLIT_SEED_SIZE < sizeof text);
    for (int i = 0; i < SPLIT_SEED_SIZE; i++) {
        text[size++] = digits[seed[i] >> 4];
        text[size++] = digits[seed[i] & 15];
    }
    sha256(text, (size_t)size, commitment);
}
