#include "daemon/plan.h"

#include <assert.h>

#include "base/limits.h"

/* For what was found but cannot be used: somebody has to mend it on the platform. */
#define PLAN_LOOK_AGAIN_USEC RETRY_MAX_USEC

/*
 * The two rules of plan.h, each of which tests/torture/ builds a daemon without, to show that it would be caught.
 * At compile time: no environment makes a daemon that is installed break them.
 */
#ifdef PLAN_TEST_NO_INTENT
#define PLAN_HEEDS_INTENT false
#else
#define PLAN_HEEDS_INTENT true
#endif
#ifdef PLAN_TEST_NO_LOOK_UP
#define PLAN_HEEDS_LOOK_UP false
#else
#define PLAN_HEEDS_LOOK_UP true
#endif

static Plan plan_rest(ServedState state, PlanProblem problem, usec_t due)
{
    return (Plan){.step = PLAN_REST, .state = state, .problem = problem, .due = due};
}

/* Waits for the time of the next try. */
static Plan plan_wait(PlanProblem problem, usec_t due)
{
    return (Plan){PLAN_REST, SERVED_WAITING, problem, due, .is_retry = true};
}

static Plan plan_do(PlanStep step, ServedState state)
{
    return (Plan){.step = step, .state = state};
}

static usec_t plan_later(usec_t a, usec_t b)
{
    return a > b ? a : b;
}

static usec_t plan_sooner(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

/* What a token's instance is called, whatever is done to it. */
static ServedState plan_kept_state(const PlanFacts *facts)
{
    if (facts->is_failed)
        return SERVED_FAILED;
    return facts->is_disabled ? SERVED_DISABLED : SERVED_READY;
}

/* The token is not on disk yet, so it is not given out: perhaps the one before still is. */
static Plan plan_keep_unserved(const PlanFacts *facts)
{
    if (!facts->is_store_well)
        return plan_rest(facts->is_serving ? plan_kept_state(facts) : SERVED_WAITING,
                         PLAN_PROBLEM_STORE, USEC_INFINITY);
    return plan_rest(facts->is_serving ? plan_kept_state(facts) : SERVED_CREATING,
                     PLAN_PROBLEM_NONE, USEC_INFINITY);
}

/* What the platform has to be told; PLAN_REST for nothing. It would refuse again what it has refused. */
static PlanStep plan_find_change(const PlanFacts *facts)
{
    if (facts->is_failed || facts->is_disabled)
        return PLAN_REST;
    if (facts->is_body_stale)
        return PLAN_UPDATE;
    return facts->is_labels_stale ? PLAN_RELABEL : PLAN_REST;
}

/* Has a token, and nobody doubts it: it is verified from time to time, and changed when its file is. */
static Plan plan_keep(const PlanFacts *facts)
{
    PlanStep change = plan_find_change(facts);
    ServedState state = plan_kept_state(facts);
    PlanProblem problem = PLAN_PROBLEM_INSTANCE;
    usec_t due = change == PLAN_REST ? plan_later(facts->verify, facts->retry) : facts->retry;
    Plan plan;

    if (!facts->is_served)
        return plan_keep_unserved(facts);
    if (facts->busy != PLAN_BUSY_NO)
        return plan_rest(state, problem, USEC_INFINITY);
    if (facts->is_paused) {
        problem = PLAN_PROBLEM_ACCOUNT;
        due = plan_later(due, facts->paused_until);
    }
    if (facts->now < due) {
        plan = plan_rest(state, problem, due);
        plan.is_retry = facts->is_paused || change != PLAN_REST || facts->retry > facts->verify;
        return plan;
    }
    /* A paused account is asked one thing first, by whoever needs it first: the look-up is that probe. */
    plan = plan_do(facts->is_paused      ? PLAN_LOOK_UP
                   : change != PLAN_REST ? change
                                         : PLAN_VERIFY,
                   state);
    if (facts->is_paused && facts->is_looking_up)
        plan = plan_rest(state, problem, USEC_INFINITY);
    if (plan.step == PLAN_VERIFY && !facts->has_turn) {
        plan = plan_rest(state, problem, USEC_INFINITY);
        plan.is_waiting_for_turn = true;
    }
    plan.problem = problem;
    return plan;
}

/* The platform may still be working on a POST, or have made an instance of which nobody was told. */
static bool plan_is_unknown(const PlanFacts *facts)
{
    return PLAN_HEEDS_INTENT && facts->intent == PLAN_INTENT_UNKNOWN;
}

/* When the look-up must have begun whose "not there" allows a POST. */
static usec_t plan_look_up_needed(const PlanFacts *facts)
{
    if (plan_is_unknown(facts))
        return plan_later(facts->wanted, facts->intent_until);
    return facts->wanted;
}

/* The platform must be asked, once or again. */
static Plan plan_look_up(const PlanFacts *facts)
{
    usec_t next;

    if (!plan_is_unknown(facts) || facts->now >= facts->intent_until || facts->looked_up == 0)
        return plan_do(PLAN_LOOK_UP, SERVED_LOOKING_UP);
    /* It may still be working on the POST: ask now and then, and once more when it cannot be any longer. */
    next = plan_sooner(clock_add(facts->looked_up, facts->look_up_pause), facts->intent_until);
    if (facts->now < next)
        return plan_wait(PLAN_PROBLEM_INSTANCE, next);
    return plan_do(PLAN_LOOK_UP, SERVED_LOOKING_UP);
}

/* Looked up, and not there. */
static Plan plan_begin(const PlanFacts *facts)
{
    Plan plan;

    if (facts->has_room || facts->intent == PLAN_INTENT_WRITTEN) /* which has room already */
        return plan_do(PLAN_INTEND, SERVED_CREATING);
    plan = plan_rest(SERVED_PENDING, PLAN_PROBLEM_NONE, USEC_INFINITY);
    plan.is_waiting_for_room = true;
    return plan;
}

/* What kept an account from being asked is told until the probe has an answer, which may take minutes. */
static PlanProblem plan_probe_problem(const PlanFacts *facts)
{
    return facts->is_paused ? PLAN_PROBLEM_ACCOUNT : PLAN_PROBLEM_NONE;
}

/* Has no token, or one that the platform does not know any more. */
static Plan plan_obtain(const PlanFacts *facts)
{
    Plan plan;

    if (facts->busy != PLAN_BUSY_NO)
        return plan_rest(SERVED_CREATING, PLAN_PROBLEM_NONE, USEC_INFINITY);
    /* A refused change says nothing of an instance that is gone since. */
    if (facts->is_failed && !facts->is_doubted)
        return plan_rest(SERVED_FAILED, PLAN_PROBLEM_INSTANCE, USEC_INFINITY);
    if (facts->intent == PLAN_INTENT_UNKNOWN && facts->is_intent_elsewhere)
        return plan_rest(SERVED_FAILED, PLAN_PROBLEM_OWNER, USEC_INFINITY);
    if (facts->is_looking_up)
        return plan_rest(SERVED_LOOKING_UP, plan_probe_problem(facts), USEC_INFINITY);
    if (facts->is_paused) {
        if (facts->now < facts->paused_until)
            return plan_wait(PLAN_PROBLEM_ACCOUNT, facts->paused_until);
        plan = plan_do(PLAN_LOOK_UP, SERVED_LOOKING_UP);
        plan.problem = plan_probe_problem(facts);
        return plan;
    }
    if (facts->now < facts->retry)
        return plan_wait(PLAN_PROBLEM_INSTANCE, facts->retry);
    /* Before the intent: a look-up between it and its POST (after a pause) may have found what is to be created. */
    if (facts->is_found && facts->looked_up >= facts->wanted) {
        if (facts->is_found_usable)
            return plan_do(PLAN_ADOPT, SERVED_LOOKING_UP);
        if (facts->now < clock_add(facts->looked_up, PLAN_LOOK_AGAIN_USEC))
            return plan_wait(PLAN_PROBLEM_UNUSABLE,
                             clock_add(facts->looked_up, PLAN_LOOK_AGAIN_USEC));
        return plan_do(PLAN_LOOK_UP, SERVED_LOOKING_UP);
    }
    if (facts->intent == PLAN_INTENT_WRITTEN && !facts->is_intent_stale) {
        if (facts->is_durable || !PLAN_HEEDS_INTENT)
            return plan_do(PLAN_CREATE, SERVED_CREATING);
        return facts->is_store_well ? plan_rest(SERVED_CREATING, PLAN_PROBLEM_NONE, USEC_INFINITY)
                                    : plan_rest(SERVED_WAITING, PLAN_PROBLEM_STORE, USEC_INFINITY);
    }
    if (!PLAN_HEEDS_LOOK_UP ||
        (facts->looked_up != 0 && facts->looked_up >= plan_look_up_needed(facts)))
        return plan_begin(facts);
    return plan_look_up(facts);
}

/* Whether the last look-up tells what has become of the last POST. */
static bool plan_is_outcome_known(const PlanFacts *facts)
{
    if (facts->intent != PLAN_INTENT_UNKNOWN)
        return true;
    if (facts->is_intent_elsewhere) /* and will not be; what there may be is left to a person */
        return true;
    if (facts->is_found && facts->looked_up >= facts->wanted)
        return true;
    return facts->looked_up != 0 && facts->looked_up >= plan_look_up_needed(facts);
}

/* Is not declared any more: what it has on the platform has to be known before it is forgotten. */
static Plan plan_leave(const PlanFacts *facts)
{
    if (facts->is_removal_held || facts->busy != PLAN_BUSY_NO)
        return plan_rest(SERVED_PENDING, PLAN_PROBLEM_NONE, USEC_INFINITY);
    if (plan_is_outcome_known(facts))
        return plan_do(PLAN_FORGET, SERVED_PENDING);
    if (!facts->has_account) /* nobody can be asked; when it is declared again, this goes on */
        return plan_rest(SERVED_FAILED, PLAN_PROBLEM_CONFIG, USEC_INFINITY);
    if (facts->is_looking_up)
        return plan_rest(SERVED_LOOKING_UP, PLAN_PROBLEM_NONE, USEC_INFINITY);
    if (facts->is_paused && facts->now < facts->paused_until)
        return plan_wait(PLAN_PROBLEM_ACCOUNT, facts->paused_until);
    return plan_look_up(facts);
}

Plan plan_next(const PlanFacts *facts)
{
    if (!facts->is_declared)
        return plan_leave(facts);
    if (facts->is_broken)
        return plan_rest(SERVED_FAILED, PLAN_PROBLEM_CONFIG, USEC_INFINITY);
    if (facts->has_token && !facts->is_doubted)
        return plan_keep(facts);
    return plan_obtain(facts);
}
