#include "daemon/store.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/thread.h"
#include "daemon/store_document.h"

typedef enum StoreJob {
    STORE_IDLE,    /* nothing to do */
    STORE_PENDING, /* handed over, the thread has it */
    STORE_DONE,    /* written or failed, the loop has not heard yet */
} StoreJob;

struct Store {
    int directory_fd;
    StoreHandler handler;
    void *userdata;

    pthread_t thread;
    bool has_thread;
    struct event *event; /* on done_fd */
    int done_fd;         /* eventfd: the thread to the loop */

    /* The thread's alone, once it runs. */
    bool is_anchored; /* the directory's own name is durable */
    bool keep_old;    /* the document that is there can be used, so that it is worth keeping */
    size_t size;      /* of the last document, or 0 */

    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t cond;
    StoreJob job;
    bool is_stopping;
    Snapshot snapshot; /* the thread reads it while STORE_PENDING; only the loop changes it */
    uint64_t generation;
    int error;
};

void pause_deinit(Pause *pause)
{
    free(pause->account);
    free(pause->problem);
    *pause = (Pause){};
}

void snapshot_deinit(Snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->n_records; i++)
        record_unref(snapshot->records[i]);
    free(snapshot->records);
    for (size_t i = 0; i < snapshot->n_orphans; i++)
        record_unref(snapshot->orphans[i]);
    free(snapshot->orphans);
    for (size_t i = 0; i < snapshot->n_pauses; i++)
        pause_deinit(&snapshot->pauses[i]);
    free(snapshot->pauses);
    explicit_bzero(snapshot, sizeof(*snapshot));
}

void store_load_deinit(StoreLoad *load)
{
    snapshot_deinit(&load->snapshot);
    free(load->problem);
    free(load->warning);
    *load = (StoreLoad){};
}

/* ---- loading ---- */

/* Why a document is not even read. STORE_DOCUMENT_E_BROKEN or -ENOMEM. */
static int store_refuse(char **ret_problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int store_refuse(char **ret_problem, const char *format, ...)
{
    va_list arguments;
    int r;

    va_start(arguments, format);
    r = vasprintf(ret_problem, format, arguments);
    va_end(arguments);
    if (r < 0) {
        *ret_problem = NULL;
        return -ENOMEM;
    }
    return STORE_DOCUMENT_E_BROKEN;
}

/* Of the document, and not of the machine: the older one may do, and what is in neither is looked up. */
static bool store_is_unreadable(int error)
{
    static const int errors[] = {EACCES, EPERM, EIO, ELOOP, EUCLEAN, ENODATA};

    for (size_t i = 0; i < N_ELEMENTS(errors); i++)
        if (error == -errors[i])
            return true;
    return false;
}

/* What others may have read is mended and told. -ENOMEM, or 0. */
static int store_close_to_others(int directory_fd, const char *name, const struct stat *st,
                                 mode_t mode, StoreLoad *load)
{
    bool is_mended;

    if ((st->st_mode & 077) == 0)
        return 0;
    is_mended = fchmodat(directory_fd, name, mode, 0) == 0;
    /* Who could not enter the directory could read nothing in it, so the first word is the weightiest. */
    if (load->warning ||
        asprintf(&load->warning, "%s had mode %04o, so that others may have read tokens; %s %04o",
                 strcmp(name, ".") == 0 ? "the directory of the records" : name,
                 (unsigned)st->st_mode & 07777,
                 is_mended ? "now it has" : "that cannot be changed from here, it should have",
                 (unsigned)mode) >= 0)
        return 0;
    load->warning = NULL;
    return -ENOMEM;
}

/* 0, STORE_DOCUMENT_E_BROKEN (with a problem that the caller frees) or -errno (-ENOENT: there is none). */
static int store_read(int directory_fd, const char *name, StoreLoad *load, char **ret_problem)
{
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(RECORDS_BYTES_MAX);
    struct stat st;
    int r;

    r = file_read(directory_fd, name, &text, &st);
    if (r == FILE_E_TOO_BIG)
        return store_refuse(ret_problem, "it is larger than %d bytes", RECORDS_BYTES_MAX);
    if (r == FILE_E_NOT_REGULAR)
        return store_refuse(ret_problem, "it is no regular file");
    if (r == -ENOENT && fstatat(directory_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return store_refuse(ret_problem, "it is a link to nothing");
    if (store_is_unreadable(r))
        return store_refuse(ret_problem, "it cannot be read: %s", error_text(r));
    if (r < 0)
        return r;
    if (file_is_foreign(&st))
        return store_refuse(ret_problem,
                            "uid %u owns it and its mode is %04o, so that others may have written "
                            "it; wanted are our own uid and mode 0600",
                            (unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
    /* What it holds counts as durable from here on. */
    r = file_is_unsettled(&st) ? file_settle(directory_fd, name) : 0;
    if (r < 0)
        return store_refuse(ret_problem,
                            "it would be gone after a power cut, since it cannot be synced: %s",
                            error_text(r));
    r = store_close_to_others(directory_fd, name, &st, 0600, load);
    if (r < 0)
        return r;
    return store_document_parse(buffer_data(&text), buffer_size(&text), &load->snapshot,
                                &load->n_broken, ret_problem);
}

/*
 * Keeps a document that cannot be used under another name too. It stays where it is until a commit replaces it, so that
 * a run that ends before that does not look like the first one on this host.
 */
static int store_set_aside(int directory_fd, const char *what, StoreLoad *load)
{
    char name[64];
    bool is_kept;
    int r;

    /* To the microsecond, so that two starts within a second keep both. */
    (void)snprintf(name, sizeof(name), STORE_FILE ".broken-%llu",
                   (unsigned long long)clock_realtime());
    is_kept = linkat(directory_fd, STORE_FILE, directory_fd, name, 0) == 0;
    if (!is_kept && errno == EPERM) /* a directory: it can only be moved away */
        is_kept = renameat(directory_fd, STORE_FILE, directory_fd, name) == 0;
    free(load->problem);
    r = asprintf(&load->problem, STORE_FILE " cannot be used (%s): %s%s", what,
                 is_kept ? "kept as " : "and it cannot be kept under another name: ",
                 is_kept ? name : error_text(errno));
    if (r < 0) {
        load->problem = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int store_load(int directory_fd, StoreLoad *load)
{
    _cleanup_(freep) char *problem = NULL;
    _cleanup_(freep) char *older_problem = NULL;
    int r;

    r = store_read(directory_fd, STORE_FILE, load, &problem);
    if (r == 0)
        return 0;
    if (r == STORE_DOCUMENT_E_BROKEN) {
        load->is_recovered = true;
        r = store_set_aside(directory_fd, problem, load);
        if (r < 0)
            return r;
    } else if (r != -ENOENT) {
        return r;
    }
    /* Without a document the older one speaks too: somebody removed the newer. */
    r = store_read(directory_fd, STORE_FILE "~", load, &older_problem);
    if (r == 0) {
        load->is_recovered = true;
        return 0;
    }
    if (r != -ENOENT && r != STORE_DOCUMENT_E_BROKEN)
        return r;
    load->is_recovered = load->is_recovered || r == STORE_DOCUMENT_E_BROKEN;
    load->is_new = true;
    load->snapshot.key = digest_key_random();
    return 0;
}

/* ---- the thread ---- */

/*
 * The directory may be as new as what is in it, whoever made it, and its name is in the one above. Where that one
 * cannot be opened (DynamicUser= puts it into a directory of root's), it is its owner's to sync.
 */
static int store_anchor(Store *store)
{
    int r;

    if (store->is_anchored)
        return 0;
    r = file_sync_directory(store->directory_fd, "..");
    if (r < 0 && r != -EACCES)
        return r;
    store->is_anchored = true;
    return 0;
}

static int store_write(Store *store)
{
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(RECORDS_BYTES_MAX);
    struct iovec piece;
    char *space;
    int r;

    /* So that it need not grow from nothing each time. Where there is no room for that, it does. */
    if (store->size > 0)
        (void)buffer_reserve(&text, store->size + store->size / 8, &space);
    r = store_document_format(&store->snapshot, &text);
    if (r != 0)
        return r < 0 ? r : -EFBIG;
    r = store_anchor(store);
    if (r < 0)
        return r;
    store->size = buffer_size(&text);
    piece = (struct iovec){buffer_data(&text), buffer_size(&text)};
    r = file_replace(store->directory_fd, STORE_FILE, store->keep_old, &piece, 1);
    if (r == 0)
        store->keep_old = true;
    return r;
}

static void *store_run(void *argument)
{
    static const uint64_t one = 1;
    Store *store = argument;

    thread_stand_back();
    /* While nobody waits for it. Where it fails, the first commit tries again, and says so. */
    (void)store_anchor(store);
    (void)pthread_mutex_lock(&store->mutex);
    for (;;) {
        int r;

        while (store->job != STORE_PENDING && !store->is_stopping)
            (void)pthread_cond_wait(&store->cond, &store->mutex);
        if (store->job != STORE_PENDING)
            break;
        (void)pthread_mutex_unlock(&store->mutex);
        r = store_write(store);
        (void)pthread_mutex_lock(&store->mutex);
        store->error = r;
        store->job = STORE_DONE;
        (void)pthread_cond_broadcast(&store->cond);
        (void)pthread_mutex_unlock(&store->mutex);
        /* Without the lock: the loop, which may take our processor at once, would wait for it and serve nobody. */
        if (write(store->done_fd, &one, sizeof(one)) < 0)
            assert(errno == EAGAIN); /* an eventfd takes any number of ones before it is full */
        (void)pthread_mutex_lock(&store->mutex);
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* Takes a finished job's result. Whether there was one. */
static bool store_take_result(Store *store, uint64_t *ret_generation, int *ret_error)
{
    Snapshot written = {};
    bool is_done;

    (void)pthread_mutex_lock(&store->mutex);
    is_done = store->job == STORE_DONE;
    if (is_done) {
        store->job = STORE_IDLE;
        written = store->snapshot;
        store->snapshot = (Snapshot){};
        *ret_generation = store->generation;
        *ret_error = store->error;
    }
    (void)pthread_mutex_unlock(&store->mutex);
    snapshot_deinit(&written);
    return is_done;
}

static void store_on_done(evutil_socket_t fd, short what, void *argument)
{
    Store *store = argument;
    uint64_t count, generation;
    int error;

    (void)what;
    (void)!read(fd, &count, sizeof(count));
    if (store_take_result(store, &generation, &error))
        store->handler(store->userdata, generation, error);
}

static int store_start(Store *store, struct event_base *base)
{
    int r;

    store->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (store->done_fd < 0)
        return error_errno();
    store->event = event_new(base, store->done_fd, EV_READ | EV_PERSIST, store_on_done, store);
    if (!store->event || event_add(store->event, NULL) < 0)
        return -ENOMEM;
    r = thread_start(&store->thread, store_run, store);
    if (r < 0)
        return r;
    store->has_thread = true;
    return 0;
}

/* ---- the loop's side ---- */

/* What must be done about the directory, for whoever starts us. The error is returned unless there is no memory. */
static int store_refuse_directory(const char *directory, int error, StoreLoad *load)
{
    if (asprintf(&load->problem,
                 "%s; it must be a directory of uid %u with mode 0700, see `ls -ld %s`",
                 error_text(error), (unsigned)geteuid(), directory) >= 0)
        return error;
    load->problem = NULL;
    return -ENOMEM;
}

/*
 * Another's directory is another's daemon's: what we wrote there it could not read any more. (Root is not another: who
 * lets us write into its directory has decided so.)
 */
static int store_check_directory(int fd, StoreLoad *load)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_errno();
    if (st.st_uid == geteuid())
        return store_close_to_others(fd, ".", &st, 0700, load);
    if (st.st_uid == 0)
        return 0;
    if (asprintf(&load->problem,
                 "it belongs to uid %u and we are uid %u; start elementd as that user, or give the "
                 "directory to this one with all that is in it",
                 (unsigned)st.st_uid, (unsigned)geteuid()) >= 0)
        return -EPERM;
    load->problem = NULL;
    return -ENOMEM;
}

static int store_open_directory(const char *directory, StoreLoad *load, int *ret_fd)
{
    _cleanup_(closep) int fd = -1;
    int r;

    r = file_make_directory(directory, 0700);
    if (r < 0)
        return store_refuse_directory(directory, r, load);
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return store_refuse_directory(directory, error_errno(), load);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? STORE_E_LOCKED : error_errno();
    r = store_check_directory(fd, load);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int store_new(const char *directory, struct event_base *base, StoreHandler handler, void *userdata,
              Store **ret_store, StoreLoad *ret_load)
{
    _cleanup_(store_freep) Store *store = NULL;
    _cleanup_(store_load_deinit) StoreLoad load = {};
    int r;

    store = malloc(sizeof(*store));
    if (!store)
        return -ENOMEM;
    *store = (Store){
        .directory_fd = -1,
        .handler = handler,
        .userdata = userdata,
        .done_fd = -1,
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .cond = PTHREAD_COND_INITIALIZER,
    };
    r = store_open_directory(directory, &load, &store->directory_fd);
    if (r < 0) {
        *ret_load = (StoreLoad){};
        ret_load->problem = TAKE_PTR(load.problem);
    }
    if (r != 0)
        return r;
    r = store_load(store->directory_fd, &load);
    if (r < 0)
        return r;
    store->keep_old = !load.is_recovered;
    r = store_start(store, base);
    if (r < 0)
        return r;
    *ret_load = load;
    load = (StoreLoad){};
    *ret_store = TAKE_PTR(store);
    return 0;
}

Store *store_free(Store *store)
{
    if (!store)
        return NULL;
    if (store->has_thread) {
        (void)pthread_mutex_lock(&store->mutex);
        store->is_stopping = true;
        (void)pthread_cond_broadcast(&store->cond);
        (void)pthread_mutex_unlock(&store->mutex);
        (void)pthread_join(store->thread, NULL);
    }
    if (store->event)
        event_free(store->event);
    snapshot_deinit(&store->snapshot);
    closep(&store->done_fd);
    closep(&store->directory_fd);
    (void)pthread_cond_destroy(&store->cond);
    (void)pthread_mutex_destroy(&store->mutex);
    free(store);
    return NULL;
}

/* `job` leaves STORE_IDLE on the loop's thread alone, so that reading it there needs no lock for this question. */
bool store_is_busy(const Store *store)
{
    Store *locked = (Store *)store;
    bool is_busy;

    (void)pthread_mutex_lock(&locked->mutex);
    is_busy = locked->job != STORE_IDLE;
    (void)pthread_mutex_unlock(&locked->mutex);
    return is_busy;
}

void store_commit(Store *store, Snapshot *snapshot, uint64_t generation)
{
    (void)pthread_mutex_lock(&store->mutex);
    assert(store->job == STORE_IDLE);
    store->snapshot = *snapshot;
    store->generation = generation;
    store->job = STORE_PENDING;
    (void)pthread_mutex_unlock(&store->mutex);
    (void)pthread_cond_broadcast(&store->cond);
    *snapshot = (Snapshot){};
}

static void store_await(Store *store)
{
    (void)pthread_mutex_lock(&store->mutex);
    while (store->job == STORE_PENDING)
        (void)pthread_cond_wait(&store->cond, &store->mutex);
    (void)pthread_mutex_unlock(&store->mutex);
}

int store_commit_now(Store *store, Snapshot *snapshot)
{
    uint64_t generation;
    int error;

    store_commit(store, snapshot, 0);
    store_await(store);
    return store_take_result(store, &generation, &error) ? error : -EIO;
}

void store_wait(Store *store)
{
    uint64_t generation;
    int error;

    store_await(store);
    if (store_take_result(store, &generation, &error))
        store->handler(store->userdata, generation, error);
}
