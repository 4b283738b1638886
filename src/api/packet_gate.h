/* What is known in memory of packets that are being grabbed, so that a rush on an empty or expired
 * one is turned away before anything of it is looked up (PKT-6). It knows only what grabs since the
 * start told it, and only of the latest packets: what it does not know, the engine does. Bounded:
 * PACKET_GATE_BYTES_MAX. */
#ifndef SMSD_API_PACKET_GATE_H
#define SMSD_API_PACKET_GATE_H

#include "engine/command.h"

enum { PACKET_GATE_BYTES_MAX = 16 << 20 };

struct packet_gate;

struct packet_gate *packet_gate_new(void);
void packet_gate_free(struct packet_gate *gate);

/* A grab that took a share was answered so. */
void packet_gate_note(struct packet_gate *gate, uint64_t packet, struct text user,
                      const struct grab_result *grab);

/* OUTCOME_PACKET_EXPIRED: whoever asks. OUTCOME_PACKET_EMPTY: the user has no share and cannot get
 * one; `currency` is the packet's. OUTCOME_OK: not known, ask the engine. */
enum outcome packet_gate_check(const struct packet_gate *gate, uint64_t packet, struct text user,
                               int64_t now_ms, const char **currency);

#endif
