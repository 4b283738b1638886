/* Metrics of what commands did. */
#ifndef SMSD_PIPELINE_EFFECT_H
#define SMSD_PIPELINE_EFFECT_H

struct engine_effect;

void effect_count(const struct engine_effect *effect);

#endif
