#include "daemon/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/error.h"

/* What a task waits for; engine_set_state() alone changes it. */
typedef enum EngineState {
    ENGINE_NEW,
    ENGINE_BODILESS, /* for its body's turn to be read */
    ENGINE_READING,  /* for its body */
    ENGINE_WAITING,  /* for its turn to be handed over */
    ENGINE_RUNNING,  /* for its answer */
} EngineState;

struct EngineTask {
    Engine *engine;
    EngineState state;
    TAILQ_ENTRY(EngineTask) link; /* in `bodiless` or `waiting`, by its state */
    BodiesWish *wish;             /* for its body, until that is there; or NULL */
    bool has_wished;
    HttpSlot *slot;

    /* The request, with all that it points at. */
    HttpRequest request;
    char *url;
    char *ca_file;
    Secret *authorization;
    Secret *body;

    /* What reading the answer takes. */
    PlatformMethod method;
    int64_t id;
    char *owner;
    char *name;
    Secret *token;
    Secret *user;
    Secret *organization;

    EngineStarted started;
    EngineHandler handler;
    void *subject;
};

TAILQ_HEAD(EngineTasks, EngineTask);

struct Engine {
    struct event_base *base;
    Bodies *bodies;
    Http *
        http; /* NULL until the first question: loading certificates and libraries can wait until then */
    void *userdata;
    unsigned parallel;
    unsigned n_tasks;
    unsigned n_running;
    unsigned n_ahead; /* whose bodies are read, or have been, before their turn */
    struct EngineTasks bodiless;
    struct EngineTasks waiting;
    struct event
        *next; /* runs the line from the loop, so that no handler is called from engine_ask() */
};

static void engine_on_answer(void *userdata, HttpAnswer *http);

static void engine_wake(Engine *engine)
{
    event_active(engine->next, EV_TIMEOUT, 0);
}

/* ---- states ---- */

/* Takes the task out of where its state has put it; what that makes room for gets its turn. */
static void engine_leave_state(EngineTask *task)
{
    Engine *engine = task->engine;

    switch (task->state) {
    case ENGINE_NEW:
        return;
    case ENGINE_BODILESS:
        TAILQ_REMOVE(&engine->bodiless, task, link);
        return;
    case ENGINE_READING:
        engine->n_ahead--;
        break;
    case ENGINE_WAITING:
        TAILQ_REMOVE(&engine->waiting, task, link);
        engine->n_ahead -= task->has_wished;
        break;
    case ENGINE_RUNNING:
        engine->n_running--;
        break;
    }
    engine_wake(engine);
}

static void engine_set_state(EngineTask *task, EngineState state)
{
    Engine *engine = task->engine;

    engine_leave_state(task);
    task->state = state;
    switch (state) {
    case ENGINE_NEW:
        return;
    case ENGINE_BODILESS:
        TAILQ_INSERT_TAIL(&engine->bodiless, task, link);
        break;
    case ENGINE_READING:
        engine->n_ahead++;
        bodies_wish_start(task->wish);
        return;
    case ENGINE_WAITING:
        engine->n_ahead += task->has_wished;
        if (task->method == PLATFORM_LIST)
            TAILQ_INSERT_HEAD(&engine->waiting, task, link);
        else
            TAILQ_INSERT_TAIL(&engine->waiting, task, link);
        break;
    case ENGINE_RUNNING:
        engine->n_running++;
        return;
    }
    engine_wake(engine);
}

/* ---- ends ---- */

/* Ends `task` and tells its owner, who may ask the next question from there. */
static void engine_finish(EngineTask *task, PlatformAnswer *answer)
{
    EngineHandler handler = task->handler;
    void *userdata = task->engine->userdata;
    void *subject = task->subject;

    engine_task_free(task);
    handler(userdata, subject, answer);
    platform_answer_deinit(answer);
}

/* A question that could not even be handed over was not asked. `problem` may be NULL. */
static void engine_fail(EngineTask *task, Trouble trouble, const char *problem)
{
    PlatformAnswer answer = {
        .outcome = PLATFORM_BUSY,
        .problem = problem ? strdup(problem) : NULL,
        .trouble = trouble,
    };

    engine_finish(task, &answer);
}

/* ---- turns ---- */

static void engine_on_body(void *userdata, BodiesAnswer *answer)
{
    EngineTask *task = userdata;

    task->wish = NULL;
    if (!answer->body) {
        engine_fail(task, answer->trouble, answer->problem);
        return;
    }
    task->body = TAKE_PTR(answer->body);
    task->request.body = task->body;
    engine_set_state(task, ENGINE_WAITING);
}

static int engine_open_http(Engine *engine)
{
    return engine->http ? 0 : http_new(engine->base, engine->parallel, &engine->http);
}

static void engine_start(EngineTask *task)
{
    Engine *engine = task->engine;
    int r;

    engine_set_state(task, ENGINE_RUNNING);
    r = engine_open_http(engine);
    if (r == 0 && task->started)
        task->started(engine->userdata, task->subject);
    if (r == 0)
        r = http_start(engine->http, &task->request, engine_on_answer, task, &task->slot);
    if (r < 0)
        engine_fail(task, TROUBLE_OTHER, error_text(r));
}

/* Hands over as many as may run. Each may end at once and bring others, so the line is looked at anew. */
static void engine_run(Engine *engine)
{
    EngineTask *task;

    while (engine->n_running < engine->parallel && (task = TAILQ_FIRST(&engine->waiting)))
        engine_start(task);
    while (engine->n_ahead < engine->parallel && (task = TAILQ_FIRST(&engine->bodiless)))
        engine_set_state(task, ENGINE_READING);
}

static void engine_on_next(evutil_socket_t fd, short what, void *userdata)
{
    (void)fd;
    (void)what;
    engine_run(userdata);
}

static void engine_on_answer(void *userdata, HttpAnswer *http)
{
    EngineTask *task = userdata;
    const Account account = {.user = task->user, .organization = task->organization};
    PlatformQuestion question = {
        .method = task->method,
        .account = &account,
        .owner = task->owner,
        .name = task->name,
        .id = task->id,
        .token = task->token,
        .body = task->body,
    };
    PlatformAnswer answer;
    int r;

    task->slot = NULL;
    engine_set_state(task, ENGINE_NEW);
    r = platform_read(&question, http, &answer);
    if (r < 0) {
        /* Without memory to read it, an answer is as good as lost. */
        answer = (PlatformAnswer){.outcome = PLATFORM_UNKNOWN};
        answer.problem = strdup(error_text(r));
    }
    answer.body = TAKE_PTR(task->body);
    engine_finish(task, &answer);
}

/* ---- asking ---- */

static int engine_task_fill(EngineTask *task, const PlatformQuestion *question)
{
    int r;

    r = platform_format(question, &task->request, &task->url, &task->authorization);
    if (r < 0)
        return r;
    if (question->account->ca_file) {
        task->ca_file = strdup(question->account->ca_file);
        if (!task->ca_file)
            return -ENOMEM;
    }
    if (question->owner) {
        task->owner = strdup(question->owner);
        if (!task->owner)
            return -ENOMEM;
    }
    if (question->name) {
        task->name = strdup(question->name);
        if (!task->name)
            return -ENOMEM;
    }
    task->body = secret_ref(question->body);
    task->token = secret_ref(question->token);
    task->user = secret_ref(question->account->user);
    task->organization = secret_ref(question->account->organization);
    task->request.ca_file = task->ca_file;
    if (!question->instance)
        return 0;
    task->has_wished = true;
    return bodies_wish_new(task->engine->bodies, question->instance, question->owner,
                           task->method == PLATFORM_RELABEL ? BODIES_LABELS : BODIES_ALL,
                           engine_on_body, task, &task->wish);
}

int engine_ask(Engine *engine, const PlatformQuestion *question, EngineStarted started,
               EngineHandler handler, void *subject, EngineTask **ret_task)
{
    _cleanup_(engine_task_freep) EngineTask *task = NULL;
    int r;

    task = malloc(sizeof(*task));
    if (!task)
        return -ENOMEM;
    *task = (EngineTask){
        .engine = engine,
        .method = question->method,
        .id = question->id,
        .started = started,
        .handler = handler,
        .subject = subject,
    };
    engine->n_tasks++;
    r = engine_task_fill(task, question);
    if (r < 0)
        return r;
    engine_set_state(task, task->has_wished ? ENGINE_BODILESS : ENGINE_WAITING);
    *ret_task = TAKE_PTR(task);
    return 0;
}

bool engine_is_idle(const Engine *engine)
{
    return engine->n_tasks == 0;
}

void engine_prepare(Engine *engine)
{
    if (engine_open_http(engine) == 0)
        http_prepare(engine->http);
}

void engine_set_parallel(Engine *engine, unsigned parallel)
{
    engine->parallel = parallel;
    if (engine->http)
        http_set_connections(engine->http, parallel);
    engine_wake(engine);
}

EngineTask *engine_task_free(EngineTask *task)
{
    Engine *engine;

    if (!task)
        return NULL;
    engine = task->engine;
    engine_set_state(task, ENGINE_NEW);
    bodies_wish_free(task->wish);
    http_slot_free(task->slot);
    free(task->url);
    free(task->ca_file);
    free(task->owner);
    free(task->name);
    secret_unref(task->authorization);
    secret_unref(task->body);
    secret_unref(task->token);
    secret_unref(task->user);
    secret_unref(task->organization);
    assert(engine->n_tasks > 0);
    engine->n_tasks--;
    free(task);
    return NULL;
}

bool engine_task_is_started(const EngineTask *task)
{
    return task && task->state == ENGINE_RUNNING;
}

int engine_new(struct event_base *base, unsigned parallel, Bodies *bodies, void *userdata,
               Engine **ret_engine)
{
    _cleanup_(engine_freep) Engine *engine = NULL;

    engine = malloc(sizeof(*engine));
    if (!engine)
        return -ENOMEM;
    *engine = (Engine){
        .base = base,
        .bodies = bodies,
        .userdata = userdata,
        .parallel = parallel,
    };
    TAILQ_INIT(&engine->bodiless);
    TAILQ_INIT(&engine->waiting);
    engine->next = event_new(base, -1, 0, engine_on_next, engine);
    if (!engine->next)
        return -ENOMEM;
    *ret_engine = TAKE_PTR(engine);
    return 0;
}

Engine *engine_free(Engine *engine)
{
    if (!engine)
        return NULL;
    assert(engine->n_tasks == 0);
    http_free(engine->http);
    if (engine->next)
        event_free(engine->next);
    free(engine);
    return NULL;
}
