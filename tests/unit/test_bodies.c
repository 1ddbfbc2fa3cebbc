/*
 * Bodies: read on a thread, told on the loop, once each; and nothing that is not what was loaded.
 *
 * This program has a faccessat() of its own, by which the file of an instance is found: it can be made to hang, as a dead
 * file system does, so that a body is being read for as long as a test wants.
 */

#include "daemon/bodies.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/config.h"
#include "daemon/worker.h"
#include "tests/unit/child.h"
#include "tests/unit/loop.h"
#include "tests/unit/tree.h"

#define PATIENCE (20 * USEC_PER_SEC)
#define MOMENT   (100 * USEC_PER_MSEC) /* in which a thread comes to its end, most of the time */
#define RELOAD   "reload elementd (systemctl reload elementd)"
#define BODY(x)                                                                                    \
    "{\"element\":{\"key\":\"jira\"},\"x\":\"" x                                                   \
    "\",\"name\":\"n\",\"tags\":[\"elementd.me\",\"elementd.me." x "\"]}"
#define LABELS(x) "{\"name\":\"n\",\"tags\":[\"elementd.me\",\"elementd.me." x "\"]}"

/* ---- a file system ---- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_hanging;
    unsigned n_asked;
    pthread_t thread; /* that asked last */
} files = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

int faccessat(int directory_fd, const char *path, int mode, int flags)
    __attribute__((visibility("default")));

/* What is looked for is there or not, after a while. */
int faccessat(int directory_fd, const char *path, int mode, int flags)
{
    struct stat st;

    assert_int_equal(mode, F_OK);
    (void)pthread_mutex_lock(&files.mutex);
    files.n_asked++;
    files.thread = pthread_self();
    (void)pthread_cond_broadcast(&files.changed);
    while (files.is_hanging)
        (void)pthread_cond_wait(&files.changed, &files.mutex);
    (void)pthread_mutex_unlock(&files.mutex);
    return fstatat(directory_fd, path, &st, flags);
}

static void files_hang(bool is_hanging)
{
    (void)pthread_mutex_lock(&files.mutex);
    files.is_hanging = is_hanging;
    (void)pthread_cond_broadcast(&files.changed);
    (void)pthread_mutex_unlock(&files.mutex);
}

/* Until the `n`-th file is being looked for. */
static void files_wait(unsigned n)
{
    (void)pthread_mutex_lock(&files.mutex);
    while (files.n_asked < n)
        (void)pthread_cond_wait(&files.changed, &files.mutex);
    (void)pthread_mutex_unlock(&files.mutex);
}

/* ---- fixture ---- */

typedef struct Fixture Fixture;

/* One wish, and what came of it. */
typedef struct Wish {
    Fixture *fixture;
    BodiesWish *wish;
    unsigned n_answers;
    Secret *body;
    char *problem;
    Trouble trouble;
    struct Wish *cancels; /* from the handler of this one */
    struct Wish *asks;    /* for the instance "a", from there */
} Wish;

struct Fixture {
    Tree *tree;
    struct event_base *base;
    Bodies *bodies;
    Config *config; /* with the instances "a", "b" and "c" */
    unsigned n_answers;
    pthread_t loop;
    bool is_limited; /* `limit` is to be restored by the next answer */
    struct rlimit limit;
};

static void ask(Fixture *fixture, Wish *wish, const char *name, BodiesPart part);

static void on_body(void *userdata, BodiesAnswer *answer)
{
    Wish *wish = userdata;
    Fixture *fixture = wish->fixture;

    assert_true(pthread_equal(pthread_self(), fixture->loop));
    assert_non_null(wish->wish); /* nobody is called from within a call */
    wish->wish = NULL;
    wish->n_answers++;
    fixture->n_answers++;
    wish->body = TAKE_PTR(answer->body);
    wish->problem = TAKE_PTR(answer->problem);
    wish->trouble = answer->trouble;
    if (fixture->is_limited) {
        fixture->is_limited = false;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &fixture->limit), 0);
    }
    if (wish->cancels)
        wish->cancels->wish = bodies_wish_free(wish->cancels->wish);
    if (wish->asks)
        ask(fixture, wish->asks, "a", BODIES_ALL);
}

static void ask(Fixture *fixture, Wish *wish, const char *name, BodiesPart part)
{
    BodiesWish *made;

    wish->fixture = fixture;
    assert_int_equal(bodies_wish_new(fixture->bodies, config_find_instance(fixture->config, name),
                                     "me", part, on_body, wish, &made),
                     0);
    bodies_wish_start(made);
    wish->wish = made;
}

static void drop(Wish *wish)
{
    wish->wish = bodies_wish_free(wish->wish);
    secret_unref(wish->body);
    free(wish->problem);
    *wish = (Wish){};
}

static const char *instance_file(const char *name)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "etc/elementd/instances.d/%s.json", name);
    return path;
}

/* The file of `name`, which says `x`. */
static void put(const Fixture *fixture, const char *name, const char *x)
{
    char text[128];

    (void)snprintf(text, sizeof(text),
                   "{\"element\": {\"key\": \"jira\"}, \"x\": \"%s\", \"name\": \"n\"}", x);
    tree_put(fixture->tree, instance_file(name), text, 0600);
}

static int setup(void **state)
{
    static const DigestKey key = {.bytes = {7}};
    Fixture *fixture = calloc(1, sizeof(*fixture));
    Paths paths;

    assert_int_equal(tree_setup((void **)&fixture->tree), 0);
    tree_put(fixture->tree, "etc/elementd/elementd.json", "{\"owner\": \"me\"}", 0644);
    tree_put(fixture->tree, "etc/elementd/accounts.d/default.json",
             "{\"url\": \"https://a.example\", \"user\": \"u\", \"organization\": \"o\"}", 0600);
    put(fixture, "a", "a");
    put(fixture, "b", "b");
    put(fixture, "c", "c");
    fixture->loop = pthread_self();
    fixture->base = event_base_new();
    assert_non_null(fixture->base);
    assert_int_equal(paths_init(&paths, fixture->tree->path), 0);
    assert_int_equal(config_load(&paths, &key, &fixture->config), 0);
    assert_int_equal(fixture->config->problems.n_errors, 0);
    assert_int_equal(bodies_new(&paths, &key, fixture->base, &fixture->bodies), 0);
    paths_deinit(&paths); /* it has a copy */
    files.n_asked = 0;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    files_hang(false);
    fixture->bodies = bodies_free(fixture->bodies);
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

/* Until so many answers have come. */
static void run(Fixture *fixture, unsigned n_answers)
{
    loop_run_until(fixture->base, &fixture->n_answers, n_answers);
}

static void assert_body(const Wish *wish, const char *body)
{
    assert_int_equal(wish->n_answers, 1);
    assert_null(wish->problem);
    assert_non_null(wish->body);
    assert_string_equal(secret_reveal(wish->body), body);
}

static void assert_problem(const Wish *wish, const char *problem)
{
    assert_int_equal(wish->n_answers, 1);
    assert_null(wish->body);
    assert_non_null(wish->problem);
    assert_string_equal(wish->problem, problem);
    assert_int_equal(wish->trouble, TROUBLE_FILE_CHANGED);
}

/* ---- what comes back ---- */

static void test_unused(void **state)
{
    turn(*state);
    assert_null(bodies_free(NULL));
    assert_null(bodies_wish_free(NULL));
}

static void test_parts(void **state)
{
    Fixture *fixture = *state;
    Wish all = {}, labels = {};

    ask(fixture, &all, "a", BODIES_ALL);
    ask(fixture, &labels, "a", BODIES_LABELS);
    assert_int_equal(fixture->n_answers, 0);
    run(fixture, 2);
    assert_body(&all, BODY("a"));
    assert_body(&labels, LABELS("a"));
    assert_false(pthread_equal(files.thread, fixture->loop));
    drop(&all);
    drop(&labels);
}

/* Each has what goes for its own file, and what to do is said. */
static void test_changed(void **state)
{
    Fixture *fixture = *state;
    Wish a = {}, b = {}, c = {};

    put(fixture, "a", "z");
    assert_int_equal(unlink(tree_path(fixture->tree, instance_file("b"))), 0);
    ask(fixture, &a, "a", BODIES_LABELS); /* whatever part of it has changed */
    ask(fixture, &b, "b", BODIES_ALL);
    ask(fixture, &c, "c", BODIES_ALL);
    run(fixture, 3);
    assert_problem(&a, "instances.d/a.json, or a file that it refers to, has changed since the "
                       "configuration was loaded: " RELOAD);
    assert_problem(&b, "instances.d/b.json has gone since the configuration was loaded: put it "
                       "back, or " RELOAD);
    assert_body(&c, BODY("c"));
    drop(&a);
    drop(&b);
    drop(&c);
    /* Another owner is another tag, and other labels. */
    tree_put(fixture->tree, instance_file("c"),
             "{\"element\": {\"key\": \"jira\"}, \"x\": \"c\", \"name\": \"m\"}", 0600);
    put(fixture, "a", "a");
    put(fixture, "b", "b");
    ask(fixture, &a, "a", BODIES_ALL);
    ask(fixture, &b, "b", BODIES_ALL);
    ask(fixture, &c, "c", BODIES_ALL);
    run(fixture, 6);
    assert_body(&a, BODY("a"));
    assert_body(&b, BODY("b"));
    assert_problem(&c, "instances.d/c.json, or a file that it refers to, has changed since the "
                       "configuration was loaded: " RELOAD);
    drop(&a);
    drop(&b);
    drop(&c);
}

static void test_unusable(void **state)
{
    Fixture *fixture = *state;
    Wish wish = {};
    char expected[256];

    tree_put(fixture->tree, instance_file("a"), "[]", 0600);
    ask(fixture, &wish, "a", BODIES_ALL);
    run(fixture, 1);
    (void)snprintf(expected, sizeof(expected),
                   "%s:1:1: the document must be an object, but is an array; that was not so when "
                   "the configuration was loaded: mend it, and then " RELOAD,
                   tree_path(fixture->tree, instance_file("a")));
    assert_problem(&wish, expected);
    drop(&wish);
}

/* No thread can begin, for want of a descriptor: all are told, and the next one is fine. */
static void test_fails(void **state)
{
    Fixture *fixture = *state;
    Wish a = {}, b = {}, c = {}, again = {};
    struct rlimit none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &fixture->limit), 0);
    none = fixture->limit;
    none.rlim_cur = 3; /* those that there are stay open */
    fixture->is_limited = true;
    a.asks = &again;
    a.cancels = &c;
    ask(fixture, &a, "a", BODIES_ALL);
    ask(fixture, &b, "b", BODIES_ALL);
    ask(fixture, &c, "c", BODIES_ALL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    run(fixture, 3);
    assert_false(fixture->is_limited);
    assert_string_equal(a.problem, "Too many open files");
    assert_int_equal(a.trouble, TROUBLE_OTHER);
    assert_string_equal(b.problem, "Too many open files");
    assert_int_equal(c.n_answers, 0);
    assert_body(&again, BODY("a"));
    drop(&a);
    drop(&b);
    drop(&c);
    drop(&again);
}

/* ---- one thread at a time ---- */

/* What is asked for meanwhile is read behind that, and sees what was changed before it was asked for. */
static void test_meanwhile(void **state)
{
    Fixture *fixture = *state;
    Wish first = {}, second = {}, third = {};

    files_hang(true);
    ask(fixture, &first, "a", BODIES_ALL);
    turn(fixture);
    files_wait(1);
    ask(fixture, &second, "a", BODIES_ALL);
    ask(fixture, &third, "b", BODIES_ALL);
    turn(fixture);
    (void)usleep(MOMENT);
    assert_int_equal(files.n_asked, 1); /* one at a time */
    put(fixture, "b", "z");
    files_hang(false);
    run(fixture, 3);
    assert_body(&first, BODY("a"));
    assert_body(&second, BODY("a"));
    assert_int_equal(third.trouble, TROUBLE_FILE_CHANGED);
    assert_int_equal(files.n_asked, 3);
    drop(&first);
    drop(&second);
    drop(&third);
}

/* ---- cancelling ---- */

/* Before it is started, before a thread has it, while that reads another one, and while that reads it. */
static void test_cancel(void **state)
{
    Fixture *fixture = *state;
    Wish reading = {}, in_job = {}, waiting = {}, stays = {};
    BodiesWish *idle;

    assert_int_equal(bodies_wish_new(fixture->bodies, fixture->config->instances[0], "me",
                                     BODIES_ALL, on_body, NULL, &idle),
                     0);
    assert_null(bodies_wish_free(idle));
    ask(fixture, &waiting, "a", BODIES_ALL);
    drop(&waiting);
    turn(fixture);
    assert_int_equal(files.n_asked, 0);

    files_hang(true);
    ask(fixture, &reading, "a", BODIES_ALL);
    ask(fixture, &in_job, "b", BODIES_ALL);
    ask(fixture, &stays, "c", BODIES_ALL);
    turn(fixture);
    files_wait(1);
    ask(fixture, &waiting, "b", BODIES_ALL);
    turn(fixture);
    drop(&in_job);
    drop(&reading);
    drop(&waiting);
    files_hang(false);
    run(fixture, 1);
    assert_body(&stays, BODY("c"));
    assert_int_equal(files.n_asked, 2); /* nobody wants "b" any more */
    drop(&stays);
}

/* From the handler of one that was read by the same thread, which may also ask for more. */
static void test_cancel_in_a_handler(void **state)
{
    Fixture *fixture = *state;
    Wish first = {}, second = {}, third = {};

    first.cancels = &second;
    first.asks = &third;
    ask(fixture, &first, "a", BODIES_ALL);
    ask(fixture, &second, "b", BODIES_ALL);
    run(fixture, 2);
    assert_body(&first, BODY("a"));
    assert_int_equal(second.n_answers, 0);
    assert_body(&third, BODY("a"));
    drop(&first);
    drop(&second);
    drop(&third);
}

/* ---- the end ---- */

static void *release(void *argument)
{
    (void)argument;
    (void)usleep(MOMENT);
    files_hang(false);
    return NULL;
}

/* Under way, or through without that the loop knows: the thread is waited for, but reads nothing more. */
static void test_free_meanwhile(void **state)
{
    for (int is_through = 0; is_through < 2; is_through++) {
        Fixture *fixture = *state;
        Wish first = {}, second = {};
        pthread_t thread;

        files_hang(true);
        ask(fixture, &first, "a", BODIES_ALL);
        ask(fixture, &second, "b", BODIES_ALL);
        turn(fixture);
        files_wait(1);
        assert_int_equal(pthread_create(&thread, NULL, release, NULL), 0);
        if (is_through)
            (void)usleep(2 * MOMENT);
        drop(&first);
        drop(&second);
        fixture->bodies = bodies_free(fixture->bodies);
        assert_false(files.is_hanging);
        assert_int_equal(pthread_join(thread, NULL), 0);
        turn(fixture);
        assert_int_equal(fixture->n_answers, 0);
        assert_int_equal(files.n_asked, is_through ? 2 : 1);
        teardown(state);
        assert_int_equal(setup(state), 0);
    }
}

/* In the child: whether one that hangs is given up, after a while, and nobody is told of it any more. */
static bool give_up(void *userdata)
{
    Fixture *fixture = userdata;
    usec_t begin, waited;
    Wish wish = {};

    if (event_reinit(fixture->base) < 0)
        return false;
    fixture->loop = pthread_self();
    files_hang(true);
    ask(fixture, &wish, "a", BODIES_ALL);
    turn(fixture);
    files_wait(1);
    drop(&wish);
    begin = clock_boottime();
    fixture->bodies = bodies_free(fixture->bodies);
    waited = clock_boottime() - begin;
    /* It still runs when all that it was for is gone: that is what it must not touch. */
    files_hang(false);
    (void)usleep(MOMENT);
    turn(fixture);
    return waited >= WORKER_PATIENCE_USEC - MOMENT && waited < WORKER_PATIENCE_USEC + PATIENCE &&
           fixture->n_answers == 0;
}

static void test_free_hanging(void **state)
{
    child_assert(give_up, *state);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unused),         TEST(test_parts),
        TEST(test_changed),        TEST(test_unusable),
        TEST(test_fails),          TEST(test_meanwhile),
        TEST(test_cancel),         TEST(test_cancel_in_a_handler),
        TEST(test_free_meanwhile), TEST(test_free_hanging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
