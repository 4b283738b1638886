/* Calls that end in overruns or hidden state: using one does not compile. Included by the build
 * (-include), not by files. Use buffers, memcpy, snprintf, the *_r forms and strtoll instead. */
#ifndef SMSD_BASE_BANNED_H
#define SMSD_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok alloca
#pragma GCC poison gmtime localtime ctime asctime atoi atol atoll atof rand srand

#endif
