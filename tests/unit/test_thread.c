#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

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

/* Not at once, but 100 us later. */
static void test_give_way(void **state)
{
    usec_t before = clock_boottime(), begin = 0, first;

    (void)state;
    thread_give_way(&begin);
    assert_in_range(begin, before, clock_boottime());
    first = begin;
    while (begin == first)
        thread_give_way(&begin);
    assert_true(begin >= first + 150); /* it has slept */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leave_early),
        cmocka_unit_test(test_leave_late),
        cmocka_unit_test(test_give_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
