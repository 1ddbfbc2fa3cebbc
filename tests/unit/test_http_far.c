/*
 * HTTP with a far end that is not elementd-http: it dies at each byte, says what it must not say, or says nothing.
 *
 * That far end is this program once more, under the name that the near end gives it. What it is to do it reads from
 * its standard input, which it inherits: how many requests to wait for, bytes to say then, and so on; and in the end it
 * dies or hangs.
 */

#include "daemon/http.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "daemon/http_helper.h"
#include "fetch/http_wire.h"
#include "systemd/log.h"
#include "tests/unit/http_call.h"

/* ---- the far end ---- */

typedef enum FarEnd {
    FAR_DIES,
    FAR_HANGS, /* reads on */
    FAR_DEAF,  /* does not read */
} FarEnd;

typedef struct FarStep {
    uint32_t
        n_requests; /* so many more of them have come, or frames of another type but the first */
    uint32_t size;  /* of what is said then, which follows */
    uint32_t end;
    uint32_t is_last;
} FarStep;

static void far_receive(Buffer *input)
{
    char *space;
    ssize_t n;

    if (buffer_reserve(input, 65536, &space) != 0)
        _exit(2);
    n = recv(HTTP_HELPER_FD, space, 65536, 0);
    if (n <= 0)
        _exit(0);
    buffer_commit(input, (size_t)n);
}

static void far_await(Buffer *input, uint32_t n)
{
    HttpWireFrame frame;
    size_t size;

    while (n > 0) {
        int r = http_wire_parse(input, HTTP_WIRE_FAR, &frame, &size);

        if (r == HTTP_WIRE_E_BROKEN)
            _exit(3);
        if (r == HTTP_WIRE_E_MORE) {
            far_receive(input);
            continue;
        }
        n -= frame.type == HTTP_WIRE_REQUEST || frame.type == HTTP_WIRE_CANCEL;
        buffer_consume(input, size);
    }
}

static void far_say(off_t at, uint32_t size)
{
    char bytes[65536];

    while (size > 0) {
        ssize_t n = pread(STDIN_FILENO, bytes, size < sizeof(bytes) ? size : sizeof(bytes), at);

        if (n <= 0 || send(HTTP_HELPER_FD, bytes, (size_t)n, MSG_NOSIGNAL) != n)
            _exit(0);
        at += n;
        size -= (uint32_t)n;
    }
}

static int far_main(void)
{
    _cleanup_(buffer_deinit) Buffer input = BUFFER_INIT(2 * HTTP_WIRE_TO_FAR_BYTES_MAX);
    off_t at = 0;
    FarStep step;

    /* Also when a test has failed, and nobody is left to end one that hears nothing: it would keep the runner's pipe open. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Simpler than the near end: it waits. */
    (void)fcntl(HTTP_HELPER_FD, F_SETFL, 0);
    do {
        if (pread(STDIN_FILENO, &step, sizeof(step), at) != (ssize_t)sizeof(step))
            return 1;
        far_await(&input, step.n_requests);
        far_say(at + (off_t)sizeof(step), step.size);
        at += (off_t)sizeof(step) + (off_t)step.size;
    } while (!step.is_last);
    while (step.end == FAR_DEAF)
        (void)pause();
    while (step.end == FAR_HANGS) {
        buffer_clear(&input);
        far_receive(&input);
    }
    return 0;
}

/* ---- what it is told ---- */

static void script_begin(void)
{
    assert_int_equal(ftruncate(STDIN_FILENO, 0), 0);
    assert_int_equal(lseek(STDIN_FILENO, 0, SEEK_SET), 0);
}

static void script_add(uint32_t n_requests, const Buffer *words, size_t size)
{
    FarStep step = {.n_requests = n_requests, .size = (uint32_t)size};

    assert_int_equal(write(STDIN_FILENO, &step, sizeof(step)), sizeof(step));
    if (size > 0)
        assert_int_equal(write(STDIN_FILENO, buffer_data(words), size), size);
}

static void script_end(FarEnd end)
{
    FarStep step = {.end = end, .is_last = 1};

    assert_int_equal(write(STDIN_FILENO, &step, sizeof(step)), sizeof(step));
}

#define WORDS_INIT BUFFER_INIT(64 * 1024 * 1024)

static void put_hello(Buffer *words)
{
    assert_int_equal(http_wire_put_number(words, HTTP_WIRE_HELLO, HTTP_WIRE_VERSION), 0);
}

static void put_piece(Buffer *words, uint64_t id, const char *text)
{
    assert_int_equal(http_wire_put_piece(words, id, text, strlen(text)), 0);
}

static void put_end(Buffer *words, uint64_t id, int status)
{
    const HttpAnswer answer = {.status = status, .is_complete = status != 0, .is_sent = true};

    assert_int_equal(http_wire_put_end(words, id, &answer), 0);
}

/* Greets, waits for one request, and says `words`. */
static void script_answer(const Buffer *words, size_t size, FarEnd end)
{
    _cleanup_(buffer_deinit) Buffer hello = WORDS_INIT;

    put_hello(&hello);
    script_begin();
    script_add(0, &hello, buffer_size(&hello));
    script_add(1, words, size);
    script_end(end);
}

static int setup(void **state)
{
    static char path[4096];
    ssize_t n;

    http_call_setup_with(state, 16);
    /* Its path: what the link says in another process is not always this program (valgrind). */
    n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    assert_true(n > 0);
    http_helper_set_program(path);
    return 0;
}

#define OWN_PROBLEM "the process that asks the platform "

static void assert_lost(const HttpCall *call, const char *problem)
{
    assert_int_equal(call->n_answers, 1);
    assert_int_equal(call->status, 0);
    assert_true(call->is_sent);
    assert_false(call->is_complete);
    assert_int_equal(call->size, 0);
    assert_string_equal(call->problem, problem);
}

static void assert_not_sent(const HttpCall *call, const char *words)
{
    assert_int_equal(call->n_answers, 1);
    assert_int_equal(call->status, 0);
    assert_false(call->is_sent);
    assert_false(call->is_complete);
    assert_non_null(strstr(call->problem, words));
}

/* ---- tests ---- */

static void test_dies_at_each_byte(void **state)
{
    _cleanup_(buffer_deinit) Buffer words = WORDS_INIT, hello = WORDS_INIT;

    (void)state;
    put_hello(&hello);
    put_piece(&words, 1, "{\"id\":");
    put_piece(&words, 1, "7}");
    put_end(&words, 1, 200);
    for (size_t size = 0; size < buffer_size(&hello); size++) {
        HttpFixture *fixture;
        HttpCall call;

        setup((void **)&fixture);
        script_begin();
        script_add(0, &hello, size);
        script_end(FAR_DIES);
        call = http_call_post(fixture, 5);
        assert_not_sent(&call, "cannot be started: has ended");
        http_call_deinit(&call);
        http_call_teardown((void **)&fixture);
    }
    for (size_t size = 0; size <= buffer_size(&words); size++) {
        HttpFixture *fixture;
        HttpCall call;

        setup((void **)&fixture);
        script_answer(&words, size, FAR_DIES);
        call = http_call_post(fixture, 5);
        if (size < buffer_size(&words)) {
            assert_lost(&call, OWN_PROBLEM "has ended");
        } else {
            assert_int_equal(call.status, 200);
            assert_true(call.is_complete);
            assert_string_equal(call.body, "{\"id\":7}");
        }
        http_call_deinit(&call);
        http_call_teardown((void **)&fixture);
    }
}

/* What breaks a rule, each after one request has come; it has no other consequence than the process's end would. */
static void test_breaches(void **state)
{
    Buffer words[] = {
        WORDS_INIT, WORDS_INIT, WORDS_INIT, WORDS_INIT, WORDS_INIT,
        WORDS_INIT, WORDS_INIT, WORDS_INIT, WORDS_INIT,
    };
    HttpFixture *fixture;

    (void)state;
    (void)buffer_append_string(&words[0], "HTTP/1.1 200 OK\r\n\r\n");
    put_end(&words[1], 2, 200); /* of a request that was not made */
    put_piece(&words[2], 2, "x");
    put_hello(&words[3]);                     /* twice */
    (void)http_wire_put_cancel(&words[4], 1); /* the wrong way */
    put_piece(&words[5], 1, "half of an answer");
    (void)buffer_append(&words[5], "\xff\xff\xff\x7f", 4); /* too large */
    put_end(&words[6], UINT64_MAX, 200);
    (void)buffer_append(&words[7], "\0\0\0\0", 4); /* too small */
    put_end(&words[8], 1, 200);
    buffer_data(&words[8])[14] = 0x7f; /* no such status */
    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        HttpCall call;

        setup((void **)&fixture);
        script_answer(&words[i], buffer_size(&words[i]), FAR_HANGS);
        call = http_call_post(fixture, 5);
        assert_lost(&call, OWN_PROBLEM "said what it must not say");
        http_call_deinit(&call);
        http_call_teardown((void **)&fixture);
        buffer_deinit(&words[i]);
    }
}

static void test_wrong_greeting(void **state)
{
    HttpFixture *fixture;

    (void)state;
    for (int is_end = 0; is_end < 2; is_end++) {
        _cleanup_(buffer_deinit) Buffer words = WORDS_INIT;
        HttpCall call;

        if (is_end)
            put_end(&words, 1, 200);
        else
            (void)http_wire_put_number(&words, HTTP_WIRE_HELLO, HTTP_WIRE_VERSION + 1);
        setup((void **)&fixture);
        script_begin();
        script_add(0, &words, buffer_size(&words));
        script_end(FAR_HANGS);
        call = http_call_post(fixture, 5);
        assert_not_sent(&call, "cannot be started: said what it must not say");
        http_call_deinit(&call);
        http_call_teardown((void **)&fixture);
    }
}

/* The body at the ceiling, and one byte past it. */
static void test_body_ceiling(void **state)
{
    _cleanup_(freep) char *piece = malloc(HTTP_PIECE_BYTES_MAX);
    HttpFixture *fixture;

    (void)state;
    memset(piece, 'x', HTTP_PIECE_BYTES_MAX);
    for (int n_over = 0; n_over < 2; n_over++) {
        _cleanup_(buffer_deinit) Buffer words = WORDS_INIT;
        HttpCall call;

        for (int i = 0; i < HTTP_BODY_BYTES_MAX / HTTP_PIECE_BYTES_MAX; i++)
            assert_int_equal(http_wire_put_piece(&words, 1, piece, HTTP_PIECE_BYTES_MAX), 0);
        if (n_over > 0)
            put_piece(&words, 1, "x");
        put_end(&words, 1, 200);
        setup((void **)&fixture);
        script_answer(&words, buffer_size(&words), FAR_HANGS);
        call = http_call_post(fixture, 5);
        if (n_over > 0) {
            assert_lost(&call, OWN_PROBLEM "said what it must not say");
        } else {
            assert_int_equal(call.status, 200);
            assert_int_equal(call.size, HTTP_BODY_BYTES_MAX);
        }
        http_call_deinit(&call);
        http_call_teardown((void **)&fixture);
    }
}

/* A second end of a request, and one of a cancelled request, whose end is owed still. */
static void test_ends_are_counted(void **state)
{
    _cleanup_(buffer_deinit) Buffer hello = WORDS_INIT, words = WORDS_INIT;
    _cleanup_(secret_unrefp) Secret *body = http_call_body(5);
    HttpFixture *fixture = *state;
    HttpCall cancelled = {}, call = {}, other = {};

    put_hello(&hello);
    put_piece(&words, 1, "nobody's");
    put_end(&words, 1, 200);
    put_end(&words, 2, 201);
    put_end(&words, 1, 200);
    script_begin();
    script_add(0, &hello, buffer_size(&hello));
    script_add(4, &words, buffer_size(&words)); /* three requests, and a cancellation */
    script_end(FAR_HANGS);
    http_call_start(fixture, &cancelled, body);
    http_call_start(fixture, &call, body);
    http_call_start(fixture, &other, body);
    origin_idle(fixture->origin, 100 * USEC_PER_MSEC);
    http_call_deinit(&cancelled);
    http_call_await(fixture, &call);
    assert_int_equal(call.status, 201);
    http_call_await(fixture, &other);
    assert_lost(&other, OWN_PROBLEM "said what it must not say");
    assert_int_equal(cancelled.n_answers, 0);
    http_call_deinit(&call);
    http_call_deinit(&other);
}

/* One that was not handed over whole is not sent, and waits for the next process. */
static void test_deaf(void **state)
{
    _cleanup_(buffer_deinit) Buffer hello = WORDS_INIT;
    _cleanup_(secret_unrefp) Secret *large = http_call_body(HTTP_REQUEST_BODY_BYTES_MAX);
    _cleanup_(secret_unrefp) Secret *small = http_call_body(5);
    HttpFixture *fixture = *state;
    HttpCall handed = {}, half = {}, waiting = {}, cancelled = {};
    usec_t begin = clock_boottime();

    put_hello(&hello);
    script_begin();
    script_add(0, &hello, buffer_size(&hello));
    script_end(FAR_DEAF);
    http_call_start_url(fixture, &handed, "http://127.0.0.1:1/", small, 100 * USEC_PER_MSEC);
    http_call_start_url(fixture, &half, "http://127.0.0.1:1/", large, 200 * USEC_PER_MSEC);
    http_call_start_url(fixture, &waiting, "http://127.0.0.1:1/", small, 200 * USEC_PER_MSEC);
    http_call_start_url(fixture, &cancelled, "http://127.0.0.1:1/", large, 200 * USEC_PER_MSEC);
    origin_idle(fixture->origin, 100 * USEC_PER_MSEC);
    http_call_deinit(&cancelled);
    http_call_await(fixture, &handed);
    assert_lost(&handed, OWN_PROBLEM "does not answer in time");
    assert_in_range(clock_boottime() - begin, HTTP_GRACE_USEC, HTTP_GRACE_USEC + 5 * USEC_PER_SEC);
    http_call_await(fixture, &half);
    http_call_await(fixture, &waiting);
    /* Whichever process they waited for, not one has had all of the large one. */
    assert_int_equal(half.status, 0);
    assert_false(half.is_sent);
    assert_int_equal(waiting.status, 0);
    http_call_deinit(&handed);
    http_call_deinit(&half);
    http_call_deinit(&waiting);
}

/* It dies with a part of a frame: the next one gets that from its first byte on. */
static void test_dies_in_a_frame(void **state)
{
    _cleanup_(buffer_deinit) Buffer hello = WORDS_INIT, answer = WORDS_INIT;
    _cleanup_(secret_unrefp) Secret *large = http_call_body(HTTP_REQUEST_BODY_BYTES_MAX);
    _cleanup_(secret_unrefp) Secret *small = http_call_body(5);
    HttpFixture *fixture = *state;
    HttpCall handed = {}, half = {};

    put_hello(&hello);
    put_end(&answer, 2, 200);
    script_begin();
    script_add(0, &hello, buffer_size(&hello));
    script_add(1, NULL, 0);
    script_end(FAR_DIES);
    http_call_start(fixture, &handed, small);
    http_call_start(fixture, &half, large);
    http_call_await(fixture, &handed);
    assert_lost(&handed, OWN_PROBLEM "has ended");
    assert_int_equal(half.n_answers, 0);
    script_begin();
    script_add(0, &hello, buffer_size(&hello));
    script_add(1, &answer, buffer_size(&answer));
    script_end(FAR_HANGS);
    http_call_await(fixture, &half);
    assert_int_equal(half.status, 200);
    http_call_deinit(&handed);
    http_call_deinit(&half);
}

/* It takes but a part of a frame in the time that the request has: that is over then, and not for the next one to begin with. */
static void test_deaf_in_a_frame(void **state)
{
    _cleanup_(buffer_deinit) Buffer hello = WORDS_INIT;
    _cleanup_(secret_unrefp) Secret *large = http_call_body(HTTP_REQUEST_BODY_BYTES_MAX);
    HttpFixture *fixture = *state;
    HttpCall half = {};

    put_hello(&hello);
    script_begin();
    script_add(0, &hello, buffer_size(&hello));
    script_end(FAR_DEAF);
    http_call_start_url(fixture, &half, "http://127.0.0.1:1/", large, 100 * USEC_PER_MSEC);
    http_call_await(fixture, &half);
    assert_not_sent(&half, OWN_PROBLEM "does not answer in time");
    http_call_deinit(&half);
}

/* It dies when it has greeted, each time: another one is started once a second. */
static void test_pause_between_starts(void **state)
{
    _cleanup_(buffer_deinit) Buffer hello = WORDS_INIT;
    HttpFixture *fixture = *state;
    usec_t begin = clock_boottime();

    put_hello(&hello);
    script_begin();
    script_add(0, &hello, buffer_size(&hello));
    script_add(1, NULL, 0);
    script_end(FAR_DIES);
    for (int i = 0; i < 3; i++) {
        HttpCall call = http_call_post(fixture, 5);

        assert_lost(&call, OWN_PROBLEM "has ended");
        http_call_deinit(&call);
        assert_true(clock_boottime() - begin >= (usec_t)i * HTTP_START_PAUSE_USEC);
        assert_true(clock_boottime() - begin < (usec_t)(i + 1) * HTTP_START_PAUSE_USEC);
    }
}

static void test_cannot_be_started(void **state)
{
    HttpFixture *fixture = *state;
    HttpCall calls[3] = {};
    usec_t begin = clock_boottime();

    http_helper_set_program("/nowhere/elementd-http");
    for (int round = 0; round < 2; round++) {
        _cleanup_(secret_unrefp) Secret *body = http_call_body(5);

        for (size_t i = 0; i < N_ELEMENTS(calls); i++)
            http_call_start(fixture, &calls[i], body);
        calls[0].cancels = &calls[1];
        http_call_await(fixture, &calls[2]);
        assert_int_equal(calls[1].n_answers, 0);
        /* Why, is not known under valgrind, where posix_spawn() is a fork(). */
        for (size_t i = 0; i < N_ELEMENTS(calls); i += 2)
            assert_not_sent(&calls[i],
                            "/nowhere/elementd-http, which asks the platform, cannot be started: ");
        for (size_t i = 0; i < N_ELEMENTS(calls); i++)
            http_call_deinit(&calls[i]);
        assert_int_equal(clock_boottime() - begin >= HTTP_START_PAUSE_USEC, round > 0);
    }
}

static bool has_child(void)
{
    return waitpid(-1, NULL, WNOHANG) == 0;
}

/* Prepared, it is there before the first request, which finds it and starts no other. */
static void test_prepared(void **state)
{
    _cleanup_(buffer_deinit) Buffer words = WORDS_INIT;
    HttpFixture *fixture = *state;
    HttpCall call = {};
    usec_t begin;

    put_end(&words, 1, 204);
    script_answer(&words, buffer_size(&words), FAR_HANGS);
    begin = clock_boottime();
    (void)event_base_loop(fixture->base, EVLOOP_NONBLOCK);
    assert_false(has_child());
    http_prepare(fixture->http);
    while (!has_child()) {
        assert_true(clock_boottime() < begin + 5 * USEC_PER_SEC);
        (void)event_base_loop(fixture->base, EVLOOP_NONBLOCK);
    }
    http_call_start(fixture, &call, NULL);
    http_call_await(fixture, &call);
    assert_int_equal(call.status, 204);
    http_call_deinit(&call);
}

/* As systemd does it for a socket with Accept=yes: what connects is descriptor 3 of a process that is not the daemon's. */
static void *serve_far(void *argument)
{
    int connection = accept(*(int *)argument, NULL, NULL);
    pid_t pid = connection < 0 ? -1 : fork();
    int status;

    if (pid == 0) {
        (void)dup2(connection, HTTP_HELPER_FD);
        _exit(far_main());
    }
    if (connection >= 0)
        (void)close(connection);
    return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 ? argument : NULL;
}

static void test_by_a_socket(void **state)
{
    _cleanup_(buffer_deinit) Buffer words = WORDS_INIT;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/elementd-far-XXXXXX";
    const char *variant = getenv("ELEMENTD_VARIANT");
    HttpFixture *fixture = *state;
    pthread_t thread;
    HttpCall call;
    void *failure;
    int fd;

    if (variant && strcmp(variant, "valgrind") == 0) {
        print_message("the fork is under valgrind too, which gives it a status of its own\n");
        skip();
    }
    assert_non_null(mkdtemp(folder));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/http", folder);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    put_end(&words, 1, 204);
    script_answer(&words, buffer_size(&words), FAR_DIES);
    assert_int_equal(pthread_create(&thread, NULL, serve_far, &fd), 0);

    /* That program is not started: it could not be. */
    http_helper_set_program("/nowhere/elementd-http");
    http_helper_set_socket(address.sun_path);
    call = http_call_post(fixture, 5);
    assert_int_equal(call.n_answers, 1);
    assert_int_equal(call.status, 204);
    http_call_deinit(&call);
    assert_int_equal(pthread_join(thread, &failure), 0);
    assert_null(failure);

    /* Nobody listens any more, and then there is no socket. */
    (void)close(fd);
    call = http_call_post(fixture, 5);
    assert_not_sent(&call, "elementd-http.socket, which asks the platform, cannot be started: ");
    http_call_deinit(&call);
    assert_int_equal(unlink(address.sun_path), 0);
    assert_int_equal(rmdir(folder), 0);
    call = http_call_post(fixture, 5);
    assert_not_sent(&call, "/nowhere/elementd-http, which asks the platform, cannot be started: ");
    http_call_deinit(&call);
    http_helper_set_socket(NULL);
}

/* A path of as many bytes as an address has is too long by its end. */
static void test_a_path_for_a_socket(void **state)
{
    struct sockaddr_un address;
    char path[sizeof(address.sun_path) + 1];

    (void)state;
    memset(path, '/', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    http_helper_set_program("/nowhere/elementd-http");
    http_helper_set_socket(path);
    assert_string_equal(http_helper_program(), "/nowhere/elementd-http");
    path[sizeof(path) - 2] = '\0'; /* "/", which is there */
    http_helper_set_socket(path);
    assert_string_equal(http_helper_program(), "elementd-http.socket");
    http_helper_set_socket(NULL);
    assert_string_equal(http_helper_program(), "/nowhere/elementd-http");
}

/* The one past the last that may be handed over waits until one of the others has ended. */
static void test_requests_ceiling(void **state)
{
    _cleanup_(buffer_deinit) Buffer hello = WORDS_INIT, first = WORDS_INIT, second = WORDS_INIT;
    HttpCall *calls = calloc(HTTP_REQUESTS_MAX + 1, sizeof(*calls));
    HttpFixture *fixture = *state;

    put_hello(&hello);
    put_end(&first, 1, 200);
    put_end(&second, HTTP_REQUESTS_MAX + 1, 200);
    script_begin();
    script_add(0, &hello, buffer_size(&hello));
    script_add(HTTP_REQUESTS_MAX, &first, buffer_size(&first));
    script_add(1, &second, buffer_size(&second));
    script_end(FAR_HANGS);
    for (size_t i = 0; i <= HTTP_REQUESTS_MAX; i++)
        http_call_start(fixture, &calls[i], NULL);
    http_call_await(fixture, &calls[HTTP_REQUESTS_MAX]);
    assert_int_equal(calls[0].n_answers, 1);
    assert_int_equal(calls[1].n_answers, 0);
    for (size_t i = 0; i <= HTTP_REQUESTS_MAX; i++)
        http_call_deinit(&calls[i]);
    free(calls);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, http_call_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dies_at_each_byte),
        cmocka_unit_test(test_breaches),
        cmocka_unit_test(test_wrong_greeting),
        cmocka_unit_test(test_body_ceiling),
        TEST(test_ends_are_counted),
        TEST(test_deaf),
        TEST(test_dies_in_a_frame),
        TEST(test_deaf_in_a_frame),
        TEST(test_pause_between_starts),
        TEST(test_cannot_be_started),
        TEST(test_prepared),
        TEST(test_by_a_socket),
        TEST(test_a_path_for_a_socket),
        TEST(test_requests_ceiling),
    };

    int script_fd;

    if (argc > 0 && strcmp(argv[0], "elementd-http") == 0)
        return far_main();
    log_set_level(LOG_CRIT); /* of what happens to it here it would tell a lot */
    script_fd = memfd_create("script", MFD_CLOEXEC);
    if (script_fd < 0 || dup2(script_fd, STDIN_FILENO) < 0)
        return EXIT_FAILURE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
