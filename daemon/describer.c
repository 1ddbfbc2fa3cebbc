#include "daemon/describer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"
#include "daemon/platform_hide.h"

struct Description {
    TAILQ_ENTRY(Description) link;
    Describer *describer;
    uint64_t number;
    char *element;
    char *account;
    uint64_t epoch; /* of its account, when it was asked for */
    EngineTask *task;
    bool is_there;

    /* What the answer points at. */
    ServedDescription served;
    PlatformKeys platform_keys;
    ServedElementKey *keys;
    char *problem;
};

/* ---- one of them ---- */

static Description *description_free(Description *description)
{
    if (!description)
        return NULL;
    engine_task_free(description->task);
    platform_keys_deinit(&description->platform_keys);
    free(description->keys);
    free(description->problem);
    free(description->element);
    free(description->account);
    free(description);
    return NULL;
}

DEFINE_FREEP(Description, description_free)

static int description_new(Describer *describer, const char *element, const char *account,
                           Description **ret_description)
{
    _cleanup_(description_freep) Description *description = calloc(1, sizeof(*description));

    if (!description)
        return -ENOMEM;
    description->describer = describer;
    description->element = strdup(element);
    description->account = strdup(account);
    if (!description->element || !description->account)
        return -ENOMEM;
    *ret_description = TAKE_PTR(description);
    return 0;
}

/* It is there, and whoever waits is to be told. */
static void description_set(Description *description, ServedDescriptionResult result)
{
    Describer *describer = description->describer;

    assert(!description->is_there && !description->task);
    description->is_there = true;
    description->served.result = result;
    description->served.element = description->element;
    description->served.account = description->account;
    describer->has_news = true;
    describer->wake(describer->userdata);
}

/* `problem` is copied; `wait` is when it may be tried again, 0: not known. */
static void description_set_unavailable(Description *description, const char *problem, usec_t wait)
{
    description->problem = problem ? strdup(problem) : NULL;
    description->served.problem = description->problem ? description->problem : "out of memory";
    description->served.retry = wait > 0 ? clock_add(clock_realtime(), wait) : 0;
    description_set(description, SERVED_DESCRIPTION_UNAVAILABLE);
}

static void description_set_paused(Description *description, const Gate *gate, usec_t now)
{
    _cleanup_(freep) char *words = NULL;

    if (asprintf(&words, "the account \"%s\" is paused: %s", description->account,
                 gate->problem ? gate->problem : "out of memory") < 0)
        words = NULL;
    description_set_unavailable(description, words, gate->until - now);
}

/* Whatever the platform says, the account's secrets are not in it. */
static int description_hide(const PlatformKeys *keys, const Gate *gate)
{
    const PlatformQuestion question = {.account = gate->account};

    for (size_t i = 0; i < keys->n_items; i++) {
        PlatformKey *key = &keys->items[i];

        if (platform_hide(&question, key->name) < 0 ||
            (key->default_value && platform_hide(&question, key->default_value) < 0))
            return -ENOMEM;
    }
    return 0;
}

static void description_set_keys(Description *description, const Gate *gate, PlatformAnswer *answer)
{
    PlatformKeys *keys = &description->platform_keys;

    *keys = answer->keys;
    answer->keys = (PlatformKeys){};
    description->keys = calloc(keys->n_items + 1, sizeof(*description->keys));
    if (!description->keys || description_hide(keys, gate) < 0) {
        description_set_unavailable(description, NULL, 0);
        return;
    }
    for (size_t i = 0; i < keys->n_items; i++)
        description->keys[i] = (ServedElementKey){
            .name = keys->items[i].name,
            .is_required = keys->items[i].is_required,
            .is_secret = keys->items[i].is_secret,
            .default_value = keys->items[i].default_value,
        };
    description->served.keys = description->keys;
    description->served.n_keys = keys->n_items;
    description_set(description, SERVED_DESCRIBED);
}

/* ---- asking ---- */

static Gate *describer_find_gate(const Describer *describer, const char *account)
{
    for (size_t i = 0; i < describer->gates->n_items; i++)
        if (strcmp(describer->gates->items[i]->account->name, account) == 0)
            return describer->gates->items[i];
    return NULL;
}

static void describer_run(Describer *describer);

static void describer_on_answer(void *userdata, void *subject, PlatformAnswer *answer)
{
    Description *description = subject;
    Describer *describer = description->describer;
    const Gate *gate = describer_find_gate(describer, description->account);

    (void)userdata;
    description->task = NULL;
    assert(gate); /* what was asked for one that is gone was cancelled */
    switch (answer->outcome) {
    case PLATFORM_DONE:
        if (answer->is_unconfirmed)
            description_set_unavailable(
                description, "the platform's answer is no list of keys, or not all of one", 0);
        else
            description_set_keys(description, gate, answer);
        break;
    case PLATFORM_ABSENT:
        description_set(description, SERVED_DESCRIPTION_NO_ELEMENT);
        break;
    case PLATFORM_REFUSED:
    case PLATFORM_UNAUTHORIZED:
    case PLATFORM_FORBIDDEN:
    case PLATFORM_BUSY:
    case PLATFORM_UNKNOWN:
        description_set_unavailable(description, answer->problem, answer->retry_after);
        break;
    }
    describer_run(describer);
}

static int description_ask(Description *description, const Gate *gate)
{
    const Describer *describer = description->describer;
    usec_t timeout = describer->registry->config->settings.request_timeout;
    const PlatformQuestion question = {
        .method = PLATFORM_EXPLAIN,
        .account = gate->account,
        .element = description->element,
        .timeout = timeout < DESCRIBE_WAIT_USEC ? timeout : DESCRIBE_WAIT_USEC,
    };

    description->epoch = gate->epoch;
    return engine_ask(describer->engine, &question, NULL, describer_on_answer, description,
                      &description->task);
}

static bool describer_is_asking(const Describer *describer, const char *account)
{
    const Description *description;

    TAILQ_FOREACH(description, &describer->list, link)
        if (description->task && strcmp(description->account, account) == 0)
            return true;
    return false;
}

/* Has each go on that can; so it can be called whatever has changed. */
static void describer_run(Describer *describer)
{
    usec_t now = clock_boottime();
    Description *description;

    TAILQ_FOREACH(description, &describer->list, link) {
        /* cppcheck-suppress uninitvar; TAILQ_FOREACH() sets it */
        const Gate *gate = describer_find_gate(describer, description->account);
        int r = 0;

        if (description->is_there || description->task)
            continue;
        if (!gate)
            description_set(description, SERVED_DESCRIPTION_NO_ACCOUNT);
        else if (gate->is_paused && gate->until > now)
            description_set_paused(description, gate, now);
        else if (!describer_is_asking(describer, description->account))
            r = description_ask(description, gate);
        if (r < 0)
            description_set_unavailable(description, error_text(r), 0);
    }
}

/* ---- all of them ---- */

void describer_init(Describer *describer, const Registry *registry, const Gates *gates,
                    Engine *engine, void (*wake)(void *userdata), void *userdata)
{
    *describer = (Describer){
        .registry = registry,
        .gates = gates,
        .engine = engine,
        .wake = wake,
        .userdata = userdata,
    };
    TAILQ_INIT(&describer->list);
}

static Description *describer_remove(Describer *describer, Description *description)
{
    TAILQ_REMOVE(&describer->list, description, link);
    describer->n--;
    return description_free(description);
}

void describer_deinit(Describer *describer)
{
    Description *description;

    while (describer->n > 0 && (description = TAILQ_FIRST(&describer->list)))
        (void)describer_remove(describer, description);
    *describer = (Describer){};
}

uint64_t describer_ask(Describer *describer, const char *element, const char *account)
{
    Description *description;

    if (describer->n >= DESCRIPTIONS_MAX ||
        description_new(describer, element, account, &description) < 0)
        return 0;
    description->number = ++describer->last_number;
    TAILQ_INSERT_TAIL(&describer->list, description, link);
    describer->n++;
    describer_run(describer);
    return description->number;
}

static Description *describer_find_any(const Describer *describer, uint64_t number)
{
    Description *description;

    TAILQ_FOREACH(description, &describer->list, link)
        if (description->number == number)
            return description;
    return NULL;
}

const ServedDescription *describer_find(const Describer *describer, uint64_t number)
{
    const Description *description = describer_find_any(describer, number);

    return description && description->is_there ? &description->served : NULL;
}

void describer_forget(Describer *describer, uint64_t number)
{
    Description *description = describer_find_any(describer, number);

    if (!description)
        return;
    (void)describer_remove(describer, description);
    describer_run(describer);
}

void describer_reloaded(Describer *describer)
{
    Description *description;

    TAILQ_FOREACH(description, &describer->list, link) {
        /* cppcheck-suppress uninitvar; TAILQ_FOREACH() sets it */
        const Gate *gate = describer_find_gate(describer, description->account);

        if (!gate || gate->epoch != description->epoch)
            description->task = engine_task_free(description->task);
    }
    describer_run(describer);
}

bool describer_take_news(Describer *describer)
{
    bool has_news = describer->has_news;

    describer->has_news = false;
    return has_news;
}
