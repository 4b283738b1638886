/* Laying out a request once, and writing its spots again. Filling is on the path of every request:
 * tables of two digits and no division by anything but a constant. */
#include "template.h"

#include <stdlib.h>
#include <string.h>

static const struct placeholder {
    const char *name;
    enum spot_kind kind;
    size_t width;
} placeholders[] = {
    {"{account}", SPOT_ACCOUNT, 8},
    {"{next}", SPOT_NEXT, 8},
    {"{unique}", SPOT_UNIQUE, 20},
    {"{id}", SPOT_ID, TEMPLATE_ID_SIZE},
};

static const char decimal_pairs[] = "00010203040506070809"
                                    "10111213141516171819"
                                    "20212223242526272829"
                                    "30313233343536373839"
                                    "40414243444546474849"
                                    "50515253545556575859"
                                    "60616263646566676869"
                                    "70717273747576777879"
                                    "80818283848586878889"
                                    "90919293949596979899";

void template_init(struct template *template)
{
    *template = (struct template){0};
}

void template_release(struct template *template)
{
    free(template->bytes);
    free(template->spots);
    template_init(template);
}

static void *grown(void *data, size_t *capacity, size_t needed, size_t each)
{
    if (needed <= *capacity)
        return data;
    while (*capacity < needed)
        *capacity = *capacity == 0 ? 256 : *capacity * 2;
    data = realloc(data, *capacity * each);
    if (data == NULL)
        abort();
    return data;
}

static void add_bytes(struct template *template, const char *bytes, size_t size)
{
    if (size == 0)
        return;
    template->bytes = grown(template->bytes, &template->capacity, template->size + size, 1);
    memcpy(template->bytes + template->size, bytes, size);
    template->size += size;
}

static void add_spot(struct template *template, enum spot_kind kind, size_t offset)
{
    template->spots = grown(template->spots, &template->spot_capacity, template->spot_count + 1,
                            sizeof *template->spots);
    template->spots[template->spot_count++] = (struct spot){(uint32_t)offset, kind};
}

static const struct placeholder *placeholder_at(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; i++) {
        size_t name_size = strlen(placeholders[i].name);
        if (size >= name_size && memcmp(text, placeholders[i].name, name_size) == 0)
            return &placeholders[i];
    }
    return NULL;
}

const char *template_add(struct template *template, const char *text, size_t size)
{
    const char *end = text + size;

    while (text < end) {
        if (*text != '{' || end - text < 2 || text[1] < 'a' || text[1] > 'z') {
            add_bytes(template, text++, 1);
            continue;
        }
        const struct placeholder *placeholder = placeholder_at(text, (size_t)(end - text));
        if (placeholder == NULL)
            return text;
        add_spot(template, placeholder->kind, template->size);
        add_bytes(template, "00000000000000000000", placeholder->width);
        text += strlen(placeholder->name);
    }
    return NULL;
}

void template_append(struct template *template, const struct template *from)
{
    for (size_t i = 0; i < from->spot_count; i++)
        add_spot(template, from->spots[i].kind, template->size + from->spots[i].offset);
    add_bytes(template, from->bytes, from->size);
}

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t random_next(struct values *values)
{
    uint64_t z = values->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t draw_account(struct values *values)
{
    uint64_t random = random_next(values);
    if ((uint32_t)random < values->fresh_threshold)
        return values->fresh_next++;
    return ((random >> 32) * values->accounts) >> 32;
}

static void put_decimal8(char *to, uint64_t number)
{
    uint32_t rest = (uint32_t)(number % TEMPLATE_NUMBERS);
    for (int i = 6; i >= 0; i -= 2) {
        memcpy(to + i, decimal_pairs + (size_t)2 * (rest % 100), 2);
        rest /= 100;
    }
}

static void put_hexadecimal(char *to, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = "0123456789abcdef"[number & 15];
        number >>= 4;
    }
}

static const char *next_id(struct values *values)
{
    uint64_t number = values->id_uses == 0 ? 0 : values->ids_used++ / values->id_uses;
    if (values->id_count == 0)
        return "00000000000000000";
    if (number >= values->id_count)
        number = values->is_id_around ? number % values->id_count : values->id_count - 1;
    return values->ids + number * TEMPLATE_ID_SIZE;
}

void template_fill(const struct template *template, char *to, struct values *values)
{
    for (size_t i = 0; i < template->spot_count; i++) {
        char *at = to + template->spots[i].offset;
        switch (template->spots[i].kind) {
        case SPOT_ACCOUNT:
            put_decimal8(at, draw_account(values));
            break;
        case SPOT_NEXT:
            put_decimal8(at, values->next++);
            break;
        case SPOT_UNIQUE:
            put_hexadecimal(at, values->unique_tag, 8);
            put_hexadecimal(at + 8, values->unique++, 12);
            break;
        case SPOT_ID:
            memcpy(at, next_id(values), TEMPLATE_ID_SIZE);
            break;
        }
    }
}
