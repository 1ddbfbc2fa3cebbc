#include "daemon/worker.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread.h"

/* What a thread has in its hands: its own until it says so through `done_fd`, and then the loop's, but for that. */
typedef struct WorkerTurn {
    void (*run)(void *job);
    void *job;
    int done_fd; /* the thread closes it, once it has been started */
    atomic_bool is_done;
} WorkerTurn;

struct Worker {
    const WorkerOperations *operations;
    void *userdata;
    int done_fd;        /* eventfd: the thread to the loop */
    struct event *done; /* on it */
    struct event *next; /* so that nobody is called from worker_wake() */
    WorkerTurn *turn;   /* NULL: no job is under way */
    pthread_t thread;   /* of `turn`, or of the last one, which may not have come to its end yet */
    bool has_thread;
};

static WorkerTurn *worker_turn_free(WorkerTurn *turn)
{
    free(turn);
    return NULL;
}

DEFINE_FREEP(WorkerTurn, worker_turn_free)

static void *worker_run(void *argument)
{
    static const uint64_t one = 1;
    WorkerTurn *turn = argument;
    int done_fd = turn->done_fd;

    thread_stand_back();
    turn->run(turn->job);
    atomic_store(&turn->is_done, true);
    if (write(done_fd, &one, sizeof(one)) < 0)
        assert(errno == EAGAIN); /* it counts to 2^64 - 2 */
    (void)close(done_fd);
    return NULL;
}

int worker_begin(Worker *worker, void *job)
{
    _cleanup_(worker_turn_freep) WorkerTurn *turn = calloc(1, sizeof(*turn));
    int r;

    assert(!worker->turn);
    if (!turn)
        return -ENOMEM;
    turn->run = worker->operations->run;
    turn->job = job;
    /* A descriptor of its own: after a job that hung, another file may have the worker's number. */
    turn->done_fd = fcntl(worker->done_fd, F_DUPFD_CLOEXEC, 0);
    if (turn->done_fd < 0)
        return error_errno();
    if (worker->has_thread)
        thread_leave(worker->thread);
    r = thread_start(&worker->thread, worker_run, turn);
    worker->has_thread = r == 0;
    if (r < 0) {
        (void)close(turn->done_fd);
        return r;
    }
    worker->turn = TAKE_PTR(turn);
    return 0;
}

/* The job of `turn`, which is over. */
static void *worker_take_job(Worker *worker)
{
    void *job = worker->turn->job;

    worker->turn = worker_turn_free(worker->turn);
    return job;
}

static void worker_on_done(evutil_socket_t fd, short what, void *userdata)
{
    Worker *worker = userdata;
    uint64_t count;
    void *job;

    (void)what;
    (void)!read(fd, &count, sizeof(count));
    if (!worker->turn || !atomic_load(&worker->turn->is_done))
        return;
    job = worker_take_job(worker);
    worker->operations->done(worker->userdata, job);
    worker->operations->free(job);
}

static void worker_on_next(evutil_socket_t fd, short what, void *userdata)
{
    Worker *worker = userdata;

    (void)fd;
    (void)what;
    if (!worker->turn)
        worker->operations->next(worker->userdata);
}

void worker_wake(Worker *worker)
{
    event_active(worker->next, EV_TIMEOUT, 0);
}

int worker_new(struct event_base *base, const WorkerOperations *operations, void *userdata,
               Worker **ret_worker)
{
    _cleanup_(worker_freep) Worker *worker = calloc(1, sizeof(*worker));

    if (!worker)
        return -ENOMEM;
    worker->operations = operations;
    worker->userdata = userdata;
    worker->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->done_fd < 0)
        return error_errno();
    worker->done = event_new(base, worker->done_fd, EV_READ | EV_PERSIST, worker_on_done, worker);
    worker->next = event_new(base, -1, 0, worker_on_next, worker);
    if (!worker->done || !worker->next || event_add(worker->done, NULL) < 0)
        return -ENOMEM;
    *ret_worker = TAKE_PTR(worker);
    return 0;
}

/* Joins the last thread, or gives it up: then the job that it may still have is its own for good. */
static void worker_end(Worker *worker)
{
    struct timespec until;

    if (!worker->has_thread)
        return;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WORKER_PATIENCE_USEC / USEC_PER_SEC;
    if (pthread_clockjoin_np(worker->thread, NULL, CLOCK_MONOTONIC, &until) != 0)
        (void)pthread_detach(worker->thread);
    else if (worker->turn)
        worker->operations->free(worker_take_job(worker));
    worker->turn = NULL;
}

Worker *worker_free(Worker *worker)
{
    if (!worker)
        return NULL;
    worker_end(worker);
    if (worker->done)
        event_free(worker->done);
    if (worker->next)
        event_free(worker->next);
    closep(&worker->done_fd);
    free(worker);
    return NULL;
}
