#include "daemon/adopt.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/match.h"
#include "daemon/remove.h"
#include "daemon/step.h"
#include "systemd/log.h"
#include "systemd/messages.h"

/* For an error of ours (negative), else for what the platform has said. */
static void adopt_pause(Reconciler *reconciler, Gate *gate, int error, const PlatformAnswer *answer)
{
    const PlatformAnswer own = {.problem = (char *)error_text(error), .trouble = TROUBLE_OTHER};

    reconciler_pause(reconciler, gate, error < 0 ? &own : answer);
}

bool adopt_match(Reconciler *reconciler, Gate *gate, usec_t now)
{
    int r = match_rows(reconciler->registry, gate, now);

    if (r < 0)
        adopt_pause(reconciler, gate, r, NULL);
    return r == 0;
}

static void adopt_on_page(void *userdata, void *subject, PlatformAnswer *answer)
{
    Reconciler *reconciler = userdata;
    Gate *gate = subject;
    const Settings *settings = reconciler_settings(reconciler);
    GateProgress progress;
    int r;

    r = gate_take_page(gate, answer, &progress);
    if (r == 0 && progress == GATE_MORE)
        r = gate_look_up_next(gate, reconciler->engine, settings->owner, settings->request_timeout,
                              adopt_on_page);
    if (r < 0 || progress == GATE_FAILED) {
        adopt_pause(reconciler, gate, r, answer);
    } else if (progress == GATE_DONE) {
        if (!reconciler->registry->config || adopt_match(reconciler, gate, clock_boottime()))
            reconciler_open(reconciler, gate);
    } else {
        return;
    }
    reconciler_gate(reconciler, gate);
}

void adopt_look_up(Reconciler *reconciler, Gate *gate, usec_t now)
{
    const Settings *settings = reconciler_settings(reconciler);
    int r;

    r = gate_look_up(gate, reconciler->engine, settings->owner, settings->request_timeout,
                     adopt_on_page, now);
    if (r < 0)
        adopt_pause(reconciler, gate, r, NULL);
}

void adopt_found(Reconciler *reconciler, Entry *entry, usec_t now)
{
    _cleanup_(record_unrefp) Record *record = step_edit(entry);
    /* What was last sent for it, perhaps by an intent, is what it has: if that is not what is declared, it is changed. */
    bool is_known = record && record->has_digests && !entry->is_foreign;
    char words[96];

    if (!record || remove_replaced(reconciler, entry, now) < 0) {
        step_retry_soon(entry);
        return;
    }
    if (!is_known)
        step_describe(record, entry);
    record->id = entry->work->found.id;
    secret_unref(record->token);
    record->token = secret_ref(entry->work->found.token);
    record->is_disabled = entry->work->found.is_disabled;
    record->verified = clock_realtime();
    step_settle(entry, record);
    step_schedule_verify(reconciler, entry, now);
    (void)snprintf(words, sizeof(words),
                   "found on the platform as instance %" PRId64 ", taken over", record->id);
    step_log(LOG_NOTICE, entry, MESSAGE_TOKEN_OBTAINED, NULL, words);
    remove_succeeded(reconciler, entry, record);
    reconciler_put(reconciler, entry, TAKE_PTR(record), true);
    entry_forget_found(entry);
}
