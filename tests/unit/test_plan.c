/*
 * What the daemon does in each case: the table, and below it what must hold in all cases there can be.
 *
 * A row reads: in this situation, with these facts, this step is taken, and meanwhile the instance is called this,
 * explained by this problem, until then. Facts are words (plan_words); what is not said is as in plan_usual.
 */

#include "daemon/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"

#define NOW    (1000 * USEC_PER_SEC)
#define WANTED (900 * USEC_PER_SEC)  /* from here on a look-up counts */
#define ENDED  (950 * USEC_PER_SEC)  /* by then the platform had ended work on a lost POST */
#define ENDS   (1005 * USEC_PER_SEC) /* … or will have */
#define PAUSE  (15 * USEC_PER_SEC)   /* between look-ups for it */
#define LATER  (NOW + 1)
#define NEVER  USEC_INFINITY

/* Just declared: no record, no look-up, nothing under way, nothing in the way. */
static const PlanFacts plan_usual = {
    .now = NOW,
    .is_declared = true,
    .has_account = true,
    .is_durable = true,
    .has_room = true,
    .has_turn = true,
    .is_store_well = true,
    .wanted = WANTED,
    .look_up_pause = PAUSE,
};

typedef enum WordKind {
    WORD_YES,
    WORD_NO,
    WORD_TIME,
    WORD_INTENT,
    WORD_BUSY,
} WordKind;

typedef struct Word {
    const char *word;
    size_t offset;
    WordKind kind;
    usec_t value;
} Word;

#define YES(word, field)                                                                           \
    {                                                                                              \
        word, offsetof(PlanFacts, field), WORD_YES, 0                                              \
    }
#define NO(word, field)                                                                            \
    {                                                                                              \
        word, offsetof(PlanFacts, field), WORD_NO, 0                                               \
    }
#define TIME(word, field, moment)                                                                  \
    {                                                                                              \
        word, offsetof(PlanFacts, field), WORD_TIME, moment                                        \
    }
#define INTENT(word, value)                                                                        \
    {                                                                                              \
        word, offsetof(PlanFacts, intent), WORD_INTENT, value                                      \
    }
#define BUSY(word, value)                                                                          \
    {                                                                                              \
        word, offsetof(PlanFacts, busy), WORD_BUSY, value                                          \
    }

static const Word plan_words[] = {
    NO("gone", is_declared),
    YES("held", is_removal_held),
    NO("no-account", has_account),
    YES("body-stale", is_body_stale),
    YES("labels-stale", is_labels_stale),
    YES("intent-stale", is_intent_stale),
    NO("no-turn", has_turn),
    YES("serving", is_serving),
    YES("broken", is_broken),
    YES("token", has_token),
    YES("served", is_served),
    YES("doubted", is_doubted),
    YES("disabled", is_disabled),
    YES("failed", is_failed),
    NO("undurable", is_durable),
    NO("no-room", has_room),
    NO("store-fails", is_store_well),
    INTENT("written", PLAN_INTENT_WRITTEN),
    INTENT("unknown", PLAN_INTENT_UNKNOWN),
    YES("elsewhere", is_intent_elsewhere),
    BUSY("creating", PLAN_BUSY_CREATING),
    BUSY("verifying", PLAN_BUSY_VERIFYING),
    BUSY("updating", PLAN_BUSY_UPDATING),
    YES("looking-up", is_looking_up),
    YES("found", is_found),
    YES("usable", is_found_usable),
    YES("paused", is_paused),

    TIME("until-before", paused_until, NOW - 1),
    TIME("until-now", paused_until, NOW),
    TIME("until-later", paused_until, LATER),
    TIME("until-much-later", paused_until, LATER + 1),
    TIME("retry-before", retry, NOW - 1),
    TIME("retry-now", retry, NOW),
    TIME("retry-later", retry, LATER),
    TIME("verify-now", verify, NOW),
    TIME("verify-later", verify, LATER),
    TIME("verify-much-later", verify, LATER + 1),
    TIME("ended", intent_until, ENDED),
    TIME("ends-now", intent_until, NOW),
    TIME("ends-later", intent_until, ENDS),
    /* When the last complete look-up began. */
    TIME("looked-long-ago", looked_up, NOW - RETRY_MAX_USEC),
    TIME("looked-almost-again", looked_up, NOW - RETRY_MAX_USEC + 1),
    TIME("looked-too-early", looked_up, WANTED - 1),
    TIME("looked-at-wanted", looked_up, WANTED),
    TIME("looked-before-ended", looked_up, ENDED - 1),
    TIME("looked-at-ended", looked_up, ENDED),
    TIME("looked-pause-ago", looked_up, NOW - PAUSE),
    TIME("looked-recently", looked_up, NOW - PAUSE + 1),
    TIME("looked-just-now", looked_up, NOW),

    TIME("always-wanted", wanted, 0),
    TIME("wanted-now", wanted, NOW),
};

typedef struct Row {
    const char *situation;
    const char *facts;
    PlanStep step;
    ServedState state;
    PlanProblem problem;
    usec_t due;
    bool is_retry;
} Row;

#define STEP(step, state)              PLAN_##step, SERVED_##state, PLAN_PROBLEM_NONE, 0, false
#define STEP_BUT(step, state, problem) PLAN_##step, SERVED_##state, PLAN_PROBLEM_##problem, 0, false
#define REST(state, problem, due)      PLAN_REST, SERVED_##state, PLAN_PROBLEM_##problem, due, false
#define TURN(state)                    PLAN_REST, SERVED_##state, PLAN_PROBLEM_INSTANCE, NEVER, false
#define RETRY(state, problem, due)     PLAN_REST, SERVED_##state, PLAN_PROBLEM_##problem, due, true

/* clang-format off */
static const Row plan_rows[] = {
    /* ---- its configuration cannot be used: nothing is done, whatever else is true ---- */
    {"broken, new",                       "broken",                                     REST(FAILED, CONFIG, NEVER)},
    {"broken, with a token",              "broken token served",                        REST(FAILED, CONFIG, NEVER)},
    {"broken, to be verified",            "broken token served verify-now",             REST(FAILED, CONFIG, NEVER)},
    {"broken, doubted",                   "broken token served doubted",                REST(FAILED, CONFIG, NEVER)},
    {"broken, about to POST",             "broken written",                             REST(FAILED, CONFIG, NEVER)},
    {"broken, POST under way",            "broken written creating",                    REST(FAILED, CONFIG, NEVER)},
    {"broken, found",                     "broken found usable looked-just-now",        REST(FAILED, CONFIG, NEVER)},
    {"broken, its account paused",        "broken paused until-now",                    REST(FAILED, CONFIG, NEVER)},

    /* ---- has a token that nobody doubts ---- */
    {"token, all quiet",                  "token served verify-later",                  REST(READY, INSTANCE, LATER)},
    {"token, to be verified now",         "token served verify-now",                    STEP_BUT(VERIFY, READY, INSTANCE)},
    {"token, never verified",             "token served",                               STEP_BUT(VERIFY, READY, INSTANCE)},
    {"token, being verified",             "token served verifying",                     REST(READY, INSTANCE, NEVER)},
    {"token, look-up running for others", "token served verify-now looking-up",         STEP_BUT(VERIFY, READY, INSTANCE)},
    {"token, verifying backs off",        "token served retry-later",                   RETRY(READY, INSTANCE, LATER)},
    {"token, back-off is over",           "token served retry-now",                     STEP_BUT(VERIFY, READY, INSTANCE)},
    {"token, back-off ends before it",    "token served retry-later verify-much-later", REST(READY, INSTANCE, LATER + 1)},
    {"token, what was found is no matter", "token served verify-later found usable looked-just-now",
                                                                                        REST(READY, INSTANCE, LATER)},
    {"token, a commit is under way",      "token served verify-later undurable",        REST(READY, INSTANCE, LATER)},
    {"token, the store fails",            "token served verify-later store-fails",      REST(READY, INSTANCE, LATER)},

    {"token, to be verified, not its turn", "token served verify-now no-turn",           TURN(READY)},
    {"token, not its turn yet, nor its time", "token served verify-later no-turn",       REST(READY, INSTANCE, LATER)},

    /* … whose declaration has changed: the platform is told, at once */
    {"changed",                           "token served verify-later body-stale",       STEP_BUT(UPDATE, READY, INSTANCE)},
    {"changed, turns are of no matter",   "token served verify-now body-stale no-turn", STEP_BUT(UPDATE, READY, INSTANCE)},
    {"changed, labels alone",             "token served verify-later labels-stale",     STEP_BUT(RELABEL, READY, INSTANCE)},
    {"changed, both: the body has both",  "token served body-stale labels-stale",       STEP_BUT(UPDATE, READY, INSTANCE)},
    {"changed, being changed",            "token served body-stale updating",           REST(READY, INSTANCE, NEVER)},
    {"changed, being verified",           "token served body-stale verifying",          REST(READY, INSTANCE, NEVER)},
    {"changed, backs off",                "token served body-stale retry-later",        RETRY(READY, INSTANCE, LATER)},
    {"changed, backs off, to be verified", "token served labels-stale retry-later verify-now",
                                                                                        RETRY(READY, INSTANCE, LATER)},
    {"changed, back-off is over",         "token served body-stale retry-now",          STEP_BUT(UPDATE, READY, INSTANCE)},
    {"changed, account paused",           "token served body-stale paused until-later", RETRY(READY, ACCOUNT, LATER)},
    {"changed, paused, at its end",       "token served body-stale paused until-now",   STEP_BUT(LOOK_UP, READY, ACCOUNT)},
    {"changed, disabled: after that",     "token served body-stale disabled verify-later",
                                                                                        REST(DISABLED, INSTANCE, LATER)},
    {"changed, disabled, to be verified", "token served body-stale disabled verify-now", STEP_BUT(VERIFY, DISABLED, INSTANCE)},
    {"changed, the token not on disk yet", "token undurable body-stale",                REST(CREATING, NONE, NEVER)},
    {"changed, but gone on the platform", "token served doubted body-stale",            STEP(LOOK_UP, LOOKING_UP)},

    /* … whose change was refused: it stays as it is, and goes on being served and verified */
    {"change refused",                    "token served verify-later failed",           REST(FAILED, INSTANCE, LATER)},
    {"change refused, to be verified",    "token served verify-now failed",             STEP_BUT(VERIFY, FAILED, INSTANCE)},
    {"change refused, disabled",          "token served verify-later failed disabled",  REST(FAILED, INSTANCE, LATER)},
    {"change refused, account paused",    "token served failed paused until-later",     RETRY(FAILED, ACCOUNT, LATER)},

    /* … that is not on disk yet: it is not given out, and not asked about */
    {"changed token, commit under way",   "token undurable serving",                    REST(READY, NONE, NEVER)},
    {"changed token, the store fails",    "token undurable serving store-fails",        REST(READY, STORE, NEVER)},
    {"changed token of a disabled one",   "token undurable serving disabled",           REST(DISABLED, NONE, NEVER)},
    {"new token, commit under way",       "token undurable",                            REST(CREATING, NONE, NEVER)},
    {"new token, the store fails",        "token undurable store-fails",                REST(WAITING, STORE, NEVER)},
    {"new token, account paused",         "token undurable paused until-now",           REST(CREATING, NONE, NEVER)},

    /* … of an instance that the platform has disabled: it is asked now and then whether it still is */
    {"disabled",                          "token served disabled verify-later",         REST(DISABLED, INSTANCE, LATER)},
    {"disabled, to be verified",          "token served disabled verify-now",           STEP_BUT(VERIFY, DISABLED, INSTANCE)},
    {"disabled, being verified",          "token served disabled verifying",            REST(DISABLED, INSTANCE, NEVER)},
    {"disabled, account paused",          "token served disabled paused until-later",   RETRY(DISABLED, ACCOUNT, LATER)},

    /* … while its account is paused: whoever needs the platform first looks up, as the probe */
    {"paused",                            "token served paused until-later",            RETRY(READY, ACCOUNT, LATER)},
    {"paused, needed after the pause",    "token served verify-later paused until-now", RETRY(READY, ACCOUNT, LATER)},
    {"paused, needed before its end",     "token served verify-later paused until-much-later",
                                                                                        RETRY(READY, ACCOUNT, LATER + 1)},
    {"paused, at the end of the pause",   "token served paused until-now",              STEP_BUT(LOOK_UP, READY, ACCOUNT)},
    {"paused, after it",                  "token served paused until-before",           STEP_BUT(LOOK_UP, READY, ACCOUNT)},
    {"paused, the probe is running",      "token served paused until-now looking-up",   REST(READY, ACCOUNT, NEVER)},
    {"paused, still being verified",      "token served paused until-now verifying",    REST(READY, INSTANCE, NEVER)},

    /* ---- has none: first a look-up that is new enough ---- */
    {"new",                               "",                                           STEP(LOOK_UP, LOOKING_UP)},
    {"new, since ever",                   "always-wanted",                              STEP(LOOK_UP, LOOKING_UP)},
    {"new, look-up running",              "looking-up",                                 REST(LOOKING_UP, NONE, NEVER)},
    {"new, looked up just too early",     "looked-too-early",                           STEP(LOOK_UP, LOOKING_UP)},
    {"new, wanted since this moment",     "looked-recently wanted-now",                 STEP(LOOK_UP, LOOKING_UP)},
    {"new, no room: looked up all the same", "no-room",                                 STEP(LOOK_UP, LOOKING_UP)},
    {"new, the store fails: likewise",    "store-fails",                                STEP(LOOK_UP, LOOKING_UP)},

    /* … which finds it */
    {"found",                             "looked-at-wanted found usable",              STEP(ADOPT, LOOKING_UP)},
    {"found, without room",               "looked-at-wanted found usable no-room",      STEP(ADOPT, LOOKING_UP)},
    {"found just too early",              "looked-too-early found usable",              STEP(LOOK_UP, LOOKING_UP)},
    {"found, next look-up running",       "looked-at-wanted found usable looking-up",   REST(LOOKING_UP, NONE, NEVER)},
    {"found, without id or token",        "looked-at-wanted found",                     RETRY(WAITING, UNUSABLE, WANTED + RETRY_MAX_USEC)},
    {"found so, long ago",                "looked-long-ago always-wanted found",        STEP(LOOK_UP, LOOKING_UP)},
    {"found so, not quite as long ago",   "looked-almost-again always-wanted found",    RETRY(WAITING, UNUSABLE, LATER)},
    {"found so, but too early",           "looked-too-early found",                     STEP(LOOK_UP, LOOKING_UP)},

    /* … or does not: intent, commit, POST */
    {"not there",                         "looked-at-wanted",                           STEP(INTEND, CREATING)},
    {"not there, at this moment",         "looked-just-now wanted-now",                 STEP(INTEND, CREATING)},
    {"not there, no room",                "looked-at-wanted no-room",                   REST(PENDING, NONE, NEVER)},
    {"intent, commit under way",          "written undurable looked-at-wanted",         REST(CREATING, NONE, NEVER)},
    {"intent, the store fails",           "written undurable looked-at-wanted store-fails",
                                                                                        REST(WAITING, STORE, NEVER)},
    {"intent, durable",                   "written looked-at-wanted",                   STEP(CREATE, CREATING)},
    {"intent, durable, another's commit failed", "written looked-at-wanted store-fails", STEP(CREATE, CREATING)},
    {"intent, durable, its room is its own", "written looked-at-wanted no-room",        STEP(CREATE, CREATING)},
    {"intent, but found meanwhile",       "written looked-just-now found usable",       STEP(ADOPT, LOOKING_UP)},
    {"intent, commit under way, found meanwhile", "written undurable looked-just-now found usable",
                                                                                        STEP(ADOPT, LOOKING_UP)},
    {"intent, but found meanwhile without token", "written looked-just-now found",      RETRY(WAITING, UNUSABLE, NOW + RETRY_MAX_USEC)},
    {"intent, another look-up running",   "written looked-at-wanted looking-up",        REST(LOOKING_UP, NONE, NEVER)},
    /* … but the declaration has changed since the intent: that has to say what goes out */
    {"intent of another body",            "written intent-stale looked-at-wanted",      STEP(INTEND, CREATING)},
    {"intent of another body, no room: it has its own", "written intent-stale looked-at-wanted no-room",
                                                                                        STEP(INTEND, CREATING)},
    {"intent of another body, undurable", "written undurable intent-stale looked-at-wanted", STEP(INTEND, CREATING)},
    {"intent for another platform",       "written intent-stale looked-at-wanted wanted-now", STEP(LOOK_UP, LOOKING_UP)},
    {"POST gone out, of another body",    "unknown intent-stale ends-later creating",   REST(CREATING, NONE, NEVER)},
    {"POST under way",                    "written looked-at-wanted creating",          REST(CREATING, NONE, NEVER)},
    {"POST gone out",                     "unknown ends-later creating",                REST(CREATING, NONE, NEVER)},
    {"POST refused, being explained",     "creating",                                   REST(CREATING, NONE, NEVER)},

    /* ---- what became of a POST is not known: look-ups until the platform must have ended ---- */
    {"lost",                              "unknown ends-later",                         STEP(LOOK_UP, LOOKING_UP)},
    {"lost, look-up running",             "unknown ends-later looking-up",              REST(LOOKING_UP, NONE, NEVER)},
    {"lost, not there yet",               "unknown ends-later looked-just-now",         RETRY(WAITING, INSTANCE, ENDS)},
    {"lost, not there, short of a pause", "unknown ends-later looked-recently",         RETRY(WAITING, INSTANCE, LATER)},
    {"lost, not there a pause ago",       "unknown ends-later looked-pause-ago",        STEP(LOOK_UP, LOOKING_UP)},
    {"lost, found",                       "unknown ends-later looked-just-now found usable",
                                                                                        STEP(ADOPT, LOOKING_UP)},
    {"lost, found without token",         "unknown ends-later looked-just-now found",   RETRY(WAITING, UNUSABLE, NOW + RETRY_MAX_USEC)},
    {"lost, found before it was lost",    "unknown ends-later looked-recently wanted-now found usable",
                                                                                        RETRY(WAITING, INSTANCE, LATER)},
    {"lost, the platform ends now",       "unknown ends-now looked-recently",           STEP(LOOK_UP, LOOKING_UP)},
    {"lost, ends and looked up now",      "unknown ends-now looked-just-now",           STEP(INTEND, CREATING)},
    {"lost, ended, never looked up",      "unknown ended",                              STEP(LOOK_UP, LOOKING_UP)},
    {"lost, looked up just before its end", "unknown ended looked-before-ended",        STEP(LOOK_UP, LOOKING_UP)},
    {"lost, looked up at its end",        "unknown ended looked-at-ended",              STEP(INTEND, CREATING)},
    {"lost, likewise, but wanted anew",   "unknown ended looked-at-ended wanted-now",   STEP(LOOK_UP, LOOKING_UP)},
    {"lost, likewise, no room",           "unknown ended looked-at-ended no-room",      REST(PENDING, NONE, NEVER)},
    {"lost, account paused",              "unknown ends-later paused until-later",      RETRY(WAITING, ACCOUNT, LATER)},

    /* … under another owner: no look-up of ours would show it, so only a person can tell */
    {"lost under another owner",          "unknown elsewhere ends-later",               REST(FAILED, OWNER, NEVER)},
    {"lost there, ended, looked up",      "unknown elsewhere ended looked-just-now",    REST(FAILED, OWNER, NEVER)},
    {"lost there, account paused",        "unknown elsewhere ended paused until-now",   REST(FAILED, OWNER, NEVER)},
    {"intent there, before the POST",     "written elsewhere intent-stale looked-at-wanted", STEP(INTEND, CREATING)},
    {"lost there, and gone",              "gone unknown elsewhere ends-later",          STEP(FORGET, PENDING)},

    /* ---- failed for good, or backs off ---- */
    {"failed",                            "failed",                                     REST(FAILED, INSTANCE, NEVER)},
    {"failed, not there",                 "failed looked-just-now",                     REST(FAILED, INSTANCE, NEVER)},
    {"failed, found",                     "failed looked-just-now found usable",        REST(FAILED, INSTANCE, NEVER)},
    {"failed, account paused",            "failed paused until-now",                    REST(FAILED, INSTANCE, NEVER)},
    {"failed, look-up running",           "failed looking-up",                          REST(FAILED, INSTANCE, NEVER)},
    {"backs off",                         "retry-later",                                RETRY(WAITING, INSTANCE, LATER)},
    {"backs off, found",                  "retry-later looked-just-now found usable",   RETRY(WAITING, INSTANCE, LATER)},
    {"backs off, about to POST",          "retry-later written looked-at-wanted",       RETRY(WAITING, INSTANCE, LATER)},
    {"backs off, look-up running",        "retry-later looking-up",                     REST(LOOKING_UP, NONE, NEVER)},
    {"back-off is over",                  "retry-now",                                  STEP(LOOK_UP, LOOKING_UP)},
    {"back-off is over, about to POST",   "retry-now written looked-at-wanted",         STEP(CREATE, CREATING)},
    {"back-off was over",                 "retry-before looked-at-wanted",              STEP(INTEND, CREATING)},

    /* ---- its account is paused ---- */
    {"paused, new",                       "paused until-later",                         RETRY(WAITING, ACCOUNT, LATER)},
    {"paused, at its end",                "paused until-now",                           STEP_BUT(LOOK_UP, LOOKING_UP, ACCOUNT)},
    {"paused, after its end",             "paused until-before",                        STEP_BUT(LOOK_UP, LOOKING_UP, ACCOUNT)},
    {"paused, probe running",             "paused until-now looking-up",                REST(LOOKING_UP, ACCOUNT, NEVER)},
    {"paused, probe early",               "paused until-later looking-up",              REST(LOOKING_UP, ACCOUNT, NEVER)},
    {"paused, not there",                 "paused until-later looked-just-now",         RETRY(WAITING, ACCOUNT, LATER)},
    {"paused, not there, at its end",     "paused until-now looked-just-now",           STEP_BUT(LOOK_UP, LOOKING_UP, ACCOUNT)},
    {"paused, about to POST",             "paused until-later written looked-at-wanted", RETRY(WAITING, ACCOUNT, LATER)},
    {"paused, about to POST, at its end", "paused until-now written looked-at-wanted",  STEP_BUT(LOOK_UP, LOOKING_UP, ACCOUNT)},
    {"paused, found",                     "paused until-later looked-just-now found usable",
                                                                                        RETRY(WAITING, ACCOUNT, LATER)},
    {"paused, backs off longer",          "paused until-now retry-later",               STEP_BUT(LOOK_UP, LOOKING_UP, ACCOUNT)},
    {"paused, POST under way",            "paused until-now written creating",          REST(CREATING, NONE, NEVER)},

    /* ---- is not declared any more: it is forgotten, once it is known what it has on the platform ---- */
    {"gone",                              "gone",                                       STEP(FORGET, PENDING)},
    {"gone, with a token",                "gone token served verify-now",               STEP(FORGET, PENDING)},
    {"gone, with a token, account gone",  "gone token served no-account",               STEP(FORGET, PENDING)},
    {"gone, with a doubted token",        "gone token served doubted",                  STEP(FORGET, PENDING)},
    {"gone, failed",                      "gone failed",                                STEP(FORGET, PENDING)},
    {"gone, account paused",              "gone token served paused until-later",       STEP(FORGET, PENDING)},
    {"gone, the store fails",             "gone token served store-fails",              STEP(FORGET, PENDING)},
    {"gone, before the POST",             "gone written",                               STEP(FORGET, PENDING)},
    {"gone, as far as was seen",          "gone held token served",                     REST(PENDING, NONE, NEVER)},
    {"gone as far as was seen, lost",     "gone held unknown ends-later",               REST(PENDING, NONE, NEVER)},
    {"gone, POST under way",              "gone unknown ends-later creating",           REST(PENDING, NONE, NEVER)},
    {"gone, being changed",               "gone token served updating",                 REST(PENDING, NONE, NEVER)},
    {"gone, lost",                        "gone unknown ends-later",                    STEP(LOOK_UP, LOOKING_UP)},
    {"gone, lost, look-up running",       "gone unknown ends-later looking-up",         REST(LOOKING_UP, NONE, NEVER)},
    {"gone, lost, not there yet",         "gone unknown ends-later looked-just-now",    RETRY(WAITING, INSTANCE, ENDS)},
    {"gone, lost, found",                 "gone unknown ends-later looked-just-now found", STEP(FORGET, PENDING)},
    {"gone, lost, found too early",       "gone unknown ends-later looked-recently wanted-now found",
                                                                                        RETRY(WAITING, INSTANCE, LATER)},
    {"gone, lost, looked up at its end",  "gone unknown ended looked-at-ended",         STEP(FORGET, PENDING)},
    {"gone, lost, looked up before its end", "gone unknown ended looked-before-ended",  STEP(LOOK_UP, LOOKING_UP)},
    {"gone, lost, account paused",        "gone unknown ends-later paused until-later", RETRY(WAITING, ACCOUNT, LATER)},
    {"gone, lost, paused, at its end",    "gone unknown ends-later paused until-now",   STEP(LOOK_UP, LOOKING_UP)},
    {"gone, lost, account gone",          "gone unknown ends-later no-account",         REST(FAILED, CONFIG, NEVER)},

    /* ---- has a token, but the platform said that there is no such instance: as if it had none ---- */
    {"doubted",                           "token served doubted",                       STEP(LOOK_UP, LOOKING_UP)},
    {"doubted, looked up before that",    "token served doubted looked-recently wanted-now",
                                                                                        STEP(LOOK_UP, LOOKING_UP)},
    {"doubted, look-up running",          "token served doubted looking-up",            REST(LOOKING_UP, NONE, NEVER)},
    {"doubted, there after all",          "token served doubted looked-at-wanted found usable",
                                                                                        STEP(ADOPT, LOOKING_UP)},
    {"doubted, gone",                     "token served doubted looked-at-wanted",      STEP(INTEND, CREATING)},
    {"doubted, gone, no room",            "token served doubted looked-at-wanted no-room", REST(PENDING, NONE, NEVER)},
    {"doubted, not to be verified again", "token served doubted verify-now retry-later", RETRY(WAITING, INSTANCE, LATER)},
    {"doubted, account paused",           "token served doubted paused until-later",    RETRY(WAITING, ACCOUNT, LATER)},
    {"doubted, its change was refused",   "token served doubted failed",                STEP(LOOK_UP, LOOKING_UP)},
    {"doubted, likewise, gone",           "token served doubted failed looked-at-wanted", STEP(INTEND, CREATING)},
    {"doubted, was disabled",             "token served doubted disabled",              STEP(LOOK_UP, LOOKING_UP)},
};
/* clang-format on */

static void word_apply(const Word *word, PlanFacts *facts)
{
    void *field = (char *)facts + word->offset;

    switch (word->kind) {
    case WORD_YES:
        *(bool *)field = true;
        break;
    case WORD_NO:
        *(bool *)field = false;
        break;
    case WORD_TIME:
        *(usec_t *)field = word->value;
        break;
    case WORD_INTENT:
        *(PlanIntent *)field = (PlanIntent)word->value;
        break;
    case WORD_BUSY:
        *(PlanBusy *)field = (PlanBusy)word->value;
        break;
    }
}

static PlanFacts row_facts(const Row *row)
{
    PlanFacts facts = plan_usual;
    char words[128], *rest = words;
    const char *word;

    assert_true(strlen(row->facts) < sizeof(words));
    (void)snprintf(words, sizeof(words), "%s", row->facts);
    while ((word = strsep(&rest, " "))) {
        size_t i = 0;

        if (!*word)
            continue;
        while (i < N_ELEMENTS(plan_words) && strcmp(plan_words[i].word, word) != 0)
            i++;
        if (i == N_ELEMENTS(plan_words))
            fail_msg("%s: there is no word \"%s\"", row->situation, word);
        word_apply(&plan_words[i], &facts);
    }
    return facts;
}

static void test_table(void **state)
{
    unsigned n_wrong = 0;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(plan_rows); i++) {
        const Row *row = &plan_rows[i];
        PlanFacts facts = row_facts(row);
        Plan plan = plan_next(&facts);

        if (plan.step == row->step && plan.state == row->state && plan.problem == row->problem &&
            plan.due == row->due && plan.is_retry == row->is_retry)
            continue;
        n_wrong++;
        print_error("%s (%s): step %d, state %s, problem %d, due %llu, retry %d\n", row->situation,
                    row->facts, plan.step, served_state_name(plan.state), plan.problem,
                    (unsigned long long)plan.due, plan.is_retry);
    }
    assert_int_equal(n_wrong, 0);
}

/* Each word is used, and each situation stands once. */
static void test_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(plan_words); i++) {
        bool is_used = false;

        for (size_t j = 0; j < N_ELEMENTS(plan_rows); j++)
            is_used = is_used || strstr(plan_rows[j].facts, plan_words[i].word);
        if (!is_used)
            fail_msg("no row says \"%s\"", plan_words[i].word);
    }
    for (size_t i = 0; i < N_ELEMENTS(plan_rows); i++)
        for (size_t j = 0; j < i; j++) {
            PlanFacts a = row_facts(&plan_rows[i]), b = row_facts(&plan_rows[j]);

            if (strcmp(plan_rows[i].situation, plan_rows[j].situation) == 0 ||
                memcmp(&a, &b, sizeof(a)) == 0)
                fail_msg("\"%s\" and \"%s\" are one case", plan_rows[i].situation,
                         plan_rows[j].situation);
        }
}

/* ---- what holds in every case ---- */

typedef struct Property {
    const char *words;
    bool (*holds)(const PlanFacts *facts, const Plan *plan);
} Property;

static bool is_without_token(const PlanFacts *facts)
{
    return !facts->has_token || facts->is_doubted;
}

/* A look-up that began after everything that could have created it had ended, and found none. */
static bool is_known_absent(const PlanFacts *facts)
{
    return facts->looked_up != 0 && facts->looked_up >= facts->wanted && !facts->is_found &&
           (facts->intent != PLAN_INTENT_UNKNOWN || facts->looked_up >= facts->intent_until);
}

static bool post_needs_durable_intent(const PlanFacts *facts, const Plan *plan)
{
    return plan->step != PLAN_CREATE ||
           (facts->intent == PLAN_INTENT_WRITTEN && facts->is_durable &&
            facts->busy == PLAN_BUSY_NO && !facts->is_paused && !facts->is_looking_up &&
            (!facts->is_failed || facts->is_doubted) && facts->now >= facts->retry &&
            is_without_token(facts) && !facts->is_intent_stale);
}

static bool post_not_for_what_was_found(const PlanFacts *facts, const Plan *plan)
{
    return plan->step != PLAN_CREATE || !facts->is_found || facts->looked_up < facts->wanted;
}

static bool intent_needs_absence(const PlanFacts *facts, const Plan *plan)
{
    return plan->step != PLAN_INTEND ||
           (is_known_absent(facts) &&
            (facts->intent == PLAN_INTENT_WRITTEN ? facts->is_intent_stale : facts->has_room) &&
            facts->busy == PLAN_BUSY_NO && !facts->is_paused && !facts->is_looking_up &&
            (!facts->is_failed || facts->is_doubted) && facts->now >= facts->retry &&
            is_without_token(facts));
}

static bool adopts_what_is_there(const PlanFacts *facts, const Plan *plan)
{
    return plan->step != PLAN_ADOPT ||
           (facts->is_found && facts->is_found_usable && facts->looked_up >= facts->wanted &&
            facts->busy == PLAN_BUSY_NO && is_without_token(facts));
}

static bool verifies_what_it_has(const PlanFacts *facts, const Plan *plan)
{
    return plan->step != PLAN_VERIFY ||
           (facts->has_turn && facts->has_token && !facts->is_doubted && facts->is_served &&
            !facts->is_paused && facts->busy == PLAN_BUSY_NO && facts->now >= facts->retry &&
            facts->now >= facts->verify);
}

/* One request at a time: what is sent is for the instance that is served, and nothing else is under way. */
static bool changes_what_it_has(const PlanFacts *facts, const Plan *plan)
{
    bool is_change = plan->step == PLAN_UPDATE || plan->step == PLAN_RELABEL;

    return !is_change ||
           ((plan->step == PLAN_UPDATE ? facts->is_body_stale
                                       : facts->is_labels_stale && !facts->is_body_stale) &&
            facts->has_token && !facts->is_doubted && facts->is_served && !facts->is_paused &&
            !facts->is_failed && !facts->is_disabled && facts->busy == PLAN_BUSY_NO &&
            facts->now >= facts->retry);
}

/* Nothing is created, changed or verified any more; and forgotten only what is known. */
static bool gone_is_left(const PlanFacts *facts, const Plan *plan)
{
    if (facts->is_declared)
        return plan->step != PLAN_FORGET;
    if (plan->step != PLAN_FORGET)
        return plan->step == PLAN_REST ||
               (plan->step == PLAN_LOOK_UP && facts->intent == PLAN_INTENT_UNKNOWN);
    return !facts->is_removal_held && facts->busy == PLAN_BUSY_NO &&
           (facts->intent != PLAN_INTENT_UNKNOWN || is_known_absent(facts) ||
            (facts->is_found && facts->looked_up >= facts->wanted));
}

static bool looks_up_one_at_a_time(const PlanFacts *facts, const Plan *plan)
{
    return plan->step != PLAN_LOOK_UP ||
           (facts->has_account && !facts->is_looking_up && facts->busy == PLAN_BUSY_NO);
}

/* Nothing at all goes out before the pause is over. */
static bool pause_is_kept(const PlanFacts *facts, const Plan *plan)
{
    return !facts->is_paused || plan->step == PLAN_REST || plan->step == PLAN_FORGET ||
           (plan->step == PLAN_LOOK_UP && facts->now >= facts->paused_until);
}

static bool broken_rests(const PlanFacts *facts, const Plan *plan)
{
    return !facts->is_broken || !facts->is_declared ||
           (plan->step == PLAN_REST && plan->state == SERVED_FAILED);
}

/* A rest that is over already would be a loop that spins. */
static bool rest_is_no_spin(const PlanFacts *facts, const Plan *plan)
{
    return plan->step == PLAN_REST ? plan->due > facts->now : plan->due == 0;
}

static bool retry_has_a_time(const PlanFacts *facts, const Plan *plan)
{
    (void)facts;
    return !plan->is_retry || (plan->step == PLAN_REST && plan->due != USEC_INFINITY);
}

static bool waiting_says_why(const PlanFacts *facts, const Plan *plan)
{
    (void)facts;
    return (plan->state != SERVED_WAITING && plan->state != SERVED_FAILED) ||
           plan->problem != PLAN_PROBLEM_NONE;
}

/* Who rests for ever must be waiting for something that will tell: an answer, a commit, room, a turn, a changed file. */
static bool endless_rest_has_an_end(const PlanFacts *facts, const Plan *plan)
{
    if (plan->step != PLAN_REST || plan->due != USEC_INFINITY)
        return true;
    if (!facts->is_declared && (facts->is_removal_held || !facts->has_account))
        return true;
    if (plan->is_waiting_for_room || plan->is_waiting_for_turn)
        return plan->is_waiting_for_room ? !facts->has_room : !facts->has_turn;
    return facts->is_broken || facts->busy != PLAN_BUSY_NO || facts->is_looking_up ||
           (is_without_token(facts) && facts->is_failed && !facts->is_doubted) ||
           (facts->has_token && !facts->is_served) ||
           (facts->intent == PLAN_INTENT_WRITTEN && !facts->is_durable);
}

/* A token that is served is called so, whatever else goes on. */
static bool served_token_is_ready(const PlanFacts *facts, const Plan *plan)
{
    if (!facts->is_declared || facts->is_broken || is_without_token(facts) || !facts->is_served)
        return true;
    return plan->state == (facts->is_failed     ? SERVED_FAILED
                           : facts->is_disabled ? SERVED_DISABLED
                                                : SERVED_READY);
}

/* What carrying out a step does to the facts at once, before anybody has answered. */
static void step_apply(PlanStep step, PlanFacts *facts)
{
    switch (step) {
    case PLAN_REST:
        break;
    case PLAN_LOOK_UP:
        facts->is_looking_up = true;
        break;
    case PLAN_ADOPT:
        facts->has_token = true;
        facts->is_served = facts->is_durable = facts->is_doubted = facts->is_found = false;
        facts->intent = PLAN_INTENT_NONE;
        facts->retry = 0;
        facts->verify = LATER;
        break;
    case PLAN_INTEND:
        facts->has_token = facts->is_doubted = facts->is_disabled = facts->is_durable = false;
        facts->is_intent_stale = facts->is_failed = false;
        facts->intent = PLAN_INTENT_WRITTEN;
        break;
    case PLAN_CREATE:
        facts->busy = PLAN_BUSY_CREATING;
        break;
    case PLAN_VERIFY:
        facts->busy = PLAN_BUSY_VERIFYING;
        break;
    case PLAN_UPDATE:
    case PLAN_RELABEL:
        facts->busy = PLAN_BUSY_UPDATING;
        break;
    case PLAN_FORGET:
        break;
    }
}

/* Each step changes a fact that led to it: after one of them there is nothing to do but wait. */
static bool step_leads_on(const PlanFacts *facts, const Plan *plan)
{
    PlanFacts after = *facts;

    if (plan->step == PLAN_FORGET) /* then it is over */
        return true;
    step_apply(plan->step, &after);
    return plan_next(&after).step == PLAN_REST;
}

static const Property plan_properties[] = {
    {"a POST goes out after a durable intent, alone, and not in a pause",
     post_needs_durable_intent},
    {"no POST for what a look-up has found", post_not_for_what_was_found},
    {"an intent follows a look-up that is new enough and found none", intent_needs_absence},
    {"only what can be used is taken over", adopts_what_is_there},
    {"only a served token is verified, when that is due and its turn", verifies_what_it_has},
    {"only what is there and stale is changed", changes_what_it_has},
    {"what is not declared is left, once it is known", gone_is_left},
    {"one look-up at a time", looks_up_one_at_a_time},
    {"a pause is kept, and its end is a probe", pause_is_kept},
    {"broken: nothing is done", broken_rests},
    {"a rest lies ahead", rest_is_no_spin},
    {"a retry has a time", retry_has_a_time},
    {"waiting and failed say why", waiting_says_why},
    {"an endless rest has somebody to end it", endless_rest_has_an_end},
    {"a served token is ready, disabled or failed to change", served_token_is_ready},
    {"each step leads on", step_leads_on},
};

/* The next digit of a number to this base: so a counter runs through all combinations. */
static unsigned take_digit(uint64_t *number, unsigned base)
{
    unsigned digit = (unsigned)(*number % base);

    *number /= base;
    return digit;
}

/* The combination with this number; what is left of the number. */
static uint64_t facts_of(uint64_t number, PlanFacts *facts)
{
    static const usec_t moments[][2] = {
        {0, 0}, {NOW, LATER}, {LATER, NOW}, {LATER, LATER}, {0, LATER}};
    static const usec_t pauses[] = {0, NOW, LATER};
    static const usec_t look_ups[] = {0, WANTED - 1, WANTED, ENDED - 1, ENDED, NOW};
    unsigned digit;

    *facts = plan_usual;
    digit = take_digit(&number, 8); /* what is declared */
    facts->is_declared = digit < 4 || digit == 7;
    facts->is_broken = digit == 7;
    facts->is_body_stale = digit == 1;
    facts->is_labels_stale = digit == 2;
    facts->is_intent_stale = digit == 1 || digit == 2;
    facts->has_turn = digit != 3;
    facts->is_removal_held = digit == 5;
    facts->has_account = digit != 6;
    digit = take_digit(&number, 5); /* none, or durable or not and doubted or not */
    facts->has_token = digit > 0;
    facts->is_served = digit & 1;
    facts->is_doubted = digit > 2;
    digit = take_digit(&number, 4);
    facts->intent = digit > 2 ? PLAN_INTENT_UNKNOWN : (PlanIntent)digit;
    facts->intent_until = digit == 2 ? ENDED : ENDS;
    facts->busy = (PlanBusy)take_digit(&number, 3);
    if (facts->busy == PLAN_BUSY_VERIFYING && !facts->has_turn)
        facts->busy = PLAN_BUSY_UPDATING;
    digit = take_digit(&number, 3);
    facts->is_found = digit > 0;
    facts->is_found_usable = digit > 1;
    digit = take_digit(&number, N_ELEMENTS(pauses));
    facts->is_paused = digit > 0;
    facts->paused_until = pauses[digit];
    facts->looked_up = look_ups[take_digit(&number, N_ELEMENTS(look_ups))];
    facts->wanted = take_digit(&number, 2) ? WANTED : 0;
    digit = take_digit(&number, N_ELEMENTS(moments));
    facts->retry = moments[digit][0];
    facts->verify = moments[digit][1];
    digit = take_digit(&number, 4);
    facts->is_disabled = digit & 1;
    facts->is_failed = digit & 2;
    digit = take_digit(&number, 3); /* durable, or not yet, or not because that fails */
    facts->is_durable = digit == 0;
    facts->is_store_well = digit < 2;
    facts->has_room = take_digit(&number, 2);
    facts->is_looking_up = take_digit(&number, 2);
    return number;
}

static void tell_facts(const PlanFacts *facts, const Plan *plan)
{
    print_error("  declared %d held %d account %d stale %d %d %d turn %d\n", facts->is_declared,
                facts->is_removal_held, facts->has_account, facts->is_body_stale,
                facts->is_labels_stale, facts->is_intent_stale, facts->has_turn);
    print_error("  broken %d token %d served %d doubted %d disabled %d failed %d durable %d\n",
                facts->is_broken, facts->has_token, facts->is_served, facts->is_doubted,
                facts->is_disabled, facts->is_failed, facts->is_durable);
    print_error(
        "  intent %d until %llu busy %d room %d store %d looking up %d found %d usable %d\n",
        facts->intent, (unsigned long long)facts->intent_until, facts->busy, facts->has_room,
        facts->is_store_well, facts->is_looking_up, facts->is_found, facts->is_found_usable);
    print_error("  paused %d until %llu looked up %llu wanted %llu retry %llu verify %llu\n",
                facts->is_paused, (unsigned long long)facts->paused_until,
                (unsigned long long)facts->looked_up, (unsigned long long)facts->wanted,
                (unsigned long long)facts->retry, (unsigned long long)facts->verify);
    print_error("  => step %d state %s problem %d due %llu retry %d\n", plan->step,
                served_state_name(plan->state), plan->problem, (unsigned long long)plan->due,
                plan->is_retry);
}

static void test_properties(void **state)
{
    uint64_t n_violations[N_ELEMENTS(plan_properties)] = {}, n_all = 0;
    PlanFacts facts;

    (void)state;
    for (uint64_t number = 0; facts_of(number, &facts) == 0; number++) {
        Plan plan = plan_next(&facts);

        for (size_t i = 0; i < N_ELEMENTS(plan_properties); i++) {
            if (plan_properties[i].holds(&facts, &plan))
                continue;
            n_all++;
            if (n_violations[i]++ > 0)
                continue;
            print_error("not so: %s\n", plan_properties[i].words);
            tell_facts(&facts, &plan);
        }
    }
    assert_int_equal(n_all, 0);
}

/* All steps are met on the way, so that no property holds for want of a case. */
static void test_properties_see_all(void **state)
{
    uint64_t n_steps[PLAN_FORGET + 1] = {}, n_states[SERVED_N_STATES] = {};
    PlanFacts facts;

    (void)state;
    for (uint64_t number = 0; facts_of(number, &facts) == 0; number++) {
        Plan plan = plan_next(&facts);

        n_steps[plan.step]++;
        n_states[plan.state]++;
    }
    for (size_t i = 0; i < N_ELEMENTS(n_steps); i++)
        assert_true(n_steps[i] > 0);
    for (size_t i = 0; i < N_ELEMENTS(n_states); i++)
        assert_true(n_states[i] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_is_sound),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_properties_see_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
