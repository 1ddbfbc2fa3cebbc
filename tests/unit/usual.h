#pragma once

/*
 * An instance as the plan sees it when there is nothing special about it, and the times around it.
 */

#include "base/clock.h"
#include "daemon/plan.h"

#define NOW    (1000 * USEC_PER_SEC)
#define WANTED (900 * USEC_PER_SEC)  /* from here on a look-up counts */
#define ENDED  (950 * USEC_PER_SEC)  /* by then the platform had ended work on a lost POST */
#define ENDS   (1005 * USEC_PER_SEC) /* … or will have */
#define PAUSE  (15 * USEC_PER_SEC)   /* between look-ups for it */
#define LATER  (NOW + 1)
#define NEVER  USEC_INFINITY

/* Just declared: no record, no look-up, nothing under way, nothing in the way. */
extern const PlanFacts usual_facts;
