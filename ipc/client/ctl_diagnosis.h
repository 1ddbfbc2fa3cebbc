#pragma once

/*
 * Diagnosis: what is wrong, each thing once with all the instances that it keeps from their tokens, and what to do about it.
 *
 * Put together from what the daemon tells of the whole (GetStatus) and of the instances. An account's trouble is that of
 * each of its instances: they are told of with it.
 *
 * Limits: CTL_DIAGNOSIS_TOLD_MAX, CTL_DIAGNOSIS_NAMES_MAX
 */

#include "ipc/client/ctl_call.h"
#include "ipc/client/ctl_instance.h"

/* Things that a person is told at a time, and names in one line; JSON has all. */
#define CTL_DIAGNOSIS_TOLD_MAX  50
#define CTL_DIAGNOSIS_NAMES_MAX 8

/* No row of a list. */
#define CTL_DIAGNOSIS_NO_ROW SIZE_MAX

/* One thing that is wrong. Texts are those of the daemon's answers. */
typedef struct CtlTrouble {
    const char *kind;
    const char *problem; /* NULL for a unit that waits */
    const char *account; /* NULL: of none, or not known */
    const char *unit;    /* that waits for `credential` until `until`, or NULL */
    const char *credential;
    const char *instance; /* of the credential */
    usec_t since;         /* realtime, as the others; 0: not known */
    usec_t retry;         /* 0: none is due */
    usec_t until;
    bool is_whole;    /* told of by the daemon beside the instances */
    size_t first_row; /* in the list of instances; the others by `next_rows` */
    size_t last_row;
    size_t n_rows;
} CtlTrouble;

typedef struct CtlDiagnosis {
    const CtlInstances *instances; /* borrowed */
    CtlReply reply;
    CtlTrouble *troubles;
    size_t n_troubles;
    size_t capacity;
    size_t *next_rows;
    bool *is_busy; /* by row: nothing is wrong, but it is not ready yet */
    size_t n_busy;
} CtlDiagnosis;

/*
 * Of all instances, or of `one` alone (NULL: all). 0, -errno, or any ELEMENTD_E_*; fine to deinit after either. An older
 * daemon that knows nothing of the whole has nothing to say of it.
 */
int ctl_diagnosis_make(elementd *daemon, const CtlInstances *instances,
                       const elementd_instance *one, CtlDiagnosis *ret_diagnosis);
void ctl_diagnosis_deinit(CtlDiagnosis *diagnosis);

/* Two lines for each thing: the cause, and what to do. */
void ctl_diagnosis_print(const Ctl *ctl, const CtlDiagnosis *diagnosis, CtlOutput *output);

/* The same for one instance, under labels. */
void ctl_diagnosis_print_labelled(const Ctl *ctl, const CtlDiagnosis *diagnosis, CtlOutput *output);

/* An array of objects. */
void ctl_diagnosis_write(const Ctl *ctl, const CtlDiagnosis *diagnosis, JsonWriter *json);

/* As the command should exit: of what is worst. */
CtlStatus ctl_diagnosis_status(const CtlDiagnosis *diagnosis);

/* Says, and writes as the document, that there was no answer: `error` of libelementd. `daemon` may be NULL. Its exit status. */
CtlStatus ctl_diagnosis_no_answer(const Ctl *ctl, const elementd *daemon, int error);
