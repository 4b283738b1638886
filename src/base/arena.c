/* The slow half of the arena: chunks from malloc. It owns the chain of chunks. What is hard: a
 * request larger than a chunk must not throw away the rest of the chunk being filled, and doubling
 * must stop short of the bound rather than run into it. */
#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { CHUNK_BYTES_MIN = 4096, CHUNK_BYTES_MAX = 1 << 20 };

struct arena_chunk {
    struct arena_chunk *older;
    size_t bytes; /* of the whole chunk, this head included */
    alignas(8) char data[];
};

void arena_init(struct arena *arena, size_t bytes_max)
{
    *arena = (struct arena){.bytes_max = bytes_max};
}

static void free_chunks(struct arena_chunk *chunk, const struct arena_chunk *but)
{
    while (chunk != NULL) {
        struct arena_chunk *older = chunk->older;
        if (chunk != but)
            free(chunk);
        chunk = older;
    }
}

void arena_release(struct arena *arena)
{
    free_chunks(arena->chunks, NULL);
    arena_init(arena, arena->bytes_max);
}

static void fill_from(struct arena *arena, struct arena_chunk *chunk)
{
    arena->next = chunk->data;
    arena->end = (char *)chunk + chunk->bytes;
    arena_hide(chunk->data, chunk->bytes - sizeof *chunk);
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *largest = arena->chunks;
    if (largest == NULL)
        return;
    for (struct arena_chunk *chunk = largest->older; chunk != NULL; chunk = chunk->older) {
        if (chunk->bytes > largest->bytes)
            largest = chunk;
    }
    free_chunks(arena->chunks, largest);
    largest->older = NULL;
    arena->chunks = largest;
    arena->bytes = largest->bytes;
    fill_from(arena, largest);
}

/* Twice the last one within limits, `needed` at the least, and no more than the bound leaves. */
static size_t next_chunk_bytes(const struct arena *arena, size_t needed)
{
    size_t bytes = arena->chunks == NULL ? CHUNK_BYTES_MIN : arena->chunks->bytes * 2;
    if (bytes > CHUNK_BYTES_MAX)
        bytes = CHUNK_BYTES_MAX;
    if (bytes < needed)
        bytes = needed;
    if (arena->bytes_max != 0) {
        size_t left = arena->bytes_max - arena->bytes;
        if (left < needed)
            log_fatal("arena is full", NULL, ENOMEM);
        if (bytes > left)
            bytes = left;
    }
    return bytes;
}

void *arena_grow(struct arena *arena, size_t size)
{
    if (size > ARENA_ALLOC_MAX)
        log_fatal("arena allocation", NULL, ENOMEM);
    size_t rounded = (size + ARENA_GAP + 7) & ~(size_t)7;
    size_t bytes = next_chunk_bytes(arena, sizeof(struct arena_chunk) + rounded);
    struct arena_chunk *chunk = malloc(bytes);
    if (chunk == NULL)
        log_fatal("arena allocation", NULL, ENOMEM);
    chunk->bytes = bytes;
    arena->bytes += bytes;
    bool has_better_rest = arena->chunks != NULL &&
                           (size_t)(arena->end - arena->next) > bytes - sizeof *chunk - rounded;
    if (has_better_rest) { /* goes behind, so that the newest goes on being filled */
        chunk->older = arena->chunks->older;
        arena->chunks->older = chunk;
    } else {
        chunk->older = arena->chunks;
        arena->chunks = chunk;
        fill_from(arena, chunk);
        arena->next += rounded;
        arena_show(chunk->data, size);
    }
    return chunk->data;
}

char *arena_copy(struct arena *arena, const void *data, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);
    if (size != 0)
        memcpy(copy, data, size);
    copy[size] = 0;
    return copy;
}
