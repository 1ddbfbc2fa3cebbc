/*
 * What the daemon does in any case there can be: what must hold of it, tried with all combinations of facts.
 */

#include "daemon/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/usual.h"

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

    *facts = usual_facts;
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
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_properties_see_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
