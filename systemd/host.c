#include "systemd/host.h"

#include <systemd/sd-id128.h>

/* Ours alone, so that the id that the platform sees cannot be matched with those of other programs. */
#define HOST_APPLICATION_ID                                                                        \
    SD_ID128_MAKE(6b, 7e, 2f, 0d, 94, 1c, 4e, 5a, b3, 0f, 8d, 27, c6, 51, e9, 4a)

int host_get_id(char ret_id[static HOST_ID_SIZE])
{
    sd_id128_t id;
    int r;

    r = sd_id128_get_machine_app_specific(HOST_APPLICATION_ID, &id);
    if (r < 0)
        return r;
    (void)sd_id128_to_string(id, ret_id);
    return 0;
}

int host_get_boot_id(char ret_id[static HOST_ID_SIZE])
{
    sd_id128_t id;
    int r;

    r = sd_id128_get_boot(&id);
    if (r < 0)
        return r;
    (void)sd_id128_to_string(id, ret_id);
    return 0;
}
