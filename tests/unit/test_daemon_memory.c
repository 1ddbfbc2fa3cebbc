/*
 * What daemon/ does when there is no memory, and what the bodies of instances leave in the memory that is given back: a worker
 * begins nothing, a reload changes nothing, and a creation goes on after a want of it.
 *
 * By tests/unit/heap.h.
 */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/secret.h"
#include "config/instance_body.h"
#include "daemon/bodies.h"
#include "daemon/engine.h"
#include "daemon/reconcile.h"
#include "daemon/worker.h"
#include "systemd/log.h"
#include "tests/unit/declared.h"
#include "tests/unit/filled.h"
#include "tests/unit/heap.h"
#include "tests/unit/tree.h"

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
             "{\"element\": {\"key\": \"jira\"}, \"name\": \"" HEAP_MARKER
             "\", \"configuration\": {\"a\": \"\\n" HEAP_MARKER "$$\"}}",
             0600);
    tree_put(sent.tree, "etc/elementd/instances.d/broken.json",
             "{\"configuration\": {\"a\": \"$" HEAP_MARKER "\"}}", 0600);
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
    heap_skip_others();
    heap_assert_survives(run_work);
    heap_assert_survives_but(run_body, true);
    heap_assert_survives_but(run_broken_body, true);
    for (sent.part = BODIES_ALL; sent.part <= BODIES_LABELS; sent.part++)
        heap_assert_survives_but(run_wish, true);
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
    heap_skip_others();
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
    heap_skip_others();
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
    heap_skip_others();
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

static void test_wiping_bodies(void **state)
{
    (void)state;
    heap_skip_others();
    heap_assert_wiped(run_body);
    heap_assert_wiped(run_broken_body);
    for (sent.part = BODIES_ALL; sent.part <= BODIES_LABELS; sent.part++)
        heap_assert_wiped(run_wish);
}

#define BODIES_TEST(test) cmocka_unit_test_setup_teardown(test, bodies_setup, bodies_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        BODIES_TEST(test_failing_bodies),   cmocka_unit_test(test_failing_apply),
        BODIES_TEST(test_failing_creation), BODIES_TEST(test_failing_body_of_a_creation),
        BODIES_TEST(test_wiping_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
