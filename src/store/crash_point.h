/* Places to die at, for tests of what a crash leaves behind (OPS-7); crash_point.def lists them.
 * Nothing in release builds. */
#ifndef SMSD_STORE_CRASH_POINT_H
#define SMSD_STORE_CRASH_POINT_H

#ifdef SMSD_CRASH_POINTS
void crash_point(const char *name);
#else
#define crash_point(name) ((void)0)
#endif

#endif
