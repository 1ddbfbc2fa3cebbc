#pragma once

/*
 * API, the part about instances: the handlers of the routes below /instances.
 *
 * All: 0, API_CALL_E_REFUSED or -errno. Those but list and create need call->instance.
 */

#include "tests/sandbox/api_call.h"

/* A configuration value with which the vendor refuses: for trying out what then happens. */
#define API_INSTANCES_REFUSED_VALUE "refused-by-vendor"

int api_instances_list(ApiCall *call);
int api_instances_create(ApiCall *call);
int api_instances_get(ApiCall *call);
int api_instances_replace(ApiCall *call);
int api_instances_update(ApiCall *call);
int api_instances_remove(ApiCall *call);
int api_instances_enable(ApiCall *call);
int api_instances_disable(ApiCall *call);
