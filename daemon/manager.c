#include "daemon/manager.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"
#include "config/config.h"
#include "daemon/bodies.h"
#include "daemon/committer.h"
#include "daemon/describer.h"
#include "daemon/early.h"
#include "daemon/http_helper.h"
#include "daemon/loader.h"
#include "daemon/reconcile.h"
#include "daemon/reload.h"
#include "daemon/serve.h"
#include "ipc/alarm.h"
#include "ipc/credentials.h"
#include "ipc/server.h"
#include "systemd/activation.h"
#include "systemd/log.h"
#include "systemd/messages.h"
#include "systemd/notify.h"

/* However far off what is due may be: a timer that is wrong, for whatever reason, delays nothing for longer. */
#define MANAGER_TICK_USEC (60 * USEC_PER_SEC)

/* Between two messages about what is under way. */
#define MANAGER_STATUS_USEC (200 * USEC_PER_MSEC)

/* At the end, creations that have been sent get this long to be answered; their intents are recorded. */
#define MANAGER_STOP_USEC (5 * USEC_PER_SEC)

typedef enum ManagerState {
    MANAGER_LOADING, /* the configuration, for the first time: clients queue in the kernel */
    MANAGER_RUNNING,
    MANAGER_STOPPING, /* waits for creations that have been sent */
    MANAGER_STOPPED,
} ManagerState;

struct Manager {
    const Paths *paths;
    ManagerState state;
    struct event_base *base;
    struct event *signals[3];
    struct event *settle;
    Alarm *timer;
    Alarm *watchdog;
    struct event *stop_timer;

    DigestKey key;
    Store *store;
    Committer committer;
    Gates gates;
    Registry registry;
    Bodies *bodies;
    Engine *engine;
    Reconciler reconciler;
    StoreLoad load; /* until the first configuration says what it is about */
    int listen_fd;  /* until then, too */
    int credentials_fd;
    int error; /* why the loop was left, or 0 */
    Loader *loader;
    Early *early; /* or NULL */
    Reload reload;
    Describer describer;
    Serve serve;
    Server *server;
    Credentials *credentials;
    char status[160];
    usec_t status_after; /* what is under way is told again from then on */
    bool is_status_late; /* it was not told since */
};

/* ---- telling ---- */

static void manager_update_status(Manager *manager)
{
    unsigned counts[SERVED_N_STATES], total = 0;
    usec_t now = clock_boottime();
    char status[sizeof(manager->status)];
    size_t n;

    /* The end of it at once; but each token of thousands is no news, and a message is eight system calls. */
    manager->is_status_late = manager->reconciler.n_begun > 0 && now < manager->status_after;
    if (manager->is_status_late)
        return;
    registry_count(&manager->registry, counts);
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        total += counts[i];
    n = (size_t)snprintf(status, sizeof(status), "%u instance%s", total, total == 1 ? "" : "s");
    for (size_t i = 0; i < N_ELEMENTS(counts); i++)
        if (counts[i] > 0 && n < sizeof(status))
            n += (size_t)snprintf(status + n, sizeof(status) - n, ", %u %s", counts[i],
                                  served_state_name((ServedState)i));
    if (strcmp(status, manager->status) == 0)
        return;
    manager->status_after = clock_add(now, MANAGER_STATUS_USEC);
    memcpy(manager->status, status, sizeof(status));
    notify_status(status);
}

/* The instance that a file is about, or NULL; the caller frees. */
static char *manager_instance_of(const char *file)
{
    const char *folder = file ? strstr(file, "/instances.d/") : NULL;
    const char *name = folder ? strrchr(folder, '/') + 1 : NULL;
    size_t size = name ? strlen(name) : 0;
    char *instance;

    if (size <= strlen(".json") || strcmp(name + size - strlen(".json"), ".json") != 0)
        return NULL;
    instance = strndup(name, size - strlen(".json"));
    if (instance && !instance_name_is_valid(instance)) {
        free(instance);
        return NULL;
    }
    return instance;
}

static void manager_tell_problems(const Config *config)
{
    LogFields fields = {.message_id = MESSAGE_CONFIGURATION};

    for (size_t i = 0; i < config->problems.n_items; i++) {
        const Problem *problem = &config->problems.items[i];
        _cleanup_(freep) char *instance = manager_instance_of(problem->file);
        _cleanup_(freep) char *words = problem_format(problem);

        fields.instance = instance;
        if (words)
            log_full(problem->severity == PROBLEM_ERROR ? LOG_ERR : LOG_WARNING, &fields, "%s",
                     words);
    }
    fields.instance = NULL;
    if (config->problems.n_dropped > 0)
        log_full(LOG_ERR, &fields, "and %zu more problems of the configuration",
                 config->problems.n_dropped);
}

static void manager_tell_load(const StoreLoad *load)
{
    static const LogFields fields = {.message_id = MESSAGE_STORE_RECOVERED};

    if (load->problem)
        log_full(LOG_ERR, &fields, "%s; %s, and what is missing is looked up on the platform",
                 load->problem,
                 load->is_new ? "there is no older one" : "the one before it is used");
    else if (load->is_recovered)
        log_full(LOG_WARNING, &fields,
                 "there is no " STORE_FILE ", only an older one, which is used; what is missing is "
                 "looked up on the platform");
    if (load->warning)
        log_full(LOG_WARNING, &fields, "%s", load->warning);
    if (load->n_broken > 0)
        log_full(LOG_ERR, &fields,
                 "%u records cannot be used; their instances are looked up on the platform",
                 load->n_broken);
}

/* ---- committing ---- */

static void manager_on_commit(void *userdata, uint64_t generation, int error)
{
    Manager *manager = userdata;
    uint64_t before = manager->registry.durable_generation;

    committer_done(&manager->committer, generation, error);
    reconciler_committed(&manager->reconciler, before, error);
    event_active(manager->settle, EV_TIMEOUT, 0);
}

/* ---- the loop ---- */

/* `now` is that of committer_run(): what was too early then must be waited for, however late it has become meanwhile. */
static void manager_arm(Manager *manager, usec_t now)
{
    usec_t due = manager->reconciler.due, commit = committer_due(&manager->committer, now), wait;
    int r;

    if (commit < due)
        due = commit;
    if (manager->is_status_late && manager->status_after < due)
        due = manager->status_after;
    wait = due > now ? due - now : 0;
    if (wait > MANAGER_TICK_USEC)
        wait = MANAGER_TICK_USEC;
    r = alarm_set(manager->timer, wait, 0);
    if (r < 0)
        log_event(LOG_ERR, MESSAGE_CANNOT_RUN, "cannot set a timer: %s", error_text(r));
}

static bool manager_is_creating(const Manager *manager)
{
    for (size_t i = 0; i < manager->registry.n_entries; i++)
        if (manager->registry.entries[i]->busy == PLAN_BUSY_CREATING)
            return true;
    return false;
}

/* Everything ends here: what became due, what changed, when to look again. */
static void manager_settle(Manager *manager)
{
    usec_t now;

    switch (manager->state) {
    case MANAGER_LOADING:
        return;
    case MANAGER_RUNNING:
        reconciler_tick(&manager->reconciler);
        if (describer_take_news(&manager->describer))
            server_described(manager->server);
        break;
    case MANAGER_STOPPING:
    case MANAGER_STOPPED:
        if (!manager_is_creating(manager))
            (void)event_base_loopbreak(manager->base);
        break;
    }
    now = clock_boottime();
    committer_run(&manager->committer, now);
    manager_update_status(manager);
    manager_arm(manager, now);
}

static void manager_on_settle(evutil_socket_t fd, short what, void *userdata)
{
    (void)fd;
    (void)what;
    manager_settle(userdata);
}

static void manager_on_timer(void *userdata)
{
    manager_settle(userdata);
}

static void manager_on_watchdog(void *userdata)
{
    (void)userdata;
    notify_watchdog();
}

static void manager_on_stop_timer(evutil_socket_t fd, short what, void *userdata)
{
    Manager *manager = userdata;

    (void)fd;
    (void)what;
    (void)event_base_loopbreak(manager->base);
}

/* Units that were waiting when an earlier run ended. */
static void manager_resume_credentials(Manager *manager)
{
    int position = 0, fd, r;

    while ((r = activation_take_kept(CREDENTIALS_KEPT_NAME, &position, &fd)) == 0 && fd >= 0)
        credentials_resume(manager->credentials, fd);
    if (r < 0)
        log_event(LOG_ERR, MESSAGE_CREDENTIAL_NONE,
                  "cannot go on with units that wait for a credential: %s", error_text(r));
}

static void manager_on_terminate(evutil_socket_t signal_number, short what, void *userdata)
{
    static const struct timeval patience = {MANAGER_STOP_USEC / USEC_PER_SEC, 0};
    Manager *manager = userdata;

    (void)what;
    if (manager->state == MANAGER_STOPPING) {
        (void)event_base_loopbreak(manager->base);
        return;
    }
    log_debug("stopping on signal %d", (int)signal_number);
    manager->state = MANAGER_STOPPING;
    notify_stopping();
    early_stop(manager->early);
    server_stop(manager->server);
    if (!manager->registry
             .config) /* those that an earlier run has left waiting fail with the rest */
        manager_resume_credentials(manager);
    credentials_stop(manager->credentials);
    if (reconciler_stop(&manager->reconciler) == 0 || event_add(manager->stop_timer, &patience) < 0)
        (void)event_base_loopbreak(manager->base);
}

/* ---- reload ---- */

static void manager_on_hangup(evutil_socket_t signal_number, short what, void *userdata)
{
    Manager *manager = userdata;

    (void)signal_number;
    (void)what;
    (void)loader_start(manager->loader);
}

static void manager_on_load_begun(void *userdata)
{
    const Manager *manager = userdata;

    if (manager->state != MANAGER_LOADING)
        notify_reloading();
}

/* Clients of what is gone are told so, and others may have lost or got a right. */
static void manager_tell_changes(Manager *manager)
{
    const LogFields fields = {.message_id = MESSAGE_RELOADED};
    Registry *registry = &manager->registry;
    unsigned counts[ENTRY_REMOVED + 1] = {};

    for (size_t i = 0; i < registry->n_entries; i++) {
        Entry *entry = registry->entries[i];

        counts[entry->change]++;
        if (entry->change == ENTRY_REMOVED)
            server_removed(manager->server, &entry->served);
        else if (entry->change != ENTRY_SAME)
            server_changed(manager->server, &entry->served);
    }
    log_full(LOG_NOTICE, &fields,
             "the configuration has been applied: instances: %u added, %u changed, %u removed",
             counts[ENTRY_ADDED], counts[ENTRY_CHANGED], counts[ENTRY_REMOVED]);
    if (registry->is_removal_held && counts[ENTRY_REMOVED] > 0)
        log_full(
            LOG_WARNING, &fields,
            "there is no folder of instances any more: what is not declared is not served, but "
            "kept until there is one, be it empty");
}

static void manager_refuse(Manager *manager, uint64_t number, const Config *config)
{
    const LogFields fields = {.message_id = MESSAGE_NOT_RELOADED};

    reload_set_refused(&manager->reload, number, &config->problems);
    log_full(LOG_ERR, &fields,
             "the configuration was not applied, what was there goes on being used: it has %zu "
             "problem%s (elementctl check)",
             config->problems.n_errors, config->problems.n_errors == 1 ? "" : "s");
}

/* All or nothing. 0 or -errno. */
static int manager_reload(Manager *manager, uint64_t number, Config *config)
{
    int r;

    manager_tell_problems(config);
    if (config->problems.n_errors > 0) {
        manager_refuse(manager, number, config);
        return 0;
    }
    r = reconciler_apply(&manager->reconciler, config);
    if (r < 0)
        return r;
    describer_reloaded(&manager->describer);
    reload_set_applied(&manager->reload, number, &manager->registry);
    credentials_set_wait(manager->credentials, config->settings.credential_wait);
    manager_tell_changes(manager);
    reconciler_all(&manager->reconciler);
    event_active(manager->settle, EV_TIMEOUT, 0);
    return 0;
}

static int manager_begin_credentials(Manager *manager, usec_t wait)
{
    credentials_set_wait(manager->credentials, wait);
    manager_resume_credentials(manager);
    return credentials_listen(manager->credentials, TAKE_FD(manager->credentials_fd));
}

/* The first time, what is fine is used, whatever is wrong with the rest; and from now on it is served. 0 or -errno. */
static int manager_begin(Manager *manager, Config *config)
{
    const LogFields fields = {.message_id = MESSAGE_LOADED};
    usec_t now = clock_boottime();
    int r;

    manager_tell_problems(config);
    early_check(manager->early, config);
    r = registry_fill(&manager->registry, config, &manager->load, &manager->gates, now);
    if (r == 0)
        r = gates_restore(&manager->gates, &manager->load.snapshot, now);
    store_load_deinit(&manager->load);
    if (r == 0)
        r = server_listen(manager->server, TAKE_FD(manager->listen_fd));
    if (r == 0)
        r = manager_begin_credentials(manager, config->settings.credential_wait);
    if (r < 0)
        return r;
    engine_set_parallel(manager->engine, config->settings.parallel);
    early_end(manager->early, now);
    manager->state = MANAGER_RUNNING;
    manager_update_status(manager);
    log_full(LOG_INFO, &fields, "the configuration has been loaded: %s", manager->status);
    event_active(manager->settle, EV_TIMEOUT, 0);
    return 0;
}

/*
 * What reading thousands of files took besides (1.7 MB of 10,000), and the configuration before, goes back to the kernel. Not on
 * the loader's thread: malloc_trim(3) holds locks that the loop would wait for, while that thread stands back.
 */
static void manager_trim(void)
{
    (void)malloc_trim(0);
}

/* Whatever came of it, the manager of services and all who wait are told. */
static void manager_on_loaded(void *userdata, uint64_t number, Config *config, int error)
{
    Manager *manager = userdata;

    if (manager->state == MANAGER_STOPPING)
        return;
    if (manager->state == MANAGER_LOADING) {
        manager->error = error < 0 ? error : manager_begin(manager, config);
        if (manager->error < 0)
            (void)event_base_loopbreak(manager->base);
        manager_trim();
        return;
    }
    if (error == 0)
        error = manager_reload(manager, number, config);
    if (error < 0) {
        log_event(LOG_ERR, MESSAGE_NOT_RELOADED, "the configuration could not be read anew: %s",
                  error_text(error));
        reload_set_failed(&manager->reload, number, manager->paths->config[0], error_text(error));
    }
    notify_ready();
    server_reloaded(manager->server);
    manager_trim();
}

static const LoaderOperations manager_loads = {
    .begun = manager_on_load_begun,
    .done = manager_on_loaded,
};

/* ---- what the reconciler needs ---- */

static void manager_on_changed(void *userdata, Entry *entry)
{
    Manager *manager = userdata;

    server_changed(manager->server, &entry->served);
}

static void manager_on_wake(void *userdata)
{
    Manager *manager = userdata;

    event_active(manager->settle, EV_TIMEOUT, 0);
}

static const ReconcilerOperations manager_operations = {
    .changed = manager_on_changed,
    .wake = manager_on_wake,
};

/* ---- building and taking down ---- */

static int manager_init_events(Manager *manager)
{
    struct event_base *base = manager->base;
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    usec_t interval = notify_watchdog_interval();
    int r;

    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        manager->signals[i] = evsignal_new(
            base, numbers[i], numbers[i] == SIGHUP ? manager_on_hangup : manager_on_terminate,
            manager);
        if (!manager->signals[i] || evsignal_add(manager->signals[i], NULL) < 0)
            return -ENOMEM;
    }
    manager->settle = event_new(base, -1, 0, manager_on_settle, manager);
    manager->stop_timer = evtimer_new(base, manager_on_stop_timer, manager);
    if (!manager->settle || !manager->stop_timer)
        return -ENOMEM;
    r = alarm_new(base, manager_on_timer, manager, &manager->timer);
    if (r == 0)
        r = alarm_new(base, manager_on_watchdog, manager, &manager->watchdog);
    if (r == 0 && interval > 0)
        r = alarm_set(manager->watchdog, interval, interval);
    return r;
}

static int manager_open_store(Manager *manager)
{
    int r;

    r = store_new(manager->paths->state, manager->base, manager_on_commit, manager, &manager->store,
                  &manager->load);
    if (r == STORE_E_LOCKED)
        return MANAGER_E_LOCKED;
    if (r < 0) {
        log_event(LOG_ERR, MESSAGE_CANNOT_RUN, "cannot open the records in %s: %s",
                  manager->paths->state,
                  manager->load.problem ? manager->load.problem : error_text(r));
        return MANAGER_E_TOLD;
    }
    manager_tell_load(&manager->load);
    manager->key = manager->load.snapshot.key;
    return 0;
}

static int manager_open_socket(Manager *manager, const char *name, const char *file, mode_t mode,
                               int *ret_fd)
{
    int r = serve_open_socket(name, manager->paths->runtime, file, mode, ret_fd);

    if (r < 0)
        log_event(LOG_ERR, MESSAGE_CANNOT_RUN, "cannot open the socket %s/%s: %s",
                  manager->paths->runtime, file, error_text(r));
    return r < 0 ? MANAGER_E_TOLD : 0;
}

static int manager_find_http(const Manager *manager)
{
    _cleanup_(freep) char *path = paths_join(manager->paths->runtime, PATHS_HTTP);

    if (!path)
        return -ENOMEM;
    http_helper_set_socket(path);
    return 0;
}

/* The sockets are there, but nobody is answered before it is known who may have what. */
static int manager_open_servers(Manager *manager)
{
    int r;

    manager->serve = (Serve){
        .registry = &manager->registry,
        .reconciler = &manager->reconciler,
        .loader = manager->loader,
        .reload = &manager->reload,
        .describer = &manager->describer,
    };
    r = server_new(manager->base, &serve_operations, &manager->serve, &manager->server);
    if (r < 0)
        return r;
    r = credentials_new(manager->base, &serve_operations, &manager->serve, &manager->credentials);
    if (r < 0)
        return r;
    r = manager_open_socket(manager, "varlink", PATHS_SOCKET, 0666, &manager->listen_fd);
    if (r == 0)
        r = manager_open_socket(manager, "credentials", PATHS_CREDENTIAL, 0600,
                                &manager->credentials_fd);
    return r;
}

int manager_new(const Paths *paths, Manager **ret_manager)
{
    _cleanup_(manager_freep) Manager *manager = NULL;
    int r;

    manager = calloc(1, sizeof(*manager));
    if (!manager)
        return -ENOMEM;
    manager->paths = paths;
    manager->listen_fd = manager->credentials_fd = -1;
    registry_init(&manager->registry);
    reload_init(&manager->reload);
    manager->base = event_base_new();
    if (!manager->base || event_base_priority_init(manager->base, SERVER_PRIORITIES) < 0)
        return -ENOMEM;
    r = manager_init_events(manager);
    if (r < 0)
        return r;
    r = manager_open_store(manager);
    if (r != 0)
        return r;
    /* Names may have to be asked for over a network: not on the loop, and nothing here waits for it. */
    r = loader_new(manager->paths, &manager->key, manager->base, config_load, &manager_loads,
                   manager, &manager->loader);
    if (r == 0)
        r = loader_start_first(manager->loader);
    if (r < 0)
        return r;
    r = manager_find_http(manager);
    if (r < 0)
        return r;
    r = bodies_new(manager->paths, &manager->key, manager->base, &manager->bodies);
    if (r < 0)
        return r;
    r = engine_new(manager->base, 1, manager->bodies, &manager->reconciler, &manager->engine);
    if (r < 0)
        return r;
    committer_init(&manager->committer, manager->store, &manager->key, &manager->registry,
                   &manager->gates, manager->engine, manager->paths->state);
    reconciler_init(&manager->reconciler, &manager->registry, &manager->gates, manager->engine,
                    &manager_operations, manager);
    describer_init(&manager->describer, &manager->registry, &manager->gates, manager->engine,
                   manager_on_wake, manager);
    r = manager_open_servers(manager);
    if (r != 0)
        return r;
    *ret_manager = TAKE_PTR(manager);
    return 0;
}

int manager_run(Manager *manager)
{
    const LogFields started = {.message_id = MESSAGE_STARTED};
    const LogFields stopped = {.message_id = MESSAGE_STOPPED};

    notify_status("loading the configuration");
    notify_ready();
    if (config_may_declare_instances(manager->paths)) { /* there will be something to ask */
        engine_prepare(manager->engine);
        (void)early_start(manager->paths, &manager->load.snapshot, manager->base,
                          &manager->reconciler, &manager->early);
    }
    log_full(LOG_NOTICE, &started, "elementd " ELEMENTD_VERSION " is ready: %zu records",
             manager->load.snapshot.n_records);
    if (event_base_dispatch(manager->base) < 0)
        return -EIO;
    if (manager->error < 0)
        return manager->error;
    manager->state = MANAGER_STOPPED;
    if (manager->registry.config) /* else all is as it was read */
        committer_finish(&manager->committer);
    log_full(LOG_NOTICE, &stopped, "elementd has stopped");
    return 0;
}

static void manager_free_event(struct event *event)
{
    if (event)
        event_free(event);
}

Manager *manager_free(Manager *manager)
{
    if (!manager)
        return NULL;
    loader_free(manager->loader);
    store_free(manager->store);
    reconciler_deinit(&manager->reconciler);
    credentials_free(manager->credentials);
    for (size_t i = 0; i < manager->registry.n_entries && manager->server; i++)
        server_removed(manager->server, &manager->registry.entries[i]->served);
    server_free(manager->server);
    describer_deinit(&manager->describer);
    closep(&manager->listen_fd);
    closep(&manager->credentials_fd);
    store_load_deinit(&manager->load);
    reload_deinit(&manager->reload);
    registry_deinit(&manager->registry);
    gates_deinit(&manager->gates);
    early_free(manager->early);
    engine_free(manager->engine);
    bodies_free(manager->bodies);
    for (size_t i = 0; i < N_ELEMENTS(manager->signals); i++)
        manager_free_event(manager->signals[i]);
    manager_free_event(manager->settle);
    (void)alarm_free(manager->timer);
    manager_free_event(manager->stop_timer);
    (void)alarm_free(manager->watchdog);
    if (manager->base)
        event_base_free(manager->base);
    explicit_bzero(manager, sizeof(*manager));
    free(manager);
    return NULL;
}
