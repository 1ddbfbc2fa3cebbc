#pragma once

/*
 * API call: one request on its way through authorization, route and handler.
 */

#include "base/json_writer.h"
#include "tests/sandbox/api.h"

enum {
    API_CALL_E_REFUSED = 1, /* the answer says why */
};

typedef struct ApiCall {
    World *world;
    const ApiRequest *request;
    const InstanceView *view;
    HttpAnswer *answer;
    const char *segment; /* what stands for {} in the route, decoded */
    Account *account;    /* whose request it is */
    Instance *caller;    /* of the Element token, NULL: there is none */
    Instance *instance;  /* that the route is about, NULL: none */
    int64_t changed;     /* id of the instance that was created, changed or removed */
} ApiCall;

/* Answers with the platform's error; `format` NULL: the usual words. API_CALL_E_REFUSED or -errno. */
int api_call_refuse(ApiCall *call, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the writing of an answer: 0 or -errno. */
int api_call_end(JsonWriter *writer);
