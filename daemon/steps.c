#include "daemon/steps.h"

#include <assert.h>

#include "daemon/adopt.h"
#include "daemon/create.h"
#include "daemon/keep.h"
#include "daemon/remove.h"

void steps_carry_out(Reconciler *reconciler, Entry *entry, PlanStep step, usec_t now)
{
    switch (step) {
    case PLAN_REST:
        return;
    case PLAN_LOOK_UP:
        adopt_look_up(reconciler, entry->gate, now);
        return;
    case PLAN_ADOPT:
        adopt_found(reconciler, entry, now);
        return;
    case PLAN_INTEND:
        create_intend(reconciler, entry, now);
        return;
    case PLAN_CREATE:
        create_post(reconciler, entry);
        return;
    case PLAN_VERIFY:
        keep_verify(reconciler, entry);
        return;
    case PLAN_UPDATE:
        keep_update(reconciler, entry);
        return;
    case PLAN_RELABEL:
        keep_relabel(reconciler, entry);
        return;
    case PLAN_FORGET:
        remove_forget(reconciler, entry, now);
        return;
    }
    assert(false);
}
