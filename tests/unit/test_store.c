/*
 * The store on a real directory and a real loop: what is found there, what a commit leaves, and what becomes of
 * commits that cannot be written.
 */

#include "daemon/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/limits.h"
#include "tests/unit/tree.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define DOCUMENT(records)                                                                          \
    "{\"version\":1,\"key\":\"" KEY "\",\"pauses\":[],\"records\":[" records "]}"

typedef struct Fixture {
    Tree *tree;
    struct event_base *base;
    Store *store;
    StoreLoad load;
    struct {
        uint64_t generation;
        int error;
    } told[8];
    size_t n_told;
} Fixture;

static void on_commit(void *userdata, uint64_t generation, int error)
{
    Fixture *fixture = userdata;

    assert_in_range(fixture->n_told, 0, N_ELEMENTS(fixture->told) - 1);
    fixture->told[fixture->n_told].generation = generation;
    fixture->told[fixture->n_told++].error = error;
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    if (!fixture || tree_setup((void **)&fixture->tree) != 0)
        return -1;
    fixture->base = event_base_new();
    *state = fixture;
    return fixture->base ? 0 : -1;
}

static void shut(Fixture *fixture)
{
    fixture->store = store_free(fixture->store);
    store_load_deinit(&fixture->load);
}

static int teardown(void **state)
{
    Fixture *fixture = *state;
    int r;

    shut(fixture);
    event_base_free(fixture->base);
    r = tree_teardown((void **)&fixture->tree);
    free(fixture);
    return r;
}

/* Opens the store at "s" below the tree's root. */
static void open_store(Fixture *fixture)
{
    assert_int_equal(store_new(tree_path(fixture->tree, "s"), fixture->base, on_commit, fixture,
                               &fixture->store, &fixture->load),
                     0);
}

static void put(const Fixture *fixture, const char *name, const char *text)
{
    tree_put(fixture->tree, name, text, 0600);
}

/* A snapshot of one record with this name. */
static Snapshot snapshot_of(const char *name)
{
    Snapshot snapshot = {.records = calloc(1, sizeof(Record *)), .n_records = 1};

    assert_true(digest_key_parse(KEY, 64, &snapshot.key));
    assert_int_equal(record_new(name, &snapshot.records[0]), 0);
    return snapshot;
}

static void assert_record(const Fixture *fixture, const char *name)
{
    assert_int_equal(fixture->load.snapshot.n_records, 1);
    assert_string_equal(fixture->load.snapshot.records[0]->name, name);
}

/* What the file holds; the caller frees. NULL: there is none. */
static char *text_of(const Fixture *fixture, const char *name)
{
    FILE *file = fopen(tree_path(fixture->tree, name), "re");
    char *text = NULL;
    size_t size = 0;

    if (!file)
        return NULL;
    if (getdelim(&text, &size, '\0', file) < 0)
        text[0] = '\0';
    (void)fclose(file);
    return text;
}

static void assert_text(const Fixture *fixture, const char *name, const char *expected)
{
    _cleanup_(freep) char *text = text_of(fixture, name);

    if (!text || !expected)
        assert_true(!text && !expected);
    else
        assert_string_equal(text, expected);
}

static void assert_mode(const Fixture *fixture, const char *name, mode_t mode)
{
    struct stat st;

    assert_int_equal(stat(tree_path(fixture->tree, name), &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

/* Runs the loop until `n` commits have been told. */
static void await(Fixture *fixture, size_t n)
{
    usec_t patience = clock_boottime() + 20 * USEC_PER_SEC;

    while (fixture->n_told < n) {
        assert_true(clock_boottime() < patience);
        assert_true(event_base_loop(fixture->base, EVLOOP_ONCE) >= 0);
    }
}

/* How many files there are whose names begin so. */
static unsigned count_files(const Fixture *fixture, const char *prefix)
{
    DIR *directory = opendir(tree_path(fixture->tree, "s"));
    const struct dirent *entry;
    unsigned n = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory)))
        n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && entry->d_name[0] != '.';
    (void)closedir(directory);
    return n;
}

/* ---- what is found ---- */

static void test_missing_directory(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(store_new(tree_path(fixture->tree, "a/b/c"), fixture->base, on_commit, fixture,
                               &fixture->store, &fixture->load),
                     0);
    assert_mode(fixture, "a/b/c", 0700);
    assert_true(fixture->load.is_new);
    assert_false(fixture->load.is_recovered);
    assert_null(fixture->load.problem);
    assert_int_equal(fixture->load.snapshot.n_records, 0);
    assert_false(store_is_busy(fixture->store));
}

/* Each new store has a key of its own. */
static void test_new_keys(void **state)
{
    Fixture *fixture = *state;
    DigestKey first;

    open_store(fixture);
    first = fixture->load.snapshot.key;
    shut(fixture);
    open_store(fixture);
    assert_true(fixture->load.is_new); /* nothing was committed */
    assert_memory_not_equal(&fixture->load.snapshot.key, &first, sizeof(first));
}

static void test_lock(void **state)
{
    Fixture *fixture = *state;
    Store *second = NULL;
    StoreLoad load = {};

    put(fixture, "s/records.json", DOCUMENT("{\"name\":\"a\"}"));
    open_store(fixture);
    assert_int_equal(
        store_new(tree_path(fixture->tree, "s"), fixture->base, on_commit, fixture, &second, &load),
        STORE_E_LOCKED);
    assert_null(second);
    assert_int_equal(load.snapshot.n_records, 0);
    shut(fixture);
    open_store(fixture);
    assert_record(fixture, "a");
}

static void test_load(void **state)
{
    Fixture *fixture = *state;

    put(fixture, "s/records.json", DOCUMENT("{\"name\":\"new\"},{\"name\":7}"));
    put(fixture, "s/records.json~", DOCUMENT("{\"name\":\"old\"}"));
    open_store(fixture);
    assert_record(fixture, "new");
    assert_false(fixture->load.is_new);
    assert_false(fixture->load.is_recovered);
    assert_null(fixture->load.problem);
    assert_int_equal(fixture->load.n_broken, 1);
    assert_int_equal(fixture->load.snapshot.key.bytes[1], 1);
}

/* Somebody removed it: the older one speaks, and later changes are lost. */
static void test_older_alone(void **state)
{
    Fixture *fixture = *state;

    put(fixture, "s/records.json~", DOCUMENT("{\"name\":\"old\"}"));
    open_store(fixture);
    assert_record(fixture, "old");
    assert_true(fixture->load.is_recovered);
    assert_false(fixture->load.is_new);
    assert_null(fixture->load.problem);
}

static void test_broken(void **state)
{
    Fixture *fixture = *state;

    put(fixture, "s/records.json", "{\"version\":1,");
    put(fixture, "s/records.json~", DOCUMENT("{\"name\":\"old\"}"));
    open_store(fixture);
    assert_record(fixture, "old");
    assert_true(fixture->load.is_recovered);
    assert_false(fixture->load.is_new);
    assert_non_null(strstr(fixture->load.problem, "line 1, column 14"));
    assert_non_null(strstr(fixture->load.problem, "kept as records.json.broken-"));
    /* It stays until a commit replaces it, so that the next run knows too that something was lost. */
    assert_text(fixture, "s/records.json", "{\"version\":1,");
    assert_int_equal(count_files(fixture, "records.json.broken-"), 1);
}

/* Left by a run that was killed before its last sync. */
static void test_unsettled(void **state)
{
    Fixture *fixture = *state;

    tree_put(fixture->tree, "s/records.json", DOCUMENT("{\"name\":\"new\"}"), 0400);
    open_store(fixture);
    assert_record(fixture, "new");
    assert_false(fixture->load.is_recovered);
    assert_mode(fixture, "s/records.json", 0600);
}

/* The older one is all there is until two commits have gone well. */
static void test_commit_after_broken(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = snapshot_of("a");

    put(fixture, "s/records.json", "x");
    put(fixture, "s/records.json~", DOCUMENT("{\"name\":\"old\"}"));
    open_store(fixture);
    assert_int_equal(store_commit_now(fixture->store, &snapshot), 0);
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"a\"}"));
    assert_text(fixture, "s/records.json~", DOCUMENT("{\"name\":\"old\"}"));
    snapshot = snapshot_of("b");
    assert_int_equal(store_commit_now(fixture->store, &snapshot), 0);
    assert_text(fixture, "s/records.json~", DOCUMENT("{\"name\":\"a\"}"));
}

static void test_both_broken(void **state)
{
    Fixture *fixture = *state;

    put(fixture, "s/records.json", "");
    put(fixture, "s/records.json~", "x");
    open_store(fixture);
    assert_true(fixture->load.is_new);
    assert_true(fixture->load.is_recovered); /* there was something, which must be looked for */
    assert_non_null(fixture->load.problem);
    assert_int_equal(fixture->load.snapshot.n_records, 0);
}

static void test_older_broken_alone(void **state)
{
    Fixture *fixture = *state;

    put(fixture, "s/records.json~", "x");
    open_store(fixture);
    assert_true(fixture->load.is_new);
    assert_true(fixture->load.is_recovered);
}

/* Several starts within a second: each keeps what it has set aside. */
static void test_all_broken_are_kept(void **state)
{
    Fixture *fixture = *state;

    for (int i = 0; i < 3; i++) {
        put(fixture, "s/records.json", "x");
        open_store(fixture);
        shut(fixture);
    }
    assert_int_equal(count_files(fixture, "records.json.broken-"), 3);
}

/* What others may have written is not believed. */
static void test_modes(void **state)
{
    static const struct {
        mode_t mode;
        bool is_believed;
    } rows[] = {{0600, true},  {0400, true},  {0644, true},
                {0620, false}, {0602, false}, {0666, false}};
    Fixture *fixture = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        (void)unlink(tree_path(fixture->tree, "s/records.json"));
        tree_put(fixture->tree, "s/records.json", DOCUMENT("{\"name\":\"a\"}"), rows[i].mode);
        open_store(fixture);
        assert_int_equal(fixture->load.snapshot.n_records, rows[i].is_believed ? 1 : 0);
        assert_int_equal(fixture->load.is_recovered, !rows[i].is_believed);
        if (!rows[i].is_believed)
            assert_non_null(strstr(fixture->load.problem, "wanted are our own uid and mode 0600"));
        shut(fixture);
    }
}

static void test_foreign_owner(void **state)
{
    Fixture *fixture = *state;

    if (geteuid() != 0) {
        print_message("only root can give a file away\n");
        skip();
    }
    put(fixture, "s/records.json", DOCUMENT("{\"name\":\"a\"}"));
    assert_int_equal(chown(tree_path(fixture->tree, "s/records.json"), 12345, 12345), 0);
    open_store(fixture);
    assert_int_equal(fixture->load.snapshot.n_records, 0);
    assert_true(fixture->load.is_recovered);
    assert_non_null(strstr(fixture->load.problem, "uid 12345 owns it"));
}

static void test_no_regular_file(void **state)
{
    Fixture *fixture = *state;

    put(fixture, "s/records.json/x", "");
    open_store(fixture);
    assert_true(fixture->load.is_recovered);
    assert_non_null(strstr(fixture->load.problem, "it is no regular file"));
    shut(fixture);
    assert_int_equal(mkfifo(tree_path(fixture->tree, "s/records.json"), 0600), 0);
    open_store(fixture); /* and does not wait for whoever might write it */
    assert_non_null(strstr(fixture->load.problem, "it is no regular file"));
}

/* One byte past the ceiling; of holes, so that it costs nothing. */
static void test_too_big(void **state)
{
    Fixture *fixture = *state;

    put(fixture, "s/records.json", "{");
    assert_int_equal(truncate(tree_path(fixture->tree, "s/records.json"), RECORDS_BYTES_MAX + 1),
                     0);
    open_store(fixture);
    assert_true(fixture->load.is_recovered);
    assert_non_null(strstr(fixture->load.problem, "it is larger than 134217728 bytes"));
}

static void test_no_directory(void **state)
{
    Fixture *fixture = *state;

    put(fixture, "s", "a file");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(store_new(tree_path(fixture->tree, i == 0 ? "s" : "s/below"),
                                   fixture->base, on_commit, fixture, &fixture->store,
                                   &fixture->load),
                         -ENOTDIR);
        assert_null(fixture->store);
        assert_non_null(strstr(fixture->load.problem, "it must be a directory of uid "));
        store_load_deinit(&fixture->load);
    }
}

static void test_directory_of_another(void **state)
{
    Fixture *fixture = *state;

    if (geteuid() != 0) {
        print_message("only root can give a directory away\n");
        skip();
    }
    put(fixture, "s/records.json", DOCUMENT("{\"name\":\"a\"}"));
    assert_int_equal(chown(tree_path(fixture->tree, "s"), 12345, 12345), 0);
    assert_int_equal(store_new(tree_path(fixture->tree, "s"), fixture->base, on_commit, fixture,
                               &fixture->store, &fixture->load),
                     -EPERM);
    assert_null(fixture->store);
    assert_int_equal(fixture->load.snapshot.n_records, 0);
    assert_non_null(strstr(fixture->load.problem, "it belongs to uid 12345 and we are uid 0"));
}

/* What others could read is mended and told, of the directory before what is in it. */
static void test_open_to_others(void **state)
{
    Fixture *fixture = *state;

    tree_put(fixture->tree, "s/records.json", DOCUMENT("{\"name\":\"a\"}"), 0644);
    open_store(fixture);
    assert_string_equal(fixture->load.warning,
                        "the directory of the records had mode 0755, so that "
                        "others may have read tokens; now it has 0700");
    assert_mode(fixture, "s", 0700);
    assert_mode(fixture, "s/records.json", 0600);
    assert_record(fixture, "a");
    assert_int_equal(chmod(tree_path(fixture->tree, "s/records.json"), 0644), 0);
    shut(fixture);
    open_store(fixture);
    assert_string_equal(fixture->load.warning,
                        "records.json had mode 0644, so that others may have "
                        "read tokens; now it has 0600");
    assert_mode(fixture, "s/records.json", 0600);
    shut(fixture);
    open_store(fixture);
    assert_null(fixture->load.warning);
    assert_record(fixture, "a");
}

static void test_links(void **state)
{
    Fixture *fixture = *state;

    put(fixture, "s/records.json~", DOCUMENT("{\"name\":\"old\"}"));
    tree_link(fixture->tree, "s/records.json", "nothing");
    open_store(fixture);
    assert_record(fixture, "old");
    assert_true(fixture->load.is_recovered);
    assert_non_null(strstr(fixture->load.problem, "it is a link to nothing"));
    shut(fixture);
    assert_int_equal(unlink(tree_path(fixture->tree, "s/records.json")), 0);
    tree_link(fixture->tree, "s/records.json", "records.json");
    open_store(fixture);
    assert_record(fixture, "old");
    assert_non_null(strstr(fixture->load.problem, "it cannot be read: "));
}

/* ---- commits ---- */

static void test_commit(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = snapshot_of("a");

    open_store(fixture);
    store_commit(fixture->store, &snapshot, 7);
    assert_true(store_is_busy(fixture->store));
    assert_int_equal(snapshot.n_records, 0); /* taken */
    assert_null(snapshot.records);
    assert_int_equal(fixture->n_told, 0); /* on the loop only */
    await(fixture, 1);
    assert_int_equal(fixture->told[0].generation, 7);
    assert_int_equal(fixture->told[0].error, 0);
    assert_false(store_is_busy(fixture->store));
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"a\"}"));
    assert_text(fixture, "s/records.json~", NULL);
    assert_mode(fixture, "s/records.json", 0600);
    assert_int_equal(count_files(fixture, "records.json"), 1);

    snapshot = snapshot_of("b");
    store_commit(fixture->store, &snapshot, 8);
    await(fixture, 2);
    assert_int_equal(fixture->told[1].generation, 8);
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"b\"}"));
    assert_text(fixture, "s/records.json~", DOCUMENT("{\"name\":\"a\"}"));
    shut(fixture);
    open_store(fixture);
    assert_record(fixture, "b");
    assert_false(fixture->load.is_new || fixture->load.is_recovered);
}

/* The handler may hand over the next one. */
static void on_commit_again(void *userdata, uint64_t generation, int error)
{
    Fixture *fixture = userdata;
    Snapshot snapshot = snapshot_of("again");

    on_commit(userdata, generation, error);
    assert_false(store_is_busy(fixture->store));
    if (generation < 4)
        store_commit(fixture->store, &snapshot, generation + 1);
    snapshot_deinit(&snapshot);
}

static void test_commit_in_a_row(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = snapshot_of("first");

    assert_int_equal(store_new(tree_path(fixture->tree, "s"), fixture->base, on_commit_again,
                               fixture, &fixture->store, &fixture->load),
                     0);
    store_commit(fixture->store, &snapshot, 1);
    await(fixture, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fixture->told[i].generation, i + 1);
        assert_int_equal(fixture->told[i].error, 0);
    }
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"again\"}"));
}

static void test_wait(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = snapshot_of("a");

    open_store(fixture);
    store_wait(fixture->store); /* nothing under way */
    assert_int_equal(fixture->n_told, 0);
    store_commit(fixture->store, &snapshot, 7);
    store_wait(fixture->store);
    assert_int_equal(fixture->n_told, 1);
    assert_int_equal(fixture->told[0].generation, 7);
    assert_false(store_is_busy(fixture->store));
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"a\"}"));
    /* What the thread has left in the loop tells nothing a second time. */
    assert_true(event_base_loop(fixture->base, EVLOOP_NONBLOCK) >= 0);
    assert_int_equal(fixture->n_told, 1);
    /* … nor takes the next one for it. */
    snapshot = snapshot_of("b");
    store_commit(fixture->store, &snapshot, 8);
    await(fixture, 2);
    assert_int_equal(fixture->told[1].generation, 8);
}

static void test_commit_now(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = snapshot_of("a");

    open_store(fixture);
    assert_int_equal(store_commit_now(fixture->store, &snapshot), 0);
    assert_null(snapshot.records);
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"a\"}"));
    assert_true(event_base_loop(fixture->base, EVLOOP_NONBLOCK) >= 0);
    assert_int_equal(fixture->n_told, 0);
}

/* What was handed over is written also when the store goes at once; nobody is told. */
static void test_free_while_busy(void **state)
{
    Fixture *fixture = *state;

    for (int i = 0; i < 50; i++) {
        char name[16];
        Snapshot snapshot;

        (void)snprintf(name, sizeof(name), "n%d", i);
        snapshot = snapshot_of(name);
        open_store(fixture);
        store_commit(fixture->store, &snapshot, 7);
        shut(fixture);
        open_store(fixture);
        assert_record(fixture, name);
        shut(fixture);
    }
    assert_true(event_base_loop(fixture->base, EVLOOP_NONBLOCK) >= 0);
    assert_int_equal(fixture->n_told, 0);
    assert_null(store_free(NULL));
}

/* ---- commits that fail ---- */

/* The kernel sends SIGXFSZ at a file's ceiling: to the store's thread, which must not end the process by it. */
static void test_file_too_large(void **state)
{
    Fixture *fixture = *state;
    struct rlimit before, limit;
    Snapshot snapshot;

    open_store(fixture);
    snapshot = snapshot_of("a");
    store_commit(fixture->store, &snapshot, 1);
    await(fixture, 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 16, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    snapshot = snapshot_of("b");
    store_commit(fixture->store, &snapshot, 2);
    await(fixture, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(fixture->told[1].generation, 2);
    assert_int_equal(fixture->told[1].error, -EFBIG);
    /* What was there is there, and no half-written file beside it. */
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"a\"}"));
    assert_int_equal(count_files(fixture, "records.json"), 1);
    /* … and it goes on. */
    snapshot = snapshot_of("c");
    store_commit(fixture->store, &snapshot, 3);
    await(fixture, 3);
    assert_int_equal(fixture->told[2].error, 0);
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"c\"}"));
}

/* Of whoever runs the daemon, root is stopped by no mode: a folder in the way of the new file stops everybody. */
static void test_cannot_write(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = snapshot_of("a");

    open_store(fixture);
    put(fixture, "s/records.json.new/x", "");
    store_commit(fixture->store, &snapshot, 1);
    await(fixture, 1);
    assert_true(fixture->told[0].error < 0);
    assert_text(fixture, "s/records.json", NULL);
    snapshot = snapshot_of("b");
    assert_true(store_commit_now(fixture->store, &snapshot) < 0);
    assert_int_equal(unlink(tree_path(fixture->tree, "s/records.json.new/x")), 0);
    assert_int_equal(rmdir(tree_path(fixture->tree, "s/records.json.new")), 0);
    snapshot = snapshot_of("c");
    assert_int_equal(store_commit_now(fixture->store, &snapshot), 0);
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"c\"}"));
}

static void test_directory_is_gone(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = snapshot_of("a");

    open_store(fixture);
    assert_int_equal(rmdir(tree_path(fixture->tree, "s")), 0);
    store_commit(fixture->store, &snapshot, 1);
    await(fixture, 1);
    assert_int_equal(fixture->told[0].error, -ENOENT);
}

static void test_read_only_directory(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = snapshot_of("a");
    uid_t uid = geteuid();

    open_store(fixture);
    assert_int_equal(chmod(tree_path(fixture->tree, "s"), 0500), 0);
    /* Root is not stopped by a directory's mode. glibc does this for all threads. */
    if (uid == 0)
        assert_int_equal(seteuid(65534), 0);
    store_commit(fixture->store, &snapshot, 1);
    await(fixture, 1);
    if (uid == 0)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(tree_path(fixture->tree, "s"), 0700), 0);
    assert_int_equal(fixture->told[0].error, -EACCES);
}

/* A leftover of a crash is written over, never through: it may be a link to somewhere else. */
static void test_leftovers(void **state)
{
    Fixture *fixture = *state;
    Snapshot snapshot = snapshot_of("a");

    put(fixture, "victim", "untouched");
    put(fixture, "s/records.json~", "x");
    tree_link(fixture->tree, "s/records.json.new", "../victim");
    open_store(fixture);
    store_commit(fixture->store, &snapshot, 1);
    await(fixture, 1);
    assert_int_equal(fixture->told[0].error, 0);
    assert_text(fixture, "victim", "untouched");
    assert_text(fixture, "s/records.json", DOCUMENT("{\"name\":\"a\"}"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_missing_directory),
        TEST(test_new_keys),
        TEST(test_lock),
        TEST(test_load),
        TEST(test_older_alone),
        TEST(test_broken),
        TEST(test_unsettled),
        TEST(test_commit_after_broken),
        TEST(test_both_broken),
        TEST(test_older_broken_alone),
        TEST(test_all_broken_are_kept),
        TEST(test_modes),
        TEST(test_foreign_owner),
        TEST(test_no_regular_file),
        TEST(test_too_big),
        TEST(test_no_directory),
        TEST(test_directory_of_another),
        TEST(test_open_to_others),
        TEST(test_links),
        TEST(test_commit),
        TEST(test_commit_in_a_row),
        TEST(test_wait),
        TEST(test_commit_now),
        TEST(test_free_while_busy),
        TEST(test_file_too_large),
        TEST(test_cannot_write),
        TEST(test_directory_is_gone),
        TEST(test_read_only_directory),
        TEST(test_leftovers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
