#include "daemon/serve.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "daemon/remove.h"
#include "systemd/activation.h"

static Entry *serve_entry(const Served *served)
{
    return (Entry *)((char *)served - offsetof(Entry, served));
}

static Served *serve_find(void *userdata, const char *name, size_t size)
{
    const Serve *serve = userdata;
    Entry *entry = registry_find(serve->registry, name, size);

    return entry && entry->want ? &entry->served : NULL;
}

static Served *serve_next(void *userdata, const Served *previous)
{
    const Serve *serve = userdata;
    const Registry *registry = serve->registry;
    size_t i = previous ? serve_entry(previous)->index + 1 : 0;

    while (i < registry->n_entries && !registry->entries[i]->want)
        i++;
    return i < registry->n_entries ? &registry->entries[i]->served : NULL;
}

static void serve_report_rejected(void *userdata, Served *served, const char *token, size_t size)
{
    const Serve *serve = userdata;

    reconciler_report(serve->reconciler, serve_entry(served), token, size);
}

static void serve_retry(void *userdata, Served *served)
{
    const Serve *serve = userdata;

    reconciler_retry(serve->reconciler, serve_entry(served));
}

static uint64_t serve_reload(void *userdata)
{
    const Serve *serve = userdata;

    return loader_start(serve->loader);
}

static const ServedReload *serve_find_reload(void *userdata, uint64_t number)
{
    const Serve *serve = userdata;

    return reload_find(serve->reload, number);
}

static uint64_t serve_describe(void *userdata, const char *element, const char *account)
{
    const Serve *serve = userdata;

    return describer_ask(serve->describer, element, account);
}

static const ServedDescription *serve_find_description(void *userdata, uint64_t number)
{
    const Serve *serve = userdata;

    return describer_find(serve->describer, number);
}

static void serve_forget_description(void *userdata, uint64_t number)
{
    const Serve *serve = userdata;

    describer_forget(serve->describer, number);
}

static ServedOrphanReason serve_reason(RecordOrphan orphan)
{
    switch (orphan) {
    case RECORD_REMOVED:
        return SERVED_ORPHAN_REMOVED;
    case RECORD_REPLACED:
        return SERVED_ORPHAN_REPLACED;
    case RECORD_DUPLICATE:
        return SERVED_ORPHAN_DUPLICATE;
    case RECORD_UNCLAIMED:
        return SERVED_ORPHAN_UNCLAIMED;
    case RECORD_IN_USE:
        break;
    }
    assert(false);
    return SERVED_ORPHAN_UNCLAIMED;
}

static bool serve_find_orphan(void *userdata, size_t i, ServedOrphan *ret_orphan)
{
    const Serve *serve = userdata;
    const Orphans *orphans = &serve->registry->orphans;
    const Record *record;

    if (i >= orphans->n_items)
        return false;
    record = orphans->items[i]->record;
    *ret_orphan = (ServedOrphan){
        .id = record->id,
        .url = record->url,
        .account = record->account,
        .element = record->element,
        .instance = record->name,
        .reason = serve_reason(record->rare->orphan),
        .since = record->rare->since,
        .is_deleting = record->is_doomed,
        .problem = remove_problem(serve->reconciler, orphans->items[i]),
    };
    return true;
}

/* A moment of the boot-time clock as one of the realtime clock. */
static usec_t serve_realtime(usec_t moment)
{
    usec_t now = clock_boottime(), realtime = clock_realtime();

    return moment > now ? clock_add(realtime, moment - now) : realtime;
}

/* ---- what is wrong beyond single instances: a place a function, and behind those a place an account ---- */

static void serve_find_store_trouble(const Serve *serve, ServedTrouble *trouble)
{
    const Reconciler *reconciler = serve->reconciler;

    if (!reconciler->store_problem)
        return;
    *trouble = (ServedTrouble){
        .trouble = reconciler->store_trouble,
        .problem = reconciler->store_problem,
        .since = reconciler->store_since,
        .retry = serve_realtime(reconciler->store_retry),
    };
}

static void serve_find_settings_trouble(const Serve *serve, ServedTrouble *trouble)
{
    const Settings *settings = &serve->registry->config->settings;

    if (!settings->problem)
        return;
    *trouble = (ServedTrouble){
        .trouble = settings->trouble,
        .problem = settings->problem,
        .is_private = true,
    };
}

static void serve_find_no_account(const Serve *serve, ServedTrouble *trouble)
{
    if (serve->registry->config->n_accounts > 0)
        return;
    *trouble = (ServedTrouble){
        .trouble = TROUBLE_NO_ACCOUNT,
        .problem = "no account is declared",
    };
}

static void (*const serve_places[])(const Serve *serve, ServedTrouble *trouble) = {
    serve_find_store_trouble,
    serve_find_settings_trouble,
    serve_find_no_account,
};

static void serve_find_account_trouble(const Serve *serve, const Account *account,
                                       ServedTrouble *trouble)
{
    const Gate *gate = gates_find(serve->reconciler->gates, account);

    *trouble = (ServedTrouble){.account = account->name, .is_private = true};
    if (account->problem) {
        trouble->trouble = account->trouble;
        trouble->problem = account->problem;
    } else if (gate && gate->is_paused && gate->problem) {
        trouble->trouble = gate->trouble;
        trouble->problem = gate->problem;
        trouble->since = gate->since;
        trouble->retry = gate->task ? 0 : serve_realtime(gate->until);
    }
}

static bool serve_find_trouble(void *userdata, size_t i, ServedTrouble *ret_trouble)
{
    const Serve *serve = userdata;
    const Config *config = serve->registry->config;

    *ret_trouble = (ServedTrouble){};
    if (i < N_ELEMENTS(serve_places)) {
        serve_places[i](serve, ret_trouble);
        return true;
    }
    i -= N_ELEMENTS(serve_places);
    if (i >= config->n_accounts)
        return false;
    serve_find_account_trouble(serve, config->accounts[i], ret_trouble);
    return true;
}

const ServerOperations serve_operations = {
    .find = serve_find,
    .next = serve_next,
    .report_rejected = serve_report_rejected,
    .retry = serve_retry,
    .reload = serve_reload,
    .find_reload = serve_find_reload,
    .describe = serve_describe,
    .find_description = serve_find_description,
    .forget_description = serve_forget_description,
    .find_orphan = serve_find_orphan,
    .find_trouble = serve_find_trouble,
};

/* By way of the directory's descriptor, since a path below --root may be longer than an address. */
static int serve_bind(int fd, int directory_fd, const char *file, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n;

    n = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", directory_fd,
                 file);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    /* We hold the lock of the state directory: who bound it before is gone. */
    if (unlinkat(directory_fd, file, 0) < 0 && errno != ENOENT)
        return error_errno();
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno();
    if (fchmodat(directory_fd, file, mode, 0) < 0)
        return error_errno();
    return listen(fd, SOMAXCONN) < 0 ? error_errno() : 0;
}

int serve_open_socket(const char *name, const char *directory, const char *file, mode_t mode,
                      int *ret_fd)
{
    _cleanup_(closep) int directory_fd = -1;
    _cleanup_(closep) int fd = -1;
    int r;

    r = activation_take(name, &fd);
    if (r < 0)
        return r;
    if (fd < 0) {
        r = file_make_directory(directory, 0755);
        if (r < 0)
            return r;
        directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory_fd < 0)
            return error_errno();
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            return error_errno();
        r = serve_bind(fd, directory_fd, file, mode);
        if (r < 0)
            return r;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}
