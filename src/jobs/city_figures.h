/* How the cities' memory does, as metrics. Loop thread only. */
#ifndef SMSD_JOBS_CITY_FIGURES_H
#define SMSD_JOBS_CITY_FIGURES_H

struct city_index;

/* Goes over all cities: for jobs. */
void city_figures_show(const struct city_index *cities);

#endif
