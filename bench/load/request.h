/* The request of a run, laid out as a template from the options: HTTP/1.1 or a Redis command. */
#ifndef BENCH_LOAD_REQUEST_H
#define BENCH_LOAD_REQUEST_H

struct load_options;
struct template;

/* Fills an initialised template. Exits with a sentence on a file it cannot read, a request without
 * a method and path, or a placeholder that does not exist. */
void request_lay_out(struct template *request, const struct load_options *options);

/* Fills in what {id} is taken from: lines of TEMPLATE_ID_SIZE characters. Exits likewise. */
struct values;
void request_read_ids(struct values *values, const char *path);

#endif
