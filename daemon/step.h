#pragma once

/*
 * Step: what the steps have in common: changing an entry's record, and what a problem means for it.
 *
 * The steps themselves: daemon/adopt.h, daemon/create.h, daemon/keep.h, daemon/remove.h; which one is due says daemon/plan.h.
 */

#include "daemon/reconcile.h"

/* One line about the entry; `message_id` as in LogFields, `request_id` may be NULL. */
void step_log(int level, const Entry *entry, const char *message_id, const char *request_id,
              const char *text);

/* A changeable copy of the entry's record, or a fresh one; the caller's. NULL without memory. */
Record *step_edit(const Entry *entry);

/* Without memory nothing was done that was not written down: the entry tries again a little later. */
void step_retry_soon(Entry *entry);

/* A refusal is for a person: its problem names the platform's request, for its support. */
void step_set_refusal(Entry *entry, const PlatformAnswer *answer);

/* Makes `record` one of what is declared now, whose failures are of the past. */
void step_describe(Record *record, const Entry *entry);

/* Nothing is wrong any more with what `record`, the entry's next, holds; and nothing of the past counts. */
void step_settle(Entry *entry, Record *record);

void step_schedule_verify(const Reconciler *reconciler, Entry *entry, usec_t now);

/* No POST is being worked on: the intent goes, and a look-up from now on decides. */
void step_not_created(Entry *entry, Record *record);

/* What a transient problem means besides a pause. */
typedef enum StepAftermath {
    STEP_CHANGES_NOTHING, /* what was asked is asked again */
    STEP_LEAVES_NO_POST,  /* and what was asked was a creation, which was not carried out */
    STEP_LEAVES_A_CHANGE, /* which may still be carried out: before that is over, nothing else may be changed */
} StepAftermath;

/* A transient problem of this instance: wait, by jitter or as long as the platform says. */
void step_back_off(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer,
                   StepAftermath aftermath);

/*
 * Has what is sent next for `entry` known by its gate and its body, for when the answer comes. Where its task belongs,
 * borrowed from the entry; NULL: no memory.
 */
EntryWork *step_note_sent(Entry *entry);

/*
 * The account's secrets were refused: unless it has others by now, pauses it, calls back its creations that have not gone out,
 * and has all its entries looked at.
 */
void step_unauthorized(Reconciler *reconciler, Entry *entry, const PlatformAnswer *answer);

/* The platform has another token than `record`; NULL: it does not say. Takes the reference; whether it is another one. */
bool step_take_token(Entry *entry, Record *record, Secret *token);
