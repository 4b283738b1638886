/* What of a webhook clients are sent: the rows of engine/webhook_field.def, written as JSON. Also
 * for the API, which shows the same. */
#ifndef SMSD_GATEWAY_WEBHOOK_PAYLOAD_H
#define SMSD_GATEWAY_WEBHOOK_PAYLOAD_H

struct buffer;
struct json_writer;
struct webhook;

const char *webhook_type_text(const struct webhook *webhook);
/* The member "data" of the object that the writer stands in. */
void webhook_write_data(struct json_writer *writer, const struct webhook *webhook);
/* The whole body: {"type":…,"timestamp":…,"data":{…}}. The same bytes at every attempt. */
void webhook_write_payload(struct buffer *to, const struct webhook *webhook);

#endif
