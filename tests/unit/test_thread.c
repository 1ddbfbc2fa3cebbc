#include "base/thread.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

/* Says "d" when its work is done, and comes to its end only when it hears of that, or of none who could say it. */
typedef struct Worker {
    int hear[2];
    int say[2];
} Worker;

static void *work(void *argument)
{
    Worker *worker = argument;
    char byte;

    if (write(worker->say[1], "d", 1) != 1 || read(worker->hear[0], &byte, 1) < 0)
        return NULL;
    (void)!write(worker->say[1], "e", 1);
    return NULL;
}

static pthread_t begin_work(Worker *worker)
{
    pthread_t thread;
    char byte;

    assert_int_equal(pipe(worker->hear), 0);
    assert_int_equal(pipe(worker->say), 0);
    assert_int_equal(thread_start(&thread, work, worker), 0);
    assert_int_equal(read(worker->say[0], &byte, 1), 1);
    assert_int_equal(byte, 'd');
    return thread;
}

/* Waits until the process has no thread but this one: what another had is back then. */
static void wait_until_alone(void)
{
    struct stat task = {};

    for (int i = 0; i < 10000; i++) {
        assert_int_equal(stat("/proc/self/task", &task), 0);
        if (task.st_nlink == 3) /* it, its parent and one folder in it */
            return;
        (void)usleep(1000);
    }
    fail_msg("%ju threads are left", (uintmax_t)task.st_nlink - 2);
}

static void end_work(Worker *worker)
{
    wait_until_alone();
    for (int i = 0; i < 2; i++) {
        close(worker->hear[i]);
        close(worker->say[i]);
    }
}

/* Who leaves a thread that is not at its end does not wait for that, and the thread comes to it all the same. */
static void test_leave_early(void **state)
{
    Worker worker;
    pthread_t thread = begin_work(&worker);
    char byte;

    (void)state;
    (void)alarm(60); /* it would wait for ever */
    thread_leave(thread);
    (void)alarm(0);
    assert_int_equal(write(worker.hear[1], "x", 1), 1);
    assert_int_equal(read(worker.say[0], &byte, 1), 1);
    assert_int_equal(byte, 'e');
    end_work(&worker);
}

static void test_leave_late(void **state)
{
    Worker worker;
    pthread_t thread = begin_work(&worker);
    char byte;

    (void)state;
    assert_int_equal(write(worker.hear[1], "x", 1), 1);
    assert_int_equal(read(worker.say[0], &byte, 1), 1);
    thread_leave(thread);
    end_work(&worker);
}

/* struct sched_attr of sched_getattr(2). */
typedef struct Attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} Attributes;

static Attributes attributes_of_this(void)
{
    Attributes attributes = {};

    assert_int_equal(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0), 0);
    return attributes;
}

static void *stand_back(void *argument)
{
    Attributes *attributes = argument;

    attributes[0] = attributes_of_this();
    thread_stand_back();
    attributes[1] = attributes_of_this();
    return NULL;
}

/* What it asks the kernel for, of which that knows the length of turns since 6.12; and for no thread but the calling one. */
static void test_stand_back(void **state)
{
    Attributes attributes[2], own = attributes_of_this(), after;
    pthread_t thread;

    (void)state;
    assert_int_equal(thread_start(&thread, stand_back, attributes), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(attributes[1].policy, SCHED_BATCH);
    assert_int_equal(attributes[1].nice, 10);
    if (attributes[1].runtime == attributes[0].runtime)
        print_message("this kernel has one length of turns for all\n");
    else
        assert_int_equal(attributes[1].runtime, 100 * 1000 * 1000);
    after = attributes_of_this();
    assert_memory_equal(&after, &own, sizeof(own));
}

static void test_give_way(void **state)
{
    usec_t before = clock_boottime();

    (void)state;
    thread_give_way();
    assert_true(clock_boottime() - before >= 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leave_early),
        cmocka_unit_test(test_leave_late),
        cmocka_unit_test(test_stand_back),
        cmocka_unit_test(test_give_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
