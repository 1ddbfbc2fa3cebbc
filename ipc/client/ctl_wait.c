/*
 * elementctl wait: until instances have a token, as scripts and units need it that are no use without.
 *
 * Those that it waits for are settled at the begin: the ones that are named, or all that are there.
 */

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_instance.h"

DEFINE_FREEP(elementd_watch, elementd_watch_close)

typedef struct CtlWait {
    CtlInstances instances;
    bool *is_awaited; /* of each of them, until it has a token */
    size_t n_left;    /* those that are */
} CtlWait;

static void ctl_wait_deinit(CtlWait *wait)
{
    free(wait->is_awaited);
    ctl_instances_deinit(&wait->instances);
}

static void ctl_wait_set(CtlWait *wait, size_t i, bool is_awaited)
{
    if (wait->is_awaited[i] == is_awaited)
        return;
    wait->is_awaited[i] = is_awaited;
    wait->n_left += is_awaited ? 1 : (size_t)-1;
}

/* Whether the instance of that name, which may be NULL, is waited for; then *ret_i is its place among all. */
static bool ctl_wait_find(const CtlWait *wait, const char *name, size_t *ret_i)
{
    const elementd_instance **row = name ? ctl_instances_find_row(&wait->instances, name) : NULL;

    if (!row)
        return false;
    *ret_i = (size_t)(row - wait->instances.rows);
    return wait->is_awaited[*ret_i];
}

/* Settles what is waited for; one that is not there is an error. */
static CtlStatus ctl_wait_init(CtlWait *wait, const Ctl *ctl, elementd *daemon)
{
    CtlStatus status;

    status = ctl_instances_get(ctl, daemon, &wait->instances);
    if (status != CTL_OK)
        return status;
    wait->is_awaited = calloc(wait->instances.n_rows + 1, sizeof(*wait->is_awaited));
    if (!wait->is_awaited)
        return ctl_failure_report(ctl, NULL, -ENOMEM, NULL, NULL);
    for (size_t i = 0; i < wait->instances.n_rows && ctl->n_arguments == 0; i++)
        ctl_wait_set(wait, i, true);
    for (size_t i = 0; i < ctl->n_arguments; i++) {
        const elementd_instance **row = ctl_instances_find_row(&wait->instances, ctl->arguments[i]);

        if (!row)
            return ctl_instances_missing(ctl, daemon, ctl->arguments[i]);
        ctl_wait_set(wait, (size_t)(row - wait->instances.rows), true);
    }
    return CTL_OK;
}

/* Why there is no token, in the words that asking for it would have; `error` is of libelementd. */
static CtlStatus ctl_wait_report(const Ctl *ctl, const elementd_instance *instance, int error)
{
    const elementd_error details = {
        .name = "",
        .instance = instance->name,
        .state = instance->state,
        .problem = instance->problem,
        .retry_usec = instance->retry_usec,
    };

    return ctl_failure_report_of(ctl, &details, error, instance->name, NULL);
}

/* The time is over: says how the first of those is that have no token. */
static CtlStatus ctl_wait_time_out(const CtlWait *wait, const Ctl *ctl, elementd *daemon)
{
    _cleanup_(ctl_instances_deinit) CtlInstances now = {};
    const elementd_instance *instance;
    CtlStatus status;

    status = ctl_instances_get(ctl, daemon, &now);
    if (status != CTL_OK)
        return status;
    for (size_t i = 0; i < wait->instances.n_rows; i++) {
        const char *name = wait->instances.rows[i]->name;

        if (!wait->is_awaited[i])
            continue;
        instance = ctl_instances_find(&now, name);
        if (!instance)
            return ctl_instances_missing(ctl, daemon, name);
        if (!instance->has_token)
            return ctl_wait_report(ctl, instance, ELEMENTD_E_NOT_READY);
    }
    return CTL_OK;
}

/* Takes in how an instance is. CTL_OK to go on. */
static CtlStatus ctl_wait_take(CtlWait *wait, const Ctl *ctl, const elementd_instance *instance)
{
    size_t i;

    if (!ctl_wait_find(wait, instance->name, &i))
        return CTL_OK;
    if (instance->has_token)
        ctl_wait_set(wait, i, false);
    else if (strcmp(instance->state, "failed") == 0)
        return ctl_wait_report(ctl, instance, ELEMENTD_E_FAILED);
    return CTL_OK;
}

static CtlStatus ctl_wait_run(CtlWait *wait, const Ctl *ctl, elementd *daemon,
                              elementd_watch *watch)
{
    usec_t end = ctl_options_has(&ctl->options, CTL_OPTION_TIMEOUT)
                     ? clock_add(clock_boottime(), ctl->options.timeout)
                     : USEC_INFINITY;
    CtlStatus status = CTL_OK;
    bool is_lost = false;

    while (wait->n_left > 0 && status == CTL_OK) {
        const elementd_error *error = elementd_watch_last_error(watch);
        usec_t now = clock_boottime();
        const elementd_instance *instance;
        size_t i;
        int r;

        r = elementd_watch_next_instance(watch,
                                         end == USEC_INFINITY ? UINT64_MAX
                                         : end > now          ? end - now
                                                              : 0,
                                         &instance);
        if (r == ELEMENTD_E_TIMEOUT)
            return ctl_wait_time_out(wait, ctl, daemon);
        /* A daemon that restarts is waited for, too. */
        if (r == ELEMENTD_E_CLOSED && !is_lost) {
            is_lost = true;
            continue;
        }
        is_lost = false;
        if (r == 0)
            status = ctl_wait_take(wait, ctl, instance);
        else if (r != ELEMENTD_E_NO_SUCH_INSTANCE || ctl_wait_find(wait, error->instance, &i))
            status = ctl_failure_report_of(ctl, error, r, error->instance, NULL);
    }
    return status;
}

CtlStatus ctl_wait(const Ctl *ctl)
{
    _cleanup_(elementd_watch_closep) elementd_watch *watch = NULL;
    _cleanup_(elementd_closep) elementd *daemon = NULL;
    _cleanup_(ctl_wait_deinit) CtlWait wait = {};
    CtlStatus status;
    int r;

    status = ctl_failure_connect(ctl, &daemon);
    if (status == CTL_OK)
        status = ctl_wait_init(&wait, ctl, daemon);
    if (status != CTL_OK)
        return status;
    r = elementd_watch_instances(daemon, &watch);
    if (r != 0)
        return ctl_failure_report(ctl, NULL, r, NULL, NULL);
    return ctl_wait_run(&wait, ctl, daemon, watch);
}
