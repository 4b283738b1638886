/* The welcome message: what a first visit becomes, in the same commit, paid by the city's company
 * (CITY-5); and what becomes of the visit when its message fails.
 *
 * A message that is refused (no money, no route, …) is no reason never to welcome somebody: the
 * visit then leaves no mark, and a signal half an hour later or more tries again. Where it is
 * refused because of who it is for (a blocked number, a country not sent to), the mark stays: no
 * later signal changes that, and who lives there is not welcomed when it does change.
 *
 * A message that has failed, was rejected or canceled takes its mark with it, in its own commit.
 * Undelivered is not that: a provider has taken it and is paid, and would be every half hour.
 *
 * A group of cities (CITY-8) is one place as far as messages go: who was sent one by a city of the
 * group is not sent one by another, within the shorter window of the two, by seconds. What counts
 * is the group's last one, as long as the visit that it was for has its mark. */
#ifndef SMSD_ENGINE_WELCOME_H
#define SMSD_ENGINE_WELCOME_H

#include "engine/city.h"

struct engine;

struct welcome_asked {
    uint32_t city; /* its index */
    const struct city_view *view;
    uint64_t mobile;
    int64_t at_s;      /* of the signal */
    bool is_labelled;  /* as the city wants it */
    uint8_t tries_max; /* of the message */
};

struct welcome {
    enum city_decision decision;
    enum outcome outcome; /* why it was refused; OUTCOME_OK: it was not */
    uint64_t message;     /* 0: none */
};

/* In handlers: decides of a first visit, and makes the message. The visit is the caller's. */
struct welcome welcome_decide(struct engine *engine, const struct welcome_asked *asked);

/* A message_follower (engine/message.h). */
void welcome_follow(struct engine *engine, const struct message_row *row, enum message_status from);

#endif
