#pragma once

/*
 * Steps: how each step of a plan is carried out, and what its answer means for the entry.
 *
 * A step changes the facts (something is under way, a record is written, a pause is set) or begins a
 * question whose answer does; the reconciler then asks the plan anew.
 */

#include "daemon/reconcile.h"

void steps_carry_out(Reconciler *reconciler, Entry *entry, PlanStep step, usec_t now);
