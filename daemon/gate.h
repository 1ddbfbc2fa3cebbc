#pragma once

/*
 * Gate: what all instances of one account share: whether anything may be asked at all, and the look-up.
 *
 * A look-up lists, over all pages, the instances that carry our tag. Rows move from page to page while others come and
 * go, so a list of several pages is believed when two passes in a row have shown the same. When an account's secrets are refused, or
 * the platform cannot be reached, the gate pauses: nothing goes out until the pause is over, then one look-up,
 * as the probe that opens it again. A failed look-up lengthens the pause.
 *
 * Limits: PLATFORM_PAGES_MAX, PLATFORM_PASSES_MAX, INSTANCES_MAX (rows kept), RETRY_AFTER_MAX_USEC
 */

#include <stdbool.h>

#include "config/config.h"
#include "daemon/engine.h"
#include "daemon/store.h"

typedef struct Gate {
    const Account *account; /* of the Config */
    uint64_t epoch;         /* changes when the account is another platform, or has other secrets */

    /* Pause; times of the boot-time clock. */
    bool is_paused;
    usec_t until;
    unsigned attempts;
    usec_t delay;     /* the pause drawn last */
    char *problem;    /* why, or NULL */
    Trouble trouble;  /* its kind */
    usec_t since;     /* realtime: when that began */
    bool is_restored; /* paused by an earlier run: not told by this one yet */

    /* Look-up. */
    EngineTask *task;
    usec_t begin;     /* of the one under way */
    usec_t looked_up; /* begin of the last complete one, 0: none yet */
    char *page;
    unsigned n_pages;
    uint64_t fingerprint;      /* of the ids on the pages so far */
    uint64_t last_fingerprint; /* of the pass before, 0: there was none */
    unsigned n_passes;
    PlatformInstance *rows; /* of the look-up under way, or of the last complete one; ours alone */
    size_t n_rows;
} Gate;

typedef struct Gates {
    Gate **items; /* by name, as the Config's accounts are */
    size_t n_items;
    uint64_t last_epoch;
} Gates;

/*
 * Makes `gates` those of the accounts of `config` that can be used. A gate stays by its account's name, with all that it
 * knows; when the account is another platform, or has other secrets, it begins anew, in another epoch. Gates of accounts
 * that are gone go, with their look-ups. 0 or -ENOMEM, then nothing has changed.
 */
int gates_apply(Gates *gates, const Config *config);

/* All begin anew, in other epochs: what was looked up was of another owner. */
void gates_renew(Gates *gates);

/* Takes over the pauses that an earlier run has recorded. 0 or -ENOMEM. */
int gates_restore(Gates *gates, const Snapshot *snapshot, usec_t now);

/* Cancels look-ups. Fine on a zeroed one. */
void gates_deinit(Gates *gates);

/* All borrowed, or NULL; NULL is fine. The second by its name, when it is (still) the platform at `url`. */
Gate *gates_find(const Gates *gates, const Account *account);
Gate *gates_find_platform(const Gates *gates, const char *account_name, const char *url);

/* The pauses that are worth recording, added to `snapshot`. 0 or -ENOMEM. */
int gates_snapshot(const Gates *gates, Snapshot *snapshot, usec_t now);

/*
 * Nothing goes out for a while: at least `retry_after` when that is not 0, else a pause by decorrelated jitter; a pause
 * that is not over is not begun anew.
 * `problem`, of the kind `trouble`, is copied. Whether the account was open, or paused for another reason, before: then it is worth telling.
 */
bool gate_pause(Gate *gate, Trouble trouble, const char *problem, usec_t retry_after, usec_t now);

/* What a look-up has found is not needed any more; its tokens are wiped. */
void gate_drop_rows(Gate *gate);

/* The last look-up, whatever it has found, counts as none. */
void gate_forget_look_up(Gate *gate);

/* Forgets all that was learned of the platform; ends the look-up that is under way, and the pause. */
void gate_renew(Gate *gate);

/* Whether it was paused. */
bool gate_open(Gate *gate);

/* A pause is over now, so that one look-up finds out whether it still has to be. */
void gate_probe(Gate *gate, usec_t now);

/* Begins a look-up; none may be under way. `handler` gets its every page, with the gate as subject. 0 or -errno. */
int gate_look_up(Gate *gate, Engine *engine, const char *owner, usec_t timeout,
                 EngineHandler handler, usec_t now);

typedef enum GateProgress {
    GATE_MORE,   /* this was a page, the next one must be asked for by gate_look_up_next() */
    GATE_DONE,   /* `rows` are complete, the gate is open */
    GATE_FAILED, /* the answer was none: the caller pauses the gate */
} GateProgress;

/* Takes in a page; to be called from the handler. 0 or -ENOMEM. */
int gate_take_page(Gate *gate, PlatformAnswer *answer, GateProgress *ret_progress);

int gate_look_up_next(Gate *gate, Engine *engine, const char *owner, usec_t timeout,
                      EngineHandler handler);
