/* Calls that end in overruns or hidden state: using one does not compile. Included by the build
 * (-include), not by files. Use buffers, memcpy, snprintf, the *_r forms and strtoll instead. */
#ifndef SMSD_BASE_BANNED_H
#define SMSD_BASE_BANNED_H

/* System headers that name what is poisoned below come first. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* Macros in glibc; one that exists can not be poisoned. */
#undef alloca
#undef strdupa
#undef strndupa
#pragma GCC poison strcpy strcat strncpy strncat stpcpy sprintf vsprintf gets alloca
#pragma GCC poison strtok strtok_r strdupa strndupa
#pragma GCC poison gmtime localtime ctime ctime_r asctime asctime_r
#pragma GCC poison atoi atol atoll atof rand srand mktemp tmpnam tempnam

#endif
