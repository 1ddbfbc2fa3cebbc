#include "daemon/committer.h"

#include "base/error.h"
#include "base/limits.h"
#include "systemd/log.h"
#include "systemd/messages.h"

/*
 * While answers are expected, a commit waits for more of them, this many times as long as the last one took: so the disk and a
 * processor are busy with commits a quarter of the time at most. But a slow disk does not make tokens wait for longer than
 * it has to.
 */
#define COMMITTER_GATHER_FACTOR 3
#define COMMITTER_GATHER_MAX    (50 * USEC_PER_MSEC)

/* One that comes alone goes out at once, and so does the last one of many. */
static usec_t committer_earliest(const Committer *committer)
{
    if (committer->gather_until > committer->after && !engine_is_idle(committer->engine))
        return committer->gather_until;
    return committer->after;
}

void committer_run(Committer *committer, usec_t now)
{
    _cleanup_(snapshot_deinit) Snapshot snapshot = {.key = committer->key};
    uint64_t generation;

    if (!committer->registry->has_changes || store_is_busy(committer->store) ||
        now < committer_earliest(committer))
        return;
    if (gates_snapshot(committer->gates, &snapshot, now) < 0)
        generation = 0;
    else
        generation = registry_snapshot(committer->registry, &snapshot);
    if (generation == 0)
        committer->after = clock_add(now, STORE_RETRY_USEC);
    else
        store_commit(committer->store, &snapshot, generation);
    committer->begin = now;
}

usec_t committer_due(const Committer *committer, usec_t now)
{
    usec_t earliest = committer_earliest(committer);

    return committer->registry->has_changes && earliest > now ? earliest : USEC_INFINITY;
}

static usec_t committer_gather_time(const Committer *committer, usec_t now)
{
    usec_t time = COMMITTER_GATHER_FACTOR * (now - committer->begin);

    return time < COMMITTER_GATHER_MAX ? time : COMMITTER_GATHER_MAX;
}

/* Where it is news. */
static void committer_tell(Committer *committer, int error)
{
    const LogFields fields = {
        .message_id = error < 0 ? MESSAGE_STORE_FAILED : MESSAGE_STORE_WELL,
    };

    if (error == committer->error)
        return;
    if (error < 0)
        log_full(LOG_ERR, &fields,
                 "cannot write %s/" STORE_FILE ": %s; nothing new is created or given out until "
                 "that is possible, next try in %d s",
                 committer->folder, error_text(error), (int)(STORE_RETRY_USEC / USEC_PER_SEC));
    else
        log_full(LOG_NOTICE, &fields, "the records can be written again");
    committer->error = error;
}

void committer_done(Committer *committer, uint64_t generation, int error)
{
    usec_t now = clock_boottime();

    committer_tell(committer, error);
    if (error < 0) {
        committer->after = clock_add(now, STORE_RETRY_USEC);
        registry_not_committed(committer->registry);
    } else {
        committer->after = 0;
        committer->gather_until = clock_add(now, committer_gather_time(committer, now));
        registry_committed(committer->registry, generation);
    }
}

void committer_finish(Committer *committer)
{
    _cleanup_(snapshot_deinit) Snapshot snapshot = {.key = committer->key};

    store_wait(committer->store);
    if (gates_snapshot(committer->gates, &snapshot, clock_boottime()) < 0 ||
        registry_snapshot(committer->registry, &snapshot) == 0)
        return;
    committer_tell(committer, store_commit_now(committer->store, &snapshot));
}

void committer_init(Committer *committer, Store *store, const DigestKey *key, Registry *registry,
                    const Gates *gates, const Engine *engine, const char *folder)
{
    *committer = (Committer){
        .store = store,
        .registry = registry,
        .gates = gates,
        .engine = engine,
        .folder = folder,
        .key = *key,
    };
}
