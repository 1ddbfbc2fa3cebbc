/*
 * The loader: loads on a thread of their own, that come back on the loop, each told once.
 *
 * This program has a getpwnam_r() of its own, which is what an allow list asks: it can be made to hang, as a name
 * service does, so that a load is under way for as long as a test wants.
 */

#include "daemon/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "daemon/worker.h"
#include "tests/unit/child.h"
#include "tests/unit/loop.h"
#include "tests/unit/tree.h"

#define PATIENCE (20 * USEC_PER_SEC)
#define MOMENT   (100 * USEC_PER_MSEC) /* in which a load comes to its end, most of the time */

/* ---- a name service ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_hanging;
    unsigned n_asked;
    pthread_t thread; /* that asked last */
} names = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* NOLINTBEGIN(readability-non-const-parameter): as getpwnam_r(3) has it */
int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
               struct passwd **ret_found) __attribute__((visibility("default")));

/* Knows nobody, after a while. */
int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
               struct passwd **ret_found)
{
    (void)name;
    (void)entry;
    (void)buffer;
    (void)size;
    (void)pthread_mutex_lock(&names.mutex);
    names.n_asked++;
    names.thread = pthread_self();
    (void)pthread_cond_broadcast(&names.changed);
    while (names.is_hanging)
        (void)pthread_cond_wait(&names.changed, &names.mutex);
    (void)pthread_mutex_unlock(&names.mutex);
    *ret_found = NULL;
    return 0;
}
/* NOLINTEND(readability-non-const-parameter) */

static void names_hang(bool is_hanging)
{
    (void)pthread_mutex_lock(&names.mutex);
    names.is_hanging = is_hanging;
    (void)pthread_cond_broadcast(&names.changed);
    (void)pthread_mutex_unlock(&names.mutex);
}

/* Until a load has come as far as to the `n`-th question. */
static void names_wait(unsigned n)
{
    (void)pthread_mutex_lock(&names.mutex);
    while (names.n_asked < n)
        (void)pthread_cond_wait(&names.changed, &names.mutex);
    (void)pthread_mutex_unlock(&names.mutex);
}

/* ---- fixture ---- */

typedef struct Fixture {
    Tree *tree;
    struct event_base *base;
    Loader *loader;
    unsigned n_begun;
    unsigned n_done;
    uint64_t numbers[8]; /* of those that are done */
    int errors[8];
    size_t n_instances[8]; /* that their configurations have */
    Config *config;        /* of the last one that is done */
    bool asks_again;       /* from within the next done() */
    bool is_limited;       /* `limit` is to be restored by the next done() */
    struct rlimit limit;
    pthread_t loop;
    bool is_starting; /* in a call of loader_start() */
} Fixture;

static void on_begun(void *userdata)
{
    Fixture *fixture = userdata;

    assert_false(fixture->is_starting);
    assert_true(pthread_equal(pthread_self(), fixture->loop));
    assert_int_equal(fixture->n_begun, fixture->n_done);
    fixture->n_begun++;
}

static uint64_t start(Fixture *fixture);

static void on_done(void *userdata, uint64_t number, Config *config, int error)
{
    Fixture *fixture = userdata;
    unsigned n = fixture->n_done++;

    assert_false(fixture->is_starting);
    assert_true(pthread_equal(pthread_self(), fixture->loop));
    assert_int_equal(fixture->n_begun, fixture->n_done);
    assert_in_range(n, 0, 7);
    assert_int_equal(config != NULL, error == 0);
    fixture->numbers[n] = number;
    fixture->errors[n] = error;
    fixture->n_instances[n] = config ? config->n_instances : 0;
    config_unref(fixture->config);
    fixture->config = config_ref(config);
    if (fixture->is_limited) {
        fixture->is_limited = false;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &fixture->limit), 0);
    }
    if (fixture->asks_again) {
        fixture->asks_again = false;
        assert_int_equal(start(fixture), number + 1);
    }
}

static const LoaderOperations operations = {.begun = on_begun, .done = on_done};

static uint64_t start(Fixture *fixture)
{
    uint64_t number;

    fixture->is_starting = true;
    number = loader_start(fixture->loader);
    fixture->is_starting = false;
    return number;
}

static int setup(void **state)
{
    static const DigestKey key = {.bytes = {7}};
    Fixture *fixture = calloc(1, sizeof(*fixture));
    Paths paths;

    assert_int_equal(tree_setup((void **)&fixture->tree), 0);
    tree_put(fixture->tree, "etc/elementd/elementd.json",
             "{\"owner\": \"me\", \"allow\": [\"user:x\"]}", 0644);
    tree_put(fixture->tree, "etc/elementd/instances.d/a.json", "{}", 0644);
    fixture->loop = pthread_self();
    fixture->base = event_base_new();
    assert_non_null(fixture->base);
    assert_int_equal(paths_init(&paths, fixture->tree->path), 0);
    assert_int_equal(loader_new(&paths, &key, fixture->base, config_load, &operations, fixture,
                                &fixture->loader),
                     0);
    paths_deinit(&paths); /* it has a copy */
    names.n_asked = 0;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    names_hang(false);
    fixture->loader = loader_free(fixture->loader);
    config_unref(fixture->config);
    event_base_free(fixture->base);
    assert_int_equal(tree_teardown((void **)&fixture->tree), 0);
    free(fixture);
    return 0;
}

static void turn(Fixture *fixture)
{
    loop_turn(fixture->base);
}

/* Until so many loads are over. */
static void run(Fixture *fixture, unsigned n_done)
{
    loop_run_until(fixture->base, &fixture->n_done, n_done);
}

/* ---- tests ---- */

static void test_unused(void **state)
{
    Fixture *fixture = *state;

    turn(fixture);
    assert_int_equal(fixture->n_begun, 0);
    assert_null(loader_free(NULL));
}

static void test_one(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(start(fixture), 1);
    assert_int_equal(fixture->n_begun, 0); /* nobody is called from within the call */
    run(fixture, 1);
    assert_int_equal(fixture->n_begun, 1);
    assert_int_equal(fixture->numbers[0], 1);
    assert_int_equal(fixture->errors[0], 0);
    assert_int_equal(fixture->n_instances[0], 1);
    assert_string_equal(fixture->config->settings.owner, "me");
    assert_int_equal(fixture->config->n_refs, 1); /* it was lent, and ours is the only one now */
    assert_int_equal(names.n_asked, 1);
    assert_false(pthread_equal(names.thread, fixture->loop));
    /* Each sees what is there when it begins. */
    tree_put(fixture->tree, "etc/elementd/instances.d/b.json", "{}", 0644);
    assert_int_equal(start(fixture), 2);
    run(fixture, 2);
    assert_int_equal(fixture->numbers[1], 2);
    assert_int_equal(fixture->n_instances[1], 2);
}

/* The first one is under way while no loop runs, and told by it; what is asked for meanwhile is one more. */
static void test_first(void **state)
{
    Fixture *fixture = *state;

    names_hang(true);
    assert_int_equal(loader_start_first(fixture->loader), 0);
    assert_int_equal(fixture->n_begun, 1);
    names_wait(1);
    assert_false(pthread_equal(names.thread, fixture->loop));
    assert_int_equal(start(fixture), 2);
    names_hang(false);
    run(fixture, 2);
    assert_int_equal(fixture->n_begun, 2);
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(fixture->numbers[n], n + 1);
        assert_int_equal(fixture->errors[n], 0);
        assert_int_equal(fixture->n_instances[n], 1);
    }
}

/* It cannot begin: that is told at once, and another may. */
static void test_first_fails(void **state)
{
    Fixture *fixture = *state;
    struct rlimit limit, none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(loader_start_first(fixture->loader), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(fixture->n_begun, 0);
    assert_int_equal(loader_start_first(fixture->loader), 0);
    run(fixture, 1);
    assert_int_equal(fixture->numbers[0], 1);
    assert_int_equal(fixture->errors[0], 0);
}

/* Asked for before it has begun: one load, and all are told the same number. */
static void test_asked_together(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(start(fixture), 1);
    assert_int_equal(start(fixture), 1);
    assert_int_equal(start(fixture), 1);
    run(fixture, 1);
    assert_int_equal(fixture->n_begun, 1);
}

/* What is asked for meanwhile is one more, and sees what was changed before it was asked for. */
static void test_asked_meanwhile(void **state)
{
    Fixture *fixture = *state;

    names_hang(true);
    assert_int_equal(start(fixture), 1);
    turn(fixture);
    names_wait(1);
    assert_int_equal(fixture->n_begun, 1);
    assert_int_equal(start(fixture), 2);
    turn(fixture);
    assert_int_equal(start(fixture), 2);
    turn(fixture);
    assert_int_equal(fixture->n_begun, 1); /* one at a time */
    assert_int_equal(fixture->n_done, 0);
    tree_put(fixture->tree, "etc/elementd/instances.d/b.json", "{}", 0644);
    assert_int_equal(start(fixture), 2);
    names_hang(false);
    run(fixture, 2);
    assert_int_equal(fixture->n_begun, 2);
    assert_int_equal(fixture->numbers[0], 1);
    assert_int_equal(fixture->numbers[1], 2);
    assert_int_equal(fixture->n_instances[1], 2);
    assert_int_equal(names.n_asked, 2);
    assert_int_equal(start(fixture), 3);
    run(fixture, 3);
}

/* The thread goes on to its end, but the loop does not know yet: a load that is asked for now begins after it. */
static void test_asked_at_the_end(void **state)
{
    Fixture *fixture = *state;

    names_hang(true);
    assert_int_equal(start(fixture), 1);
    turn(fixture);
    names_wait(1);
    names_hang(false);
    (void)usleep(MOMENT);
    tree_put(fixture->tree, "etc/elementd/instances.d/b.json", "{}", 0644);
    assert_int_equal(start(fixture), 2);
    run(fixture, 2);
    assert_int_equal(fixture->numbers[0], 1);
    assert_int_equal(fixture->numbers[1], 2);
    assert_int_equal(fixture->n_instances[1], 2);
}

static void test_asked_when_told(void **state)
{
    Fixture *fixture = *state;

    fixture->asks_again = true;
    assert_int_equal(start(fixture), 1);
    run(fixture, 2);
    assert_int_equal(fixture->n_begun, 2);
    assert_int_equal(fixture->numbers[1], 2);
}

/* ---- what goes wrong ---- */

/* It cannot even begin, for want of a descriptor: told as any other end, and the next one is fine. */
static void test_fails(void **state)
{
    Fixture *fixture = *state;
    struct rlimit none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &fixture->limit), 0);
    none = fixture->limit;
    none.rlim_cur = 3; /* those that there are stay open */
    fixture->asks_again = true;
    fixture->is_limited = true;
    assert_int_equal(start(fixture), 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    run(fixture, 2);
    assert_false(fixture->is_limited);
    assert_int_equal(fixture->n_begun, 2);
    assert_int_equal(fixture->numbers[0], 1);
    assert_int_equal(fixture->errors[0], -EMFILE);
    assert_int_equal(fixture->numbers[1], 2);
    assert_int_equal(fixture->errors[1], 0);
    assert_int_equal(fixture->n_instances[1], 1);
}

/* A configuration with mistakes is no failed load: what it says is for whoever applies it. */
static void test_with_errors(void **state)
{
    Fixture *fixture = *state;

    tree_put(fixture->tree, "etc/elementd/instances.d/a.json", "{", 0644);
    assert_int_equal(start(fixture), 1);
    run(fixture, 1);
    assert_int_equal(fixture->errors[0], 0);
    assert_true(fixture->config->problems.n_errors > 0);
}

/* ---- the end ---- */

/* Asked for, and not begun. */
static void test_free_before(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(start(fixture), 1);
    fixture->loader = loader_free(fixture->loader);
    turn(fixture);
    assert_int_equal(fixture->n_begun, 0);
    assert_int_equal(names.n_asked, 0);
}

static void *release(void *argument)
{
    (void)argument;
    (void)usleep(MOMENT);
    names_hang(false);
    return NULL;
}

/* Under way, or through without that the loop knows: it is waited for, and nobody is told. */
static void test_free_meanwhile(void **state)
{
    for (int is_through = 0; is_through < 2; is_through++) {
        Fixture *fixture = *state;
        pthread_t thread;

        names_hang(true);
        assert_int_equal(start(fixture), 1);
        turn(fixture);
        names_wait(1);
        assert_int_equal(start(fixture), 2);
        assert_int_equal(pthread_create(&thread, NULL, release, NULL), 0);
        if (is_through)
            (void)usleep(2 * MOMENT);
        fixture->loader = loader_free(fixture->loader);
        assert_false(names.is_hanging);
        assert_int_equal(pthread_join(thread, NULL), 0);
        turn(fixture);
        assert_int_equal(fixture->n_begun, 1);
        assert_int_equal(fixture->n_done, 0);
        assert_int_equal(names.n_asked, 1);
        teardown(state);
        assert_int_equal(setup(state), 0);
    }
}

/* In the child: whether one that hangs is given up, after a while, and nobody is told of it any more. */
static bool give_up(void *userdata)
{
    Fixture *fixture = userdata;
    usec_t begin, waited;

    if (event_reinit(fixture->base) < 0)
        return false;
    fixture->loop = pthread_self();
    names_hang(true);
    (void)start(fixture);
    turn(fixture);
    names_wait(1);
    begin = clock_boottime();
    fixture->loader = loader_free(fixture->loader);
    waited = clock_boottime() - begin;
    /* It still runs when its loader is gone: that is what it must not touch. */
    names_hang(false);
    (void)usleep(MOMENT);
    turn(fixture);
    return waited >= WORKER_PATIENCE_USEC - MOMENT && waited < WORKER_PATIENCE_USEC + PATIENCE &&
           fixture->n_begun == 1 && fixture->n_done == 0;
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
        TEST(test_one),
        TEST(test_first),
        TEST(test_first_fails),
        TEST(test_asked_together),
        TEST(test_asked_meanwhile),
        TEST(test_asked_at_the_end),
        TEST(test_asked_when_told),
        TEST(test_fails),
        TEST(test_with_errors),
        TEST(test_free_before),
        TEST(test_free_meanwhile),
        TEST(test_free_hanging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
