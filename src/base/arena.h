/* An arena: memory handed out by moving a pointer and given back all at once. One serves a request,
 * a transaction or a batch and is reset after it; it keeps its largest chunk for the next.
 * Allocation never fails: running past `bytes_max` or out of memory stops the process, so bounds on
 * input are checked before memory is asked for. Not for use by two threads at once. */
#ifndef SMSD_BASE_ARENA_H
#define SMSD_BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

/* One allocation; beyond it the process stops, as it does for memory that is not there. */
#define ARENA_ALLOC_MAX ((size_t)1 << 40)

struct arena {
    struct arena_chunk *chunks; /* newest first; the newest is the one being filled */
    char *next;
    char *end;
    size_t bytes;     /* in all chunks together */
    size_t bytes_max; /* bound for `bytes`; 0 is none */
};

/* `bytes_max` bounds what the arena ever holds. Nothing is allocated yet. */
void arena_init(struct arena *arena, size_t bytes_max);
/* Gives everything back to the system; the struct may be initialised again. */
void arena_release(struct arena *arena);
/* Everything handed out so far is void; the largest chunk is kept for reuse. */
void arena_reset(struct arena *arena);
/* Under AddressSanitizer what is not handed out is poisoned, a gap behind each piece included. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { ARENA_GAP = 8 };
#define arena_hide(at, size) ASAN_POISON_MEMORY_REGION((at), (size))
#define arena_show(at, size) ASAN_UNPOISON_MEMORY_REGION((at), (size))
#else
enum { ARENA_GAP = 0 };
#define arena_hide(at, size) ((void)(at), (void)(size))
#define arena_show(at, size) ((void)(at), (void)(size))
#endif

/* The slow half of arena_alloc: room from a new chunk. */
void *arena_grow(struct arena *arena, size_t size);

/* `size` bytes, aligned to 8, not cleared, valid until the next reset. */
static inline void *arena_alloc(struct arena *arena, size_t size)
{
    char *at = arena->next;
    size_t rounded = (size + ARENA_GAP + 7) & ~(size_t)7;
    if (size > ARENA_ALLOC_MAX || (size_t)(arena->end - at) < rounded)
        return arena_grow(arena, size);
    arena->next = at + rounded;
    arena_show(at, size);
    return at;
}

/* A copy of `size` bytes followed by a NUL. */
char *arena_copy(struct arena *arena, const void *data, size_t size);

#endif
