/*
 * Latency of one request, asked again and again at an even pace on one connection: how long the slow ones take.
 *
 *     latency SOCKET INTERVAL_USEC SECONDS < REQUEST
 *
 * SECONDS 0: until SIGTERM. Prints microseconds: "COUNT P50 P99 P999 MAX". A reply ends with NUL, and each must be
 * the same to the byte.
 *
 * A request that could not be sent in time, since the reply before it was late, is counted from the time at which it
 * was due: else a server that stops for a second would have one slow reply instead of a second of them.
 */

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LATENCY_BYTES_MAX   4096
#define LATENCY_SAMPLES_MAX (4 * 1000 * 1000)

static volatile sig_atomic_t latency_is_over;

static void latency_on_signal(int number)
{
    (void)number;
    latency_is_over = 1;
}

static void latency_fail(const char *what)
{
    (void)fprintf(stderr, "latency: %s: %s\n", what, errno ? strerror(errno) : "wrong reply");
    exit(EXIT_FAILURE);
}

static uint64_t latency_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void latency_sleep_until(uint64_t moment)
{
    struct timespec until = {(time_t)(moment / 1000000000), (long)(moment % 1000000000)};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int latency_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
        latency_fail("socket");
    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        latency_fail("connect");
    return fd;
}

static size_t latency_ask(int fd, const char *request, size_t size, char *reply)
{
    size_t n = 0;

    if (send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
        latency_fail("send");
    do {
        ssize_t received = recv(fd, reply + n, LATENCY_BYTES_MAX - n, 0);

        if (received < 0 && errno == EINTR)
            continue;
        if (received <= 0)
            latency_fail("receive");
        n += (size_t)received;
    } while (n == 0 || reply[n - 1] != '\0');
    return n;
}

static int latency_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void latency_print(uint64_t *samples, size_t n)
{
    static const double parts[] = {0.5, 0.99, 0.999};

    if (n == 0)
        latency_fail("no replies");
    qsort(samples, n, sizeof(*samples), latency_compare);
    (void)printf("%zu", n);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        (void)printf(" %.1f", (double)samples[(size_t)((double)(n - 1) * parts[i])] / 1000);
    (void)printf(" %.1f\n", (double)samples[n - 1] / 1000);
}

int main(int argc, char **argv)
{
    static char request[LATENCY_BYTES_MAX], first[LATENCY_BYTES_MAX], reply[LATENCY_BYTES_MAX];
    uint64_t *samples = malloc(LATENCY_SAMPLES_MAX * sizeof(*samples));
    uint64_t interval, due, end;
    size_t size, first_size, n = 0;
    int fd;

    if (argc != 4 || !samples) {
        (void)fputs("usage: latency SOCKET INTERVAL_USEC SECONDS < REQUEST\n", stderr);
        return EXIT_FAILURE;
    }
    interval = strtoull(argv[2], NULL, 10) * 1000;
    (void)signal(SIGTERM, latency_on_signal);
    size = fread(request, 1, sizeof(request), stdin);
    fd = latency_connect(argv[1]);
    first_size = latency_ask(fd, request, size, first);
    due = latency_now();
    end = strtod(argv[3], NULL) > 0 ? due + (uint64_t)(strtod(argv[3], NULL) * 1e9) : UINT64_MAX;
    while (!latency_is_over && n < LATENCY_SAMPLES_MAX && due < end) {
        uint64_t before;

        due += interval;
        if (latency_now() < due)
            latency_sleep_until(due);
        before = latency_now();
        /* What a sleep took too long is not the server's; what the reply before took is. */
        if (n > 0 && samples[n - 1] > interval)
            before = due;
        if (latency_ask(fd, request, size, reply) != first_size ||
            memcmp(first, reply, first_size) != 0) {
            errno = 0;
            latency_fail("receive");
        }
        samples[n++] = latency_now() - before;
    }
    latency_print(samples, n);
    return EXIT_SUCCESS;
}
