/* Metrics of what commands did: each figure of an effect is added to the metric that it is. For the
 * loop's thread, once a command. */
#ifndef SMSD_PIPELINE_EFFECT_H
#define SMSD_PIPELINE_EFFECT_H

struct engine_effect;

void effect_count(const struct engine_effect *effect);

#endif
