#include "daemon/bodies.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/shared.h"
#include "config/body.h"
#include "config/instance_body.h"
#include "daemon/worker.h"

#define BODIES_RELOAD "reload elementd (systemctl reload elementd)"

struct BodiesWish {
    /* The loop's. */
    Bodies *bodies;
    BodiesHandler handler;
    void *userdata;
    bool is_started;
    bool has_job; /* it is of a job, and goes with that */

    atomic_bool is_cancelled; /* the loop tells the thread, too */

    /* The thread's, as long as it has the job. */
    TAILQ_ENTRY(BodiesWish) link;
    char *name;
    char *owner;
    Digest body_digest;
    Digest labels_digest;
    BodiesPart part;
    BodiesAnswer answer;
};

TAILQ_HEAD(BodiesWishes, BodiesWish);

/* What one thread reads. */
typedef struct BodiesJob {
    Paths paths;
    DigestKey key;
    struct BodiesWishes wishes;
} BodiesJob;

struct Bodies {
    Paths paths;
    DigestKey key;
    Worker *worker;
    struct BodiesWishes wanted; /* by the next job: all that was asked for in one turn */
    size_t n_wishes;            /* that are not cancelled */
};

/* ---- a wish ---- */

static void bodies_answer_deinit(BodiesAnswer *answer)
{
    secret_unref(answer->body);
    free(answer->problem);
    *answer = (BodiesAnswer){};
}

static void bodies_destroy(BodiesWish *wish)
{
    free(wish->name);
    free(wish->owner);
    bodies_answer_deinit(&wish->answer);
    free(wish);
}

static void bodies_set_error(BodiesAnswer *answer, int error);

/*
 * Puts what a thread has made into memory of the loop's. The next thread allocates where this one did: whoever frees a piece
 * of that meanwhile may wait for a lock that the thread holds while it stands back.
 */
static void bodies_take_over(BodiesAnswer *answer)
{
    Secret *body;
    int r;

    if (!answer->body)
        return;
    r = secret_new(secret_reveal(answer->body), secret_size(answer->body), &body);
    answer->body = secret_unref(answer->body);
    if (r < 0)
        bodies_set_error(answer, r);
    else
        answer->body = body;
}

/* Of `wishes`: tells those who have not cancelled. They may ask, and cancel others, from there. */
static void bodies_tell(struct BodiesWishes *wishes)
{
    BodiesWish *wish;

    while ((wish = TAILQ_FIRST(wishes))) {
        BodiesAnswer answer = wish->answer;
        BodiesHandler handler = wish->handler;
        void *userdata = wish->userdata;
        bool is_cancelled = atomic_load(&wish->is_cancelled);

        TAILQ_REMOVE(wishes, wish, link);
        if (!is_cancelled)
            wish->bodies->n_wishes--;
        wish->answer = (BodiesAnswer){};
        bodies_destroy(wish);
        bodies_take_over(&answer);
        if (!is_cancelled)
            handler(userdata, &answer);
        bodies_answer_deinit(&answer);
    }
}

/* ---- on the thread ---- */

static void bodies_set_problem(BodiesAnswer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void bodies_set_problem(BodiesAnswer *answer, const char *format, ...)
{
    va_list arguments;

    answer->trouble = TROUBLE_FILE_CHANGED;
    va_start(arguments, format);
    if (vasprintf(&answer->problem, format, arguments) < 0)
        answer->problem = NULL;
    va_end(arguments);
}

/* Nothing was changed: another try may do. */
static void bodies_set_error(BodiesAnswer *answer, int error)
{
    answer->trouble = TROUBLE_OTHER;
    answer->problem = strdup(error_text(error));
}

/* `made` is what the file makes now: goes out if it is what was loaded. */
static void bodies_take(BodiesWish *wish, InstanceBody *made)
{
    int r = 0;

    if (!digest_equal(&made->body_digest, &wish->body_digest) ||
        !digest_equal(&made->labels_digest, &wish->labels_digest)) {
        bodies_set_problem(&wish->answer,
                           INSTANCE_FOLDER
                           "/%s.json, or a file that it refers to, has changed since "
                           "the configuration was loaded: " BODIES_RELOAD,
                           wish->name);
        return;
    }
    switch (wish->part) {
    case BODIES_ALL:
        wish->answer.body = TAKE_PTR(made->body);
        break;
    case BODIES_LABELS:
        r = body_format_labels(made->body, &wish->answer.body);
        break;
    }
    if (r < 0)
        bodies_set_error(&wish->answer, r);
}

static void bodies_read(const BodiesJob *job, BodiesWish *wish)
{
    _cleanup_(freep) char *problem = NULL;
    InstanceBody made = {};
    Trouble trouble;
    int r;

    r = instance_body_read(&job->paths, wish->name, wish->owner, &job->key, &made, &problem,
                           &trouble);
    if (r == 0)
        bodies_take(wish, &made);
    else if (r == INSTANCE_BODY_E_ABSENT)
        bodies_set_problem(&wish->answer,
                           INSTANCE_FOLDER "/%s.json has gone since the configuration was loaded: "
                                           "put it back, or " BODIES_RELOAD,
                           wish->name);
    else if (r == INSTANCE_BODY_E_UNUSABLE)
        bodies_set_problem(&wish->answer,
                           "%s; that was not so when the configuration was loaded: mend it, and "
                           "then " BODIES_RELOAD,
                           problem);
    else
        bodies_set_error(&wish->answer, r);
    instance_body_deinit(&made);
}

static void bodies_run(void *argument)
{
    BodiesJob *job = argument;
    BodiesWish *wish;

    TAILQ_FOREACH(wish, &job->wishes, link)
        if (!atomic_load(&wish->is_cancelled))
            bodies_read(job, wish);
}

/* ---- jobs ---- */

/* Whoever wishes has been told, or has cancelled. */
static void bodies_job_free(void *argument)
{
    BodiesJob *job = argument;
    BodiesWish *wish;

    if (!job)
        return;
    while ((wish = TAILQ_FIRST(&job->wishes))) {
        TAILQ_REMOVE(&job->wishes, wish, link);
        assert(atomic_load(&wish->is_cancelled));
        bodies_destroy(wish);
    }
    paths_deinit(&job->paths);
    explicit_bzero(&job->key, sizeof(job->key));
    free(job);
}

DEFINE_FREEP(BodiesJob, bodies_job_free)

static int bodies_job_new(const Bodies *bodies, BodiesJob **ret_job)
{
    _cleanup_(bodies_job_freep) BodiesJob *job = calloc(1, sizeof(*job));
    int r;

    if (!job)
        return -ENOMEM;
    TAILQ_INIT(&job->wishes);
    job->key = bodies->key;
    r = paths_copy(&bodies->paths, &job->paths);
    if (r < 0)
        return r;
    *ret_job = TAKE_PTR(job);
    return 0;
}

/* 0 or -errno: then all that was wanted still is. */
static int bodies_begin(Bodies *bodies)
{
    _cleanup_(bodies_job_freep) BodiesJob *job = NULL;
    BodiesWish *wish;
    int r;

    r = bodies_job_new(bodies, &job);
    if (r < 0)
        return r;
    TAILQ_FOREACH(wish, &bodies->wanted, link)
        wish->has_job = true;
    TAILQ_CONCAT(&job->wishes, &bodies->wanted, link);
    r = worker_begin(bodies->worker, job);
    if (r < 0) {
        TAILQ_CONCAT(&bodies->wanted, &job->wishes, link);
        return r;
    }
    TAKE_PTR(job);
    return 0;
}

/* Nobody can be served: whoever wants something may try again later. */
static void bodies_refuse(Bodies *bodies, int error)
{
    struct BodiesWishes wishes = TAILQ_HEAD_INITIALIZER(wishes);
    BodiesWish *wish;

    TAILQ_CONCAT(&wishes, &bodies->wanted, link);
    TAILQ_FOREACH(wish, &wishes, link) {
        wish->has_job = true; /* who is told may cancel those who are not yet */
        bodies_set_error(&wish->answer, error);
    }
    bodies_tell(&wishes);
}

static void bodies_on_next(void *userdata)
{
    Bodies *bodies = userdata;
    int r;

    if (TAILQ_EMPTY(&bodies->wanted))
        return;
    r = bodies_begin(bodies);
    if (r < 0)
        bodies_refuse(bodies, r);
}

static void bodies_on_done(void *userdata, void *argument)
{
    Bodies *bodies = userdata;
    BodiesJob *job = argument;

    bodies_tell(&job->wishes);
    worker_wake(bodies->worker);
}

/* ---- asking ---- */

int bodies_wish_new(Bodies *bodies, const Instance *instance, const char *owner, BodiesPart part,
                    BodiesHandler handler, void *userdata, BodiesWish **ret_wish)
{
    BodiesWish *wish = calloc(1, sizeof(*wish));

    if (!wish)
        return -ENOMEM;
    wish->bodies = bodies;
    wish->handler = handler;
    wish->userdata = userdata;
    wish->body_digest = instance->body_digest;
    wish->labels_digest = instance->labels_digest;
    wish->part = part;
    wish->name = strdup(instance->name);
    wish->owner = strdup(owner);
    if (!wish->name || !wish->owner) {
        bodies_destroy(wish);
        return -ENOMEM;
    }
    bodies->n_wishes++;
    *ret_wish = wish;
    return 0;
}

void bodies_wish_start(BodiesWish *wish)
{
    assert(!wish->is_started);
    wish->is_started = true;
    TAILQ_INSERT_TAIL(&wish->bodies->wanted, wish, link);
    worker_wake(wish->bodies->worker);
}

BodiesWish *bodies_wish_free(BodiesWish *wish)
{
    if (!wish)
        return NULL;
    wish->bodies->n_wishes--;
    if (wish->has_job) {
        atomic_store(&wish->is_cancelled, true); /* it goes with its job */
        return NULL;
    }
    if (wish->is_started)
        TAILQ_REMOVE(&wish->bodies->wanted, wish, link);
    bodies_destroy(wish);
    return NULL;
}

/* ---- begin and end ---- */

int bodies_new(const Paths *paths, const DigestKey *key, struct event_base *base,
               Bodies **ret_bodies)
{
    static const WorkerOperations work = {
        .next = bodies_on_next,
        .run = bodies_run,
        .done = bodies_on_done,
        .free = bodies_job_free,
    };
    _cleanup_(bodies_freep) Bodies *bodies = calloc(1, sizeof(*bodies));
    int r;

    if (!bodies)
        return -ENOMEM;
    TAILQ_INIT(&bodies->wanted);
    bodies->key = *key;
    r = paths_copy(paths, &bodies->paths);
    if (r < 0)
        return r;
    r = worker_new(base, &work, bodies, &bodies->worker);
    if (r < 0)
        return r;
    *ret_bodies = TAKE_PTR(bodies);
    return 0;
}

Bodies *bodies_free(Bodies *bodies)
{
    if (!bodies)
        return NULL;
    assert(bodies->n_wishes == 0);
    worker_free(bodies->worker);
    paths_deinit(&bodies->paths);
    explicit_bzero(&bodies->key, sizeof(bodies->key));
    free(bodies);
    return NULL;
}
