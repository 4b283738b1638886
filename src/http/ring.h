/* A ring: things in a line, first come first served, that take themselves out wherever they are. */
#ifndef SMSD_HTTP_RING_H
#define SMSD_HTTP_RING_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, it is in no ring. A ring's head is a link of its own. */
struct http_ring {
    struct http_ring *next, *previous;
};

/* The struct that a link is the member of. */
#define http_ring_owner(pointer, type, member)                                                     \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void http_ring_init(struct http_ring *head)
{
    head->next = head->previous = head;
}

static inline bool http_ring_is_in(const struct http_ring *link)
{
    return link->next != NULL;
}

static inline bool http_ring_is_empty(const struct http_ring *head)
{
    return head->next == head;
}

/* Behind `at`: behind the head is first, behind head->previous is last. */
static inline void http_ring_put(struct http_ring *at, struct http_ring *link)
{
    link->next = at->next;
    link->previous = at;
    at->next->previous = link;
    at->next = link;
}

static inline void http_ring_take(struct http_ring *link)
{
    if (link->next == NULL)
        return;
    link->next->previous = link->previous;
    link->previous->next = link->next;
    link->next = link->previous = NULL;
}

#endif
