#include "ipc/client/ctl_diagnosis.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ipc/client/ctl_advice.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_time.h"

/* A line: the longest problem that the daemon keeps, the names, and our words around them. */
#define CTL_DIAGNOSIS_LINE_MAX (16 * 1024)

/* Where an instance's trouble is looked for among those that there are: beyond, it is told of by itself. */
#define CTL_DIAGNOSIS_LOOKS_MAX 256

#define CTL_DIAGNOSIS_OTHER "other"

/* ---- gathering ---- */

static CtlTrouble *ctl_diagnosis_add(CtlDiagnosis *diagnosis)
{
    size_t capacity = diagnosis->capacity > 0 ? 2 * diagnosis->capacity : 16;
    CtlTrouble *troubles;

    if (diagnosis->n_troubles == diagnosis->capacity) {
        troubles = reallocarray(diagnosis->troubles, capacity, sizeof(*troubles));
        if (!troubles)
            return NULL;
        diagnosis->troubles = troubles;
        diagnosis->capacity = capacity;
    }
    assert(diagnosis->troubles);
    troubles = &diagnosis->troubles[diagnosis->n_troubles++];
    *troubles = (CtlTrouble){.first_row = CTL_DIAGNOSIS_NO_ROW, .last_row = CTL_DIAGNOSIS_NO_ROW};
    return troubles;
}

static bool ctl_diagnosis_is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const JsonValue *ctl_diagnosis_array(const CtlReply *reply, const char *key)
{
    const JsonValue *array = json_value_find(reply->parameters, key);

    return array && array->type == JSON_ARRAY ? array : NULL;
}

static usec_t ctl_diagnosis_time(const JsonValue *object, const char *key)
{
    int64_t time = ctl_reply_number(object, key);

    return time > 0 ? (usec_t)time : 0;
}

/* Of one instance, what is of another account is no matter. */
static int ctl_diagnosis_take_whole(CtlDiagnosis *diagnosis, const elementd_instance *one)
{
    const JsonValue *array = ctl_diagnosis_array(&diagnosis->reply, "troubles");
    CtlTrouble *trouble;

    if (!array)
        return 0;
    JSON_VALUE_FOREACH(member, array) {
        const char *kind = ctl_reply_text(member, "kind");
        const char *problem = ctl_reply_text(member, "problem");
        const char *account = ctl_reply_text(member, "account");

        if (!kind || !problem || (one && account && strcmp(account, one->account) != 0))
            continue;
        trouble = ctl_diagnosis_add(diagnosis);
        if (!trouble)
            return -ENOMEM;
        trouble->kind = kind;
        trouble->problem = problem;
        trouble->account = account;
        trouble->since = ctl_diagnosis_time(member, "sinceUSec");
        trouble->retry = ctl_diagnosis_time(member, "retryUSec");
        trouble->is_whole = true;
    }
    return 0;
}

static int ctl_diagnosis_take_units(CtlDiagnosis *diagnosis, const elementd_instance *one)
{
    const JsonValue *array = ctl_diagnosis_array(&diagnosis->reply, "waitingUnits");
    CtlTrouble *trouble;

    if (!array)
        return 0;
    JSON_VALUE_FOREACH(member, array) {
        const char *unit = ctl_reply_text(member, "unit");
        const char *credential = ctl_reply_text(member, "credential");
        const char *instance = ctl_reply_text(member, "instance");

        if (!unit || !credential || !instance || (one && strcmp(instance, one->name) != 0))
            continue;
        trouble = ctl_diagnosis_add(diagnosis);
        if (!trouble)
            return -ENOMEM;
        trouble->kind = CTL_ADVICE_UNIT_WAITS;
        trouble->unit = unit;
        trouble->credential = credential;
        trouble->instance = instance;
        trouble->since = ctl_diagnosis_time(member, "sinceUSec");
        trouble->until = ctl_diagnosis_time(member, "untilUSec");
    }
    return 0;
}

/* Whether `words` end in what is wrong with the whole: "the account … cannot be used: FILE:…". */
static bool ctl_diagnosis_ends_in(const char *words, const char *problem)
{
    size_t size = strlen(words), end = strlen(problem);

    return size >= end && strcmp(words + size - end, problem) == 0;
}

/* Whether what is wrong with the instance is just that. */
static bool ctl_diagnosis_is_of(const CtlTrouble *trouble, const char *kind, const char *problem,
                                const elementd_instance *instance)
{
    if (trouble->unit || strcmp(trouble->kind, kind) != 0)
        return false;
    if (trouble->is_whole && !trouble->account && ctl_advice_is_shared(kind))
        return true;
    return (!trouble->account || ctl_diagnosis_is_same(trouble->account, instance->account)) &&
           (trouble->is_whole ? ctl_diagnosis_ends_in(problem, trouble->problem)
                              : strcmp(trouble->problem, problem) == 0);
}

static CtlTrouble *ctl_diagnosis_find(CtlDiagnosis *diagnosis, const char *kind,
                                      const char *problem, const elementd_instance *instance)
{
    for (size_t i = 0; i < diagnosis->n_troubles && i < CTL_DIAGNOSIS_LOOKS_MAX; i++)
        if (ctl_diagnosis_is_of(&diagnosis->troubles[i], kind, problem, instance))
            return &diagnosis->troubles[i];
    return NULL;
}

static void ctl_diagnosis_append_row(CtlDiagnosis *diagnosis, CtlTrouble *trouble, size_t row)
{
    if (trouble->n_rows++ == 0)
        trouble->first_row = row;
    else
        diagnosis->next_rows[trouble->last_row] = row;
    trouble->last_row = row;
}

/* States that say themselves that something is wrong, in words for when nothing else is said. */
static const struct {
    const char *state;
    const char *problem;
} ctl_diagnosis_states[] = {
    {"waiting", "waits for its next try"},
    {"failed", "failed, and elementd does not say why"},
    {"disabled", "disabled, and elementd does not say why"},
};

static const char *ctl_diagnosis_problem(const elementd_instance *instance)
{
    if (instance->problem)
        return instance->problem;
    for (size_t i = 0; i < N_ELEMENTS(ctl_diagnosis_states); i++)
        if (strcmp(instance->state, ctl_diagnosis_states[i].state) == 0)
            return ctl_diagnosis_states[i].problem;
    return NULL;
}

static int ctl_diagnosis_take_instance(CtlDiagnosis *diagnosis, size_t row)
{
    const elementd_instance *instance = diagnosis->instances->rows[row];
    const char *problem = ctl_diagnosis_problem(instance);
    const char *kind = instance->problem_kind ? instance->problem_kind : CTL_DIAGNOSIS_OTHER;
    CtlTrouble *trouble;

    if (!problem) {
        diagnosis->is_busy[row] = !ctl_instance_is_ready(instance);
        diagnosis->n_busy += diagnosis->is_busy[row];
        return 0;
    }
    trouble = ctl_diagnosis_find(diagnosis, kind, problem, instance);
    if (!trouble) {
        trouble = ctl_diagnosis_add(diagnosis);
        if (!trouble)
            return -ENOMEM;
        trouble->kind = kind;
        trouble->problem = problem;
        trouble->account = instance->account;
    }
    if (trouble->since == 0)
        trouble->since = instance->problem_since_usec;
    if (!trouble->is_whole && instance->retry_usec > 0 &&
        (trouble->retry == 0 || instance->retry_usec < trouble->retry))
        trouble->retry = instance->retry_usec;
    ctl_diagnosis_append_row(diagnosis, trouble, row);
    return 0;
}

int ctl_diagnosis_make(elementd *daemon, const CtlInstances *instances,
                       const elementd_instance *one, CtlDiagnosis *ret_diagnosis)
{
    CtlDiagnosis *diagnosis = ret_diagnosis;
    int r;

    *diagnosis = (CtlDiagnosis){.instances = instances};
    diagnosis->next_rows = calloc(instances->n_rows + 1, sizeof(*diagnosis->next_rows));
    diagnosis->is_busy = calloc(instances->n_rows + 1, sizeof(*diagnosis->is_busy));
    if (!diagnosis->next_rows || !diagnosis->is_busy)
        return -ENOMEM;
    r = ctl_call_on(daemon, "io.elementd.GetStatus", &diagnosis->reply);
    if (r == ELEMENTD_E_REMOTE)
        r = 0;
    if (r == 0 && diagnosis->reply.parameters)
        r = ctl_diagnosis_take_whole(diagnosis, one);
    for (size_t i = 0; i < instances->n_rows && r == 0; i++)
        if (!one || instances->rows[i] == one)
            r = ctl_diagnosis_take_instance(diagnosis, i);
    if (r == 0 && diagnosis->reply.parameters)
        r = ctl_diagnosis_take_units(diagnosis, one);
    return r;
}

void ctl_diagnosis_deinit(CtlDiagnosis *diagnosis)
{
    ctl_reply_deinit(&diagnosis->reply);
    free(diagnosis->troubles);
    free(diagnosis->next_rows);
    free(diagnosis->is_busy);
    *diagnosis = (CtlDiagnosis){};
}

/* ---- words: a line that is too long is said as far as it goes ---- */

static const char *ctl_diagnosis_name(const CtlDiagnosis *diagnosis, size_t row)
{
    assert(diagnosis->instances); /* where there are none, no trouble has a row */
    return diagnosis->instances->rows[row]->name;
}

static void ctl_diagnosis_append_names(const CtlDiagnosis *diagnosis, const CtlTrouble *trouble,
                                       Buffer *line)
{
    size_t row = trouble->first_row;

    for (size_t n = 0; n < trouble->n_rows && n < CTL_DIAGNOSIS_NAMES_MAX; n++) {
        (void)buffer_printf(line, "%s%s", n > 0 ? ", " : "", ctl_diagnosis_name(diagnosis, row));
        row = diagnosis->next_rows[row];
    }
    if (trouble->n_rows > CTL_DIAGNOSIS_NAMES_MAX)
        (void)buffer_printf(line, " and %zu more", trouble->n_rows - CTL_DIAGNOSIS_NAMES_MAX);
}

/* Whom it concerns. */
static void ctl_diagnosis_append_head(const CtlDiagnosis *diagnosis, const CtlTrouble *trouble,
                                      Buffer *line)
{
    if (trouble->is_whole && trouble->account)
        (void)buffer_printf(line, "account %s", trouble->account);
    else if (trouble->is_whole)
        (void)buffer_append_string(line, "elementd");
    if (trouble->is_whole && trouble->n_rows > 0)
        (void)buffer_append_string(line, " (for ");
    ctl_diagnosis_append_names(diagnosis, trouble, line);
    if (trouble->is_whole && trouble->n_rows > 0)
        (void)buffer_append_string(line, ")");
    (void)buffer_append_string(line, ": ");
}

/* "; since 21:30:05 (3 min ago)" */
static void ctl_diagnosis_append_since(usec_t since, usec_t now, Buffer *line)
{
    char moment[CTL_TIME_SIZE], ago[CTL_TIME_SIZE];

    if (since == 0)
        return;
    ctl_time_format_moment(since, now, moment);
    ctl_time_format_ago(since, now, ago);
    (void)buffer_printf(line, "; since %s (%s)", moment, ago);
}

/* "; next try at 21:33:40 (in 40 s)" */
static void ctl_diagnosis_append_due(const char *what, usec_t due, usec_t now, Buffer *line)
{
    char moment[CTL_TIME_SIZE], words[CTL_TIME_SIZE];

    if (due == 0)
        return;
    ctl_time_format_moment(due, now, moment);
    ctl_time_format_due(due, now, words);
    (void)buffer_printf(line, "; %s at %s (%s)", what, moment, words);
}

static void ctl_diagnosis_append_cause(const CtlTrouble *trouble, usec_t now, Buffer *line)
{
    if (trouble->unit)
        (void)buffer_printf(line, "%s waits for the credential \"%s\"", trouble->unit,
                            trouble->credential);
    else
        (void)buffer_append_string(line, trouble->problem);
    ctl_diagnosis_append_since(trouble->since, now, line);
    ctl_diagnosis_append_due("next try", trouble->retry, now, line);
    ctl_diagnosis_append_due("fails", trouble->until, now, line);
}

static void ctl_diagnosis_append_advice(const Ctl *ctl, const CtlDiagnosis *diagnosis,
                                        const CtlTrouble *trouble, Buffer *line)
{
    const CtlSubject subject = {
        .kind = trouble->kind,
        .instance = trouble->n_rows > 0 ? ctl_diagnosis_name(diagnosis, trouble->first_row)
                                        : trouble->instance,
        .account = trouble->account && *trouble->account ? trouble->account : NULL,
        .unit = trouble->unit,
    };

    (void)ctl_advice_append(ctl, &subject, line);
}

/* ---- printing ---- */

static void ctl_diagnosis_print_line(CtlOutput *output, const char *begin, Buffer *line,
                                     CtlColour colour)
{
    (void)buffer_append(line, "", 1);
    ctl_output_printf(output, "%s", begin);
    ctl_output_text(output, buffer_data(line), colour);
    ctl_output_printf(output, "\n");
    buffer_truncate(line, 0);
}

static CtlColour ctl_diagnosis_colour(const CtlTrouble *trouble)
{
    return ctl_advice_status(trouble->kind) == CTL_FAILED ? CTL_COLOUR_BAD : CTL_COLOUR_BUSY;
}

/* Those that nothing is wrong with, but that are not ready yet. */
static void ctl_diagnosis_print_busy(const CtlDiagnosis *diagnosis, CtlOutput *output)
{
    _cleanup_(buffer_deinit) Buffer line = BUFFER_INIT(CTL_DIAGNOSIS_LINE_MAX);
    size_t n = 0;

    if (diagnosis->n_busy == 0)
        return;
    for (size_t i = 0; i < diagnosis->instances->n_rows && n < CTL_DIAGNOSIS_NAMES_MAX; i++)
        if (diagnosis->is_busy[i])
            (void)buffer_printf(&line, "%s%s (%s)", n++ > 0 ? ", " : "",
                                ctl_diagnosis_name(diagnosis, i),
                                diagnosis->instances->rows[i]->state);
    if (diagnosis->n_busy > n)
        (void)buffer_printf(&line, " and %zu more", diagnosis->n_busy - n);
    (void)buffer_append_string(&line, ": under way, and nothing is wrong so far");
    ctl_diagnosis_print_line(output, "", &line, CTL_COLOUR_NONE);
    ctl_output_printf(output, "    to do: elementctl wait\n");
}

void ctl_diagnosis_print(const Ctl *ctl, const CtlDiagnosis *diagnosis, CtlOutput *output)
{
    _cleanup_(buffer_deinit) Buffer line = BUFFER_INIT(CTL_DIAGNOSIS_LINE_MAX);
    usec_t now = clock_realtime();

    for (size_t i = 0; i < diagnosis->n_troubles && i < CTL_DIAGNOSIS_TOLD_MAX; i++) {
        const CtlTrouble *trouble = &diagnosis->troubles[i];

        if (!trouble->unit)
            ctl_diagnosis_append_head(diagnosis, trouble, &line);
        ctl_diagnosis_append_cause(trouble, now, &line);
        ctl_diagnosis_print_line(output, "", &line, ctl_diagnosis_colour(trouble));
        ctl_diagnosis_append_advice(ctl, diagnosis, trouble, &line);
        ctl_diagnosis_print_line(output, "    to do: ", &line, CTL_COLOUR_NONE);
    }
    if (diagnosis->n_troubles > CTL_DIAGNOSIS_TOLD_MAX)
        ctl_output_printf(output, "and %zu more: elementctl list\n",
                          diagnosis->n_troubles - CTL_DIAGNOSIS_TOLD_MAX);
    ctl_diagnosis_print_busy(diagnosis, output);
}

void ctl_diagnosis_print_labelled(const Ctl *ctl, const CtlDiagnosis *diagnosis, CtlOutput *output)
{
    _cleanup_(buffer_deinit) Buffer line = BUFFER_INIT(CTL_DIAGNOSIS_LINE_MAX);
    usec_t now = clock_realtime();

    for (size_t i = 0; i < diagnosis->n_troubles; i++) {
        const CtlTrouble *trouble = &diagnosis->troubles[i];

        ctl_diagnosis_append_cause(trouble, now, &line);
        ctl_diagnosis_print_line(output, trouble->unit ? "      unit  " : "   problem  ", &line,
                                 ctl_diagnosis_colour(trouble));
        ctl_diagnosis_append_advice(ctl, diagnosis, trouble, &line);
        ctl_diagnosis_print_line(output, "     to do  ", &line, CTL_COLOUR_NONE);
    }
}

/* ---- JSON ---- */

/* NULL is left out. */
static void ctl_diagnosis_write_text(JsonWriter *json, const char *key, const char *text)
{
    if (!text)
        return;
    json_writer_key(json, key);
    json_writer_string(json, text);
}

static void ctl_diagnosis_write_time(JsonWriter *json, const char *key, usec_t time)
{
    if (time == 0)
        return;
    json_writer_key(json, key);
    json_writer_uint(json, time);
}

static void ctl_diagnosis_write_one(const Ctl *ctl, const CtlDiagnosis *diagnosis,
                                    const CtlTrouble *trouble, JsonWriter *json)
{
    _cleanup_(buffer_deinit) Buffer advice = BUFFER_INIT(CTL_DIAGNOSIS_LINE_MAX);
    size_t row = trouble->first_row;

    json_writer_open_object(json);
    ctl_diagnosis_write_text(json, "kind", trouble->kind);
    ctl_diagnosis_write_text(json, "account", trouble->account);
    ctl_diagnosis_write_text(json, "problem", trouble->problem);
    ctl_diagnosis_write_text(json, "unit", trouble->unit);
    ctl_diagnosis_write_text(json, "credential", trouble->credential);
    ctl_diagnosis_write_time(json, "sinceUSec", trouble->since);
    ctl_diagnosis_write_time(json, "retryUSec", trouble->retry);
    ctl_diagnosis_write_time(json, "untilUSec", trouble->until);
    json_writer_key(json, "instances");
    json_writer_open_array(json);
    if (trouble->instance)
        json_writer_string(json, trouble->instance);
    for (size_t n = 0; n < trouble->n_rows; n++) {
        json_writer_string(json, ctl_diagnosis_name(diagnosis, row));
        row = diagnosis->next_rows[row];
    }
    json_writer_close_array(json);
    ctl_diagnosis_append_advice(ctl, diagnosis, trouble, &advice);
    json_writer_key(json, "advice");
    json_writer_text(json, buffer_data(&advice), buffer_size(&advice));
    json_writer_close_object(json);
}

void ctl_diagnosis_write(const Ctl *ctl, const CtlDiagnosis *diagnosis, JsonWriter *json)
{
    json_writer_open_array(json);
    for (size_t i = 0; i < diagnosis->n_troubles; i++)
        ctl_diagnosis_write_one(ctl, diagnosis, &diagnosis->troubles[i], json);
    json_writer_close_array(json);
}

/* ---- exit status ---- */

CtlStatus ctl_diagnosis_status(const CtlDiagnosis *diagnosis)
{
    CtlStatus worst = diagnosis->n_busy > 0 ? CTL_NOT_READY : CTL_OK;

    for (size_t i = 0; i < diagnosis->n_troubles; i++) {
        const CtlTrouble *trouble = &diagnosis->troubles[i];
        CtlStatus status = ctl_advice_status(trouble->kind);

        /* Where the kind says nothing, the state does. */
        if (!ctl_advice_knows(trouble->kind) && trouble->n_rows > 0 &&
            strcmp(diagnosis->instances->rows[trouble->first_row]->state, "waiting") != 0)
            status = CTL_FAILED;
        if (status > worst)
            worst = status;
    }
    return worst;
}

/* ---- no answer ---- */

static const struct {
    int error;
    const char *kind;
} ctl_diagnosis_errors[] = {
    {ELEMENTD_E_NO_DAEMON, CTL_ADVICE_NO_DAEMON},
    {ELEMENTD_E_TIMEOUT, CTL_ADVICE_NO_ANSWER},
    {ELEMENTD_E_CLOSED, CTL_ADVICE_NO_ANSWER},
    {ELEMENTD_E_DENIED, CTL_ADVICE_NO_PERMISSION},
};

static CtlStatus ctl_diagnosis_write_alone(const Ctl *ctl, const CtlTrouble *trouble)
{
    const CtlDiagnosis diagnosis = {.troubles = (CtlTrouble *)trouble, .n_troubles = 1};
    _cleanup_(ctl_output_deinit) CtlOutput output;
    JsonWriter *json;

    ctl_output_init(&output, ctl);
    json = ctl_output_begin_json(&output);
    json_writer_open_object(json);
    json_writer_key(json, "troubles");
    ctl_diagnosis_write(ctl, &diagnosis, json);
    json_writer_close_object(json);
    ctl_output_end_json(&output);
    return ctl_output_end(&output);
}

CtlStatus ctl_diagnosis_no_answer(const Ctl *ctl, const elementd *daemon, int error)
{
    _cleanup_(buffer_deinit) Buffer words = BUFFER_INIT(CTL_DIAGNOSIS_LINE_MAX);
    _cleanup_(buffer_deinit) Buffer advice = BUFFER_INIT(CTL_DIAGNOSIS_LINE_MAX);
    const CtlFailure failure = {.error = error, .is_cause_alone = true};
    CtlTrouble trouble = {.kind = NULL};

    for (size_t i = 0; i < N_ELEMENTS(ctl_diagnosis_errors); i++)
        if (ctl_diagnosis_errors[i].error == error)
            trouble.kind = ctl_diagnosis_errors[i].kind;
    if (!trouble.kind || ctl_failure_format(ctl, &failure, &words) != 0 ||
        buffer_append(&words, "", 1) != 0)
        return ctl_failure_report(ctl, daemon, error, NULL, NULL);
    trouble.problem = buffer_data(&words);
    ctl_failure_say("%s", trouble.problem);
    ctl_diagnosis_append_advice(ctl, &(CtlDiagnosis){}, &trouble, &advice);
    ctl_failure_advise("%.*s", (int)buffer_size(&advice), buffer_data(&advice));
    if (ctl_options_has(&ctl->options, CTL_OPTION_JSON))
        (void)ctl_diagnosis_write_alone(ctl, &trouble);
    return ctl_failure_status(error);
}
