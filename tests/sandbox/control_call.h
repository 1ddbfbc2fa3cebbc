#pragma once

/*
 * Control call: one request to the control interface on its way to its handler.
 *
 * Handlers: 0, CONTROL_CALL_E_REFUSED or -errno.
 */

#include "base/json_writer.h"
#include "tests/sandbox/query.h"
#include "tests/sandbox/sandbox.h"

enum {
    CONTROL_CALL_E_REFUSED = 1, /* the answer says why */
};

typedef struct ControlCall {
    Sandbox *sandbox;
    const HttpRequest *request;
    Query query;
    const JsonValue *document; /* the body; NULL where the route has none */
    char *segment;             /* owned: what stands for {} in the route */
    HttpAnswer *answer;
} ControlCall;

/* Answers {"error": …}. CONTROL_CALL_E_REFUSED or -errno. */
int control_call_refuse(ControlCall *call, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads the body by a table. 0, CONTROL_CALL_E_REFUSED or -errno. */
int control_call_read(ControlCall *call, const JsonValue *object, const Field *fields,
                      void *target);

/* Ends the writing of an answer: 0 or -errno. */
int control_call_end(JsonWriter *writer);

/* ---- handlers about instances, in control_instances.c ---- */

int control_instances_list(ControlCall *call);
int control_instances_plant(ControlCall *call);
int control_instances_clear(ControlCall *call);
int control_instances_get(ControlCall *call);
int control_instances_remove(ControlCall *call);
int control_instances_set_token(ControlCall *call);
int control_instances_disable(ControlCall *call);
int control_instances_enable(ControlCall *call);

/* ---- handlers about settings, in control_settings.c ---- */

int control_settings_get(ControlCall *call);
int control_settings_set(ControlCall *call);
