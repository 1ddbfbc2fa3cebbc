#pragma once

/*
 * org.varlink.service: what every Varlink service tells about itself.
 *
 * Source: https://varlink.org/Service; ipc/org.varlink.service.varlink
 */

#include "ipc/call.h"

#define SERVICE_VENDOR  "elementd"
#define SERVICE_PRODUCT "elementd"
#define SERVICE_URL     "https://github.com/elementd/elementd"

/* For the table of ipc/methods.c. */
int service_get_info(Call *call);
int service_get_interface_description(Call *call);
