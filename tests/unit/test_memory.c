/*
 * What base/ does when there is no memory, and what it leaves in the memory that it gives back; the same of the bodies of
 * instances; that a worker begins nothing without it, and a reload changes nothing; and that a creation goes on after a want of it.
 *
 * This program has a malloc() of its own, in front of glibc's, that can fail at the n-th call from now on,
 * count what is not yet freed, and look for a marker in what is freed. Each operation below runs with the
 * first allocation failing, then with the second and so on, until it gets through: every failure must be
 * -ENOMEM and must leak nothing.
 *
 * Sanitizers and valgrind bring their own malloc(); there the program says so and skips.
 */

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>

#include "base/acl.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/json_value.h"
#include "base/json_writer.h"
#include "base/paths.h"
#include "base/secret.h"
#include "config/instance_body.h"
#include "daemon/bodies.h"
#include "daemon/engine.h"
#include "daemon/reconcile.h"
#include "daemon/worker.h"
#include "systemd/log.h"
#include "tests/unit/declared.h"
#include "tests/unit/filled.h"
#include "tests/unit/tree.h"

#define MARKER "s3cr3t-m4rk3r"

/* volatile: compilers take it for granted that malloc() neither reads nor writes a program's variables. */
static volatile struct {
    bool is_armed;
    size_t n_calls;  /* allocations since it was armed */
    size_t fail_at;  /* the first that fails, from 1, as do all after it; 0: none */
    bool fail_once;  /* only that one */
    size_t n_live;   /* allocated less freed since it was armed */
    size_t n_marked; /* blocks freed with the marker in them */
} heap;

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_IS_OURS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_IS_OURS 0
#endif
#endif
#ifndef HEAP_IS_OURS
#define HEAP_IS_OURS 1
#endif

#if HEAP_IS_OURS

#define HEAP_EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static bool heap_fails(void)
{
    if (!heap.is_armed)
        return false;
    heap.n_calls++;
    if (heap.fail_at == 0 || heap.n_calls < heap.fail_at ||
        (heap.fail_once && heap.n_calls > heap.fail_at)) {
        heap.n_live++;
        return false;
    }
    errno = ENOMEM;
    return true;
}

static void heap_look(void *memory)
{
    if (heap.is_armed && memory) {
        heap.n_live--;
        if (memmem(memory, malloc_usable_size(memory), MARKER, strlen(MARKER)))
            heap.n_marked++;
    }
}

HEAP_EXPORT void *malloc(size_t size)
{
    return heap_fails() ? NULL : __libc_malloc(size);
}

HEAP_EXPORT void *calloc(size_t n, size_t size)
{
    return heap_fails() ? NULL : __libc_calloc(n, size);
}

/* What fits stays where it is, which never fails; what does not always moves, to be looked at. */
HEAP_EXPORT void *realloc(void *memory, size_t size)
{
    size_t old = memory ? malloc_usable_size(memory) : 0;
    void *moved;

    if (memory && size <= old)
        return memory;
    moved = heap_fails() ? NULL : __libc_malloc(size);
    if (moved && memory) {
        memcpy(moved, memory, old);
        heap_look(memory);
        __libc_free(memory);
    }
    return moved;
}

HEAP_EXPORT void *reallocarray(void *memory, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, total);
}

HEAP_EXPORT void free(void *memory)
{
    heap_look(memory);
    __libc_free(memory);
}

#endif

static void heap_arm(size_t fail_at, bool fail_once)
{
    heap.n_calls = heap.n_live = heap.n_marked = 0;
    heap.fail_at = fail_at;
    heap.fail_once = fail_once;
    heap.is_armed = true;
}

static void heap_disarm(void)
{
    heap.is_armed = false;
}

static bool heap_is_ours(void)
{
    void *volatile memory;
    bool is_ours;

    heap_arm(1, false);
    memory = malloc(16);
    heap_disarm();
    is_ours = HEAP_IS_OURS && !memory;
    free(memory);
    return is_ours;
}

static void skip_heap(void)
{
    print_message(
        "malloc() is a sanitizer's or valgrind's: cannot make it fail, nor look at what is freed\n");
    skip();
}

/* ---- failing ---- */

/* 0 when it got through; it frees all that it made, either way. */
typedef int (*Operation)(void);

static int run_acl(void)
{
    Acl acl = {}, copy = {};
    int r;

    r = acl_add(&acl, "user:1000");
    if (r == 0)
        r = acl_add(&acl, "unit:*.service");
    if (r == 0)
        r = acl_copy(&acl, &copy);
    acl_deinit(&copy);
    acl_deinit(&acl);
    return r;
}

static int run_buffer(void)
{
    Buffer buffer = BUFFER_INIT(100000);
    char *space;
    int r;

    r = buffer_append_string(&buffer, "text");
    if (r == 0)
        r = buffer_printf(&buffer, "%300d", 1);
    if (r == 0)
        r = buffer_reserve(&buffer, 5000, &space);
    buffer_deinit(&buffer);
    return r;
}

static int run_secret(void)
{
    _cleanup_(secret_unrefp) Secret *secret = NULL, *taken = NULL;
    Buffer buffer = BUFFER_INIT(1000);
    int r;

    r = secret_new("secret", 6, &secret);
    if (r == 0)
        r = buffer_append_string(&buffer, "secret");
    if (r == 0) {
        r = secret_new_take(&buffer, &taken);
        if (buffer_size(&buffer) != 0) /* wiped either way */
            r = -EIO;
    }
    buffer_deinit(&buffer);
    return r;
}

static int ignore_event(void *userdata, const JsonEvent *event)
{
    (void)userdata;
    (void)event;
    return 0;
}

/* Escapes in keys and strings, nesting beyond yajl's first stack, and a text of many blocks. */
static const char *make_document(void)
{
    static char text[40000];

    if (!*text) {
        size_t n = (size_t)snprintf(text, sizeof(text),
                                    "{\"a\\n\":[[[[[[[[[[1]]]]]]]]]],\"b\":\"\\n");

        memset(text + n, 'x', 20000);
        (void)snprintf(text + n + 20000, sizeof(text) - n - 20000, "\",\"c\\t\":null}");
    }
    return text;
}

static int run_json_read(void)
{
    const char *text = make_document();

    return json_read(text, strlen(text), JSON_COMMENTS, ignore_event, NULL, NULL);
}

/* A broken document: what it says is made of memory too. */
static int run_json_error(void)
{
    static const char text[] = "{\"a\\n\": tru}";
    JsonError error;
    int r;

    r = json_read(text, strlen(text), 0, ignore_event, NULL, &error);
    return r == JSON_E_SYNTAX ? 0 : r;
}

/* yajl keeps the token that a document breaks off in. */
static int run_json_unfinished(void)
{
    const char *text = make_document();
    int r;

    r = json_read(text, strlen(text) - 100, 0, ignore_event, NULL, NULL);
    return r == JSON_E_SYNTAX ? 0 : r;
}

static int run_json_value(void)
{
    static const char text[] =
        "{\"a\\n\":[1,{\"b\":\"\\u0000\"}],\"c\":null,\"d\":{\"e\":1,\"e\":2}}";
    const JsonValue *duplicate = NULL;
    Arena arena = ARENA_INIT(100000);
    JsonValue *value = NULL;
    int r;

    r = json_value_parse(&arena, text, strlen(text), 0, &value, NULL);
    if (r == 0)
        r = json_value_find_duplicate(value->last, &duplicate);
    if (r == 0 && !duplicate)
        r = -EIO;
    arena_deinit(&arena);
    return r;
}

static int run_json_writer(void)
{
    Buffer buffer = BUFFER_INIT(100000);
    JsonWriter writer;
    int r;

    json_writer_begin(&writer, &buffer);
    json_writer_open_array(&writer);
    for (int i = 0; i < 1000; i++)
        json_writer_string(&writer, "a\ntext");
    json_writer_close_array(&writer);
    r = json_writer_end(&writer);
    buffer_deinit(&buffer);
    return r;
}

static int run_paths(void)
{
    Paths paths = {}, copy = {};
    char *path;
    int r;

    r = paths_init(&paths, NULL);
    paths_deinit(&paths);
    if (r == 0)
        r = paths_init(&paths, "/srv/elementd");
    if (r == 0)
        r = paths_copy(&paths, &copy);
    paths_deinit(&copy);
    paths_deinit(&paths);
    if (r == 0) {
        path = paths_join("/a/longer/path/than/fits/what/the/library/has/at/hand", "b");
        r = path ? 0 : -ENOMEM;
        free(path);
    }
    return r;
}

static int run_file(void)
{
    Buffer buffer = BUFFER_INIT(100000);
    int r;

    r = file_read(AT_FDCWD, "/proc/self/mountinfo", &buffer, NULL);
    buffer_deinit(&buffer);
    return r;
}

/* asprintf(3) finds another way where it can: what makes paths by it may get through in spite of a failure. */
static void assert_survives_but(Operation operation, bool may_get_through)
{
    for (int once = 0; once < 2; once++) {
        size_t n = 0;
        int r;

        do {
            heap_arm(++n, once);
            r = operation();
            heap_disarm();
            assert_int_equal(heap.n_live, 0);
            if (heap.n_calls >= n && (r != 0 || !may_get_through))
                assert_int_equal(r, -ENOMEM);
            assert_true(n < 1000);
        } while (heap.n_calls >= n);
        assert_int_equal(r, 0);
        assert_true(n > 1); /* it does allocate */
    }
}

static void assert_survives(Operation operation)
{
    assert_survives_but(operation, false);
}

static void test_failing(void **state)
{
    static const Operation operations[] = {
        run_acl,        run_buffer,      run_secret,
        run_json_read,  run_json_error,  run_json_unfinished,
        run_json_value, run_json_writer, run_file,
    };

    (void)state;
    if (!heap_is_ours())
        skip_heap();
    for (size_t i = 0; i < N_ELEMENTS(operations); i++)
        assert_survives(operations[i]);
    assert_survives_but(run_paths, true);
}

/* An allocation that failed leaves the buffer with what it held. */
static void test_failing_buffer(void **state)
{
    Buffer buffer = BUFFER_INIT(100000);
    char *space = NULL;

    (void)state;
    if (!heap_is_ours())
        skip_heap();
    assert_int_equal(buffer_append_string(&buffer, "held"), 0);
    heap_arm(1, false);
    assert_int_equal(buffer_printf(&buffer, "%1000d", 1), -ENOMEM);
    assert_int_equal(buffer_reserve(&buffer, 1000, &space), -ENOMEM);
    assert_int_equal(buffer_append(&buffer, make_document(), 1000), -ENOMEM);
    heap_disarm();
    assert_null(space);
    assert_int_equal(buffer_size(&buffer), 4);
    assert_memory_equal(buffer_data(&buffer), "held", 4);
    assert_int_equal(buffer_append_string(&buffer, " on"), 0);
    assert_memory_equal(buffer_data(&buffer), "held on", 7);
    buffer_deinit(&buffer);
}

/* ---- bodies ---- */

/* The instance "a" with a marker in it, and what reads its body. */
static struct {
    Tree *tree;
    Paths paths;
    DigestKey key;
    struct event_base *base;
    Bodies *bodies;
    Instance instance;
    BodiesPart part;
    bool is_answered;
    bool has_body;
} sent;

static void on_body(void *userdata, BodiesAnswer *answer)
{
    (void)userdata;
    sent.is_answered = true;
    sent.has_body = answer->body != NULL;
    assert_int_equal(answer->trouble == TROUBLE_NONE, sent.has_body);
}

/* Whatever fails on the thread is told as any other answer. Its end is waited for, so that all that it took is back. */
static int run_wish(void)
{
    _cleanup_(bodies_freep) Bodies *bodies = NULL;
    BodiesWish *wish;
    int r;

    r = bodies_new(&sent.paths, &sent.key, sent.base, &bodies);
    if (r < 0)
        return r;
    r = bodies_wish_new(bodies, &sent.instance, "o", sent.part, on_body, NULL, &wish);
    if (r < 0)
        return r;
    bodies_wish_start(wish);
    for (sent.is_answered = false; !sent.is_answered;)
        (void)event_base_loop(sent.base, EVLOOP_ONCE);
    return sent.has_body ? 0 : -ENOMEM;
}

static void on_work_next(void *userdata)
{
    (void)userdata;
}

static void on_work(void *job)
{
    *(char *)job = 1;
}

static void on_work_done(void *userdata, void *job)
{
    *(bool *)userdata = *(const char *)job == 1;
}

/* A job that could not be begun is ours. */
static int run_work(void)
{
    static const WorkerOperations operations = {
        .next = on_work_next,
        .run = on_work,
        .done = on_work_done,
        .free = free,
    };
    _cleanup_(worker_freep) Worker *worker = NULL;
    _cleanup_(freep) char *job = NULL;
    bool is_done = false;
    int r;

    r = worker_new(sent.base, &operations, &is_done, &worker);
    if (r < 0)
        return r;
    job = calloc(1, 1);
    if (!job)
        return -ENOMEM;
    r = worker_begin(worker, job);
    if (r < 0)
        return r;
    TAKE_PTR(job);
    while (!is_done)
        (void)event_base_loop(sent.base, EVLOOP_ONCE);
    return 0;
}

static int run_body(void)
{
    char *problem = NULL;
    InstanceBody body = {};
    Trouble trouble;
    int r;

    r = instance_body_read(&sent.paths, "a", "o", &sent.key, &body, &problem, &trouble);
    instance_body_deinit(&body);
    return r;
}

/* What is wrong with the file is made of memory too. */
static int run_broken_body(void)
{
    char *problem = NULL;
    InstanceBody body = {};
    Trouble trouble;
    int r;

    r = instance_body_read(&sent.paths, "broken", "o", &sent.key, &body, &problem, &trouble);
    free(problem);
    return r == INSTANCE_BODY_E_UNUSABLE ? 0 : r;
}

static int bodies_setup(void **state)
{
    InstanceBody body;
    char *problem;
    Trouble trouble;

    (void)state;
    assert_int_equal(tree_setup((void **)&sent.tree), 0);
    tree_put(sent.tree, "etc/elementd/instances.d/a.json",
             "{\"element\": {\"key\": \"jira\"}, \"name\": \"" MARKER
             "\", \"configuration\": {\"a\": \"\\n" MARKER "$$\"}}",
             0600);
    tree_put(sent.tree, "etc/elementd/instances.d/broken.json",
             "{\"configuration\": {\"a\": \"$" MARKER "\"}}", 0600);
    assert_int_equal(paths_init(&sent.paths, sent.tree->path), 0);
    sent.base = event_base_new();
    assert_int_equal(bodies_new(&sent.paths, &sent.key, sent.base, &sent.bodies), 0);
    assert_int_equal(
        instance_body_read(&sent.paths, "a", "o", &sent.key, &body, &problem, &trouble), 0);
    sent.instance = (Instance){
        .name = "a",
        .body_digest = body.body_digest,
        .labels_digest = body.labels_digest,
    };
    instance_body_deinit(&body);
    sent.part = BODIES_ALL;
    /* What a first thread costs is kept for the next ones. */
    assert_int_equal(run_wish(), 0);
    return 0;
}

static int bodies_teardown(void **state)
{
    (void)state;
    bodies_free(sent.bodies);
    event_base_free(sent.base);
    paths_deinit(&sent.paths);
    return tree_teardown((void **)&sent.tree);
}

static void test_failing_bodies(void **state)
{
    (void)state;
    if (!heap_is_ours())
        skip_heap();
    assert_survives(run_work);
    assert_survives_but(run_body, true);
    assert_survives_but(run_broken_body, true);
    for (sent.part = BODIES_ALL; sent.part <= BODIES_LABELS; sent.part++)
        assert_survives_but(run_wish, true);
}

/* ---- a reload ---- */

/* Another element and URL for "a", new names around it and new accounts; and "gone" is not in it. */
static Config *reload_config(void)
{
    Config *config = declared_new();
    const Account *accounts[3];

    accounts[0] = declared_add_account(config, "another", "https://c.example");
    accounts[1] = declared_add_account(config, "default", "https://b.example");
    accounts[2] = declared_add_account(config, "new", "https://a.example");
    declared_add_instance(config, "0", "jira", accounts[0]);
    declared_add_instance(config, "a", "github", accounts[1]);
    declared_add_instance(config, "b", "jira", accounts[2]);
    declared_add_instance(config, "c", "jira", accounts[1]);
    return config;
}

/* All that an apply may change of what there was. */
typedef struct Kept {
    Registry registry;
    Gates gates;
    Gate *gate, gate_value;
    Entry *entries[2], entry_values[2];
} Kept;

/* By memcpy(), so that padding is the same, too. */
static Kept keep(const Filled *fixture)
{
    Kept kept = {.gate = fixture->gates.items[0]};

    memcpy(&kept.registry, &fixture->registry, sizeof(kept.registry));
    memcpy(&kept.gates, &fixture->gates, sizeof(kept.gates));
    memcpy(&kept.gate_value, kept.gate, sizeof(kept.gate_value));
    for (size_t i = 0; i < 2; i++) {
        kept.entries[i] = fixture->registry.entries[i];
        memcpy(&kept.entry_values[i], kept.entries[i], sizeof(kept.entry_values[i]));
    }
    return kept;
}

static void assert_kept(const Filled *fixture, const Kept *kept)
{
    assert_memory_equal(&fixture->registry, &kept->registry, sizeof(kept->registry));
    assert_memory_equal(&fixture->gates, &kept->gates, sizeof(kept->gates));
    assert_ptr_equal(fixture->gates.items[0], kept->gate);
    assert_memory_equal(kept->gate, &kept->gate_value, sizeof(kept->gate_value));
    for (size_t i = 0; i < 2; i++) {
        assert_ptr_equal(fixture->registry.entries[i], kept->entries[i]);
        assert_memory_equal(kept->entries[i], &kept->entry_values[i], sizeof(Entry));
    }
    assert_int_equal(fixture->config->n_refs, 2);
}

/* Whichever allocation fails: all of it is applied, or nothing. */
static void test_failing_apply(void **state)
{
    (void)state;
    if (!heap_is_ours())
        skip_heap();
    for (int once = 0; once < 2; once++) {
        Config *config = reload_config();
        Filled *fixture;
        size_t n = 0;
        Kept kept;
        int r;

        assert_int_equal(filled_setup((void **)&fixture), 0);
        filled_declare(fixture, "a");
        filled_declare(fixture, "gone");
        (void)filled_add_record(fixture, "a", "t");
        filled_fill(fixture);
        kept = keep(fixture);
        do {
            heap_arm(++n, once);
            r = registry_apply(&fixture->registry, config, &fixture->gates, 2 * FILLED_NOW);
            heap_disarm();
            if (r == 0)
                break;
            assert_int_equal(r, -ENOMEM);
            assert_int_equal(heap.n_live, 0);
            assert_int_equal(config->n_refs, 1);
            assert_kept(fixture, &kept);
        } while (n < 1000);
        assert_int_equal(r, 0);
        assert_true(heap.n_calls < n);
        assert_int_equal(n, 9); /* two arrays, the index, two gates, three entries */
        assert_int_equal(fixture->registry.n_entries, 5);
        assert_int_equal(fixture->gates.n_items, 3);
        assert_ptr_equal(filled_find(fixture, "a"), kept.entries[0]);
        config_unref(config);
        filled_teardown((void **)&fixture);
    }
}

/* ---- a creation ---- */

static void ignore_changed(void *userdata, Entry *entry)
{
    (void)userdata;
    (void)entry;
}

static void ignore_wake(void *userdata)
{
    (void)userdata;
}

static const ReconcilerOperations creation_operations = {
    .changed = ignore_changed,
    .wake = ignore_wake,
};

/* The creation of "a", at the point at which its POST is due. */
typedef struct Creation {
    Filled *filled;
    Engine *engine;
    Reconciler reconciler;
    Entry *entry;
} Creation;

/* Looked up in vain: it goes on. */
static void creation_go_on(Creation *creation)
{
    creation->entry->retry = 0;
    creation->entry->gate->looked_up = clock_boottime();
    reconciler_entry(&creation->reconciler, creation->entry);
}

static void creation_begin(Creation *creation)
{
    Instance *instance;

    log_set_level(LOG_CRIT); /* the engine tells why it could not ask */
    assert_int_equal(filled_setup((void **)&creation->filled), 0);
    instance = filled_declare(creation->filled, "a");
    instance->body_digest = sent.instance.body_digest;
    instance->labels_digest = sent.instance.labels_digest;
    filled_fill(creation->filled);
    creation->entry = filled_find(creation->filled, "a");
    assert_int_equal(
        engine_new(sent.base, 1, sent.bodies, &creation->reconciler, &creation->engine), 0);
    engine_prepare(creation->engine);
    reconciler_init(&creation->reconciler, &creation->filled->registry, &creation->filled->gates,
                    creation->engine, &creation_operations, NULL);
    creation->entry->wanted = clock_boottime();
    creation_go_on(creation);
    registry_committed(&creation->filled->registry, filled_begin_commit(creation->filled));
    creation_go_on(creation);
    assert_int_equal(creation->entry->busy, PLAN_BUSY_CREATING);
    assert_true(creation->entry->is_post_unsent);
}

static void creation_end(Creation *creation)
{
    reconciler_deinit(&creation->reconciler);
    engine_free(creation->engine);
    filled_teardown((void **)&creation->filled);
}

/* A creation ends, and there is no memory to note how: it is looked up and tried again, and not given up for ever. */
static void test_failing_creation(void **state)
{
    Creation creation;
    Entry *entry;

    (void)state;
    if (!heap_is_ours())
        skip_heap();
    creation_begin(&creation);
    entry = creation.entry;
    (void)event_base_loop(sent.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_true(entry->is_post_unsent);
    /* Once its body is there, for which there is just enough, it does not even go out, but that cannot be noted. */
    for (int i = 0; i < 1000 && entry->busy == PLAN_BUSY_CREATING; i++) {
        (void)usleep(10 * USEC_PER_MSEC);
        heap_arm(2, false);
        (void)event_base_loop(sent.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        heap_disarm();
    }
    assert_int_equal(entry->busy, PLAN_BUSY_NO);
    assert_false(entry->is_post_unsent);
    assert_true(entry->record->rare->intent != 0);

    creation_go_on(&creation);
    assert_true(entry->is_post_unsent);
    creation_end(&creation);
}

/* Its body cannot be read: nothing was sent, and that stays known; so it is tried again as it is. */
static void test_failing_body_of_a_creation(void **state)
{
    Creation creation;
    Entry *entry;

    (void)state;
    if (!heap_is_ours())
        skip_heap();
    creation_begin(&creation);
    entry = creation.entry;
    heap_arm(1, false);
    (void)event_base_loop(sent.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    heap_disarm();
    assert_int_equal(entry->busy, PLAN_BUSY_NO);
    assert_true(entry->is_post_unsent);
    assert_true(entry->record->rare->intent != 0);

    creation_go_on(&creation);
    assert_int_equal(entry->busy, PLAN_BUSY_CREATING);
    assert_true(entry->is_post_unsent);
    creation_end(&creation);
}

/* ---- wiping ---- */

/* Without this one, the others would prove nothing. */
static void test_marker_is_seen(void **state)
{
    char *volatile memory;

    (void)state;
    if (!heap_is_ours())
        skip_heap();
    heap_arm(0, false);
    memory = malloc(100);
    memcpy(memory, "......" MARKER, strlen(MARKER) + 7);
    /* The compiler thinks that what is freed next need not be written first. */
    __asm__ volatile("" : : : "memory");
    free(memory);
    heap_disarm();
    assert_int_equal(heap.n_marked, 1);
}

static void assert_wiped(Operation operation)
{
    heap_arm(0, false);
    assert_int_equal(operation(), 0);
    heap_disarm();
    assert_int_equal(heap.n_marked, 0);
    assert_true(heap.n_calls > 0);
    assert_int_equal(heap.n_live, 0);
}

static int wipe_secret(void)
{
    Secret *secret = NULL, *second;
    int r;

    r = secret_new(MARKER, strlen(MARKER), &secret);
    second = secret_ref(secret);
    (void)secret_unref(secret);
    (void)secret_unref(second);
    return r;
}

static int wipe_secret_take(void)
{
    Buffer buffer = BUFFER_INIT(1000);
    Secret *secret = NULL;
    int r;

    r = buffer_append_string(&buffer, "head " MARKER);
    buffer_consume(&buffer, 5);
    if (r == 0)
        r = secret_new_take(&buffer, &secret);
    (void)secret_unref(secret);
    return r;
}

/* It grows, is consumed, moved to the front, cut, cleared. */
static int wipe_buffer(void)
{
    Buffer buffer = BUFFER_INIT(100000);
    char *space;
    int r = 0;

    for (int i = 0; r == 0 && i < 2000; i++) {
        r = buffer_append_string(&buffer, MARKER);
        if (i % 3 == 2)
            buffer_consume(&buffer, 20);
    }
    if (r == 0)
        r = buffer_printf(&buffer, "%s%5000d", MARKER, 1);
    buffer_truncate(&buffer, 10);
    buffer_clear(&buffer);
    if (r == 0)
        r = buffer_append_string(&buffer, MARKER);
    buffer_clear(&buffer);
    if (r == 0)
        r = buffer_reserve(&buffer, 100, &space);
    if (r == 0) {
        memcpy(space, MARKER, strlen(MARKER));
        buffer_commit(&buffer, strlen(MARKER));
    }
    buffer_deinit(&buffer);
    return r;
}

static int wipe_arena(void)
{
    Arena arena = ARENA_INIT(1000000);
    bool is_full = false;

    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 500; k++)
            is_full |= !arena_strndup(&arena, MARKER, strlen(MARKER));
        arena_reset(&arena);
    }
    is_full |= !arena_strndup(&arena, MARKER, strlen(MARKER));
    arena_deinit(&arena);
    return is_full ? -ENOMEM : 0;
}

/* In keys, plain and escaped, in strings, cut off and refused. */
static int wipe_json(void)
{
    static const char *const texts[] = {
        "{\"" MARKER "\":\"" MARKER "\",\"\\n" MARKER "\":\"\\n" MARKER "\"}",
        "{\"a\":\"\\n" MARKER "\",\"b\":\"" MARKER,
        "[\"\\n" MARKER "\\ud800\"]",
        "[\"\\n" MARKER "\" x]",
    };
    int r = 0;

    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        Arena arena = ARENA_INIT(100000);
        JsonValue *value = NULL;
        JsonError error;

        r = json_value_parse(&arena, texts[i], strlen(texts[i]), 0, &value, &error);
        arena_deinit(&arena);
        if (r != (i == 0 ? 0 : JSON_E_SYNTAX))
            return -EIO;
    }
    return 0;
}

static int wipe_json_writer(void)
{
    _cleanup_(secret_unrefp) Secret *secret = NULL;
    Buffer buffer = BUFFER_INIT(100000);
    JsonWriter writer;
    int r;

    r = secret_new("\n" MARKER, strlen(MARKER) + 1, &secret);
    json_writer_begin(&writer, &buffer);
    json_writer_open_array(&writer);
    for (int i = 0; r == 0 && i < 200; i++)
        json_writer_secret(&writer, secret);
    json_writer_close_array(&writer);
    if (r == 0)
        r = json_writer_end(&writer);
    buffer_deinit(&buffer);
    return r;
}

static void test_wiping(void **state)
{
    static const Operation operations[] = {
        wipe_secret, wipe_secret_take, wipe_buffer, wipe_arena, wipe_json, wipe_json_writer,
    };

    (void)state;
    if (!heap_is_ours())
        skip_heap();
    for (size_t i = 0; i < N_ELEMENTS(operations); i++)
        assert_wiped(operations[i]);
}

static void test_wiping_bodies(void **state)
{
    (void)state;
    if (!heap_is_ours())
        skip_heap();
    assert_wiped(run_body);
    assert_wiped(run_broken_body);
    for (sent.part = BODIES_ALL; sent.part <= BODIES_LABELS; sent.part++)
        assert_wiped(run_wish);
}

#define BODIES_TEST(test) cmocka_unit_test_setup_teardown(test, bodies_setup, bodies_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing),        cmocka_unit_test(test_failing_buffer),
        cmocka_unit_test(test_failing_apply),  BODIES_TEST(test_failing_bodies),
        BODIES_TEST(test_failing_creation),    BODIES_TEST(test_failing_body_of_a_creation),
        cmocka_unit_test(test_marker_is_seen), cmocka_unit_test(test_wiping),
        BODIES_TEST(test_wiping_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
