/*
 * What a client sends, from bytes to replies: the codec on the whole input, and the input as a stream through framing
 * and dispatch, cut up in several ways. Whatever comes, each reply is a Varlink reply, all ways of cutting give
 * the same ones, and a caller who may not have it never sees the token.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/limits.h"
#include "ipc/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_SECRET "very-secret"

/* Every other answer depends on these: one with a token, one without, one that failed. */
static Served fuzz_instances[3];
static Terms fuzz_terms[N_ELEMENTS(fuzz_instances)];

static Served *fuzz_find(void *userdata, const char *name, size_t size)
{
    (void)userdata;
    for (size_t i = 0; i < N_ELEMENTS(fuzz_instances); i++)
        if (strlen(fuzz_instances[i].name) == size &&
            memcmp(fuzz_instances[i].name, name, size) == 0)
            return &fuzz_instances[i];
    return NULL;
}

static Served *fuzz_next(void *userdata, const Served *previous)
{
    size_t i = previous ? (size_t)(previous - fuzz_instances) + 1 : 0;

    (void)userdata;
    return i < N_ELEMENTS(fuzz_instances) ? &fuzz_instances[i] : NULL;
}

static void fuzz_report_rejected(void *userdata, Served *served, const char *token, size_t size)
{
    (void)userdata;
    assert(served && strlen(token) == size);
}

static void fuzz_retry(void *userdata, Served *served)
{
    (void)userdata;
    assert(served);
}

/* Every other one is over at once, and every other of those has failed. */
static uint64_t fuzz_reload(void *userdata)
{
    uint64_t *n_reloads = userdata;

    return ++*n_reloads;
}

static const ServedReload *fuzz_find_reload(void *userdata, uint64_t number)
{
    static const char *const names[] = {"x", NULL};
    static const ServedProblem problem = {"a.json", 1, 2, "because"};
    static const ServedReload reloads[] = {
        {.is_applied = true, .added = names, .changed = names, .removed = names},
        {.problems = &problem, .n_problems = 1},
    };

    (void)userdata;
    return number % 2 == 0 ? NULL : &reloads[number / 2 % 2];
}

static bool fuzz_find_orphan(void *userdata, size_t i, ServedOrphan *ret_orphan)
{
    (void)userdata;
    *ret_orphan = (ServedOrphan){.id = 7, .url = "https://a", .instance = i == 0 ? "x" : NULL};
    return i < 2;
}

static const ServerOperations fuzz_operations = {
    .find = fuzz_find,
    .next = fuzz_next,
    .report_rejected = fuzz_report_rejected,
    .retry = fuzz_retry,
    .reload = fuzz_reload,
    .find_reload = fuzz_find_reload,
    .find_orphan = fuzz_find_orphan,
};

static void fuzz_init(void)
{
    static TroubleNote problem = {.words = "because"};
    static Secret *secret;
    int r;

    if (secret)
        return;
    log_set_level(LOG_EMERG);
    r = secret_new(FUZZ_SECRET, strlen(FUZZ_SECRET), &secret);
    assert(r == 0);
    for (size_t i = 0; i < N_ELEMENTS(fuzz_instances); i++) {
        served_init(&fuzz_instances[i]);
        fuzz_instances[i].name = (const char *[]){"x", "y", "z"}[i];
        fuzz_terms[i] = (Terms){.element = "jira", .account = "default"};
        r = acl_add(&fuzz_terms[i].allow, "user:1000");
        assert(r == 0);
        fuzz_instances[i].terms = &fuzz_terms[i];
    }
    fuzz_instances[0].state = SERVED_READY;
    fuzz_instances[0].token = secret;
    fuzz_terms[0].user = fuzz_terms[0].organization = secret;
    fuzz_instances[2].state = SERVED_FAILED;
    fuzz_instances[2].problem = &problem;
}

/* Each message of `replies` is one that a client understands; behind one that continues there are only such. */
static void fuzz_check_replies(const Buffer *replies)
{
    const char *p = buffer_data(replies), *end = p ? p + buffer_size(replies) : NULL;
    bool is_watching = false;

    while (p < end) {
        _cleanup_(arena_deinit) Arena arena = ARENA_INIT((size_t)REPLY_BYTES_MAX * 4);
        const char *nul = memchr(p, '\0', (size_t)(end - p));
        VarlinkReply reply;
        int r;

        assert(nul);
        r = varlink_parse_reply(&arena, p, (size_t)(nul - p), &reply);
        assert(r == 0);
        assert(reply.parameters && (!is_watching || reply.continues));
        is_watching = reply.continues;
        p = nul + 1;
    }
}

static void fuzz_on_change(Wait *wait)
{
    (void)wait;
}

/* The stream from a peer of `uid`, at most `piece` bytes at a time; what is answered is appended to `replies`. */
static void fuzz_stream(const uint8_t *data, size_t size, uid_t uid, size_t piece, Buffer *replies)
{
    Peer peer = {.fd = -1, .uid = uid, .gid = uid, .has_groups = true};
    SessionShared shared;
    uint64_t n_reloads = 0;
    Session session;

    session_shared_init(&shared, &fuzz_operations, &n_reloads);
    session_init(&session, &shared, &peer, fuzz_on_change);
    while (session_need(&session) != SESSION_NEEDS_END) {
        size_t n = piece;
        char *space;

        /* Nothing happens any more, here. */
        if (session_need(&session) == SESSION_NEEDS_CHANGE && session_is_watching(&session))
            break;
        if (session_need(&session) == SESSION_NEEDS_CHANGE) {
            session_answer_again(&session, true);
        } else if (session_need(&session) == SESSION_NEEDS_BYTES && size > 0) {
            size_t room;

            if (session_reserve(&session, &space, &room) < 0)
                break;
            n = n < room ? n : room;
            n = n < size ? n : size;
            memcpy(space, data, n);
            session_commit(&session, n);
            data += n;
            size -= n;
        } else if (session_need(&session) == SESSION_NEEDS_BYTES) {
            break;
        }
        session_advance(&session, USEC_PER_SEC);
        if (buffer_append(replies, buffer_data(&session.unsent), buffer_size(&session.unsent)) != 0)
            break;
        buffer_clear(&session.unsent);
    }
    session_deinit(&session);
    session_shared_deinit(&shared);
}

static void fuzz_codec(const uint8_t *data, size_t size)
{
    _cleanup_(arena_deinit) Arena arena = ARENA_INIT(json_value_arena_max(REQUEST_BYTES_MAX));
    VarlinkReply reply;
    VarlinkCall call;

    if (varlink_parse_call(&arena, (const char *)data, size, &call) == 0)
        assert(call.method && !(call.more && call.oneway));
    arena_reset(&arena);
    if (varlink_parse_reply(&arena, (const char *)data, size, &reply) == 0)
        assert(!reply.error || !reply.continues);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {SIZE_MAX, 1, 7};
    static const uid_t uids[] = {0, 1000, 1001};

    fuzz_init();
    fuzz_codec(data, size);
    for (size_t i = 0; i < N_ELEMENTS(uids); i++) {
        _cleanup_(buffer_deinit) Buffer whole = BUFFER_INIT((size_t)REPLY_BYTES_MAX * 4);

        fuzz_stream(data, size, uids[i], pieces[0], &whole);
        fuzz_check_replies(&whole);
        if (uids[i] == 1001 && buffer_size(&whole) > 0 && !memmem(data, size, FUZZ_SECRET, 8))
            assert(!memmem(buffer_data(&whole), buffer_size(&whole), FUZZ_SECRET, 8));
        for (size_t j = 1; j < N_ELEMENTS(pieces); j++) {
            _cleanup_(buffer_deinit) Buffer cut = BUFFER_INIT((size_t)REPLY_BYTES_MAX * 4);

            fuzz_stream(data, size, uids[i], pieces[j], &cut);
            assert(buffer_size(&cut) == buffer_size(&whole));
            assert(buffer_size(&cut) == 0 ||
                   memcmp(buffer_data(&cut), buffer_data(&whole), buffer_size(&cut)) == 0);
        }
    }
    return 0;
}
