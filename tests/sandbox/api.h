#pragma once

/*
 * API: what the platform answers to one request.
 *
 * A function of the world and the request, without a loop: routes are a table, each with a handler that
 * changes the world and fills in an answer.
 *
 * Source: the platform's public documentation; what it leaves open is decided here and said beside the code
 */

#include "tests/sandbox/http_answer.h"
#include "tests/sandbox/instance.h"
#include "tests/sandbox/world.h"

/* Before every path of the platform. */
#define API_PREFIX "/elements/api-v2"

/* What a request is to the platform; all borrowed, absent parts NULL. */
typedef struct ApiRequest {
    const char *method;
    const char *path; /* below API_PREFIX, still percent-encoded */
    const char *query;
    const char *authorization;
    const char *content_type;
    const JsonValue *document; /* the body, where it is JSON */
} ApiRequest;

/*
 * Carries `request` out. Every refusal is an answer too. *ret_instance is the id of the instance that it
 * created, changed or removed, else 0. 0, or -errno with nothing answered.
 */
int api_handle(World *world, const ApiRequest *request, const InstanceView *view,
               HttpAnswer *answer, int64_t *ret_instance);

/* Whether a request is one to create an instance, which takes the platform long. */
bool api_is_create(const ApiRequest *request);
