#include "daemon/loader.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "daemon/worker.h"

/* One load. */
typedef struct LoaderJob {
    LoaderRead read;
    Paths paths;
    DigestKey key;
    Config *config;
    int error;
} LoaderJob;

struct Loader {
    LoaderRead read;
    Paths paths;
    DigestKey key;
    const LoaderOperations *operations;
    void *userdata;
    Worker *worker;
    uint64_t n_asked; /* number of the last load that was asked for */
    uint64_t n_begun; /* asked for when the load under way, or the last one, began */
};

static void loader_job_free(void *argument)
{
    LoaderJob *job = argument;

    if (!job)
        return;
    paths_deinit(&job->paths);
    config_unref(job->config);
    explicit_bzero(&job->key, sizeof(job->key));
    free(job);
}

DEFINE_FREEP(LoaderJob, loader_job_free)

static void loader_run(void *argument)
{
    LoaderJob *job = argument;

    job->error = job->read(&job->paths, &job->key, &job->config);
}

/* 0 or -errno. */
static int loader_begin(Loader *loader)
{
    _cleanup_(loader_job_freep) LoaderJob *job = calloc(1, sizeof(*job));
    int r;

    if (!job)
        return -ENOMEM;
    job->read = loader->read;
    job->key = loader->key;
    r = paths_copy(&loader->paths, &job->paths);
    if (r < 0)
        return r;
    r = worker_begin(loader->worker, job);
    if (r < 0)
        return r;
    TAKE_PTR(job);
    return 0;
}

static void loader_on_next(void *userdata)
{
    Loader *loader = userdata;
    int r;

    if (loader->n_begun == loader->n_asked)
        return;
    loader->n_begun = loader->n_asked;
    loader->operations->begun(loader->userdata);
    r = loader_begin(loader);
    if (r < 0)
        loader->operations->done(loader->userdata, loader->n_begun, NULL, r);
}

static void loader_on_done(void *userdata, void *argument)
{
    Loader *loader = userdata;
    const LoaderJob *job = argument;

    loader->operations->done(loader->userdata, loader->n_begun, job->config, job->error);
    /* Not at once: what this job has is freed first, since the thread of the next one may hold the lock for that. */
    worker_wake(loader->worker);
}

int loader_start_first(Loader *loader)
{
    int r;

    assert(loader->n_asked == 0);
    r = loader_begin(loader);
    if (r < 0)
        return r;
    loader->n_asked = loader->n_begun = 1;
    loader->operations->begun(loader->userdata);
    return 0;
}

uint64_t loader_start(Loader *loader)
{
    if (loader->n_asked == loader->n_begun)
        loader->n_asked++;
    worker_wake(loader->worker);
    return loader->n_asked;
}

int loader_new(const Paths *paths, const DigestKey *key, struct event_base *base, LoaderRead read,
               const LoaderOperations *operations, void *userdata, Loader **ret_loader)
{
    static const WorkerOperations work = {
        .next = loader_on_next,
        .run = loader_run,
        .done = loader_on_done,
        .free = loader_job_free,
    };
    _cleanup_(loader_freep) Loader *loader = calloc(1, sizeof(*loader));
    int r;

    if (!loader)
        return -ENOMEM;
    loader->read = read;
    loader->key = *key;
    loader->operations = operations;
    loader->userdata = userdata;
    r = paths_copy(paths, &loader->paths);
    if (r < 0)
        return r;
    r = worker_new(base, &work, loader, &loader->worker);
    if (r < 0)
        return r;
    *ret_loader = TAKE_PTR(loader);
    return 0;
}

Loader *loader_free(Loader *loader)
{
    if (!loader)
        return NULL;
    worker_free(loader->worker);
    paths_deinit(&loader->paths);
    explicit_bzero(&loader->key, sizeof(loader->key));
    free(loader);
    return NULL;
}
