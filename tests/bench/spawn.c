/*
 * Run time of a program: starts it, waits for its end, again and again.
 *
 *     spawn COUNT PROGRAM [ARGUMENT...]
 *
 * Prints the median in microseconds. What the program prints goes to /dev/null; each run must succeed.
 */

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SPAWN_RUNS_MAX 100000

extern char **environ;

static void spawn_fail(const char *what)
{
    (void)fprintf(stderr, "spawn: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t spawn_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t spawn_measure(const posix_spawn_file_actions_t *actions, char **command)
{
    uint64_t begin = spawn_now();
    int status = -1;
    pid_t pid;

    errno = posix_spawn(&pid, command[0], actions, NULL, command, environ);
    if (errno != 0 || waitpid(pid, &status, 0) != pid || status != 0)
        spawn_fail(command[0]);
    return spawn_now() - begin;
}

static int spawn_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    static uint64_t samples[SPAWN_RUNS_MAX];
    posix_spawn_file_actions_t actions;
    unsigned long n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    uint64_t median;

    if (n == 0 || n > SPAWN_RUNS_MAX) {
        (void)fputs("usage: spawn COUNT PROGRAM [ARGUMENT...]\n", stderr);
        return EXIT_FAILURE;
    }
    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0)
        spawn_fail("file actions");
    for (unsigned long i = 0; i < n; i++)
        samples[i] = spawn_measure(&actions, argv + 2);
    qsort(samples, n, sizeof(*samples), spawn_compare);
    median = samples[n / 2];
    (void)printf("%.1f\n", (double)median / 1000);
    (void)posix_spawn_file_actions_destroy(&actions);
    return EXIT_SUCCESS;
}
