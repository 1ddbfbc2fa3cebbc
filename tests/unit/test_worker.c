/*
 * The worker: jobs on threads of their own, one at a time, each told and freed once, on the loop.
 *
 * A job here hangs for as long as a test wants, or its thread does so after it has said that the job is done. This program
 * has a pthread_create() of its own, for which there may be no threads. Without memory: test_memory.c.
 */

#include "daemon/worker.h"
#include "tests/unit/child.h"
#include "tests/unit/loop.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE (20 * USEC_PER_SEC)
#define MOMENT   (100 * USEC_PER_MSEC) /* in which a thread comes to its end, most of the time */

static bool are_threads_gone;

int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
                   void *(*function)(void *argument), void *argument)
    __attribute__((visibility("default")));

int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
                   void *(*function)(void *argument), void *argument)
{
    __typeof__(&pthread_create) create = dlsym(RTLD_NEXT, "pthread_create");

    return are_threads_gone ? EAGAIN : create(ret_thread, attributes, function, argument);
}

/* ---- what runs on the threads ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_key_t key; /* what has a value of it ends with threads_linger() */
    bool is_hanging;
    bool is_lingering;
    unsigned n_begun;
    unsigned n_running;
    unsigned n_at_once; /* the most that were running */
    unsigned n_lingering;
    unsigned n_ended;
    pthread_t thread; /* that began last */
    int policy;       /* of that */
} threads = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void threads_set(bool *flag, bool value)
{
    (void)pthread_mutex_lock(&threads.mutex);
    *flag = value;
    (void)pthread_cond_broadcast(&threads.changed);
    (void)pthread_mutex_unlock(&threads.mutex);
}

static void threads_wait(const unsigned *count, unsigned n)
{
    (void)pthread_mutex_lock(&threads.mutex);
    while (*count != n)
        (void)pthread_cond_wait(&threads.changed, &threads.mutex);
    (void)pthread_mutex_unlock(&threads.mutex);
}

/* Adds to `count` as long as `flag` is set. */
static void threads_stay(unsigned *count, const bool *flag)
{
    (void)pthread_mutex_lock(&threads.mutex);
    ++*count;
    (void)pthread_cond_broadcast(&threads.changed);
    while (*flag)
        (void)pthread_cond_wait(&threads.changed, &threads.mutex);
    --*count;
    (void)pthread_cond_broadcast(&threads.changed);
    (void)pthread_mutex_unlock(&threads.mutex);
}

/* Called for each thread at its end, when its job has been told. */
static void threads_linger(void *value)
{
    (void)value;
    threads_stay(&threads.n_lingering, &threads.is_lingering);
    (void)pthread_mutex_lock(&threads.mutex);
    threads.n_ended++;
    (void)pthread_cond_broadcast(&threads.changed);
    (void)pthread_mutex_unlock(&threads.mutex);
}

static void threads_begin(void)
{
    (void)pthread_mutex_lock(&threads.mutex);
    threads.thread = pthread_self();
    threads.policy = sched_getscheduler(0);
    threads.n_begun++;
    if (threads.n_running + 1 > threads.n_at_once)
        threads.n_at_once = threads.n_running + 1;
    (void)pthread_mutex_unlock(&threads.mutex);
    (void)pthread_setspecific(threads.key, &threads);
}

/* ---- fixture ---- */

typedef struct Fixture {
    struct event_base *base;
    Worker *worker;
    pthread_t loop;
    int fd; /* the lowest that was free before there was a worker */
    unsigned n_next;
    unsigned n_done;
    unsigned n_freed;
    unsigned n_wanted; /* jobs that next() is still to begin */
    unsigned n_more;   /* that done() is */
    bool wakes;        /* done() does so */
    bool is_waking;    /* in a call of worker_wake() */
} Fixture;

/* What the thread writes is not atomic: it is read when it is the loop's again. */
typedef struct Job {
    Fixture *fixture;
    unsigned n_runs;
    bool is_told;
} Job;

static Job *job_new(Fixture *fixture)
{
    Job *job = calloc(1, sizeof(*job));

    assert_non_null(job);
    job->fixture = fixture;
    return job;
}

static void begin(Fixture *fixture)
{
    assert_int_equal(worker_begin(fixture->worker, job_new(fixture)), 0);
}

static void wake(Fixture *fixture)
{
    fixture->is_waking = true;
    worker_wake(fixture->worker);
    fixture->is_waking = false;
}

static void on_next(void *userdata)
{
    Fixture *fixture = userdata;

    assert_true(pthread_equal(pthread_self(), fixture->loop));
    assert_false(fixture->is_waking);
    fixture->n_next++;
    if (fixture->n_wanted > 0) {
        fixture->n_wanted--;
        begin(fixture);
    }
}

static void on_run(void *argument)
{
    Job *job = argument;

    threads_begin();
    threads_stay(&threads.n_running, &threads.is_hanging);
    job->n_runs++;
}

static void on_done(void *userdata, void *argument)
{
    Fixture *fixture = userdata;
    Job *job = argument;

    assert_true(pthread_equal(pthread_self(), fixture->loop));
    assert_ptr_equal(job->fixture, fixture);
    assert_int_equal(job->n_runs, 1);
    assert_false(job->is_told);
    assert_int_equal(fixture->n_freed, fixture->n_done);
    job->is_told = true;
    fixture->n_done++;
    if (fixture->wakes)
        wake(fixture);
    if (fixture->n_more > 0) {
        fixture->n_more--;
        begin(fixture);
    }
}

static void on_free(void *argument)
{
    Job *job = argument;

    assert_true(pthread_equal(pthread_self(), job->fixture->loop));
    job->fixture->n_freed++;
    free(job);
}

static const WorkerOperations operations = {
    .next = on_next,
    .run = on_run,
    .done = on_done,
    .free = on_free,
};

/* The number that the next descriptor gets. */
static int free_fd(void)
{
    int fd = dup(STDIN_FILENO);

    assert_true(fd >= 0);
    (void)close(fd);
    return fd;
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    threads.n_begun = threads.n_at_once = threads.n_ended = 0;
    fixture->loop = pthread_self();
    fixture->base = event_base_new();
    assert_non_null(fixture->base);
    fixture->fd = free_fd();
    assert_int_equal(worker_new(fixture->base, &operations, fixture, &fixture->worker), 0);
    *state = fixture;
    return 0;
}

/* Whatever a test has done: nothing is left of it. */
static int teardown(void **state)
{
    Fixture *fixture = *state;

    threads_set(&threads.is_hanging, false);
    threads_set(&threads.is_lingering, false);
    fixture->worker = worker_free(fixture->worker);
    threads_wait(&threads.n_ended, threads.n_begun); /* those that were left, too */
    assert_int_equal(fixture->n_freed, threads.n_begun);
    assert_int_equal(free_fd(), fixture->fd);
    event_base_free(fixture->base);
    free(fixture);
    return 0;
}

static void turn(Fixture *fixture)
{
    loop_turn(fixture->base);
}

/* Until so many jobs are done; they are freed then. */
static void run(Fixture *fixture, unsigned n_done)
{
    loop_run_until(fixture->base, &fixture->n_done, n_done);
    assert_int_equal(fixture->n_freed, n_done);
}

/* ---- jobs ---- */

static void test_unused(void **state)
{
    Fixture *fixture = *state;

    turn(fixture);
    assert_int_equal(fixture->n_next, 0);
    assert_null(worker_free(NULL));
}

/* However often it is woken before it has its turn. */
static void test_wake(void **state)
{
    Fixture *fixture = *state;

    wake(fixture);
    wake(fixture);
    assert_int_equal(fixture->n_next, 0);
    turn(fixture);
    assert_int_equal(fixture->n_next, 1);
    turn(fixture);
    assert_int_equal(fixture->n_next, 1);
    wake(fixture);
    turn(fixture);
    assert_int_equal(fixture->n_next, 2);
}

static void test_one(void **state)
{
    Fixture *fixture = *state;
    int fd = free_fd();

    fixture->n_wanted = 1;
    wake(fixture);
    run(fixture, 1);
    assert_int_equal(fixture->n_next, 1);
    assert_int_equal(threads.n_begun, 1);
    assert_false(pthread_equal(threads.thread, fixture->loop));
    assert_int_equal(threads.policy, SCHED_BATCH); /* it stands back */
    threads_wait(&threads.n_ended, 1);
    assert_int_equal(free_fd(), fd);
}

/* Nobody is asked for the next one while one is under way, and each is done before the next one begins. */
static void test_one_at_a_time(void **state)
{
    Fixture *fixture = *state;

    threads_set(&threads.is_hanging, true);
    fixture->n_wanted = 3;
    wake(fixture);
    turn(fixture);
    threads_wait(&threads.n_running, 1);
    wake(fixture);
    turn(fixture);
    turn(fixture);
    assert_int_equal(fixture->n_next, 1);
    assert_int_equal(fixture->n_done, 0);
    assert_int_equal(fixture->n_freed, 0);
    fixture->wakes = true;
    threads_set(&threads.is_hanging, false);
    run(fixture, 3);
    assert_int_equal(fixture->n_next, 4); /* there was nothing more the last time */
    assert_int_equal(threads.n_begun, 3);
    assert_int_equal(threads.n_at_once, 1);
}

/* From done(), which may wake it as well: that one is under way then. */
static void test_begin_when_done(void **state)
{
    Fixture *fixture = *state;

    fixture->n_more = 2;
    begin(fixture);
    run(fixture, 3);
    assert_int_equal(fixture->n_next, 0);
    fixture->n_more = 1;
    fixture->wakes = true;
    begin(fixture);
    run(fixture, 5);
    assert_int_equal(fixture->n_next, 1); /* after the last one */
    assert_int_equal(threads.n_at_once, 1);
}

/* A thread that has told, but does not come to its end, is not waited for. */
static void test_linger(void **state)
{
    Fixture *fixture = *state;

    threads_set(&threads.is_lingering, true);
    (void)alarm(60); /* it would wait for ever */
    begin(fixture);
    run(fixture, 1);
    threads_wait(&threads.n_lingering, 1);
    begin(fixture);
    run(fixture, 2);
    threads_wait(&threads.n_lingering, 2);
    (void)alarm(0);
}

/* ---- what goes wrong ---- */

/* The job is the caller's as before, nothing is kept, and whoever tries again gets through. */
static void assert_fails(Fixture *fixture, void (*take_away)(void), void (*give_back)(void),
                         int error)
{
    unsigned n_done = fixture->n_done;
    Job *job = job_new(fixture);
    int fd, r;

    threads_wait(&threads.n_ended, threads.n_begun);
    fd = free_fd();
    for (int i = 0; i < 2; i++) {
        take_away();
        r = worker_begin(fixture->worker, job);
        give_back();
        assert_int_equal(r, error);
        assert_int_equal(free_fd(), fd);
        turn(fixture);
        assert_int_equal(fixture->n_done, n_done);
        assert_int_equal(fixture->n_freed, n_done);
    }
    assert_int_equal(worker_begin(fixture->worker, job), 0);
    run(fixture, n_done + 1);
    assert_int_equal(threads.n_begun, n_done + 1);
}

static struct rlimit files;

static void take_files(void)
{
    struct rlimit none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    none = files;
    none.rlim_cur = 3; /* those that there are stay open */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void give_files(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

static void take_threads(void)
{
    are_threads_gone = true;
}

static void give_threads(void)
{
    are_threads_gone = false;
}

static void test_fails(void **state)
{
    Fixture *fixture = *state;

    for (int i = 0; i < 2; i++) { /* as the first ones, and after others */
        assert_fails(fixture, take_files, give_files, -EMFILE);
        assert_fails(fixture, take_threads, give_threads, -EAGAIN);
    }
}

static void test_fails_to_be_made(void **state)
{
    Fixture *fixture = *state;
    Worker *worker = NULL;

    take_files();
    assert_int_equal(worker_new(fixture->base, &operations, fixture, &worker), -EMFILE);
    give_files();
    assert_null(worker);
}

/* ---- the end ---- */

/* Woken, and nothing has begun. */
static void test_free_before(void **state)
{
    Fixture *fixture = *state;

    fixture->n_wanted = 1;
    wake(fixture);
    fixture->worker = worker_free(fixture->worker);
    turn(fixture);
    assert_int_equal(fixture->n_next, 0);
}

static void *release(void *argument)
{
    (void)usleep(MOMENT);
    threads_set(argument, false);
    return NULL;
}

/* Has a flag taken back in a moment. */
static pthread_t release_later(bool *flag)
{
    pthread_t thread = 0;

    assert_int_equal(pthread_create(&thread, NULL, release, flag), 0);
    return thread;
}

/* Under way, or through without that the loop knows: it is waited for and freed, and nobody is told. */
static void test_free_meanwhile(void **state)
{
    for (int is_through = 0; is_through < 2; is_through++) {
        Fixture *fixture = *state;
        pthread_t thread;

        threads_set(&threads.is_hanging, true);
        begin(fixture);
        threads_wait(&threads.n_running, 1);
        wake(fixture);
        thread = release_later(&threads.is_hanging);
        if (is_through)
            (void)usleep(2 * MOMENT);
        fixture->worker = worker_free(fixture->worker);
        assert_false(threads.is_hanging);
        assert_int_equal(pthread_join(thread, NULL), 0);
        turn(fixture);
        assert_int_equal(fixture->n_next, 0);
        assert_int_equal(fixture->n_done, 0);
        assert_int_equal(fixture->n_freed, 1);
        teardown(state);
        assert_int_equal(setup(state), 0);
    }
}

/* The job has come back; its thread is waited for all the same. */
static void test_free_lingering(void **state)
{
    Fixture *fixture = *state;
    pthread_t thread;

    threads_set(&threads.is_lingering, true);
    begin(fixture);
    run(fixture, 1);
    thread = release_later(&threads.is_lingering);
    fixture->worker = worker_free(fixture->worker);
    assert_false(threads.is_lingering);
    assert_int_equal(threads.n_lingering, 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(fixture->n_done, 1);
    assert_int_equal(fixture->n_freed, 1);
}

/* Whether nobody has written to it. */
static bool is_untouched(int fd)
{
    uint64_t count;

    return read(fd, &count, sizeof(count)) < 0 && errno == EAGAIN;
}

/*
 * In the child: whether one that hangs is given up, after a while, with all that it has. It still runs when its worker is
 * gone and other files have the numbers of all that was closed.
 */
static bool give_up(void *userdata)
{
    Fixture *fixture = userdata;
    usec_t begun, waited;
    Job *job = job_new(fixture);
    int others[2];

    if (event_reinit(fixture->base) < 0)
        return false;
    (void)alarm(60); /* it would wait for ever */
    fixture->loop = pthread_self();
    threads_set(&threads.is_hanging, true);
    if (worker_begin(fixture->worker, job) < 0)
        return false;
    threads_wait(&threads.n_running, 1);
    begun = clock_boottime();
    fixture->worker = worker_free(fixture->worker);
    waited = clock_boottime() - begun;
    for (int i = 0; i < 2; i++)
        others[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    threads_set(&threads.is_hanging, false);
    threads_wait(&threads.n_running, 0);
    (void)usleep(MOMENT);
    turn(fixture);
    return waited >= WORKER_PATIENCE_USEC - MOMENT && waited < WORKER_PATIENCE_USEC + PATIENCE &&
           fixture->n_done == 0 && fixture->n_freed == 0 && others[0] == fixture->fd &&
           is_untouched(others[0]) && is_untouched(others[1]);
}

static void test_free_hanging(void **state)
{
    child_assert(give_up, *state);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unused),
        TEST(test_wake),
        TEST(test_one),
        TEST(test_one_at_a_time),
        TEST(test_begin_when_done),
        TEST(test_linger),
        TEST(test_fails),
        TEST(test_fails_to_be_made),
        TEST(test_free_before),
        TEST(test_free_meanwhile),
        TEST(test_free_lingering),
        TEST(test_free_hanging),
    };

    if (pthread_key_create(&threads.key, threads_linger) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
