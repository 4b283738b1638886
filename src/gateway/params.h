/* Reading a template's parameters back from the text that it was rendered to, for providers that
 * want them instead of the text. */
#ifndef SMSD_GATEWAY_PARAMS_H
#define SMSD_GATEWAY_PARAMS_H

#include <stdbool.h>

#include "base/text.h"

struct buffer;

/* Appends {"name":"value",…} in the order of the placeholders in `content`, the template's text.
 * `rendered` may have something before it (a signature). A value reaches to where the text behind
 * its placeholder stands next; a value that holds that very text is cut there. False, and {} is
 * appended: the text does not come from this template. */
bool params_write(struct text content, struct text rendered, struct buffer *to);

#endif
