/*
 * The engine: how many questions are under way, in which order they go, and what becomes of them when they are
 * cancelled or cannot be asked; and of those whose body is in a file.
 */

#include "daemon/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "tests/unit/declared.h"
#include "tests/unit/origin.h"
#include "tests/unit/tree.h"

#define WORDS "{\"requestId\":\"56c5e8d5e4b0d8b7f3a1c9d2\",\"message\":\"Sorry.\"}"

/* An answer with a body of so many bytes. */
#define ANSWER(status, length, body)                                                               \
    "HTTP/1.1 " status " X\r\nContent-Length: " length "\r\n\r\n" body
#define EMPTY_LIST  ANSWER("200", "2", "[]")
#define INSTANCE_42 ANSWER("200", "21", "{\"id\":42,\"token\":\"t\"}")

typedef struct Fixture {
    struct event_base *base;
    Bodies *bodies; /* of `tree`, where there is one */
    Engine *engine;
    Origin *origin;
    Tree *tree;
    Config *declared; /* by `tree`: the instances "a", "b" and "c" */
    Config *config;
    Account *account;
    Secret *body;
    Secret *token;
} Fixture;

/* One question, and what came of it. */
typedef struct Ask {
    Fixture *fixture;
    EngineTask *task;
    unsigned n_started;
    unsigned n_answers;
    PlatformOutcome outcome;
    size_t n_instances;
    char *problem;
    Trouble trouble;
    Secret *sent;
    bool is_unconfirmed;
    struct Ask *asks;    /* is asked from the handler of this one */
    struct Ask *cancels; /* is cancelled from there */
} Ask;

static void put_file(const Fixture *fixture, const char *name, const char *x)
{
    char path[64], text[64];

    (void)snprintf(path, sizeof(path), "etc/elementd/instances.d/%s.json", name);
    (void)snprintf(text, sizeof(text), "{\"element\": {\"key\": \"jira\"}, \"x\": \"%s\"}", x);
    tree_put(fixture->tree, path, text, 0600);
}

static void setup_files(Fixture *fixture)
{
    static const DigestKey key = {.bytes = {7}};
    Paths paths;

    assert_int_equal(tree_setup((void **)&fixture->tree), 0);
    tree_put(fixture->tree, "etc/elementd/elementd.json", "{\"owner\": \"o\"}", 0644);
    tree_put(fixture->tree, "etc/elementd/accounts.d/default.json",
             "{\"url\": \"https://a.example\", \"user\": \"u\", \"organization\": \"o\"}", 0600);
    put_file(fixture, "a", "a");
    put_file(fixture, "b", "b");
    put_file(fixture, "c", "c");
    assert_int_equal(paths_init(&paths, fixture->tree->path), 0);
    assert_int_equal(config_load(&paths, &key, &fixture->declared), 0);
    assert_int_equal(fixture->declared->problems.n_errors, 0);
    assert_int_equal(bodies_new(&paths, &key, fixture->base, &fixture->bodies), 0);
    paths_deinit(&paths);
}

static void setup_with(void **state, unsigned parallel, bool has_files)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));
    char url[64];

    fixture->base = event_base_new();
    assert_non_null(fixture->base);
    if (has_files)
        setup_files(fixture);
    assert_int_equal(
        engine_new(fixture->base, parallel, fixture->bodies, fixture, &fixture->engine), 0);
    fixture->origin = origin_new(fixture->base);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/api", fixture->origin->port);
    fixture->config = declared_new();
    fixture->account = declared_add_account(fixture->config, "default", url);
    fixture->body = declared_secret("{\"configuration\":{\"a\":\"hunter2\"}}");
    fixture->token = declared_secret("s3cret");
    *state = fixture;
}

static int setup(void **state)
{
    setup_with(state, 2, false);
    return 0;
}

/* One question at a time, whose body may be in a file. */
static int setup_one_with_files(void **state)
{
    setup_with(state, 1, true);
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    engine_free(fixture->engine);
    bodies_free(fixture->bodies);
    origin_free(fixture->origin);
    event_base_free(fixture->base);
    config_unref(fixture->config);
    secret_unref(fixture->body);
    secret_unref(fixture->token);
    config_unref(fixture->declared);
    if (fixture->tree)
        assert_int_equal(tree_teardown((void **)&fixture->tree), 0);
    free(fixture);
    return 0;
}

static void on_started(void *userdata, void *subject)
{
    Ask *ask = subject;

    assert_ptr_equal(userdata, ask->fixture);
    assert_int_equal(ask->n_answers, 0);
    ask->n_started++;
}

static void start(Ask *ask, PlatformMethod method);

static void on_answer(void *userdata, void *subject, PlatformAnswer *answer)
{
    Ask *ask = subject;

    assert_ptr_equal(userdata, ask->fixture);
    ask->task = NULL;
    ask->n_answers++;
    ask->outcome = answer->outcome;
    ask->n_instances = answer->n_instances;
    ask->problem = TAKE_PTR(answer->problem);
    ask->trouble = answer->trouble;
    ask->sent = TAKE_PTR(answer->body);
    ask->is_unconfirmed = answer->is_unconfirmed;
    if (ask->asks)
        start(ask->asks, PLATFORM_LIST);
    if (ask->cancels)
        ask->cancels->task = engine_task_free(ask->cancels->task);
}

static PlatformQuestion question_of(const Ask *ask, PlatformMethod method)
{
    return (PlatformQuestion){
        .method = method,
        .account = ask->fixture->account,
        .owner = "o",
        .name = "i",
        .id = 42,
        .body = method == PLATFORM_CREATE ? ask->fixture->body : NULL,
        .token = ask->fixture->token,
        .element = "jira",
        .timeout = ORIGIN_PATIENCE_USEC,
    };
}

static void start_question(Ask *ask, const PlatformQuestion *question)
{
    assert_int_equal(
        engine_ask(ask->fixture->engine, question, on_started, on_answer, ask, &ask->task), 0);
    assert_non_null(ask->task);
    /* Nobody is called before engine_ask() returns. */
    assert_int_equal(ask->n_started + ask->n_answers, 0);
    assert_false(engine_task_is_started(ask->task));
}

static void start(Ask *ask, PlatformMethod method)
{
    PlatformQuestion question = question_of(ask, method);

    start_question(ask, &question);
}

/* With the body that the file of `name` makes. */
static void start_of_file(Ask *ask, PlatformMethod method, const char *name)
{
    PlatformQuestion question = question_of(ask, method);

    question.body = NULL;
    question.instance = config_find_instance(ask->fixture->declared, name);
    start_question(ask, &question);
}

static void await(Ask *ask)
{
    origin_await(ask->fixture->origin, &ask->n_answers, 1);
}

static void drop(Ask *ask)
{
    engine_task_free(ask->task);
    free(ask->problem);
    secret_unref(ask->sent);
    *ask = (Ask){};
}

static void idle(const Fixture *fixture)
{
    origin_idle(fixture->origin, 30 * USEC_PER_MSEC);
}

/* The request `i` begins so. */
static void assert_request(const Fixture *fixture, size_t i, const char *begin)
{
    if (strncmp(origin_request(fixture->origin, i), begin, strlen(begin)) != 0)
        fail_msg("request %zu is no %s: %s", i, begin, origin_request(fixture->origin, i));
}

/* ---- one question ---- */

static void test_question(void **state)
{
    static const struct {
        PlatformMethod method;
        const char *request;
        const char *answer;
        PlatformOutcome outcome;
        size_t n_instances;
    } rows[] = {
        {PLATFORM_LIST, "GET /api/instances?tags%5B%5D=elementd.o&pageSize=100 ", EMPTY_LIST,
         PLATFORM_DONE, 0},
        {PLATFORM_READ, "GET /api/instances/42 ", INSTANCE_42, PLATFORM_DONE, 1},
        {PLATFORM_CREATE, "POST /api/instances ", INSTANCE_42, PLATFORM_DONE, 1},
        {PLATFORM_EXPLAIN, "GET /api/elements/jira/configuration ", EMPTY_LIST, PLATFORM_DONE, 0},
        {PLATFORM_READ, "GET /api/instances/42 ", ANSWER("404", "59", WORDS), PLATFORM_ABSENT, 0},
        {PLATFORM_CREATE, "POST /api/instances ", ANSWER("500", "0", ""), PLATFORM_UNKNOWN, 0},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Ask ask = {.fixture = fixture};

        origin_answer(fixture->origin, rows[i].answer);
        start(&ask, rows[i].method);
        await(&ask);
        assert_int_equal(ask.n_started, 1);
        assert_int_equal(ask.outcome, rows[i].outcome);
        assert_int_equal(ask.n_instances, rows[i].n_instances);
        assert_request(fixture, i, rows[i].request);
        drop(&ask);
    }
}

/* All that reading an answer takes is kept with the question, whose own pieces may be gone by then. */
static void test_question_is_borrowed(void **state)
{
    static const char row[] =
        "[{\"id\":1,\"token\":\"t\",\"tags\":[\"elementd.o\",\"elementd.o.i\"]}]";
    Fixture *fixture = *state;
    char owner[] = "o", page[] = "p", answer[256], ca_file[] = "/ca.pem";
    _cleanup_(freep) char *url = strdup(((Fixture *)*state)->account->url);
    Account account = *fixture->account;
    Ask ask = {.fixture = fixture};
    PlatformQuestion question = question_of(&ask, PLATFORM_LIST);

    (void)snprintf(answer, sizeof(answer), ANSWER("200", "%zu", "%s"), strlen(row), row);
    origin_answer(fixture->origin, answer);
    account.url = url;
    account.ca_file = ca_file;
    question.account = &account;
    question.owner = owner;
    question.page = page;
    assert_int_equal(engine_ask(fixture->engine, &question, NULL, on_answer, &ask, &ask.task), 0);
    memset(owner, 'x', strlen(owner));
    memset(page, 'x', strlen(page));
    memset(ca_file, 'x', strlen(ca_file));
    memset(url, 'x', strlen(url));
    account = (Account){};
    await(&ask);
    assert_int_equal(ask.outcome, PLATFORM_DONE);
    assert_int_equal(ask.n_instances, 1);
    assert_request(fixture, 0, "GET /api/instances?tags%5B%5D=elementd.o&pageSize=100&nextPage=p ");
    drop(&ask);
}

/* What the question was counts when its answer is read: the id, the name, and what must not be shown. */
static void test_answer_is_read_as_asked(void **state)
{
    static const struct {
        PlatformMethod method;
        int status;
        const char *body;
        PlatformOutcome outcome;
        const char *problem;
    } rows[] = {
        {PLATFORM_READ, 200, "{\"id\":43,\"token\":\"t\"}", PLATFORM_UNKNOWN,
         "the platform answered for another instance"},
        {PLATFORM_READ, 200,
         "{\"id\":42,\"token\":\"t\",\"tags\":[\"elementd.o\",\"elementd.o.j\"]}", PLATFORM_UNKNOWN,
         "the platform answered for another instance"},
        {PLATFORM_READ, 200,
         "{\"id\":42,\"token\":\"t\",\"tags\":[\"elementd.o\",\"elementd.o.i\"]}", PLATFORM_DONE,
         NULL},
        {PLATFORM_CREATE, 400,
         "{\"requestId\":\"56c5e8d5e4b0d8b7f3a1c9d2\",\"message\":\"hunter2, user, organization\"}",
         PLATFORM_REFUSED, "***, ***, *** (HTTP 400)"},
        {PLATFORM_READ, 500, "{\"message\":\"what is s3cret, user?\"}", PLATFORM_UNKNOWN,
         "what is ***, ***? (HTTP 500)"},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Ask ask = {.fixture = fixture};
        char answer[512];

        (void)snprintf(answer, sizeof(answer), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s",
                       rows[i].status, strlen(rows[i].body), rows[i].body);
        origin_answer(fixture->origin, answer);
        start(&ask, rows[i].method);
        await(&ask);
        if (ask.outcome != rows[i].outcome)
            fail_msg("%s: outcome %d", rows[i].body, ask.outcome);
        if (rows[i].problem)
            assert_string_equal(ask.problem, rows[i].problem);
        drop(&ask);
    }
}

/* ---- ceiling and order ---- */

static void test_ceiling(void **state)
{
    Fixture *fixture = *state;
    Ask asks[5];

    assert_true(engine_is_idle(fixture->engine));
    for (size_t i = 0; i < N_ELEMENTS(asks); i++) {
        asks[i] = (Ask){.fixture = fixture};
        start(&asks[i], PLATFORM_CREATE);
    }
    assert_false(engine_is_idle(fixture->engine)); /* those that wait count, too */
    origin_await_requests(fixture->origin, 2);
    idle(fixture);
    assert_int_equal(fixture->origin->n_requests, 2);
    for (size_t i = 0; i < N_ELEMENTS(asks); i++) {
        assert_int_equal(asks[i].n_started, i < 2 ? 1 : 0);
        assert_int_equal(engine_task_is_started(asks[i].task), i < 2);
    }
    /* One ends: just one more begins. */
    origin_answer(fixture->origin, INSTANCE_42);
    origin_await_requests(fixture->origin, 3);
    idle(fixture);
    assert_int_equal(fixture->origin->n_requests, 3);
    assert_int_equal(asks[2].n_started, 1);
    assert_int_equal(asks[3].n_started, 0);
    for (int i = 0; i < 4; i++)
        origin_answer(fixture->origin, INSTANCE_42);
    for (size_t i = 0; i < N_ELEMENTS(asks); i++) {
        await(&asks[i]);
        assert_int_equal(asks[i].outcome, PLATFORM_DONE);
        drop(&asks[i]);
    }
    assert_int_equal(fixture->origin->n_requests, 5);
    assert_int_equal(fixture->origin->n_open_max, 2);
    assert_false(engine_task_is_started(NULL));
    assert_true(engine_is_idle(fixture->engine));
}

/* Look-ups go before what waits already, since others wait for what they find; the rest goes in its order. */
static void test_order(void **state)
{
    static const PlatformMethod methods[] = {PLATFORM_CREATE, PLATFORM_READ, PLATFORM_EXPLAIN,
                                             PLATFORM_LIST};
    Ask asks[N_ELEMENTS(methods)];
    Fixture *fixture;

    (void)state;
    setup_with((void **)&fixture, 1, false);
    for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
        asks[i] = (Ask){.fixture = fixture};
        start(&asks[i], methods[i]);
        origin_answer(fixture->origin, methods[i] == PLATFORM_LIST ? EMPTY_LIST : INSTANCE_42);
    }
    for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
        await(&asks[i]);
        drop(&asks[i]);
    }
    assert_request(fixture, 0, "GET /api/instances?");
    assert_request(fixture, 1, "POST /api/instances ");
    assert_request(fixture, 2, "GET /api/instances/42 ");
    assert_request(fixture, 3, "GET /api/elements/jira/");
    teardown((void **)&fixture);
}

/* The handler asks the next question, and that needs no room but its own. */
static void test_ask_in_a_handler(void **state)
{
    Fixture *fixture;
    Ask first, second;

    (void)state;
    setup_with((void **)&fixture, 1, false);
    first = (Ask){.fixture = fixture, .asks = &second};
    second = (Ask){.fixture = fixture};
    origin_answer(fixture->origin, INSTANCE_42);
    origin_answer(fixture->origin, EMPTY_LIST);
    start(&first, PLATFORM_READ);
    await(&second);
    assert_int_equal(first.n_answers, 1);
    assert_int_equal(second.outcome, PLATFORM_DONE);
    drop(&first);
    drop(&second);
    teardown((void **)&fixture);
}

/* ---- cancelling ---- */

/* Before it was handed over it is not asked at all; what waits behind it moves up. */
static void test_cancel_waiting(void **state)
{
    Fixture *fixture;
    Ask asks[3];

    (void)state;
    setup_with((void **)&fixture, 1, false);
    for (size_t i = 0; i < N_ELEMENTS(asks); i++) {
        asks[i] = (Ask){.fixture = fixture};
        start(&asks[i], i == 2 ? PLATFORM_READ : PLATFORM_CREATE);
    }
    origin_await_requests(fixture->origin, 1);
    drop(&asks[1]);
    origin_answer(fixture->origin, INSTANCE_42);
    origin_answer(fixture->origin, INSTANCE_42);
    await(&asks[0]);
    await(&asks[2]);
    idle(fixture);
    assert_int_equal(fixture->origin->n_requests, 2);
    assert_request(fixture, 1, "GET /api/instances/42 ");
    assert_int_equal(asks[1].n_answers, 0);
    drop(&asks[0]);
    drop(&asks[2]);
    assert_null(engine_task_free(NULL));
    assert_null(engine_free(NULL));
    teardown((void **)&fixture);
}

/* Cancelled when it runs: nobody is called, and its room is another's. */
static void test_cancel_running(void **state)
{
    Fixture *fixture;
    Ask first, second;

    (void)state;
    setup_with((void **)&fixture, 1, false);
    first = (Ask){.fixture = fixture};
    second = (Ask){.fixture = fixture};
    start(&first, PLATFORM_CREATE);
    start(&second, PLATFORM_READ);
    origin_await_requests(fixture->origin, 1);
    assert_int_equal(second.n_started, 0);
    first.task = engine_task_free(first.task);
    origin_await_requests(fixture->origin, 2);
    origin_answer(fixture->origin, INSTANCE_42);
    await(&second);
    assert_int_equal(first.n_answers, 0);
    assert_int_equal(second.outcome, PLATFORM_DONE);
    drop(&first);
    drop(&second);
    teardown((void **)&fixture);
}

/* From the handler of another one that ended in the same turn. */
static void test_cancel_in_a_handler(void **state)
{
    Fixture *fixture = *state;
    Ask first = {.fixture = fixture}, second = {.fixture = fixture};

    first.cancels = &second;
    second.cancels = &first;
    start(&first, PLATFORM_READ);
    start(&second, PLATFORM_READ);
    origin_await_requests(fixture->origin, 2);
    origin_answer(fixture->origin, INSTANCE_42);
    origin_answer(fixture->origin, INSTANCE_42);
    idle(fixture);
    assert_int_equal(first.n_answers + second.n_answers, 1);
    drop(&first);
    drop(&second);
}

/* ---- failure ---- */

static void test_unreachable(void **state)
{
    Fixture *fixture = *state;
    Ask ask = {.fixture = fixture};

    origin_refuse(fixture->origin);
    start(&ask, PLATFORM_CREATE);
    await(&ask);
    assert_int_equal(ask.outcome, PLATFORM_BUSY); /* nothing was sent: no look-up is needed */
    assert_non_null(strstr(ask.problem, "cannot reach the platform"));
    drop(&ask);
}

static void test_lost_answer(void **state)
{
    Fixture *fixture = *state;
    Ask ask = {.fixture = fixture};

    origin_add(fixture->origin, &(OriginTurn){.end = ORIGIN_RESET});
    start(&ask, PLATFORM_CREATE);
    await(&ask);
    assert_int_equal(ask.outcome, PLATFORM_UNKNOWN);
    drop(&ask);
}

/* Half of an answer: known is what was read, and that it is to be confirmed. */
static void test_half_an_answer(void **state)
{
    Fixture *fixture = *state;
    Ask ask = {.fixture = fixture};

    origin_add(fixture->origin,
               &(OriginTurn){
                   .answer = ANSWER("200", "99", "{\"id\":42,\"token\":\"t\",\"el"),
                   .end = ORIGIN_CLOSE,
               });
    start(&ask, PLATFORM_CREATE);
    await(&ask);
    assert_int_equal(ask.outcome, PLATFORM_DONE);
    assert_true(ask.is_unconfirmed);
    drop(&ask);
}

/* A question that cannot be handed over: told on the loop, as not asked; and it holds nobody up. */
static void test_cannot_start(void **state)
{
    Fixture *fixture;
    Ask first, second;
    char *user = malloc(HTTP_HEADER_BYTES_MAX);
    Secret *short_one;

    (void)state;
    setup_with((void **)&fixture, 1, false);
    first = (Ask){.fixture = fixture};
    second = (Ask){.fixture = fixture};
    /* With its name the header is one byte too long for http_start(), but not for platform_format(). */
    memset(user, 'u', HTTP_HEADER_BYTES_MAX);
    short_one = fixture->account->user;
    assert_int_equal(secret_new(user,
                                HTTP_HEADER_BYTES_MAX - strlen("User , Organization organization"),
                                &fixture->account->user),
                     0);
    start(&first, PLATFORM_CREATE);
    secret_unref(fixture->account->user);
    fixture->account->user = short_one;
    start(&second, PLATFORM_READ);
    origin_answer(fixture->origin, INSTANCE_42);
    await(&first);
    await(&second);
    assert_int_equal(first.outcome, PLATFORM_BUSY);
    assert_non_null(first.problem);
    assert_int_equal(second.outcome, PLATFORM_DONE);
    assert_int_equal(fixture->origin->n_requests, 1);
    drop(&first);
    drop(&second);
    free(user);
    teardown((void **)&fixture);
}

/* A question that cannot even be put down. */
static void test_cannot_ask(void **state)
{
    Fixture *fixture = *state;
    _cleanup_(freep) char *page = malloc(HTTP_HEADER_BYTES_MAX + 1);
    Ask ask = {.fixture = fixture};
    PlatformQuestion question = question_of(&ask, PLATFORM_LIST);

    memset(page, 'p', HTTP_HEADER_BYTES_MAX);
    page[HTTP_HEADER_BYTES_MAX] = '\0';
    question.page = page;
    assert_true(engine_ask(fixture->engine, &question, on_started, on_answer, &ask, &ask.task) < 0);
    assert_null(ask.task);
    idle(fixture);
    assert_int_equal(ask.n_started + ask.n_answers, 0);
}

/* ---- bodies in files ---- */

#define BODY(x)                                                                                    \
    "{\"element\":{\"key\":\"jira\"},\"x\":\"" x "\",\"tags\":[\"elementd.o\",\"elementd.o." x     \
    "\"]}"

static void assert_sent(const Fixture *fixture, size_t i, const char *begin, const char *body)
{
    const char *request = origin_request(fixture->origin, i);
    const char *end = strstr(request, "\r\n\r\n");

    assert_request(fixture, i, begin);
    assert_non_null(end);
    assert_string_equal(end + 4, body);
}

/* Each method sends its part; who has asked gets what was sent, and what was sent is not shown. */
static void test_body_of_a_file(void **state)
{
    static const struct {
        PlatformMethod method;
        const char *begin;
        const char *body;
    } rows[] = {
        {PLATFORM_CREATE, "POST /api/instances ", BODY("a")},
        {PLATFORM_UPDATE, "PUT /api/instances/42 ", BODY("a")},
        {PLATFORM_RELABEL, "PATCH /api/instances/42 ",
         "{\"tags\":[\"elementd.o\",\"elementd.o.a\"]}"},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        Ask ask = {.fixture = fixture};

        origin_answer(fixture->origin, INSTANCE_42);
        start_of_file(&ask, rows[i].method, "a");
        await(&ask);
        assert_int_equal(ask.outcome, PLATFORM_DONE);
        assert_int_equal(ask.n_started, 1);
        assert_sent(fixture, i, rows[i].begin, rows[i].body);
        assert_string_equal(secret_reveal(ask.sent), rows[i].body);
        drop(&ask);
    }
}

/* A question whose body is not there yet holds nobody up who has all that he needs. */
static void test_body_lets_others_pass(void **state)
{
    Fixture *fixture = *state;
    Ask first = {.fixture = fixture}, second = {.fixture = fixture};

    start_of_file(&first, PLATFORM_CREATE, "a");
    start(&second, PLATFORM_READ);
    origin_answer(fixture->origin, INSTANCE_42);
    origin_answer(fixture->origin, INSTANCE_42);
    await(&first);
    assert_int_equal(second.n_answers, 1);
    assert_request(fixture, 0, "GET /api/instances/42 ");
    assert_sent(fixture, 1, "POST /api/instances ", BODY("a"));
    drop(&first);
    drop(&second);
}

/* As many are read ahead as may run at a time: who comes behind sees what was changed meanwhile. */
static void test_body_ceiling(void **state)
{
    Fixture *fixture = *state;
    Ask asks[3];

    for (size_t i = 0; i < N_ELEMENTS(asks); i++) {
        asks[i] = (Ask){.fixture = fixture};
        start_of_file(&asks[i], PLATFORM_CREATE, (const char *[]){"a", "b", "c"}[i]);
    }
    origin_await_requests(fixture->origin, 1);
    idle(fixture);
    put_file(fixture, "b", "z");
    put_file(fixture, "c", "z");
    origin_answer(fixture->origin, INSTANCE_42);
    await(&asks[0]);
    origin_await_requests(fixture->origin, 2);
    assert_sent(fixture, 1, "POST /api/instances ", BODY("b"));
    await(&asks[2]);
    assert_int_equal(asks[1].n_answers, 0);
    assert_int_equal(asks[2].outcome, PLATFORM_BUSY);
    origin_answer(fixture->origin, INSTANCE_42);
    await(&asks[1]);
    assert_int_equal(fixture->origin->n_requests, 2);
    for (size_t i = 0; i < N_ELEMENTS(asks); i++)
        drop(&asks[i]);
}

/* Not what was loaded: told on the loop as not asked, with the words for it, and it holds nobody up. */
static void test_body_has_changed(void **state)
{
    Fixture *fixture = *state;
    Ask first = {.fixture = fixture}, second = {.fixture = fixture};

    put_file(fixture, "a", "z");
    start_of_file(&first, PLATFORM_CREATE, "a");
    start_of_file(&second, PLATFORM_CREATE, "b");
    origin_answer(fixture->origin, INSTANCE_42);
    await(&first);
    assert_int_equal(first.outcome, PLATFORM_BUSY);
    assert_int_equal(first.trouble, TROUBLE_FILE_CHANGED);
    assert_non_null(strstr(first.problem, "instances.d/a.json"));
    assert_int_equal(first.n_started, 0);
    await(&second);
    assert_int_equal(second.outcome, PLATFORM_DONE);
    assert_int_equal(fixture->origin->n_requests, 1);
    drop(&first);
    drop(&second);
}

/* Before its body is read, while it is, when it is there, and when it has been sent. */
static void test_body_cancelled(void **state)
{
    Fixture *fixture = *state;
    Ask asks[4], last = {.fixture = fixture};

    for (size_t i = 0; i < N_ELEMENTS(asks); i++)
        asks[i] = (Ask){.fixture = fixture};
    start_of_file(&asks[0], PLATFORM_CREATE, "a");
    drop(&asks[0]);
    start_of_file(&asks[1], PLATFORM_CREATE, "a");
    (void)event_base_loop(fixture->base, EVLOOP_NONBLOCK);
    drop(&asks[1]);
    start_of_file(&asks[2], PLATFORM_CREATE, "b");
    origin_await_requests(fixture->origin, 1);
    start_of_file(&asks[3], PLATFORM_CREATE, "a");
    idle(fixture);
    drop(&asks[3]);
    /* The room of all of them is there for others. */
    start_of_file(&last, PLATFORM_CREATE, "c");
    idle(fixture);
    assert_int_equal(fixture->origin->n_requests, 1);
    drop(&asks[2]);
    origin_await_requests(fixture->origin, 2);
    assert_sent(fixture, 1, "POST /api/instances ", BODY("c"));
    origin_answer(fixture->origin, INSTANCE_42);
    origin_answer(fixture->origin, INSTANCE_42);
    await(&last);
    drop(&last);
}

#define TEST(test)      cmocka_unit_test_setup_teardown(test, setup, teardown)
#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, setup_one_with_files, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_question),
        TEST(test_question_is_borrowed),
        TEST(test_answer_is_read_as_asked),
        TEST(test_ceiling),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ask_in_a_handler),
        cmocka_unit_test(test_cancel_waiting),
        cmocka_unit_test(test_cancel_running),
        TEST(test_cancel_in_a_handler),
        TEST(test_unreachable),
        TEST(test_lost_answer),
        TEST(test_half_an_answer),
        cmocka_unit_test(test_cannot_start),
        TEST(test_cannot_ask),
        FILE_TEST(test_body_of_a_file),
        FILE_TEST(test_body_lets_others_pass),
        FILE_TEST(test_body_ceiling),
        FILE_TEST(test_body_has_changed),
        FILE_TEST(test_body_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
