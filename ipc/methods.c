#include "ipc/methods.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ipc/access.h"
#include "ipc/describe.h"
#include "ipc/explain.h"
#include "ipc/instances.h"
#include "ipc/interface.h"
#include "ipc/operate.h"
#include "ipc/service.h"
#include "ipc/status.h"
#include "ipc/watch.h"

#define METHOD_PARAMETER_INSTANCE                                                                  \
    {                                                                                              \
        "instance", METHOD_INSTANCE, false                                                         \
    }
#define METHOD_PARAMETER_TIMEOUT                                                                   \
    {                                                                                              \
        "timeoutUSec", METHOD_TIMEOUT, true                                                        \
    }

#define METHOD_OPERATION(member) offsetof(ServerOperations, member)

/* clang-format off */
static const Method methods_table[] = {
    {"io.elementd.GetToken", {METHOD_PARAMETER_INSTANCE, METHOD_PARAMETER_TIMEOUT},
     METHOD_ALLOWED, .answer = instances_get_token},
    {"io.elementd.WatchToken", {METHOD_PARAMETER_INSTANCE},
     METHOD_ALLOWED, .answer = watch_token, .is_stream = true},
    {"io.elementd.GetAuthorization", {METHOD_PARAMETER_INSTANCE, METHOD_PARAMETER_TIMEOUT},
     METHOD_AUTHORIZED, .answer = instances_get_authorization},
    {"io.elementd.ReportRejected", {METHOD_PARAMETER_INSTANCE, {"token", METHOD_TEXT, false}},
     METHOD_ALLOWED, .answer = instances_report_rejected, .has_effect = true,
     .operation = METHOD_OPERATION(report_rejected)},
    {"io.elementd.ListInstances", {},
     METHOD_ANYBODY, .answer = instances_list},
    {"io.elementd.WatchInstances", {},
     METHOD_ANYBODY, .answer = watch_instances, .is_stream = true},
    {"io.elementd.Explain",
     {METHOD_PARAMETER_INSTANCE, {"uid", METHOD_ID, true}, {"groups", METHOD_IDS, true}, {"unit", METHOD_TEXT, true}},
     METHOD_ANYBODY, .answer = explain},
    {"io.elementd.Reload", {},
     METHOD_ROOT, .answer = operate_reload, .has_effect = true, .operation = METHOD_OPERATION(reload)},
    {"io.elementd.Retry", {METHOD_PARAMETER_INSTANCE},
     METHOD_ROOT, .answer = operate_retry, .has_effect = true, .operation = METHOD_OPERATION(retry)},
    {"io.elementd.ListOrphans", {},
     METHOD_ROOT, .answer = operate_list_orphans, .operation = METHOD_OPERATION(find_orphan)},
    {"io.elementd.DescribeElement", {{"element", METHOD_TEXT, false}, {"account", METHOD_TEXT, true}},
     METHOD_ROOT, .answer = describe_element, .operation = METHOD_OPERATION(describe)},
    {"io.elementd.GetStatus", {},
     METHOD_ANYBODY, .answer = status_get, .operation = METHOD_OPERATION(find_trouble)},
    {"org.varlink.service.GetInfo", {},
     METHOD_ANYBODY, .answer = service_get_info},
    {"org.varlink.service.GetInterfaceDescription", {{"interface", METHOD_TEXT, false}},
     METHOD_ANYBODY, .answer = service_get_interface_description},
};
/* clang-format on */

/* What a check returns when it has answered the call with an error. */
enum {
    METHOD_E_REFUSED = CALL_E_FULL + 1,
};

static int method_refuse_about(Call *call, const char *error, const char *name, const char *text,
                               size_t size)
{
    int r = call_error_about(call, error, name, text, size);

    return r == 0 ? METHOD_E_REFUSED : r;
}

static int method_refuse(Call *call, const char *error)
{
    int r = call_error(call, error);

    return r == 0 ? METHOD_E_REFUSED : r;
}

/* ---- checks: each returns 0 to go on, METHOD_E_REFUSED, CALL_E_FULL or -errno ---- */

static int method_check_name(Call *call)
{
    const char *name = call->message->method, *dot;
    size_t size;

    for (size_t i = 0; i < N_ELEMENTS(methods_table); i++) {
        if (strcmp(methods_table[i].name, name) == 0) {
            call->method = &methods_table[i];
            return 0;
        }
    }
    dot = strrchr(name, '.');
    size = dot ? (size_t)(dot - name) : 0;
    if (dot && !interface_find(name, size))
        return method_refuse_about(call, VARLINK_INTERFACE_NOT_FOUND, "interface", name, size);
    return method_refuse_about(call, VARLINK_METHOD_NOT_FOUND, "method", name, strlen(name));
}

/* No method here turns the connection into something else. */
static int method_check_upgrade(Call *call)
{
    if (!call->message->upgrade)
        return 0;
    return method_refuse_about(call, VARLINK_METHOD_NOT_IMPLEMENTED, "method", call->method->name,
                               strlen(call->method->name));
}

static int method_check_root(Call *call)
{
    if (call->method->access == METHOD_ROOT && !access_is_root(call->peer))
        return method_refuse(call, VARLINK_PERMISSION_DENIED);
    return 0;
}

/* (uid_t)-1 is nobody's. */
static bool method_is_id(const JsonValue *value)
{
    int64_t number;

    return value->type == JSON_NUMBER && json_parse_int64(value->text, value->size, &number) == 0 &&
           number >= 0 && number < UINT32_MAX;
}

static bool method_is_ids(const JsonValue *value)
{
    if (value->type != JSON_ARRAY)
        return false;
    JSON_VALUE_FOREACH(member, value)
        if (!method_is_id(member))
            return false;
    return true;
}

/* Takes one argument in; false when it is not of the parameter's type. */
static bool method_take_argument(Call *call, const MethodParameter *parameter,
                                 const JsonValue *value)
{
    int64_t number;

    switch (parameter->type) {
    case METHOD_TEXT:
    case METHOD_INSTANCE:
        return json_value_is_text(value);
    case METHOD_ID:
        return method_is_id(value);
    case METHOD_IDS:
        return method_is_ids(value);
    case METHOD_TIMEOUT:
        if (value->type != JSON_NUMBER || json_parse_int64(value->text, value->size, &number) < 0 ||
            number < 0)
            return false;
        call->timeout = (usec_t)number < WAIT_MAX_USEC ? (usec_t)number : WAIT_MAX_USEC;
        return true;
    case METHOD_NONE:
        break;
    }
    assert(false);
    return false;
}

/* The parameter of the method that `member` is an argument for, or NULL. */
static const MethodParameter *method_find_parameter(const Method *method, const JsonValue *member)
{
    for (const MethodParameter *p = method->parameters; p->type != METHOD_NONE; p++)
        if (strlen(p->name) == member->key_size &&
            memcmp(p->name, member->key, member->key_size) == 0)
            return p;
    return NULL;
}

static int method_check_parameters(Call *call)
{
    const MethodParameter *parameters = call->method->parameters;
    bool is_given[CALL_ARGUMENTS_MAX] = {};

    if (call->message->parameters) {
        JSON_VALUE_FOREACH(member, call->message->parameters) {
            const MethodParameter *p = method_find_parameter(call->method, member);
            size_t i = p ? (size_t)(p - parameters) : 0;
            bool is_null = member->type == JSON_NULL && p && p->is_optional;

            if (!p || is_given[i] || (!is_null && !method_take_argument(call, p, member)))
                return method_refuse_about(call, VARLINK_INVALID_PARAMETER, "parameter",
                                           member->key, member->key_size);
            is_given[i] = true;
            call->arguments[i] = is_null ? NULL : member;
        }
    }
    for (size_t i = 0; parameters[i].type != METHOD_NONE; i++)
        if (!call->arguments[i] && !parameters[i].is_optional)
            return method_refuse_about(call, VARLINK_INVALID_PARAMETER, "parameter",
                                       parameters[i].name, strlen(parameters[i].name));
    return 0;
}

static int method_check_instance(Call *call)
{
    for (size_t i = 0; i < CALL_ARGUMENTS_MAX; i++) {
        const JsonValue *name = call->arguments[i];

        if (call->method->parameters[i].type != METHOD_INSTANCE)
            continue;
        call->served = call->shared->operations->find(call->shared->userdata, name->text,
                                                      name->size);
        if (!call->served || call->served->is_removed)
            return method_refuse_about(call, INSTANCES_NO_SUCH_INSTANCE, "instance", name->text,
                                       name->size);
    }
    return 0;
}

static int method_check_removed(Call *call)
{
    if (!call->served || !call->served->is_removed)
        return 0;
    return method_refuse_about(call, INSTANCES_NO_SUCH_INSTANCE, "instance", call->served->name,
                               strlen(call->served->name));
}

/* Names of instances are no secret, so whoever may not have one is told so, and not that there is none. */
static int method_check_access(Call *call)
{
    int r = 0;

    switch (call->method->access) {
    case METHOD_ANYBODY:
    case METHOD_ROOT:
        break;
    case METHOD_ALLOWED:
        r = access_check(&call->served->terms->allow, call->peer, NULL);
        break;
    case METHOD_AUTHORIZED:
        r = access_check(&call->served->terms->allow_authorization, call->peer, NULL);
        break;
    }
    return r == ACCESS_E_DENIED ? method_refuse(call, VARLINK_PERMISSION_DENIED) : r;
}

static int method_check_more(Call *call)
{
    if (call->method->is_stream && !call->message->more)
        return method_refuse(call, VARLINK_EXPECTED_MORE);
    return 0;
}

/* Whether the daemon has what the method needs; find(), at the begin of the table, it always has. */
static bool method_has_operation(const Call *call)
{
    void (*operation)(void);

    memcpy(&operation, (const char *)call->shared->operations + call->method->operation,
           sizeof(operation));
    return operation != NULL;
}

static int method_check_implemented(Call *call)
{
    if (call->method->answer && method_has_operation(call))
        return 0;
    return method_refuse_about(call, VARLINK_METHOD_NOT_IMPLEMENTED, "method", call->method->name,
                               strlen(call->method->name));
}

/* ---- calling ---- */

typedef int (*MethodCheck)(Call *call);

/* In this order: who may not call learns nothing of the arguments, and of an instance only that there is one. */
static const MethodCheck method_checks[] = {
    method_check_name,     method_check_upgrade, method_check_root, method_check_parameters,
    method_check_instance, method_check_access,  method_check_more, method_check_implemented,
};

static const MethodCheck method_checks_again[] = {
    method_check_removed,
    method_check_access,
};

static int method_run(Call *call, const MethodCheck *checks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r = checks[i](call);

        if (r != 0)
            return r == METHOD_E_REFUSED ? 0 : r;
    }
    /* Nobody reads the answer, and making one is all that most methods do: no work for a peer to give away. */
    if (call->message && call->message->oneway && !call->method->has_effect)
        return 0;
    return call->method->answer(call);
}

int methods_call(Call *call, const VarlinkCall *message)
{
    int r;

    call->message = message;
    r = method_run(call, method_checks, N_ELEMENTS(method_checks));
    /* They live in the message's arena, and a call that waits lives longer. */
    call->message = NULL;
    memset(call->arguments, 0, sizeof(call->arguments));
    return r;
}

int methods_call_again(Call *call)
{
    return method_run(call, method_checks_again, N_ELEMENTS(method_checks_again));
}
