/* The texts of error.def. */
#include "base/error.h"

const char *error_text(int error)
{
    switch (error) {
    case 0:
        return "no error";
#define ERROR(name, number, text)                                                                  \
    case (number):                                                                                 \
        return text;
#include "base/error.def"
#undef ERROR
    default:
        return "unknown error";
    }
}
