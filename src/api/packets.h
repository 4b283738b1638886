/* What the handlers of packets share: how a packet and a grab are written. */
#ifndef SMSD_API_PACKETS_H
#define SMSD_API_PACKETS_H

#include "api/billing.h"
#include "engine/packet.h"

/* A packet as it is shown; its grabs are written apart. */
struct packet_view {
    const struct packet_row *row;
    struct text sender, group, greeting;
    const uint8_t *commitment;
    const uint8_t *seed; /* NULL: still secret */
    int64_t now_ms;
};
/* The members of the contract's packet, all but `grabs`, into an object that is open. */
void write_packet(struct json_writer *writer, const struct packet_view *view);

/* The packet in the path; false: replied. */
bool call_packet_number(struct call *call, uint64_t *number);

/* Of a kind or split rule by its text; 0: there is none. */
enum packet_kind packet_kind_parse(struct text text);
enum split_rule packet_split_parse(struct text text);

#endif
