#include "daemon/loader.h"

#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/error.h"
#include "base/thread.h"

/* One load. The thread's until it says so through `done_fd`, and then the loop's. */
typedef struct LoaderJob {
    Paths paths;
    DigestKey key;
    int done_fd;
    atomic_bool is_done;
    Config *config;
    int error;
} LoaderJob;

struct Loader {
    Paths paths;
    DigestKey key;
    const LoaderOperations *operations;
    void *userdata;
    int done_fd;         /* eventfd: the thread to the loop */
    struct event *event; /* on it */
    struct event *
        again; /* begins the next load from the loop, so that nobody is called from loader_start() */
    LoaderJob *job;   /* NULL: none is under way */
    pthread_t thread; /* of `job`, or of the last one, which may not have come to its end yet */
    bool has_thread;
    uint64_t n_asked; /* number of the last load that was asked for */
    uint64_t n_begun; /* asked for when the load under way, or the last one, began */
};

static LoaderJob *loader_job_free(LoaderJob *job)
{
    if (!job)
        return NULL;
    paths_deinit(&job->paths);
    config_unref(job->config);
    explicit_bzero(&job->key, sizeof(job->key));
    closep(&job->done_fd);
    free(job);
    return NULL;
}

DEFINE_FREEP(LoaderJob, loader_job_free)

static void *loader_run(void *argument)
{
    static const uint64_t one = 1;
    LoaderJob *job = argument;

    thread_stand_back();
    job->error = config_load(&job->paths, &job->key, &job->config);
    atomic_store(&job->is_done, true);
    if (write(job->done_fd, &one, sizeof(one)) < 0)
        assert(errno == EAGAIN); /* it counts to 2^64 - 2 */
    return NULL;
}

/* 0 or -errno. */
static int loader_begin(Loader *loader)
{
    _cleanup_(loader_job_freep) LoaderJob *job = calloc(1, sizeof(*job));
    int r;

    if (!job)
        return -ENOMEM;
    job->key = loader->key;
    /* A descriptor of its own: after a load that hung, another file may have the loader's number. */
    job->done_fd = fcntl(loader->done_fd, F_DUPFD_CLOEXEC, 0);
    if (job->done_fd < 0)
        return error_errno();
    r = paths_copy(&loader->paths, &job->paths);
    if (r < 0)
        return r;
    if (loader->has_thread)
        thread_leave(loader->thread);
    r = thread_start(&loader->thread, loader_run, job);
    loader->has_thread = r == 0;
    if (r < 0)
        return r;
    loader->job = TAKE_PTR(job);
    return 0;
}

static void loader_advance(Loader *loader)
{
    int r;

    if (loader->job || loader->n_begun == loader->n_asked)
        return;
    loader->n_begun = loader->n_asked;
    loader->operations->begun(loader->userdata);
    r = loader_begin(loader);
    if (r < 0)
        loader->operations->done(loader->userdata, loader->n_begun, NULL, r);
}

static void loader_on_done(evutil_socket_t fd, short what, void *userdata)
{
    _cleanup_(loader_job_freep) LoaderJob *job = NULL;
    Loader *loader = userdata;
    uint64_t count;

    (void)what;
    (void)!read(fd, &count, sizeof(count));
    if (!loader->job || !atomic_load(&loader->job->is_done))
        return;
    job = TAKE_PTR(loader->job);
    loader->operations->done(loader->userdata, loader->n_begun, job->config, job->error);
    loader_advance(loader);
}

static void loader_on_again(evutil_socket_t fd, short what, void *userdata)
{
    (void)fd;
    (void)what;
    loader_advance(userdata);
}

uint64_t loader_start(Loader *loader)
{
    if (loader->n_asked == loader->n_begun)
        loader->n_asked++;
    event_active(loader->again, EV_TIMEOUT, 0);
    return loader->n_asked;
}

int loader_new(const Paths *paths, const DigestKey *key, struct event_base *base,
               const LoaderOperations *operations, void *userdata, Loader **ret_loader)
{
    _cleanup_(loader_freep) Loader *loader = calloc(1, sizeof(*loader));
    int r;

    if (!loader)
        return -ENOMEM;
    loader->done_fd = -1;
    loader->key = *key;
    loader->operations = operations;
    loader->userdata = userdata;
    r = paths_copy(paths, &loader->paths);
    if (r < 0)
        return r;
    loader->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loader->done_fd < 0)
        return error_errno();
    loader->event = event_new(base, loader->done_fd, EV_READ | EV_PERSIST, loader_on_done, loader);
    loader->again = event_new(base, -1, 0, loader_on_again, loader);
    if (!loader->event || !loader->again || event_add(loader->event, NULL) < 0)
        return -ENOMEM;
    *ret_loader = TAKE_PTR(loader);
    return 0;
}

/* Joins the last thread, or gives it up: then the job that it may still have is its own for good. */
static void loader_end_job(Loader *loader)
{
    struct timespec until;

    if (!loader->has_thread)
        return;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOADER_PATIENCE_USEC / USEC_PER_SEC;
    if (pthread_clockjoin_np(loader->thread, NULL, CLOCK_MONOTONIC, &until) == 0)
        loader_job_free(loader->job);
    else
        (void)pthread_detach(loader->thread);
    loader->job = NULL;
}

Loader *loader_free(Loader *loader)
{
    if (!loader)
        return NULL;
    loader_end_job(loader);
    if (loader->event)
        event_free(loader->event);
    if (loader->again)
        event_free(loader->again);
    closep(&loader->done_fd);
    paths_deinit(&loader->paths);
    explicit_bzero(&loader->key, sizeof(loader->key));
    free(loader);
    return NULL;
}
