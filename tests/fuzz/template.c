/* Fuzzes engine/template (SMS-5): any content is a template or is not; one that is renders with its
 * own names as values, in as much room as it says and in no less, and not without each of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/template.h"

static char rendered[TEMPLATE_BYTES_MAX * 4];

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_rendering(struct text content, const struct template_names *names)
{
    struct template_param params[TEMPLATE_NAMES_MAX + 1];
    struct template_refusal refusal;
    size_t size, again;
    for (size_t i = 0; i < names->count; i++)
        params[i] = (struct template_param){names->names[i], names->names[i]};
    require(template_render(content, params, names->count, rendered, sizeof rendered, &size,
                            &refusal) == TEMPLATE_RENDERED);
    require(size <= content.size);
    require(template_render(content, params, names->count, rendered, size, &again, &refusal) ==
                TEMPLATE_RENDERED &&
            again == size);
    if (size != 0)
        require(template_render(content, params, names->count, rendered, size - 1, &again,
                                &refusal) == TEMPLATE_TOO_LONG);
    if (names->count != 0)
        require(template_render(content, params, names->count - 1, rendered, size, &again,
                                &refusal) == TEMPLATE_MISSING &&
                refusal.missing.count == 1 &&
                text_equals(refusal.missing.names[0], params[names->count - 1].name));
    params[names->count] = (struct template_param){TEXT("not-a-name"), TEXT("")};
    require(template_render(content, params, names->count + 1, rendered, size, &again, &refusal) ==
                TEMPLATE_UNKNOWN &&
            refusal.unknown.count == 1 && refusal.missing.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text content = {(const char *)data, size};
    struct template_names names;
    size_t at = 0;
    enum template_fault fault = template_check(content, &names, &at);
    if (fault == TEMPLATE_OK)
        check_rendering(content, &names);
    else
        require(at < size && strlen(template_fault_text(fault)) > 0);
    return 0;
}
