#pragma once

/*
 * Plan: what is to be done next for one instance, and what it is called meanwhile.
 *
 * A pure function of what is declared, recorded and known at a moment: no fd, no clock, no log. Everything that happens
 * (start, reload, timer, finished request, finished commit) ends in asking it again; so there is one place
 * in which a reader sees what the daemon does in each case, and tests/unit/test_plan.c is the table of it.
 *
 * Two rules carry the promises. A POST goes out only after a durable intent, and an intent is written only after a
 * look-up that began after everything that could have created the instance had ended, and found none.
 *
 * All times are of the boot-time clock; 0 means "long ago", USEC_INFINITY "never".
 */

#include <stdbool.h>

#include "base/clock.h"
#include "ipc/served.h"

/* What became of a POST. */
typedef enum PlanIntent {
    PLAN_INTENT_NONE,
    PLAN_INTENT_WRITTEN, /* recorded, and we know that no POST has gone out for it */
    PLAN_INTENT_UNKNOWN, /* a POST may have gone out, and the platform may still be working on it */
} PlanIntent;

/* What is under way for the instance itself. */
typedef enum PlanBusy {
    PLAN_BUSY_NO,
    PLAN_BUSY_CREATING,
    PLAN_BUSY_VERIFYING,
    PLAN_BUSY_UPDATING,
} PlanBusy;

typedef struct PlanFacts {
    usec_t now;

    /* Of the configuration. */
    bool is_declared;
    bool
        is_removal_held; /* not declared, as far as could be seen: nothing is concluded from that */
    bool is_broken;      /* its file, its account or the settings cannot be used */
    bool is_body_stale;  /* what the platform has is another body than is declared */
    bool is_labels_stale; /* … or another name or other tags */
    bool is_intent_stale; /* what was about to be created is not what is declared now */

    /* Of the record. */
    bool has_token;
    bool is_doubted;  /* has a token, but the platform said that there is no such instance */
    bool is_disabled; /* the platform says so */
    bool is_failed;   /* permanently, for the body that is declared now */
    bool is_durable;  /* all of the record is on disk */
    bool is_served;   /* its token is on disk, and given out */
    bool is_serving;  /* a token is given out, be it the one before */
    PlanIntent intent;
    bool
        is_intent_elsewhere; /* PLAN_INTENT_UNKNOWN: by another owner's tag, so that no look-up of ours would show it */
    usec_t intent_until; /* PLAN_INTENT_UNKNOWN: until when the platform may still be working */
    usec_t retry;        /* not before this; 0: at once */
    usec_t verify;       /* when the token is to be verified */

    /* Of this run. */
    PlanBusy busy;
    bool has_room;      /* one more creation may be begun */
    bool has_turn;      /* it may be verified now: verifications are spread over time */
    bool is_store_well; /* the last commit succeeded */
    usec_t wanted;      /* a look-up must have begun at or after this to say that it is not there */

    /* Of its account; for what is not declared, of the account by which it was created. */
    bool has_account;
    bool is_paused; /* nothing goes out before `paused_until`, then one probe */
    usec_t paused_until;
    bool is_looking_up;
    usec_t looked_up;     /* when the last complete look-up began; 0: there was none */
    usec_t look_up_pause; /* between look-ups for a POST whose outcome is unknown */
    bool is_found;        /* by it */
    bool is_found_usable; /* with a token that can be served */
} PlanFacts;

typedef enum PlanStep {
    PLAN_REST,    /* until `due`, or until something changes */
    PLAN_LOOK_UP, /* ask the account's platform for all that is ours */
    PLAN_ADOPT,   /* take over what was found */
    PLAN_INTEND,  /* record that a POST is about to go out */
    PLAN_CREATE,  /* POST */
    PLAN_VERIFY,  /* GET by id */
    PLAN_UPDATE,  /* PUT of the body */
    PLAN_RELABEL, /* PATCH of name and tags */
    PLAN_FORGET,  /* not declared any more: what is on the platform becomes an orphan */
} PlanStep;

/* Whose problem explains the state. */
typedef enum PlanProblem {
    PLAN_PROBLEM_NONE,
    PLAN_PROBLEM_CONFIG,
    PLAN_PROBLEM_INSTANCE, /* the last thing that went wrong with it */
    PLAN_PROBLEM_ACCOUNT,
    PLAN_PROBLEM_STORE,
    PLAN_PROBLEM_OWNER,    /* what became of a POST could be seen under another owner alone */
    PLAN_PROBLEM_UNUSABLE, /* found on the platform, but with a token or id that cannot be used */
} PlanProblem;

typedef struct Plan {
    PlanStep step;
    ServedState state;
    PlanProblem problem;
    usec_t due;    /* PLAN_REST: when to ask again at the latest; 0 else */
    bool is_retry; /* `due` is a next try, to be shown as one */
    bool is_waiting_for_room;
    bool is_waiting_for_turn;
} Plan;

Plan plan_next(const PlanFacts *facts);
