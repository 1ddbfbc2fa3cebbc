#include "tests/unit/backend.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Served *backend_find(void *userdata, const char *name, size_t size)
{
    Backend *backend = userdata;

    backend->n_finds++;
    for (size_t i = 0; i < backend->n; i++) {
        Served *served = &backend->instances[i].served;

        if (strlen(served->name) == size && memcmp(served->name, name, size) == 0)
            return served;
    }
    return NULL;
}

static BackendInstance *backend_instance(Backend *backend, const Served *served)
{
    for (size_t i = 0; i < backend->n; i++)
        if (&backend->instances[i].served == served)
            return &backend->instances[i];
    assert(0);
    return NULL;
}

static Served *backend_next(void *userdata, const Served *previous)
{
    Backend *backend = userdata;
    size_t i = previous ? (size_t)(backend_instance(backend, previous) - backend->instances) + 1
                        : 0;

    backend->n_nexts++;
    if (backend->n_nexts == backend->call_at)
        backend->on_next();
    return i < backend->n ? &backend->instances[i].served : NULL;
}

static void backend_report_rejected(void *userdata, Served *served, const char *token, size_t size)
{
    Backend *backend = userdata;

    assert(size < sizeof(backend->rejected_token));
    memcpy(backend->rejected_token, token, size);
    backend->rejected_token[size] = '\0';
    backend->rejected = served;
    backend->n_rejected++;
}

static void backend_retry(void *userdata, Served *served)
{
    Backend *backend = userdata;

    backend->retried = served;
    backend->n_retried++;
}

static uint64_t backend_reload(void *userdata)
{
    Backend *backend = userdata;

    return ++backend->n_reloads;
}

static const ServedReload *backend_find_reload(void *userdata, uint64_t number)
{
    Backend *backend = userdata;

    assert(number > 0 && number <= backend->n_reloads);
    return number <= backend->n_reloads_over ? &backend->reload : NULL;
}

static uint64_t backend_describe(void *userdata, const char *element, const char *account)
{
    Backend *backend = userdata;

    (void)snprintf(backend->described, sizeof(backend->described), "%s of %s", element, account);
    if (backend->n_descriptions == backend->descriptions_max)
        return 0;
    return ++backend->n_descriptions;
}

static const ServedDescription *backend_find_description(void *userdata, uint64_t number)
{
    Backend *backend = userdata;

    assert(number > backend->n_forgotten && number <= backend->n_descriptions);
    return number <= backend->n_descriptions_there ? &backend->description : NULL;
}

/* In the tests they are forgotten in their order. */
static void backend_forget_description(void *userdata, uint64_t number)
{
    Backend *backend = userdata;

    backend->n_forgotten++;
    assert(number == backend->n_forgotten);
}

static bool backend_find_orphan(void *userdata, size_t i, ServedOrphan *ret_orphan)
{
    Backend *backend = userdata;

    if (i >= backend->n_orphans)
        return false;
    *ret_orphan = backend->orphans[i];
    return true;
}

static bool backend_find_trouble(void *userdata, size_t i, ServedTrouble *ret_trouble)
{
    Backend *backend = userdata;

    if (i >= backend->n_troubles)
        return false;
    *ret_trouble = backend->troubles[i];
    return true;
}

const ServerOperations backend_operations = {
    .find = backend_find,
    .next = backend_next,
    .report_rejected = backend_report_rejected,
    .retry = backend_retry,
    .reload = backend_reload,
    .find_reload = backend_find_reload,
    .find_orphan = backend_find_orphan,
    .describe = backend_describe,
    .find_description = backend_find_description,
    .forget_description = backend_forget_description,
    .find_trouble = backend_find_trouble,
};

void backend_init(Backend *backend)
{
    *backend = (Backend){.descriptions_max = UINT64_MAX};
}

void backend_deinit(Backend *backend)
{
    for (size_t i = 0; i < backend->n; i++) {
        BackendInstance *instance = &backend->instances[i];

        served_deinit(&instance->served);
        acl_deinit(&instance->terms.allow);
        acl_deinit(&instance->terms.allow_authorization);
        (void)secret_unref(instance->token);
    }
    backend->n = 0;
}

static void backend_fill(Acl *acl, const char *entry)
{
    int r;

    acl_deinit(acl);
    if (!entry)
        return;
    r = acl_add(acl, entry);
    if (r != 0)
        abort();
}

Served *backend_add(Backend *backend, const char *name, const char *allow,
                    const char *allow_authorization)
{
    BackendInstance *instance = &backend->instances[backend->n++];
    Served *served = &instance->served;

    assert(backend->n <= BACKEND_INSTANCES_MAX);
    backend_fill(&instance->terms.allow, allow);
    backend_fill(&instance->terms.allow_authorization, allow_authorization);
    served_init(served);
    served->name = name;
    instance->terms.element = "jira";
    instance->terms.account = "default";
    served->terms = &instance->terms;
    served->since = 1000;
    return served;
}

void backend_set_token(Backend *backend, Served *served, const char *token)
{
    BackendInstance *instance = backend_instance(backend, served);
    int r;

    instance->token = secret_unref(instance->token);
    served->state = SERVED_PENDING;
    if (token) {
        r = secret_new(token, strlen(token), &instance->token);
        if (r != 0)
            abort();
        served->state = SERVED_READY;
        served->id = 42;
    }
    served->token = instance->token;
}

void backend_set_problem(Backend *backend, Served *served, const char *words)
{
    TroubleNote *problem = &backend_instance(backend, served)->problem;

    *problem = (TroubleNote){.words = words};
    served->problem = words ? problem : NULL;
}

Terms *backend_terms(Backend *backend, const Served *served)
{
    return &backend_instance(backend, served)->terms;
}

void backend_set_allow(Backend *backend, Served *served, const char *allow)
{
    backend_fill(&backend_instance(backend, served)->terms.allow, allow);
}
