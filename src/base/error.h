/* Operating failures: negative ints with a name (enum error), as against business answers
 * (engine/outcome.def) and bugs (assert). A function that can fail in operation returns 0 or one of
 * these; error_text() is for logs and for the operator. The rows are in error.def. */
#ifndef SMSD_BASE_ERROR_H
#define SMSD_BASE_ERROR_H

enum error {
#define ERROR(name, number, text) ERR_##name = (number),
#include "base/error.def"
#undef ERROR
};

/* What the error means, for a log line; a static string, also for a number nobody declared. */
const char *error_text(int error);

#endif
