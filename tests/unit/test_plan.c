/*
 * What the daemon does in each case: the table. What must hold in all cases there can be is in test_plan_properties.c.
 *
 * A row reads: in this situation, with these facts, this step is taken, and meanwhile the instance is called this,
 * explained by this problem, until then. Facts are words (plan_words); what is not said is as in usual_facts.
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
#include "tests/unit/usual.h"

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
    PlanFacts facts = usual_facts;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
