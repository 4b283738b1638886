/* A chain: things on a list that take themselves off, wherever they are on whichever list. Walked
 * by moving all of it to a head of one's own and taking links off one by one, so that whatever
 * happens to the others meanwhile does no harm. */
#ifndef SMSD_HTTP_CHAIN_H
#define SMSD_HTTP_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, it is on no list. A list's head is a pointer to its first link. */
struct http_link {
    struct http_link *next;
    struct http_link **at; /* what points here; NULL: on no list */
};

/* The struct that a link is the member of. */
#define http_link_owner(pointer, type, member)                                                     \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline bool http_link_is_on(const struct http_link *link)
{
    return link->at != NULL;
}

static inline void http_link_put(struct http_link **head, struct http_link *link)
{
    link->next = *head;
    link->at = head;
    if (link->next != NULL)
        link->next->at = &link->next;
    *head = link;
}

static inline void http_link_take(struct http_link *link)
{
    if (link->at == NULL)
        return;
    *link->at = link->next;
    if (link->next != NULL)
        link->next->at = link->at;
    link->at = NULL;
}

/* Moves a whole list to another head, which was empty. */
static inline void http_link_move(struct http_link **to, struct http_link **from)
{
    *to = *from;
    *from = NULL;
    if (*to != NULL)
        (*to)->at = to;
}

#endif
