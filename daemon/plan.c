#include "daemon/plan.h"

#include <assert.h>

#include "base/limits.h"

/* For what was found but cannot be used: somebody has to mend it on the platform. */
#define PLAN_LOOK_AGAIN_USEC RETRY_MAX_USEC

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

/* Has a token, and nobody doubts it: it is verified from time to time. */
static Plan plan_keep(const PlanFacts *facts)
{
    ServedState state = facts->is_disabled ? SERVED_DISABLED : SERVED_READY;
    PlanProblem problem = PLAN_PROBLEM_INSTANCE;
    usec_t due = plan_later(facts->verify, facts->retry);
    Plan plan;

    if (!facts->is_served)
        return facts->is_store_well ? plan_rest(SERVED_CREATING, PLAN_PROBLEM_NONE, USEC_INFINITY)
                                    : plan_rest(SERVED_WAITING, PLAN_PROBLEM_STORE, USEC_INFINITY);
    if (facts->busy != PLAN_BUSY_NO)
        return plan_rest(state, problem, USEC_INFINITY);
    if (facts->is_paused) {
        problem = PLAN_PROBLEM_ACCOUNT;
        due = plan_later(due, facts->paused_until);
    }
    if (facts->now < due) {
        plan = plan_rest(state, problem, due);
        plan.is_retry = facts->is_paused || facts->retry > facts->verify;
        return plan;
    }
    /* A paused account is asked one thing first, by whoever needs it first: the look-up is that probe. */
    plan = plan_do(facts->is_paused ? PLAN_LOOK_UP : PLAN_VERIFY, state);
    if (facts->is_paused && facts->is_looking_up)
        plan = plan_rest(state, problem, USEC_INFINITY);
    plan.problem = problem;
    return plan;
}

/* When the look-up must have begun whose "not there" allows a POST. */
static usec_t plan_look_up_needed(const PlanFacts *facts)
{
    if (facts->intent == PLAN_INTENT_UNKNOWN)
        return plan_later(facts->wanted, facts->intent_until);
    return facts->wanted;
}

/* The platform must be asked, once or again. */
static Plan plan_look_up(const PlanFacts *facts)
{
    usec_t next;

    if (facts->intent != PLAN_INTENT_UNKNOWN || facts->now >= facts->intent_until ||
        facts->looked_up == 0)
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
    if (!facts->has_room)
        return plan_rest(SERVED_PENDING, PLAN_PROBLEM_NONE, USEC_INFINITY);
    return plan_do(PLAN_INTEND, SERVED_CREATING);
}

/* Has no token, or one that the platform does not know any more. */
static Plan plan_obtain(const PlanFacts *facts)
{
    if (facts->busy != PLAN_BUSY_NO)
        return plan_rest(SERVED_CREATING, PLAN_PROBLEM_NONE, USEC_INFINITY);
    if (facts->is_failed)
        return plan_rest(SERVED_FAILED, PLAN_PROBLEM_INSTANCE, USEC_INFINITY);
    if (facts->is_looking_up)
        return plan_rest(SERVED_LOOKING_UP, PLAN_PROBLEM_NONE, USEC_INFINITY);
    if (facts->is_paused) {
        if (facts->now < facts->paused_until)
            return plan_wait(PLAN_PROBLEM_ACCOUNT, facts->paused_until);
        return plan_do(PLAN_LOOK_UP, SERVED_LOOKING_UP);
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
    if (facts->intent == PLAN_INTENT_WRITTEN) {
        if (facts->is_durable)
            return plan_do(PLAN_CREATE, SERVED_CREATING);
        return facts->is_store_well ? plan_rest(SERVED_CREATING, PLAN_PROBLEM_NONE, USEC_INFINITY)
                                    : plan_rest(SERVED_WAITING, PLAN_PROBLEM_STORE, USEC_INFINITY);
    }
    if (facts->looked_up != 0 && facts->looked_up >= plan_look_up_needed(facts))
        return plan_begin(facts);
    return plan_look_up(facts);
}

Plan plan_next(const PlanFacts *facts)
{
    if (facts->is_broken)
        return plan_rest(SERVED_FAILED, PLAN_PROBLEM_CONFIG, USEC_INFINITY);
    if (facts->has_token && !facts->is_doubted)
        return plan_keep(facts);
    return plan_obtain(facts);
}
